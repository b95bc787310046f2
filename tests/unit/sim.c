/* SPDX-License-Identifier: ISC */
#include "sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/ftfw.h"

struct sim_datagram {
	struct sim_datagram *next;
	int64_t at_ms;
	int from, to;
	size_t len;
	uint8_t bytes[];
};

uint64_t sim_random(struct sim *s, uint64_t below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random % below;
}

static bool chance(struct sim *s, unsigned int percent)
{
	return percent && sim_random(s, 100) < percent;
}

void sim_init(struct sim *s, uint64_t seed, int n_nodes)
{
	*s = (struct sim){ .random = seed * 2654435761u + 88172645463325252u,
			   .n_nodes = n_nodes,
			   .now_ms = 1000,
			   .resend_queue_size = 131072,
			   .ack_window = 300,
			   .cache_limit = 1000000 };
	for (int i = 0; i < n_nodes; i++)
		s->nodes[i].number = i;
}

static enum verdict on_data(void *ctx, const struct peer *from,
			    const struct msg *m, int64_t now_ms)
{
	struct sim_node *n = ctx;

	return external_data(&n->external, from, m, now_ms);
}

static void on_sweep(void *ctx, const struct peer *from)
{
	struct sim_node *n = ctx;

	external_sweep(&n->external, from);
}

static void on_event(void *ctx, enum engine_event what, const struct peer *p)
{
	struct sim_node *n = ctx;

	(void)p;
	n->events[what]++;
}

void sim_start(struct sim *s, int node)
{
	struct sim_node *n = &s->nodes[node];
	const struct flow_cache_opts cache = {
		.first_size = 64,
		.limit = s->cache_limit,
		.hash_key = { sim_random(s, UINT64_MAX),
			      sim_random(s, UINT64_MAX) },
	};
	struct ftfw_opts o = {
		.wire = { .send_timeout = true },
		.sink = { n, on_data, on_sweep, on_event },
		.resend_queue_size = s->resend_queue_size,
		.ack_window = s->ack_window,
		.first_seq = (uint32_t)sim_random(s, UINT64_C(1) << 32),
		.node = sim_random(s, UINT64_MAX) | 1,
		.name = { (uint8_t)(node + 1), 0xaa },
	};

	if (s->has_first_seq)
		o.first_seq = s->first_seq;
	assert(!n->is_up);
	n->internal = flow_cache_new(&cache);
	n->external_cache = flow_cache_new(&cache);
	assert(n->internal && n->external_cache);
	o.cache = n->internal;
	n->engine = ftfw_new(&o, s->now_ms);
	assert(n->engine);
	n->external = (struct external){
		.cache = n->external_cache,
		.peers = n->engine->ops->peers(n->engine),
	};
	n->is_up = true;
}

void sim_kill(struct sim *s, int node)
{
	struct sim_node *n = &s->nodes[node];

	if (!n->is_up)
		return;
	n->engine->ops->free(n->engine);
	flow_cache_free(n->internal);
	flow_cache_free(n->external_cache);
	n->engine = NULL;
	n->is_up = false;
}

void sim_fini(struct sim *s)
{
	for (int i = 0; i < s->n_nodes; i++)
		sim_kill(s, i);
	while (s->in_flight) {
		struct sim_datagram *d = s->in_flight;

		s->in_flight = d->next;
		free(d);
	}
}

static struct flow flow_of(int node, uint32_t number)
{
	struct flow f = { .family = FAMILY_IPV4, .l4proto = L4_TCP };

	f.orig.src.b[0] = 10;
	f.orig.src.b[1] = (uint8_t)node;
	f.orig.src.b[2] = (uint8_t)(number >> 16);
	f.orig.dst.b[0] = 192;
	f.orig.sport = (uint16_t)number;
	f.orig.dport = 80;
	f.has = FLOW_PORTS | FLOW_STATUS | FLOW_TIMEOUT | FLOW_TCP_STATE;
	f.status = 8;
	f.timeout_s = 600;
	f.tcp_state = TCP_STATE_SYN_SENT;
	return f;
}

static void put(struct sim *s, int node, const struct flow *f,
		enum put_mode mode, enum touch how)
{
	struct sim_node *n = &s->nodes[node];
	uint32_t id;

	switch (flow_cache_put(n->internal, f, mode,
			       (uint32_t)(s->now_ms / 1000), &id)) {
	case PUT_NEW:
	case PUT_CHANGED:
		n->engine->ops->touch(n->engine,
				      (struct ref){ OBJECT_FLOW, id }, how);
		break;
	case PUT_SAME:
	case PUT_NO_SPACE:
	case PUT_NO_MEMORY:
		break;
	}
}

void sim_flow_new(struct sim *s, int node, uint32_t number)
{
	struct flow f = flow_of(node, number);

	put(s, node, &f, PUT_REPLACE, TOUCH_SEND);
}

void sim_flow_dumped(struct sim *s, int node, uint32_t number)
{
	struct flow f = flow_of(node, number);

	put(s, node, &f, PUT_MERGE, TOUCH_QUIET);
}

void sim_flow_update(struct sim *s, int node, uint32_t number, uint32_t mark)
{
	struct flow f = flow_of(node, number);

	f.has |= FLOW_MARK;
	f.mark = mark;
	f.tcp_state = TCP_STATE_ESTABLISHED;
	put(s, node, &f, PUT_MERGE, TOUCH_SEND);
}

void sim_flow_end(struct sim *s, int node, uint32_t number)
{
	struct sim_node *n = &s->nodes[node];
	struct flow f = flow_of(node, number);
	uint32_t id = flow_cache_find(n->internal, &f);

	if (id == FLOW_CACHE_NO_ID)
		return;
	flow_cache_kill(n->internal, id);
	n->engine->ops->touch(n->engine, (struct ref){ OBJECT_FLOW, id },
			      TOUCH_SEND);
}

static void post_one(struct sim *s, int from, int to, const uint8_t *bytes,
		     size_t len)
{
	struct sim_datagram *d = malloc(sizeof(*d) + len);
	struct sim_datagram **at = &s->in_flight;

	assert(d);
	*d = (struct sim_datagram){
		.at_ms = s->now_ms + s->faults.delay_ms,
		.from = from,
		.to = to,
		.len = len,
	};
	if (chance(s, s->faults.reorder))
		d->at_ms +=
			1 + (int64_t)sim_random(
				    s, (uint64_t)s->faults.delay_spread_ms + 1);
	memcpy(d->bytes, bytes, len);
	if (chance(s, s->faults.bit_error)) {
		uint64_t bit = sim_random(s, len * 8);

		d->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	while (*at && (*at)->at_ms <= d->at_ms)
		at = &(*at)->next;
	d->next = *at;
	*at = d;
}

static void post(struct sim *s, int from, const uint8_t *bytes, size_t len)
{
	s->nodes[from].n_sent++;
	if (s->tap)
		s->tap(s->tap_ctx, from, bytes, len);
	for (int to = 0; to < s->n_nodes; to++) {
		if (to == from || s->is_cut[from] || s->is_cut[to] ||
		    chance(s, s->faults.loss))
			continue;
		post_one(s, from, to, bytes, len);
		if (chance(s, s->faults.duplicate))
			post_one(s, from, to, bytes, len);
	}
}

static bool may_send(const struct sim *s, struct sim_node *n)
{
	if (n->sent_ms != s->now_ms) {
		n->sent_ms = s->now_ms;
		n->sent_this_ms = 0;
	}
	return !s->faults.datagrams_per_ms ||
	       n->sent_this_ms < s->faults.datagrams_per_ms;
}

static void pull(struct sim *s, int node)
{
	struct sim_node *n = &s->nodes[node];
	uint8_t bytes[65536];
	enum fill done = FILL_FULL;

	while (n->is_up && done == FILL_FULL && may_send(s, n)) {
		struct wr w = { .buf = bytes, .size = sizeof(bytes) };

		done = n->engine->ops->fill(n->engine, &w, SIM_PAYLOAD,
					    s->now_ms);
		if (!w.used)
			break;
		n->sent_this_ms++;
		post(s, node, bytes, w.used);
	}
}

static void receive(struct sim *s, const struct sim_datagram *d)
{
	struct sim_node *n = &s->nodes[d->to];
	struct peer_addr from = { .family = FAMILY_IPV4 };
	struct rd left = { d->bytes, d->len };
	enum verdict why = VERDICT_OK;
	enum wire_step step;
	struct msg m;

	from.addr.b[3] = (uint8_t)(d->from + 1);
	n->n_recv++;
	while ((step = wire_next(&left, &m, &why)) != WIRE_END) {
		if (step == WIRE_MSG)
			why = n->engine->ops->receive(n->engine, &from, &m,
						      s->now_ms);
		n->n_malformed += verdict_is_malformed(why);
		if (step == WIRE_DROP)
			break;
	}
}

void sim_forge(struct sim *s, int from, int to, const uint8_t *bytes,
	       size_t len)
{
	struct sim_datagram *d = malloc(sizeof(*d) + len);

	assert(d);
	*d = (struct sim_datagram){ .from = from, .to = to, .len = len };
	memcpy(d->bytes, bytes, len);
	if (s->nodes[to].is_up)
		receive(s, d);
	free(d);
}

static void deliver(struct sim *s)
{
	while (s->in_flight && s->in_flight->at_ms <= s->now_ms) {
		struct sim_datagram *d = s->in_flight;

		s->in_flight = d->next;
		if (s->nodes[d->to].is_up)
			receive(s, d);
		free(d);
	}
}

void sim_run(struct sim *s, int64_t ms)
{
	for (int64_t end = s->now_ms + ms; s->now_ms < end; s->now_ms++) {
		deliver(s);
		for (int i = 0; i < s->n_nodes; i++) {
			pull(s, i);
			if (s->nodes[i].is_up)
				(void)external_step(&s->nodes[i].external);
		}
	}
}

bool sim_run_until(struct sim *s, int64_t limit_ms,
		   bool (*check)(struct sim *s))
{
	for (int64_t end = s->now_ms + limit_ms; s->now_ms < end;) {
		sim_run(s, 50);
		if (check(s))
			return true;
	}
	return false;
}

/* Every living entry of node's internal cache is in the external one of
 * other, with the same state and mark; returns how many there are, -1 if one
 * is missing or differs. */
static int64_t count_held(struct sim *s, int node, int other)
{
	struct flow_cache *in = s->nodes[node].internal;
	struct flow_cache *out = s->nodes[other].external_cache;
	uint32_t id = FLOW_CACHE_NO_ID;
	int64_t n = 0;

	while ((id = flow_cache_next(in, id)) != FLOW_CACHE_NO_ID) {
		uint8_t state = flow_cache_head(in, id)->state;
		struct flow a, b;
		uint32_t found;

		if (state == ENTRY_FREE || state == ENTRY_DEAD)
			continue;
		flow_cache_get(in, id, &a);
		found = flow_cache_find(out, &a);
		if (found == FLOW_CACHE_NO_ID)
			return -1;
		flow_cache_get(out, found, &b);
		if (a.tcp_state != b.tcp_state ||
		    (a.has & FLOW_MARK) != (b.has & FLOW_MARK) ||
		    ((a.has & FLOW_MARK) && a.mark != b.mark))
			return -1;
		n++;
	}
	return n;
}

bool sim_is_complete(struct sim *s)
{
	for (int other = 0; other < s->n_nodes; other++) {
		int64_t expected = 0;

		for (int i = 0; i < s->n_nodes && s->nodes[other].is_up; i++) {
			int64_t n;

			if (i == other || !s->nodes[i].is_up)
				continue;
			n = count_held(s, i, other);
			if (n < 0)
				return false;
			expected += n;
		}
		if (s->nodes[other].is_up &&
		    flow_cache_stats(s->nodes[other].external_cache)
				    ->n_active != expected)
			return false;
	}
	return true;
}
