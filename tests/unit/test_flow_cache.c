/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "cache/flow_cache.h"
#include "random_flow.h"

enum { LIMIT = 300, N_KEYS = 500, N_OPS = 100000 };

static const uint64_t LEFT_OUT =
	FLOW_USE | FLOW_COUNTERS_ORIG | FLOW_COUNTERS_REPLY;

static struct flow_cache *new_cache(uint32_t first_size, uint32_t limit)
{
	const struct flow_cache_opts opts = { .first_size = first_size,
					      .limit = limit,
					      .hash_key = { 1, 2 } };
	struct flow_cache *c = flow_cache_new(&opts);

	assert_non_null(c);
	return c;
}

/* A UDP flow with this number as its key. */
static struct flow numbered(uint32_t n)
{
	struct flow f;

	memset(&f, 0, sizeof(f));
	f.has = FLOW_PORTS | FLOW_STATUS | FLOW_TIMEOUT;
	f.family = FAMILY_IPV4;
	f.l4proto = L4_UDP;
	memcpy(f.orig.src.b, &n, sizeof(n));
	f.orig.dport = 53;
	f.timeout_s = 30;
	return f;
}

static uint32_t put(struct flow_cache *c, const struct flow *f,
		    enum put_mode mode, uint32_t now_s, enum put_result want)
{
	uint32_t id = UINT32_MAX;

	assert_int_equal(flow_cache_put(c, f, mode, now_s, &id), want);
	assert_int_equal(id == UINT32_MAX, want > PUT_OTHER);
	return id;
}

static void assert_holds(const struct flow_cache *c, uint32_t id,
			 const struct flow *want)
{
	struct flow got;

	memset(&got, 0, sizeof(got));
	flow_cache_get(c, id, &got);
	assert_memory_equal(&got, want, sizeof(got));
}

static void test_a_new_flow_is_found_and_comes_back(void **state)
{
	struct flow_cache *c = new_cache(16, 10);
	struct flow f = numbered(1), other = numbered(2);
	uint32_t id = put(c, &f, PUT_MERGE, 77, PUT_NEW);
	const struct entry_head *head = flow_cache_head(c, id);

	(void)state;
	assert_int_equal(id, 1);
	assert_int_equal(head->state, ENTRY_NEW);
	assert_int_equal(head->created_s, 77);
	assert_int_equal(head->changed_s, 77);
	assert_int_equal(flow_cache_find(c, &f), id);
	assert_int_equal(flow_cache_find(c, &other), FLOW_CACHE_NO_ID);
	assert_holds(c, id, &f);
	assert_null(flow_cache_head(c, 0));
	assert_null(flow_cache_head(c, 2));
	flow_cache_free(c);
	flow_cache_free(NULL);
}

static void test_a_related_flow_is_known_by_its_master(void **state)
{
	struct flow_cache *c = new_cache(16, 10);
	struct flow f = numbered(1);
	uint32_t id = put(c, &f, PUT_MERGE, 1, PUT_NEW);

	(void)state;
	assert_false(flow_cache_is_related(c, id));
	f.has |= FLOW_MASTER;
	put(c, &f, PUT_MERGE, 1, PUT_CHANGED);
	assert_true(flow_cache_is_related(c, id));
	flow_cache_free(c);
}

static void test_a_merge_tells_whether_something_differs(void **state)
{
	struct flow_cache *c = new_cache(16, 10);
	struct flow f = numbered(1), more = f;
	uint32_t id = put(c, &f, PUT_MERGE, 1, PUT_NEW);
	const struct entry_head *head = flow_cache_head(c, id);

	(void)state;
	assert_int_equal(put(c, &f, PUT_MERGE, 2, PUT_SAME), id);
	assert_int_equal(head->state, ENTRY_NEW);
	assert_int_equal(head->changed_s, 1);
	f.timeout_s--;
	assert_int_equal(put(c, &f, PUT_MERGE, 3, PUT_CHANGED), id);
	assert_int_equal(head->state, ENTRY_ALIVE);
	assert_int_equal(head->created_s, 1);
	assert_int_equal(head->changed_s, 3);
	/* what the new report lacks stays, what it has is taken over */
	more.has = FLOW_PORTS | FLOW_MARK;
	more.mark = 5;
	put(c, &more, PUT_MERGE, 4, PUT_CHANGED);
	f.has |= FLOW_MARK;
	f.mark = 5;
	assert_holds(c, id, &f);
	put(c, &more, PUT_MERGE, 5, PUT_SAME);
	assert_int_equal(flow_cache_stats(c)->n_created, 1);
	assert_int_equal(flow_cache_stats(c)->n_updated, 4);
	flow_cache_free(c);
}

static void test_a_merge_keeps_the_reply_tuple(void **state)
{
	struct flow_cache *c = new_cache(16, 10);
	struct flow f = numbered(1), late;
	uint32_t id = put(c, &f, PUT_MERGE, 1, PUT_NEW);

	(void)state;
	f.has |= FLOW_REPLY;
	f.reply = flow_inverse(&f);
	f.reply.dst.b[0] = 99;
	put(c, &f, PUT_MERGE, 1, PUT_CHANGED);
	late = f;
	late.reply.dst.b[0] = 100;
	put(c, &late, PUT_MERGE, 1, PUT_SAME);
	assert_holds(c, id, &f);
	put(c, &late, PUT_REPLACE, 1, PUT_NEW);
	assert_holds(c, id, &late);
	flow_cache_free(c);
}

static void test_another_reply_tuple_in_the_kernel_is_another_life(void **state)
{
	struct flow_cache *c = new_cache(16, 10);
	struct flow f = numbered(1), next;
	uint32_t id;

	(void)state;
	f.has |= FLOW_REPLY | FLOW_MARK;
	f.reply = flow_inverse(&f);
	f.mark = 7;
	id = put(c, &f, PUT_TOLD, 1, PUT_NEW);
	/* the same reply tuple, or none known: what is not said stays */
	next = f;
	next.has &= ~(FLOW_REPLY | FLOW_MARK);
	next.mark = 0;
	put(c, &next, PUT_TOLD, 2, PUT_SAME);
	next.has |= FLOW_REPLY;
	put(c, &next, PUT_TOLD, 2, PUT_SAME);
	assert_holds(c, id, &f);
	next.reply.dport++;
	put(c, &next, PUT_TOLD, 3, PUT_NEW);
	assert_holds(c, id, &next);
	assert_int_equal(flow_cache_head(c, id)->state, ENTRY_NEW);
	assert_int_equal(flow_cache_head(c, id)->created_s, 3);
	assert_int_equal(flow_cache_stats(c)->n_created, 2);
	flow_cache_free(c);
}

static void test_a_change_of_another_life_is_not_taken(void **state)
{
	struct flow_cache *c = new_cache(16, 10);
	struct flow f = numbered(1), other;
	uint32_t id;

	(void)state;
	f.has |= FLOW_ID | FLOW_REPLY;
	f.reply = flow_inverse(&f);
	f.id = 4711;
	id = put(c, &f, PUT_TOLD, 1, PUT_NEW);
	other = f;
	other.id = 4712;
	other.timeout_s = 5;
	other.reply.dport++;
	assert_int_equal(put(c, &other, PUT_TOLD, 2, PUT_OTHER), id);
	assert_holds(c, id, &f);
	assert_int_equal(flow_cache_stats(c)->n_updated, 0);
	/* who does not know the id says nothing about it */
	other = f;
	other.has &= ~FLOW_ID;
	other.id = 4712;
	put(c, &other, PUT_TOLD, 2, PUT_SAME);
	assert_holds(c, id, &f);
	/* a beginning is one, and a dead one is nobody */
	other.has |= FLOW_ID;
	put(c, &other, PUT_REPLACE, 3, PUT_NEW);
	assert_holds(c, id, &other);
	flow_cache_kill(c, id);
	put(c, &f, PUT_TOLD, 4, PUT_NEW);
	assert_holds(c, id, &f);
	flow_cache_free(c);
}

static void test_counters_and_use_are_not_kept(void **state)
{
	struct flow_cache *c = new_cache(16, 10);
	struct flow f = numbered(1), counted = f;
	uint32_t id;

	(void)state;
	counted.has |= LEFT_OUT;
	counted.counters_orig.bytes = 1;
	counted.use = 2;
	id = put(c, &counted, PUT_MERGE, 1, PUT_NEW);
	assert_holds(c, id, &f);
	counted.counters_orig.bytes = 1000;
	put(c, &counted, PUT_MERGE, 1, PUT_SAME);
	flow_cache_free(c);
}

static void test_a_replaced_entry_begins_anew_under_its_id(void **state)
{
	struct flow_cache *c = new_cache(16, 1);
	struct flow f = numbered(1), bare = f;
	uint32_t id = put(c, &f, PUT_MERGE, 1, PUT_NEW);
	struct entry_head *head = flow_cache_head(c, id);

	(void)state;
	f.timeout_s++;
	put(c, &f, PUT_MERGE, 2, PUT_CHANGED);
	head->outbox = 5;
	head->last_seq = 9;
	bare.has = FLOW_PORTS;
	bare.timeout_s = 0;
	assert_int_equal(put(c, &bare, PUT_REPLACE, 3, PUT_NEW), id);
	assert_holds(c, id, &bare);
	assert_int_equal(head->state, ENTRY_NEW);
	assert_int_equal(head->created_s, 3);
	assert_int_equal(head->outbox, 5);
	assert_int_equal(head->last_seq, 9);
	assert_int_equal(flow_cache_stats(c)->n_created, 2);
	assert_int_equal(flow_cache_stats(c)->n_destroyed, 1);
	assert_int_equal(flow_cache_stats(c)->n_active, 1);
	assert_int_equal(flow_cache_stats(c)->n_entries, 1);
	flow_cache_free(c);
}

static void
test_a_dead_entry_is_found_by_nobody_and_revived_by_put(void **state)
{
	static const enum put_mode modes[] = { PUT_MERGE, PUT_REPLACE };
	struct flow_cache *c = new_cache(16, 1);
	struct flow f = numbered(1), other = numbered(2), bare = f;
	uint32_t id = put(c, &f, PUT_MERGE, 1, PUT_NEW);

	(void)state;
	bare.has = FLOW_PORTS;
	bare.timeout_s = 0;
	for (size_t i = 0; i < 2; i++) {
		struct flow got = { 0 };

		flow_cache_kill(c, id);
		assert_int_equal(flow_cache_find(c, &f), FLOW_CACHE_NO_ID);
		assert_int_equal(flow_cache_head(c, id)->state, ENTRY_DEAD);
		assert_int_equal(flow_cache_next(c, 0), id);
		flow_cache_get(c, id, &got);
		assert_true(flow_same_key(&got, &f));
		assert_int_equal(flow_cache_stats(c)->n_active, 0);
		/* it still takes a place */
		put(c, &other, PUT_MERGE, 1, PUT_NO_SPACE);
		assert_int_equal(put(c, &bare, modes[i], 9, PUT_NEW), id);
		assert_holds(c, id, &bare); /* nothing of the dead is left */
		assert_int_equal(flow_cache_head(c, id)->state, ENTRY_NEW);
		assert_int_equal(flow_cache_head(c, id)->created_s, 9);
	}
	assert_int_equal(flow_cache_stats(c)->n_created, 3);
	assert_int_equal(flow_cache_stats(c)->n_destroyed, 2);
	assert_int_equal(flow_cache_stats(c)->n_create_no_space, 2);
	flow_cache_free(c);
}

static void test_a_removed_entry_leaves_its_id(void **state)
{
	struct flow_cache *c = new_cache(16, 10);
	struct flow f = numbered(1), other = numbered(2);
	uint32_t id = put(c, &f, PUT_MERGE, 1, PUT_NEW);

	(void)state;
	flow_cache_head(c, id)->owner = 7;
	flow_cache_remove(c, id);
	assert_int_equal(flow_cache_find(c, &f), FLOW_CACHE_NO_ID);
	assert_int_equal(flow_cache_head(c, id)->state, ENTRY_FREE);
	assert_int_equal(put(c, &other, PUT_MERGE, 2, PUT_NEW), id);
	assert_int_equal(flow_cache_head(c, id)->owner, 0);
	flow_cache_kill(c, id);
	flow_cache_remove(c, id);
	assert_int_equal(flow_cache_stats(c)->n_destroyed, 2);
	assert_int_equal(flow_cache_stats(c)->n_active, 0);
	assert_int_equal(flow_cache_stats(c)->n_entries, 0);
	flow_cache_free(c);
}

static void test_at_the_limit_only_known_flows_are_taken(void **state)
{
	struct flow_cache *c = new_cache(1, 100);
	struct flow f;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		f = numbered(i);
		put(c, &f, PUT_MERGE, 1, PUT_NEW);
	}
	f = numbered(100);
	put(c, &f, PUT_MERGE, 1, PUT_NO_SPACE);
	put(c, &f, PUT_REPLACE, 1, PUT_NO_SPACE);
	assert_int_equal(flow_cache_stats(c)->n_create_no_space, 2);
	f = numbered(50);
	put(c, &f, PUT_REPLACE, 1, PUT_NEW);
	flow_cache_remove(c, flow_cache_find(c, &f));
	f = numbered(100);
	put(c, &f, PUT_MERGE, 1, PUT_NEW);
	flow_cache_free(c);
}

/* Puts 1 to n and what changes them, counting what failed. */
static unsigned int put_many(struct flow_cache *c, uint32_t n)
{
	unsigned int n_failed = 0;

	for (uint32_t i = 1; i <= n; i++) {
		struct flow f = numbered(i);
		uint32_t id = 0;

		n_failed += flow_cache_put(c, &f, PUT_MERGE, 1, &id) ==
			    PUT_NO_MEMORY;
		f.has |= FLOW_LABELS;
		n_failed += flow_cache_put(c, &f, PUT_MERGE, 1, &id) ==
			    PUT_NO_MEMORY;
		f.has |= FLOW_SEQADJ_ORIG;
		n_failed += flow_cache_put(c, &f, PUT_REPLACE, 1, &id) ==
			    PUT_NO_MEMORY;
	}
	return n_failed;
}

static void test_every_failed_allocation_is_survived(void **state)
{
	const struct flow_cache_opts opts = { .first_size = 1, .limit = 9999 };
	enum { N = 5000 };

	(void)state;
	for (size_t n = 0;; n++) {
		const struct store_stats *stats;
		struct flow_cache *c;
		unsigned int n_failed;
		bool has_failed;

		alloc_fail_after(n);
		c = flow_cache_new(&opts);
		if (!c) {
			assert_true(alloc_fail_off());
			continue;
		}
		n_failed = put_many(c, N);
		has_failed = alloc_fail_off();
		stats = flow_cache_stats(c);
		assert_int_equal(stats->n_create_no_memory +
					 stats->n_update_failed,
				 n_failed);
		assert_in_range(n_failed, 0, has_failed);
		assert_int_equal(stats->n_entries, N);
		for (uint32_t i = 1; i <= N; i++) {
			struct flow f = numbered(i);

			assert_int_not_equal(flow_cache_find(c, &f),
					     FLOW_CACHE_NO_ID);
		}
		flow_cache_free(c);
		if (!has_failed)
			break;
	}
}

/* A failed change leaves the entry as it was. */
static void test_without_memory_nothing_changes(void **state)
{
	struct flow_cache *c = new_cache(16, 10);
	struct flow f = numbered(1), longer = f, next = numbered(2);
	uint32_t id = put(c, &f, PUT_MERGE, 1, PUT_NEW);
	const struct entry_head *head = flow_cache_head(c, id);

	(void)state;
	longer.has |= FLOW_LABELS;
	alloc_fail_after(0);
	put(c, &longer, PUT_MERGE, 2, PUT_NO_MEMORY);
	alloc_fail_after(0);
	put(c, &longer, PUT_REPLACE, 2, PUT_NO_MEMORY);
	assert_true(alloc_fail_off());
	assert_holds(c, id, &f);
	assert_int_equal(head->state, ENTRY_NEW);
	assert_int_equal(head->created_s, 1);
	assert_int_equal(head->changed_s, 1);
	next.has |= FLOW_LABELS;
	alloc_fail_after(0);
	put(c, &next, PUT_MERGE, 2, PUT_NO_MEMORY);
	assert_true(alloc_fail_off());
	assert_int_equal(flow_cache_find(c, &next), FLOW_CACHE_NO_ID);
	assert_int_equal(flow_cache_stats(c)->n_create_no_memory, 2);
	assert_int_equal(flow_cache_stats(c)->n_update_failed, 1);
	assert_int_equal(flow_cache_stats(c)->n_entries, 1);
	assert_int_equal(flow_cache_stats(c)->n_active, 1);
	assert_int_equal(put(c, &next, PUT_MERGE, 2, PUT_NEW), 2);
	flow_cache_free(c);
}

static void test_bodies_that_move_leave_no_memory_behind(void **state)
{
	struct flow_cache *c = new_cache(16, 10);
	struct flow f = numbered(1), longer = f;
	uint64_t bytes;

	(void)state;
	longer.has |= FLOW_LABELS;
	put(c, &f, PUT_REPLACE, 1, PUT_NEW);
	put(c, &longer, PUT_REPLACE, 1, PUT_NEW);
	bytes = flow_cache_stats(c)->memory_bytes;
	for (unsigned int n = 0; n < 20000; n++) {
		put(c, &f, PUT_REPLACE, 1, PUT_NEW);
		put(c, &longer, PUT_REPLACE, 1, PUT_NEW);
	}
	assert_int_equal(flow_cache_stats(c)->memory_bytes, bytes);
	flow_cache_free(c);
}

/* Entries that live through a walk come exactly once, whatever is added,
 * changed, killed or removed meanwhile, and while the table grows. */
static void test_a_walk_meets_each_survivor_exactly_once(void **state)
{
	enum { N = 3000, N_MAX = 20000 };
	struct flow_cache *c = new_cache(1, N_MAX);
	uint8_t *met = calloc(N_MAX + 1, 1), *is_gone = calloc(N_MAX + 1, 1);
	uint32_t n = N, id, id2 = 0;
	uint64_t seed = 5;
	struct flow f;

	(void)state;
	for (uint32_t i = 1; i <= N; i++) {
		f = numbered(i);
		put(c, &f, PUT_MERGE, 1, PUT_NEW);
	}
	for (id = 0; (id = flow_cache_next(c, id)) != FLOW_CACHE_NO_ID;) {
		uint32_t key, r = (uint32_t)(random_next(&seed) >> 32);

		if (flow_cache_head(c, id)->state == ENTRY_FREE)
			continue;
		flow_cache_get(c, id, &f);
		memcpy(&key, f.orig.src.b, sizeof(key));
		met[key]++;
		if (n < N_MAX) {
			f = numbered(++n);
			is_gone[n] = 2; /* not there from the start */
			flow_cache_put(c, &f, PUT_MERGE, 1, &id2);
		}
		f = numbered(1 + r % N);
		if (r >> 31)
			f.has |= FLOW_LABELS; /* its body moves */
		id2 = flow_cache_find(c, &f);
		if (r >> 28 == 3) {
			if (id2 != FLOW_CACHE_NO_ID)
				flow_cache_remove(c, id2);
			is_gone[1 + r % N] = 1;
		} else if (r >> 28 == 4 && id2 != FLOW_CACHE_NO_ID) {
			flow_cache_kill(c, id2);
		} else if (id2 != FLOW_CACHE_NO_ID) {
			flow_cache_put(c, &f, PUT_REPLACE, 1, &id2);
		}
		flow_cache_step(c);
	}
	for (uint32_t i = 1; i <= N; i++)
		if (!is_gone[i])
			assert_int_equal(met[i], 1);
	free(met);
	free(is_gone);
	flow_cache_free(c);
}

static void test_memory_is_counted_and_bounded_per_entry(void **state)
{
	enum { N = 100000 };
	struct flow_cache *c = new_cache(65536, N);
	uint64_t empty = flow_cache_stats(c)->memory_bytes;

	(void)state;
	assert_in_range(empty, 65536 * 4, 65536 * 5);
	for (uint32_t i = 1; i <= N; i++) {
		struct flow f = numbered(i);

		f.has |= FLOW_REPLY | FLOW_MARK | FLOW_ID | FLOW_TCP_STATE |
			 FLOW_TCP_FLAGS_ORIG | FLOW_TCP_FLAGS_REPLY |
			 FLOW_TCP_WSCALE_ORIG | FLOW_TCP_WSCALE_REPLY;
		f.reply = flow_inverse(&f);
		f.reply.dport = 1;
		f.reply.dst.b[0] ^= 1;
		put(c, &f, PUT_MERGE, 1, PUT_NEW);
	}
	assert_in_range(flow_cache_stats(c)->memory_bytes / N, 80, 93);
	flow_cache_free(c);
}

/* ---- a naive model: a cell for each key, and what the entry should be ---- */

struct cell {
	struct flow flow; /* what should be cached */
	uint32_t id, created_s, changed_s;
	uint8_t state; /* enum entry_state */
};

struct model {
	struct flow_cache *c;
	struct cell cells[N_KEYS];
	struct store_stats stats;
	uint64_t seed;
	uint32_t now_s;
};

/* A report on the flow of this key, with any fields. */
static struct flow report(struct model *m, uint32_t key)
{
	static const uint64_t parts[] = { FLOW_PORTS, FLOW_ICMP, FLOW_GRE_KEYS,
					  FLOW_ZONE_ORIG };
	uint64_t key_seed = key / 4 + 1;
	enum family family = key & 1 ? FAMILY_IPV6 : FAMILY_IPV4;
	uint64_t part = parts[key / 2 % 4], has;
	struct flow id, f;

	/* few bits at a time, so that some reports change nothing */
	has = random_next(&m->seed) & random_next(&m->seed) &
	      random_next(&m->seed) & (FLOW_BIT(FLOW_N_LAST) - 1);
	has &= ~(FLOW_PORTS | FLOW_ICMP | FLOW_GRE_KEYS | FLOW_ZONE_ORIG);
	random_flow(&id, &key_seed, family, part);
	random_flow(&f, &m->seed, family, has | part);
	f.l4proto = id.l4proto;
	f.zone = (uint16_t)key;
	f.orig = id.orig;
	f.zone_orig = id.zone_orig;
	return f;
}

static void model_begin(struct model *m, struct cell *cell,
			const struct flow *f)
{
	cell->flow = *f;
	cell->state = ENTRY_NEW;
	cell->created_s = cell->changed_s = m->now_s;
	m->stats.n_created++;
	m->stats.n_active++;
}

static void model_end(struct model *m)
{
	m->stats.n_destroyed++;
	m->stats.n_active--;
}

static enum put_result model_put(struct model *m, struct cell *cell,
				 const struct flow *f, enum put_mode mode)
{
	struct flow merged = cell->flow;

	if (cell->state == ENTRY_FREE) {
		if (m->stats.n_entries == LIMIT) {
			m->stats.n_create_no_space++;
			return PUT_NO_SPACE;
		}
		m->stats.n_entries++;
		model_begin(m, cell, f);
		return PUT_NEW;
	}
	if (cell->state == ENTRY_DEAD || mode == PUT_REPLACE) {
		if (cell->state != ENTRY_DEAD)
			model_end(m);
		model_begin(m, cell, f);
		return PUT_NEW;
	}
	m->stats.n_updated++;
	flow_merge(&merged, f);
	if (memcmp(&merged, &cell->flow, sizeof(merged)) == 0)
		return PUT_SAME;
	cell->flow = merged;
	cell->state = ENTRY_ALIVE;
	cell->changed_s = m->now_s;
	return PUT_CHANGED;
}

static void put_both(struct model *m, struct cell *cell, uint32_t key,
		     enum put_mode mode)
{
	struct flow f = report(m, key), kept = f;
	bool is_new = cell->state == ENTRY_FREE;
	enum put_result want;
	uint32_t id;

	kept.has &= ~LEFT_OUT;
	kept.use = 0;
	memset(&kept.counters_orig, 0, sizeof(kept.counters_orig));
	memset(&kept.counters_reply, 0, sizeof(kept.counters_reply));
	want = model_put(m, cell, &kept, mode);
	id = put(m->c, &f, mode, m->now_s, want);
	if (is_new && want == PUT_NEW)
		cell->id = id;
	else if (want <= PUT_SAME)
		assert_int_equal(id, cell->id);
}

static void assert_cell(struct model *m, const struct cell *cell, uint32_t key)
{
	bool is_living = cell->state == ENTRY_NEW || cell->state == ENTRY_ALIVE;
	struct flow f = report(m, key);
	const struct entry_head *head;

	assert_int_equal(flow_cache_find(m->c, &f),
			 is_living ? cell->id : FLOW_CACHE_NO_ID);
	if (cell->state == ENTRY_FREE)
		return;
	head = flow_cache_head(m->c, cell->id);
	assert_int_equal(head->state, cell->state);
	assert_int_equal(head->created_s, cell->created_s);
	assert_int_equal(head->changed_s, cell->changed_s);
	assert_holds(m->c, cell->id, &cell->flow);
}

static void assert_all(struct model *m)
{
	const struct store_stats *s = flow_cache_stats(m->c);
	uint32_t n_met = 0, last = 0;

	for (uint32_t key = 0; key < N_KEYS; key++)
		assert_cell(m, &m->cells[key], key);
	for (uint32_t id = 0; (id = flow_cache_next(m->c, id)) != 0;) {
		assert_in_range(id, last + 1, LIMIT);
		n_met += flow_cache_head(m->c, id)->state != ENTRY_FREE;
		last = id;
	}
	assert_int_equal(n_met, m->stats.n_entries);
	assert_int_equal(s->n_active, m->stats.n_active);
	assert_int_equal(s->n_entries, m->stats.n_entries);
	assert_int_equal(s->n_created, m->stats.n_created);
	assert_int_equal(s->n_create_no_space, m->stats.n_create_no_space);
	assert_int_equal(s->n_updated, m->stats.n_updated);
	assert_int_equal(s->n_destroyed, m->stats.n_destroyed);
	assert_int_equal(s->n_create_no_memory + s->n_update_failed, 0);
}

static void operate(struct model *m, uint32_t key, unsigned int what)
{
	struct cell *cell = &m->cells[key];
	bool is_living = cell->state == ENTRY_NEW || cell->state == ENTRY_ALIVE;

	if (what < 60) {
		put_both(m, cell, key, PUT_MERGE);
	} else if (what < 70) {
		put_both(m, cell, key, PUT_REPLACE);
	} else if (what < 80 && is_living) {
		flow_cache_kill(m->c, cell->id);
		cell->state = ENTRY_DEAD;
		model_end(m);
	} else if (what < 95 && cell->state != ENTRY_FREE) {
		flow_cache_remove(m->c, cell->id);
		if (is_living)
			model_end(m);
		m->stats.n_entries--;
		memset(cell, 0, sizeof(*cell));
	} else {
		flow_cache_step(m->c);
	}
	assert_cell(m, cell, key);
}

static void test_100000_random_operations_do_what_the_model_does(void **state)
{
	struct model *m = calloc(1, sizeof(*m));

	(void)state;
	m->c = new_cache(1, LIMIT);
	m->seed = 11;
	for (unsigned int n = 0; n < N_OPS; n++) {
		uint64_t r = random_next(&m->seed);

		m->now_s++;
		operate(m, (uint32_t)(r >> 32) % N_KEYS, (uint32_t)r % 100);
		if (n % 1000 == 0)
			assert_all(m);
	}
	assert_all(m);
	flow_cache_free(m->c);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_flow_is_found_and_comes_back),
		cmocka_unit_test(test_a_related_flow_is_known_by_its_master),
		cmocka_unit_test(test_a_merge_tells_whether_something_differs),
		cmocka_unit_test(test_a_merge_keeps_the_reply_tuple),
		cmocka_unit_test(
			test_another_reply_tuple_in_the_kernel_is_another_life),
		cmocka_unit_test(test_a_change_of_another_life_is_not_taken),
		cmocka_unit_test(test_counters_and_use_are_not_kept),
		cmocka_unit_test(
			test_a_replaced_entry_begins_anew_under_its_id),
		cmocka_unit_test(
			test_a_dead_entry_is_found_by_nobody_and_revived_by_put),
		cmocka_unit_test(test_a_removed_entry_leaves_its_id),
		cmocka_unit_test(test_at_the_limit_only_known_flows_are_taken),
		cmocka_unit_test(test_every_failed_allocation_is_survived),
		cmocka_unit_test(test_without_memory_nothing_changes),
		cmocka_unit_test(test_bodies_that_move_leave_no_memory_behind),
		cmocka_unit_test(test_a_walk_meets_each_survivor_exactly_once),
		cmocka_unit_test(test_memory_is_counted_and_bounded_per_entry),
		cmocka_unit_test(
			test_100000_random_operations_do_what_the_model_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
