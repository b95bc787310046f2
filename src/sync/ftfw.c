/* SPDX-License-Identifier: ISC */
#include "sync/ftfw.h"

#include <assert.h>
#include <stdlib.h>

#include "sync/ftfw_state.h"
#include "sync/seq.h"

static struct ftfw *ftfw_of(struct engine *e)
{
	return CONTAINER_OF(e, struct ftfw, base);
}

/* ---- the engine's ------------------------------------------------------- */

static void ftfw_touch(struct engine *e, struct ref entry, enum touch how)
{
	outbox_touch(&ftfw_of(e)->l.outbox, entry.id, how);
}

static void ftfw_ask(struct engine *e, enum ask what)
{
	struct ftfw *f = ftfw_of(e);

	switch (what) {
	case ASK_BULK:
		bulk_want_all(&f->l.bulk);
		break;
	case ASK_RESYNC:
		intake_ask(&f->l.intake, &f->l.roster);
		break;
	}
}

static void ftfw_link_changed(struct engine *e)
{
	ftfw_of(e)->l.must_announce = true;
}

static void ftfw_connected(struct engine *e)
{
	struct ftfw *f = ftfw_of(e);

	f->l.must_announce = true;
	outbox_lost_all(&f->l.outbox);
}

static void ftfw_stats(struct engine *e, struct engine_stats *out)
{
	const struct ftfw *f = ftfw_of(e);

	lives_stats(&f->l, out);
	out->n_foreign = f->n_foreign;
	out->holds = true;
}

static void ftfw_peer_stats(struct engine *e, uint8_t number,
			    struct engine_peer_stats *out)
{
	const struct outbox_peer *p = &ftfw_of(e)->l.outbox.peers[number];

	*out = (struct engine_peer_stats){ p->n_debts, p->rtt_ms };
}

static bool ftfw_held(struct engine *e, struct engine_walk *walk,
		      struct engine_held *out)
{
	static const uint8_t flags[] = {
		[CTL_NACK] = MSG_NACK,
		[CTL_RESYNC] = MSG_RESYNC,
		[CTL_MARK] = MSG_ALIVE,
	};
	const struct outbox *b = &ftfw_of(e)->l.outbox;

	if (!walk->is_started || seq_before(walk->next, b->ring.first))
		walk->next = b->ring.first;
	walk->is_started = true;
	while (seq_before(walk->next, b->ring.next)) {
		uint32_t n = walk->next++;
		struct ring_ref ref = ring_at(&b->ring, n);

		if (ref.kind == RING_NONE)
			continue;
		*out = (struct engine_held){ .seq = n };
		if (ref.kind == RING_CTL) {
			out->is_control = true;
			out->flags = flags[ctl_at(&b->pool, ref.id)->kind];
		}
		return true;
	}
	return false;
}

static const struct roster *ftfw_peers(struct engine *e)
{
	return &ftfw_of(e)->l.roster;
}

static void ftfw_free(struct engine *e)
{
	struct ftfw *f = ftfw_of(e);

	lives_fini(&f->l);
	free(f);
}

static const struct engine_ops ftfw_ops = {
	.touch = ftfw_touch,
	.ask = ftfw_ask,
	.link_changed = ftfw_link_changed,
	.receive = ftfw_receive,
	.fill = ftfw_fill,
	.due_ms = ftfw_due_ms,
	.stats = ftfw_stats,
	.peer_stats = ftfw_peer_stats,
	.held = ftfw_held,
	.peers = ftfw_peers,
	.free = ftfw_free,
	.connected = ftfw_connected,
};

struct engine *ftfw_new(const struct lives_opts *o, uint32_t ack_window,
			int64_t now_ms)
{
	struct ftfw *f = calloc(1, sizeof(*f));

	assert(o->node != 0);
	if (!f)
		return NULL;
	f->base.ops = &ftfw_ops;
	if (lives_init(&f->l, o, now_ms) < 0) {
		free(f);
		return NULL;
	}
	f->ack_window = ack_window;
	hello_init(&f->hello, o->first_seq);
	f->called_ms = now_ms;
	f->started_ms = now_ms;
	return &f->base;
}
