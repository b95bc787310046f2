/* SPDX-License-Identifier: ISC */
#include "base/expect.h"

static bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	return addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst) &&
	       a->sport == b->sport && a->dport == b->dport;
}

bool expect_same_key(const struct expect *a, const struct expect *b)
{
	return a->family == b->family && a->zone == b->zone &&
	       a->master_l4proto == b->master_l4proto &&
	       a->l4proto == b->l4proto && same_tuple(&a->master, &b->master) &&
	       same_tuple(&a->expected, &b->expected) &&
	       same_tuple(&a->mask, &b->mask);
}

struct flow expect_master(const struct expect *e)
{
	return (struct flow){
		.has = FLOW_PORTS,
		.family = e->family,
		.l4proto = e->master_l4proto,
		.zone = e->zone,
		.orig = e->master,
	};
}
