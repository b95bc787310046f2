/* SPDX-License-Identifier: ISC */
#include "sync/order.h"

#include <string.h>

#include "sync/seq.h"

enum {
	/* Numbers of a known life do not jump further between two of its
	 * announcements. */
	PLAUSIBLE_JUMP = 1 << 20,
	HELLO_NEAR = 4096, /* losses inside a run of HELLOs */
	/* A number further ahead is believed when the next one confirms it: a
	 * single wrong or forged one would deafen us to all before it. */
	SURE_JUMP = 16,
	RESTART_MS = 3000, /* nothing in order for so long, and ... */
	RESTART_ROW = 8,   /* ... so many others in a row: started anew */
	PLAIN_MS = 1200,   /* two announcements: the same for messages that */
	PLAIN_ROW = 3,     /* only a reference says */
	REASK_MOST_MS = 1000,
	/* Of a run; of more than half of all numbers the end would seem to be
	 * before the begin. */
	RUN_MOST = 1 << 29,
};

/* HELLO of a reference node: it has started, its number may lie anywhere. A
 * number close behind the last HELLO's is one of the same start. */
static enum order_verdict judge_hello(const struct order *o, uint32_t seq)
{
	if (o->last_was_hello && seq - o->last - 1 < HELLO_NEAR)
		return seq == o->last + 1 ? ORDER_NEXT : ORDER_GAP;
	if (o->last_was_hello && seq_within(seq, o->hello_first, o->last))
		return ORDER_LATE;
	return ORDER_RESTART;
}

static bool confirms_wild(const struct order *o, uint32_t seq)
{
	return o->has_wild && seq - o->wild - 1 < SURE_JUMP;
}

static enum order_verdict judge_jump(struct order *o, uint32_t seq)
{
	if (confirms_wild(o, seq) || seq - o->last - 1 <= SURE_JUMP)
		return ORDER_GAP;
	o->has_wild = true;
	o->wild = seq;
	return ORDER_WILD;
}

/* By its number alone. */
static enum order_verdict judge_number(struct order *o,
				       const struct order_msg *m)
{
	if (!o->is_set)
		return ORDER_NEXT;
	if (m->is_hello && !m->is_node)
		return judge_hello(o, m->seq);
	if (m->seq == o->last + 1)
		return ORDER_NEXT;
	if (seq_before(m->seq, o->last + 1))
		return ORDER_LATE;
	/* What comes next after an announcement is as good as that. */
	if (m->is_node && !m->has_id && !confirms_wild(o, m->seq) &&
	    m->seq - o->last > PLAUSIBLE_JUMP)
		return ORDER_LATE;
	return judge_jump(o, m->seq);
}

/* Messages that are not accepted, one number after the other, while nothing
 * else comes: the sender has lost its numbers, or another one is in its place.
 * A replayed capture looks the same, but then the real node is still heard in
 * between. A node of ours that we are deaf to, because numbers were forged,
 * asks for an answer, or is silent to us. If a node of ours does not say its id
 * any more, there is a reference now; what only that says tells so sooner. */
static bool is_row_a_restart(struct order *o, const struct order_msg *m,
			     int64_t now_ms)
{
	uint32_t row = m->is_plain || m->has_id ? PLAIN_ROW : RESTART_ROW;
	int64_t silence_ms = m->is_plain ? PLAIN_MS : RESTART_MS;

	o->n_refused_row = m->seq == o->refused_next ? o->n_refused_row + 1 : 1;
	o->refused_next = m->seq + 1;
	if (m->is_content)
		return false;
	if (m->is_node && !m->has_id && now_ms - m->announced_ms < silence_ms)
		return false;
	return o->n_refused_row >= row && now_ms - o->in_order_ms >= silence_ms;
}

enum order_verdict order_judge(struct order *o, const struct order_msg *m,
			       int64_t now_ms)
{
	enum order_verdict v = judge_number(o, m);

	if ((v == ORDER_LATE || v == ORDER_WILD) &&
	    is_row_a_restart(o, m, now_ms))
		return ORDER_RESTART;
	return v;
}

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

static void ask(struct order *o, uint32_t from, uint32_t to, int64_t due_ms)
{
	if (!o->is_ask_due || due_ms < o->ask_due_ms)
		o->ask_due_ms = due_ms;
	widen(&o->unasked, &o->is_ask_due, from, to);
}

uint32_t order_miss(struct order *o, uint32_t seq, int64_t due_ms)
{
	ask(o, o->last + 1, seq - 1, due_ms);
	widen(&o->gap, &o->has_gap, o->last + 1, seq - 1);
	return seq - o->last - 1;
}

static void forget_oldest(struct order *o, uint8_t n)
{
	o->n_runs -= n;
	memmove(o->runs, o->runs + n, o->n_runs * sizeof(o->runs[0]));
}

static void add_run(struct order *o, uint32_t from, uint32_t to)
{
	struct seq_run *last = o->n_runs ? &o->runs[o->n_runs - 1] : NULL;

	if (last && last->to + 1 == from) {
		last->to = to;
		if (to - last->from > RUN_MOST)
			last->from = to - RUN_MOST;
		return;
	}
	if (o->n_runs == ORDER_RUNS)
		forget_oldest(o, 1);
	o->runs[o->n_runs++] = (struct seq_run){ from, to };
}

static void want_ack(struct order *o, int64_t due_ms)
{
	if (!o->is_ack_due || due_ms < o->ack_due_ms)
		o->ack_due_ms = due_ms;
	o->is_ack_due = true;
}

bool order_fills(struct order *o, uint32_t window)
{
	return ++o->n_unacked >= window;
}

void order_take(struct order *o, const struct order_msg *m, int64_t ack_due_ms,
		int64_t now_ms)
{
	if (!o->is_set)
		o->first = m->seq;
	o->is_set = true;
	o->last = m->seq;
	o->in_order_ms = now_ms;
	o->n_refused_row = 0;
	o->has_wild = false;
	if (m->is_hello && !o->last_was_hello)
		o->hello_first = m->seq;
	o->last_was_hello = m->is_hello;
	add_run(o, m->seq, m->seq);
	if (ack_due_ms != INT64_MAX)
		want_ack(o, ack_due_ms);
}

void order_held(struct order *o, uint32_t oldest, int64_t again_ms,
		int64_t now_ms)
{
	uint8_t n = 0;

	while (n < o->n_runs && !cut(&o->runs[n], oldest))
		n++;
	forget_oldest(o, n);
	o->has_gap = o->has_gap && cut(&o->gap, oldest);
	if (!o->has_gap)
		o->reask_interval_ms = 0;
	o->is_ask_due = o->is_ask_due && cut(&o->unasked, oldest);
	if (o->has_gap && !o->is_ask_due && now_ms >= o->reask_ms)
		ask(o, o->gap.from, o->gap.to, now_ms);
	/* It may have missed the acknowledgement. */
	if (o->n_runs && !seq_after(oldest, o->last) &&
	    now_ms - o->acked_ms >= again_ms)
		want_ack(o, now_ms);
}

int64_t order_due_ms(const struct order *o)
{
	int64_t due_ms = o->is_ack_due ? o->ack_due_ms : INT64_MAX;

	return o->is_ask_due && o->ask_due_ms < due_ms ? o->ask_due_ms : due_ms;
}

void order_acked(struct order *o, int64_t now_ms)
{
	o->is_ack_due = false;
	o->acked_ms = now_ms;
	o->n_unacked = 0;
}

void order_asked(struct order *o, int64_t again_ms, int64_t now_ms)
{
	bool is_again = o->unasked.from == o->gap.from;

	o->is_ask_due = false;
	o->reask_interval_ms = is_again ? 2 * o->reask_interval_ms : again_ms;
	if (o->reask_interval_ms < again_ms)
		o->reask_interval_ms = again_ms;
	if (o->reask_interval_ms > REASK_MOST_MS)
		o->reask_interval_ms = REASK_MOST_MS;
	o->reask_ms = now_ms + o->reask_interval_ms;
}

void order_told(struct order *o, int64_t now_ms)
{
	if (o->n_runs > 1)
		forget_oldest(o, 1);
	else
		order_acked(o, now_ms);
}

void order_join(struct order *o, const struct order *other, int64_t now_ms)
{
	struct order old = *o;

	if (!other->is_set ||
	    (old.is_set && !seq_after(other->first, old.last)))
		return;
	*o = *other;
	if (!old.is_set)
		return;
	o->first = old.first;
	o->n_runs = 0;
	for (uint8_t i = 0; i < old.n_runs; i++)
		add_run(o, old.runs[i].from, old.runs[i].to);
	for (uint8_t i = 0; i < other->n_runs; i++)
		add_run(o, other->runs[i].from, other->runs[i].to);
	want_ack(o, now_ms);
	if (other->first != old.last + 1) {
		ask(o, old.last + 1, other->first - 1, now_ms);
		widen(&o->gap, &o->has_gap, old.last + 1, other->first - 1);
	}
	if (old.is_ask_due)
		ask(o, old.unasked.from, old.unasked.to, old.ask_due_ms);
	if (old.has_gap)
		widen(&o->gap, &o->has_gap, old.gap.from, old.gap.to);
}
