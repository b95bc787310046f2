/* SPDX-License-Identifier: ISC */
/* Expectations into a kernel of our own: a few places, batches of a few
 * operations, answers only when they are let out. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/expect_apply.h"

enum { TABLE = 16, BATCH = 3, ENDS = 16, POLICY_S = 300 };

struct operation {
	enum kernel_op op;
	uint32_t cookie;
	struct expect expect;
};

struct fake {
	struct expect_apply a;
	struct flow_cache *cache;
	struct expect table[TABLE];
	bool used[TABLE];
	struct operation ops[BATCH];
	int n_ops;
	int create_error, submit_error;
	int n_done[KERNEL_GET + 1];
	struct {
		uint32_t id;
		int error;
	} ends[ENDS];
	int n_ends;
};

/* As Linux: whatever expects the same. */
static int find(const struct fake *k, const struct expect *e)
{
	for (int i = 0; i < TABLE; i++)
		if (k->used[i] &&
		    k->table[i].expected.dport == e->expected.dport)
			return i;
	return -1;
}

static int fake_submit(void *self, enum kernel_op op,
		       const struct object *object, uint32_t cookie)
{
	struct fake *k = self;

	assert_int_equal(object->kind, OBJECT_EXPECT);
	if (k->submit_error)
		return k->submit_error;
	if (k->n_ops == BATCH)
		return -EAGAIN;
	k->ops[k->n_ops++] = (struct operation){ op, cookie, *object->expect };
	return 0;
}

static int work_off(struct fake *k, const struct operation *o)
{
	int at = find(k, &o->expect);

	k->n_done[o->op]++;
	if (o->op == KERNEL_DELETE && at < 0)
		return -ENOENT;
	if (o->op == KERNEL_DELETE) {
		k->used[at] = false;
		return 0;
	}
	if (o->op == KERNEL_UPDATE && at >= 0)
		k->table[at].timeout_s = o->expect.timeout_s;
	if (o->op == KERNEL_UPDATE)
		return at < 0 ? -ENOENT : 0;
	if (k->create_error)
		return k->create_error;
	if (at >= 0)
		return -EEXIST;
	for (at = 0; k->used[at]; at++)
		;
	k->used[at] = true;
	k->table[at] = o->expect;
	k->table[at].timeout_s = POLICY_S;
	return 0;
}

static void answer(struct fake *k)
{
	struct operation ops[BATCH];
	int n = k->n_ops;

	for (int i = 0; i < n; i++)
		ops[i] = k->ops[i];
	k->n_ops = 0;
	for (int i = 0; i < n; i++)
		expect_apply_done(&k->a, ops[i].op, ops[i].cookie,
				  work_off(k, &ops[i]));
}

static void get(void *ctx, uint32_t id, struct expect *out)
{
	const struct fake *k = ctx;

	expect_cache_get(k->cache, id, out);
	out->timeout_s = 77;
	out->has |= EXPECT_TIMEOUT;
}

static void ended(void *ctx, uint32_t id, int error)
{
	struct fake *k = ctx;

	k->ends[k->n_ends].id = id;
	k->ends[k->n_ends++].error = error;
}

static int set_up(void **state)
{
	const struct flow_cache_opts o = { .first_size = 1, .limit = 100 };
	struct fake *k = calloc(1, sizeof(*k));
	static struct kernel_ops ops;

	ops = (struct kernel_ops){ .self = k, .submit = fake_submit };
	k->cache = flow_cache_new(&o);
	k->a.o = (struct expect_apply_opts){
		.cache = k->cache,
		.kernel = &ops,
		.get = get,
		.ended = ended,
		.ctx = k,
	};
	*state = k;
	return 0;
}

static int tear_down(void **state)
{
	struct fake *k = *state;

	flow_cache_free(k->cache);
	free(k);
	return 0;
}

static struct expect expect_of(uint16_t master, uint16_t port)
{
	return (struct expect){
		.family = FAMILY_IPV4,
		.master_l4proto = L4_TCP,
		.l4proto = L4_TCP,
		.master = { .sport = master, .dport = 21 },
		.expected = { .dport = port },
		.mask = { .dport = UINT16_MAX },
	};
}

static uint32_t learn(struct fake *k, uint16_t master, uint16_t port)
{
	const struct expect e = expect_of(master, port);
	uint32_t id;

	expect_cache_put(k->cache, &e, STORE_REPLACE, 1, &id);
	return id;
}

/* Until nothing is under way. */
static void see_through(struct fake *k)
{
	for (int i = 0; i < 100 && !expect_apply_is_idle(&k->a); i++) {
		(void)expect_apply_resume(&k->a);
		answer(k);
	}
	assert_true(expect_apply_is_idle(&k->a));
}

static void one_is_created_as_it_is_to_be(void **state)
{
	struct fake *k = *state;
	const struct expect e = expect_of(1, 5000);
	uint32_t id = learn(k, 1, 5000);

	assert_true(expect_apply_put(&k->a, id));
	assert_false(expect_apply_is_idle(&k->a));
	see_through(k);
	assert_int_equal(k->n_ends, 1);
	assert_int_equal(k->ends[0].id, id);
	assert_int_equal(k->ends[0].error, 0);
	assert_int_equal(k->table[find(k, &e)].timeout_s, 77);
}

static void what_is_in_the_way_gives_way_once(void **state)
{
	struct fake *k = *state;
	const struct expect other = expect_of(2, 5000);
	uint32_t id = learn(k, 1, 5000);

	k->used[0] = true;
	k->table[0] = other;
	expect_apply_put(&k->a, id);
	see_through(k);
	assert_int_equal(k->n_ends, 1);
	assert_int_equal(k->ends[0].error, 0);
	assert_int_equal(k->table[find(k, &other)].master.sport, 1);
	k->create_error = -EBUSY;
	expect_apply_put(&k->a, id);
	see_through(k);
	assert_int_equal(k->n_ends, 2);
	assert_int_equal(k->ends[1].error, -EBUSY);
	assert_int_equal(k->n_done[KERNEL_CREATE], 4);
	assert_int_equal(k->n_done[KERNEL_DELETE], 2);
}

static void other_errors_are_the_end(void **state)
{
	struct fake *k = *state;
	uint32_t id = learn(k, 1, 5000);

	k->create_error = -ENOENT;
	expect_apply_put(&k->a, id);
	see_through(k);
	assert_int_equal(k->n_ends, 1);
	assert_int_equal(k->ends[0].error, -ENOENT);
	assert_int_equal(k->n_done[KERNEL_CREATE], 1);
	k->submit_error = -EMSGSIZE;
	assert_true(expect_apply_put(&k->a, id));
	assert_true(expect_apply_is_idle(&k->a));
	assert_int_equal(k->ends[1].error, -EMSGSIZE);
}

/* The pair of a deletion and the creation after it does not fit: it begins
 * again, and nothing is lost. */
static void without_room_one_waits(void **state)
{
	struct fake *k = *state;
	uint32_t ids[5];

	for (uint16_t i = 0; i < 5; i++) {
		k->used[i] = true;
		k->table[i] = expect_of(100, 5000 + i);
		ids[i] = learn(k, i, 5000 + i);
	}
	for (int i = 0; i < 5;) {
		if (expect_apply_put(&k->a, ids[i]))
			i++;
		else
			answer(k);
	}
	see_through(k);
	assert_int_equal(k->n_ends, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(k->ends[i].error, 0);
		assert_in_range(k->table[i].master.sport, 0, 4);
	}
}

static void of_what_has_left_the_cache_nothing_is_told(void **state)
{
	struct fake *k = *state;
	uint32_t id = learn(k, 1, 5000);

	expect_apply_put(&k->a, id);
	flow_cache_remove(k->cache, id);
	assert_int_equal(learn(k, 2, 5001), id); /* the id is another's now */
	see_through(k);
	assert_int_equal(k->n_ends, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		T(one_is_created_as_it_is_to_be),
		T(what_is_in_the_way_gives_way_once),
		T(other_errors_are_the_end),
		T(without_room_one_waits),
		T(of_what_has_left_the_cache_nothing_is_told),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
