/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "netlink/nlmsg.h"

enum { A = 7, B = 9, BUILT_LEN = 16 + 8 + 12 + 8 };

/* A message with a byte, a nest of one word, and an odd last attribute. */
static struct wr build(uint8_t *buf, size_t size)
{
	struct wr w = { buf, size, 0, false };
	size_t msg = nlmsg_begin(&w, 0x102, NLM_F_REQUEST, 4711);
	size_t nest;

	nlmsg_put(&w, A, "x", 1);
	nest = nlmsg_nest_begin(&w, B);
	nlmsg_put(&w, A, "word", 4);
	nlmsg_nest_end(&w, nest);
	nest = nlmsg_nest_begin(&w, B);
	nlmsg_nest_end_or_drop(&w, nest); /* empty: it leaves no trace */
	nlmsg_put(&w, B, "yz", 2);
	nlmsg_end(&w, msg);
	nlmsg_add_flags(&w, msg, NLM_F_ACK);
	return w;
}

static void expect_attr(struct rd *attrs, uint16_t type, const char *payload,
			struct rd *body)
{
	struct nlmsg_attr a;

	assert_int_equal(nlmsg_attr_next(attrs, &a), NLMSG_STEP_ITEM);
	assert_int_equal(a.type, type);
	if (payload) {
		assert_int_equal(a.body.left, strlen(payload));
		assert_memory_equal(a.body.at, payload, strlen(payload));
	}
	if (body)
		*body = a.body;
}

static void test_what_is_built_is_read_back(void **state)
{
	uint8_t buf[64];
	struct wr w = build(buf, sizeof(buf));
	struct rd d = { buf, w.used }, nest;
	struct nlmsg m;
	struct nlmsg_attr a;

	(void)state;
	assert_false(w.full);
	assert_int_equal(w.used, BUILT_LEN);
	assert_int_equal(nlmsg_next(&d, &m), NLMSG_STEP_ITEM);
	assert_int_equal(m.type, 0x102);
	assert_int_equal(m.flags, NLM_F_REQUEST | NLM_F_ACK);
	assert_int_equal(m.seq, 4711);
	assert_int_equal(m.port, 0);
	expect_attr(&m.body, A, "x", NULL);
	expect_attr(&m.body, B, NULL, &nest);
	expect_attr(&nest, A, "word", NULL);
	assert_int_equal(nlmsg_attr_next(&nest, &a), NLMSG_STEP_END);
	expect_attr(&m.body, B, "yz", NULL);
	assert_int_equal(nlmsg_attr_next(&m.body, &a), NLMSG_STEP_END);
	assert_int_equal(nlmsg_next(&d, &m), NLMSG_STEP_END);
}

static void test_a_buffer_too_small_becomes_full(void **state)
{
	(void)state;
	for (size_t size = 0; size < BUILT_LEN; size++) {
		uint8_t *exact = calloc(1, size + !size);

		assert_true(build(exact, size).full);
		free(exact);
	}
}

/* Attributes of a datagram, nests not counted; -1: malformed. */
static int count_attrs(const uint8_t *bytes, size_t n)
{
	struct rd d = { bytes, n };
	struct nlmsg m;
	struct nlmsg_attr a;
	enum nlmsg_step step, inner;
	int count = 0;

	while ((step = nlmsg_next(&d, &m)) == NLMSG_STEP_ITEM) {
		while ((inner = nlmsg_attr_next(&m.body, &a)) ==
		       NLMSG_STEP_ITEM)
			count++;
		if (inner == NLMSG_STEP_MALFORMED)
			return -1;
	}
	return step == NLMSG_STEP_END ? count : -1;
}

static void test_every_prefix_is_judged_without_overread(void **state)
{
	uint8_t whole[BUILT_LEN];

	(void)state;
	build(whole, sizeof(whole));
	for (size_t n = 0; n <= sizeof(whole); n++) {
		uint8_t *exact = malloc(n + !n); /* ASan guards its end */

		memcpy(exact, whole, n);
		assert_int_equal(count_attrs(exact, n), n == 0          ? 0
							: n < BUILT_LEN ? -1
									: 3);
		free(exact);
	}
}

static void test_every_bit_flip_is_judged_without_overread(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 8 * BUILT_LEN; bit++) {
		uint8_t *exact = malloc(BUILT_LEN);

		build(exact, BUILT_LEN);
		exact[bit / 8] ^= (uint8_t)(1 << bit % 8);
		count_attrs(exact, BUILT_LEN);
		free(exact);
	}
}

static void test_lengths_are_checked(void **state)
{
	static const struct {
		uint16_t len;
		enum nlmsg_step step;
	} cases[] = {
		{ 0, NLMSG_STEP_MALFORMED },      { 3, NLMSG_STEP_MALFORMED },
		{ 4, NLMSG_STEP_ITEM },           { 7, NLMSG_STEP_ITEM },
		{ 8, NLMSG_STEP_ITEM },           { 9, NLMSG_STEP_MALFORMED },
		{ 0xffff, NLMSG_STEP_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint8_t bytes[8] = { 0 };
		struct rd attrs = { bytes, sizeof(bytes) };
		struct nlmsg_attr a;

		memcpy(bytes, &cases[i].len, sizeof(cases[i].len));
		assert_int_equal(nlmsg_attr_next(&attrs, &a), cases[i].step);
	}
}

static void test_several_messages_follow_each_other(void **state)
{
	uint8_t buf[64];
	struct wr w = { buf, sizeof(buf), 0, false };
	struct rd d;
	struct nlmsg m;

	(void)state;
	for (uint32_t seq = 1; seq <= 3; seq++) {
		size_t msg = nlmsg_begin(&w, NLMSG_NOOP, 0, seq);

		wr_u8(&w, 0);
		nlmsg_end(&w, msg);
		wr_zeros(&w, 3);
	}
	d = (struct rd){ buf, w.used };
	for (uint32_t seq = 1; seq <= 3; seq++) {
		assert_int_equal(nlmsg_next(&d, &m), NLMSG_STEP_ITEM);
		assert_int_equal(m.seq, seq);
		assert_int_equal(m.body.left, 1);
	}
	assert_int_equal(nlmsg_next(&d, &m), NLMSG_STEP_END);
}

static void test_the_verdict_of_error_and_done_is_read(void **state)
{
	static const int32_t eexist = -EEXIST;
	const struct rd word = { (const uint8_t *)&eexist, sizeof(eexist) };
	const struct rd none = { word.at, 0 }, cut = { word.at, 3 };
	struct nlmsg m = { .type = NLMSG_ERROR, .body = word };
	int error = 1;

	(void)state;
	assert_true(nlmsg_error(&m, &error));
	assert_int_equal(error, -EEXIST);
	m.body = cut;
	assert_false(nlmsg_error(&m, &error));
	m.body = none;
	assert_false(nlmsg_error(&m, &error));
	m.type = NLMSG_DONE;
	assert_true(nlmsg_error(&m, &error));
	assert_int_equal(error, 0);
	m.body = word;
	assert_true(nlmsg_error(&m, &error));
	assert_int_equal(error, -EEXIST);
	m.body = cut;
	assert_false(nlmsg_error(&m, &error));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_built_is_read_back),
		cmocka_unit_test(test_a_buffer_too_small_becomes_full),
		cmocka_unit_test(test_every_prefix_is_judged_without_overread),
		cmocka_unit_test(
			test_every_bit_flip_is_judged_without_overread),
		cmocka_unit_test(test_lengths_are_checked),
		cmocka_unit_test(test_several_messages_follow_each_other),
		cmocka_unit_test(test_the_verdict_of_error_and_done_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
