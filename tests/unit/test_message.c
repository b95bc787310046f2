/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cache/expect_cache.h"
#include "sync/message.h"

enum { NODE = 77, SIZE = 512 };

static const struct message_self self = { NODE, EXT_CAP_WHOLE_UPDATES };

/* Reads back the only message in w. */
static struct msg read_back(const struct wr *w)
{
	struct rd rd = { w->buf, w->used };
	enum verdict why;
	struct msg m;

	assert_int_equal(wire_next(&rd, &m, &why), WIRE_MSG);
	assert_int_equal(rd.left, 0);
	return m;
}

static void test_an_alive_says_who_we_are_and_what_we_hold(void **state)
{
	uint8_t bytes[SIZE];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	size_t at = message_alive(&w, UINT32_MAX, MSG_HELLO, &self, 4711);
	struct ext_record r;
	struct ext_alive ext;
	struct msg m;

	(void)state;
	assert_true(wire_end(&w, at));
	m = read_back(&w);
	assert_int_equal(m.seq, UINT32_MAX);
	assert_int_equal(m.flags, MSG_ALIVE | MSG_HELLO);
	assert_true(ext_open(m.body, &ext));
	assert_int_equal(ext.node, NODE);
	assert_int_equal(ext.capabilities, EXT_CAP_WHOLE_UPDATES);
	assert_int_equal(ext_next(&ext.records, &r), EXT_RECORD);
	assert_int_equal(r.type, EXT_HELD);
	assert_int_equal(r.oldest, 4711);
	assert_int_equal(ext_next(&ext.records, &r), EXT_END);
}

static void test_records_come_in_the_order_they_are_added(void **state)
{
	const uint8_t name[EXT_NAME_SIZE] = { 1, 2, 3 };
	uint8_t bytes[SIZE];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	size_t at = message_alive(&w, 1, 0, &self, 1);
	struct ext_record r;
	struct ext_alive ext;

	(void)state;
	message_add_name(&w, name);
	message_add_ask(&w, EXT_ASK, 5);
	message_add_ask(&w, EXT_WANT, 9);
	message_add_range(&w, EXT_NACK, 6, (struct seq_run){ 10, 20 });
	message_add_mark(&w, 7, EXT_BULK_END, 30, 40);
	assert_true(wire_end(&w, at));
	assert_true(ext_open(read_back(&w).body, &ext));
	assert_int_equal(ext_next(&ext.records, &r), EXT_RECORD);
	assert_int_equal(ext_next(&ext.records, &r), EXT_RECORD);
	assert_int_equal(r.type, EXT_STABLE_NAME);
	assert_memory_equal(r.name, name, EXT_NAME_SIZE);
	assert_int_equal(ext_next(&ext.records, &r), EXT_RECORD);
	assert_int_equal(r.type, EXT_ASK);
	assert_int_equal(r.asked, 5);
	assert_int_equal(ext_next(&ext.records, &r), EXT_RECORD);
	assert_int_equal(r.type, EXT_WANT);
	assert_int_equal(r.asked, 9);
	assert_int_equal(ext_next(&ext.records, &r), EXT_RECORD);
	assert_int_equal(r.type, EXT_NACK);
	assert_int_equal(r.range.node, 6);
	assert_int_equal(r.range.from, 10);
	assert_int_equal(r.range.to, 20);
	assert_int_equal(ext_next(&ext.records, &r), EXT_RECORD);
	assert_int_equal(r.type, EXT_BULK_MARK);
	assert_int_equal(r.mark.node, 7);
	assert_int_equal(r.mark.phase, EXT_BULK_END);
	assert_int_equal(r.mark.walk, 30);
	assert_int_equal(r.mark.n_entries, 40);
}

static void test_the_length_of_an_alive_is_known_before(void **state)
{
	uint8_t bytes[SIZE];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };

	(void)state;
	message_alive(&w, 1, 0, &self, 1);
	message_add_mark(&w, NODE, EXT_BULK_BEGIN, 1, 1);
	assert_int_equal(w.used, message_alive_len(EXT_BULK_MARK));
}

static void test_ranges_are_messages_of_their_own(void **state)
{
	static const enum msg_flag flags[] = { MSG_ACK, MSG_NACK, MSG_RESYNC };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(flags); i++) {
		uint8_t bytes[WIRE_RANGE_LEN];
		struct wr w = { .buf = bytes, .size = sizeof(bytes) };
		size_t at = message_range(&w, 9, flags[i],
					  (struct seq_run){ 3, 4 });
		struct msg m;

		assert_true(wire_end(&w, at));
		m = read_back(&w);
		assert_int_equal(m.flags, flags[i]);
		assert_int_equal(m.seq, 9);
		assert_int_equal(m.from, 3);
		assert_int_equal(m.to, 4);
	}
}

/* A cache with one flow or expectation, and its id. */
static struct flow_cache *cache_with(enum object_kind kind, uint32_t *id)
{
	const struct flow_cache_opts o = { .first_size = 1, .limit = 1 };
	const struct flow f = { .family = FAMILY_IPV4,
				.l4proto = L4_TCP,
				.has = FLOW_PORTS };
	const struct expect e = { .family = FAMILY_IPV4,
				  .master_l4proto = L4_TCP,
				  .l4proto = L4_TCP };
	struct flow_cache *c = flow_cache_new(&o);

	if (kind == OBJECT_FLOW)
		flow_cache_put(c, &f, PUT_REPLACE, 1, id);
	else
		expect_cache_put(c, &e, STORE_REPLACE, 1, id);
	return c;
}

static void test_the_type_tells_what_an_entry_is_for_the_peer(void **state)
{
	static const struct {
		enum object_kind kind;
		enum entry_state state;
		bool is_known;
		enum msg_type want;
	} cases[] = {
		{ OBJECT_FLOW, ENTRY_NEW, false, MSG_CT_NEW },
		{ OBJECT_FLOW, ENTRY_NEW, true, MSG_CT_NEW },
		{ OBJECT_FLOW, ENTRY_ALIVE, false, MSG_CT_NEW },
		{ OBJECT_FLOW, ENTRY_ALIVE, true, MSG_CT_UPD },
		{ OBJECT_FLOW, ENTRY_DEAD, false, MSG_CT_DEL },
		{ OBJECT_FLOW, ENTRY_DEAD, true, MSG_CT_DEL },
		{ OBJECT_EXPECT, ENTRY_NEW, false, MSG_EXP_NEW },
		{ OBJECT_EXPECT, ENTRY_NEW, true, MSG_EXP_NEW },
		{ OBJECT_EXPECT, ENTRY_ALIVE, false, MSG_EXP_NEW },
		{ OBJECT_EXPECT, ENTRY_ALIVE, true, MSG_EXP_UPD },
		{ OBJECT_EXPECT, ENTRY_DEAD, false, MSG_EXP_DEL },
		{ OBJECT_EXPECT, ENTRY_DEAD, true, MSG_EXP_DEL },
	};
	const struct wire_flow_opts o = { .send_timeout = true };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint8_t bytes[SIZE];
		struct wr w = { .buf = bytes, .size = sizeof(bytes) };
		struct message_entry what = { .state = cases[i].state,
					      .is_known = cases[i].is_known };
		struct flow_cache *c = cache_with(cases[i].kind, &what.id);
		size_t at = message_entry(&w, 5, &o, c, &what);
		struct msg m;

		assert_true(wire_end(&w, at));
		m = read_back(&w);
		assert_int_equal(m.type, cases[i].want);
		assert_int_equal(m.seq, 5);
		assert_true(m.body.left > 0);
		flow_cache_free(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test(test)
		T(test_an_alive_says_who_we_are_and_what_we_hold),
		T(test_records_come_in_the_order_they_are_added),
		T(test_the_length_of_an_alive_is_known_before),
		T(test_ranges_are_messages_of_their_own),
		T(test_the_type_tells_what_an_entry_is_for_the_peer),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
