/* SPDX-License-Identifier: ISC */
/* fuzz_notrack.c - the world of a NOTRACK node, which holds nothing. */
#include "sync/mode.h"
#include "sync/notrack_state.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_nothing_is_held(const struct lives *l)
{
	const struct store_stats *c = flow_cache_stats(l->o.cache);

	assert(!ring_used(&l->outbox.ring) && !l->outbox.kept.n);
	assert(c->n_entries - c->n_active <= l->outbox.dirty.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .mode = mode_notrack,
			   .capability = EXT_CAP_WANTS,
			   .in = { data, size } };

	open_world(&w, byte(&w));
	while (w.in.left) {
		const struct lives *l =
			&CONTAINER_OF(w.engine, struct notrack, base)->l;

		one_step(&w);
		check(&w, l);
		check_nothing_is_held(l);
	}
	close_world(&w);
	return 0;
}
