/* SPDX-License-Identifier: ISC */
/* fuzz_alarm.c - bytes as what happens to a node in Mode ALARM: flows come,
 * change and go, time passes, datagrams leave, and up to four places say
 * anything. Whatever it is, every entry waits for its turn in one place, and
 * what nobody tells any more goes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/alarm_state.h"
#include "sync/mode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	N_PLACES = 4,
	N_FLOWS = 64,
	LIMIT = 96,
	PAYLOAD = 300,
	MESSAGE = 512,
	REFRESH_S = 3,
	CACHE_TIMEOUT_S = 12,
	LONGEST_MS = REFRESH_S * 1000 + 1000,
};

static const uint64_t node_id = 0x1122334455667788;

struct world {
	struct node *node;
	struct engine *engine; /* of node, whose books are looked at */
	struct flow_cache *internal, *external_cache;
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

	w->engine = mode_alarm(opts, sink, now_ms);
	return w->engine;
}

static void open_world(struct world *w, uint8_t setup)
{
	const struct flow_cache_opts cache = { .first_size = 16,
					       .limit = LIMIT };
	struct node_opts o = {
		.wire = { .send_timeout = setup & 1 },
		.refresh_s = REFRESH_S,
		.cache_timeout_s = CACHE_TIMEOUT_S,
		.first_seq = setup & 2 ? UINT32_MAX - 20 : 1000,
		.node_id = node_id,
		.name = { 1 },
		.ctx = w,
	};

	w->now_ms = 1000;
	if (setup & 4) /* ticks wrap */
		w->now_ms = (INT64_C(1) << 32) * WHEEL_TICK_MS - 1000;
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

static void put_flow(struct world *w, uint8_t how)
{
	static const enum put_mode modes[] = { PUT_REPLACE, PUT_TOLD, PUT_MERGE,
					       PUT_CONTENT };
	struct flow f = flow_of(byte(w));
	struct ref ref = { OBJECT_FLOW, FLOW_CACHE_NO_ID };

	f.mark = how & 8 ? byte(w) : 0;
	if (flow_cache_put(w->internal, &f, modes[how & 3],
			   (uint32_t)(w->now_ms / 1000), &ref.id) <= PUT_SAME)
		node_touch(w->node, ref, (enum touch)((how >> 4) % 3));
}

static void end_flow(struct world *w, bool is_flush)
{
	struct flow f = flow_of(byte(w));
	uint32_t id = flow_cache_find(w->internal, &f);

	if (id == FLOW_CACHE_NO_ID)
		return;
	if (is_flush)
		flow_cache_remove(w->internal, id);
	else
		flow_cache_kill(w->internal, id);
}

static void note_sent(struct world *w, struct rd dgram)
{
	enum verdict why;
	struct msg m;

	while (dgram.left) {
		assert(wire_next(&dgram, &m, &why) == WIRE_MSG);
		assert(m.seq == w->sent + 1);
		w->sent = m.seq;
	}
}

static void fill(struct world *w, int most)
{
	enum fill done = FILL_FULL;

	for (int i = most; i >= 0 && done == FILL_FULL; i--) {
		uint8_t bytes[2 * PAYLOAD];
		struct wr out = { .buf = bytes, .size = sizeof(bytes) };

		done = node_fill(w->node, &out, PAYLOAD, w->now_ms);
		assert(!out.full && out.used <= PAYLOAD);
		assert(out.used || done == FILL_IDLE);
		note_sent(w, (struct rd){ bytes, out.used });
	}
	assert(node_due_ms(w->node) <= w->now_ms + 1000);
	assert(done == FILL_FULL || node_due_ms(w->node) > w->now_ms);
}

/* ---- what the places say ---- */

static void hear(struct world *w, unsigned int place, struct rd dgram)
{
	struct peer_addr from = { .family = FAMILY_IPV4, .link = 0 };

	from.addr.b[3] = (uint8_t)place;
	(void)node_receive(w->node, &from, dgram, w->now_ms);
}

static void add_announcement(struct world *w, struct wr *out,
			     unsigned int place)
{
	struct ext_record name = { .type = EXT_STABLE_NAME };
	uint8_t who = byte(w);
	uint64_t node = (uint64_t)(place + 1) << 8 | (who & 3) | 0x10;

	name.name[0] = who >> 4 & 3;
	ext_begin(out, who & 4 ? EXT_CAP_WHOLE_UPDATES : 0,
		  who & 8 ? node_id : node);
	ext_add(out, &name);
}

/* A message that makes sense on its face. */
static void say(struct world *w, unsigned int place)
{
	const struct wire_flow_opts opts = { .send_timeout = true };
	uint8_t bytes[MESSAGE], what = byte(w);
	struct wr out = { .buf = bytes, .size = sizeof(bytes) };
	uint32_t seq = (uint32_t)place << 16 | byte(w);
	struct flow f;
	size_t at;

	if (what & 1) {
		at = wire_begin(&out, MSG_CTL, MSG_ALIVE | (what & MSG_HELLO),
				seq);
		add_announcement(w, &out, place);
	} else {
		f = flow_of(byte(w));
		f.mark = what >> 4;
		at = wire_begin(&out, (enum msg_type)((what >> 1) % 6),
				what & 128 ? MSG_HELLO : 0, seq);
		wire_flow_encode(&out, &opts, &f);
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

static uint32_t length(const struct queue *q, struct flow_cache *c)
{
	uint32_t n = 0;

	for (uint32_t id = q->first; id != FLOW_CACHE_NO_ID;
	     id = flow_cache_head(c, id)->q_next)
		n++;
	assert(n == q->n);
	return n;
}

/* Every entry is in the queue, or in the slot of a time that is near. */
static void check_entries(struct world *w, const struct alarm *a)
{
	const struct store_stats *s = flow_cache_stats(w->internal);
	uint32_t id = FLOW_CACHE_NO_ID, queued = 0, waiting = 0;

	while ((id = flow_cache_next(w->internal, id)) != FLOW_CACHE_NO_ID) {
		const struct entry_head *h = flow_cache_head(w->internal, id);
		int64_t wait_ms;

		if (h->state == ENTRY_FREE)
			continue;
		queued += h->alarm & ALARM_QUEUED;
		if (h->alarm & ALARM_QUEUED)
			continue;
		assert(h->state != ENTRY_DEAD);
		waiting++;
		wait_ms = (int64_t)(int32_t)(h->due_tick -
					     (uint32_t)(a->called_ms /
							WHEEL_TICK_MS)) *
			  WHEEL_TICK_MS;
		assert(wait_ms <= LONGEST_MS);
	}
	assert(queued == length(&a->dirty, w->internal));
	assert(queued + waiting == s->n_entries);
}

static void check_wheel(const struct world *w, const struct alarm *a)
{
	uint32_t n = 0;

	for (int i = 0; i < WHEEL_SLOTS; i++)
		n += a->wheel.slots[i].n;
	assert(n + a->dirty.n == flow_cache_stats(w->internal)->n_entries);
}

static void check(struct world *w)
{
	const struct alarm *a = CONTAINER_OF(w->engine, struct alarm, base);
	struct node_stats s;

	node_stats(w->node, &s);
	assert(s.engine.n_lost == 0 && s.engine.n_before == 0);
	assert(flow_cache_stats(w->external_cache)->n_entries <= LIMIT);
	check_entries(w, a);
}

static void second(struct world *w)
{
	node_second(w->node, w->now_ms);
	while (node_work(w->node))
		;
}

/* In the end all has been told, and all that was heard goes, and whom it was
 * heard of. */
static void end_world(struct world *w)
{
	const struct alarm *a = CONTAINER_OF(w->engine, struct alarm, base);
	struct node_stats s;

	check_wheel(w, a);
	fill(w, 10 * LIMIT);
	w->now_ms += LONGEST_MS;
	fill(w, 10 * LIMIT);
	for (uint32_t id = FLOW_CACHE_NO_ID;
	     (id = flow_cache_next(w->internal, id)) != FLOW_CACHE_NO_ID;) {
		const struct entry_head *h = flow_cache_head(w->internal, id);

		assert(h->state == ENTRY_FREE || (h->alarm & ALARM_TOLD));
	}
	check(w);
	check_wheel(w, a);
	w->now_ms += (CACHE_TIMEOUT_S + 1) * 1000;
	second(w);
	assert(flow_cache_stats(w->external_cache)->n_entries == 0);
	fill(w, 10 * LIMIT);
	node_stats(w->node, &s);
	assert(s.engine.n_peers_live == 0);
}

static void one_step(struct world *w)
{
	uint8_t op = byte(w);
	unsigned int place = op >> 4 & 3;

	switch (op % 12) {
	case 0:
	case 1:
		put_flow(w, byte(w));
		break;
	case 2:
		end_flow(w, op & 128);
		break;
	case 3:
		w->now_ms += (int64_t)byte(w) * (op & 128 ? 1000 : 10);
		break;
	case 4:
	case 5:
		fill(w, byte(w) % 16);
		break;
	case 6:
		node_ask(w->node, op & 128 ? ASK_BULK : ASK_RESYNC);
		if (op & 64)
			node_link_changed(w->node);
		break;
	case 7:
		second(w);
		break;
	case 8:
		say_bytes(w, place);
		break;
	default:
		say(w, place);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .in = { data, size } };

	open_world(&w, byte(&w));
	while (w.in.left) {
		one_step(&w);
		check(&w);
	}
	end_world(&w);
	close_world(&w);
	return 0;
}
