/* SPDX-License-Identifier: ISC */
/* Commit against a kernel of our own: a short table, batches of a few
 * operations, answers only when they are let out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sync/commit.h"

enum { TABLE = 64, BATCH = 5, LOG = 512 };

struct fake {
	struct commit *commit;
	struct flow_cache *external, *internal;
	struct flow table[TABLE];
	bool used[TABLE];
	struct {
		enum kernel_op op;
		uint32_t cookie;
		struct flow flow;
	} batch[BATCH];
	int n_batch;
	enum kernel_op log[LOG];
	int n_log;
	bool lacks_helpers;
	int fail_create; /* what the next creations answer */
	struct commit_report report;
	int n_ended;
};

static int find(const struct fake *k, const struct flow *f)
{
	for (int i = 0; i < TABLE; i++)
		if (k->used[i] && flow_same_key(&k->table[i], f))
			return i;
	return -1;
}

static int fake_submit(void *self, enum kernel_op op,
		       const struct object *object, uint32_t cookie)
{
	struct fake *k = self;

	assert_int_equal(object->kind, OBJECT_FLOW);
	if (k->n_batch == BATCH)
		return -EAGAIN;
	k->batch[k->n_batch].op = op;
	k->batch[k->n_batch].cookie = cookie;
	k->batch[k->n_batch++].flow = *object->flow;
	return 0;
}

static void fake_finish(void *self)
{
	(void)self;
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
	int at = find(k, f);

	if (k->fail_create)
		return k->fail_create;
	if (at >= 0 && k->table[at].status & STATUS_DYING)
		k->used[at] = false;
	else if (at >= 0)
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

static int apply(struct fake *k, enum kernel_op op, const struct flow *f,
		 const struct flow **found)
{
	int at = find(k, f);
	struct tuple reply;

	switch (op) {
	case KERNEL_CREATE:
		return create(k, f);
	case KERNEL_UPDATE:
		if (at < 0)
			return -ENOENT;
		if (k->table[at].status & STATUS_DYING)
			return -ETIME;
		/* As Linux: what was seen cannot be taken back. */
		if (k->table[at].status & ~f->status & STATUS_ASSURED)
			return -EBUSY;
		reply = flow_reply(&k->table[at]);
		k->table[at] = *f;
		k->table[at].reply = reply;
		k->table[at].has |= FLOW_REPLY;
		return 0;
	case KERNEL_DELETE:
		if (at < 0)
			return -ENOENT;
		k->used[at] = false;
		return 0;
	case KERNEL_GET:
		*found = at < 0 ? NULL : &k->table[at];
		return at < 0 ? -ENOENT : 0;
	}
	return -EINVAL;
}

/* Lets the answers of a batch out. */
static void answer(struct fake *k)
{
	struct fake copy = *k;

	k->n_batch = 0;
	for (int i = 0; i < copy.n_batch; i++) {
		const struct flow *found = NULL;
		struct flow there;
		int err =
			apply(k, copy.batch[i].op, &copy.batch[i].flow, &found);

		if (found) {
			there = *found;
			found = &there;
		}
		if (k->n_log < LOG)
			k->log[k->n_log++] = copy.batch[i].op;
		commit_done(k->commit, copy.batch[i].op, copy.batch[i].cookie,
			    err, found);
	}
}

static void ended(void *ctx, const struct commit_report *report)
{
	struct fake *k = ctx;

	k->report = *report;
	k->n_ended++;
}

static void run(struct fake *k)
{
	assert_int_equal(commit_start(k->commit), 0);
	for (int i = 0; i < 10000 && commit_is_running(k->commit); i++)
		if (!commit_step(k->commit, 100))
			answer(k);
	assert_false(commit_is_running(k->commit));
	assert_int_equal(k->n_ended, 1);
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

static void learn(struct flow_cache *c, const struct flow *f)
{
	uint32_t id;

	assert_int_equal(flow_cache_put(c, f, PUT_MERGE, 90, &id), PUT_NEW);
}

static int set_up(void **state)
{
	const struct flow_cache_opts o = { .first_size = 16, .limit = 1000 };
	static struct kernel_ops ops;
	struct fake *k = calloc(1, sizeof(*k));
	struct commit_opts c = { .ended = ended, .ctx = k, .kernel = &ops };

	ops = (struct kernel_ops){ k, fake_submit, fake_finish };
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
	assert_int_equal(commit_start(k->commit), 0);
	while (!commit_step(k->commit, 100) && !k->n_batch)
		;
	(void)commit_step(k->commit, 100);
	answer(k);
	k->fail_create = 0;
	while (commit_is_running(k->commit))
		if (!commit_step(k->commit, 100))
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
	assert_int_equal(commit_start(k->commit), 0);
	assert_int_equal(commit_start(k->commit), -EBUSY);
	while (commit_is_running(k->commit))
		if (!commit_step(k->commit, 100))
			answer(k);
	assert_int_equal(commit_start(k->commit), 0);
}

static void test_an_entry_may_go_while_its_answer_is_on_the_way(void **state)
{
	struct fake *k = *state;
	struct flow f = flow_of(1), other = flow_of(2);
	uint32_t id;

	create(k, &f); /* so that the answer asks for more */
	learn(k->external, &f);
	assert_int_equal(commit_start(k->commit), 0);
	while (!k->n_batch)
		commit_step(k->commit, 100);
	flow_cache_remove(k->external, flow_cache_find(k->external, &f));
	/* Its id is another's now. */
	flow_cache_put(k->external, &other, PUT_MERGE, 95, &id);
	for (int i = 0; i < 100 && commit_is_running(k->commit); i++)
		if (!commit_step(k->commit, 100))
			answer(k);
	assert_false(commit_is_running(k->commit));
	assert_int_equal(k->report.n_failed, 0);
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
		T(test_an_entry_that_has_gone_from_the_kernel_is_made),
		T(test_what_is_ending_is_replaced),
		T(test_a_helper_the_kernel_lacks_costs_the_helper_only),
		T(test_failures_are_counted_by_reason),
		T(test_a_lost_answer_is_asked_for),
		T(test_a_second_commit_waits_for_the_first),
		T(test_an_entry_may_go_while_its_answer_is_on_the_way),
		T(test_the_timeout_is_what_is_left_of_the_senders),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
