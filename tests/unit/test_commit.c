/* SPDX-License-Identifier: ISC */
/* Commit against a kernel of our own: a short table, batches of a few
 * operations, answers only when they are let out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache/expect_cache.h"
#include "sync/commit.h"
#include "sync/mirror.h"

enum { TABLE = 64, BATCH = 5, LOG = 512 };
enum { PEER_S = 90, NOW_S = 100 }; /* the peer's last word; the commit */

struct batch {
	struct {
		enum kernel_op op;
		uint32_t cookie;
		enum object_kind kind;
		struct flow flow;
		struct expect expect;
	} ops[BATCH];
	int n;
};

struct fake {
	struct commit *commit;
	struct flow_cache *external, *internal;
	struct flow table[TABLE];
	bool used[TABLE];
	struct expect expected[TABLE];
	int n_expected;
	/* As the real one: one batch is under way, the next one fills. */
	struct batch flying, filling;
	bool is_finishing;
	enum kernel_op log[LOG];
	int n_log;
	bool lacks_helpers;
	int fail_create; /* what the next creations answer */
	/* Packets that come at the worst moment, each once: */
	int n_picked_up;  /* between a deletion and the creation after it */
	int n_seen_reply; /* behind a question */
	struct commit_report report;
	int n_ended;
};

static bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	return addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst) &&
	       a->sport == b->sport && a->dport == b->dport;
}

/* As Linux: an entry is found by its tuple of either direction. */
static int find_tuple(const struct fake *k, const struct tuple *t)
{
	for (int i = 0; i < TABLE; i++) {
		struct tuple reply = flow_reply(&k->table[i]);

		if (k->used[i] &&
		    (same_tuple(&k->table[i].orig, t) || same_tuple(&reply, t)))
			return i;
	}
	return -1;
}

static int find(const struct fake *k, const struct flow *f)
{
	return find_tuple(k, &f->orig);
}

/* The entry itself, not what merely has its tuple. */
static struct flow *entry(struct fake *k, const struct flow *f)
{
	int at = find(k, f);

	return at >= 0 && flow_same_key(&k->table[at], f) ? &k->table[at]
							  : NULL;
}

static void launch(struct fake *k)
{
	if (k->flying.n || (k->filling.n < BATCH && !k->is_finishing))
		return;
	k->flying = k->filling;
	k->filling.n = 0;
	k->is_finishing = false;
}

static int fake_submit(void *self, enum kernel_op op,
		       const struct object *object, uint32_t cookie)
{
	struct fake *k = self;
	struct batch *b = &k->filling;

	if (b->n == BATCH)
		return -EAGAIN;
	b->ops[b->n].kind = object->kind;
	b->ops[b->n].op = op;
	b->ops[b->n].cookie = cookie;
	if (object->kind == OBJECT_EXPECT)
		b->ops[b->n++].expect = *object->expect;
	else
		b->ops[b->n++].flow = *object->flow;
	launch(k);
	return 0;
}

static void fake_finish(void *self)
{
	struct fake *k = self;

	k->is_finishing = k->filling.n > 0;
	launch(k);
}

static bool has_master(const struct fake *k, const struct flow *f)
{
	for (int i = 0; i < TABLE; i++)
		if (k->used[i] && k->table[i].orig.sport == f->master.sport)
			return true;
	return false;
}

static int create(struct fake *k, const struct flow *f)
{
	struct tuple reply = flow_reply(f);
	int at = find(k, f);

	if (k->fail_create)
		return k->fail_create;
	if (at >= 0 && k->table[at].status & STATUS_DYING)
		k->used[at] = false;
	else if (at >= 0)
		return -EEXIST;
	if (find_tuple(k, &reply) >= 0)
		return -EEXIST;
	if (k->lacks_helpers && f->has & FLOW_HELPER) /* as Linux */
		return -EOPNOTSUPP;
	if (f->has & FLOW_MASTER && !has_master(k, f))
		return -ENOENT;
	for (int i = 0; i < TABLE; i++)
		if (!k->used[i]) {
			k->used[i] = true;
			k->table[i] = *f;
			return 0;
		}
	return -ENOMEM;
}

static int update(struct flow *at, const struct flow *f)
{
	const uint32_t only_set = STATUS_ASSURED | STATUS_SEEN_REPLY;
	struct flow was = *at;

	if (was.status & STATUS_DYING)
		return -ETIME;
	/* As Linux: what was seen cannot be taken back, and EXPECTED is as it
	 * was made. */
	if (was.status & ~f->status & only_set ||
	    (was.status ^ f->status) & STATUS_EXPECTED)
		return -EBUSY;
	flow_merge(at, f);
	at->reply = flow_reply(&was);
	at->has |= FLOW_REPLY;
	return 0;
}

/* A packet of the flow comes: the kernel, which knows nothing of it now, takes
 * it for a new and untranslated one. */
static void pick_up(struct fake *k, const struct flow *f)
{
	struct flow untranslated = *f;

	k->n_picked_up--;
	untranslated.has &= ~(FLOW_REPLY | FLOW_MASTER | FLOW_HELPER | FLOW_ID);
	untranslated.status = STATUS_CONFIRMED;
	(void)create(k, &untranslated);
}

static int delete (struct fake *k, const struct flow *f)
{
	int at = find(k, f);

	if (at < 0 ||
	    (f->has & k->table[at].has & FLOW_ID && f->id != k->table[at].id))
		return -ENOENT;
	k->used[at] = false;
	if (k->n_picked_up)
		pick_up(k, f);
	return 0;
}

static int apply(struct fake *k, enum kernel_op op, const struct flow *f,
		 struct flow *found)
{
	int at = find(k, f);

	switch (op) {
	case KERNEL_CREATE:
		return create(k, f);
	case KERNEL_UPDATE:
		return at < 0 ? -ENOENT : update(&k->table[at], f);
	case KERNEL_DELETE:
		return delete (k, f);
	case KERNEL_GET:
		if (at < 0)
			return -ENOENT;
		*found = k->table[at];
		if (k->n_seen_reply && k->n_seen_reply--)
			k->table[at].status |= STATUS_SEEN_REPLY;
		return 0;
	}
	return -EINVAL;
}

/* Only the master is looked for. */
static int apply_expect(struct fake *k, enum kernel_op op,
			const struct expect *e)
{
	if (op == KERNEL_UPDATE)
		return 0;
	if (find_tuple(k, &e->master) < 0)
		return -ENOENT;
	k->expected[k->n_expected++] = *e;
	return 0;
}

/* Lets the answers of the batch out that is under way. */
static void answer(struct fake *k)
{
	struct batch b = k->flying;

	for (int i = 0; i < b.n; i++) {
		enum kernel_op op = b.ops[i].op;
		struct flow found;
		int err = b.ops[i].kind == OBJECT_EXPECT
				  ? apply_expect(k, op, &b.ops[i].expect)
				  : apply(k, op, &b.ops[i].flow, &found);
		bool has_found = op == KERNEL_GET && err == 0;

		if (k->n_log < LOG)
			k->log[k->n_log++] = op;
		commit_done(k->commit, op, b.ops[i].cookie, err,
			    has_found ? &found : NULL);
	}
	k->flying.n = 0;
	launch(k);
}

static void ended(void *ctx, const struct commit_report *report)
{
	struct fake *k = ctx;

	k->report = *report;
	k->n_ended++;
}

static void run_kind(struct fake *k, enum object_kind kind)
{
	assert_int_equal(commit_start(k->commit, kind), 0);
	for (int i = 0; i < 10000 && commit_is_running(k->commit); i++)
		if (!commit_step(k->commit, NOW_S))
			answer(k);
	assert_false(commit_is_running(k->commit));
	assert_int_equal(k->n_ended, 1);
	k->n_ended = 0;
}

static void run(struct fake *k)
{
	run_kind(k, OBJECT_FLOW);
}

static void run_without_failure(struct fake *k)
{
	run(k);
	assert_int_equal(k->report.n_failed, 0);
}

static struct flow flow_of(uint16_t port)
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
	struct flow f = flow_of(port);

	f.reply = flow_inverse(&f);
	f.reply.dst.b[0] = 99;
	f.has |= FLOW_REPLY;
	f.status |= STATUS_SRC_NAT | STATUS_SRC_NAT_DONE | STATUS_DST_NAT_DONE;
	return f;
}

static void learn_at(struct flow_cache *c, const struct flow *f, uint32_t now_s)
{
	uint32_t id;

	assert_int_equal(flow_cache_put(c, f, PUT_REPLACE, now_s, &id),
			 PUT_NEW);
}

static void learn(struct flow_cache *c, const struct flow *f)
{
	learn_at(c, f, PEER_S);
}

/* What is there, as the events tell it. */
static void learn_table(struct fake *k, uint32_t now_s)
{
	for (int i = 0; i < TABLE; i++)
		if (k->used[i])
			learn_at(k->internal, &k->table[i], now_s);
}

static int set_up(void **state)
{
	const struct flow_cache_opts o = { .first_size = 16, .limit = 1000 };
	static struct kernel_ops ops;
	struct fake *k = calloc(1, sizeof(*k));
	struct commit_opts c = { .ended = ended, .ctx = k, .kernel = &ops };

	ops = (struct kernel_ops){ k, fake_submit, fake_finish, NULL };
	k->external = c.external = flow_cache_new(&o);
	k->internal = c.internal = flow_cache_new(&o);
	k->commit = commit_new(&c);
	*state = k;
	return 0;
}

static int tear_down(void **state)
{
	struct fake *k = *state;

	commit_free(k->commit);
	flow_cache_free(k->external);
	flow_cache_free(k->internal);
	free(k);
	return 0;
}

static int count(const struct fake *k, enum kernel_op op)
{
	int n = 0;

	for (int i = 0; i < k->n_log; i++)
		n += k->log[i] == op;
	return n;
}

static void test_all_entries_are_created_through_short_batches(void **state)
{
	struct fake *k = *state;

	for (uint16_t i = 0; i < 40; i++) {
		struct flow f = flow_of(i);

		learn(k->external, &f);
	}
	run(k);
	assert_int_equal(k->report.n_committed, 40);
	assert_int_equal(k->report.n_failed, 0);
	for (uint16_t i = 0; i < 40; i++) {
		struct flow f = flow_of(i);
		int at = find(k, &f);

		assert_true(at >= 0);
		assert_int_equal(k->table[at].timeout_s, 590); /* 10 s old */
	}
}

static struct flow related_to(const struct flow *master, uint16_t port)
{
	struct flow f = flow_of(port);

	f.has |= FLOW_MASTER | FLOW_MASTER_PORTS;
	f.master.src = master->orig.src;
	f.master.dst = master->orig.dst;
	f.master.sport = master->orig.sport;
	f.master.dport = master->orig.dport;
	f.master.l4proto = master->l4proto;
	return f;
}

static void test_masters_come_before_what_is_related_to_them(void **state)
{
	struct fake *k = *state;
	struct flow master = flow_of(2), related = related_to(&master, 1);

	learn(k->external, &related);
	learn(k->external, &master);
	run(k);
	assert_int_equal(k->report.n_committed, 2);
	/* The table fills from its start: the master was first. */
	assert_int_equal(k->table[0].orig.sport, 2);
	assert_int_equal(k->table[1].orig.sport, 1);
}

static void test_a_flow_whose_master_has_ended_is_made_without_it(void **state)
{
	struct fake *k = *state;
	struct flow master = flow_of(2), related = related_to(&master, 1);
	struct flow both = related_to(&master, 3), got;

	both.has |= FLOW_HELPER;
	both.helper = 1;
	k->lacks_helpers = true;
	learn(k->external, &related);
	learn(k->external, &both);
	run(k);
	assert_int_equal(k->report.n_committed, 2);
	assert_int_equal(k->report.n_failed, 0);
	got = k->table[find(k, &related)];
	assert_false(got.has & FLOW_MASTER);
	got = k->table[find(k, &both)];
	assert_false(got.has & (FLOW_MASTER | FLOW_HELPER));
}

static void test_a_translated_flow_replaces_an_untranslated_one(void **state)
{
	struct fake *k = *state;
	struct flow wanted = snatted(7), there = flow_of(7);

	create(k, &there);
	learn(k->external, &wanted);
	run(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_int_equal(k->report.n_failed, 0);
	assert_int_equal(k->table[find(k, &wanted)].reply.dst.b[0], 99);
	assert_int_equal(count(k, KERNEL_DELETE), 1);
}

static void test_what_the_internal_cache_knows_saves_a_question(void **state)
{
	struct fake *k = *state;
	struct flow wanted = snatted(7), there = flow_of(7);

	create(k, &there);
	learn(k->internal, &there);
	learn(k->external, &wanted);
	run(k);
	assert_int_equal(count(k, KERNEL_GET), 0);
	assert_int_equal(k->table[find(k, &wanted)].reply.dst.b[0], 99);
}

static void test_the_same_translation_is_updated_in_place(void **state)
{
	struct fake *k = *state;
	struct flow wanted = snatted(7), there = snatted(7);

	there.status |= STATUS_ASSURED; /* which the peer has not seen */
	wanted.has |= FLOW_MARK;
	wanted.mark = 5;
	create(k, &there);
	learn(k->external, &wanted);
	run(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_int_equal(count(k, KERNEL_DELETE), 0);
	assert_int_equal(k->table[0].mark, 5);
	assert_true(k->table[0].status & STATUS_ASSURED);
}

static void test_an_update_refused_for_its_status_is_mended(void **state)
{
	struct fake *k = *state;
	struct flow wanted = flow_of(7), there = flow_of(7);

	learn(k->internal, &there);
	there.status |= STATUS_ASSURED; /* its event is still on the way */
	create(k, &there);
	learn(k->external, &wanted);
	run(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_int_equal(count(k, KERNEL_GET), 1);
}

/* A batch of looks asks for more than a batch: two messages to replace one. */
static void test_what_is_adjusted_later_is_looked_at_again(void **state)
{
	struct fake *k = *state;

	for (uint16_t i = 0; i < 20; i++) {
		struct flow wanted = i % 2 ? flow_of(i) : snatted(i);
		struct flow there = flow_of(i);

		there.status |= STATUS_ASSURED;
		create(k, &there);
		learn(k->external, &wanted);
	}
	run(k);
	assert_int_equal(k->report.n_committed, 20);
	assert_int_equal(k->report.n_failed, 0);
}

/* More answers than there is room for what follows from them, again and again:
 * each must come to something. */
static void test_many_that_are_there_and_were_not_known(void **state)
{
	struct fake *k = *state;

	for (uint16_t i = 0; i < TABLE; i++) {
		struct flow wanted = i % 4 ? flow_of(i) : snatted(i);
		struct flow there = flow_of(i);

		create(k, &there);
		learn(k->external, &wanted);
	}
	run_without_failure(k);
	assert_int_equal(k->report.n_committed, TABLE);
	/* and none is asked for twice */
	assert_int_equal(count(k, KERNEL_GET), TABLE);
}

static void test_an_entry_that_has_gone_from_the_kernel_is_made(void **state)
{
	struct fake *k = *state;
	struct flow f = flow_of(7);

	learn(k->internal, &f); /* its end is still on the way */
	learn(k->external, &f);
	run(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_true(find(k, &f) >= 0);
}

static void test_what_is_ending_is_replaced(void **state)
{
	struct fake *k = *state;
	struct flow f = flow_of(7);

	learn(k->internal, &f);
	learn(k->external, &f);
	f.status |= STATUS_DYING; /* as Linux: found, but not in the table */
	create(k, &f);
	run(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_int_equal(k->report.n_failed, 0);
}

static void test_a_helper_the_kernel_lacks_costs_the_helper_only(void **state)
{
	struct fake *k = *state;
	struct flow f = flow_of(1);

	f.has |= FLOW_HELPER;
	f.helper = 1;
	learn(k->external, &f);
	k->lacks_helpers = true;
	run(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_int_equal(k->report.n_failed, 0);
	assert_int_equal(count(k, KERNEL_CREATE), 2);
	assert_false(k->table[find(k, &f)].has & FLOW_HELPER);
}

static void test_failures_are_counted_by_reason(void **state)
{
	struct fake *k = *state;

	k->fail_create = -ENOSPC;
	for (uint16_t i = 0; i < 9; i++) {
		struct flow f = flow_of(i);

		learn(k->external, &f);
	}
	run(k);
	assert_int_equal(k->report.n_committed, 0);
	assert_int_equal(k->report.n_failed, 9);
	assert_int_equal(k->report.n_reasons, 1);
	assert_int_equal(k->report.reasons[0].op, KERNEL_CREATE);
	assert_int_equal(k->report.reasons[0].error, -ENOSPC);
	assert_int_equal(k->report.reasons[0].n, 9);
}

static void test_a_lost_answer_is_asked_for(void **state)
{
	struct fake *k = *state;
	struct flow there = flow_of(1), f = flow_of(2);

	k->fail_create = -ENOBUFS;
	k->used[0] = true; /* this one was made, the other was not */
	k->table[0] = there;
	learn(k->external, &there);
	learn(k->external, &f);
	assert_int_equal(commit_start(k->commit, OBJECT_FLOW), 0);
	while (!commit_step(k->commit, NOW_S) && !k->flying.n)
		;
	(void)commit_step(k->commit, NOW_S);
	answer(k);
	k->fail_create = 0;
	while (commit_is_running(k->commit))
		if (!commit_step(k->commit, NOW_S))
			answer(k);
	assert_int_equal(k->report.n_committed, 2);
	assert_int_equal(k->report.n_failed, 0);
	assert_true(find(k, &f) >= 0);
}

static void test_a_second_commit_waits_for_the_first(void **state)
{
	struct fake *k = *state;
	struct flow f = flow_of(1);

	learn(k->external, &f);
	assert_int_equal(commit_start(k->commit, OBJECT_FLOW), 0);
	assert_int_equal(commit_start(k->commit, OBJECT_FLOW), -EBUSY);
	while (commit_is_running(k->commit))
		if (!commit_step(k->commit, NOW_S))
			answer(k);
	assert_int_equal(commit_start(k->commit, OBJECT_FLOW), 0);
}

static void test_an_entry_may_go_while_its_answer_is_on_the_way(void **state)
{
	struct fake *k = *state;
	struct flow f = flow_of(1), other = flow_of(2);
	uint32_t id;

	create(k, &f); /* so that the answer asks for more */
	learn(k->external, &f);
	assert_int_equal(commit_start(k->commit, OBJECT_FLOW), 0);
	while (!k->flying.n)
		commit_step(k->commit, NOW_S);
	flow_cache_remove(k->external, flow_cache_find(k->external, &f));
	/* Its id is another's now. */
	flow_cache_put(k->external, &other, PUT_MERGE, 95, &id);
	for (int i = 0; i < 100 && commit_is_running(k->commit); i++)
		if (!commit_step(k->commit, NOW_S))
			answer(k);
	assert_false(commit_is_running(k->commit));
	assert_int_equal(k->report.n_failed, 0);
}

static struct expect expect_of(const struct flow *master, uint16_t port)
{
	return (struct expect){
		.has = EXPECT_TIMEOUT | EXPECT_CLASS | EXPECT_NAT,
		.family = FAMILY_IPV4,
		.master_l4proto = L4_TCP,
		.l4proto = L4_TCP,
		.master = master->orig,
		.expected = { .dport = port },
		.mask = { .dport = UINT16_MAX },
		.timeout_s = 300,
		.class = 2,
		.nat = { .sport = 7 },
		.nat_dir = 1,
	};
}

static void learn_expect(struct fake *k, const struct flow *master,
			 uint16_t port)
{
	const struct expect e = expect_of(master, port);
	uint32_t id;

	assert_int_equal(
		expect_cache_put(k->external, &e, STORE_REPLACE, PEER_S, &id),
		PUT_NEW);
}

static void test_expectations_are_committed_by_themselves(void **state)
{
	enum { N = 3 * BATCH };
	struct fake *k = *state;
	struct flow master = flow_of(1), lost = flow_of(2);

	learn(k->external, &master);
	for (uint16_t i = 0; i < N; i++)
		learn_expect(k, &master, 5000 + i);
	learn_expect(k, &lost, 6000);
	run_without_failure(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_int_equal(k->n_expected, 0);
	run_kind(k, OBJECT_EXPECT);
	assert_int_equal(k->report.n_committed, N);
	assert_int_equal(k->report.n_failed, 1);
	assert_int_equal(k->report.reasons[0].op, KERNEL_CREATE);
	assert_int_equal(k->report.reasons[0].error, -ENOENT);
	assert_int_equal(k->n_expected, N);
	for (int i = 0; i < N; i++) {
		assert_int_equal(k->expected[i].timeout_s,
				 300 - (NOW_S - PEER_S));
		assert_int_equal(k->expected[i].has,
				 EXPECT_TIMEOUT | EXPECT_CLASS | EXPECT_NAT);
		assert_int_equal(k->expected[i].class, 2);
		assert_int_equal(k->expected[i].nat_dir, 1);
	}
}

/* A flow that came without its master, from a peer that has it. */
static void test_a_flow_that_was_expected_at_the_peer_only(void **state)
{
	struct fake *k = *state;
	struct flow f = flow_of(1);

	f.status |= STATUS_EXPECTED | STATUS_SEEN_REPLY;
	learn(k->external, &f);
	run_without_failure(k);
	/* as Linux makes it without a master */
	entry(k, &f)->status &= ~STATUS_EXPECTED;
	for (int i = 0; i < 2; i++) { /* asking, and knowing it */
		run_without_failure(k);
		assert_int_equal(k->report.n_committed, 1);
		assert_int_equal(count(k, KERNEL_DELETE), 0);
		if (i == 0)
			learn_table(k, PEER_S);
	}
}

static void test_a_flow_that_was_expected_here_only(void **state)
{
	struct fake *k = *state;
	struct flow f = flow_of(1), there = f;

	there.status |= STATUS_EXPECTED;
	create(k, &there);
	learn(k->external, &f);
	run_without_failure(k);
	assert_true(entry(k, &f)->status & STATUS_EXPECTED);
}

static struct flow dnatted(uint16_t port)
{
	struct flow f = flow_of(port);

	f.reply = flow_inverse(&f);
	f.reply.src.b[0] = 77;
	f.has |= FLOW_REPLY;
	f.status |= STATUS_DST_NAT | STATUS_SRC_NAT_DONE | STATUS_DST_NAT_DONE;
	return f;
}

/* What the kernel makes of a packet of the server's that comes first. */
static struct flow running_back(const struct flow *f)
{
	struct flow back = { .family = f->family,
			     .l4proto = f->l4proto,
			     .orig = flow_reply(f),
			     .has = FLOW_PORTS | FLOW_STATUS | FLOW_TIMEOUT,
			     .status = STATUS_CONFIRMED,
			     .timeout_s = 30 };

	return back;
}

static void test_the_servers_packet_came_first(void **state)
{
	struct fake *k = *state;
	struct flow wanted[] = { flow_of(1), snatted(2), dnatted(3) };

	for (size_t i = 0; i < N_ELEMENTS(wanted); i++) {
		struct flow back = running_back(&wanted[i]);

		assert_int_equal(create(k, &back), 0);
		learn(k->external, &wanted[i]);
	}
	run_without_failure(k);
	assert_int_equal(k->report.n_committed, N_ELEMENTS(wanted));
	for (size_t i = 0; i < N_ELEMENTS(wanted); i++) {
		struct tuple want = flow_reply(&wanted[i]), got;

		assert_non_null(entry(k, &wanted[i]));
		got = flow_reply(entry(k, &wanted[i]));
		assert_true(same_tuple(&want, &got));
	}
}

static void test_another_flow_that_has_the_reply_tuple_stays(void **state)
{
	struct fake *k = *state;
	struct flow wanted = snatted(1), other = flow_of(2);

	other.reply = wanted.reply;
	other.has |= FLOW_REPLY;
	create(k, &other);
	learn(k->external, &wanted);
	run(k);
	assert_int_equal(k->report.n_failed, 1);
	assert_int_equal(k->report.reasons[0].op, KERNEL_CREATE);
	assert_int_equal(k->report.reasons[0].error, -EEXIST);
	assert_non_null(entry(k, &other));
	assert_int_equal(count(k, KERNEL_DELETE), 0);
}

/* The packets of a flow that is replaced do not wait for the creation. */
static void test_a_packet_comes_between_deletion_and_creation(void **state)
{
	struct fake *k = *state;
	struct flow wanted = snatted(7), there = flow_of(7);

	create(k, &there);
	learn(k->external, &wanted);
	k->n_picked_up = 3;
	run_without_failure(k);
	assert_int_equal(k->n_picked_up, 0);
	assert_int_equal(entry(k, &wanted)->reply.dst.b[0], 99);
}

static void test_a_flow_that_cannot_be_replaced_is_given_up(void **state)
{
	struct fake *k = *state;
	struct flow wanted = snatted(7), there = flow_of(7);

	create(k, &there);
	learn(k->external, &wanted);
	k->n_picked_up = 1000;
	run(k);
	assert_int_equal(k->report.n_failed, 1);
	assert_int_equal(k->report.reasons[0].error, -EEXIST);
}

static void test_a_reply_comes_behind_the_question(void **state)
{
	struct fake *k = *state;
	struct flow f = flow_of(7);

	create(k, &f);
	learn(k->external, &f);
	k->n_seen_reply = 1;
	run_without_failure(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_true(entry(k, &f)->status & STATUS_SEEN_REPLY);
}

/* The internal cache knows an earlier life; the one that has come since is not
 * to be ended for it. */
static void test_a_deletion_ends_the_life_that_was_looked_at(void **state)
{
	struct fake *k = *state;
	struct flow wanted = snatted(7), there = flow_of(7);

	there.has |= FLOW_ID;
	there.id = 1;
	learn_at(k->internal, &there, PEER_S - 1);
	there = wanted; /* what the peer means has come here by itself */
	there.has |= FLOW_ID;
	there.id = 2;
	create(k, &there);
	learn(k->external, &wanted);
	run_without_failure(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_int_equal(entry(k, &wanted)->id, 2);
}

static void test_a_flow_made_without_its_master_is_not_made_again(void **state)
{
	struct fake *k = *state;
	struct flow master = flow_of(2), related = related_to(&master, 1);

	learn(k->external, &related);
	run_without_failure(k);
	run_without_failure(k);
	assert_int_equal(count(k, KERNEL_DELETE), 0);
	/* with a master that can be had, it gets it */
	learn(k->external, &master);
	run_without_failure(k);
	assert_true(entry(k, &related)->has & FLOW_MASTER);
}

/* ---- what this firewall knows better ------------------------------------ */

static struct flow tcp_in(uint16_t port, enum flow_tcp_state tcp_state)
{
	struct flow f = flow_of(port);

	f.has |= FLOW_TCP_STATE;
	f.tcp_state = (uint8_t)tcp_state;
	return f;
}

/* A connection whose beginning the kernel has seen. */
static struct flow begun_here(uint16_t port, enum flow_tcp_state tcp_state)
{
	struct flow f = tcp_in(port, tcp_state);

	f.has |= FLOW_TCP_FLAGS_ORIG | FLOW_TCP_FLAGS_REPLY;
	f.tcp_flags_orig = f.tcp_flags_reply = TCP_FLAG_MAXACK_SET;
	return f;
}

static void
test_a_newer_connection_is_not_taken_for_that_of_a_dead_peer(void **state)
{
	struct fake *k = *state;
	struct flow wanted[] = { tcp_in(1, TCP_STATE_ESTABLISHED),
				 tcp_in(2, TCP_STATE_ESTABLISHED),
				 tcp_in(3, TCP_STATE_ESTABLISHED) };
	struct flow there[] = { begun_here(1, TCP_STATE_CLOSE_WAIT),
				tcp_in(2, TCP_STATE_SYN_SENT),
				begun_here(3, TCP_STATE_ESTABLISHED) };

	there[2].reply = flow_inverse(&there[2]); /* translated otherwise */
	there[2].reply.dst.b[0] = 98;
	there[2].has |= FLOW_REPLY;
	for (size_t i = 0; i < N_ELEMENTS(wanted); i++) {
		learn(k->external, &wanted[i]);
		create(k, &there[i]);
	}
	learn_table(k, PEER_S + 1);
	run_without_failure(k);
	assert_int_equal(k->report.n_committed, 0);
	assert_int_equal(k->report.n_newer, N_ELEMENTS(wanted));
	for (size_t i = 0; i < N_ELEMENTS(wanted); i++)
		assert_int_equal(entry(k, &there[i])->tcp_state,
				 there[i].tcp_state);
	assert_int_equal(entry(k, &there[2])->reply.dst.b[0], 98);
}

static void
test_the_peers_connection_is_newer_than_the_one_that_began_here(void **state)
{
	struct fake *k = *state;
	struct flow wanted = tcp_in(1, TCP_STATE_ESTABLISHED);
	struct flow there = begun_here(1, TCP_STATE_TIME_WAIT);

	create(k, &there);
	learn_table(k, PEER_S - 1);
	learn(k->external, &wanted);
	run_without_failure(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_int_equal(entry(k, &wanted)->tcp_state, TCP_STATE_ESTABLISHED);
}

/* Its event has not been read yet. */
static void test_a_connection_that_begins_just_now_is_newer(void **state)
{
	struct fake *k = *state;
	struct flow wanted = tcp_in(1, TCP_STATE_ESTABLISHED);
	struct flow there = tcp_in(1, TCP_STATE_SYN_SENT);

	create(k, &there);
	learn(k->external, &wanted);
	run_without_failure(k);
	assert_int_equal(k->report.n_newer, 1);
	assert_int_equal(entry(k, &wanted)->tcp_state, TCP_STATE_SYN_SENT);
}

/* A connection that the kernel has picked up, or that an earlier commit has
 * made: the peer's, but it has gone on since. */
static void test_what_has_happened_here_since_is_not_undone(void **state)
{
	struct fake *k = *state;
	struct flow wanted = tcp_in(1, TCP_STATE_ESTABLISHED);
	struct flow there = tcp_in(1, TCP_STATE_TIME_WAIT);

	wanted.has |= FLOW_MARK | FLOW_LABELS;
	wanted.mark = 5;
	wanted.labels[0] = 4;
	wanted.timeout_s = 70;
	there.has |= FLOW_MARK;
	there.mark = 6;
	there.timeout_s = 120;
	create(k, &there);
	learn_table(k, PEER_S + 4);
	learn(k->external, &wanted);
	run_without_failure(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_int_equal(entry(k, &wanted)->tcp_state, TCP_STATE_TIME_WAIT);
	assert_int_equal(entry(k, &wanted)->mark, 6);
	assert_int_equal(entry(k, &wanted)->timeout_s, 114);
	/* what it has not, it gets */
	assert_int_equal(entry(k, &wanted)->labels[0], 4);
}

static void test_the_time_of_a_newer_life_is_made_longer_only(void **state)
{
	struct fake *k = *state;
	struct flow wanted = flow_of(1), there = flow_of(1);

	there.timeout_s = 30;
	create(k, &there);
	learn_table(k, PEER_S + 4);
	learn(k->external, &wanted);
	run_without_failure(k);
	assert_int_equal(entry(k, &wanted)->timeout_s, 590);
}

static void test_what_a_dump_has_found_is_not_newer(void **state)
{
	struct fake *k = *state;
	struct flow wanted = tcp_in(1, TCP_STATE_FIN_WAIT);
	struct flow there = begun_here(1, TCP_STATE_ESTABLISHED);

	create(k, &there);
	learn_table(k, PEER_S + 4);
	flow_cache_mark(k->internal, SET_DOUBTED,
			flow_cache_find(k->internal, &there));
	learn(k->external, &wanted);
	run_without_failure(k);
	assert_int_equal(k->report.n_committed, 1);
	assert_int_equal(entry(k, &wanted)->tcp_state, TCP_STATE_FIN_WAIT);
}

static void test_what_was_reset_lives_as_long_as_in_the_kernel(void **state)
{
	struct fake *k = *state;
	struct flow now = tcp_in(1, TCP_STATE_CLOSE);
	struct flow long_ago = tcp_in(2, TCP_STATE_CLOSE);

	learn_at(k->external, &now, NOW_S - 3);
	learn_at(k->external, &long_ago, NOW_S - 60);
	run_without_failure(k);
	assert_int_equal(entry(k, &now)->timeout_s, 7);
	assert_int_equal(entry(k, &long_ago)->timeout_s, 1);
}

static void test_the_timeout_is_what_is_left_of_the_senders(void **state)
{
	static const struct {
		uint32_t configured_s;
		bool has;
		uint32_t received_s;
		int64_t age_s;
		uint32_t expected_s;
	} cases[] = {
		{ 0, true, 600, 100, 500 },   { 0, true, 600, 600, 600 },
		{ 0, true, 600, 601, 60 },    { 0, false, 0, 5, 60 },
		{ 180, true, 600, 100, 180 }, { 180, false, 0, 0, 180 },
		{ 0, true, 0, 0, 60 },        { 0, true, 432000, 0, 432000 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_int_equal(
			commit_timeout_s(cases[i].configured_s, cases[i].has,
					 cases[i].received_s, cases[i].age_s),
			cases[i].expected_s);
}

/* ---- what the mirror does to the times that the commit compares --------- */

static const struct flow *same_row;

static int answer_same(void *self, enum kernel_op op,
		       const struct object *object, uint32_t cookie)
{
	(void)object;
	mirror_answer(self, op, cookie, 0, same_row);
	return 0;
}

static void no_finish(void *self)
{
	(void)self;
}

static void no_touch(void *ctx, uint32_t id, enum touch how)
{
	(void)ctx;
	(void)id;
	(void)how;
}

enum seen { SEEN_BY_NOBODY, SEEN_BY_A_DUMP, SEEN_BY_A_QUESTION };

/* An event long ago was the last change here; then came the peer's last word;
 * after that the entry was seen here once more, as it was. */
static void commit_after(struct fake *k, enum seen seen)
{
	const struct filter_opts fo = { .protocol = FILTER_NONE };
	struct filter *filter = filter_new(&fo);
	struct mirror m;
	struct kernel_ops ops = { &m, answer_same, no_finish, NULL };
	const struct mirror_opts o = { .cache = k->internal,
				       .filter = filter,
				       .kernel = &ops,
				       .touch = no_touch };
	struct flow wanted = tcp_in(1, TCP_STATE_FIN_WAIT);
	struct flow there = tcp_in(1, TCP_STATE_ESTABLISHED);

	there.status |= STATUS_SEQ_ADJUST;
	wanted.status |= STATUS_SEQ_ADJUST;
	there.has |= FLOW_SEQADJ_ORIG;
	wanted.has |= FLOW_SEQADJ_ORIG;
	there.seqadj_orig.pos = 1;
	wanted.seqadj_orig.pos = 2;
	create(k, &there);
	same_row = &there;
	mirror_init(&m, &o);
	mirror_event(&m, FLOW_EVENT_NEW, ORIGIN_OTHER, &there, PEER_S - 50);
	learn(k->external, &wanted);
	if (seen == SEEN_BY_A_DUMP) {
		mirror_dump_begins(&m, TOUCH_QUIET);
		mirror_row(&m, &there, true, PEER_S + 5);
		mirror_dump_ends(&m, true);
		while (!mirror_is_settled(&m))
			mirror_work(&m, PEER_S + 5);
	} else if (seen == SEEN_BY_A_QUESTION) {
		mirror_second(&m, PEER_S + 5);
	}
	run_without_failure(k);
	assert_int_equal(entry(k, &wanted)->tcp_state, TCP_STATE_FIN_WAIT);
	assert_int_equal(entry(k, &wanted)->seqadj_orig.pos, 2);
	filter_free(filter);
}

static void test_what_an_event_told_long_ago_is_older(void **state)
{
	commit_after(*state, SEEN_BY_NOBODY);
}

static void test_what_a_dump_has_seen_again_is_no_newer(void **state)
{
	commit_after(*state, SEEN_BY_A_DUMP);
}

static void test_what_was_asked_for_again_is_no_newer(void **state)
{
	commit_after(*state, SEEN_BY_A_QUESTION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		T(test_all_entries_are_created_through_short_batches),
		T(test_masters_come_before_what_is_related_to_them),
		T(test_a_flow_whose_master_has_ended_is_made_without_it),
		T(test_a_translated_flow_replaces_an_untranslated_one),
		T(test_what_the_internal_cache_knows_saves_a_question),
		T(test_the_same_translation_is_updated_in_place),
		T(test_an_update_refused_for_its_status_is_mended),
		T(test_what_is_adjusted_later_is_looked_at_again),
		T(test_many_that_are_there_and_were_not_known),
		T(test_an_entry_that_has_gone_from_the_kernel_is_made),
		T(test_what_is_ending_is_replaced),
		T(test_a_helper_the_kernel_lacks_costs_the_helper_only),
		T(test_failures_are_counted_by_reason),
		T(test_a_lost_answer_is_asked_for),
		T(test_a_second_commit_waits_for_the_first),
		T(test_an_entry_may_go_while_its_answer_is_on_the_way),
		T(test_a_flow_that_was_expected_at_the_peer_only),
		T(test_expectations_are_committed_by_themselves),
		T(test_a_flow_that_was_expected_here_only),
		T(test_the_servers_packet_came_first),
		T(test_another_flow_that_has_the_reply_tuple_stays),
		T(test_a_packet_comes_between_deletion_and_creation),
		T(test_a_flow_that_cannot_be_replaced_is_given_up),
		T(test_a_reply_comes_behind_the_question),
		T(test_a_deletion_ends_the_life_that_was_looked_at),
		T(test_a_flow_made_without_its_master_is_not_made_again),
		T(test_a_newer_connection_is_not_taken_for_that_of_a_dead_peer),
		T(test_the_peers_connection_is_newer_than_the_one_that_began_here),
		T(test_a_connection_that_begins_just_now_is_newer),
		T(test_what_has_happened_here_since_is_not_undone),
		T(test_the_time_of_a_newer_life_is_made_longer_only),
		T(test_what_a_dump_has_found_is_not_newer),
		T(test_what_was_reset_lives_as_long_as_in_the_kernel),
		T(test_the_timeout_is_what_is_left_of_the_senders),
		T(test_what_an_event_told_long_ago_is_older),
		T(test_what_a_dump_has_seen_again_is_no_newer),
		T(test_what_was_asked_for_again_is_no_newer),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
