/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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

static void test_the_type_tells_what_an_entry_is_for_the_peer(void **state)
{
	static const struct {
		enum entry_state state;
		bool is_known;
		enum msg_type want;
	} cases[] = {
		{ ENTRY_NEW, false, MSG_CT_NEW },
		{ ENTRY_NEW, true, MSG_CT_NEW },
		{ ENTRY_ALIVE, false, MSG_CT_NEW },
		{ ENTRY_ALIVE, true, MSG_CT_UPD },
		{ ENTRY_DEAD, false, MSG_CT_DEL },
		{ ENTRY_DEAD, true, MSG_CT_DEL },
	};
	const struct wire_flow_opts o = { .send_timeout = true };
	const struct flow f = { .family = FAMILY_IPV4,
				.l4proto = L4_TCP,
				.has = FLOW_PORTS };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint8_t bytes[SIZE];
		struct wr w = { .buf = bytes, .size = sizeof(bytes) };
		size_t at = message_entry(&w, 5, &o, &f, cases[i].state,
					  cases[i].is_known);
		struct msg m;

		assert_true(wire_end(&w, at));
		m = read_back(&w);
		assert_int_equal(m.type, cases[i].want);
		assert_int_equal(m.seq, 5);
		assert_true(m.body.left > 0);
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
