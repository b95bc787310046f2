/* SPDX-License-Identifier: ISC */
/* A client that keeps no flows: names and values, both strings, each behind a
 * byte with its length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "cache/store.h"
#include "random_flow.h"

enum { LOG = 64 };

struct event {
	uint32_t id;
	enum store_event event;
};

/* What an observer has been told, with what the store had then. */
struct log {
	const struct store *store;
	struct event events[LOG];
	char values[LOG][STORE_MAX];
	uint8_t states[LOG];
	struct store_stats stats[LOG];
	unsigned int n;
	const struct log *before; /* is told before this one */
};

struct object {
	uint8_t bytes[STORE_MAX];
	size_t key_len, len;
};

static struct object object(const char *name, const char *value)
{
	struct object o = { .key_len = 1 + strlen(name) };

	o.len = o.key_len + 1 + strlen(value);
	assert_in_range(o.len, 2, STORE_MAX);
	o.bytes[0] = (uint8_t)strlen(name);
	memcpy(o.bytes + 1, name, strlen(name));
	o.bytes[o.key_len] = (uint8_t)strlen(value);
	memcpy(o.bytes + o.key_len + 1, value, strlen(value));
	return o;
}

static size_t key_len(const uint8_t *bytes)
{
	return 1U + bytes[0];
}

static const char *value_of(const struct store *s, uint32_t id, char *out)
{
	const uint8_t *bytes = store_bytes(s, id);
	const uint8_t *value = bytes + key_len(bytes);

	memcpy(out, value + 1, value[0]);
	out[value[0]] = '\0';
	return out;
}

static void assert_value(const struct store *s, uint32_t id, const char *want)
{
	char value[STORE_MAX];

	assert_string_equal(value_of(s, id, value), want);
}

static void store_up(struct store *s, uint32_t first_size, uint32_t limit)
{
	const struct store_opts o = { .first_size = first_size,
				      .limit = limit,
				      .hash_key = { 1, 2 },
				      .key_len = key_len };

	assert_int_equal(store_init(s, &o), 0);
}

static struct store_place place_of(const struct store *s, const char *name)
{
	struct object o = object(name, "");

	return store_find(s, o.bytes, o.key_len);
}

static enum put_result try_put(struct store *s, const char *name,
			       const char *value, enum store_mode mode,
			       uint32_t now_s, uint32_t *id)
{
	struct object o = object(name, value);
	struct store_place place = store_find(s, o.bytes, o.key_len);
	uint8_t *exact = malloc(o.len); /* ASan guards its end */
	enum put_result result;

	assert_non_null(exact);
	memcpy(exact, o.bytes, o.len);
	result = store_put(s, &place, exact, o.len, mode, now_s);
	free(exact);
	*id = place.id;
	return result;
}

static uint32_t put(struct store *s, const char *name, const char *value,
		    enum store_mode mode, uint32_t now_s, enum put_result want)
{
	uint32_t id;

	assert_int_equal(try_put(s, name, value, mode, now_s, &id), want);
	return id;
}

static void told(void *ctx, uint32_t id, enum store_event event)
{
	struct log *l = ctx;

	assert_in_range(l->n, 0, LOG - 1);
	if (l->before)
		assert_int_equal(l->before->n, l->n + 1);
	l->events[l->n] = (struct event){ id, event };
	value_of(l->store, id, l->values[l->n]);
	l->states[l->n] = store_head(l->store, id)->state;
	l->stats[l->n++] = l->store->stats[0];
}

static void test_what_was_put_is_found_by_its_key(void **state)
{
	static const char *const names[] = { "", "a", "b", "aa", "ab", "long" };
	struct store s;
	uint32_t ids[N_ELEMENTS(names)];

	(void)state;
	store_up(&s, 1, 10);
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		ids[i] = put(&s, names[i], names[i], STORE_REPLACE, 7, PUT_NEW);
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		assert_int_equal(ids[i], i + 1);
		assert_int_equal(place_of(&s, names[i]).id, ids[i]);
		assert_value(&s, ids[i], names[i]);
		assert_int_equal(store_head(&s, ids[i])->created_s, 7);
	}
	assert_int_equal(place_of(&s, "c").id, STORE_NO_ID);
	assert_null(store_head(&s, STORE_NO_ID));
	assert_null(store_head(&s, N_ELEMENTS(names) + 1));
	store_fini(&s);
}

/* What becomes of an entry by what is put, and what is counted. */
static void test_a_put_goes_by_the_state_of_the_entry(void **state)
{
	static const struct {
		enum entry_state was;
		enum store_mode mode;
		const char *value; /* it was "one" */
		enum put_result want;
		enum entry_state is;
		uint32_t created_s, changed_s; /* 1 before, 9 now */
		uint64_t n_created, n_destroyed, n_updated;
	} cases[] = {
		{ ENTRY_FREE, STORE_CHANGE, "one", PUT_NEW, ENTRY_NEW, 9, 9, 1,
		  0, 0 },
		{ ENTRY_FREE, STORE_REPLACE, "one", PUT_NEW, ENTRY_NEW, 9, 9, 1,
		  0, 0 },
		{ ENTRY_NEW, STORE_CHANGE, "one", PUT_SAME, ENTRY_NEW, 1, 1, 1,
		  0, 1 },
		{ ENTRY_NEW, STORE_CHANGE, "two", PUT_CHANGED, ENTRY_ALIVE, 1,
		  9, 1, 0, 1 },
		/* of the same size, and of another */
		{ ENTRY_NEW, STORE_CHANGE, "on", PUT_CHANGED, ENTRY_ALIVE, 1, 9,
		  1, 0, 1 },
		{ ENTRY_NEW, STORE_CHANGE, "one and much more", PUT_CHANGED,
		  ENTRY_ALIVE, 1, 9, 1, 0, 1 },
		{ ENTRY_NEW, STORE_REPLACE, "one", PUT_NEW, ENTRY_NEW, 9, 9, 2,
		  1, 0 },
		{ ENTRY_NEW, STORE_REPLACE, "two", PUT_NEW, ENTRY_NEW, 9, 9, 2,
		  1, 0 },
		{ ENTRY_DEAD, STORE_CHANGE, "one", PUT_NEW, ENTRY_NEW, 9, 9, 2,
		  1, 0 },
		{ ENTRY_DEAD, STORE_REPLACE, "two", PUT_NEW, ENTRY_NEW, 9, 9, 2,
		  1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct entry_head *h;
		struct store s;
		uint32_t id;

		store_up(&s, 1, 10);
		if (cases[i].was != ENTRY_FREE) {
			id = put(&s, "key", "one", STORE_REPLACE, 1, PUT_NEW);
			store_head(&s, id)->owner = 3;
			store_head(&s, id)->last_seq = 5;
			store_mark(&s, 1, id);
		}
		if (cases[i].was == ENTRY_DEAD)
			store_kill(&s, id);
		id = put(&s, "key", cases[i].value, cases[i].mode, 9,
			 cases[i].want);
		h = store_head(&s, id);
		assert_int_equal(id, 1);
		assert_value(&s, id, cases[i].value);
		assert_int_equal(h->state, cases[i].is);
		assert_int_equal(h->created_s, cases[i].created_s);
		assert_int_equal(h->changed_s, cases[i].changed_s);
		if (cases[i].was != ENTRY_FREE) {
			assert_int_equal(h->owner, 3);
			assert_int_equal(h->last_seq, 5);
			assert_true(store_is_marked(&s, 1, id));
		}
		assert_int_equal(s.stats[0].n_created, cases[i].n_created);
		assert_int_equal(s.stats[0].n_destroyed, cases[i].n_destroyed);
		assert_int_equal(s.stats[0].n_updated, cases[i].n_updated);
		assert_int_equal(s.stats[0].n_active, 1);
		assert_int_equal(s.stats[0].n_entries, 1);
		store_fini(&s);
	}
}

/* ---- observers ---------------------------------------------------------- */

static void test_an_observer_is_told_of_each_operation_once(void **state)
{
	struct log log = { 0 };
	const struct store_observer o = { told, &log };
	static const struct {
		uint32_t id;
		enum store_event event;
		const char *value;
		enum entry_state state;
		uint32_t n_active, n_entries;
	} want[] = {
		{ 1, STORE_NEW, "one", ENTRY_NEW, 1, 1 },
		{ 1, STORE_SAME, "one", ENTRY_NEW, 1, 1 },
		{ 1, STORE_CHANGED, "two", ENTRY_ALIVE, 1, 1 },
		{ 2, STORE_NEW, "other", ENTRY_NEW, 2, 2 },
		{ 1, STORE_REPLACED, "two", ENTRY_NEW, 2, 2 },
		{ 1, STORE_KILLED, "two", ENTRY_DEAD, 1, 2 },
		{ 1, STORE_REVIVED, "six", ENTRY_NEW, 2, 2 },
		{ 1, STORE_KILLED, "six", ENTRY_DEAD, 1, 2 },
		{ 1, STORE_REVIVED, "ten and more of it", ENTRY_NEW, 2, 2 },
		{ 2, STORE_REMOVING, "other", ENTRY_NEW, 2, 2 },
		{ 1, STORE_KILLED, "ten and more of it", ENTRY_DEAD, 0, 1 },
		{ 1, STORE_REMOVING, "ten and more of it", ENTRY_DEAD, 0, 1 },
	};
	struct store s;

	(void)state;
	store_up(&s, 1, 2);
	log.store = &s;
	store_observe(&s, &o);
	put(&s, "key", "one", STORE_REPLACE, 1, PUT_NEW);
	put(&s, "key", "one", STORE_CHANGE, 1, PUT_SAME);
	put(&s, "key", "two", STORE_CHANGE, 1, PUT_CHANGED);
	put(&s, "else", "other", STORE_CHANGE, 1, PUT_NEW);
	put(&s, "third", "", STORE_CHANGE, 1, PUT_NO_SPACE);
	put(&s, "key", "two", STORE_REPLACE, 1, PUT_NEW);
	store_kill(&s, 1);
	put(&s, "key", "six", STORE_CHANGE, 1, PUT_NEW);
	store_kill(&s, 1);
	put(&s, "key", "ten and more of it", STORE_REPLACE, 1, PUT_NEW);
	store_remove(&s, 2);
	store_kill(&s, 1);
	store_remove(&s, 1);
	place_of(&s, "key");
	store_step(&s);
	assert_int_equal(log.n, N_ELEMENTS(want));
	for (size_t i = 0; i < N_ELEMENTS(want); i++) {
		assert_int_equal(log.events[i].id, want[i].id);
		assert_int_equal(log.events[i].event, want[i].event);
		assert_string_equal(log.values[i], want[i].value);
		assert_int_equal(log.states[i], want[i].state);
		assert_int_equal(log.stats[i].n_active, want[i].n_active);
		assert_int_equal(log.stats[i].n_entries, want[i].n_entries);
	}
	store_fini(&s);
	assert_int_equal(log.n, N_ELEMENTS(want));
}

static void test_observers_are_told_in_their_order(void **state)
{
	struct log logs[STORE_OBSERVERS];
	struct store_observer o[STORE_OBSERVERS];
	struct store s;

	(void)state;
	memset(logs, 0, sizeof(logs));
	store_up(&s, 1, 2);
	for (int i = 0; i < STORE_OBSERVERS; i++) {
		logs[i].store = &s;
		logs[i].before = i ? &logs[i - 1] : NULL;
		o[i] = (struct store_observer){ told, &logs[i] };
		store_observe(&s, &o[i]);
	}
	put(&s, "key", "one", STORE_REPLACE, 1, PUT_NEW);
	store_remove(&s, 1);
	for (int i = 0; i < STORE_OBSERVERS; i++)
		assert_int_equal(logs[i].n, 2);
	store_fini(&s);
}

static void test_an_observer_is_not_told_of_what_has_failed(void **state)
{
	struct log log = { 0 };
	const struct store_observer o = { told, &log };
	struct store s;
	uint32_t id;

	(void)state;
	store_up(&s, 1, 10);
	log.store = &s;
	put(&s, "key", "one", STORE_REPLACE, 1, PUT_NEW);
	store_observe(&s, &o);
	for (int mode = STORE_REPLACE; mode <= STORE_CHANGE; mode++) {
		alloc_fail_after(0);
		assert_int_equal(try_put(&s, "key", "one that is longer",
					 (enum store_mode)mode, 2, &id),
				 PUT_NO_MEMORY);
		assert_true(alloc_fail_off());
	}
	alloc_fail_after(0);
	assert_int_equal(
		try_put(&s, "longer key", "longer value", STORE_CHANGE, 2, &id),
		PUT_NO_MEMORY);
	assert_true(alloc_fail_off());
	assert_int_equal(log.n, 0);
	assert_int_equal(place_of(&s, "longer key").id, STORE_NO_ID);
	assert_value(&s, 1, "one");
	assert_int_equal(store_head(&s, 1)->state, ENTRY_NEW);
	assert_int_equal(store_head(&s, 1)->changed_s, 1);
	store_fini(&s);
}

static void mark(void *ctx, uint32_t id, enum store_event event)
{
	struct store *s = ctx;

	store_head(s, id)->outbox |= 0x20;
	if (event == STORE_KILLED)
		store_mark(s, 2, id);
}

static void test_an_observer_may_change_the_users_part(void **state)
{
	struct store s;
	const struct store_observer o = { mark, &s };
	uint32_t id;

	(void)state;
	store_up(&s, 1, 10);
	store_observe(&s, &o);
	id = put(&s, "key", "one", STORE_REPLACE, 1, PUT_NEW);
	assert_int_equal(store_head(&s, id)->outbox, 0x20);
	store_kill(&s, id);
	assert_int_equal(store_next_marked(&s, 2, STORE_NO_ID), id);
	store_remove(&s, id);
	assert_int_equal(store_head(&s, id)->outbox, 0);
	assert_int_equal(store_n_marked(&s, 2), 0);
	store_fini(&s);
}

/* ---- limits and memory -------------------------------------------------- */

static void numbered(uint32_t n, char out[16])
{
	snprintf(out, 16, "%u", n);
}

static void test_room_is_what_is_left_of_the_limit(void **state)
{
	enum { LIMIT = 80 };
	struct store s;
	char name[16];

	(void)state;
	store_up(&s, 1, LIMIT);
	for (uint32_t i = 1; i <= LIMIT; i++) {
		numbered(i, name);
		put(&s, name, "", STORE_REPLACE, 1, PUT_NEW);
		assert_int_equal(store_has_room(&s), i <= LIMIT - LIMIT / 8);
		assert_false(store_wants_room(&s));
	}
	put(&s, "one too many", "", STORE_REPLACE, 1, PUT_NO_SPACE);
	put(&s, "1", "known", STORE_CHANGE, 1, PUT_CHANGED);
	store_kill(&s, 2); /* it still takes a place */
	assert_true(store_wants_room(&s));
	put(&s, "one too many", "", STORE_REPLACE, 1, PUT_NO_SPACE);
	assert_int_equal(s.stats[0].n_create_no_space, 2);
	store_remove(&s, 2);
	assert_false(store_wants_room(&s));
	assert_int_equal(put(&s, "one more", "", STORE_CHANGE, 1, PUT_NEW), 2);
	store_fini(&s);
}

/* Names that begin with a capital are of class 1. */
static unsigned int class_of(const uint8_t *bytes)
{
	return bytes[1] >= 'A' && bytes[1] <= 'Z';
}

static void test_each_class_is_counted_and_limited_for_itself(void **state)
{
	static const char *const names[STORE_CLASSES][8] = {
		{ "a", "b", "c", "d", "e", "f", "g", "h" },
		{ "A", "B", "C", "D", "E", "F", "G", "H" }
	};
	static const char *const one_more[] = { "i", "I" };
	const struct store_opts o = { .first_size = 1,
				      .limit = 8,
				      .key_len = key_len,
				      .class_of = class_of };
	struct store s;
	uint32_t id = STORE_NO_ID;

	(void)state;
	assert_int_equal(store_init(&s, &o), 0);
	for (int class = 0; class < STORE_CLASSES; class ++) {
		for (int i = 0; i < 8; i++) {
			id = put(&s, names[class][i], "", STORE_REPLACE, 1,
				 PUT_NEW);
			assert_int_equal(store_class(&s, id), class);
		}
		put(&s, one_more[class], "", STORE_REPLACE, 1, PUT_NO_SPACE);
		assert_false(store_has_room(&s));
		assert_false(store_wants_room(&s));
	}
	store_kill(&s, id);
	assert_true(store_wants_room(&s));
	store_remove(&s, id);
	assert_false(store_wants_room(&s));
	put(&s, "H", "", STORE_REPLACE, 1, PUT_NEW);
	put(&s, "H", "new", STORE_CHANGE, 1, PUT_CHANGED);
	for (int class = 0; class < STORE_CLASSES; class ++) {
		assert_int_equal(s.stats[class].n_entries, 8);
		assert_int_equal(s.stats[class].n_active, 8);
		assert_int_equal(s.stats[class].n_created, 8 + class);
		assert_int_equal(s.stats[class].n_destroyed, class);
		assert_int_equal(s.stats[class].n_updated, class);
		assert_int_equal(s.stats[class].n_create_no_space, 1);
	}
	store_fini(&s);
}

static void test_every_failed_allocation_is_survived(void **state)
{
	enum { N = 5000 };
	const struct store_opts o = { .first_size = 1,
				      .limit = N,
				      .key_len = key_len };
	bool has_failed = true;

	(void)state;
	for (size_t n = 0; has_failed; n++) {
		unsigned int n_failed = 0, n_old = 0;
		struct store s;
		char name[16], value[STORE_MAX];
		uint32_t id;

		alloc_fail_after(n);
		if (store_init(&s, &o) < 0) {
			assert_true(alloc_fail_off());
			store_fini(&s);
			continue;
		}
		for (uint32_t i = 1; i <= N; i++) {
			numbered(i, name);
			n_failed += try_put(&s, name, "short", STORE_REPLACE, 1,
					    &id) == PUT_NO_MEMORY;
			n_failed +=
				try_put(&s, name, "somewhat longer",
					STORE_CHANGE, 1, &id) == PUT_NO_MEMORY;
			n_failed +=
				try_put(&s, name, "of still other length",
					STORE_REPLACE, 1, &id) == PUT_NO_MEMORY;
		}
		has_failed = alloc_fail_off();
		/* a hash table that cannot grow fails nothing */
		assert_in_range(n_failed, 0, has_failed);
		assert_int_equal(s.stats[0].n_create_no_memory +
					 s.stats[0].n_update_failed,
				 n_failed);
		assert_int_equal(s.stats[0].n_entries, N);
		for (uint32_t i = 1; i <= N; i++) {
			numbered(i, name);
			id = place_of(&s, name).id;
			assert_int_not_equal(id, STORE_NO_ID);
			n_old += strcmp(value_of(&s, id, value),
					"of still other length") != 0;
		}
		assert_in_range(n_old, 0, n_failed);
		store_fini(&s);
	}
}

/* ---- walks -------------------------------------------------------------- */

/* Entries that live through a walk come exactly once, whatever is added,
 * changed or removed meanwhile, and while the table grows. */
static void test_a_walk_meets_each_survivor_exactly_once(void **state)
{
	enum { N = 2000, N_MAX = 10000 };
	uint8_t *met = calloc(N_MAX + 1, 1), *is_gone = calloc(N_MAX + 1, 1);
	uint32_t n = N, id;
	uint64_t seed = 5;
	struct store s;
	char name[16], value[STORE_MAX];

	(void)state;
	store_up(&s, 1, N_MAX);
	for (uint32_t i = 1; i <= N; i++) {
		numbered(i, name);
		put(&s, name, name, STORE_REPLACE, 1, PUT_NEW);
	}
	for (id = STORE_NO_ID; (id = store_next(&s, id)) != STORE_NO_ID;) {
		uint32_t r = (uint32_t)(random_next(&seed) >> 32), other;

		if (store_head(&s, id)->state == ENTRY_FREE)
			continue;
		met[strtoul(value_of(&s, id, value), NULL, 10)]++;
		if (n < N_MAX) {
			numbered(++n, name);
			put(&s, name, name, STORE_REPLACE, 1, PUT_NEW);
		}
		numbered(1 + r % N, name);
		other = place_of(&s, name).id;
		if (r >> 30 == 0 && other) {
			store_remove(&s, other);
			is_gone[1 + r % N] = 1;
		} else if (other) {
			/* in a place of another size */
			snprintf(value, sizeof(value), "%s, and %*s", name,
				 (int)(r >> 24 & 63), "more");
			try_put(&s, name, value, STORE_CHANGE, 1, &other);
		}
		store_step(&s);
	}
	for (uint32_t i = 1; i <= N; i++)
		if (!is_gone[i])
			assert_int_equal(met[i], 1);
	free(met);
	free(is_gone);
	store_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test(test)
		T(test_what_was_put_is_found_by_its_key),
		T(test_a_put_goes_by_the_state_of_the_entry),
		T(test_an_observer_is_told_of_each_operation_once),
		T(test_observers_are_told_in_their_order),
		T(test_an_observer_is_not_told_of_what_has_failed),
		T(test_an_observer_may_change_the_users_part),
		T(test_room_is_what_is_left_of_the_limit),
		T(test_each_class_is_counted_and_limited_for_itself),
		T(test_every_failed_allocation_is_survived),
		T(test_a_walk_meets_each_survivor_exactly_once),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
