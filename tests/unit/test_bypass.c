/* SPDX-License-Identifier: ISC */
/* Events passed on without an internal cache: by an outbox, to a kernel that
 * answers questions when a batch of them is full. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "random_flow.h"
#include "sync/bypass.h"
#include "sync/outbox.h"

enum { FLOWS = 8, BATCH = 3, LIMIT = 5000, NOW_S = 100 };

struct world {
	struct flow_cache *untold;
	struct filter *filter;
	struct roster roster;
	struct outbox outbox;
	struct bypass b;
	struct kernel_ops ops;
	/* the kernel: what it has, and the questions that wait */
	struct flow table[FLOWS];
	bool is_there[FLOWS];
	struct flow asked[BATCH];
	uint32_t cookies[BATCH];
	int n_asked;
	int error; /* of the next question; 0: none */
	unsigned int n_questions;
	unsigned int n_rooms; /* times that there was room again */
};

/* ---- the kernel --------------------------------------------------------- */

static void answer(struct world *w)
{
	for (int i = 0; i < w->n_asked; i++) {
		unsigned int n = w->asked[i].orig.sport % FLOWS;
		int err = w->error;

		w->error = 0;
		if (!err && !w->is_there[n])
			err = -ENOENT;
		bypass_answer(&w->b, KERNEL_GET, w->cookies[i], err,
			      err ? NULL : &w->table[n]);
	}
	w->n_asked = 0;
}

static int submit(void *self, enum kernel_op op, const struct object *object,
		  uint32_t cookie)
{
	struct world *w = self;

	assert_int_equal(op, KERNEL_GET);
	if (w->n_asked == BATCH)
		answer(w);
	w->asked[w->n_asked] = *object->flow;
	w->cookies[w->n_asked++] = cookie;
	w->n_questions++;
	return 0;
}

static void finish(void *self)
{
	answer(self);
}

/* ---- the engine --------------------------------------------------------- */

static void touch(void *ctx, uint32_t id, enum touch how)
{
	struct world *w = ctx;

	outbox_touch(&w->outbox, id, how);
}

static void on_room(void *ctx)
{
	struct world *w = ctx;

	w->n_rooms++;
}

static void on_removed(void *ctx, struct entry_head *h)
{
	(void)ctx;
	(void)h;
}

/* Tells the next change: N, U or D; 0 if there is none. */
static char tell(struct world *w, struct flow *out)
{
	uint32_t id = w->outbox.dirty.first;
	struct entry_head *h;
	char what;

	if (!flow_cache_stats(w->untold)->n_entries)
		return 0;
	if (id == FLOW_CACHE_NO_ID) /* rows are behind all changes */
		do
			id = flow_cache_next(w->untold, id);
		while (flow_cache_head(w->untold, id)->state == ENTRY_FREE);
	h = flow_cache_head(w->untold, id);
	what = h->state == ENTRY_DEAD    ? 'D'
	       : h->outbox & OUTBOX_SENT ? 'U'
					 : 'N';
	flow_cache_get(w->untold, id, out);
	flow_cache_remove(w->untold, id);
	return what;
}

static void assert_told(struct world *w, const char *want)
{
	struct flow f;

	for (; *want; want++)
		assert_int_equal(tell(w, &f), *want);
	assert_int_equal(tell(w, &f), 0);
	assert_int_equal(flow_cache_stats(w->untold)->n_entries, 0);
}

/* ---- flows -------------------------------------------------------------- */

static struct flow flow_number(unsigned int n)
{
	struct flow f;

	memset(&f, 0, sizeof(f));
	f.has = FLOW_PORTS | FLOW_REPLY | FLOW_STATUS | FLOW_ID | FLOW_MARK |
		FLOW_TCP_STATE;
	f.family = FAMILY_IPV4;
	f.l4proto = L4_TCP;
	f.orig.src.b[0] = 10;
	f.orig.dst.b[0] = 192;
	f.orig.sport = (uint16_t)n;
	f.orig.dport = 80;
	f.status = STATUS_CONFIRMED;
	f.reply = flow_inverse(&f);
	f.id = 1000 + n;
	f.tcp_state = TCP_STATE_ESTABLISHED;
	return f;
}

static void event(struct world *w, enum flow_event type, const struct flow *f)
{
	bypass_event(&w->b, type, ORIGIN_OTHER, f, NOW_S);
}

/* Events of one flow, a letter each. */
static void events(struct world *w, const char *types)
{
	const struct flow f = flow_number(1);

	for (; *types; types++)
		event(w,
		      *types == 'N'   ? FLOW_EVENT_NEW
		      : *types == 'U' ? FLOW_EVENT_UPDATE
				      : FLOW_EVENT_DESTROY,
		      &f);
}

static int set_up(void **state)
{
	static struct world w;
	const struct flow_cache_opts cache = { .first_size = 16,
					       .limit = LIMIT };
	const struct filter_opts filter = {
		.state = FILTER_IGNORE,
		.tcp_states = 1 << TCP_STATE_SYN_SENT,
	};
	struct outbox_opts outbox = { .roster = &w.roster,
				      .sink = { .removed = on_removed },
				      .size = 16 };
	struct bypass_opts o = {
		.kernel = &w.ops, .touch = touch, .has_room = on_room, .ctx = &w
	};

	memset(&w, 0, sizeof(w));
	w.ops = (struct kernel_ops){ &w, submit, finish, NULL };
	w.untold = flow_cache_new(&cache);
	w.filter = filter_new(&filter);
	outbox.cache = o.untold = w.untold;
	o.filter = w.filter;
	assert_int_equal(outbox_init(&w.outbox, &outbox, 0), 0);
	bypass_init(&w.b, &o);
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	bypass_fini(&w->b);
	outbox_fini(&w->outbox);
	flow_cache_free(w->untold);
	filter_free(w->filter);
	return 0;
}

/* ---- events ------------------------------------------------------------- */

static void test_what_was_told_is_not_kept(void **state)
{
	struct world *w = *state;

	events(w, "N");
	assert_told(w, "N");
	events(w, "U");
	assert_told(w, "U");
	events(w, "D");
	assert_told(w, "D");
	assert_int_equal(w->b.stats.n_new, 1);
	assert_int_equal(w->b.stats.n_updated, 1);
	assert_int_equal(w->b.stats.n_destroyed, 1);
}

static void test_changes_that_wait_become_one(void **state)
{
	static const struct {
		const char *events, *told;
	} cases[] = {
		{ "NU", "N" },
		{ "NUU", "N" },
		{ "UU", "U" },
		{ "UN", "N" }, /* the next life, the end was lost */
		{ "ND", "D" }, /* the peers may know an earlier life */
		{ "NUD", "D" },
		{ "UD", "D" },
		{ "D", "D" },
		{ "DN", "N" },
		{ "DNU", "N" },
		{ "UDNU", "N" },
		{ "NDND", "D" },
		{ "DD", "D" },
		{ "DU", "N" }, /* of a life whose begin was lost */
	};
	struct world *w = *state;

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		events(w, cases[i].events);
		assert_told(w, cases[i].told);
	}
}

static void test_what_waits_has_all_that_was_told(void **state)
{
	struct world *w = *state;
	struct flow f = flow_number(1), told;

	f.has |= FLOW_HELPER;
	f.helper = 7;
	event(w, FLOW_EVENT_NEW, &f);
	f.has &= ~(FLOW_HELPER | FLOW_MARK);
	f.tcp_state = TCP_STATE_FIN_WAIT;
	event(w, FLOW_EVENT_UPDATE, &f);
	assert_int_equal(tell(w, &told), 'N');
	assert_true(told.has & FLOW_HELPER);
	assert_true(told.has & FLOW_MARK);
	assert_int_equal(told.tcp_state, TCP_STATE_FIN_WAIT);
}

static void test_of_two_lives_the_later_one_is_told(void **state)
{
	struct world *w = *state;
	struct flow f = flow_number(1), told;

	event(w, FLOW_EVENT_UPDATE, &f);
	f.id++;
	f.has &= ~FLOW_MARK;
	event(w, FLOW_EVENT_UPDATE, &f);
	assert_int_equal(tell(w, &told), 'N');
	assert_false(told.has & FLOW_MARK);
}

static void test_an_end_is_told_as_it_was_heard(void **state)
{
	struct world *w = *state;
	struct flow f = flow_number(1), told;

	f.has &= ~FLOW_MARK;
	event(w, FLOW_EVENT_DESTROY, &f);
	assert_int_equal(tell(w, &told), 'D');
	assert_true(flow_same_key(&told, &f));
	assert_false(told.has & FLOW_MARK);
}

static void test_what_we_have_done_ourselves_is_not_told(void **state)
{
	struct world *w = *state;
	const struct flow f = flow_number(1);

	for (int o = ORIGIN_COMMIT; o < ORIGIN_N; o++)
		for (int t = FLOW_EVENT_NEW; t <= FLOW_EVENT_DESTROY; t++)
			bypass_event(&w->b, (enum flow_event)t,
				     (enum flow_origin)o, &f, NOW_S);
	assert_told(w, "");
	assert_int_equal(w->b.stats.n_new, 0);
}

static void test_what_the_filter_refuses_is_not_told_but_its_end(void **state)
{
	struct world *w = *state;
	struct flow f = flow_number(1);

	f.tcp_state = TCP_STATE_SYN_SENT;
	event(w, FLOW_EVENT_NEW, &f);
	event(w, FLOW_EVENT_UPDATE, &f);
	assert_told(w, "");
	assert_int_equal(w->b.stats.n_filtered, 2);
	event(w, FLOW_EVENT_DESTROY, &f);
	assert_told(w, "D");
}

static void test_an_update_behind_the_end_undoes_nothing(void **state)
{
	struct world *w = *state;
	struct flow f = flow_number(1);

	event(w, FLOW_EVENT_DESTROY, &f);
	f.status |= STATUS_DYING;
	event(w, FLOW_EVENT_UPDATE, &f);
	assert_told(w, "D");
	event(w, FLOW_EVENT_UPDATE, &f);
	event(w, FLOW_EVENT_NEW, &f);
	assert_told(w, "");
}

static void test_an_end_of_another_life_is_asked_for(void **state)
{
	struct world *w = *state;
	struct flow f = flow_number(1);

	/* it is the present one, the end of the other was lost */
	event(w, FLOW_EVENT_UPDATE, &f);
	f.id++;
	event(w, FLOW_EVENT_DESTROY, &f);
	assert_true(bypass_has_work(&w->b));
	bypass_work(&w->b, NOW_S);
	assert_told(w, "D");
	/* it was that of an earlier one */
	w->is_there[1] = true;
	w->table[1] = flow_number(1);
	events(w, "N");
	event(w, FLOW_EVENT_DESTROY, &f);
	bypass_work(&w->b, NOW_S);
	assert_told(w, "N");
	assert_false(bypass_has_work(&w->b));
}

static void test_with_reliable_events_any_end_may_be_late(void **state)
{
	struct world *w = *state;

	w->b.o.events_reliable = true;
	events(w, "D");
	bypass_work(&w->b, NOW_S);
	assert_told(w, "D");
	w->is_there[1] = true;
	w->table[1] = flow_number(1);
	events(w, "D");
	assert_told(w, "D");
	bypass_work(&w->b, NOW_S);
	assert_told(w, "N");
}

static void test_shifted_numbers_are_asked_for(void **state)
{
	struct world *w = *state;
	struct flow f = flow_number(1), told, related = flow_number(2);

	w->is_there[1] = true;
	w->table[1] = f;
	w->table[1].has |= FLOW_SEQADJ_ORIG | FLOW_SEQADJ_REPLY;
	w->table[1].seqadj_orig.after = 4;
	f.status |= STATUS_SEQ_ADJUST;
	event(w, FLOW_EVENT_UPDATE, &f);
	bypass_work(&w->b, NOW_S);
	assert_int_equal(tell(w, &told), 'U');
	assert_int_equal(told.seqadj_orig.after, 4);
	assert_told(w, "");
	/* a related one begins: the master's are */
	related.has |= FLOW_MASTER | FLOW_MASTER_PORTS;
	related.master.l4proto = L4_TCP;
	related.master.src = f.orig.src;
	related.master.dst = f.orig.dst;
	related.master.sport = f.orig.sport;
	related.master.dport = f.orig.dport;
	event(w, FLOW_EVENT_NEW, &related);
	bypass_work(&w->b, NOW_S);
	assert_told(w, "NU");
}

/* ---- rows --------------------------------------------------------------- */

static void row(struct world *w, unsigned int n, bool is_sure)
{
	const struct flow f = flow_number(n);

	bypass_row(&w->b, &f, is_sure, NOW_S);
}

/* All is asked for, and the dump has come to its end. */
static void end_dump(struct world *w, bool is_complete)
{
	bypass_dump_ends(&w->b, is_complete);
	for (int i = 0; i < 10 && !bypass_is_settled(&w->b); i++) {
		if (bypass_has_work(&w->b))
			bypass_work(&w->b, NOW_S);
		bypass_second(&w->b);
	}
	assert_true(bypass_is_settled(&w->b));
}

static void test_rows_are_told_as_new(void **state)
{
	struct world *w = *state;

	events(w, "U"); /* before the dump, and not told yet: the row has it */
	bypass_dump_begins(&w->b);
	assert_false(bypass_is_settled(&w->b));
	row(w, 1, true);
	row(w, 2, true);
	end_dump(w, true);
	assert_told(w, "NN");
	assert_int_equal(w->n_questions, 0);
	assert_false(bypass_has_missed(&w->b));
	assert_int_equal(w->b.stats.n_new, 0); /* which counts events */
}

static void test_what_an_event_was_newer_of_is_asked_for(void **state)
{
	struct world *w = *state;
	struct flow f = flow_number(1), told;

	bypass_dump_begins(&w->b);
	f.tcp_state = TCP_STATE_TIME_WAIT;
	event(w, FLOW_EVENT_UPDATE, &f);
	assert_told(w, "U");
	w->is_there[1] = true;
	w->table[1] = f;
	row(w, 1, true); /* established */
	assert_told(w, "");
	end_dump(w, true);
	assert_int_equal(tell(w, &told), 'N');
	assert_int_equal(told.tcp_state, TCP_STATE_TIME_WAIT);
	assert_int_equal(w->n_questions, 1);
	/* of the next dump nothing is newer */
	bypass_dump_begins(&w->b);
	row(w, 1, true);
	assert_told(w, "N");
	end_dump(w, true);
	assert_int_equal(w->n_questions, 1);
}

static void test_what_may_have_ended_is_asked_for(void **state)
{
	struct world *w = *state;

	w->is_there[2] = w->is_there[3] = w->is_there[4] = true;
	w->table[2] = flow_number(2);
	w->table[3] = flow_number(7); /* which has it as its reply tuple */
	w->table[4] = flow_number(4);
	w->table[4].tcp_state = TCP_STATE_SYN_SENT; /* filtered */
	bypass_dump_begins(&w->b);
	for (unsigned int n = 1; n <= 4; n++)
		row(w, n, false);
	end_dump(w, true);
	assert_int_equal(w->n_questions, 4);
	assert_told(w, "N");
}

static void test_a_question_that_is_not_taken_is_asked_again(void **state)
{
	struct world *w = *state;

	w->is_there[1] = w->is_there[2] = true;
	w->table[1] = flow_number(1);
	w->table[2] = flow_number(2);
	bypass_dump_begins(&w->b);
	row(w, 1, false);
	row(w, 2, false);
	bypass_dump_ends(&w->b, true);
	w->error = -ENOBUFS;
	bypass_work(&w->b, NOW_S);
	assert_told(w, "N");
	assert_false(bypass_has_work(&w->b)); /* in the next second */
	assert_false(bypass_is_settled(&w->b));
	bypass_second(&w->b);
	bypass_work(&w->b, NOW_S);
	assert_true(bypass_is_settled(&w->b));
	assert_told(w, "N");
	assert_false(bypass_has_missed(&w->b));
}

static void test_a_dump_that_fails_has_missed_something(void **state)
{
	struct world *w = *state;

	bypass_dump_begins(&w->b);
	end_dump(w, false);
	assert_true(bypass_has_missed(&w->b));
	bypass_dump_begins(&w->b);
	end_dump(w, true);
	assert_false(bypass_has_missed(&w->b));
}

static void test_rows_wait_for_what_is_told(void **state)
{
	struct world *w = *state;
	struct flow f;

	bypass_dump_begins(&w->b);
	for (unsigned int n = 1; n <= BYPASS_UNTOLD_MOST; n++) {
		assert_true(bypass_has_room(&w->b));
		row(w, n, true);
	}
	assert_false(bypass_has_room(&w->b));
	for (unsigned int n = 1; n < BYPASS_UNTOLD_MOST / 2; n++) {
		assert_int_equal(tell(w, &f), 'N');
		assert_int_equal(w->n_rooms, 0);
	}
	while (tell(w, &f))
		;
	assert_int_equal(w->n_rooms, 1);
	assert_true(bypass_has_room(&w->b));
	for (unsigned int n = 1; n <= BYPASS_ASKED_MOST; n++) {
		assert_true(bypass_has_room(&w->b));
		row(w, n * FLOWS, false);
	}
	assert_false(bypass_has_room(&w->b));
	while (bypass_has_work(&w->b))
		bypass_work(&w->b, NOW_S);
	assert_true(bypass_has_room(&w->b));
	assert_int_equal(w->n_questions, BYPASS_ASKED_MOST);
}

static void test_a_row_that_waits_takes_changes(void **state)
{
	struct world *w = *state;
	struct flow f = flow_number(1), told;

	bypass_dump_begins(&w->b);
	row(w, 1, true);
	f.tcp_state = TCP_STATE_TIME_WAIT;
	f.has &= ~FLOW_MARK;
	event(w, FLOW_EVENT_UPDATE, &f);
	assert_int_equal(tell(w, &told), 'N');
	assert_int_equal(told.tcp_state, TCP_STATE_TIME_WAIT);
	assert_true(told.has & FLOW_MARK);
	/* changes go first */
	row(w, 2, true);
	row(w, 3, true);
	f = flow_number(3);
	event(w, FLOW_EVENT_DESTROY, &f);
	assert_told(w, "DN");
	end_dump(w, true);
}

/* ---- what is full ------------------------------------------------------- */

static void test_what_finds_no_room_is_counted(void **state)
{
	struct world *w = *state;
	struct flow f;

	bypass_dump_begins(&w->b);
	for (unsigned int n = 1; n <= LIMIT; n++)
		row(w, n, true);
	assert_false(bypass_has_missed(&w->b));
	row(w, LIMIT + 1, true);
	assert_true(bypass_has_missed(&w->b));
	f = flow_number(LIMIT + 1);
	event(w, FLOW_EVENT_NEW, &f);
	event(w, FLOW_EVENT_UPDATE, &f);
	event(w, FLOW_EVENT_DESTROY, &f);
	assert_int_equal(flow_cache_stats(w->untold)->n_create_no_space, 4);
	assert_int_equal(w->b.stats.n_new, 0);
	/* what waits is no more for an end of it */
	f = flow_number(1);
	event(w, FLOW_EVENT_DESTROY, &f);
	assert_int_equal(tell(w, &f), 'D');
}

static void test_lack_of_memory_loses_no_more_than_is_told(void **state)
{
	struct world *w = *state;
	const struct flow f = flow_number(1);

	/* nothing can be remembered: every row may be older */
	bypass_dump_begins(&w->b);
	event(w, FLOW_EVENT_NEW, &f);
	assert_told(w, "N");
	alloc_fail_after(0);
	event(w, FLOW_EVENT_NEW, &f);
	(void)alloc_fail_off();
	assert_told(w, "N");
	ct_tombs_clear(&w->b.met);
	alloc_fail_after(0);
	event(w, FLOW_EVENT_UPDATE, &f);
	assert_true(alloc_fail_off());
	assert_told(w, "U");
	w->is_there[2] = true;
	w->table[2] = flow_number(2);
	/* there is no memory to ask: the dump is not complete */
	alloc_fail_after(0);
	row(w, 2, true);
	assert_true(alloc_fail_off());
	assert_true(bypass_has_missed(&w->b));
	row(w, 2, true);
	end_dump(w, true);
	assert_told(w, "N");
	assert_int_equal(w->n_questions, 1);
	assert_true(bypass_has_missed(&w->b));
}

/* ---- in any order of reading -------------------------------------------- */

enum { QUEUE = 64, PIECE = 3, STEPS = 3000, SEEDS = 200 };

/* A kernel that tells of its flows by events and rows, which are read later,
 * and a peer that does what it is told. */
struct lab {
	struct world *w;
	uint64_t seed;
	struct flow replica[FLOWS]; /* what the peer has */
	bool has[FLOWS], is_recent[FLOWS];
	struct {
		enum flow_event type;
		struct flow f;
	} queue[QUEUE];
	unsigned int n_queued;
	bool is_lost; /* an event, since the last dump began */
	struct flow ahead[PIECE];
	unsigned int n_ahead, dump_at;
	bool is_dumping,
		is_bulk; /* rows are read; and what they left is told */
	struct ct_tombs tombs;
	uint32_t n_lives;
};

static unsigned int any(struct lab *l, unsigned int n)
{
	return (unsigned int)(random_next(&l->seed) % n);
}

static void send_event(struct lab *l, enum flow_event type,
		       const struct flow *f)
{
	/* After a loss nothing is queued before all is read. */
	l->is_lost |= l->n_queued == QUEUE;
	if (l->n_queued == QUEUE)
		return;
	l->queue[l->n_queued].type = type;
	l->queue[l->n_queued++].f = *f;
}

/* A flow begins, changes or ends. The helper is in no update. */
static void happen(struct lab *l)
{
	unsigned int n = any(l, FLOWS);
	struct world *w = l->w;
	struct flow *f = &w->table[n], told;

	if (w->is_there[n] && any(l, 3) == 0) {
		told = *f;
		told.status |= STATUS_DYING;
		w->is_there[n] = false;
		send_event(l, FLOW_EVENT_DESTROY, &told);
	} else if (w->is_there[n]) {
		f->mark = any(l, 1000);
		told = *f;
		told.has &= ~FLOW_HELPER;
		send_event(l, FLOW_EVENT_UPDATE, &told);
	} else {
		*f = flow_number(n);
		f->id = ++l->n_lives;
		f->has |= FLOW_HELPER;
		f->helper = (uint16_t)any(l, 1000);
		w->is_there[n] = true;
		send_event(l, FLOW_EVENT_NEW, f);
	}
}

static void read_event(struct lab *l)
{
	const struct flow f = l->queue[0].f;
	enum flow_event type = l->queue[0].type;

	if (!l->n_queued)
		return;
	memmove(l->queue, l->queue + 1, --l->n_queued * sizeof(l->queue[0]));
	if (type == FLOW_EVENT_DESTROY && l->is_dumping)
		assert_true(ct_tombs_add(&l->tombs, &f));
	event(l->w, type, &f);
}

static void make_rows(struct lab *l)
{
	l->n_ahead = 0;
	for (; l->dump_at < FLOWS && l->n_ahead < PIECE; l->dump_at++)
		if (l->w->is_there[l->dump_at])
			l->ahead[l->n_ahead++] = l->w->table[l->dump_at];
}

/* What the peer hears from now on it keeps at the end of this bulk. */
static void begin_bulk(struct lab *l)
{
	if (l->is_bulk)
		return;
	while (l->is_lost && l->n_queued)
		read_event(l);
	memset(l->is_recent, 0, sizeof(l->is_recent));
	l->is_lost = false;
	l->is_bulk = l->is_dumping = true;
	l->dump_at = 0;
	l->tombs.max = 1000;
	make_rows(l);
	bypass_dump_begins(&l->w->b);
}

static void read_rows(struct lab *l)
{
	struct flow rows[PIECE];
	unsigned int n = l->n_ahead;
	bool is_at_end = n == 0 && l->dump_at == FLOWS;

	if (!l->is_dumping)
		return;
	memcpy(rows, l->ahead, sizeof(rows));
	make_rows(l);
	for (unsigned int i = 0; i < n; i++)
		if (!ct_tombs_has(&l->tombs, &rows[i]))
			bypass_row(&l->w->b, &rows[i], any(l, 10) > 0, NOW_S);
	if (!is_at_end)
		return;
	l->is_dumping = false;
	ct_tombs_clear(&l->tombs);
	bypass_dump_ends(&l->w->b, true);
}

static void tell_one(struct lab *l)
{
	struct flow f;
	char what = tell(l->w, &f);
	unsigned int n = f.orig.sport;

	if (!what)
		return;
	l->is_recent[n] = true;
	if (what == 'U' && l->has[n])
		flow_merge(&l->replica[n], &f);
	else
		l->replica[n] = f;
	l->has[n] = what != 'D';
}

static void work(struct lab *l)
{
	if (any(l, 20) == 0)
		l->w->error = -ENOBUFS;
	if (bypass_has_work(&l->w->b))
		bypass_work(&l->w->b, NOW_S);
}

/* All of a bulk was told: the peer drops what it did not hear of. */
static void end_bulk(struct lab *l)
{
	if (!l->is_bulk || l->is_dumping || !bypass_is_settled(&l->w->b))
		return;
	while (flow_cache_stats(l->w->untold)->n_entries)
		tell_one(l);
	assert_false(bypass_has_missed(&l->w->b));
	l->is_bulk = false;
	for (unsigned int n = 0; n < FLOWS; n++)
		l->has[n] &= l->is_recent[n];
}

static void step(struct lab *l)
{
	switch (any(l, 12)) {
	case 0:
		begin_bulk(l);
		break;
	case 1:
		read_rows(l);
		break;
	case 2:
		work(l);
		break;
	case 3:
		bypass_second(&l->w->b);
		break;
	case 4:
		end_bulk(l);
		break;
	case 5:
	case 6:
		tell_one(l);
		break;
	case 7:
	case 8:
		happen(l);
		break;
	default:
		read_event(l);
		break;
	}
}

/* What was lost a bulk makes up for. */
static void settle(struct lab *l)
{
	while (l->n_queued)
		read_event(l);
	for (int i = 0; i < 2; i++) {
		if (l->is_lost)
			begin_bulk(l);
		for (int j = 0; l->is_bulk && j < 100; j++) {
			read_rows(l);
			bypass_second(&l->w->b);
			work(l);
			end_bulk(l);
		}
		assert_false(l->is_bulk);
	}
	while (!bypass_is_settled(&l->w->b)) {
		bypass_second(&l->w->b);
		work(l);
	}
	while (flow_cache_stats(l->w->untold)->n_entries)
		tell_one(l);
}

static void test_the_peer_has_what_the_kernel_has(void **state)
{
	struct world *w = *state;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct lab l = { .w = w, .seed = seed };

		memset(w->is_there, 0, sizeof(w->is_there));
		for (int i = 0; i < STEPS; i++)
			step(&l);
		settle(&l);
		for (unsigned int n = 0; n < FLOWS; n++) {
			assert_int_equal(l.has[n], w->is_there[n]);
			if (!l.has[n])
				continue;
			assert_int_equal(l.replica[n].id, w->table[n].id);
			assert_int_equal(l.replica[n].mark, w->table[n].mark);
			assert_int_equal(l.replica[n].helper,
					 w->table[n].helper);
		}
		assert_int_equal(flow_cache_stats(w->untold)->n_entries, 0);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_what_was_told_is_not_kept),
		TEST(test_changes_that_wait_become_one),
		TEST(test_what_waits_has_all_that_was_told),
		TEST(test_of_two_lives_the_later_one_is_told),
		TEST(test_an_end_is_told_as_it_was_heard),
		TEST(test_what_we_have_done_ourselves_is_not_told),
		TEST(test_what_the_filter_refuses_is_not_told_but_its_end),
		TEST(test_an_update_behind_the_end_undoes_nothing),
		TEST(test_an_end_of_another_life_is_asked_for),
		TEST(test_with_reliable_events_any_end_may_be_late),
		TEST(test_shifted_numbers_are_asked_for),
		TEST(test_rows_are_told_as_new),
		TEST(test_what_an_event_was_newer_of_is_asked_for),
		TEST(test_what_may_have_ended_is_asked_for),
		TEST(test_a_question_that_is_not_taken_is_asked_again),
		TEST(test_a_row_that_waits_takes_changes),
		TEST(test_a_dump_that_fails_has_missed_something),
		TEST(test_rows_wait_for_what_is_told),
		TEST(test_what_finds_no_room_is_counted),
		TEST(test_lack_of_memory_loses_no_more_than_is_told),
		TEST(test_the_peer_has_what_the_kernel_has),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
