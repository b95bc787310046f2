/* SPDX-License-Identifier: ISC */
#include "forge.h"

#include <assert.h>
#include <string.h>

struct forged *forge_open(void)
{
	static struct forged d;

	d.w = (struct wr){ .buf = d.bytes, .size = sizeof(d.bytes) };
	return &d;
}

static void end(struct forged *d, size_t at)
{
	bool fits = wire_end(&d->w, at);

	assert(fits);
	(void)fits;
}

void forge_alive(struct forged *d, uint32_t seq)
{
	end(d, wire_begin(&d->w, MSG_CTL, MSG_ALIVE, seq));
}

void forge_range(struct forged *d, uint8_t flags, uint32_t seq, uint32_t from,
		 uint32_t to)
{
	size_t at = wire_begin(&d->w, MSG_CTL, flags, seq);

	wr_be32(&d->w, from);
	wr_be32(&d->w, to);
	end(d, at);
}

void forge_announcement(struct forged *d, uint32_t seq, uint64_t node,
			const struct ext_record *records, int n)
{
	size_t at = wire_begin(&d->w, MSG_CTL, MSG_ALIVE, seq);
	struct ext_record name = { .type = EXT_STABLE_NAME };

	memcpy(name.name, &node, sizeof(node));
	ext_begin(&d->w, EXT_CAP_ADDRESSED_ACK | EXT_CAP_WHOLE_UPDATES, node);
	if (!n || records[0].type != EXT_STABLE_NAME)
		ext_add(&d->w, &name);
	for (int i = 0; i < n; i++)
		ext_add(&d->w, &records[i]);
	end(d, at);
}

void forge_say(struct sim *s, int from, int to, const struct forged *d)
{
	sim_forge(s, from, to, d->bytes, d->w.used);
}

void forge_carry(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	struct forge_way *w = ctx;

	if (w->is_open && w->is_both_ways && from == w->to)
		sim_forge(w->s, w->to, w->from, bytes, len);
	if (!w->is_open || from != w->from)
		return;
	if (w->n_lost > 0)
		w->n_lost--;
	else
		sim_forge(w->s, w->as, w->to, bytes, len);
}

uint32_t forge_n_external(const struct sim *s, int node)
{
	return flow_cache_stats(s->nodes[node].external_cache)->n_active;
}

struct engine_stats forge_stats(const struct sim *s, int node)
{
	struct engine_stats out;

	s->nodes[node].engine->ops->stats(s->nodes[node].engine, &out);
	return out;
}
