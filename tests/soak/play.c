/* SPDX-License-Identifier: ISC */
#include "play.h"

#include <inttypes.h>
#include <string.h>

#include "sync/ftfw_state.h"
#include "sync/mode.h"
#include "sync/notrack_state.h"
#include "trace.h"

enum {
	SENT_MOST = 500000, /* datagrams: more is a storm */
	REPAIR_MS = 60000,
	SETTLE_MS = 60000,
	IDLE_MS = 20000,
	/* in IDLE_MS, of each node: one a second, and a few that answer */
	IDLE_SENT_MOST = 22,
	/* a reference acknowledges every sign of life, and wants its
	 * acknowledgements acknowledged */
	IDLE_SENT_WITH_REFERENCE = 30,
	IDLE_TURNS_MOST = 200,
	OUTSTANDING_MOST = 64, /* signs of life, acknowledged late */
	WAITING_MOST = 4,      /* control messages about to be sent */
	CHECK_MS = 250,
	BITS_MS = 15000, /* after wrong bits, before the bulks that repair */
	REFRESH_S = 5,   /* ALARM: what is told wrong is told right by then */
	CACHE_TIMEOUT_S = 30, /* and what is not told any more goes */
};

struct play {
	const struct scenario *c;
	const struct play_opts *o;
	struct sim s;
	uint64_t state; /* of the dice of this step */
	bool had_bits;
	uint8_t n_renamed;
	bool asked[SIM_NODES_MAX]; /* when it started */
	char *why;
};

static bool is_alarm(const struct play *p)
{
	return p->o->mode == mode_alarm;
}

static uint32_t roll(struct play *p, uint32_t below)
{
	p->state ^= p->state << 13;
	p->state ^= p->state >> 7;
	p->state ^= p->state << 17;
	return (uint32_t)(p->state >> 16) % below;
}

/* ---- the steps ---------------------------------------------------------- */

/* How a node starts. */
struct start {
	uint32_t first_seq;
	bool is_reference, asks;
};

static struct start start_of(const struct step *t)
{
	return (struct start){ .first_seq = t->first_seq,
			       .is_reference = t->is_reference,
			       .asks = t->asks };
}

/* The first number of a reference is the time: near that of its last life. */
static uint32_t clock_s(const struct play *p, uint32_t first_seq)
{
	uint32_t set = first_seq > UINT32_MAX - 5000 ? first_seq : 1700000000;

	return set + (uint32_t)(p->s.now_ms / 1000);
}

static void resume(struct play *p, int node, const struct start *how)
{
	struct sim *s = &p->s;

	if (s->nodes[node].is_up)
		return;
	s->has_first_seq = true;
	s->first_seq = how->first_seq;
	p->asked[node] = how->asks && p->c->has_reference;
	if (how->is_reference) {
		s->first_seq = clock_s(p, how->first_seq);
		sim_resume_reference(s, node, how->asks);
		return;
	}
	sim_resume(s, node);
	if (p->asked[node])
		sim_ask(s, node, ASK_RESYNC);
}

static void restart(struct play *p, int node, const struct start *how)
{
	sim_kill(&p->s, node);
	resume(p, node, how);
}

static void rename_node(struct play *p, int node, const struct start *how)
{
	p->s.nodes[node].name[2] = ++p->n_renamed;
	restart(p, node, how);
}

static void isolate(struct sim *s, int node)
{
	for (int i = 0; i < s->n_nodes; i++)
		s->is_cut_way[node][i] = s->is_cut_way[i][node] = true;
}

/* Nodes up to this one and those after it hear each other no more. */
static void split(struct sim *s, int last)
{
	for (int i = 0; i <= last; i++)
		for (int k = last + 1; k < s->n_nodes; k++)
			s->is_cut_way[i][k] = s->is_cut_way[k][i] = true;
}

static void heal(struct sim *s)
{
	memset(s->is_cut_way, 0, sizeof(s->is_cut_way));
}

static void set_weather(struct play *p, const struct sim_faults *w)
{
	p->s.faults = *w;
	p->had_bits |= w->bit_error != 0;
}

static void ask(struct play *p, int node, enum ask what, bool flushes)
{
	if (!p->s.nodes[node].is_up)
		return;
	if (flushes)
		sim_flush_external(&p->s, node);
	sim_ask(&p->s, node, what);
}

static void act(struct play *p, const struct step *t)
{
	const struct start how = start_of(t);
	struct sim *s = &p->s;

	switch (t->what) {
	case ACT_NOTHING:
	case ACTION_N:
		break;
	case ACT_WEATHER:
		set_weather(p, &t->weather);
		break;
	case ACT_KILL:
		sim_kill(s, t->node);
		break;
	case ACT_RESUME:
		resume(p, t->node, &how);
		break;
	case ACT_RESTART:
		restart(p, t->node, &how);
		break;
	case ACT_REBOOT:
		sim_kernel_clear(&s->nodes[t->node].kernel, s->now_ms);
		restart(p, t->node, &how);
		break;
	case ACT_RENAME:
		rename_node(p, t->node, &how);
		break;
	case ACT_ISOLATE:
		isolate(s, t->node);
		break;
	case ACT_SPLIT:
		split(s, t->node);
		break;
	case ACT_CUT_WAY:
		s->is_cut_way[t->node][t->other] = true;
		break;
	case ACT_HEAL:
		heal(s);
		break;
	case ACT_LINK_DOWN:
	case ACT_LINK_UP:
		sim_set_link(s, t->node, t->link, t->what == ACT_LINK_UP);
		break;
	case ACT_BULK:
		ask(p, t->node, ASK_BULK, false);
		break;
	case ACT_RESYNC:
	case ACT_FLUSH:
		ask(p, t->node, ASK_RESYNC, t->what == ACT_FLUSH);
		break;
	}
}

static void change(struct play *p, int node, uint32_t n_flows)
{
	uint32_t flow = roll(p, n_flows), mark = roll(p, 1000);

	switch (roll(p, 5)) {
	case 0:
		sim_flow_end(&p->s, node, flow);
		break;
	case 1:
		sim_flow_new(&p->s, node, flow);
		break;
	default:
		sim_flow_update(&p->s, node, flow, mark);
		break;
	}
}

static void change_some(struct play *p, const struct step *t, uint32_t n)
{
	for (int node = 0; node < p->s.n_nodes; node++)
		for (uint32_t i = 0; (t->busy >> node & 1) && i < n; i++)
			change(p, node, t->n_flows);
}

static void pass_time(struct play *p, const struct step *t)
{
	int64_t piece_ms = t->per_s < 1000 ? 1000 / (t->per_s + !t->per_s) : 1;
	uint32_t n = t->per_s < 1000 ? 1 : t->per_s / 1000;

	if (!t->per_s || !t->busy)
		piece_ms = t->ms;
	for (int64_t left = t->ms; left > 0; left -= piece_ms) {
		if (t->per_s)
			change_some(p, t, n);
		sim_run(&p->s, piece_ms < left ? piece_ms : left);
	}
}

static bool is_storm(const struct play *p)
{
	return p->s.n_sent > SENT_MOST;
}

static void play_steps(struct play *p)
{
	const struct scenario *c = p->c;

	for (int i = 0; i < c->n_steps && !is_storm(p); i++) {
		trace_step(p->o->trace, &p->s, i, &c->steps[i]);
		p->state = c->steps[i].seed | 1;
		act(p, &c->steps[i]);
		pass_time(p, &c->steps[i]);
	}
}

/* ---- the end ------------------------------------------------------------ */

/* Flows end until every cache has room for what is left, and to spare: what it
 * had to refuse is asked for when an eighth is free. */
static void make_room(struct play *p)
{
	struct sim *s = &p->s;
	uint32_t most = p->c->cache_limit / 4 * 3, all = 0;

	for (int i = 0; i < s->n_nodes; i++)
		all += s->nodes[i].kernel.n_alive;
	for (uint32_t flow = 0; all > most && flow < p->c->n_flows; flow++)
		for (int i = 0; i < s->n_nodes && all > most; i++) {
			all -= s->nodes[i].kernel.n_alive;
			sim_flow_end(s, i, flow);
			all += s->nodes[i].kernel.n_alive;
		}
}

static void make_whole(struct play *p)
{
	struct sim *s = &p->s;

	heal(s);
	for (int i = 0; i < s->n_nodes; i++) {
		for (int k = 0; k < SIM_LINKS_MAX; k++)
			sim_set_link(s, i, k, true);
		if (i == p->c->lost)
			sim_kill(s, i);
		else
			resume(p, i,
			       &(struct start){ .first_seq = p->c->last_seq[i],
						.asks = true });
	}
	make_room(p);
	s->faults = p->c->last;
	if (p->o->mode == mode_notrack) /* what it tells is not told again */
		s->faults.loss = 0;
	if (!p->had_bits)
		return;
	sim_run(s, BITS_MS);
	for (int i = 0; i < s->n_nodes; i++)
		ask(p, i, ASK_BULK, false);
}

static int64_t repair_limit_ms(const struct play *p)
{
	const struct sim_faults *w = &p->c->last;

	return REPAIR_MS + (40 + 4 * (int64_t)w->loss) * w->delay_ms +
	       3000 * (int64_t)w->loss;
}

static bool fails(struct play *p, const char *class, const char *what)
{
	snprintf(p->why, WHY_SIZE, "%s%s%s", class, *class ? " " : "", what);
	return false;
}

static bool has_reference(const struct play *p)
{
	return p->s.nodes[1].reference;
}

static bool is_right_with_reference(struct play *p)
{
	const struct judge_opts o = { .ours = 0,
				      .reference = 1,
				      .n_flows = p->c->n_flows,
				      .asked = p->asked[0] };
	uint32_t n[CAUSE_N];
	bool ok = judge(&p->s, &o, n, p->why);

	if (p->o->n_excused)
		memcpy(p->o->n_excused, n, sizeof(n));
	return ok;
}

static bool is_right(struct play *p)
{
	const char *why;

	if (has_reference(p))
		return is_right_with_reference(p);
	if (sim_is_complete(&p->s))
		return true;
	why = sim_difference(&p->s);
	return fails(p, "", why);
}

static bool is_repaired(struct play *p)
{
	int64_t limit_ms = p->s.now_ms + repair_limit_ms(p);

	while (!is_right(p)) {
		if (is_storm(p))
			return fails(p, "storm:", "too many datagrams");
		if (p->s.now_ms >= limit_ms)
			return false;
		sim_run(&p->s, CHECK_MS);
	}
	return true;
}

static bool stays_right(struct play *p)
{
	char why[WHY_SIZE];

	p->s.faults = (struct sim_faults){ .delay_ms = 1 };
	sim_run(&p->s, SETTLE_MS);
	if (is_right(p))
		return true;
	memcpy(why, p->why, sizeof(why));
	snprintf(p->why, WHY_SIZE, "later %.180s", why);
	return false;
}

struct counts {
	uint64_t n_sent, n_turns, n_events;
};

static struct counts count(const struct sim_node *n)
{
	return (struct counts){
		.n_sent = n->n_sent,
		.n_turns = n->n_turns,
		.n_events = n->events[ENGINE_BULK_BEGINS] +
			    n->events[ENGINE_PEER_DEAF] +
			    n->events[ENGINE_PEER_SILENT] +
			    n->events[ENGINE_PEER_RETURNED] +
			    n->events[ENGINE_PEER_RESTARTED],
	};
}

/* Datagrams of one node in IDLE_MS. In ALARM each entry is told again. */
static uint64_t most_sent(const struct play *p)
{
	if (is_alarm(p))
		return UINT64_MAX;
	return has_reference(p) ? IDLE_SENT_WITH_REFERENCE : IDLE_SENT_MOST;
}

static uint64_t most_turns(const struct play *p)
{
	return is_alarm(p) ? UINT64_MAX : IDLE_TURNS_MOST;
}

static bool is_quiet(struct play *p)
{
	struct counts before[SIM_NODES_MAX];
	struct sim *s = &p->s;
	char text[80];

	for (int i = 0; i < s->n_nodes; i++)
		before[i] = count(&s->nodes[i]);
	sim_run(s, IDLE_MS);
	for (int i = 0; i < s->n_nodes; i++) {
		struct counts now = count(&s->nodes[i]);

		snprintf(text, sizeof(text),
			 "node %d: %" PRIu64 " datagrams, %" PRIu64
			 " turns, %" PRIu64 " events",
			 i, now.n_sent - before[i].n_sent,
			 now.n_turns - before[i].n_turns,
			 now.n_events - before[i].n_events);
		if (now.n_sent - before[i].n_sent > most_sent(p))
			return fails(p, "restless:", text);
		if (now.n_turns - before[i].n_turns > most_turns(p))
			return fails(p, "busy:", text);
		if (now.n_events != before[i].n_events)
			return fails(p, "events:", text);
	}
	return true;
}

/* Control messages that are neither held nor free, so waiting to be sent or
 * lost track of; no statistic has them. */
static uint32_t count_leaked(const struct play *p, struct engine *e)
{
	const struct ctl_pool *pool;
	struct engine_walk walk = { 0 };
	struct engine_held held;
	uint32_t n_free = 0;

	if (is_alarm(p)) /* it has none */
		return 0;
	pool = p->o->mode == mode_notrack
		       ? &CONTAINER_OF(e, struct notrack, base)->l.outbox.pool
		       : &CONTAINER_OF(e, struct ftfw, base)->l.outbox.pool;

	for (uint32_t id = pool->first_free; id; id = pool->all[id].next)
		n_free++;
	while (e->ops->held(e, &walk, &held))
		if (held.is_control)
			return 0; /* a chain, of a length that is not told */
	return pool->n_all ? pool->n_all - 1 - n_free : 0;
}

/* A reference that is silent cannot sweep: the ends it missed are kept. */
static bool owes_a_reference(const struct sim_node *n)
{
	const struct roster *t = node_peers(n->node);

	for (int i = 0; i < PEER_MAX; i++)
		if (t->peers[i].is_used && !t->peers[i].is_live &&
		    t->peers[i].is_reference)
			return true;
	return false;
}

static bool is_clean_node(struct play *p, int node)
{
	struct sim_node *n = &p->s.nodes[node];
	const struct store_stats *c = flow_cache_stats(n->internal);
	struct engine_stats st = sim_stats(&p->s, node).engine;
	uint32_t n_up = 0;
	char text[80];

	for (int i = 0; i < p->s.n_nodes; i++)
		n_up += p->s.nodes[i].is_up;
	snprintf(text, sizeof(text),
		 "node %d: %u outstanding, %u dirty, %u dead, %u peers, %u "
		 "leaked",
		 node, st.n_outstanding, st.n_dirty, c->n_entries - c->n_active,
		 st.n_peers_live, count_leaked(p, n->engine));
	if (st.n_outstanding > OUTSTANDING_MOST || st.n_dirty ||
	    (c->n_entries != c->n_active && !owes_a_reference(n)) ||
	    st.n_peers_live != n_up - 1 ||
	    count_leaked(p, n->engine) > WAITING_MOST)
		return fails(p, "left over:", text);
	if (sim_malformed(&p->s, node) && !p->had_bits)
		return fails(p, "malformed:", text);
	return true;
}

static bool is_clean(struct play *p)
{
	for (int i = 0; i < p->s.n_nodes; i++)
		if (p->s.nodes[i].node && !is_clean_node(p, i))
			return false;
	return true;
}

static void begin(struct play *p)
{
	const struct scenario *c = p->c;
	struct sim *s = &p->s;
	struct start first = { .asks = true };

	sim_init(s, c->seed, c->n_nodes);
	s->mode = p->o->mode;
	s->has_expectations = !c->has_reference;
	if (is_alarm(p)) {
		s->refresh_s = REFRESH_S;
		s->cache_timeout_s = CACHE_TIMEOUT_S;
	}
	s->resend_queue_size = c->resend_queue_size;
	s->ack_window = c->ack_window;
	s->cache_limit = c->cache_limit;
	s->sent_most = SENT_MOST;
	for (int i = 0; i < c->n_nodes; i++)
		s->nodes[i].name[0] = (uint8_t)(c->image_of[i] + 1);
	set_weather(p, &c->weather);
	for (int i = 0; i < c->n_nodes; i++) {
		first.is_reference = i == 1 && c->has_reference;
		first.first_seq = c->first_seq[i];
		if (c->up >> i & 1)
			resume(p, i, &first);
	}
}

bool play(const struct scenario *c, const struct play_opts *o,
	  char why[WHY_SIZE])
{
	struct play p = { .c = c, .o = o, .why = why };
	struct trace t = { .out = o->trace,
			   .has_datagrams = o->has_datagrams,
			   .sim = &p.s };
	struct sim_watch watch;
	bool ok;

	begin(&p);
	trace_watch(&t, &watch);
	if (o->trace)
		p.s.watch = &watch;
	play_steps(&p);
	trace_note(o->trace, &p.s, "healed");
	make_whole(&p);
	ok = is_repaired(&p) && stays_right(&p) && is_quiet(&p) && is_clean(&p);
	if (!ok)
		trace_note(o->trace, &p.s, why);
	trace_nodes(o->trace, &p.s);
	sim_fini(&p.s);
	return ok;
}
