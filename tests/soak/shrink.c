/* SPDX-License-Identifier: ISC */
#include "shrink.h"

#include <string.h>

struct shrink {
	struct scenario *c;
	const struct play_opts *o;
	char *why;
	char class[WHY_SIZE]; /* first word */
	bool is_progress;
};

static void first_word(const char *text, char out[WHY_SIZE])
{
	size_t n = strcspn(text, " :");

	memcpy(out, text, n);
	out[n] = 0;
}

/* Keeps the smaller scenario if it fails in the same way. */
static bool attempt(struct shrink *s, const struct scenario *smaller)
{
	char why[WHY_SIZE], class[WHY_SIZE];

	if (play(smaller, s->o, why))
		return false;
	first_word(why, class);
	if (strcmp(class, s->class) != 0)
		return false;
	*s->c = *smaller;
	memcpy(s->why, why, WHY_SIZE);
	s->is_progress = true;
	return true;
}

static void drop_steps(struct shrink *s)
{
	for (int n = s->c->n_steps / 2; n > 0; n /= 2)
		for (int i = 0; i + n <= s->c->n_steps;) {
			struct scenario t = *s->c;

			memmove(&t.steps[i], &t.steps[i + n],
				sizeof(t.steps[0]) *
					(size_t)(t.n_steps - i - n));
			t.n_steps -= n;
			if (!attempt(s, &t))
				i += n;
		}
}

/* Does one thing to the scenario, or to one of its steps. False: there is
 * nothing to do. */
typedef bool (*scenario_fn)(struct scenario *c);
typedef bool (*step_fn)(struct step *t);

static bool clear_weather(struct sim_faults *w)
{
	const struct sim_faults good = { .bytes_per_s = 125000000,
					 .queue_ms = 2,
					 .delay_ms = 1 };

	if (memcmp(w, &good, sizeof(good)) == 0)
		return false;
	*w = good;
	return true;
}

static bool good_first(struct scenario *c)
{
	return clear_weather(&c->weather);
}

static bool good_last(struct scenario *c)
{
	return clear_weather(&c->last);
}

static bool large_ring(struct scenario *c)
{
	bool is_change = c->resend_queue_size != 131072;

	c->resend_queue_size = 131072;
	return is_change;
}

static bool large_window(struct scenario *c)
{
	bool is_change = c->ack_window != 300;

	c->ack_window = 300;
	return is_change;
}

static bool large_cache(struct scenario *c)
{
	bool is_change = c->cache_limit != 1000000;

	c->cache_limit = 1000000;
	return is_change;
}

static bool nobody_lost(struct scenario *c)
{
	bool is_change = c->lost >= 0;

	c->lost = -1;
	return is_change;
}

/* A node fewer, if no step is about the last one. */
static bool fewer_nodes(struct scenario *c)
{
	int last = c->n_nodes - 1;

	if (last < 2 || c->lost == last)
		return false;
	for (int i = 0; i < c->n_steps; i++) {
		struct step *t = &c->steps[i];

		if (t->node == last)
			t->node = last - 1;
		if (t->other == last)
			t->other = last - 1;
		t->busy &= (1U << last) - 1;
	}
	c->n_nodes--;
	c->up &= (1U << last) - 1;
	return true;
}

static bool no_action(struct step *t)
{
	bool is_change = t->what != ACT_NOTHING;

	t->what = ACT_NOTHING;
	return is_change;
}

static bool no_traffic(struct step *t)
{
	bool is_change = t->busy && t->per_s;

	t->busy = 0;
	return is_change;
}

static bool one_busy(struct step *t)
{
	bool is_change = t->per_s && (t->busy & (t->busy - 1));

	t->busy &= t->busy - 1;
	return is_change;
}

static bool few_flows(struct step *t)
{
	bool is_change = t->busy && t->per_s && t->n_flows > 1;

	t->n_flows = (t->n_flows + 3) / 4;
	return is_change;
}

static bool few_changes(struct step *t)
{
	bool is_change = t->busy && t->per_s > 10;

	t->per_s /= 10;
	return is_change;
}

static bool short_time(struct step *t)
{
	bool is_change = t->ms > 1;

	t->ms = (t->ms + 1) / 2;
	return is_change;
}

static bool no_loss(struct step *t)
{
	bool is_change = t->what == ACT_WEATHER && t->weather.loss;

	t->weather.loss = 0;
	return is_change;
}

static bool no_duplicate(struct step *t)
{
	bool is_change = t->what == ACT_WEATHER && t->weather.duplicate;

	t->weather.duplicate = 0;
	return is_change;
}

static bool no_reorder(struct step *t)
{
	bool is_change = t->what == ACT_WEATHER && t->weather.reorder;

	t->weather.reorder = 0;
	return is_change;
}

static bool full_rate(struct step *t)
{
	bool is_change =
		t->what == ACT_WEATHER && t->weather.bytes_per_s < 125000000;

	t->weather.bytes_per_s = 125000000;
	t->weather.queue_ms = 2;
	t->weather.drops_overflow = false;
	return is_change;
}

static bool no_delay(struct step *t)
{
	bool is_change = t->what == ACT_WEATHER && t->weather.delay_ms > 1;

	t->weather.delay_ms = 1;
	return is_change;
}

static void change_steps(struct shrink *s, step_fn fn)
{
	for (int i = 0; i < s->c->n_steps; i++) {
		struct scenario t = *s->c;

		while (fn(&t.steps[i]) && attempt(s, &t))
			t = *s->c;
	}
}

static void change_whole(struct shrink *s, scenario_fn fn)
{
	struct scenario t = *s->c;

	while (fn(&t) && attempt(s, &t))
		t = *s->c;
}

void shrink(struct scenario *c, const struct play_opts *o, char why[WHY_SIZE])
{
	static const scenario_fn whole[] = { fewer_nodes, nobody_lost,
					     good_first,  good_last,
					     large_ring,  large_cache,
					     large_window };
	static const step_fn steps[] = { no_action,    no_traffic, one_busy,
					 few_changes,  few_flows,  no_loss,
					 no_duplicate, no_reorder, full_rate,
					 no_delay,     short_time };
	struct shrink s = { .c = c, .o = o, .why = why, .is_progress = true };

	first_word(why, s.class);
	while (s.is_progress) {
		s.is_progress = false;
		drop_steps(&s);
		for (size_t i = 0; i < N_ELEMENTS(whole); i++)
			change_whole(&s, whole[i]);
		for (size_t i = 0; i < N_ELEMENTS(steps); i++)
			change_steps(&s, steps[i]);
	}
}
