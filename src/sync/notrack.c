/* SPDX-License-Identifier: ISC */
#include "sync/notrack.h"

#include <assert.h>
#include <stdlib.h>

#include "sync/notrack_state.h"

static struct notrack *notrack_of(struct engine *e)
{
	return CONTAINER_OF(e, struct notrack, base);
}

static void notrack_touch(struct engine *e, struct ref entry, enum touch how)
{
	outbox_touch(&notrack_of(e)->l.outbox, entry.id, how);
}

static void notrack_ask(struct engine *e, enum ask what)
{
	struct lives *l = &notrack_of(e)->l;

	switch (what) {
	case ASK_BULK:
		bulk_want_all(&l->bulk);
		break;
	case ASK_RESYNC:
		intake_ask(&l->intake, &l->roster);
		break;
	}
}

static void notrack_fetched(struct engine *e, bool is_complete)
{
	bulk_fetched(&notrack_of(e)->l.bulk, is_complete);
}

static void notrack_link_changed(struct engine *e)
{
	notrack_of(e)->l.must_announce = true;
}

/* Nodes of ours would see the gap and ask; a reference does neither. */
static void notrack_connected(struct engine *e)
{
	struct lives *l = &notrack_of(e)->l;
	const struct roster *r = &l->roster;

	l->must_announce = true;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (r->peers[i].is_live)
			bulk_want(&l->bulk, &r->peers[i]);
}

static void notrack_stats(struct engine *e, struct engine_stats *out)
{
	lives_stats(&notrack_of(e)->l, out);
}

static void notrack_peer_stats(struct engine *e, uint8_t number,
			       struct engine_peer_stats *out)
{
	(void)e;
	(void)number;
	*out = (struct engine_peer_stats){ 0 };
}

static bool notrack_held(struct engine *e, struct engine_walk *walk,
			 struct engine_held *out)
{
	(void)e;
	(void)walk;
	(void)out;
	return false;
}

static const struct roster *notrack_peers(struct engine *e)
{
	return &notrack_of(e)->l.roster;
}

static void notrack_free(struct engine *e)
{
	struct notrack *t = notrack_of(e);

	lives_fini(&t->l);
	free(t);
}

static const struct engine_ops notrack_ops = {
	.touch = notrack_touch,
	.ask = notrack_ask,
	.fetched = notrack_fetched,
	.link_changed = notrack_link_changed,
	.receive = notrack_receive,
	.fill = notrack_fill,
	.due_ms = notrack_due_ms,
	.stats = notrack_stats,
	.peer_stats = notrack_peer_stats,
	.held = notrack_held,
	.peers = notrack_peers,
	.free = notrack_free,
	.connected = notrack_connected,
};

struct engine *notrack_new(const struct lives_opts *o, int64_t now_ms)
{
	struct notrack *t = calloc(1, sizeof(*t));

	assert(o->node != 0);
	if (!t)
		return NULL;
	t->base.ops = &notrack_ops;
	if (lives_init(&t->l, o, now_ms) < 0) {
		free(t);
		return NULL;
	}
	t->told = o->first_seq - 1;
	pace_init(&t->pace, now_ms);
	t->called_ms = now_ms;
	t->started_ms = now_ms;
	return &t->base;
}
