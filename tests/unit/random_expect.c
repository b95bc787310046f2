/* SPDX-License-Identifier: ISC */
#include "random_expect.h"

#include <string.h>

#include "random_flow.h"

static void random_addr(struct addr *a, uint64_t *seed, size_t size)
{
	for (size_t i = 0; i < size; i++)
		a->b[i] = (uint8_t)random_next(seed);
}

static void random_tuple(struct tuple *t, uint64_t *seed, enum family family)
{
	random_addr(&t->src, seed, addr_size(family));
	random_addr(&t->dst, seed, addr_size(family));
	t->sport = (uint16_t)random_next(seed);
	t->dport = (uint16_t)random_next(seed);
}

void random_expect(struct expect *e, uint64_t *seed, enum family family,
		   uint32_t has, uint16_t n_names)
{
	memset(e, 0, sizeof(*e));
	e->has = has;
	e->family = (uint8_t)family;
	e->master_l4proto = random_next(seed) & 1 ? L4_TCP : L4_UDP;
	e->l4proto = random_next(seed) & 1 ? L4_TCP : L4_UDP;
	e->zone = random_next(seed) & 1 ? (uint16_t)random_next(seed) : 0;
	random_tuple(&e->master, seed, family);
	random_tuple(&e->expected, seed, family);
	random_tuple(&e->mask, seed, family);
	if (has & EXPECT_TIMEOUT)
		e->timeout_s = (uint32_t)random_next(seed);
	if (has & EXPECT_FLAGS)
		e->flags = (uint32_t)random_next(seed) & 7;
	if (has & EXPECT_CLASS)
		e->class = (uint32_t)random_next(seed);
	if (has & EXPECT_NAT) {
		random_tuple(&e->nat, seed, family);
		e->nat_l4proto = random_next(seed) & 1 ? L4_TCP : L4_UDP;
		e->nat_dir = random_next(seed) & 1;
	}
	if (has & EXPECT_HELPER)
		e->helper = (uint16_t)(random_next(seed) % n_names);
	if (has & EXPECT_FUNCTION)
		e->function = (uint16_t)(random_next(seed) % n_names);
	if (has & EXPECT_ID)
		e->id = (uint32_t)random_next(seed);
}
