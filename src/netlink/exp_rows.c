/* SPDX-License-Identifier: ISC */
#include "netlink/exp_rows.h"

#include <stddef.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/expect.h"
#include "base/util.h"

/* expect.h has its own names for what Linux defines. */
#define SAME(ours, theirs)                                                \
	_Static_assert((int)(ours) == (int)(theirs), #ours " is that of " \
							   "Linux")
SAME(EXPECT_FLAG_PERMANENT, NF_CT_EXPECT_PERMANENT);
SAME(EXPECT_FLAG_INACTIVE, NF_CT_EXPECT_INACTIVE);
SAME(EXPECT_FLAG_USERSPACE, NF_CT_EXPECT_USERSPACE);
#undef SAME

#define SAME(number, bit) \
	_Static_assert((int)(bit) == 1 << (number), #bit " has this number")
SAME(EXP_N_TIMEOUT, EXPECT_TIMEOUT);
SAME(EXP_N_FLAGS, EXPECT_FLAGS);
SAME(EXP_N_CLASS, EXPECT_CLASS);
SAME(EXP_N_NAT, EXPECT_NAT);
SAME(EXP_N_HELPER, EXPECT_HELPER);
SAME(EXP_N_FUNCTION, EXPECT_FUNCTION);
SAME(EXP_N_ID, EXPECT_ID);
#undef SAME

#define FIELD(ops, kind, bit, type, field)                  \
	{                                                   \
		kind, bit, ops, sizeof(((type *)0)->field), \
			offsetof(type, field), 0, NULL      \
	}
#define EXPECT(ops, kind, bit, field) \
	FIELD(ops, kind, bit, struct expect, field)
#define SIDE(ops, field, table)                                       \
	{                                                             \
		CT_SIDE, EXP_N_NONE, ops,                             \
			sizeof(((struct exp_side *)0)->field),        \
			offsetof(struct exp_side, field), 0, &(table) \
	}
#define TABLE(rows)                    \
	{                              \
		rows, N_ELEMENTS(rows) \
	}

/* KNOWN: read, and written in a report. NEW: also given to a new one. KEY: in
 * every message. Of one that exists nothing but the timeout can be changed. */
enum {
	KNOWN = CT_IN | CT_REPORT,
	NEW = KNOWN | CT_CREATE,
	KEY = NEW | CT_UPDATE | CT_DELETE | CT_GET,
};

/* clang-format off */
static const struct ct_row nat_rows[] = {
	[CTA_EXPECT_NAT_DIR] = FIELD(NEW, CT_BE32, EXP_N_NAT, struct exp_nat, dir),
	[CTA_EXPECT_NAT_TUPLE] = SIDE(NEW, nat_tuple, ct_tuple_table),
};
static const struct ct_table nat_table = TABLE(nat_rows);

static const struct ct_row message_rows[] = {
	[CTA_EXPECT_MASTER] = SIDE(NEW | CT_UPDATE, master, ct_tuple_table),
	[CTA_EXPECT_TUPLE] = SIDE(KEY, expected, ct_tuple_table),
	[CTA_EXPECT_MASK] = SIDE(NEW | CT_UPDATE, mask, ct_tuple_table),
	[CTA_EXPECT_TIMEOUT] = EXPECT(NEW | CT_UPDATE, CT_BE32, EXP_N_TIMEOUT, timeout_s),
	/* who names the id means this life of it only */
	[CTA_EXPECT_ID] = EXPECT(KNOWN | CT_DELETE | CT_GET, CT_BE32, EXP_N_ID, id),
	[CTA_EXPECT_HELP_NAME] = EXPECT(NEW, CT_HELPER, EXP_N_HELPER, helper),
	[CTA_EXPECT_ZONE] = EXPECT(KEY, CT_BE16, EXP_N_ZONE, zone),
	[CTA_EXPECT_FLAGS] = EXPECT(NEW, CT_BE32, EXP_N_FLAGS, flags),
	[CTA_EXPECT_CLASS] = EXPECT(NEW, CT_BE32, EXP_N_CLASS, class),
	[CTA_EXPECT_NAT] = SIDE(NEW, nat, nat_table),
	[CTA_EXPECT_FN] = EXPECT(NEW, CT_FUNCTION, EXP_N_FUNCTION, function),
};
/* clang-format on */

#undef FIELD
#undef EXPECT
#undef SIDE

const struct ct_table exp_message_table = TABLE(message_rows);
#undef TABLE
