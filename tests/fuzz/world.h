/* SPDX-License-Identifier: ISC */
/* world.h - bytes as what happens to a whole engine with its caches: flows
 * come, change and go, time passes, datagrams leave, and up to four places say
 * anything, in and out of order. Whatever it is, the engine's books balance: no
 * number, entry or control message is lost or held twice. A fuzz target is one
 * file, so these are its functions. */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/lives.h"
#include "sync/node.h"
#include "sync/seq.h"

enum { N_PLACES = 4, N_FLOWS = 64, LIMIT = 96, PAYLOAD = 300, MESSAGE = 512 };

static const uint64_t node_id = 0x1122334455667788;

struct world {
	node_engine_fn *mode;
	uint16_t capability; /* that peers of the mode say */
	struct node *node;
	struct engine *engine; /* of node, whose books are looked at */
	struct flow_cache *internal, *external_cache;
	uint32_t next_seq[N_PLACES];
	uint32_t sent; /* last number of ours that was seen to leave */
	int64_t now_ms;
	struct rd in;
};

static uint8_t byte(struct world *w)
{
	uint8_t b = 0;

	(void)!rd_u8(&w->in, &b);
	return b;
}

static struct engine *new_engine(const struct node_opts *opts,
				 const struct engine_sink *sink, int64_t now_ms)
{
	struct world *w = opts->ctx;

	w->engine = w->mode(opts, sink, now_ms);
	return w->engine;
}

static void open_world(struct world *w, uint8_t setup)
{
	const struct flow_cache_opts cache = { .first_size = 16,
					       .limit = LIMIT };
	struct node_opts o = {
		.wire = { .send_timeout = true },
		.resend_queue_size = setup & 1 ? 1 : 32,
		.ack_window = setup & 2 ? 1 : 4,
		.first_seq = setup & 4 ? UINT32_MAX - 20 : 1000,
		.node_id = node_id,
		.name = { 1 },
		.ctx = w,
	};

	w->now_ms = 1000;
	w->internal = flow_cache_new(&cache);
	w->external_cache = flow_cache_new(&cache);
	if (!w->internal || !w->external_cache)
		abort();
	o.internal = w->internal;
	o.external = w->external_cache;
	w->node = node_new(&o, new_engine, w->now_ms);
	if (!w->node)
		abort();
	w->sent = o.first_seq - 1;
}

static void close_world(struct world *w)
{
	node_free(w->node);
	flow_cache_free(w->internal);
	flow_cache_free(w->external_cache);
}

/* ---- the node's own side ---- */

static struct flow flow_of(uint8_t number)
{
	struct flow f = { .family = FAMILY_IPV4, .l4proto = L4_TCP };

	f.orig.src.b[0] = 10;
	f.orig.sport = number % N_FLOWS;
	f.has = FLOW_PORTS | FLOW_STATUS | FLOW_TIMEOUT | FLOW_MARK;
	f.timeout_s = 60;
	return f;
}

static void change_flow(struct world *w, bool is_update)
{
	struct flow f = flow_of(byte(w));
	struct ref ref = { OBJECT_FLOW, FLOW_CACHE_NO_ID };

	f.mark = is_update ? byte(w) : 0;
	switch (flow_cache_put(w->internal, &f,
			       is_update ? PUT_MERGE : PUT_REPLACE,
			       (uint32_t)(w->now_ms / 1000), &ref.id)) {
	case PUT_NEW:
	case PUT_CHANGED:
		node_touch(w->node, ref, TOUCH_SEND);
		break;
	case PUT_SAME:
	case PUT_OTHER:
	case PUT_NO_SPACE:
	case PUT_NO_MEMORY:
		break;
	}
}

static void end_flow(struct world *w, bool is_flush)
{
	struct flow f = flow_of(byte(w));
	struct ref ref = { OBJECT_FLOW, flow_cache_find(w->internal, &f) };

	if (ref.id == FLOW_CACHE_NO_ID)
		return;
	if (is_flush) {
		flow_cache_remove(w->internal, ref.id);
	} else {
		flow_cache_kill(w->internal, ref.id);
		node_touch(w->node, ref, TOUCH_SEND);
	}
}

/* Returns the number of messages. */
static unsigned int note_sent(struct world *w, struct rd dgram)
{
	unsigned int n = 0;
	enum verdict why;
	struct msg m;

	for (; dgram.left; n++) {
		assert(wire_next(&dgram, &m, &why) == WIRE_MSG);
		assert(m.seq == w->sent + 1);
		w->sent = m.seq;
	}
	return n;
}

static void fill(struct world *w)
{
	enum fill done = FILL_FULL;

	for (int i = byte(w) % 16; i >= 0 && done == FILL_FULL; i--) {
		uint8_t bytes[2 * PAYLOAD];
		struct wr out = { .buf = bytes, .size = sizeof(bytes) };
		unsigned int n;

		done = node_fill(w->node, &out, PAYLOAD, w->now_ms);
		n = note_sent(w, (struct rd){ bytes, out.used });
		/* what is larger than the room goes alone */
		assert(!out.full && (out.used <= PAYLOAD || n == 1));
		assert(out.used || done != FILL_SOME);
	}
	assert(node_due_ms(w->node) <= w->now_ms + 1000);
}

/* ---- what the places say ---- */

static void hear(struct world *w, unsigned int place, struct rd dgram)
{
	struct peer_addr from = { .family = FAMILY_IPV4, .link = 0 };

	from.addr.b[3] = (uint8_t)place;
	(void)node_receive(w->node, &from, dgram, w->now_ms);
}

static uint32_t number(struct world *w, unsigned int place)
{
	uint8_t how = byte(w);
	uint32_t seq = w->next_seq[place];

	if (how < 160)
		;
	else if (how < 250)
		seq += (uint32_t)(int32_t)(int8_t)byte(w);
	else
		seq = (uint32_t)byte(w) << 24 | (uint32_t)byte(w) << 12;
	w->next_seq[place] = seq + 1;
	return seq;
}

static void add_range(struct world *w, struct wr *out)
{
	uint32_t to = w->sent + 2 - byte(w);

	wr_be32(out, to - byte(w));
	wr_be32(out, to);
}

static uint64_t id_of_place(unsigned int place, uint8_t life)
{
	return (uint64_t)(place + 1) << 8 | (life & 3) | 0x10;
}

static void add_records(struct world *w, struct wr *out)
{
	for (int n = byte(w) % 4; n > 0; n--) {
		uint8_t kind = byte(w);
		struct ext_record r = { .type = EXT_BULK_MARK };

		if (kind % 4 < 2) {
			struct wr range;
			uint8_t bytes[8];
			struct rd rd = { bytes, sizeof(bytes) };

			range = (struct wr){ .buf = bytes,
					     .size = sizeof(bytes) };
			add_range(w, &range);
			r.type = kind % 4 ? EXT_ACK : EXT_NACK;
			r.range.node = kind & 128 ? 5 : node_id;
			(void)!rd_be32(&rd, &r.range.from);
			(void)!rd_be32(&rd, &r.range.to);
		} else if (kind % 4 == 2) {
			r.mark.node = kind & 128 ? 0 : node_id;
			r.mark.phase =
				kind & 64 ? EXT_BULK_END : EXT_BULK_BEGIN;
			r.mark.walk = kind >> 3 & 3;
		} else if (kind & 8) {
			r.type = EXT_STABLE_NAME;
			memset(r.name, kind >> 4 & 3, sizeof(r.name));
		} else if (kind & 16) {
			r.type = kind & 4 ? EXT_WANT : EXT_ASK;
			r.asked = kind & 128 ? 5 : node_id;
		} else {
			r.type = kind & 4 ? EXT_TOLD : EXT_HELD;
			r.oldest = number(w, kind >> 5 & 3);
		}
		ext_add(out, &r);
	}
}

/* A message that makes sense on its face. */
static void say(struct world *w, unsigned int place)
{
	static const uint8_t flags[] = { MSG_ACK, MSG_NACK, MSG_RESYNC,
					 MSG_ALIVE };
	uint8_t bytes[MESSAGE], what = byte(w);
	struct wr out = { .buf = bytes, .size = sizeof(bytes) };
	uint8_t hello = what & (MSG_HELLO | MSG_HELLO_BACK);
	uint32_t seq = number(w, place);
	size_t at;

	if (what & 8) {
		const struct wire_flow_opts opts = { .send_timeout = true };
		struct flow f = flow_of(byte(w));

		at = wire_begin(&out, what % 3, hello, seq);
		wire_flow_encode(&out, &opts, &f);
	} else {
		at = wire_begin(&out, MSG_CTL, flags[what & 3] | hello, seq);
		if ((what & 3) < 3) {
			add_range(w, &out);
		} else if (what & 4) {
			ext_begin(&out, what >> 7 ? w->capability : 0,
				  id_of_place(place, byte(w)));
			add_records(w, &out);
		}
	}
	assert(wire_end(&out, at));
	hear(w, place, (struct rd){ bytes, out.used });
}

static void say_bytes(struct world *w, unsigned int place)
{
	struct rd dgram;
	uint8_t *exact;
	size_t n = byte(w);

	if (n > w->in.left)
		n = w->in.left;
	(void)!rd_take(&w->in, n, &dgram);
	exact = calloc(1, n + !n);
	if (!exact)
		abort();
	memcpy(exact, dgram.at, n);
	hear(w, place, (struct rd){ exact, n });
	free(exact);
}

/* ---- the books ---- */

static uint32_t chain(const struct outbox *b, uint32_t first)
{
	uint32_t n = 0;

	for (uint32_t id = first; id; id = ctl_at(&b->pool, id)->next) {
		assert(id < b->pool.n_all);
		n++;
	}
	return n;
}

static void check_controls(const struct outbox *b)
{
	uint32_t n = chain(b, b->plain.first) + chain(b, b->marks.first);

	assert(n == b->plain.n + b->marks.n);
	n += chain(b, b->pool.first_free);
	for (uint32_t k = b->ring.first; k != b->ring.next; k++) {
		struct ring_ref ref = ring_at(&b->ring, k);

		if (ref.kind == RING_CTL)
			n += chain(b, ref.id);
	}
	assert(n + (b->pool.n_all != 0) == b->pool.n_all);
}

static void check_entries(const struct lives *l)
{
	const struct outbox *b = &l->outbox;
	uint32_t id = FLOW_CACHE_NO_ID, queued = 0, reprove = 0, kept = 0;

	while ((id = flow_cache_next(l->o.cache, id)) != FLOW_CACHE_NO_ID) {
		const struct entry_head *h = flow_cache_head(l->o.cache, id);
		struct ring_ref ref;

		if (h->state == ENTRY_FREE)
			continue;
		queued += (h->outbox & OUTBOX_QUEUED) != 0;
		kept += (h->outbox & OUTBOX_KEPT) != 0;
		reprove += (h->bulk & BULK_REPROVE) != 0;
		ref = ring_at(&b->ring, h->last_seq);
		/* a dead one is on its way to somebody, or it stays for ever */
		assert(h->state != ENTRY_DEAD ||
		       (h->outbox & (OUTBOX_QUEUED | OUTBOX_KEPT)) ||
		       ((h->outbox & OUTBOX_SENT) && ref.kind == RING_FLOW &&
			ref.id == id));
	}
	assert(queued == b->dirty.n);
	assert(kept == b->kept.n);
	assert(reprove == l->bulk.n_reprove);
}

/* What the peers owe is counted where it is held. */
static void check_debts(const struct outbox *b)
{
	uint32_t n[PEER_MAX] = { 0 };

	for (uint32_t k = b->ring.first; k != b->ring.next; k++)
		for (uint64_t set = ring_debtors(&b->ring, k); set;
		     set &= set - 1)
			n[__builtin_ctzll(set)]++;
	for (int i = 0; i < PEER_MAX; i++)
		assert(n[i] == b->peers[i].n_debts);
}

/* Runs are in order, with something missing between two. */
static void check_order(const struct order *o)
{
	for (uint8_t i = 0; i < o->n_runs; i++) {
		assert(!seq_before(o->runs[i].to, o->runs[i].from));
		assert(!i || seq_after(o->runs[i].from, o->runs[i - 1].to + 1));
	}
	assert(o->n_runs <= ORDER_RUNS);
	assert(!o->n_runs || o->runs[o->n_runs - 1].to == o->last);
}

/* What the roster knows of a peer's numbers is what was taken. */
static void check_peers(const struct lives *l)
{
	const struct roster *r = &l->roster;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];
		const struct order *o = &l->orders[i];

		check_order(o);
		assert(p->has_seq == o->is_set);
		assert(!p->has_seq ||
		       (p->first_seq == o->first && p->last_seq == o->last &&
			p->accepted_ms == o->in_order_ms));
	}
}

static void check(struct world *w, const struct lives *l)
{
	struct engine_walk walk = { 0 };
	struct engine_held held;
	struct node_stats s;
	uint32_t n = 0;

	node_stats(w->node, &s);
	while (node_held(w->node, &walk, &held))
		n++;
	assert(n <= s.engine.n_outstanding);
	assert(s.engine.n_outstanding <= l->outbox.ring.mask + 1);
	assert(flow_cache_stats(w->external_cache)->n_entries <= LIMIT);
	check_controls(&l->outbox);
	check_debts(&l->outbox);
	check_entries(l);
	check_peers(l);
}

static void one_step(struct world *w)
{
	uint8_t op = byte(w);
	unsigned int place = op >> 4 & 3;

	switch (op % 12) {
	case 0:
	case 1:
		change_flow(w, op % 12);
		break;
	case 2:
		end_flow(w, op & 128);
		break;
	case 3:
		w->now_ms += (int64_t)byte(w) * (op & 128 ? 100 : 2);
		break;
	case 4:
	case 5:
		fill(w);
		break;
	case 6:
		node_ask(w->node, op & 128 ? ASK_BULK : ASK_RESYNC);
		if (op & 64)
			node_link_changed(w->node);
		break;
	case 7:
		(void)node_work(w->node);
		break;
	case 8:
		say_bytes(w, place);
		break;
	default:
		say(w, place);
		break;
	}
}

#endif
