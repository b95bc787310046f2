/* SPDX-License-Identifier: ISC */
#include "cli/show_expect.h"

enum { TEXT_MAX = 63 };

static const struct {
	uint32_t bit;
	const char *name;
} flags[] = {
	{ EXPECT_FLAG_PERMANENT, "PERMANENT" },
	{ EXPECT_FLAG_INACTIVE, "INACTIVE" },
	{ EXPECT_FLAG_USERSPACE, "USERSPACE" },
};

/* Ports, keys, or nothing, by the protocol. */
static void show_ports(uint8_t l4proto, const struct tuple *t, struct wr *out)
{
	switch (l4proto) {
	case L4_TCP:
	case L4_UDP:
	case L4_DCCP:
	case L4_SCTP:
	case L4_UDPLITE:
		wr_printf(out, " sport=%u dport=%u", t->sport, t->dport);
		break;
	case L4_GRE:
		wr_printf(out, " srckey=0x%x dstkey=0x%x", t->sport, t->dport);
		break;
	default:
		break;
	}
}

static void show_tuple(const struct expect *e, const char *label,
		       uint8_t l4proto, const struct tuple *t, struct wr *out)
{
	char src[ADDR_TEXT_SIZE], dst[ADDR_TEXT_SIZE];

	wr_printf(out, " %ssrc=%s %sdst=%s", label,
		  addr_text((enum family)e->family, &t->src, src), label,
		  addr_text((enum family)e->family, &t->dst, dst));
	show_ports(l4proto, t, out);
}

static void show_flags(const struct expect *e, struct wr *out)
{
	char before = ' ';

	for (size_t i = 0; i < N_ELEMENTS(flags); i++) {
		if (!(e->has & EXPECT_FLAGS && e->flags & flags[i].bit))
			continue;
		wr_printf(out, "%c%s", before, flags[i].name);
		before = ',';
	}
}

static void show_helper(const char *name, struct wr *out)
{
	wr_printf(out, " helper=");
	for (size_t i = 0; i < TEXT_MAX && name[i]; i++) {
		uint8_t c = (uint8_t)name[i];

		wr_u8(out, c <= ' ' || c == 0x7f ? '?' : c);
	}
}

void show_expect(const struct expect_view *v, struct wr *out)
{
	const struct expect *e = v->expect;

	wr_printf(out, "proto=%u", e->l4proto);
	show_tuple(e, "", e->l4proto, &e->expected, out);
	show_tuple(e, "mask-", e->l4proto, &e->mask, out);
	show_tuple(e, "master-", e->master_l4proto, &e->master, out);
	if (e->zone)
		wr_printf(out, " zone=%u", e->zone);
	show_flags(e, out);
	if (e->has & EXPECT_CLASS)
		wr_printf(out, " class=%u", e->class);
	if (v->helper)
		show_helper(v->helper, out);
	if (v->parts & SHOW_EXPIRES)
		wr_printf(out, " [expires in %us]", v->expires_s);
	if (v->parts & SHOW_AGE)
		wr_printf(out, " [active since %us]", v->age_s);
}
