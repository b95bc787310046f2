/* SPDX-License-Identifier: ISC */
/* One flow into a kernel that answers as the test says, operation by
 * operation, and that has no room whenever the test says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "base/util.h"
#include "sync/apply.h"
#include "sync/mirror.h"

enum { OPS = 4096, ENDS = 1024, TOLD_S = 90, NOW_S = 100, LOOKS = 16 };
enum { NEVER = 1 << 30 };

/* What an operation is, as the kernel sees it; or that there is none, for it
 * has ended. */
enum seen {
	FAIL,
	DONE,
	NEWER,
	CREATE,
	PLAIN,  /* creation without the helper */
	ORPHAN, /* without the master */
	BARE,   /* without both */
	LOOK,
	REPLY, /* a question by the reply tuple */
	UPDATE,
	DELETE,
	ABSENT, /* nothing was there to end */
};

struct operation {
	enum kernel_op op;
	uint32_t cookie;
	struct flow flow;
};

struct rig {
	struct apply *apply;
	struct flow_cache *internal;
	struct kernel_ops ops;
	struct operation *sent; /* in order */
	int n_sent, n_answered;
	int n_calls;    /* of submit */
	int no_room_at; /* the number of the call that finds no room */
	int wrong_at;   /* of the one that is refused, */
	int wrong;      /* with this */
	bool is_full;
	int n_finished;
	int unwanted_at; /* the question that is answered by no */
	int n_wanted;    /* questions */
	struct {
		uint32_t cookie;
		struct apply_end end;
	} ends[ENDS];
	int n_ends;
	enum wanted_by by;             /* of what is put */
	const struct flow *put_at_end; /* by ended(), once */
};

static int submit(void *self, enum kernel_op op, const struct object *object,
		  uint32_t cookie)
{
	struct rig *r = self;
	int call = r->n_calls++;

	assert_int_equal(object->kind, OBJECT_FLOW);
	if (r->is_full || call == r->no_room_at)
		return -EAGAIN;
	if (call == r->wrong_at)
		return r->wrong;
	assert_in_range(r->n_sent, 0, OPS - 1);
	r->sent[r->n_sent++] = (struct operation){ op, cookie, *object->flow };
	return 0;
}

static void finish(void *self)
{
	struct rig *r = self;

	r->n_finished++;
}

static bool is_wanted(void *ctx, uint32_t cookie)
{
	struct rig *r = ctx;

	(void)cookie;
	return r->n_wanted++ != r->unwanted_at;
}

static void put(struct rig *r, const struct flow *f, uint32_t cookie)
{
	const struct apply_item item = { .flow = f,
					 .told_s = TOLD_S,
					 .has_master = true,
					 .by = (uint8_t)r->by,
					 .cookie = cookie };

	apply_put(r->apply, &item, NOW_S);
}

static void ended(void *ctx, uint32_t cookie, const struct apply_end *end)
{
	struct rig *r = ctx;
	const struct flow *next = r->put_at_end;

	assert_in_range(r->n_ends, 0, ENDS - 1);
	r->ends[r->n_ends].cookie = cookie;
	r->ends[r->n_ends++].end = *end;
	r->put_at_end = NULL;
	if (next)
		put(r, next, cookie + 1);
}

static void rig_init(struct rig *r, struct flow_cache *internal)
{
	struct apply_opts o = { .internal = internal,
				.kernel = &r->ops,
				.is_wanted = is_wanted,
				.ended = ended,
				.ctx = r };

	*r = (struct rig){ .ops = { r, submit, finish, NULL },
			   .internal = internal,
			   .sent = calloc(OPS, sizeof(*r->sent)),
			   .no_room_at = NEVER,
			   .wrong_at = NEVER,
			   .unwanted_at = NEVER };
	r->apply = apply_new(&o);
	assert_non_null(r->apply);
}

static void rig_fini(struct rig *r)
{
	apply_free(r->apply);
	free(r->sent);
}

static struct flow_cache *new_cache(void)
{
	const struct flow_cache_opts o = { .first_size = 16, .limit = 100 };
	struct flow_cache *c = flow_cache_new(&o);

	assert_non_null(c);
	return c;
}

/* ---- flows -------------------------------------------------------------- */

static struct flow plain(uint16_t port)
{
	struct flow f = { .family = FAMILY_IPV4, .l4proto = L4_TCP };

	f.orig.src.b[0] = 10;
	f.orig.dst.b[0] = 20;
	f.orig.sport = port;
	f.orig.dport = 80;
	f.has = FLOW_PORTS | FLOW_STATUS | FLOW_TIMEOUT;
	f.status = STATUS_CONFIRMED;
	f.timeout_s = 600;
	return f;
}

static struct flow snatted(uint16_t port)
{
	struct flow f = plain(port);

	f.reply = flow_inverse(&f);
	f.reply.dst.b[0] = 99;
	f.has |= FLOW_REPLY;
	return f;
}

/* All that a creation may have to go without. */
static struct flow rich(uint16_t port)
{
	struct flow f = snatted(port);

	f.has |= FLOW_HELPER | FLOW_MASTER | FLOW_MASTER_PORTS;
	f.helper = 1;
	f.master.src.b[0] = 10;
	f.master.dst.b[0] = 20;
	f.master.l4proto = L4_TCP;
	f.master.sport = 1;
	f.master.dport = 21;
	return f;
}

static enum seen seen(const struct operation *o, const struct flow *wanted)
{
	bool has_helper = o->flow.has & FLOW_HELPER;
	bool has_master = o->flow.has & FLOW_MASTER;

	switch (o->op) {
	case KERNEL_CREATE:
		return has_helper && has_master ? CREATE
		       : has_master             ? PLAIN
		       : has_helper             ? ORPHAN
						: BARE;
	case KERNEL_UPDATE:
		return UPDATE;
	case KERNEL_DELETE:
		return DELETE;
	case KERNEL_GET:
		return o->flow.orig.sport == wanted->orig.sport ? LOOK : REPLY;
	}
	return FAIL;
}

/* Answers the oldest operation that has no answer. */
static void answer(struct rig *r, int error, const struct flow *found)
{
	const struct operation *o = &r->sent[r->n_answered++];

	assert_in_range(r->n_answered, 1, r->n_sent);
	apply_done(r->apply, o->op, o->cookie, error,
		   o->op == KERNEL_GET && !error ? found : NULL);
	if (!apply_has_room(r->apply)) /* as the walk that puts them would */
		(void)apply_resume(r->apply);
}

/* What follows: the next operation, or the end. */
static enum seen following(const struct rig *r, const struct flow *wanted)
{
	const struct apply_end *end = &r->ends[0].end;

	if (r->n_sent > r->n_answered)
		return seen(&r->sent[r->n_answered], wanted);
	assert_int_equal(r->n_ends, 1);
	return end->result == APPLY_COMMITTED ? DONE
	       : end->result == APPLY_NEWER   ? NEWER
	       : end->result == APPLY_ABSENT  ? ABSENT
					      : FAIL;
}

/* ---- steps and errors --------------------------------------------------- */

static const int errors[] = { 0,       -EEXIST, -ENOBUFS, -EOPNOTSUPP,
			      -ENOENT, -EBUSY,  -ETIME,   -ENOSPC };

struct row {
	enum seen at;
	int way[4]; /* answers that lead there */
	int n_way;
	enum seen then[N_ELEMENTS(errors)];
	enum wanted_by by;
};

/* clang-format off */
static const struct row rows[] = {
	/*                                 0       EEXIST ENOBUFS NOTSUPP ENOENT EBUSY ETIME   other */
	{ CREATE, { 0 }, 0,              { DONE,   LOOK,  LOOK,   PLAIN, ORPHAN, FAIL, FAIL,   FAIL }, WANTED_BY_COMMIT },
	{ PLAIN, { -EOPNOTSUPP }, 1,     { DONE,   LOOK,  LOOK,   FAIL,  BARE,   FAIL, FAIL,   FAIL }, WANTED_BY_COMMIT },
	{ ORPHAN, { -ENOENT }, 1,        { DONE,   LOOK,  LOOK,   BARE,  FAIL,   FAIL, FAIL,   FAIL }, WANTED_BY_COMMIT },
	{ BARE, { -EOPNOTSUPP, -ENOENT }, 2,
					 { DONE,   LOOK,  LOOK,   FAIL,  FAIL,   FAIL, FAIL,   FAIL }, WANTED_BY_COMMIT },
	{ BARE, { -ENOENT, -EOPNOTSUPP }, 2,
					 { DONE,   LOOK,  LOOK,   FAIL,  FAIL,   FAIL, FAIL,   FAIL }, WANTED_BY_COMMIT },
	{ LOOK, { -EEXIST }, 1,          { UPDATE, FAIL,  LOOK,   FAIL,  REPLY,  FAIL, FAIL,   FAIL }, WANTED_BY_COMMIT },
	{ REPLY, { -EEXIST, -ENOENT }, 2,
					 { UPDATE, FAIL,  LOOK,   FAIL,  CREATE, FAIL, FAIL,   FAIL }, WANTED_BY_COMMIT },
	{ UPDATE, { -EEXIST, 0 }, 2,     { DONE,   FAIL,  LOOK,   FAIL,  CREATE, LOOK, CREATE, FAIL }, WANTED_BY_COMMIT },
	/* a peer's change begins with a question */
	{ LOOK, { 0 }, 0,                { UPDATE, FAIL,  LOOK,   FAIL,  CREATE, FAIL, FAIL,   FAIL }, WANTED_BY_UPDATE },
	{ CREATE, { -ENOENT }, 1,        { DONE,   LOOK,  LOOK,   PLAIN, ORPHAN, FAIL, FAIL,   FAIL }, WANTED_BY_UPDATE },
	/* and so does an end */
	{ LOOK, { 0 }, 0,                { DELETE, FAIL,  LOOK,   FAIL,  ABSENT, FAIL, FAIL,   FAIL }, WANTED_GONE },
	{ DELETE, { 0 }, 1,              { DONE,   FAIL,  LOOK,   FAIL,  ABSENT, FAIL, FAIL,   FAIL }, WANTED_GONE },
	/* a creation after a look has all again */
	{ CREATE, { -EOPNOTSUPP, -EEXIST, -ENOENT, -ENOENT }, 4,
					 { DONE,   LOOK,  LOOK,   PLAIN, ORPHAN, FAIL, FAIL,   FAIL }, WANTED_BY_COMMIT },
};
/* clang-format on */

static const enum kernel_op op_of[] = {
	[CREATE] = KERNEL_CREATE, [PLAIN] = KERNEL_CREATE,
	[ORPHAN] = KERNEL_CREATE, [BARE] = KERNEL_CREATE,
	[LOOK] = KERNEL_GET,      [REPLY] = KERNEL_GET,
	[UPDATE] = KERNEL_UPDATE, [DELETE] = KERNEL_DELETE,
};

/* Takes a flow along the way to a step, and one answer further. Call number
 * no_room_at of the kernel finds no room. False: there were fewer calls. */
static bool try_row(const struct row *row, size_t e, int no_room_at)
{
	struct flow f = rich(7);
	struct rig r;
	bool was_full;

	rig_init(&r, NULL);
	r.no_room_at = no_room_at;
	r.by = row->by;
	put(&r, &f, 3);
	if (no_room_at == 0) {
		assert_false(apply_has_room(r.apply));
		assert_true(apply_resume(r.apply));
	}
	for (int i = 0; i < row->n_way; i++)
		answer(&r, row->way[i], &f);
	assert_int_equal(following(&r, &f), row->at);
	answer(&r, errors[e], &f);
	assert_int_equal(following(&r, &f), row->then[e]);
	if (r.n_sent == r.n_answered) {
		assert_int_equal(r.ends[0].cookie, 3);
		assert_true(apply_is_idle(r.apply));
	}
	if (row->then[e] == FAIL) {
		assert_int_equal(r.ends[0].end.op, op_of[row->at]);
		assert_int_equal(r.ends[0].end.error, errors[e]);
	}
	assert_true(apply_has_room(r.apply));
	was_full = r.n_calls > no_room_at;
	rig_fini(&r);
	return was_full;
}

static void test_each_answer_leads_to_the_next_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		for (size_t e = 0; e < N_ELEMENTS(errors); e++)
			try_row(&rows[i], e, NEVER);
}

/* Wherever the kernel side has no room, it goes on from there. */
static void test_no_room_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		for (size_t e = 0; e < N_ELEMENTS(errors); e++)
			for (int at = 0; try_row(&rows[i], e, at); at++)
				;
}

static void test_what_has_no_master_does_not_go_without_it(void **state)
{
	static const int first[] = { 0, -EOPNOTSUPP };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(first); i++) {
		struct flow f = plain(7);
		struct rig r;

		f.has |= FLOW_HELPER;
		rig_init(&r, NULL);
		put(&r, &f, 3);
		if (first[i])
			answer(&r, first[i], NULL);
		answer(&r, -ENOENT, NULL);
		assert_int_equal(following(&r, &f), FAIL);
		assert_int_equal(r.ends[0].end.error, -ENOENT);
		rig_fini(&r);
	}
}

/* What an answer leads back to, for ever if it were not counted. */
static void test_it_is_looked_at_so_often_and_no_more(void **state)
{
	static const struct {
		int answers[4]; /* from a look on, to the next one */
		int n;
		enum kernel_op op; /* that fails in the end */
		int error;
	} rounds[] = {
		{ { -ENOBUFS }, 1, KERNEL_GET, -ENOBUFS },
		{ { -ENOENT, -ENOBUFS }, 2, KERNEL_GET, -ENOBUFS },
		{ { -ENOENT, -ENOENT, -EEXIST }, 3, KERNEL_CREATE, -EEXIST },
		{ { -ENOENT, -ENOENT, -ENOBUFS }, 3, KERNEL_CREATE, -ENOBUFS },
		{ { 0, -EBUSY }, 2, KERNEL_UPDATE, -EBUSY },
		{ { 0, -ENOBUFS }, 2, KERNEL_UPDATE, -ENOBUFS },
		{ { 0, -ENOENT, -EEXIST }, 3, KERNEL_CREATE, -EEXIST },
		{ { 0, -ETIME, -EEXIST }, 3, KERNEL_CREATE, -EEXIST },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rounds); i++) {
		struct flow f = rich(7);
		struct rig r;
		int n_looks = 1;

		rig_init(&r, NULL);
		put(&r, &f, 3);
		answer(&r, -EEXIST, NULL);
		for (int k = 0; r.n_ends == 0; k++) {
			answer(&r, rounds[i].answers[k % rounds[i].n], &f);
			n_looks += (k + 1) % rounds[i].n == 0 && !r.n_ends;
		}
		assert_int_equal(n_looks, LOOKS);
		assert_int_equal(r.ends[0].end.result, APPLY_FAILED);
		assert_int_equal(r.ends[0].end.op, rounds[i].op);
		assert_int_equal(r.ends[0].end.error, rounds[i].error);
		assert_true(apply_is_idle(r.apply));
		/* the next one has looks of its own */
		put(&r, &f, 4);
		answer(&r, -EEXIST, NULL);
		assert_int_equal(seen(&r.sent[r.n_answered], &f), LOOK);
		rig_fini(&r);
	}
}

/* ---- what is in the way ------------------------------------------------- */

/* Leads a flow to the comparison with what is there. */
static void meet(struct rig *r, const struct flow *wanted,
		 const struct flow *there)
{
	put(r, wanted, 3);
	answer(r, -EEXIST, NULL);
	answer(r, 0, there);
}

static void test_another_translation_is_replaced(void **state)
{
	struct flow wanted = snatted(7), there = plain(7);

	(void)state;
	there.has |= FLOW_ID;
	there.id = 5;
	/* what the deletion has come to does not matter */
	for (size_t e = 0; e < N_ELEMENTS(errors); e++) {
		struct rig r;

		rig_init(&r, NULL);
		meet(&r, &wanted, &there);
		assert_int_equal(r.n_sent, 4);
		assert_int_equal(r.sent[2].op, KERNEL_DELETE);
		assert_int_equal(r.sent[2].flow.id, 5);
		assert_int_equal(r.sent[3].op, KERNEL_CREATE);
		assert_true(flow_same_reply(&r.sent[3].flow, &wanted));
		answer(&r, errors[e], NULL);
		assert_int_equal(r.n_ends, 0);
		answer(&r, 0, NULL);
		assert_int_equal(following(&r, &wanted), DONE);
		rig_fini(&r);
	}
}

static void test_a_replacement_goes_on_where_the_room_ended(void **state)
{
	/* calls: create, get, delete, create */
	static const struct {
		int no_room_at, n_sent;
		enum kernel_op waits;
	} cases[] = { { 2, 2, KERNEL_DELETE }, { 3, 3, KERNEL_CREATE } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct flow wanted = snatted(7), there = plain(7);
		struct rig r;
		int n;

		rig_init(&r, NULL);
		put(&r, &wanted, 3);
		answer(&r, -EEXIST, NULL);
		r.no_room_at = cases[i].no_room_at;
		r.n_answered++;
		apply_done(r.apply, KERNEL_GET, r.sent[1].cookie, 0, &there);
		assert_int_equal(r.n_sent, cases[i].n_sent);
		assert_false(apply_has_room(r.apply));
		r.is_full = true; /* still */
		assert_false(apply_resume(r.apply));
		assert_int_equal(r.n_sent, cases[i].n_sent);
		r.is_full = false;
		assert_true(apply_resume(r.apply));
		n = cases[i].n_sent;
		assert_int_equal(r.sent[n].op, cases[i].waits);
		assert_int_equal(r.n_sent, 4); /* none twice */
		answer(&r, 0, NULL);
		answer(&r, 0, NULL);
		assert_int_equal(following(&r, &wanted), DONE);
		rig_fini(&r);
	}
}

static void test_what_has_another_master_is_replaced(void **state)
{
	struct flow wanted = rich(7), there = rich(7);
	struct rig r;

	(void)state;
	there.master.sport = 2; /* another master */
	rig_init(&r, NULL);
	meet(&r, &wanted, &there);
	assert_int_equal(r.sent[2].op, KERNEL_DELETE);
	rig_fini(&r);
}

/* A master that neither the caller nor the internal cache knows has ended. */
static void test_a_master_that_cannot_be_had_is_not_missed(void **state)
{
	static const struct {
		bool caller, internal;
		enum seen then;
	} cases[] = { { false, false, UPDATE },
		      { true, false, DELETE },
		      { false, true, DELETE } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct flow wanted = rich(7), there = wanted;
		struct flow master = flow_master(&wanted);
		struct flow_cache *c = new_cache();
		const struct apply_item item = { .flow = &wanted,
						 .told_s = TOLD_S,
						 .has_master =
							 cases[i].caller };
		uint32_t id;
		struct rig r;

		there.has &= ~(FLOW_MASTER | FLOW_MASTER_PORTS);
		rig_init(&r, c);
		if (cases[i].internal)
			flow_cache_put(c, &master, PUT_MERGE, TOLD_S, &id);
		apply_put(r.apply, &item, NOW_S);
		answer(&r, -EEXIST, NULL);
		answer(&r, 0, &there);
		assert_int_equal(seen(&r.sent[2], &wanted), cases[i].then);
		rig_fini(&r);
		flow_cache_free(c);
	}
}

static void test_what_runs_back_gives_way_and_nothing_else_does(void **state)
{
	struct flow wanted = snatted(7), back = plain(7), other = plain(8);
	struct rig r;

	(void)state;
	back.orig = flow_reply(&wanted);
	rig_init(&r, NULL);
	put(&r, &wanted, 3);
	answer(&r, -EEXIST, NULL);
	answer(&r, -ENOENT, NULL);
	answer(&r, 0, &back);
	assert_int_equal(r.sent[3].op, KERNEL_DELETE);
	assert_true(flow_same_key(&r.sent[3].flow, &back));
	rig_fini(&r);

	other.reply = wanted.reply;
	other.has |= FLOW_REPLY;
	rig_init(&r, NULL);
	put(&r, &wanted, 3);
	answer(&r, -EEXIST, NULL);
	answer(&r, -ENOENT, NULL);
	answer(&r, 0, &other);
	assert_int_equal(following(&r, &wanted), FAIL);
	assert_int_equal(r.ends[0].end.op, KERNEL_CREATE);
	assert_int_equal(r.ends[0].end.error, -EEXIST);
	rig_fini(&r);
}

static void test_an_update_takes_nothing_back(void **state)
{
	struct flow wanted = plain(7), there = plain(7);
	struct rig r;

	(void)state;
	wanted.status |= STATUS_EXPECTED;
	there.status |= STATUS_SEEN_REPLY | STATUS_ASSURED;
	rig_init(&r, NULL);
	meet(&r, &wanted, &there);
	assert_int_equal(r.sent[2].flow.status,
			 STATUS_CONFIRMED | STATUS_SEEN_REPLY | STATUS_ASSURED);
	rig_fini(&r);
}

/* A message of a reference has no keys of GRE, no ports of UDP-Lite. */
static void test_ports_that_nobody_told_are_zero_in_the_kernel(void **state)
{
	static const struct {
		uint8_t l4proto;
		uint64_t has;
	} kinds[] = { { L4_GRE, FLOW_GRE_KEYS }, { L4_UDPLITE, FLOW_PORTS } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(kinds); i++) {
		struct flow wanted = plain(0), there;
		struct rig r;

		wanted.l4proto = kinds[i].l4proto;
		wanted.orig.dport = 0;
		wanted.has &= ~FLOW_PORTS;
		there = wanted;
		there.has |= kinds[i].has;
		rig_init(&r, NULL);
		meet(&r, &wanted, &there);
		assert_int_equal(following(&r, &wanted), UPDATE);
		rig_fini(&r);
	}
}

/* ---- what the internal cache knows -------------------------------------- */

static struct flow begun_here(uint16_t port)
{
	struct flow f = plain(port);

	f.has |= FLOW_TCP_STATE | FLOW_TCP_FLAGS_ORIG;
	f.tcp_state = TCP_STATE_ESTABLISHED;
	f.tcp_flags_orig = TCP_FLAG_MAXACK_SET;
	return f;
}

static void test_what_is_known_is_not_asked_for(void **state)
{
	static const struct {
		uint32_t since_s; /* in the internal cache */
		bool is_doubted;
		uint8_t flags;
		enum seen then;
		uint32_t timeout_s; /* of the update */
	} cases[] = {
		{ TOLD_S - 1, false, TCP_FLAG_MAXACK_SET, UPDATE, 50 },
		{ TOLD_S, false, TCP_FLAG_MAXACK_SET, UPDATE, 50 },
		{ TOLD_S + 1, false, TCP_FLAG_MAXACK_SET, NEWER, 0 },
		{ TOLD_S + 1, true, TCP_FLAG_MAXACK_SET, UPDATE, 50 },
		/* picked up: the peer's, it has gone on here */
		{ TOLD_S + 1, false, TCP_FLAG_BE_LIBERAL, UPDATE, 591 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct flow_cache *c = new_cache();
		struct flow wanted = plain(7), there = begun_here(7);
		uint32_t id;
		struct rig r;

		wanted.timeout_s = 50;
		there.tcp_flags_orig = cases[i].flags;
		flow_cache_put(c, &there, PUT_REPLACE, cases[i].since_s, &id);
		if (cases[i].is_doubted)
			flow_cache_mark(c, SET_DOUBTED, id);
		rig_init(&r, c);
		put(&r, &wanted, 3);
		assert_int_equal(following(&r, &wanted), cases[i].then);
		if (cases[i].then == UPDATE)
			assert_int_equal(r.sent[0].flow.timeout_s,
					 cases[i].timeout_s);
		rig_fini(&r);
		flow_cache_free(c);
	}
}

static void test_a_handshake_that_nobody_has_told_of_yet_is_newer(void **state)
{
	struct flow_cache *c = new_cache();
	struct flow wanted = plain(7), there = begun_here(7);
	struct rig r;

	(void)state;
	there.tcp_state = TCP_STATE_SYN_SENT;
	rig_init(&r, c);
	meet(&r, &wanted, &there);
	assert_int_equal(following(&r, &wanted), NEWER);
	rig_fini(&r);
	/* without an internal cache nothing is known to be newer */
	rig_init(&r, NULL);
	meet(&r, &wanted, &there);
	assert_int_equal(following(&r, &wanted), UPDATE);
	rig_fini(&r);
	flow_cache_free(c);
}

/* ---- room and ends ------------------------------------------------------ */

static void test_what_is_refused_at_once_has_failed(void **state)
{
	/* calls: create, get, delete, create */
	static const enum kernel_op ops[] = { KERNEL_CREATE, KERNEL_GET,
					      KERNEL_DELETE, KERNEL_CREATE };

	(void)state;
	for (int i = 0; i < (int)N_ELEMENTS(ops); i++) {
		struct flow wanted = snatted(7), there = plain(7);
		struct rig r;

		rig_init(&r, NULL);
		r.wrong_at = i;
		r.wrong = -EMSGSIZE;
		put(&r, &wanted, 3);
		if (i > 0)
			answer(&r, -EEXIST, NULL);
		if (i > 1)
			answer(&r, 0, &there);
		assert_int_equal(r.n_ends, 1);
		assert_int_equal(r.ends[0].end.result, APPLY_FAILED);
		assert_int_equal(r.ends[0].end.op, ops[i]);
		assert_int_equal(r.ends[0].end.error, -EMSGSIZE);
		if (i == 3) { /* the deletion has been sent */
			assert_false(apply_is_idle(r.apply));
			put(&r, &wanted, 4); /* in its slot */
			answer(&r, -ENOENT, NULL);
			assert_int_equal(r.n_ends, 1);
			answer(&r, 0, NULL);
			assert_int_equal(r.ends[1].end.result, APPLY_COMMITTED);
			assert_int_equal(r.ends[1].cookie, 4);
		}
		assert_true(apply_is_idle(r.apply));
		rig_fini(&r);
	}
}

static void test_what_is_not_wanted_any_more_goes_no_further(void **state)
{
	static const int answers[] = { -EEXIST, -ENOENT, -ENOENT, 0 };

	(void)state;
	for (int n = 0; n < (int)N_ELEMENTS(answers); n++) {
		struct flow f = rich(7);
		struct rig r;

		rig_init(&r, NULL);
		r.unwanted_at = n;
		put(&r, &f, 3);
		for (int i = 0; i <= n; i++)
			answer(&r, answers[i], &f);
		assert_int_equal(r.n_sent, n + 1);
		assert_int_equal(r.n_ends, 1);
		assert_int_equal(r.ends[0].end.result, APPLY_UNWANTED);
		assert_true(apply_is_idle(r.apply));
		rig_fini(&r);
	}
}

static void test_what_waits_is_dropped_if_it_is_not_wanted(void **state)
{
	struct flow f = plain(7);
	struct rig r;

	(void)state;
	rig_init(&r, NULL);
	r.is_full = true;
	put(&r, &f, 3);
	r.unwanted_at = 0;
	assert_true(apply_resume(r.apply));
	assert_int_equal(r.ends[0].end.result, APPLY_UNWANTED);
	assert_true(apply_is_idle(r.apply));
	rig_fini(&r);
}

static void test_there_are_so_many_slots(void **state)
{
	struct flow f = plain(7);
	struct rig r;

	(void)state;
	rig_init(&r, NULL);
	for (uint32_t i = 0; i < APPLY_SLOTS; i++) {
		assert_true(apply_has_room(r.apply));
		assert_int_equal(r.n_finished, 0);
		put(&r, &f, i);
	}
	assert_false(apply_has_room(r.apply));
	assert_int_equal(r.n_finished, 1); /* or no answer would come */
	answer(&r, 0, NULL);
	assert_true(apply_has_room(r.apply));
	put(&r, &f, APPLY_SLOTS);
	while (r.n_answered < r.n_sent)
		answer(&r, 0, NULL);
	assert_true(apply_is_idle(r.apply));
	assert_int_equal(r.n_ends, APPLY_SLOTS + 1);
	for (uint32_t i = 0; i <= APPLY_SLOTS; i++)
		assert_int_equal(r.ends[i].cookie, i);
	apply_finish(r.apply);
	assert_int_equal(r.n_finished, 3);
	rig_fini(&r);
}

/* Those that wait go on in their order, however often there is no room. */
static void test_the_first_that_waits_is_the_first_to_go_on(void **state)
{
	enum { N = 5 };
	struct flow f[N];
	struct rig r;

	(void)state;
	rig_init(&r, NULL);
	for (uint16_t i = 0; i < N; i++) {
		f[i] = plain((uint16_t)(10 + i));
		put(&r, &f[i], i);
	}
	r.is_full = true;
	while (r.n_answered < N) {
		const struct operation *o = &r.sent[r.n_answered++];

		apply_done(r.apply, o->op, o->cookie, -EEXIST, NULL);
		assert_false(apply_resume(r.apply));
	}
	for (int i = 0; i < N; i++) { /* room for one at a time */
		r.is_full = false;
		r.no_room_at = r.n_calls + 1;
		assert_int_equal(apply_resume(r.apply), i == N - 1);
		assert_int_equal(r.n_sent, N + i + 1);
		assert_int_equal(r.sent[N + i].flow.orig.sport, 10 + i);
	}
	rig_fini(&r);
}

static void test_the_next_one_may_be_put_at_the_end_of_one(void **state)
{
	struct flow f = plain(7), next = plain(8);
	struct rig r;

	(void)state;
	rig_init(&r, NULL);
	put(&r, &f, 3);
	r.put_at_end = &next;
	answer(&r, 0, NULL);
	assert_int_equal(r.n_ends, 1);
	assert_int_equal(r.sent[1].flow.orig.sport, 8);
	answer(&r, 0, NULL);
	assert_int_equal(r.ends[1].cookie, 4);
	assert_true(apply_is_idle(r.apply));
	rig_fini(&r);
}

static void test_memory_is_taken_at_the_start_only(void **state)
{
	const struct apply_opts o = { 0 };
	struct rig r;
	struct flow f = plain(7);

	(void)state;
	alloc_fail_after(0);
	assert_null(apply_new(&o));
	assert_true(alloc_fail_off());
	apply_free(NULL);
	rig_init(&r, NULL);
	alloc_fail_after(0);
	r.is_full = true;
	put(&r, &f, 3);
	r.is_full = false;
	assert_true(apply_resume(r.apply));
	answer(&r, -EEXIST, NULL);
	assert_false(alloc_fail_off());
	rig_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test(test)
		T(test_each_answer_leads_to_the_next_step),
		T(test_no_room_changes_nothing),
		T(test_what_has_no_master_does_not_go_without_it),
		T(test_it_is_looked_at_so_often_and_no_more),
		T(test_another_translation_is_replaced),
		T(test_a_replacement_goes_on_where_the_room_ended),
		T(test_what_has_another_master_is_replaced),
		T(test_a_master_that_cannot_be_had_is_not_missed),
		T(test_what_runs_back_gives_way_and_nothing_else_does),
		T(test_an_update_takes_nothing_back),
		T(test_ports_that_nobody_told_are_zero_in_the_kernel),
		T(test_what_is_known_is_not_asked_for),
		T(test_a_handshake_that_nobody_has_told_of_yet_is_newer),
		T(test_what_is_refused_at_once_has_failed),
		T(test_what_is_not_wanted_any_more_goes_no_further),
		T(test_what_waits_is_dropped_if_it_is_not_wanted),
		T(test_there_are_so_many_slots),
		T(test_the_first_that_waits_is_the_first_to_go_on),
		T(test_the_next_one_may_be_put_at_the_end_of_one),
		T(test_memory_is_taken_at_the_start_only),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
