/* SPDX-License-Identifier: ISC */
/* The mirror against a kernel of our own: a table of a few flows, a queue of
 * events that are read late or lost, dumps whose rows are made one piece ahead
 * of their reading, questions that are answered at once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netlink/ct_tombs.h"
#include "random_flow.h"
#include "sync/mirror.h"

enum {
	TUPLES = 8,   /* flows that there can be */
	EVENTS = 512, /* events that can wait */
	ROWS = 3,     /* in one piece of a dump */
	BATCH = 5,    /* questions */
};

/* A flow in the kernel's table. */
struct conn {
	bool is_there;
	bool is_silent; /* began while nobody listened: tells nothing */
	struct flow f;
};

struct event {
	enum flow_event type;
	enum flow_origin origin;
	struct flow f;
};

struct world {
	struct flow_cache *cache;
	struct filter *filter;
	struct mirror m;
	struct kernel_ops ops;
	uint32_t now_s;
	uint64_t seed;

	struct conn table[TUPLES];
	uint32_t free_id[TUPLES]; /* a life that begins at once gets it again */
	uint32_t n_lives;
	bool is_asked_free;
	struct event queue[EVENTS];
	unsigned int n_queued;
	bool is_full;     /* there is no room for events just now */
	bool is_lost;     /* one was lost, which was not noticed yet */
	bool is_reliable; /* NetlinkEventsReliable */
	bool is_polled;   /* PollSecs: there are no events */

	bool is_dumping;
	int dump_at; /* the next tuple that the kernel makes a row of */
	struct flow ahead[ROWS];
	int n_ahead;
	struct ct_tombs tombs;
	bool is_sure;

	struct {
		struct flow f;
		uint32_t id;
	} asked[BATCH];
	int n_asked;
	int error;                /* what questions are answered, if not 0 */
	unsigned int n_fail;      /* one of so many fails; 0: none */
	unsigned int n_questions; /* so far */

	struct conn replica[TUPLES]; /* what a peer was told */
	unsigned int n_told;
};

static bool chance(struct world *w, unsigned int one_of)
{
	return random_next(&w->seed) % one_of == 0;
}

static unsigned int any(struct world *w, unsigned int n)
{
	return (unsigned int)(random_next(&w->seed) % n);
}

/* ---- the kernel --------------------------------------------------------- */

static struct flow tuple_number(int t)
{
	struct flow f;

	memset(&f, 0, sizeof(f));
	f.has = FLOW_PORTS | FLOW_REPLY | FLOW_STATUS | FLOW_ID | FLOW_TIMEOUT;
	f.family = FAMILY_IPV4;
	f.l4proto = L4_TCP;
	f.orig.src.b[0] = 10;
	/* the last two differ in the zone of one direction only */
	f.orig.src.b[3] = (uint8_t)(t == TUPLES - 1 ? TUPLES - 2 : t);
	if (t >= TUPLES - 2) {
		f.has |= FLOW_ZONE_ORIG;
		f.zone_orig = (uint16_t)t;
	}
	f.orig.dst.b[0] = 192;
	f.orig.sport = 40000;
	f.orig.dport = 80;
	f.reply = flow_inverse(&f);
	return f;
}

static int number_of(const struct flow *f)
{
	return f->has & FLOW_ZONE_ORIG ? f->zone_orig : f->orig.src.b[3];
}

static void send_event(struct world *w, enum flow_event type,
		       enum flow_origin origin, const struct flow *f)
{
	if (w->table[number_of(f)].is_silent || w->is_polled)
		return;
	/* After a loss Linux queues nothing before all is read. */
	if (w->is_full || w->n_queued == EVENTS ||
	    (w->is_lost && !w->is_reliable)) {
		w->is_lost = true;
		return;
	}
	w->queue[w->n_queued++] =
		(struct event){ .type = type, .origin = origin, .f = *f };
}

/* What an update tells: of the rest only what has changed. */
static struct flow update_of(const struct flow *f, uint64_t changed)
{
	struct flow u = *f;

	u.has &= FLOW_PORTS | FLOW_REPLY | FLOW_STATUS | FLOW_ID |
		 FLOW_TIMEOUT | FLOW_ZONE_ORIG | FLOW_HELPER | changed;
	return u;
}

/* Numbers of life; 0: another one. */
static struct flow *begin(struct world *w, int t, uint32_t id)
{
	struct conn *c = &w->table[t];

	c->f = tuple_number(t);
	c->is_there = true;
	c->is_silent = false;
	c->f.id = id ? id : ++w->n_lives * 1000;
	c->f.tcp_state = TCP_STATE_SYN_SENT;
	c->f.has |= FLOW_TCP_STATE;
	c->f.timeout_s = 120;
	return &c->f;
}

static void create(struct world *w, int t)
{
	struct flow *f = begin(w, t, 0);

	send_event(w, FLOW_EVENT_NEW, ORIGIN_OTHER, f);
}

static void change(struct world *w, int t, uint64_t what)
{
	struct flow u = update_of(&w->table[t].f, what);

	send_event(w, FLOW_EVENT_UPDATE, ORIGIN_OTHER, &u);
}

static void set_mark(struct world *w, int t, uint32_t mark)
{
	w->table[t].f.mark = mark;
	w->table[t].f.has |= FLOW_MARK;
	change(w, t, FLOW_MARK);
}

static void set_state(struct world *w, int t, uint8_t tcp_state)
{
	w->table[t].f.tcp_state = tcp_state;
	if (tcp_state == TCP_STATE_ESTABLISHED) {
		w->table[t].f.status |= STATUS_SEEN_REPLY | STATUS_ASSURED;
		w->table[t].f.timeout_s = 432000;
	}
	change(w, t, FLOW_TCP_STATE);
}

static void destroy(struct world *w, int t)
{
	struct flow f = update_of(&w->table[t].f, 0);

	send_event(w, FLOW_EVENT_DESTROY, ORIGIN_OTHER, &f);
	w->table[t].is_there = false;
	w->free_id[t] = w->table[t].f.id;
}

/* What conntrack answers to questions by tuple and zone. */
static void answer(struct world *w)
{
	for (int i = 0; i < w->n_asked; i++) {
		const struct conn *c = &w->table[number_of(&w->asked[i].f)];
		struct flow found = c->f; /* it lies in a buffer of its own */
		int err = c->is_there ? 0 : -ENOENT;

		if (w->error)
			err = w->error;
		if (w->n_fail && chance(w, w->n_fail))
			err = -ENOBUFS;
		mirror_answer(&w->m, KERNEL_GET, w->asked[i].id, err,
			      err ? NULL : &found);
	}
	w->n_asked = 0;
}

static int fake_submit(void *self, enum kernel_op op,
		       const struct object *object, uint32_t cookie)
{
	struct world *w = self;

	assert_int_equal(op, KERNEL_GET);
	assert_int_equal(object->kind, OBJECT_FLOW);
	w->n_questions++;
	w->asked[w->n_asked].f = *object->flow;
	w->asked[w->n_asked++].id = cookie;
	if (w->n_asked == BATCH)
		answer(w);
	return 0;
}

static void fake_finish(void *self)
{
	answer(self);
}

/* ---- the peer ----------------------------------------------------------- */

/* As the engine has it: what is quiet is told only of what was known before. */
static void on_touch(void *ctx, uint32_t id, enum touch how)
{
	struct world *w = ctx;
	enum entry_state state =
		(enum entry_state)flow_cache_head(w->cache, id)->state;
	struct flow f;
	struct conn *c;

	flow_cache_get(w->cache, id, &f);
	c = &w->replica[number_of(&f)];
	if (how == TOUCH_UNTOLD && c->is_there)
		return;
	if (how == TOUCH_QUIET && state != ENTRY_DEAD &&
	    !(state == ENTRY_NEW && c->is_there))
		return;
	c->is_there = state != ENTRY_DEAD;
	c->f = f;
	w->n_told++;
}

/* The peer gets all there is. */
static void bulk(struct world *w)
{
	memset(w->replica, 0, sizeof(w->replica));
	for (uint32_t id = 0; (id = flow_cache_next(w->cache, id)) != 0;) {
		struct flow f;

		if (flow_cache_head(w->cache, id)->state == ENTRY_FREE ||
		    flow_cache_head(w->cache, id)->state == ENTRY_DEAD)
			continue;
		flow_cache_get(w->cache, id, &f);
		w->replica[number_of(&f)] =
			(struct conn){ .is_there = true, .f = f };
	}
}

/* Ends that were told. */
static void remove_dead(struct world *w)
{
	for (uint32_t id = 0; (id = flow_cache_next(w->cache, id)) != 0;)
		if (flow_cache_head(w->cache, id)->state == ENTRY_DEAD)
			flow_cache_remove(w->cache, id);
}

/* ---- the daemon --------------------------------------------------------- */

static void read_event(struct world *w)
{
	struct event e = w->queue[0];

	memmove(w->queue, w->queue + 1,
		(w->n_queued - 1) * sizeof(w->queue[0]));
	w->n_queued--;
	if (e.type == FLOW_EVENT_DESTROY && w->is_dumping &&
	    !ct_tombs_add(&w->tombs, &e.f))
		w->is_sure = false;
	mirror_event(&w->m, e.type, e.origin, &e.f, w->now_s);
}

static void read_events(struct world *w)
{
	while (w->n_queued)
		read_event(w);
}

/* The kernel makes the next rows, to be read later. */
static void make_rows(struct world *w)
{
	w->n_ahead = 0;
	for (; w->dump_at < TUPLES && w->n_ahead < ROWS; w->dump_at++)
		if (w->table[w->dump_at].is_there)
			w->ahead[w->n_ahead++] = w->table[w->dump_at].f;
}

static void begin_dump(struct world *w, enum touch how)
{
	w->is_dumping = true;
	w->dump_at = 0;
	w->is_sure = true;
	w->tombs.max = 3;
	make_rows(w);
	if (how == TOUCH_SEND && w->is_polled)
		mirror_poll_begins(&w->m);
	else
		mirror_dump_begins(&w->m, how);
}

static void end_dump(struct world *w, bool is_complete)
{
	w->is_dumping = false;
	ct_tombs_clear(&w->tombs);
	mirror_dump_ends(&w->m, is_complete);
}

static void read_rows(struct world *w)
{
	struct flow rows[ROWS];
	int n = w->n_ahead;

	if (n == 0 && w->dump_at == TUPLES) {
		end_dump(w, true);
		return;
	}
	memcpy(rows, w->ahead, sizeof(rows));
	make_rows(w);
	for (int i = 0; i < n; i++)
		if (!ct_tombs_has(&w->tombs, &rows[i]))
			mirror_row(&w->m, &rows[i], w->is_sure, w->now_s);
}

static void work(struct world *w)
{
	for (int i = 0; mirror_has_work(&w->m); i++) {
		assert_in_range(i, 0, 1000);
		mirror_work(&w->m, w->now_s);
	}
}

static void second(struct world *w)
{
	w->now_s++;
	mirror_second(&w->m, w->now_s);
	work(w);
}

/* A whole dump with nothing in between. */
static void dump(struct world *w, enum touch how)
{
	begin_dump(w, how);
	while (w->is_dumping)
		read_rows(w);
	work(w);
}

/* ---- a world ------------------------------------------------------------ */

static struct world *new_world(const struct filter_opts *filter)
{
	const struct flow_cache_opts co = { .first_size = 16,
					    .limit = 1000000,
					    .hash_key = { 1, 2 } };
	const struct filter_opts none = { 0 };
	struct world *w = calloc(1, sizeof(*w));
	struct mirror_opts o;

	assert_non_null(w);
	w->cache = flow_cache_new(&co);
	w->filter = filter_new(filter ? filter : &none);
	w->ops = (struct kernel_ops){ w, fake_submit, fake_finish, NULL };
	w->now_s = 1000;
	o = (struct mirror_opts){ .cache = w->cache,
				  .filter = w->filter,
				  .kernel = &w->ops,
				  .touch = on_touch,
				  .ctx = w };
	mirror_init(&w->m, &o);
	return w;
}

static struct world *new_polled(void)
{
	struct world *w = new_world(NULL);

	w->m.o.is_polled = w->is_polled = true;
	return w;
}

static void free_world(struct world *w)
{
	ct_tombs_clear(&w->tombs);
	flow_cache_free(w->cache);
	filter_free(w->filter);
	free(w);
}

static bool is_cached(const struct world *w, int t, struct flow *out)
{
	struct flow f = tuple_number(t);
	uint32_t id = flow_cache_find(w->cache, &f);

	if (id)
		flow_cache_get(w->cache, id, out);
	return id != 0;
}

/* What matters of a flow is the same; a mark of 0 is none. */
static void assert_same_content(const struct flow *a, const struct flow *b)
{
	const uint64_t has = FLOW_MASTER | FLOW_LABELS | FLOW_HELPER |
			     FLOW_TCP_STATE | FLOW_SEQADJ_ORIG;

	assert_int_equal(a->status, b->status);
	assert_int_equal(a->has & FLOW_MARK ? a->mark : 0,
			 b->has & FLOW_MARK ? b->mark : 0);
	assert_true(addr_equal(&a->reply.dst, &b->reply.dst));
	assert_true((a->has & has) == (b->has & has));
	if (a->has & FLOW_TCP_STATE)
		assert_int_equal(a->tcp_state, b->tcp_state);
	if (a->has & FLOW_MASTER)
		assert_int_equal(a->master.l4proto, b->master.l4proto);
	if (a->has & FLOW_LABELS)
		assert_memory_equal(a->labels, b->labels, sizeof(a->labels));
	if (a->has & FLOW_HELPER)
		assert_int_equal(a->helper, b->helper);
	if (a->has & FLOW_SEQADJ_ORIG)
		assert_int_equal(a->seqadj_orig.pos, b->seqadj_orig.pos);
}

/* The cache, and the peer, have what the kernel has. */
static void assert_mirrored(const struct world *w)
{
	for (int t = 0; t < TUPLES; t++) {
		const struct conn *c = &w->table[t], *r = &w->replica[t];
		struct flow cached = { 0 };
		bool is_there = is_cached(w, t, &cached);

		assert_int_equal(is_there, c->is_there);
		assert_int_equal(r->is_there, c->is_there);
		if (!is_there)
			continue;
		assert_int_equal(cached.id, c->f.id);
		assert_same_content(&cached, &c->f);
		assert_same_content(&r->f, &c->f);
	}
}

static uint32_t id_of(const struct world *w, int t)
{
	struct flow f = tuple_number(t);

	return flow_cache_find(w->cache, &f);
}

/* ---- tests -------------------------------------------------------------- */

static void test_events_alone_make_a_mirror(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	for (int t = 0; t < TUPLES; t++)
		create(w, t);
	set_mark(w, 1, 7);
	set_state(w, 2, TCP_STATE_ESTABLISHED);
	destroy(w, 3);
	destroy(w, 4);
	create(w, 4);
	destroy(w, TUPLES - 1); /* not the one in the other zone */
	read_events(w);
	assert_false(mirror_has_work(&w->m));
	assert_mirrored(w);
	assert_int_equal(w->n_questions, 0);
	free_world(w);
}

static void test_an_older_row_does_not_undo_an_event(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	create(w, 0);
	read_events(w);
	begin_dump(w, TOUCH_SEND);
	set_state(w, 0, TCP_STATE_ESTABLISHED);
	read_events(w);
	while (w->is_dumping)
		read_rows(w);
	work(w);
	assert_mirrored(w);
	free_world(w);
}

/* The event that was handled says nothing of what the lost one had said. */
static void test_a_row_has_what_a_lost_event_told(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	create(w, 0);
	read_events(w);
	w->is_full = true;
	set_mark(w, 0, 7);
	w->is_full = w->is_lost = false;
	begin_dump(w, TOUCH_SEND);
	set_state(w, 0, TCP_STATE_ESTABLISHED);
	read_events(w);
	while (w->is_dumping)
		read_rows(w);
	work(w);
	assert_int_equal(w->n_questions, 1);
	assert_mirrored(w);
	free_world(w);
}

static void test_a_row_that_an_event_agrees_with_costs_nothing(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	create(w, 0);
	set_state(w, 0, TCP_STATE_ESTABLISHED);
	begin_dump(w, TOUCH_SEND);
	read_events(w);
	w->n_told = 0;
	while (w->is_dumping)
		read_rows(w);
	work(w);
	assert_int_equal(w->n_questions, 0);
	assert_int_equal(w->n_told, 0);
	assert_mirrored(w);
	free_world(w);
}

static void test_a_dump_of_what_is_known_asks_and_tells_nothing(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	for (int t = 0; t < TUPLES; t++)
		create(w, t);
	read_events(w);
	w->table[1].f.timeout_s = 7; /* as time goes by */
	w->n_told = 0;
	dump(w, TOUCH_SEND);
	assert_true(mirror_is_settled(&w->m));
	assert_int_equal(w->n_questions, 0);
	assert_int_equal(w->n_told, 0);
	assert_mirrored(w);
	free_world(w);
}

/* -R and the first dump do not tell what they find, for it is no news. */
static void test_what_a_quiet_row_was_first_to_tell_is_told(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	create(w, 0);
	read_events(w);
	set_mark(w, 0, 7);
	dump(w, TOUCH_QUIET);
	read_events(w); /* finds no difference */
	assert_mirrored(w);
	/* nor that of one which the dump has brought */
	begin(w, 1, 0);
	set_state(w, 1, TCP_STATE_ESTABLISHED);
	dump(w, TOUCH_QUIET);
	assert_false(w->replica[1].is_there);
	read_events(w);
	assert_mirrored(w);
	free_world(w);
}

/* The shift is in no event: nothing would bring it back if the row undid it. */
static void test_an_older_row_does_not_undo_an_answer(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	create(w, 0);
	w->table[0].f.status |= STATUS_SEQ_ADJUST;
	change(w, 0, 0);
	read_events(w); /* the status says that there is a shift */
	begin_dump(w, TOUCH_SEND);
	w->table[0].f.has |= FLOW_SEQADJ_ORIG;
	w->table[0].f.seqadj_orig.pos = 3;
	work(w);
	while (w->is_dumping)
		read_rows(w);
	work(w);
	assert_mirrored(w);
	free_world(w);
}

/* The kernel finds by a tuple what has it in either direction. */
static void test_an_answer_of_another_entry_is_an_end(void **state)
{
	struct world *w = new_world(NULL);
	struct flow f;

	(void)state;
	create(w, 0);
	read_events(w);
	f = w->table[0].f;
	w->table[0].f.orig = f.reply;
	w->table[0].f.reply = f.orig;
	w->table[0].f.id++;
	begin_dump(w, TOUCH_SEND);
	w->n_ahead = 0;
	while (w->is_dumping)
		read_rows(w);
	work(w);
	assert_false(is_cached(w, 0, &f));
	assert_false(w->replica[0].is_there);
	free_world(w);
}

static void test_a_row_of_what_has_ended_since_is_asked_for(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	for (int t = 0; t < 2; t++)
		create(w, t);
	begin_dump(w, TOUCH_SEND);
	w->tombs.max = 1; /* the second one finds no room */
	destroy(w, 0);
	destroy(w, 1);
	read_events(w);
	while (w->is_dumping)
		read_rows(w);
	work(w);
	assert_int_equal(w->n_questions, 1);
	assert_mirrored(w);
	free_world(w);
}

static void test_the_end_of_another_life_ends_nothing(void **state)
{
	struct world *w = new_world(NULL);
	struct flow old;

	(void)state;
	create(w, 0);
	old = w->table[0].f;
	create(w, 0); /* and the end of the first is told late */
	send_event(w, FLOW_EVENT_DESTROY, ORIGIN_OTHER, &old);
	read_events(w);
	work(w);
	assert_int_equal(w->n_questions, 1);
	assert_mirrored(w);
	free_world(w);
}

static void test_the_end_of_a_life_not_heard_of_is_found(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	create(w, 0);
	read_events(w);
	w->is_full = true;
	destroy(w, 0);
	create(w, 0);
	w->is_full = w->is_lost = false;
	destroy(w, 0);
	read_events(w);
	work(w);
	assert_mirrored(w);
	free_world(w);
}

static void test_a_change_of_a_life_not_heard_of_brings_it(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	create(w, 0);
	set_mark(w, 0, 7);
	read_events(w);
	w->is_full = true;
	destroy(w, 0);
	create(w, 0);
	w->is_full = w->is_lost = false;
	set_state(w, 0, TCP_STATE_ESTABLISHED);
	read_events(w);
	work(w);
	assert_mirrored(w);
	free_world(w);
}

static void test_a_loser_of_a_clash_is_nobody(void **state)
{
	struct world *w = new_world(NULL);
	struct flow loser;

	(void)state;
	create(w, 0);
	loser = update_of(&w->table[0].f, 0);
	loser.id = 4711;
	loser.status |= STATUS_NAT_CLASH;
	send_event(w, FLOW_EVENT_UPDATE, ORIGIN_OTHER, &loser);
	send_event(w, FLOW_EVENT_DESTROY, ORIGIN_OTHER, &loser);
	read_events(w);
	assert_false(mirror_has_work(&w->m));
	assert_mirrored(w);
	free_world(w);
}

/* Kernels give a life that begins at once the memory of the one before, and
 * with it its id. */
static void test_the_next_life_inherits_nothing_whatever_its_id(void **state)
{
	static const bool has_same_id[] = { false, true };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world *w = new_world(NULL);
		struct flow *f = begin(w, 0, 0);
		uint32_t id = f->id;

		f->has |= FLOW_HELPER | FLOW_LABELS | FLOW_MASTER | FLOW_MARK |
			  FLOW_SEQADJ_ORIG;
		f->helper = 1;
		f->labels[0] = 8;
		f->master.l4proto = L4_TCP;
		f->mark = 7;
		send_event(w, FLOW_EVENT_NEW, ORIGIN_OTHER, f);
		set_state(w, 0, TCP_STATE_ESTABLISHED);
		read_events(w);
		assert_mirrored(w);
		w->is_full = true;
		destroy(w, 0);
		begin(w, 0, has_same_id[i] ? id : 0);
		w->is_full = w->is_lost = false;
		dump(w, TOUCH_SEND);
		assert_mirrored(w);
		assert_int_equal(flow_cache_head(w->cache, id_of(w, 0))->state,
				 ENTRY_NEW);
		free_world(w);
	}
}

static void test_what_begins_with_an_update_is_asked_for(void **state)
{
	const struct filter_opts only_established = {
		.state = FILTER_ACCEPT,
		.tcp_states = 1 << TCP_STATE_ESTABLISHED,
	};
	struct world *w = new_world(&only_established);
	struct flow *f = begin(w, 0, 0);

	(void)state;
	f->has |= FLOW_LABELS | FLOW_MASTER;
	f->labels[0] = 8;
	f->master.l4proto = L4_TCP;
	send_event(w, FLOW_EVENT_NEW, ORIGIN_OTHER, f);
	set_state(w, 0, TCP_STATE_ESTABLISHED);
	read_events(w);
	assert_true(mirror_has_work(&w->m));
	work(w);
	assert_mirrored(w);
	/* and one that is cached already is not */
	w->n_questions = 0;
	set_mark(w, 0, 7);
	read_events(w);
	assert_false(mirror_has_work(&w->m));
	assert_mirrored(w);
	free_world(w);
}

/* It is there, though its state is none that is replicated. */
static void
test_a_state_that_is_filtered_is_no_end_and_is_not_taken(void **state)
{
	const struct filter_opts only_established = {
		.state = FILTER_ACCEPT,
		.tcp_states = 1 << TCP_STATE_ESTABLISHED,
	};
	struct world *w = new_world(&only_established);
	struct flow f;

	(void)state;
	begin(w, 0, 0);
	set_state(w, 0, TCP_STATE_ESTABLISHED);
	read_events(w);
	work(w);
	set_state(w, 0, TCP_STATE_FIN_WAIT);
	read_events(w);
	dump(w, TOUCH_SEND);
	assert_true(is_cached(w, 0, &f));
	assert_int_equal(f.tcp_state, TCP_STATE_ESTABLISHED);
	/* nor by a question */
	w->now_s += 432010;
	second(w);
	assert_true(is_cached(w, 0, &f));
	assert_int_equal(f.tcp_state, TCP_STATE_ESTABLISHED);
	w->n_questions = 0;
	second(w);
	assert_int_equal(w->n_questions, 0);
	destroy(w, 0);
	read_events(w);
	assert_false(is_cached(w, 0, &f));
	free_world(w);
}

static void test_a_life_whose_state_is_filtered_replaces_nobody(void **state)
{
	const struct filter_opts only_established = {
		.state = FILTER_ACCEPT,
		.tcp_states = 1 << TCP_STATE_ESTABLISHED,
	};
	struct world *w = new_world(&only_established);
	struct flow f;

	(void)state;
	begin(w, 0, 0);
	set_state(w, 0, TCP_STATE_ESTABLISHED);
	read_events(w);
	work(w);
	w->is_full = true;
	destroy(w, 0);
	create(w, 0);
	w->is_full = w->is_lost = false;
	dump(w, TOUCH_SEND);
	assert_false(is_cached(w, 0, &f));
	assert_false(w->replica[0].is_there);
	free_world(w);
}

static void
test_what_a_dump_has_not_met_ends_when_the_kernel_says_so(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	for (int t = 0; t < TUPLES; t++)
		create(w, t);
	read_events(w);
	w->is_full = true;
	destroy(w, 0);
	destroy(w, 5);
	w->is_full = w->is_lost = false;
	begin_dump(w, TOUCH_QUIET);
	while (w->is_dumping)
		read_rows(w);
	assert_false(mirror_is_settled(&w->m));
	w->error = -ENOBUFS; /* for a while the kernel takes no questions */
	work(w);
	assert_false(mirror_is_settled(&w->m));
	second(w);
	assert_false(mirror_is_settled(&w->m));
	w->error = 0;
	second(w);
	assert_true(mirror_is_settled(&w->m));
	assert_mirrored(w);
	free_world(w);
}

static void test_a_question_that_has_no_answer_holds_nothing_up(void **state)
{
	struct world *w = new_world(NULL);
	struct flow f;

	(void)state;
	create(w, 0);
	read_events(w);
	w->table[0].is_there = false;
	w->error = -EINVAL;
	dump(w, TOUCH_QUIET);
	assert_true(mirror_is_settled(&w->m));
	assert_true(is_cached(w, 0, &f));
	free_world(w);
}

static void test_a_failed_dump_leaves_nothing_behind(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	for (int t = 0; t < TUPLES; t++)
		create(w, t);
	read_events(w);
	begin_dump(w, TOUCH_SEND);
	read_rows(w);
	read_rows(w);
	end_dump(w, false);
	assert_true(mirror_is_settled(&w->m));
	w->is_full = true;
	destroy(w, 0); /* which that one has met */
	w->is_full = w->is_lost = false;
	dump(w, TOUCH_SEND);
	assert_mirrored(w);
	free_world(w);
}

/* Between question and answer nothing is handled, and what could not be asked
 * goes with its entry: no answer ends another one that has its place. */
static void
test_a_place_taken_again_is_not_asked_for_its_old_holder(void **state)
{
	struct world *w = new_world(NULL);
	uint32_t id;

	(void)state;
	create(w, 0);
	read_events(w);
	id = id_of(w, 0);
	w->table[0].is_there = false;
	w->error = -EAGAIN;
	dump(w, TOUCH_SEND); /* not met, not answered */
	assert_false(mirror_is_settled(&w->m));
	w->table[0].is_there = true;
	destroy(w, 0);
	read_events(w);
	remove_dead(w);
	create(w, 1);
	read_events(w);
	assert_int_equal(id_of(w, 1), id);
	w->error = 0;
	w->n_questions = 0;
	second(w);
	assert_int_equal(w->n_questions, 0);
	assert_true(mirror_is_settled(&w->m));
	assert_mirrored(w);
	free_world(w);
}

static void test_silent_ends_are_found_a_few_a_second(void **state)
{
	enum { MANY = 1000 };
	struct world *w = new_world(NULL);
	unsigned int n;

	(void)state;
	begin_dump(w, TOUCH_QUIET);
	for (int i = 0; i < MANY; i++) {
		struct flow f = tuple_number(TUPLES - 3);

		f.orig.sport = (uint16_t)i;
		f.timeout_s = 3600;
		mirror_row(&w->m, &f, true, w->now_s);
	}
	end_dump(w, true);
	w->table[TUPLES - 3].is_there = true;
	w->table[TUPLES - 3].f = tuple_number(TUPLES - 3);
	w->error = -EINVAL; /* they are there as far as anybody knows */
	work(w);
	w->n_questions = 0;
	second(w);
	n = w->n_questions;
	assert_in_range(n, 1, 100);
	for (int i = 0; i < 100; i++)
		second(w);
	assert_in_range(w->n_questions, 50 * n, 101 * n);
	/* where they do end, more are asked for */
	w->error = -ENOENT;
	for (int i = 0; i < 5; i++)
		second(w);
	assert_int_equal(flow_cache_stats(w->cache)->n_active, 0);
	w->n_questions = 0;
	second(w);
	assert_int_equal(w->n_questions, 0);
	free_world(w);
}

static void test_an_event_ends_the_doubt(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	begin(w, 0, 0);
	begin(w, 1, 0);
	dump(w, TOUCH_SEND);
	set_mark(w, 0, 7);
	read_events(w);
	second(w);
	assert_int_equal(w->n_questions, 1);
	w->table[1].is_there = false; /* in silence */
	second(w);
	assert_mirrored(w);
	free_world(w);
}

/* A million would cost no more: 1,000 looks and no question. */
static void test_idle_flows_cost_nothing(void **state)
{
	struct world *w = new_world(NULL);
	struct flow f = tuple_number(0);

	(void)state;
	f.timeout_s = 3600;
	for (uint32_t i = 0; i < 5000; i++) {
		f.orig.dst.b[2] = (uint8_t)(i >> 8);
		f.orig.dst.b[3] = (uint8_t)i;
		mirror_event(&w->m, FLOW_EVENT_NEW, ORIGIN_OTHER, &f, w->now_s);
	}
	for (int i = 0; i < 100; i++) {
		uint32_t before = w->m.look_position;

		second(w);
		assert_true(w->m.look_position <= before + 1000);
		assert_false(mirror_has_work(&w->m));
	}
	assert_int_equal(w->n_questions, 0);
	free_world(w);
}

static void test_what_has_run_out_is_asked_for_once(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	create(w, 0);
	create(w, 1);
	read_events(w);
	w->table[0].is_there = false; /* untold, as if its mask had no end */
	w->now_s += 123;
	for (int i = 0; i < 20; i++)
		second(w);
	assert_mirrored(w);
	assert_int_equal(w->n_questions, 2); /* of the other: it lives on */
	free_world(w);
}

/* The kernel reports it without timeout and state, which says nothing new. */
static void test_an_offloaded_flow_is_not_asked_for_for_ever(void **state)
{
	struct world *w = new_world(NULL);
	struct flow f;

	(void)state;
	create(w, 0);
	set_state(w, 0, TCP_STATE_ESTABLISHED);
	w->table[0].f.status |= STATUS_OFFLOAD;
	w->table[0].f.has &= ~(FLOW_TIMEOUT | FLOW_TCP_STATE);
	change(w, 0, 0);
	read_events(w);
	w->now_s += 432010;
	for (int i = 0; i < 100; i++)
		second(w);
	assert_int_equal(w->n_questions, 1);
	assert_true(is_cached(w, 0, &f));
	assert_int_equal(f.tcp_state, TCP_STATE_ESTABLISHED);
	free_world(w);
}

static void test_what_was_flushed_lives_on_until_its_time_is_up(void **state)
{
	struct world *w = new_world(NULL);
	struct flow f;

	(void)state;
	begin(w, 0, 0);
	w->table[0].f.helper = 1;
	w->table[0].f.has |= FLOW_HELPER;
	w->table[0].f.reply.dst.b[0] = 203;
	w->table[0].f.status |= STATUS_SRC_NAT_DONE;
	dump(w, TOUCH_SEND); /* may end in silence, may be shifted */
	second(w);
	assert_int_equal(w->n_questions, 2);
	f = w->table[0].f;
	send_event(w, FLOW_EVENT_DESTROY, ORIGIN_FLUSH, &f);
	w->table[0].is_there = false;
	read_events(w);
	for (int i = 0; i < 120; i++)
		second(w);
	assert_int_equal(w->n_questions, 2);
	assert_true(is_cached(w, 0, &f));
	assert_true(w->replica[0].is_there);
	for (int i = 0; i < 10; i++)
		second(w);
	assert_mirrored(w);
	free_world(w);
}

static void test_shifts_are_asked_for_as_they_may_have_come(void **state)
{
	struct world *w = new_world(NULL);
	struct flow *master, *data;

	(void)state;
	master = begin(w, 0, 0);
	master->has |= FLOW_HELPER;
	master->helper = 1;
	master->status |= STATUS_SRC_NAT_DONE;
	master->reply.dst.b[0] = 203;
	send_event(w, FLOW_EVENT_NEW, ORIGIN_OTHER, master);
	read_events(w);
	work(w);
	/* with a data connection that begins */
	master->has |= FLOW_SEQADJ_ORIG;
	master->seqadj_orig.pos = 1;
	data = begin(w, 1, 0);
	data->has |= FLOW_MASTER | FLOW_MASTER_PORTS;
	data->master.l4proto = L4_TCP;
	data->master.src = master->orig.src;
	data->master.dst = master->orig.dst;
	data->master.sport = master->orig.sport;
	data->master.dport = master->orig.dport;
	send_event(w, FLOW_EVENT_NEW, ORIGIN_OTHER, data);
	read_events(w);
	work(w);
	assert_mirrored(w);
	/* when the status says so */
	master->status |= STATUS_SEQ_ADJUST;
	master->seqadj_orig.pos = 2;
	change(w, 0, 0);
	read_events(w);
	work(w);
	assert_mirrored(w);
	/* and with nothing to tell of it, once a second */
	master->seqadj_orig.pos = 3;
	second(w);
	assert_mirrored(w);
	w->n_questions = 0;
	second(w);
	assert_int_equal(w->n_questions, 1);
	free_world(w);
}

static void test_a_replaced_entry_that_is_not_made_anew_ends(void **state)
{
	struct world *w = new_world(NULL);
	struct flow f;

	(void)state;
	create(w, 0);
	create(w, 1);
	read_events(w);
	for (int t = 0; t < 2; t++) {
		f = w->table[t].f;
		send_event(w, FLOW_EVENT_DESTROY, ORIGIN_COMMIT, &f);
		w->table[t].is_there = false;
	}
	f = *begin(w, 0, 0);
	send_event(w, FLOW_EVENT_NEW, ORIGIN_COMMIT, &f);
	read_events(w);
	work(w);
	assert_mirrored(w);
	assert_int_equal(w->n_questions, 1);
	free_world(w);
}

/* An event that an injection of ours has caused. */
static void inject(struct world *w, enum flow_event type, const struct flow *f)
{
	send_event(w, type, ORIGIN_INJECT, f);
	read_events(w);
	work(w);
}

static void test_what_peers_have_told_is_not_ours(void **state)
{
	struct world *w = new_world(NULL);
	struct flow f = tuple_number(0);

	(void)state;
	inject(w, FLOW_EVENT_NEW, &f);
	inject(w, FLOW_EVENT_UPDATE, &f);
	inject(w, FLOW_EVENT_DESTROY, &f);
	assert_int_equal(id_of(w, 0), FLOW_CACHE_NO_ID);
	assert_int_equal(w->n_told, 0);
	assert_int_equal(w->n_questions, 0);
	free_world(w);
}

/* The cache follows the kernel, and the peers, who know, are told nothing. */
static void test_what_is_ours_goes_along_with_what_peers_tell(void **state)
{
	static const struct {
		uint32_t later_s; /* than our own event */
		bool is_theirs;   /* the last word is a peer's */
	} rows[] = { { 0, false }, { 2, false }, { 3, true }, { 60, true } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct world *w = new_world(NULL);
		uint32_t told_s = w->now_s;
		struct flow f;
		uint32_t id;

		create(w, 0);
		read_events(w);
		w->now_s += rows[i].later_s;
		f = w->table[0].f;
		f.mark = 9;
		f.has |= FLOW_MARK;
		w->n_told = 0;
		inject(w, FLOW_EVENT_UPDATE, &f);
		id = id_of(w, 0);
		flow_cache_get(w->cache, id, &f);
		assert_int_equal(f.mark, 9);
		assert_int_equal(
			flow_cache_is_marked(w->cache, SET_INJECTED, id),
			rows[i].is_theirs);
		assert_int_equal(flow_cache_head(w->cache, id)->changed_s,
				 rows[i].is_theirs ? w->now_s : told_s);
		assert_int_equal(w->n_told, 0);
		set_mark(w, 0, 10); /* ours again */
		read_events(w);
		assert_false(flow_cache_is_marked(w->cache, SET_INJECTED, id));
		assert_int_equal(w->n_told, 1);
		f = w->table[0].f;
		inject(w, FLOW_EVENT_DESTROY, &f);
		assert_int_equal(id_of(w, 0), FLOW_CACHE_NO_ID);
		assert_int_equal(w->n_told, 1);
		free_world(w);
	}
}

static void test_the_injected_end_of_another_life_ends_nothing(void **state)
{
	struct world *w = new_world(NULL);
	struct flow f;

	(void)state;
	create(w, 0);
	read_events(w);
	f = w->table[0].f;
	f.id++;
	f.mark = 9;
	f.has |= FLOW_MARK;
	inject(w, FLOW_EVENT_UPDATE, &f);
	inject(w, FLOW_EVENT_DESTROY, &f);
	assert_mirrored(w);
	free_world(w);
}

static void test_traffic_is_counted_at_the_end(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	create(w, 0);
	read_events(w);
	w->table[0].f.counters_orig = (struct flow_counters){ 3, 300 };
	w->table[0].f.counters_reply = (struct flow_counters){ 2, 50 };
	w->queue[0] = (struct event){ .type = FLOW_EVENT_DESTROY,
				      .f = w->table[0].f };
	w->queue[0].f.has |= FLOW_COUNTERS_ORIG | FLOW_COUNTERS_REPLY;
	w->n_queued = 1;
	w->table[0].is_there = false;
	read_events(w);
	assert_mirrored(w);
	assert_int_equal(w->m.stats.traffic_packets, 5);
	assert_int_equal(w->m.stats.traffic_bytes, 350);
	free_world(w);
}

/* ---- polled ------------------------------------------------------------- */

static void test_a_poll_tells_what_differs_and_nothing_else(void **state)
{
	struct world *w = new_polled();

	(void)state;
	for (int t = 0; t < 5; t++)
		create(w, t);
	dump(w, TOUCH_SEND);
	assert_mirrored(w);
	assert_int_equal(w->n_told, 5);
	w->n_told = 0;
	for (int t = 0; t < 5; t++) /* as packets do */
		w->table[t].f.timeout_s += (uint32_t)t;
	w->table[4].f.has |= FLOW_COUNTERS_ORIG;
	w->table[4].f.counters_orig = (struct flow_counters){ 3, 300 };
	dump(w, TOUCH_SEND);
	assert_int_equal(w->n_told, 0);
	assert_int_equal(w->n_questions, 0);
	set_mark(w, 0, 7);
	set_state(w, 1, TCP_STATE_ESTABLISHED);
	destroy(w, 2);
	create(w, 5);
	dump(w, TOUCH_SEND);
	assert_mirrored(w);
	assert_int_equal(w->n_told, 4);
	assert_int_equal(w->n_questions, 1); /* of what was not met */
	free_world(w);
}

/* Nobody asks between two polls for what the next one shows anyway. */
static void test_between_polls_nothing_is_asked(void **state)
{
	struct world *w = new_polled();

	(void)state;
	for (int t = 0; t < TUPLES; t++) {
		create(w, t);
		w->table[t].f.has |= FLOW_HELPER; /* may be shifted */
		w->table[t].f.reply.dst.b[0] = 203;
		w->table[t].f.status |= STATUS_SRC_NAT_DONE;
	}
	dump(w, TOUCH_SEND);
	for (int i = 0; i < 100; i++)
		second(w);
	assert_int_equal(w->n_questions, 0);
	free_world(w);
}

/* The end and the begin were between two polls: the peers hear of a next life,
 * which inherits nothing. */
static void test_a_life_that_began_between_polls_is_a_next_one(void **state)
{
	struct world *w = new_polled();

	(void)state;
	for (int has_same_id = 0; has_same_id < 2; has_same_id++) {
		uint32_t id;

		create(w, 0);
		w->table[0].f.has |= FLOW_LABELS | FLOW_HELPER;
		set_state(w, 0, TCP_STATE_ESTABLISHED);
		dump(w, TOUCH_SEND);
		assert_mirrored(w);
		destroy(w, 0);
		begin(w, 0, has_same_id ? w->free_id[0] : 0);
		dump(w, TOUCH_SEND);
		assert_mirrored(w);
		id = id_of(w, 0);
		assert_int_equal(flow_cache_head(w->cache, id)->state,
				 ENTRY_NEW);
		destroy(w, 0);
		dump(w, TOUCH_SEND);
		remove_dead(w);
	}
	free_world(w);
}

/* NLM_F_DUMP_INTR begins it again; what it had shown is shown twice. */
static void test_a_poll_that_is_interrupted_ends_nobody(void **state)
{
	struct world *w = new_polled();

	(void)state;
	for (int t = 0; t < TUPLES - 2; t++)
		create(w, t);
	dump(w, TOUCH_SEND);
	w->n_told = 0;
	set_mark(w, 0, 7);
	destroy(w, 1);
	begin_dump(w, TOUCH_SEND);
	read_rows(w);
	create(w, TUPLES - 1);
	w->dump_at = 0;
	make_rows(w);
	while (w->is_dumping)
		read_rows(w);
	work(w);
	assert_mirrored(w);
	assert_int_equal(w->n_told, 3);
	/* and one that fails half way */
	destroy(w, 0);
	begin_dump(w, TOUCH_SEND);
	read_rows(w);
	end_dump(w, false);
	work(w);
	assert_true(mirror_is_settled(&w->m));
	assert_int_equal(w->n_told, 3);
	assert_int_equal(w->n_questions, 1);
	dump(w, TOUCH_SEND);
	assert_mirrored(w);
	assert_int_equal(w->n_told, 4);
	free_world(w);
}

/* A row that the kernel has not shown, though it is there (its table was being
 * resized): it is asked for. */
static void test_what_a_poll_has_missed_is_no_end(void **state)
{
	struct world *w = new_polled();

	(void)state;
	create(w, 0);
	create(w, 1);
	dump(w, TOUCH_SEND);
	w->n_told = 0;
	begin_dump(w, TOUCH_SEND);
	w->n_ahead = 0;
	end_dump(w, true);
	work(w);
	assert_mirrored(w);
	assert_int_equal(w->n_told, 0);
	free_world(w);
}

/* -F, -t: the table is emptied, not the cache (-R, or the timeout, ends it). */
static void test_what_was_flushed_no_poll_ends(void **state)
{
	struct world *w = new_polled();
	struct flow f;

	(void)state;
	for (int t = 0; t < 3; t++)
		create(w, t);
	dump(w, TOUCH_SEND);
	w->n_told = 0;
	for (int t = 0; t < 3; t++) {
		destroy(w, t);
		mirror_flushed(&w->m, &w->table[t].f);
	}
	create(w, 2); /* goes on */
	for (int i = 0; i < 3; i++)
		dump(w, TOUCH_SEND);
	assert_true(is_cached(w, 0, &f) && is_cached(w, 1, &f));
	assert_int_equal(w->n_told, 1);
	destroy(w, 2);
	dump(w, TOUCH_SEND);
	assert_int_equal(w->n_told, 2);
	begin(w, 0, 0); /* back, and then gone for good */
	dump(w, TOUCH_SEND);
	w->table[0].is_there = false;
	dump(w, TOUCH_SEND);
	assert_false(w->replica[0].is_there);
	assert_true(w->replica[1].is_there);
	dump(w, TOUCH_QUIET);
	assert_mirrored(w);
	free_world(w);
}

/* ---- any order ---------------------------------------------------------- */

static void random_create(struct world *w, int t)
{
	struct flow *f;

	f = begin(w, t, chance(w, 2) ? w->free_id[t] : 0);
	if (chance(w, 3)) {
		f->has |= FLOW_MASTER;
		f->master.l4proto = L4_TCP;
		f->status |= STATUS_EXPECTED;
	}
	if (chance(w, 3)) {
		f->has |= FLOW_LABELS;
		f->labels[0] = (uint8_t)(1 + any(w, 200));
	}
	if (chance(w, 4)) {
		f->has |= FLOW_HELPER;
		f->helper = (uint16_t)(1 + any(w, 3));
	}
	if (chance(w, 4))
		f->reply.dst.b[0] = (uint8_t)any(w, 3);
	send_event(w, FLOW_EVENT_NEW, ORIGIN_OTHER, f);
}

static void random_change(struct world *w, int t)
{
	switch (any(w, 4)) {
	case 0:
		set_mark(w, t, any(w, 5));
		break;
	case 1:
		set_state(w, t, (uint8_t)(1 + any(w, 8)));
		break;
	case 2:
		w->table[t].f.labels[0] = (uint8_t)(1 + any(w, 200));
		w->table[t].f.has |= FLOW_LABELS;
		change(w, t, FLOW_LABELS);
		break;
	case 3: /* as every packet does */
		w->table[t].f.timeout_s = 1 + any(w, 500);
		break;
	}
}

/* With reliable events, one that finds no room is told later; until then the
 * memory is not given to another life. */
static void destroy_late(struct world *w, int t)
{
	struct flow f = update_of(&w->table[t].f, 0);

	w->table[t].is_there = false;
	w->free_id[t] = 0;
	random_create(w, t);
	send_event(w, FLOW_EVENT_DESTROY, ORIGIN_OTHER, &f);
}

static void lose_clash(struct world *w, int t)
{
	struct flow f = update_of(&w->table[t].f, 0);

	f.id = ++w->n_lives * 1000;
	f.status |= STATUS_NAT_CLASH;
	send_event(w, FLOW_EVENT_DESTROY, ORIGIN_OTHER, &f);
}

static void random_kernel(struct world *w)
{
	int t = (int)any(w, TUPLES);

	if (chance(w, 40))
		w->is_full = !w->is_full && chance(w, 3);
	if (!w->table[t].is_there)
		random_create(w, t);
	else if (w->table[t].is_silent && chance(w, 10))
		destroy(w, t);
	else if (chance(w, 6))
		destroy(w, t);
	else if (chance(w, 10))
		destroy_late(w, t);
	else if (chance(w, 10))
		lose_clash(w, t);
	else
		random_change(w, t);
}

static void random_daemon(struct world *w, bool *wants_repair)
{
	if (w->is_lost && w->n_queued == 0) { /* as ct_events tells it */
		w->is_lost = false;
		*wants_repair = true;
	}
	switch (any(w, 8)) {
	case 0:
	case 1:
		for (unsigned int n = any(w, 6); n && w->n_queued; n--)
			read_event(w);
		break;
	case 2:
		if (w->is_dumping && chance(w, 30)) {
			end_dump(w, false);
			*wants_repair = true;
		} else if (w->is_dumping) {
			read_rows(w);
		} else if (*wants_repair && mirror_is_settled(&w->m)) {
			begin_dump(w, TOUCH_SEND);
			*wants_repair = false;
		}
		break;
	case 3:
	case 4:
		if (mirror_has_work(&w->m))
			mirror_work(&w->m, w->now_s);
		break;
	case 5:
		if (chance(w, 5))
			second(w);
		break;
	case 6:
		if (chance(w, 3))
			remove_dead(w);
		break;
	case 7:
		break;
	}
}

/* All is read, repaired and answered. */
static void come_to_rest(struct world *w, bool wants_repair)
{
	w->is_full = false;
	read_events(w);
	while (w->is_dumping)
		read_rows(w);
	for (int i = 0; !mirror_is_settled(&w->m); i++) {
		assert_in_range(i, 0, 1000);
		second(w);
	}
	if (w->is_lost || wants_repair)
		dump(w, TOUCH_SEND);
	for (int i = 0; i < 1000; i++)
		second(w);
}

static void run_random(struct world *w, uint64_t seed)
{
	bool wants_repair = false;

	w->seed = seed;
	w->n_fail = chance(w, 2) ? 7 : 0;
	w->is_reliable = chance(w, 2);
	for (int t = 0; t < TUPLES; t++)
		if (chance(w, 2)) {
			begin(w, t, 0);
			w->table[t].is_silent = chance(w, 2);
		}
	dump(w, TOUCH_QUIET);
	while (!mirror_is_settled(&w->m))
		second(w);
	bulk(w);
	for (int i = 0; i < 2000; i++) {
		if (chance(w, 3))
			random_kernel(w);
		else
			random_daemon(w, &wants_repair);
		wants_repair |= w->is_polled;
	}
	w->n_fail = 0;
	come_to_rest(w, wants_repair);
	assert_mirrored(w);
	free_world(w);
}

static void test_in_any_order_the_mirror_is_right_when_all_is_read(void **state)
{
	const char *first = getenv("FIRST"), *seeds = getenv("SEEDS");
	unsigned long from = first ? strtoul(first, NULL, 10) : 1;
	unsigned long n = seeds ? strtoul(seeds, NULL, 10) : 400;

	(void)state;
	for (unsigned long seed = from; seed < from + n; seed++) {
		if (seeds)
			print_message("seed %lu\n", seed);
		run_random(new_world(NULL), seed * 7919);
		run_random(new_polled(), seed * 7919);
	}
}

/* -R came between the loss and its repair: it has found the flow, which was
 * told to nobody. */
static void test_a_repair_tells_what_a_quiet_dump_has_found(void **state)
{
	struct world *w = new_world(NULL);

	(void)state;
	w->is_full = true;
	create(w, 0);
	w->is_full = w->is_lost = false;
	dump(w, TOUCH_QUIET);
	dump(w, TOUCH_SEND);
	assert_mirrored(w);
	free_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_alone_make_a_mirror),
		cmocka_unit_test(
			test_a_repair_tells_what_a_quiet_dump_has_found),
		cmocka_unit_test(test_an_older_row_does_not_undo_an_event),
		cmocka_unit_test(test_a_row_has_what_a_lost_event_told),
		cmocka_unit_test(
			test_a_row_that_an_event_agrees_with_costs_nothing),
		cmocka_unit_test(
			test_a_dump_of_what_is_known_asks_and_tells_nothing),
		cmocka_unit_test(
			test_what_a_quiet_row_was_first_to_tell_is_told),
		cmocka_unit_test(test_an_older_row_does_not_undo_an_answer),
		cmocka_unit_test(test_an_answer_of_another_entry_is_an_end),
		cmocka_unit_test(
			test_a_row_of_what_has_ended_since_is_asked_for),
		cmocka_unit_test(test_the_end_of_another_life_ends_nothing),
		cmocka_unit_test(test_the_end_of_a_life_not_heard_of_is_found),
		cmocka_unit_test(
			test_a_change_of_a_life_not_heard_of_brings_it),
		cmocka_unit_test(test_a_loser_of_a_clash_is_nobody),
		cmocka_unit_test(
			test_the_next_life_inherits_nothing_whatever_its_id),
		cmocka_unit_test(test_what_begins_with_an_update_is_asked_for),
		cmocka_unit_test(
			test_a_state_that_is_filtered_is_no_end_and_is_not_taken),
		cmocka_unit_test(
			test_a_life_whose_state_is_filtered_replaces_nobody),
		cmocka_unit_test(
			test_what_a_dump_has_not_met_ends_when_the_kernel_says_so),
		cmocka_unit_test(
			test_a_question_that_has_no_answer_holds_nothing_up),
		cmocka_unit_test(test_a_failed_dump_leaves_nothing_behind),
		cmocka_unit_test(
			test_a_place_taken_again_is_not_asked_for_its_old_holder),
		cmocka_unit_test(test_silent_ends_are_found_a_few_a_second),
		cmocka_unit_test(test_an_event_ends_the_doubt),
		cmocka_unit_test(test_idle_flows_cost_nothing),
		cmocka_unit_test(test_what_has_run_out_is_asked_for_once),
		cmocka_unit_test(
			test_an_offloaded_flow_is_not_asked_for_for_ever),
		cmocka_unit_test(
			test_what_was_flushed_lives_on_until_its_time_is_up),
		cmocka_unit_test(
			test_shifts_are_asked_for_as_they_may_have_come),
		cmocka_unit_test(
			test_a_replaced_entry_that_is_not_made_anew_ends),
		cmocka_unit_test(test_what_peers_have_told_is_not_ours),
		cmocka_unit_test(
			test_what_is_ours_goes_along_with_what_peers_tell),
		cmocka_unit_test(
			test_the_injected_end_of_another_life_ends_nothing),
		cmocka_unit_test(test_traffic_is_counted_at_the_end),
		cmocka_unit_test(
			test_a_poll_tells_what_differs_and_nothing_else),
		cmocka_unit_test(test_between_polls_nothing_is_asked),
		cmocka_unit_test(
			test_a_life_that_began_between_polls_is_a_next_one),
		cmocka_unit_test(test_a_poll_that_is_interrupted_ends_nobody),
		cmocka_unit_test(test_what_a_poll_has_missed_is_no_end),
		cmocka_unit_test(test_what_was_flushed_no_poll_ends),
		cmocka_unit_test(
			test_in_any_order_the_mirror_is_right_when_all_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
