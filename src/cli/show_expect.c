/* SPDX-License-Identifier: ISC */
#include "cli/show_expect.h"

static void show_flags(uint32_t flags, struct wr *out)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} names[] = {
		{ EXPECT_FLAG_PERMANENT, "PERMANENT" },
		{ EXPECT_FLAG_INACTIVE, "INACTIVE" },
		{ EXPECT_FLAG_USERSPACE, "USERSPACE" },
	};
	char before = ' ';

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		if (!(flags & names[i].flag))
			continue;
		wr_printf(out, "%c%s", before, names[i].text);
		before = ',';
	}
}

void show_expect(const struct expect_view *v, struct wr *out)
{
	const struct expect *e = v->expect;

	wr_printf(out, "proto=%u", e->l4proto);
	show_tuple("", e->family, e->l4proto, &e->expected, out);
	show_tuple("mask-", e->family, e->l4proto, &e->mask, out);
	show_tuple("master-", e->family, e->master_l4proto, &e->master, out);
	if (e->zone)
		wr_printf(out, " zone=%u", e->zone);
	if (e->has & EXPECT_FLAGS)
		show_flags(e->flags, out);
	if (e->has & EXPECT_CLASS)
		wr_printf(out, " class=%u", e->class);
	if (e->has & EXPECT_HELPER && v->helper)
		show_text("helper", v->helper, out);
	if (v->parts & SHOW_EXPIRES)
		wr_printf(out, " [expires in %us]", v->expires_s);
	if (v->parts & SHOW_AGE)
		wr_printf(out, " [active since %us]", v->age_s);
}
