/* SPDX-License-Identifier: ISC */
/* Expectations of peers into a kernel whose masters come and go. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/inject_expect.h"
#include "sync/outbox.h"

enum { BATCH = 8, FIRST_COOKIE = 1000, NOW_S = 100 };

struct operation {
	enum kernel_op op;
	uint32_t cookie;
	struct expect expect;
};

struct fake {
	struct inject_expect x;
	struct kernel_ops kernel;
	struct flow_cache *internal;
	struct operation ops[BATCH];
	int n_ops;
	bool has_master, is_there; /* there is room for one */
	struct expect there;
};

static int fake_submit(void *self, enum kernel_op op,
		       const struct object *object, uint32_t cookie)
{
	struct fake *k = self;

	if (k->n_ops == BATCH)
		return -EAGAIN;
	k->ops[k->n_ops++] = (struct operation){ op, cookie, *object->expect };
	return 0;
}

static int work_off(struct fake *k, const struct operation *o)
{
	bool was_there = k->is_there;

	if (o->op == KERNEL_DELETE) {
		k->is_there = false;
		return was_there ? 0 : -ENOENT;
	}
	if (o->op == KERNEL_UPDATE)
		return was_there ? 0 : -ENOENT;
	if (!k->has_master)
		return -ENOENT;
	if (was_there)
		return -EEXIST;
	k->is_there = true;
	k->there = o->expect;
	return 0;
}

static void answer(struct fake *k)
{
	while (!inject_expect_is_idle(&k->x)) {
		int n = k->n_ops;
		struct operation ops[BATCH];

		for (int i = 0; i < n; i++)
			ops[i] = k->ops[i];
		k->n_ops = 0;
		for (int i = 0; i < n; i++)
			inject_expect_done(&k->x, ops[i].op, ops[i].cookie,
					   work_off(k, &ops[i]));
		inject_expect_resume(&k->x);
	}
}

static int set_up(void **state)
{
	const struct flow_cache_opts co = { .first_size = 16, .limit = 100 };
	struct fake *k = calloc(1, sizeof(*k));
	const struct inject_expect_opts o = {
		.internal = k->internal = flow_cache_new(&co),
		.kernel = &k->kernel,
		.first_cookie = FIRST_COOKIE,
	};

	k->kernel = (struct kernel_ops){ .self = k, .submit = fake_submit };
	k->has_master = true;
	*state = k;
	return inject_expect_init(&k->x, &o);
}

static int tear_down(void **state)
{
	struct fake *k = *state;

	inject_expect_fini(&k->x);
	flow_cache_free(k->internal);
	free(k);
	return 0;
}

static struct expect expect_of(uint16_t port)
{
	return (struct expect){
		.has = EXPECT_ID,
		.family = FAMILY_IPV4,
		.master_l4proto = L4_TCP,
		.l4proto = L4_TCP,
		.expected = { .dport = port },
		.mask = { .dport = UINT16_MAX },
		.id = 7,
	};
}

static void one_is_made_and_ended(void **state)
{
	struct fake *k = *state;
	const struct expect e = expect_of(5000);

	assert_true(inject_expect_put(&k->x, &e, NOW_S));
	answer(k);
	assert_true(k->is_there);
	/* with a timeout, and no id of the peer's */
	assert_int_equal(k->there.has, EXPECT_TIMEOUT);
	assert_true(k->there.timeout_s > 0);
	assert_int_equal(k->x.stats.n_created, 1);
	assert_true(inject_expect_put(&k->x, &e, NOW_S)); /* in its place */
	answer(k);
	assert_int_equal(k->x.stats.n_created, 2);
	assert_true(inject_expect_end(&k->x, &e, NOW_S));
	answer(k);
	assert_false(k->is_there);
	assert_int_equal(k->x.stats.n_destroyed, 1);
	assert_true(inject_expect_end(&k->x, &e, NOW_S));
	answer(k); /* what is not there counts nowhere */
	assert_int_equal(k->x.stats.n_destroyed, 1);
	assert_int_equal(k->x.stats.n_destroy_failed, 0);
}

static void one_that_has_ended_is_not_made_after_it(void **state)
{
	struct fake *k = *state;
	const struct expect e = expect_of(5000);

	k->is_there = true; /* so that it is tried twice */
	inject_expect_put(&k->x, &e, NOW_S);
	inject_expect_end(&k->x, &e, NOW_S);
	answer(k);
	assert_false(k->is_there);
}

static void it_waits_for_its_master_for_a_while(void **state)
{
	struct fake *k = *state;
	const struct expect e = expect_of(5000), ended = expect_of(5001);

	k->has_master = false;
	inject_expect_put(&k->x, &e, NOW_S);
	inject_expect_put(&k->x, &ended, NOW_S);
	inject_expect_end(&k->x, &ended, NOW_S);
	answer(k);
	assert_true(inject_expect_try(&k->x, NOW_S + 1));
	answer(k);
	k->has_master = true;
	assert_true(inject_expect_try(&k->x, NOW_S + 3));
	answer(k);
	assert_true(k->is_there);
	assert_int_equal(k->there.expected.dport, 5000);
	k->is_there = false;
	k->has_master = false;
	inject_expect_put(&k->x, &e, NOW_S);
	answer(k);
	inject_expect_try(&k->x, NOW_S + INJECT_EXPECT_WAIT_S + 1);
	answer(k);
	assert_int_equal(k->x.stats.n_create_failed, 1);
	assert_int_equal(k->x.stats.n_no_master, 1);
	k->has_master = true;
	inject_expect_try(&k->x, NOW_S + 10);
	answer(k);
	assert_false(k->is_there);
}

static void when_too_many_wait_the_next_is_refused(void **state)
{
	struct fake *k = *state;

	k->has_master = false;
	for (uint16_t i = 0; i < INJECT_EXPECT_MAX; i++) {
		const struct expect e = expect_of(i);

		assert_true(inject_expect_put(&k->x, &e, NOW_S));
		answer(k);
	}
	assert_int_equal(k->x.stats.n_create_failed, 0);
	for (int i = 0; i < 2; i++) {
		const struct expect e = expect_of((uint16_t)(60000 + i));

		assert_true(inject_expect_put(&k->x, &e, NOW_S));
		answer(k);
	}
	assert_int_equal(k->x.stats.n_create_failed, 2);
}

static void without_room_it_is_given_back(void **state)
{
	struct fake *k = *state;
	const struct expect e = expect_of(5000);

	k->n_ops = BATCH;
	assert_false(inject_expect_put(&k->x, &e, NOW_S));
	assert_false(inject_expect_end(&k->x, &e, NOW_S));
	k->n_ops = 0;
	assert_true(inject_expect_is_idle(&k->x));
	assert_true(inject_expect_put(&k->x, &e, NOW_S));
	answer(k);
	assert_true(k->is_there);
}

/* What traffic here has made stays, until a peer that knows of it ends it. */
static void what_is_own_is_left_alone(void **state)
{
	struct fake *k = *state;
	const struct expect e = expect_of(5000);
	uint32_t id;

	k->is_there = true;
	expect_cache_put(k->internal, &e, STORE_REPLACE, NOW_S, &id);
	flow_cache_head(k->internal, id)->outbox = OUTBOX_QUEUED;
	inject_expect_put(&k->x, &e, NOW_S);
	inject_expect_end(&k->x, &e, NOW_S);
	answer(k);
	assert_true(k->is_there);
	assert_int_equal(k->x.stats.n_own, 2);
	flow_cache_head(k->internal, id)->outbox = OUTBOX_SENT;
	inject_expect_end(&k->x, &e, NOW_S);
	answer(k);
	assert_false(k->is_there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		T(one_is_made_and_ended),
		T(one_that_has_ended_is_not_made_after_it),
		T(it_waits_for_its_master_for_a_while),
		T(when_too_many_wait_the_next_is_refused),
		T(without_room_it_is_given_back),
		T(what_is_own_is_left_alone),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
