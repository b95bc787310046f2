/* SPDX-License-Identifier: ISC */
#include "sync/wire_expect.h"

#include "sync/tlv.h"
#include "sync/wire_attr.h"

#define SEEN(type) (UINT32_C(1) << (type))

/* Attribute numbers. There are no others and never will be: a reference node
 * refuses a message with one that it does not know. */
enum nta_exp {
	NTA_EXP_MASTER_IPV4,
	NTA_EXP_MASTER_IPV6,
	NTA_EXP_MASTER_L4PROTO,
	NTA_EXP_MASTER_PORT,
	NTA_EXP_EXPECT_IPV4,
	NTA_EXP_EXPECT_IPV6,
	NTA_EXP_EXPECT_L4PROTO,
	NTA_EXP_EXPECT_PORT,
	NTA_EXP_MASK_IPV4,
	NTA_EXP_MASK_IPV6,
	NTA_EXP_MASK_L4PROTO,
	NTA_EXP_MASK_PORT,
	NTA_EXP_TIMEOUT,
	NTA_EXP_FLAGS,
	NTA_EXP_CLASS,
	NTA_EXP_NAT_IPV4,
	NTA_EXP_NAT_PORT,
	NTA_EXP_NAT_L4PROTO,
	NTA_EXP_NAT_DIR,
	NTA_EXP_HELPER_NAME,
	NTA_EXP_FN,
	NTA_EXP_N
};

enum {
	HELPER_SIZE_MAX = 12, /* with the zero byte; refused if longer */
	FN_SIZE_MAX = 28,
	NAT6_PART = 8, /* bytes of an address behind a function's name */
	NAT6_PARTS = 2,
	/* Behind the last attribute: no receiver takes so few bytes for one. */
	TAIL_LEN = 4,
	TAIL_ZONE = 0x7a6e, /* "zn"; then the zone */
};

/* What a message holds in another shape than struct expect. */
struct message {
	struct expect e;
	uint8_t mask_l4proto;
	uint32_t nat_dir;
	uint8_t nat6[NAT6_PARTS * NAT6_PART]; /* e.nat.src of IPv6 */
	size_t n_nat6;                        /* bytes of it that have come */
};

struct row {
	uint32_t bit;   /* EXPECT_* bit without which it is not sent */
	uint8_t family; /* of its addresses; FAMILY_NONE: it has none */
	bool is_port;   /* sent if the master's protocol has ports */
	struct wire_member members[WIRE_MEMBERS_MAX];
};

#define AT(field) \
	offsetof(struct message, field), sizeof(((struct message *)0)->field)
#define ADDRS(needs_bit, fam, kind, from, to)                     \
	{                                                         \
		.bit = (needs_bit), .family = (fam), .members = { \
			{ (kind), AT(from) },                     \
			{ (kind), AT(to) }                        \
		}                                                 \
	}
#define PORTS(needs_bit, from, to)                                \
	{                                                         \
		.bit = (needs_bit), .is_port = true, .members = { \
			{ WIRE_BE16, AT(from) },                  \
			{ WIRE_BE16, AT(to) }                     \
		}                                                 \
	}
#define ONE(needs_bit, kind, field)                                      \
	{                                                                \
		.bit = (needs_bit), .members = { { (kind), AT(field) } } \
	}

/* clang-format off */
static const struct row rows[NTA_EXP_N] = {
	[NTA_EXP_MASTER_IPV4] = ADDRS(0, FAMILY_IPV4, WIRE_ADDR4,
		e.master.src, e.master.dst),
	[NTA_EXP_MASTER_IPV6] = ADDRS(0, FAMILY_IPV6, WIRE_ADDR16,
		e.master.src, e.master.dst),
	[NTA_EXP_MASTER_L4PROTO] = ONE(0, WIRE_U8, e.master_l4proto),
	[NTA_EXP_MASTER_PORT] = PORTS(0, e.master.sport, e.master.dport),
	[NTA_EXP_EXPECT_IPV4] = ADDRS(0, FAMILY_IPV4, WIRE_ADDR4,
		e.expected.src, e.expected.dst),
	[NTA_EXP_EXPECT_IPV6] = ADDRS(0, FAMILY_IPV6, WIRE_ADDR16,
		e.expected.src, e.expected.dst),
	[NTA_EXP_EXPECT_L4PROTO] = ONE(0, WIRE_U8, e.l4proto),
	[NTA_EXP_EXPECT_PORT] = PORTS(0, e.expected.sport, e.expected.dport),
	[NTA_EXP_MASK_IPV4] = ADDRS(0, FAMILY_IPV4, WIRE_ADDR4,
		e.mask.src, e.mask.dst),
	[NTA_EXP_MASK_IPV6] = ADDRS(0, FAMILY_IPV6, WIRE_ADDR16,
		e.mask.src, e.mask.dst),
	[NTA_EXP_MASK_L4PROTO] = ONE(0, WIRE_U8, mask_l4proto),
	[NTA_EXP_MASK_PORT] = PORTS(0, e.mask.sport, e.mask.dport),
	[NTA_EXP_TIMEOUT] = ONE(EXPECT_TIMEOUT, WIRE_BE32, e.timeout_s),
	[NTA_EXP_FLAGS] = ONE(EXPECT_FLAGS, WIRE_BE32, e.flags),
	[NTA_EXP_CLASS] = ONE(EXPECT_CLASS, WIRE_BE32, e.class),
	[NTA_EXP_NAT_IPV4] = ADDRS(EXPECT_NAT, FAMILY_IPV4, WIRE_ADDR4,
		e.nat.src, e.nat.dst),
	[NTA_EXP_NAT_PORT] = PORTS(EXPECT_NAT, e.nat.sport, e.nat.dport),
	[NTA_EXP_NAT_L4PROTO] = ONE(EXPECT_NAT, WIRE_U8, e.nat_l4proto),
	[NTA_EXP_NAT_DIR] = ONE(EXPECT_NAT, WIRE_BE32, nat_dir),
	/* names: see put_helper(), put_function() */
};

/* The order of sending; names follow. */
static const uint8_t order[] = {
	NTA_EXP_MASTER_IPV4, NTA_EXP_MASTER_IPV6, NTA_EXP_MASTER_L4PROTO,
	NTA_EXP_MASTER_PORT,
	NTA_EXP_EXPECT_IPV4, NTA_EXP_EXPECT_IPV6, NTA_EXP_EXPECT_L4PROTO,
	NTA_EXP_EXPECT_PORT,
	NTA_EXP_MASK_IPV4, NTA_EXP_MASK_IPV6, NTA_EXP_MASK_L4PROTO,
	NTA_EXP_MASK_PORT,
	NTA_EXP_TIMEOUT, NTA_EXP_FLAGS, NTA_EXP_CLASS,
	NTA_EXP_NAT_IPV4, NTA_EXP_NAT_L4PROTO, NTA_EXP_NAT_PORT,
	NTA_EXP_NAT_DIR,
};
/* clang-format on */
#undef AT
#undef ADDRS
#undef PORTS
#undef ONE

/* The id of a name in its table, 0 if it cannot be kept; *rest is what follows
 * its zero byte. False for an empty or endless name, which a careless receiver
 * would read beyond its end, so that no sender may make it. */
static bool read_name(struct rd body, size_t size_max, struct names *names,
		      uint16_t *id, struct rd *rest)
{
	const char *name = (const char *)body.at;
	const char *end = body.left ? memchr(name, 0, body.left) : NULL;
	size_t len = end ? (size_t)(end - name) : 0;

	*rest = body;
	if (len == 0 || body.left > size_max || !rd_skip(rest, len + 1))
		return false;
	*id = names ? names_intern(names, name, len) : 0;
	return true;
}

static bool read_helper(struct rd body, const struct wire_flow_opts *opts,
			struct expect *e)
{
	struct rd rest;

	if (!read_name(body, HELPER_SIZE_MAX, opts->helpers, &e->helper, &rest))
		return false;
	if (e->helper)
		e->has |= EXPECT_HELPER;
	return true;
}

static bool read_function(struct rd body, const struct wire_flow_opts *opts,
			  struct message *m)
{
	struct rd rest;

	if (!read_name(body, FN_SIZE_MAX, opts->functions, &m->e.function,
		       &rest))
		return false;
	if (m->e.function)
		m->e.has |= EXPECT_FUNCTION;
	if (rest.left == NAT6_PART && m->n_nat6 < sizeof(m->nat6)) {
		memcpy(m->nat6 + m->n_nat6, rest.at, NAT6_PART);
		m->n_nat6 += NAT6_PART;
	}
	return true;
}

static bool read_attr(const struct tlv *t, const struct wire_flow_opts *opts,
		      struct message *m)
{
	const struct row *row = &rows[t->type];
	struct expect *e = &m->e;

	if (t->type == NTA_EXP_HELPER_NAME)
		return read_helper(t->body, opts, e);
	if (t->type == NTA_EXP_FN)
		return read_function(t->body, opts, m);
	if (!wire_members_read(row->members, t->body, m))
		return false;
	if (row->family == FAMILY_NONE)
		return true;
	if (e->family != FAMILY_NONE && e->family != row->family)
		return false;
	e->family = row->family;
	return true;
}

/* Reads all attributes, of which the last of several equal ones wins, and what
 * stands behind them. *seen tells which there were. */
static bool read_attrs(struct rd attrs, const struct wire_flow_opts *opts,
		       struct message *m, uint32_t *seen)
{
	enum tlv_step step;
	struct tlv t;
	struct rd tail = attrs;
	uint16_t mark;

	*seen = 0;
	while ((step = tlv_next(&attrs, &t)) == TLV_ITEM) {
		if (t.type >= NTA_EXP_N || !read_attr(&t, opts, m))
			return false;
		*seen |= SEEN(t.type);
		tail = attrs;
	}
	if (tail.left == TAIL_LEN && rd_be16(&tail, &mark) &&
	    mark == TAIL_ZONE && !rd_be16(&tail, &m->e.zone))
		return false;
	return step == TLV_END;
}

/* True if all attributes of this set, or their like for IPv6, were seen. */
static bool has_key(uint32_t seen)
{
	const uint32_t addrs = SEEN(NTA_EXP_MASTER_IPV4) |
			       SEEN(NTA_EXP_EXPECT_IPV4) |
			       SEEN(NTA_EXP_MASK_IPV4);
	const uint32_t protos =
		SEEN(NTA_EXP_MASTER_L4PROTO) | SEEN(NTA_EXP_EXPECT_L4PROTO);

	return ((seen & addrs) == addrs || (seen >> 1 & addrs) == addrs) &&
	       (seen & protos) == protos;
}
_Static_assert(NTA_EXP_MASTER_IPV6 == NTA_EXP_MASTER_IPV4 + 1 &&
		       NTA_EXP_EXPECT_IPV6 == NTA_EXP_EXPECT_IPV4 + 1 &&
		       NTA_EXP_MASK_IPV6 == NTA_EXP_MASK_IPV4 + 1,
	       "the numbers of IPv6 are the next ones");

enum verdict wire_expect_decode(struct rd attrs,
				const struct wire_flow_opts *opts,
				struct expect *out)
{
	const uint32_t nat = SEEN(NTA_EXP_NAT_L4PROTO) | SEEN(NTA_EXP_NAT_DIR);
	struct message m = { 0 };
	uint32_t seen;

	if (!read_attrs(attrs, opts, &m, &seen) || !has_key(seen))
		return VERDICT_BAD_PAYLOAD;
	for (int type = NTA_EXP_TIMEOUT; type <= NTA_EXP_CLASS; type++)
		if (seen & SEEN(type))
			m.e.has |= rows[type].bit;
	if ((seen & nat) == nat) {
		m.e.has |= EXPECT_NAT;
		m.e.nat_dir = m.nat_dir != 0;
		if (m.e.family == FAMILY_IPV6 && m.n_nat6 == sizeof(m.nat6))
			memcpy(m.e.nat.src.b, m.nat6, sizeof(m.nat6));
	}
	*out = m.e;
	return VERDICT_OK;
}

static void put_name(struct wr *w, uint16_t type, const char *name,
		     const uint8_t *behind, size_t n_behind)
{
	size_t len = strlen(name) + 1;

	tlv_header(w, type, len + n_behind);
	wr_bytes(w, name, len);
	wr_bytes(w, behind, n_behind);
	tlv_pad(w, len + n_behind);
}

static void put_helper(struct wr *w, const struct wire_flow_opts *opts,
		       const struct expect *e)
{
	const char *name =
		opts->helpers ? names_text(opts->helpers, e->helper) : "";

	if (*name && strlen(name) < HELPER_SIZE_MAX)
		put_name(w, NTA_EXP_HELPER_NAME, name, NULL, 0);
}

/* There is no attribute for the NAT address of IPv6, and nothing but the
 * function needs it: it goes in two parts behind the function's name, which is
 * sent twice. */
static void put_function(struct wr *w, const struct wire_flow_opts *opts,
			 const struct expect *e)
{
	static const struct addr none;
	const char *name =
		opts->functions ? names_text(opts->functions, e->function) : "";
	size_t len = strlen(name);
	bool has_nat6 = e->has & EXPECT_NAT && e->family == FAMILY_IPV6 &&
			!addr_equal(&e->nat.src, &none);

	if (len == 0 || len >= FN_SIZE_MAX)
		return;
	if (!has_nat6 || len + NAT6_PART >= FN_SIZE_MAX) {
		put_name(w, NTA_EXP_FN, name, NULL, 0);
		return;
	}
	for (size_t i = 0; i < NAT6_PARTS; i++)
		put_name(w, NTA_EXP_FN, name, e->nat.src.b + i * NAT6_PART,
			 NAT6_PART);
}

static bool is_sent(uint8_t type, const struct message *m, uint32_t has)
{
	const struct row *row = &rows[type];
	const uint8_t ported = m->e.master_l4proto;

	return (row->bit & ~has) == 0 &&
	       (row->family == FAMILY_NONE || row->family == m->e.family) &&
	       (!row->is_port || ported == L4_TCP || ported == L4_UDP ||
		ported == L4_SCTP || ported == L4_DCCP);
}

void wire_expect_encode(struct wr *w, const struct wire_flow_opts *opts,
			const struct expect *e)
{
	struct message m = { .e = *e,
			     .mask_l4proto = e->l4proto,
			     .nat_dir = e->nat_dir };
	uint32_t has = e->has | EXPECT_FLAGS; /* always sent */

	if (!(e->has & EXPECT_FLAGS))
		m.e.flags = 0;
	if (!opts->send_timeout)
		has &= ~(uint32_t)EXPECT_TIMEOUT;
	for (size_t i = 0; i < N_ELEMENTS(order); i++)
		if (is_sent(order[i], &m, has))
			wire_members_write(w, order[i], rows[order[i]].members,
					   &m);
	if (has & EXPECT_HELPER)
		put_helper(w, opts, e);
	if (has & EXPECT_FUNCTION)
		put_function(w, opts, e);
	if (e->zone) {
		wr_be16(w, TAIL_ZONE);
		wr_be16(w, e->zone);
	}
}
