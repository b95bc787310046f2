/* SPDX-License-Identifier: ISC */
#include "expect_text.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "random_flow.h"

static void put_tuple(struct wr *w, uint8_t family, const struct tuple *t)
{
	char src[ADDR_TEXT_SIZE], dst[ADDR_TEXT_SIZE];

	wr_printf(w, " %s:%u>%s:%u",
		  addr_text((enum family)family, &t->src, src), t->sport,
		  addr_text((enum family)family, &t->dst, dst), t->dport);
}

const char *expect_text(const struct expect *e, const struct names *helpers,
			const struct names *functions,
			char out[EXPECT_TEXT_SIZE])
{
	struct wr w = { (uint8_t *)out, EXPECT_TEXT_SIZE - 1, 0, false };

	wr_printf(&w, "proto %u", e->l4proto);
	put_tuple(&w, e->family, &e->expected);
	wr_printf(&w, " mask");
	put_tuple(&w, e->family, &e->mask);
	wr_printf(&w, " master %u", e->master_l4proto);
	put_tuple(&w, e->family, &e->master);
	if (e->zone)
		wr_printf(&w, " zone %u", e->zone);
	if (e->has & EXPECT_TIMEOUT)
		wr_printf(&w, " timeout %u", e->timeout_s);
	if (e->has & EXPECT_FLAGS)
		wr_printf(&w, " flags %u", e->flags);
	if (e->has & EXPECT_CLASS)
		wr_printf(&w, " class %u", e->class);
	if (e->has & EXPECT_NAT) {
		wr_printf(&w, " nat %u %u", e->nat_dir, e->nat_l4proto);
		put_tuple(&w, e->family, &e->nat);
	}
	if (e->has & EXPECT_HELPER)
		wr_printf(&w, " helper %s", names_text(helpers, e->helper));
	if (e->has & EXPECT_FUNCTION)
		wr_printf(&w, " function %s",
			  names_text(functions, e->function));
	if (e->has & EXPECT_ID)
		wr_printf(&w, " id %#x", e->id);
	assert(!w.full);
	out[w.used] = 0;
	return out;
}

static void random_bytes(uint64_t *seed, void *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = (uint8_t)random_next(seed);
}

static void random_tuple(struct tuple *t, uint64_t *seed, enum family family)
{
	random_bytes(seed, &t->src, addr_size(family));
	random_bytes(seed, &t->dst, addr_size(family));
	t->sport = (uint16_t)random_next(seed);
	t->dport = (uint16_t)random_next(seed);
}

void random_expect(struct expect *e, uint64_t *seed, enum family family,
		   uint32_t has)
{
	static const uint8_t protocols[] = { L4_TCP, L4_UDP, L4_SCTP, L4_DCCP };

	memset(e, 0, sizeof(*e));
	e->has = has;
	e->family = (uint8_t)family;
	e->master_l4proto = protocols[random_next(seed) % 4];
	e->l4proto = random_next(seed) % 4 ? e->master_l4proto : L4_GRE;
	e->zone = random_next(seed) % 2 ? (uint16_t)random_next(seed) : 0;
	random_tuple(&e->master, seed, family);
	random_tuple(&e->expected, seed, family);
	random_tuple(&e->mask, seed, family);
	if (has & EXPECT_TIMEOUT)
		e->timeout_s = (uint32_t)random_next(seed);
	if (has & EXPECT_FLAGS)
		e->flags = random_next(seed) % 8;
	if (has & EXPECT_CLASS)
		e->class = (uint32_t)random_next(seed);
	if (has & EXPECT_NAT) {
		random_tuple(&e->nat, seed, family);
		e->nat_l4proto = e->l4proto;
		e->nat_dir = random_next(seed) % 2;
	}
	if (has & EXPECT_HELPER)
		e->helper = 1 + random_next(seed) % 4;
	if (has & EXPECT_FUNCTION)
		e->function = 1 + random_next(seed) % 4;
	if (has & EXPECT_ID)
		e->id = (uint32_t)random_next(seed);
}
