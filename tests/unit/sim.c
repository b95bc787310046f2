/* SPDX-License-Identifier: ISC */
#include "sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim_expect.h"
#include "sim_net.h"
#include "sync/mode.h"

enum {
	TURN_US = 50,        /* a turn of the daemon's loop */
	SENDS_PER_TURN = 64, /* datagrams */
	CHECK_MS = 50,       /* between two looks of sim_run_until() */
};

uint64_t sim_random(struct sim *s, uint64_t below)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random % below;
}

void sim_init(struct sim *s, uint64_t seed, int n_nodes)
{
	*s = (struct sim){ .random = seed * 2654435761u + 88172645463325252u,
			   .n_nodes = n_nodes,
			   .now_ms = 1000,
			   .mode = mode_ftfw,
			   .resend_queue_size = 131072,
			   .ack_window = 300,
			   .cache_limit = 1000000 };
	s->helpers = names_new(8, 15);
	s->filter = filter_new(&(struct filter_opts){ 0 });
	assert(s->helpers && s->filter);
	for (int i = 0; i < SIM_NODES_MAX; i++) {
		s->nodes[i].sim = s;
		s->nodes[i].number = i;
		s->nodes[i].name[0] = (uint8_t)(i + 1);
		s->nodes[i].name[1] = 0xaa;
		s->nodes[i].wake_us = INT64_MAX;
	}
}

/* The node has something to do, as soon as its present turn is over. */
static void wake(struct sim *s, struct sim_node *n)
{
	int64_t at_us = sim_now_us(s);

	if (at_us < n->ready_us)
		at_us = n->ready_us;
	if (n->wake_us > at_us)
		n->wake_us = at_us;
}

/* ---- a node's life ------------------------------------------------------ */

static void on_event(void *ctx, enum engine_event what, const struct peer *p)
{
	struct sim_node *n = ctx;
	const struct sim_watch *w = n->sim->watch;

	n->events[what]++;
	if (what == ENGINE_PEER_ANSWERED && !n->met_ms)
		n->met_ms = n->sim->now_ms;
	if (w && w->event)
		w->event(w->ctx, n->number, what, p);
}

static void on_bypass_touch(void *ctx, uint32_t id, enum touch how)
{
	const struct sim_node *n = ctx;

	node_touch(n->node, (struct ref){ OBJECT_FLOW, id }, how);
}

static void on_fetch(void *ctx)
{
	const struct sim_node *n = ctx;

	n->bypass->is_dump_wanted = true;
}

static struct engine *new_engine(const struct node_opts *opts,
				 const struct engine_sink *sink, int64_t now_ms)
{
	struct sim_node *n = opts->ctx;

	n->engine = n->sim->mode(opts, sink, now_ms);
	return n->engine;
}

/* The first one with a carrier; without any, nothing changes. */
static void choose_link(struct sim_node *n)
{
	for (uint8_t i = 0; i < SIM_LINKS_MAX; i++)
		if (!n->is_link_down[i]) {
			n->link = i;
			return;
		}
}

static void set_up(struct sim *s, struct sim_node *n)
{
	choose_link(n);
	n->n_lives++;
	n->started_ms = s->now_ms;
	n->heard_ms = n->met_ms = 0;
	n->kept_len = 0;
	n->is_up = true;
	wake(s, n);
}

static void open_node(struct sim *s, struct sim_node *n)
{
	const struct flow_cache_opts cache = {
		.first_size = 64,
		.limit = s->cache_limit,
		.hash_key = { sim_random(s, UINT64_MAX),
			      sim_random(s, UINT64_MAX) },
	};
	struct node_opts o = {
		.wire = { .helpers = s->helpers,
			  .send_wscale = true,
			  .send_timeout = true },
		.has_expectations = s->has_expectations,
		.resend_queue_size = s->resend_queue_size,
		.ack_window = s->ack_window,
		.refresh_s = s->refresh_s,
		.cache_timeout_s = s->cache_timeout_s,
		.first_seq = (uint32_t)sim_random(s, UINT64_C(1) << 32),
		.node_id = sim_random(s, UINT64_MAX) | 1,
		.ctx = n,
		.event = on_event,
		.fetch = s->is_bypassed ? on_fetch : NULL,
	};

	if (s->has_first_seq)
		o.first_seq = s->first_seq;
	memcpy(o.name, n->name, sizeof(o.name));
	n->internal = flow_cache_new(&cache);
	n->external_cache = flow_cache_new(&cache);
	assert(n->internal && n->external_cache);
	o.internal = n->internal;
	o.external = n->external_cache;
	n->node_id = o.node_id;
	n->node = node_new(&o, new_engine, s->now_ms);
	assert(n->node);
	if (s->is_bypassed)
		n->bypass = sim_bypass_new(n->internal, s->filter,
					   on_bypass_touch, n);
	assert(!s->is_bypassed || n->bypass);
	set_up(s, n);
}

void sim_start(struct sim *s, int node)
{
	assert(!s->nodes[node].is_up);
	sim_kernel_clear(&s->nodes[node].kernel, s->now_ms);
	open_node(s, &s->nodes[node]);
}

struct node_stats sim_stats(struct sim *s, int node)
{
	struct node_stats stats;

	node_stats(s->nodes[node].node, &stats);
	return stats;
}

uint64_t sim_malformed(struct sim *s, int node)
{
	uint64_t n = s->nodes[node].n_malformed;
	struct node_stats stats;

	if (!s->nodes[node].node)
		return n;
	stats = sim_stats(s, node);
	for (int v = 0; v < VERDICT_N; v++)
		if (verdict_is_malformed((enum verdict)v))
			n += stats.n_verdicts[v];
	return n;
}

void sim_kill(struct sim *s, int node)
{
	struct sim_node *n = &s->nodes[node];

	if (!n->is_up)
		return;
	if (n->reference) {
		sim_reference_free(n->reference);
	} else {
		n->n_malformed = sim_malformed(s, node);
		sim_bypass_free(n->bypass);
		node_free(n->node);
		flow_cache_free(n->internal);
		flow_cache_free(n->external_cache);
	}
	n->reference = NULL;
	n->node = NULL;
	n->engine = NULL;
	n->bypass = NULL;
	n->internal = n->external_cache = NULL;
	n->is_up = false;
	n->wake_us = INT64_MAX;
}

void sim_fini(struct sim *s)
{
	for (int i = 0; i < SIM_NODES_MAX; i++) {
		sim_kill(s, i);
		sim_kernel_fini(&s->nodes[i].kernel);
	}
	sim_net_fini(s);
	names_free(s->helpers);
	filter_free(s->filter);
}

/* ---- its flows ---------------------------------------------------------- */

static void pass_by(struct sim *s, struct sim_node *n, enum flow_event type,
		    const struct flow *f)
{
	bypass_event(&n->bypass->b, type, ORIGIN_OTHER, f,
		     (uint32_t)(s->now_ms / 1000));
	wake(s, n);
}

static struct flow value_of(struct sim *s, int node, uint32_t number)
{
	const struct sim_flow *k =
		sim_kernel_flow(&s->nodes[node].kernel, number);
	struct flow f;

	assert(k);
	sim_flow_value(k, node, number, s->helpers, &f);
	return f;
}

/* The same for what it expects, if it is cached itself: the mirror asks for
 * that. */
static void put_expect(struct sim *s, int node, uint32_t number,
		       const struct flow *f, enum put_mode mode, enum touch how)
{
	struct sim_node *n = &s->nodes[node];
	enum put_result result;
	struct expect e;
	uint32_t id;

	if (!s->has_expectations ||
	    !sim_expect_value(sim_kernel_flow(&n->kernel, number), number, f,
			      &e) ||
	    flow_cache_find(n->internal, f) == FLOW_CACHE_NO_ID)
		return;
	result = expect_cache_put(n->internal, &e,
				  mode == PUT_REPLACE ? STORE_REPLACE
						      : STORE_CHANGE,
				  (uint32_t)(s->now_ms / 1000), &id);
	if (result == PUT_NEW || result == PUT_CHANGED)
		node_touch(n->node, (struct ref){ OBJECT_EXPECT, id }, how);
}

static void put(struct sim *s, int node, uint32_t number, enum put_mode mode,
		enum touch how)
{
	struct sim_node *n = &s->nodes[node];
	struct flow f;
	uint32_t id;

	if (!n->is_up)
		return;
	f = value_of(s, node, number);
	if (n->bypass) {
		if (mode == PUT_TOLD) /* what an update leaves out */
			f.has &= ~(FLOW_MASTER | FLOW_MASTER_PORTS |
				   FLOW_SYNPROXY);
		if (how == TOUCH_SEND)
			pass_by(s, n,
				mode == PUT_REPLACE ? FLOW_EVENT_NEW
						    : FLOW_EVENT_UPDATE,
				&f);
		return;
	}
	switch (flow_cache_put(n->internal, &f, mode,
			       (uint32_t)(s->now_ms / 1000), &id)) {
	case PUT_NEW:
	case PUT_CHANGED:
		node_touch(n->node, (struct ref){ OBJECT_FLOW, id }, how);
		wake(s, n);
		break;
	case PUT_SAME:
	case PUT_OTHER:
	case PUT_NO_SPACE:
	case PUT_NO_MEMORY:
		break;
	}
	put_expect(s, node, number, &f, mode, how);
}

void sim_flow_new(struct sim *s, int node, uint32_t number)
{
	struct sim_node *n = &s->nodes[node];

	sim_kernel_begin(&n->kernel, number, s->now_ms);
	if (n->reference) {
		sim_reference_begin(n->reference, number);
		wake(s, n);
	} else {
		put(s, node, number, PUT_REPLACE, TOUCH_SEND);
	}
}

void sim_flow_dumped(struct sim *s, int node, uint32_t number)
{
	const struct sim_flow *k =
		sim_kernel_flow(&s->nodes[node].kernel, number);

	if (!k || !k->is_alive)
		sim_kernel_begin(&s->nodes[node].kernel, number, s->now_ms);
	put(s, node, number, PUT_TOLD, TOUCH_QUIET);
}

void sim_flow_update(struct sim *s, int node, uint32_t number, uint32_t mark)
{
	struct sim_node *n = &s->nodes[node];

	sim_kernel_update(&n->kernel, number, mark, s->now_ms);
	if (n->reference) {
		sim_reference_update(n->reference, number);
		wake(s, n);
	} else {
		put(s, node, number, PUT_TOLD, TOUCH_SEND);
	}
}

static void kill(struct sim_node *n, enum object_kind kind, uint32_t id)
{
	if (id == FLOW_CACHE_NO_ID)
		return;
	flow_cache_kill(n->internal, id);
	node_touch(n->node, (struct ref){ kind, id }, TOUCH_SEND);
}

static void end_cached(struct sim *s, struct sim_node *n, const struct flow *f)
{
	if (n->bypass) {
		pass_by(s, n, FLOW_EVENT_DESTROY, f);
		return;
	}
	kill(n, OBJECT_FLOW, flow_cache_find(n->internal, f));
	wake(s, n);
}

void sim_flow_end(struct sim *s, int node, uint32_t number)
{
	struct sim_node *n = &s->nodes[node];
	const struct sim_flow *k = sim_kernel_flow(&n->kernel, number);
	struct expect e;
	struct flow f;

	if (!k || !k->is_alive)
		return;
	f = value_of(s, node, number);
	if (n->is_up && s->has_expectations &&
	    sim_expect_value(k, number, &f, &e))
		kill(n, OBJECT_EXPECT, expect_cache_find(n->internal, &e));
	sim_kernel_end(&n->kernel, number, s->now_ms);
	if (n->reference) {
		sim_reference_end(n->reference, number);
		wake(s, n);
	} else if (n->is_up) {
		end_cached(s, n, &f);
	}
}

void sim_resume(struct sim *s, int node)
{
	struct sim_node *n = &s->nodes[node];

	assert(!n->is_up);
	open_node(s, n);
	for (uint32_t i = 0; i < n->kernel.size; i++)
		if (n->kernel.flows[i].is_alive)
			put(s, node, i, PUT_TOLD, TOUCH_QUIET);
}

static void send_of_reference(void *ctx, const uint8_t *bytes, size_t len)
{
	struct sim_node *n = ctx;

	sim_net_send(n->sim, n, bytes, len);
}

void sim_resume_reference(struct sim *s, int node, bool asks)
{
	struct sim_node *n = &s->nodes[node];
	const struct sim_reference_opts o = {
		.ack_window = s->ack_window,
		.resend_queue_size = s->resend_queue_size,
		.first_seq = s->has_first_seq ? s->first_seq
					      : (uint32_t)(s->now_ms / 1000),
		.asks = asks,
		.kernel = &n->kernel,
		.machine = node,
		.helpers = s->helpers,
		.send = send_of_reference,
		.ctx = n,
	};

	assert(!n->is_up);
	n->reference = sim_reference_new(&o, s->now_ms);
	n->external_cache = sim_reference_external(n->reference);
	set_up(s, n);
}

/* ---- requests ----------------------------------------------------------- */

void sim_ask(struct sim *s, int node, enum ask what)
{
	struct sim_node *n = &s->nodes[node];

	if (!n->reference)
		node_ask(n->node, what);
	else if (what == ASK_BULK)
		sim_reference_bulk(n->reference);
	else
		sim_reference_resync(n->reference);
	wake(s, n);
}

void sim_flush_external(struct sim *s, int node)
{
	struct flow_cache *c = s->nodes[node].external_cache;
	uint32_t id = FLOW_CACHE_NO_ID;

	while ((id = flow_cache_next(c, id)) != FLOW_CACHE_NO_ID)
		if (flow_cache_head(c, id)->state != ENTRY_FREE)
			flow_cache_remove(c, id);
}

/* ---- links -------------------------------------------------------------- */

void sim_set_link(struct sim *s, int node, int link, bool is_up)
{
	struct sim_node *n = &s->nodes[node];

	n->is_link_down[link] = !is_up;
	if (n->is_link_down[n->link])
		choose_link(n);
}

/* The peer sends there, so do we. */
static void follow(struct sim_node *n, uint8_t link)
{
	if (!n->is_link_down[link] || n->is_link_down[n->link])
		n->link = link;
}

/* ---- its turns ---------------------------------------------------------- */

/* False: the link takes no more for now. */
static bool send_kept(struct sim *s, struct sim_node *n)
{
	if (!s->faults.drops_overflow &&
	    sim_net_free_us(s, n) > sim_now_us(s)) {
		n->wake_us = sim_net_free_us(s, n);
		return false;
	}
	sim_net_send(s, n, n->kept, n->kept_len);
	n->kept_len = 0;
	return true;
}

static void pump(struct sim *s, struct sim_node *n)
{
	enum fill done = FILL_FULL;

	if (n->kept_len && !send_kept(s, n))
		return;
	for (int i = 0; done == FILL_FULL && i < SENDS_PER_TURN; i++) {
		struct wr w = { .buf = n->kept, .size = sizeof(n->kept) };

		done = node_fill(n->node, &w, SIM_PAYLOAD, s->now_ms);
		n->kept_len = w.used;
		if (n->kept_len && !send_kept(s, n))
			return;
	}
	n->wake_us = node_due_ms(n->node) * 1000;
	if (done == FILL_FULL || n->wake_us < n->ready_us)
		n->wake_us = n->ready_us;
}

/* Its sockets block: all that is queued is sent, but it does nothing else until
 * the link has taken it. */
static void take_turn_of_reference(struct sim *s, struct sim_node *n)
{
	sim_reference_turn(n->reference, s->now_ms);
	n->wake_us = sim_reference_due_ms(n->reference) * 1000;
	if (n->ready_us < sim_net_free_us(s, n))
		n->ready_us = sim_net_free_us(s, n);
	if (n->wake_us < n->ready_us)
		n->wake_us = n->ready_us;
}

/* All that the kernel has, for a bulk. */
static void dump(struct sim *s, struct sim_node *n)
{
	struct bypass *b = &n->bypass->b;
	uint32_t now_s = (uint32_t)(s->now_ms / 1000);

	n->bypass->is_dump_wanted = false;
	bypass_dump_begins(b);
	for (uint32_t i = 0; i < n->kernel.size; i++)
		if (n->kernel.flows[i].is_alive) {
			const struct flow f = value_of(s, n->number, i);

			bypass_row(b, &f, true, now_s);
		}
	bypass_dump_ends(b, true);
	while (bypass_has_work(b))
		bypass_work(b, now_s);
	node_fetched(n->node, !bypass_has_missed(b));
}

static void take_turn(struct sim *s, struct sim_node *n)
{
	n->n_turns++;
	n->ready_us = sim_now_us(s) + TURN_US;
	n->wake_us = INT64_MAX;
	if (n->reference) {
		take_turn_of_reference(s, n);
		return;
	}
	if (s->now_ms - n->second_ms >= 1000) {
		n->second_ms = s->now_ms;
		node_second(n->node, s->now_ms);
	}
	if (n->bypass && bypass_has_work(&n->bypass->b))
		bypass_work(&n->bypass->b, (uint32_t)(s->now_ms / 1000));
	if (n->bypass && n->bypass->is_dump_wanted)
		dump(s, n);
	if (node_work(n->node)) {
		pump(s, n);
		wake(s, n);
	} else {
		pump(s, n);
	}
	if (n->bypass && n->bypass->is_dump_wanted)
		wake(s, n);
}

static void receive(struct sim *s, const struct sim_datagram *d,
		    struct rd bytes)
{
	struct sim_node *n = &s->nodes[d->to];
	struct peer_addr place = { .family = FAMILY_IPV4, .link = d->link };

	place.addr.b[2] = d->link;
	place.addr.b[3] = (uint8_t)(d->from + 1);
	n->n_recv++;
	if (!n->heard_ms)
		n->heard_ms = s->now_ms;
	if (s->watch && s->watch->heard)
		s->watch->heard(s->watch->ctx, d->from, d->to, bytes.at,
				bytes.left);
	if (n->reference ? sim_reference_receive(n->reference, d->life, bytes)
			 : node_receive(n->node, &place, bytes, s->now_ms)
				   .is_accepted)
		follow(n, d->link);
	wake(s, n);
}

void sim_forge(struct sim *s, int from, int to, const uint8_t *bytes,
	       size_t len)
{
	struct sim_datagram d = { .from = from, .to = to };

	if (from < SIM_NODES_MAX) {
		d.link = s->nodes[from].link;
		d.life = s->nodes[from].n_lives;
	}
	if (s->nodes[to].is_up)
		receive(s, &d, (struct rd){ bytes, len });
}

/* ---- time --------------------------------------------------------------- */

static int64_t next_event_us(const struct sim *s)
{
	int64_t next_us = sim_net_next_us(s);

	for (int i = 0; i < s->n_nodes; i++)
		if (s->nodes[i].wake_us < next_us)
			next_us = s->nodes[i].wake_us;
	return next_us;
}

static void set_now(struct sim *s, int64_t us)
{
	s->now_ms = us / 1000;
	s->now_us = us % 1000;
}

static void deliver(struct sim *s)
{
	while (sim_net_next_us(s) <= sim_now_us(s)) {
		struct sim_datagram *d = sim_net_take(s);

		if (s->nodes[d->to].is_up)
			receive(s, d, (struct rd){ d->bytes, d->len });
		free(d);
	}
}

void sim_run(struct sim *s, int64_t ms)
{
	int64_t end_us = sim_now_us(s) + ms * 1000, next_us;

	while ((next_us = next_event_us(s)) < end_us) {
		if (next_us > sim_now_us(s))
			set_now(s, next_us);
		deliver(s);
		for (int i = 0; i < s->n_nodes; i++)
			if (s->nodes[i].wake_us <= sim_now_us(s))
				take_turn(s, &s->nodes[i]);
	}
	set_now(s, end_us);
}

bool sim_run_until(struct sim *s, int64_t limit_ms,
		   bool (*check)(struct sim *s))
{
	for (int64_t end = s->now_ms + limit_ms; s->now_ms < end;) {
		sim_run(s, CHECK_MS);
		if (check(s))
			return true;
	}
	return false;
}
