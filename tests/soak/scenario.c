/* SPDX-License-Identifier: ISC */
#include "scenario.h"

#include <inttypes.h>
#include <string.h>

#include "base/util.h"

enum { NO_LIMIT = 1000000 };

static const char *const feature_names[] = {
	[WITH_LOSS] = "loss",           [WITH_DUPLICATE] = "duplicate",
	[WITH_REORDER] = "reorder",     [WITH_BITS] = "bits",
	[WITH_DELAY] = "delay",         [WITH_SLOW] = "slow",
	[WITH_KILL] = "kill",           [WITH_REBOOT] = "reboot",
	[WITH_PARTITION] = "partition", [WITH_ONEWAY] = "oneway",
	[WITH_LINK] = "link",           [WITH_ASK] = "ask",
	[WITH_RING] = "ring",           [WITH_LIMIT] = "limit",
	[WITH_WRAP] = "wrap",           [WITH_NEAR] = "near",
	[WITH_IMAGE] = "image",         [WITH_RENAME] = "rename",
	[WITH_LOST] = "lost",
};
_Static_assert(N_ELEMENTS(feature_names) == FEATURE_N, "each has a name");

const char *feature_name(enum feature f)
{
	return feature_names[f];
}

/* ---- drawing ------------------------------------------------------------ */

/* Everything is drawn whatever the features are, and then left out: so what is
 * left is the same. */
struct dice {
	uint64_t state;
	uint32_t features;
};

static uint64_t roll(struct dice *d, uint64_t below)
{
	uint64_t x = d->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) % below;
}

static uint32_t roll32(struct dice *d, uint32_t below)
{
	return (uint32_t)roll(d, below);
}

static bool has(const struct dice *d, enum feature f)
{
	return d->features >> f & 1;
}

static unsigned int percent(struct dice *d, enum feature f, unsigned int most)
{
	bool is_on = roll32(d, 2);
	unsigned int n = roll32(d, most);

	return is_on && has(d, f) ? n : 0;
}

/* One that is short most of the time. */
static int64_t delay_ms(struct dice *d)
{
	static const uint64_t most[] = { 1, 2, 4, 4, 20, 100 };
	int64_t ms = (int64_t)roll(d, most[roll(d, N_ELEMENTS(most))]);
	bool is_long = roll(d, 12) == 0;
	int64_t long_ms = (int64_t)roll(d, roll(d, 2) ? 1000 : 4000);

	return is_long && has(d, WITH_DELAY) ? long_ms : ms;
}

static void draw_rate(struct dice *d, struct sim_faults *w)
{
	bool is_slow = roll(d, 5) == 0;
	uint32_t slow = 5000 + roll32(d, roll32(d, 2) ? 30000 : 1000000);
	int64_t queue_ms = 1 + (int64_t)roll(d, roll(d, 2) ? 100 : 2000);
	bool drops = roll(d, 2);

	w->bytes_per_s = 125000000;
	w->queue_ms = 2;
	if (!is_slow || !has(d, WITH_SLOW))
		return;
	w->bytes_per_s = slow;
	w->queue_ms = queue_ms;
	w->drops_overflow = drops;
}

static void draw_weather(struct dice *d, struct sim_faults *w)
{
	unsigned int most_loss = roll(d, 4) ? 12 : 50;
	bool is_bad = roll(d, 8) == 0;
	unsigned int bits = percent(d, WITH_BITS, 5);

	*w = (struct sim_faults){
		.loss = percent(d, WITH_LOSS, most_loss),
		.duplicate = percent(d, WITH_DUPLICATE, 15),
		.reorder = percent(d, WITH_REORDER, 30),
		.bit_error = is_bad ? bits : 0,
		.delay_ms = delay_ms(d),
		.delay_spread_ms = (int64_t)roll(d, roll(d, 4) ? 20 : 400),
	};
	draw_rate(d, w);
}

/* What happens how often, of all. */
static const struct {
	enum action what;
	enum feature needs; /* FEATURE_N: nothing */
	unsigned int weight;
} action_rows[] = {
	{ ACT_NOTHING, FEATURE_N, 4 },    { ACT_WEATHER, FEATURE_N, 4 },
	{ ACT_KILL, WITH_KILL, 2 },       { ACT_RESUME, WITH_KILL, 4 },
	{ ACT_RESTART, WITH_KILL, 2 },    { ACT_REBOOT, WITH_REBOOT, 2 },
	{ ACT_RENAME, WITH_RENAME, 1 },   { ACT_ISOLATE, WITH_PARTITION, 2 },
	{ ACT_SPLIT, WITH_PARTITION, 1 }, { ACT_CUT_WAY, WITH_ONEWAY, 2 },
	{ ACT_HEAL, FEATURE_N, 5 },       { ACT_LINK_DOWN, WITH_LINK, 2 },
	{ ACT_LINK_UP, WITH_LINK, 2 },    { ACT_BULK, WITH_ASK, 1 },
	{ ACT_RESYNC, WITH_ASK, 1 },      { ACT_FLUSH, WITH_ASK, 1 },
};

static enum action draw_action(struct dice *d)
{
	unsigned int all = 0, at;

	for (size_t i = 0; i < N_ELEMENTS(action_rows); i++)
		all += action_rows[i].weight;
	at = roll32(d, all);
	for (size_t i = 0; i < N_ELEMENTS(action_rows); i++) {
		enum feature needs = action_rows[i].needs;

		if (at >= action_rows[i].weight) {
			at -= action_rows[i].weight;
			continue;
		}
		return needs == FEATURE_N || has(d, needs) ? action_rows[i].what
							   : ACT_NOTHING;
	}
	return ACT_NOTHING;
}

/* Near to where numbers wrap, to each other, or anywhere. */
static uint32_t draw_first_seq(struct dice *d)
{
	bool wraps = roll(d, 4) == 0, is_near = roll(d, 4) == 0;
	uint32_t back = roll32(d, 5000), ahead = roll32(d, 3000);
	uint32_t seq = roll32(d, UINT32_MAX);

	if (wraps && has(d, WITH_WRAP))
		return UINT32_MAX - back;
	if (is_near && has(d, WITH_NEAR))
		return 1000000 + ahead;
	return seq;
}

static bool is_restart(enum action what)
{
	return what == ACT_KILL || what == ACT_RESUME || what == ACT_RESTART ||
	       what == ACT_REBOOT;
}

static void draw_step(struct dice *d, const struct scenario *c, struct step *t)
{
	static const int64_t most_ms[] = { 10, 100, 1000, 1000, 4000, 20000 };
	static const uint32_t per_s[] = { 0, 0, 10, 100, 1000, 4000 };
	uint32_t n = (uint32_t)c->n_nodes;

	*t = (struct step){ .what = draw_action(d) };
	t->node = (int)roll(d, n);
	t->other = (int)roll(d, n);
	if (c->has_reference && has(d, WITH_LINK) && is_restart(t->what))
		t->node = 0;
	t->link = (int)roll(d, SIM_LINKS_MAX);
	draw_weather(d, &t->weather);
	t->first_seq = draw_first_seq(d);
	t->ms = 1 + (int64_t)roll(
			    d, (uint64_t)most_ms[roll(d, N_ELEMENTS(most_ms))]);
	t->is_reference = roll(d, 4) && c->has_reference && t->node == 1;
	t->asks = roll(d, 4);
	t->busy = roll32(d, 1U << n);
	t->per_s = per_s[roll(d, N_ELEMENTS(per_s))];
	/* a long time has few changes, or it takes long to play */
	if (t->ms > 1000 && t->per_s > 100)
		t->per_s = 100;
	t->n_flows = c->n_flows;
	t->seed = roll(d, UINT64_MAX);
}

static void draw_names(struct dice *d, struct scenario *c)
{
	bool is_copied = roll(d, 8) == 0;
	int of = (int)roll(d, (uint64_t)c->n_nodes);
	int copy = (int)roll(d, (uint64_t)c->n_nodes);

	for (int i = 0; i < SIM_NODES_MAX; i++)
		c->image_of[i] = i;
	if (is_copied && has(d, WITH_IMAGE))
		c->image_of[copy] = of;
}

/* Most of the time the weather is good in the end; at times it still delays
 * or loses, and all must be repaired in it too. */
static void draw_last(struct dice *d, struct scenario *c)
{
	bool is_late = roll(d, 6) == 0, loses = roll(d, 6) == 0;
	int64_t ms = (int64_t)roll(d, 4000);
	unsigned int loss = roll32(d, 20);

	c->last = (struct sim_faults){ .bytes_per_s = 125000000,
				       .queue_ms = 2,
				       .delay_ms = 1 };
	if (is_late && has(d, WITH_DELAY))
		c->last.delay_ms = ms;
	if (loses && has(d, WITH_LOSS))
		c->last.loss = loss;
}

/* What a reference cannot bear: it has one tracker for all, and believes what
 * wrong bits say for good. */
static const uint32_t features_alone = 1U << WITH_BITS | 1U << WITH_LIMIT |
				       1U << WITH_IMAGE | 1U << WITH_RENAME |
				       1U << WITH_LOST;

/* A node is known again by its name or its place, a reference by its place or
 * by numbers that go on. When all of these change at once, it is another node
 * to everybody: so either links may change, or the other sign may. */
static void leave_one_sign(struct dice *d, const struct scenario *c)
{
	bool by_link = roll(d, 2) && has(d, WITH_LINK);

	if (!by_link)
		d->features &= ~(1U << WITH_LINK);
	else if (!c->has_reference)
		d->features &= ~(1U << WITH_RENAME);
}

/* The sizes of a cluster. */
static void draw_sizes(struct dice *d, struct scenario *c)
{
	static const uint32_t windows[] = { 1, 20, 300, 300 };
	static const uint32_t flows[] = { 5, 50, 50, 400, 400, 2000 };
	static const uint32_t rings[] = { 1, 16384, 131072, 131072 };
	bool is_small = roll(d, 6) == 0;
	uint32_t limit, ring;

	c->n_nodes = 2 + (int)roll(d, 4);
	if (c->has_reference)
		c->n_nodes = 2;
	ring = rings[roll(d, N_ELEMENTS(rings))];
	c->resend_queue_size = has(d, WITH_RING) ? ring : 131072;
	c->ack_window = windows[roll(d, N_ELEMENTS(windows))];
	c->n_flows = flows[roll(d, N_ELEMENTS(flows))];
	limit = 1 + roll32(d, c->n_flows * (uint32_t)c->n_nodes);
	c->cache_limit = is_small && has(d, WITH_LIMIT) ? limit : NO_LIMIT;
	if (!c->has_reference)
		return;
	/* it keeps that very size, and answers each message with 1 */
	if (c->resend_queue_size < 4096)
		c->resend_queue_size = 4096;
	if (c->ack_window < 20)
		c->ack_window = 20;
}

static bool has_bits(const struct scenario *c)
{
	bool has_some = c->weather.bit_error;

	for (int i = 0; i < c->n_steps; i++)
		has_some |= c->steps[i].weather.bit_error != 0;
	return has_some;
}

void scenario_draw(struct scenario *c, uint64_t seed, uint32_t features,
		   bool has_reference)
{
	struct dice d = { seed * UINT64_C(0x2545f4914f6cdd1d), features };
	bool loses_one = roll(&d, 6) == 0;
	uint32_t lost;

	*c = (struct scenario){ .seed = seed,
				.lost = -1,
				.has_reference = has_reference };
	if (has_reference)
		d.features &= ~features_alone;
	leave_one_sign(&d, c);
	draw_sizes(&d, c);
	draw_names(&d, c);
	draw_weather(&d, &c->weather);
	c->up = roll32(&d, 1U << c->n_nodes) | roll32(&d, 1U << c->n_nodes);
	c->n_steps = 3 + (int)roll(&d, STEPS_MAX - 3);
	for (int i = 0; i < c->n_steps; i++)
		draw_step(&d, c, &c->steps[i]);
	draw_last(&d, c);
	for (int i = 0; i < SIM_NODES_MAX; i++) {
		c->first_seq[i] = draw_first_seq(&d);
		c->last_seq[i] = draw_first_seq(&d);
	}
	lost = roll32(&d, (uint32_t)c->n_nodes);
	/* what it leaves takes room, and with wrong bits may be anything */
	if (loses_one && c->n_nodes > 2 && has(&d, WITH_LOST) &&
	    c->cache_limit == NO_LIMIT && !has_bits(c))
		c->lost = (int)lost;
}

/* ---- telling ------------------------------------------------------------ */

static const char *const action_names[] = {
	[ACT_NOTHING] = "nothing", [ACT_WEATHER] = "weather",
	[ACT_KILL] = "kill",       [ACT_RESUME] = "resume",
	[ACT_RESTART] = "restart", [ACT_REBOOT] = "reboot",
	[ACT_RENAME] = "rename",   [ACT_ISOLATE] = "isolate",
	[ACT_SPLIT] = "split",     [ACT_CUT_WAY] = "cut",
	[ACT_HEAL] = "heal",       [ACT_LINK_DOWN] = "link down",
	[ACT_LINK_UP] = "link up", [ACT_BULK] = "-B",
	[ACT_RESYNC] = "-n",       [ACT_FLUSH] = "-f external, -n",
};
_Static_assert(N_ELEMENTS(action_names) == ACTION_N, "each has a name");

static void weather_print(const struct sim_faults *w, FILE *out)
{
	fprintf(out, " delay %" PRId64, w->delay_ms);
	if (w->loss)
		fprintf(out, " loss %u", w->loss);
	if (w->duplicate)
		fprintf(out, " duplicate %u", w->duplicate);
	if (w->reorder)
		fprintf(out, " reorder %u by %" PRId64, w->reorder,
			w->delay_spread_ms);
	if (w->bit_error)
		fprintf(out, " bits %u", w->bit_error);
	if (w->bytes_per_s < 125000000)
		fprintf(out, " %u B/s, queue %" PRId64 "%s", w->bytes_per_s,
			w->queue_ms, w->drops_overflow ? ", drops" : "");
}

static bool is_about_node(enum action what)
{
	return what != ACT_NOTHING && what != ACT_WEATHER && what != ACT_HEAL;
}

void step_print(const struct step *t, FILE *out)
{
	fprintf(out, "%s", action_names[t->what]);
	if (is_about_node(t->what))
		fprintf(out, " node %d", t->node);
	if (t->what == ACT_RESUME || t->what == ACT_RESTART ||
	    t->what == ACT_REBOOT)
		fprintf(out, "%s%s", t->is_reference ? " as reference" : "",
			t->asks ? " that asks" : "");
	if (t->what == ACT_CUT_WAY)
		fprintf(out, " to %d", t->other);
	if (t->what == ACT_LINK_DOWN || t->what == ACT_LINK_UP)
		fprintf(out, " link %d", t->link);
	if (t->what == ACT_WEATHER)
		weather_print(&t->weather, out);
	fprintf(out, "; %" PRId64 " ms", t->ms);
	if (t->busy && t->per_s)
		fprintf(out, " with %u changes/s at nodes 0x%x of %u flows",
			t->per_s, t->busy, t->n_flows);
}

void scenario_print(const struct scenario *c, FILE *out)
{
	fprintf(out,
		"seed %" PRIu64 ": %d nodes, ring %u, window %u, limit %u, "
		"%u flows, up at first 0x%x;",
		c->seed, c->n_nodes, c->resend_queue_size, c->ack_window,
		c->cache_limit, c->n_flows, c->up);
	weather_print(&c->weather, out);
	for (int i = 0; i < c->n_nodes; i++)
		if (c->image_of[i] != i)
			fprintf(out, "; node %d has the name of %d", i,
				c->image_of[i]);
	fprintf(out, "\n");
	for (int i = 0; i < c->n_steps; i++) {
		fprintf(out, "  %2d ", i);
		step_print(&c->steps[i], out);
		fprintf(out, "\n");
	}
	fprintf(out, "  last:");
	weather_print(&c->last, out);
	if (c->lost >= 0)
		fprintf(out, "; node %d is down", c->lost);
	fprintf(out, "\n");
}
