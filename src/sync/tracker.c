/* SPDX-License-Identifier: ISC */
#include "sync/tracker.h"

#include <string.h>

#include "sync/seq.h"

enum {
	REASK_MOST_MS = 1000,
	/* Of a run; of more than half of all numbers the end would seem to be
	 * before the begin. */
	RUN_MOST = 1 << 29,
};

static void widen(struct seq_run *run, bool *is_set, uint32_t from, uint32_t to)
{
	if (!*is_set || seq_before(from, run->from))
		run->from = from;
	if (!*is_set || seq_after(to, run->to))
		run->to = to;
	*is_set = true;
}

/* Cuts off what lies before oldest; false: nothing is left. */
static bool cut(struct seq_run *run, uint32_t oldest)
{
	if (seq_after(oldest, run->to))
		return false;
	if (seq_after(oldest, run->from))
		run->from = oldest;
	return true;
}

static void ask(struct tracker *t, uint32_t from, uint32_t to, int64_t due_ms)
{
	if (!t->is_ask_due || due_ms < t->ask_due_ms)
		t->ask_due_ms = due_ms;
	widen(&t->unasked, &t->is_ask_due, from, to);
}

uint32_t tracker_miss(struct tracker *t, uint32_t seq, int64_t due_ms)
{
	ask(t, t->last + 1, seq - 1, due_ms);
	widen(&t->gap, &t->has_gap, t->last + 1, seq - 1);
	return seq - t->last - 1;
}

static void forget_oldest(struct tracker *t, uint8_t n)
{
	t->n_runs -= n;
	memmove(t->runs, t->runs + n, t->n_runs * sizeof(t->runs[0]));
}

static void add_run(struct tracker *t, uint32_t from, uint32_t to)
{
	struct seq_run *last = t->n_runs ? &t->runs[t->n_runs - 1] : NULL;

	if (last && last->to + 1 == from) {
		last->to = to;
		if (to - last->from > RUN_MOST)
			last->from = to - RUN_MOST;
		return;
	}
	if (t->n_runs == TRACKER_RUNS)
		forget_oldest(t, 1);
	t->runs[t->n_runs++] = (struct seq_run){ from, to };
}

static void want_ack(struct tracker *t, int64_t due_ms)
{
	if (!t->is_ack_due || due_ms < t->ack_due_ms)
		t->ack_due_ms = due_ms;
	t->is_ack_due = true;
}

void tracker_take(struct tracker *t, uint32_t seq, int64_t ack_due_ms,
		  int64_t now_ms)
{
	if (!t->is_set)
		t->first = seq;
	t->is_set = true;
	t->last = seq;
	t->in_order_ms = now_ms;
	t->n_refused_row = 0;
	t->has_wild = false;
	add_run(t, seq, seq);
	if (ack_due_ms != INT64_MAX)
		want_ack(t, ack_due_ms);
}

void tracker_held(struct tracker *t, uint32_t oldest, int64_t again_ms,
		  int64_t now_ms)
{
	uint8_t n = 0;

	while (n < t->n_runs && !cut(&t->runs[n], oldest))
		n++;
	forget_oldest(t, n);
	t->has_gap = t->has_gap && cut(&t->gap, oldest);
	if (!t->has_gap)
		t->reask_interval_ms = 0;
	t->is_ask_due = t->is_ask_due && cut(&t->unasked, oldest);
	if (t->has_gap && !t->is_ask_due && now_ms >= t->reask_ms)
		ask(t, t->gap.from, t->gap.to, now_ms);
	/* It may have missed the acknowledgement. */
	if (t->n_runs && !seq_after(oldest, t->last) &&
	    now_ms - t->acked_ms >= again_ms)
		want_ack(t, now_ms);
}

int64_t tracker_due_ms(const struct tracker *t)
{
	int64_t due_ms = t->is_ack_due ? t->ack_due_ms : INT64_MAX;

	return t->is_ask_due && t->ask_due_ms < due_ms ? t->ask_due_ms : due_ms;
}

void tracker_acked(struct tracker *t, int64_t now_ms)
{
	t->is_ack_due = false;
	t->acked_ms = now_ms;
	t->n_unacked = 0;
}

void tracker_asked(struct tracker *t, int64_t again_ms, int64_t now_ms)
{
	bool is_again = t->unasked.from == t->gap.from;

	t->is_ask_due = false;
	t->reask_interval_ms = is_again ? 2 * t->reask_interval_ms : again_ms;
	if (t->reask_interval_ms < again_ms)
		t->reask_interval_ms = again_ms;
	if (t->reask_interval_ms > REASK_MOST_MS)
		t->reask_interval_ms = REASK_MOST_MS;
	t->reask_ms = now_ms + t->reask_interval_ms;
}

void tracker_told(struct tracker *t, int64_t now_ms)
{
	if (t->n_runs > 1)
		forget_oldest(t, 1);
	else
		tracker_acked(t, now_ms);
}

void tracker_join(struct tracker *t, const struct tracker *other,
		  int64_t now_ms)
{
	struct tracker old = *t;

	if (!other->is_set ||
	    (old.is_set && !seq_after(other->first, old.last)))
		return;
	*t = *other;
	if (!old.is_set)
		return;
	t->first = old.first;
	t->n_runs = 0;
	for (uint8_t i = 0; i < old.n_runs; i++)
		add_run(t, old.runs[i].from, old.runs[i].to);
	for (uint8_t i = 0; i < other->n_runs; i++)
		add_run(t, other->runs[i].from, other->runs[i].to);
	want_ack(t, now_ms);
	if (other->first != old.last + 1) {
		ask(t, old.last + 1, other->first - 1, now_ms);
		widen(&t->gap, &t->has_gap, old.last + 1, other->first - 1);
	}
	if (old.is_ask_due)
		ask(t, old.unasked.from, old.unasked.to, old.ask_due_ms);
	if (old.has_gap)
		widen(&t->gap, &t->has_gap, old.gap.from, old.gap.to);
}
