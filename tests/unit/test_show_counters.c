/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/show_counters.h"

static void list(const struct counter_set *s, char *text, size_t size)
{
	struct wr w = { .buf = (uint8_t *)text, .size = size - 1 };
	struct counter_walk walk = { 0 };

	while (show_counters_next(s, &walk, &w))
		assert_false(w.full);
	assert_false(show_counters_next(s, &walk, &w));
	text[w.used] = '\0';
}

static void test_lines_come_in_the_order_of_the_table(void **state)
{
	struct counter_set *s = counter_set_new(6);
	struct counted *c;
	char text[2048];

	(void)state;
	c = counter_set_add(s, COUNTER_PER_LINK, "0", "eth2");
	counted_set(c, COUNTER_LINK_RECEIVED, 0);
	counted_set(c, COUNTER_LINK_ACTIVE, 1);
	c = counter_set_add(s, COUNTER_PER_LINK, "1", "a\"b\\c\nd");
	counted_set(c, COUNTER_LINK_ACTIVE, 0);
	c = counter_set_add(s, COUNTER_PER_CACHE, "internal", NULL);
	counted_set(c, COUNTER_CACHE_ENTRIES, UINT64_MAX);
	c = counter_set_add(s, COUNTER_PER_DAEMON, NULL, NULL);
	counted_set(c, COUNTER_LOOP_LONGEST_TURN, 2000017);
	counted_set(c, COUNTER_UPTIME, 5);
	c = counter_set_add(s, COUNTER_PER_PEER, "7", "fe80::1");
	counted_set(c, COUNTER_PEER_RTT, 12);
	list(s, text, sizeof(text));
	assert_string_equal(
		text,
		"conntrackd_uptime_seconds 5\n"
		"conntrackd_loop_longest_turn_seconds 2.000017\n"
		"conntrackd_cache_entries{cache=\"internal\"} "
		"18446744073709551615\n"
		"conntrackd_link_active{link=\"0\",device=\"eth2\"} 1\n"
		"conntrackd_link_active{link=\"1\",device=\"a\\\"b\\\\c\\nd\"} "
		"0\n"
		"conntrackd_link_received_datagrams_total{link=\"0\","
		"device=\"eth2\"} 0\n"
		"conntrackd_peer_round_trip_seconds{peer=\"7\","
		"address=\"fe80::1\"} 0.012\n");
	free(s);
}

static void test_every_line_fits_the_room_for_one(void **state)
{
	char label[COUNTED_LABEL_SIZE];
	struct counter_set *s = counter_set_new(COUNTER_PER_N);
	struct counter_walk walk = { 0 };
	uint8_t line[SHOW_COUNTER_MAX];
	struct wr w = { .buf = line, .size = sizeof(line) };
	unsigned int n = 0;

	(void)state;
	memset(label, '"', sizeof(label));
	label[sizeof(label) - 1] = '\0';
	for (int per = 0; per < COUNTER_PER_N; per++)
		counter_set_add(s, (enum counter_per)per, label, label);
	for (enum counter i = 0; i < COUNTER_N; i++)
		counted_set(&s->all[counter_row(i)->per], i, UINT64_MAX);
	for (; show_counters_next(s, &walk, &w); n++) {
		assert_false(w.full);
		assert_int_equal(line[w.used - 1], '\n');
		w.used = 0;
	}
	assert_int_equal(n, COUNTER_N);
	free(s);
}

static void test_an_empty_set_has_no_lines(void **state)
{
	struct counter_set *s = counter_set_new(1);
	char text[8];

	(void)state;
	list(s, text, sizeof(text));
	assert_string_equal(text, "");
	counter_set_add(s, COUNTER_PER_DAEMON, NULL, NULL);
	list(s, text, sizeof(text));
	assert_string_equal(text, "");
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_come_in_the_order_of_the_table),
		cmocka_unit_test(test_every_line_fits_the_room_for_one),
		cmocka_unit_test(test_an_empty_set_has_no_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
