/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "ct_text.h"
#include "exp_golden.h"
#include "expect_text.h"
#include "golden.h"
#include "netlink/exp_codec.h"
#include "netlink/nlmsg.h"
#include "random_flow.h"

enum { MESSAGE_MAX = 1024 };

static struct ct_codec codec;

static int setup(void **state)
{
	static const char *const names[] = { "ftp", "sip", "q.931", "pptp" };

	(void)state;
	codec.helpers = names_new(20, 31);
	codec.functions = names_new(20, 31);
	if (!codec.helpers || !codec.functions)
		return 1;
	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		names_intern(codec.helpers, names[i], strlen(names[i]));
		names_intern(codec.functions, names[i], strlen(names[i]));
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	names_free(codec.helpers);
	names_free(codec.functions);
	return 0;
}

/* The bytes of a golden row in the order of this machine, in an exact block. */
static uint8_t *golden_bytes(size_t i, size_t *n)
{
	uint8_t *bytes = ct_unhex(exp_golden[i].hex, n);

	print_message("%s\n", exp_golden[i].name);
	assert_non_null(bytes);
	ct_to_native(bytes, *n);
	return bytes;
}

static bool decode(const uint8_t *bytes, size_t n, struct nlmsg *m,
		   struct expect *e)
{
	struct rd d = { bytes, n };

	return nlmsg_next(&d, m) == NLMSG_STEP_ITEM &&
	       exp_decode(&codec, m->body, e);
}

static void test_events_of_the_kernel_are_understood(void **state)
{
	char text[EXPECT_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(exp_golden); i++) {
		struct expect e;
		struct nlmsg m;
		uint8_t type;
		size_t n;
		uint8_t *bytes = golden_bytes(i, &n);

		memset(&e, 0xee, sizeof(e));
		assert_true(decode(bytes, n, &m, &e));
		assert_true(exp_is_expect(&m, &type));
		assert_int_equal(type, i % 2 ? IPCTNL_MSG_EXP_DELETE
					     : IPCTNL_MSG_EXP_NEW);
		assert_string_equal(
			expect_text(&e, codec.helpers, codec.functions, text),
			exp_golden[i].text);
		free(bytes);
	}
}

/* Whatever is cut off or turned over, nothing is read beyond the end. */
static void test_damaged_events_do_no_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(exp_golden); i += 2) {
		struct rd whole, body;
		struct expect e;
		size_t n, n_good = 0;
		uint8_t *bytes = golden_bytes(i, &n);

		whole = (struct rd){ bytes, n };
		assert_true(rd_skip(&whole, 16)); /* netlink header */
		for (size_t cut = 0; cut < whole.left; cut++) {
			uint8_t *part = golden_exact(whole.at, cut);

			body = (struct rd){ part, cut };
			n_good += exp_decode(&codec, body, &e);
			free(part);
		}
		assert_in_range(n_good, 1, 20); /* cut between attributes */
		for (size_t bit = 0; bit < 8 * whole.left; bit++) {
			uint8_t *turned = golden_exact(whole.at, whole.left);

			turned[bit / 8] ^= (uint8_t)(1 << bit % 8);
			body = (struct rd){ turned, whole.left };
			n_good += exp_decode(&codec, body, &e);
			free(turned);
		}
		free(bytes);
	}
}

/* The attributes at the top of a message, as bits. */
static uint32_t attrs_of(const struct wr *w)
{
	struct rd d = { w->buf, w->used };
	struct nlmsg_attr a;
	struct nlmsg m;
	uint32_t found = 0;

	assert_int_equal(nlmsg_next(&d, &m), NLMSG_STEP_ITEM);
	assert_true(rd_skip(&m.body, sizeof(struct nfgenmsg)));
	while (nlmsg_attr_next(&m.body, &a) == NLMSG_STEP_ITEM)
		found |= UINT32_C(1) << a.type;
	return found;
}

static void test_each_request_has_what_linux_wants(void **state)
{
	const uint32_t key = 1 << CTA_EXPECT_TUPLE | 1 << CTA_EXPECT_ZONE;
	const uint32_t whole =
		key | 1 << CTA_EXPECT_MASTER | 1 << CTA_EXPECT_MASK;
	const struct {
		enum kernel_op op;
		uint16_t type, flags;
		uint32_t attrs;
	} cases[] = {
		{ KERNEL_CREATE, IPCTNL_MSG_EXP_NEW, NLM_F_CREATE | NLM_F_EXCL,
		  whole | 1 << CTA_EXPECT_TIMEOUT | 1 << CTA_EXPECT_HELP_NAME |
			  1 << CTA_EXPECT_FLAGS | 1 << CTA_EXPECT_CLASS |
			  1 << CTA_EXPECT_NAT | 1 << CTA_EXPECT_FN },
		{ KERNEL_UPDATE, IPCTNL_MSG_EXP_NEW, 0,
		  whole | 1 << CTA_EXPECT_TIMEOUT },
		{ KERNEL_DELETE, IPCTNL_MSG_EXP_DELETE, 0,
		  key | 1 << CTA_EXPECT_ID },
		{ KERNEL_GET, IPCTNL_MSG_EXP_GET, 0, key | 1 << CTA_EXPECT_ID },
	};
	uint8_t buf[MESSAGE_MAX];
	uint64_t seed = 3;
	struct expect e;

	(void)state;
	random_expect(&e, &seed, FAMILY_IPV6, 2 * EXPECT_ID - 1);
	e.zone = 7;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct wr w = { buf, sizeof(buf), 0, false };
		struct nlmsg m;
		struct rd d;

		assert_true(exp_encode(&codec, cases[i].op, &e, 5, &w));
		d = (struct rd){ buf, w.used };
		assert_int_equal(nlmsg_next(&d, &m), NLMSG_STEP_ITEM);
		assert_int_equal(m.seq, 5);
		assert_int_equal(m.type, NFNL_SUBSYS_CTNETLINK_EXP << 8 |
						 cases[i].type);
		assert_int_equal(m.flags, NLM_F_REQUEST | cases[i].flags);
		assert_int_equal(attrs_of(&w), cases[i].attrs);
	}
}

/* A DELETE without a tuple empties the table. */
static void test_nothing_is_asked_for_without_a_key(void **state)
{
	const struct expect e = { .has = EXPECT_ID, .id = 1 };
	uint8_t buf[MESSAGE_MAX];
	struct wr w = { buf, sizeof(buf), 0, false };

	(void)state;
	assert_false(exp_encode(&codec, KERNEL_DELETE, &e, 1, &w));
	assert_false(exp_encode(&codec, KERNEL_CREATE, &e, 1, &w));
	assert_false(exp_encode_report(&codec, &e, 1, &w));
	assert_int_equal(w.used, 0);
}

static void test_a_name_that_finds_no_room_is_left_out(void **state)
{
	struct ct_codec full = { .helpers = names_new(1, 31) };
	char text[EXPECT_TEXT_SIZE];
	struct nlmsg m;
	struct expect e;
	size_t n;
	uint8_t *bytes = golden_bytes(0, &n);
	struct rd d = { bytes, n };

	(void)state;
	assert_non_null(full.helpers);
	names_intern(full.helpers, "x", 1);
	assert_int_equal(nlmsg_next(&d, &m), NLMSG_STEP_ITEM);
	assert_true(exp_decode(&full, m.body, &e));
	assert_null(
		strstr(expect_text(&e, codec.helpers, codec.functions, text),
		       "helper"));
	assert_null(strstr(text, "function"));
	names_free(full.helpers);
	free(bytes);
}

/* An event with one more attribute behind all others. */
static bool decode_with(uint16_t type, const void *bytes, size_t n_bytes,
			struct expect *e)
{
	uint8_t buf[MESSAGE_MAX];
	struct wr w = { buf, sizeof(buf), 0, false };
	size_t n;
	uint8_t *golden = golden_bytes(0, &n), *exact;
	bool is_good;

	wr_bytes(&w, golden + 16, n - 16); /* without the netlink header */
	nlmsg_put(&w, type, bytes, n_bytes);
	assert_false(w.full);
	exact = golden_exact(buf, w.used);
	is_good = exp_decode(&codec, (struct rd){ exact, w.used }, e);
	free(exact);
	free(golden);
	return is_good;
}

static void test_attributes_may_grow_but_not_shrink(void **state)
{
	static const uint8_t eight[8] = { 0, 0, 0, 1, 2, 3, 4, 5 };
	struct expect e;

	(void)state;
	assert_true(decode_with(CTA_EXPECT_FLAGS, eight, 8, &e));
	assert_int_equal(e.flags, 1);
	assert_false(decode_with(CTA_EXPECT_FLAGS, eight, 3, &e));
	assert_false(decode_with(CTA_EXPECT_ZONE, eight, 1, &e));
	assert_true(decode_with(100, eight, 8, &e));
}

static void test_a_name_of_any_length_does_no_harm(void **state)
{
	char name[200] = { 0 };
	struct expect e;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	assert_true(
		decode_with(CTA_EXPECT_FN, name, 32, &e)); /* no zero byte */
	assert_true(decode_with(CTA_EXPECT_FN, name, sizeof(name), &e));
	assert_true(decode_with(CTA_EXPECT_HELP_NAME, name, sizeof(name), &e));
	assert_true(decode_with(CTA_EXPECT_HELP_NAME, "", 0, &e));
	assert_string_equal(names_text(codec.helpers, e.helper), "");
}

static void test_what_the_kernel_would_report_comes_back(void **state)
{
	char sent[EXPECT_TEXT_SIZE], got[EXPECT_TEXT_SIZE];
	uint8_t buf[MESSAGE_MAX];
	uint64_t seed = 7;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct wr w = { buf, sizeof(buf), 0, false };
		struct expect e, back;
		struct nlmsg m;
		struct rd d;
		uint8_t *bytes, type;

		random_expect(&e, &seed, i % 2 ? FAMILY_IPV6 : FAMILY_IPV4,
			      random_next(&seed) % (EXPECT_ID << 1));
		assert_true(exp_encode_report(&codec, &e, 1, &w));
		assert_false(w.full);
		bytes = golden_exact(buf, w.used);
		d = (struct rd){ bytes, w.used };
		assert_int_equal(nlmsg_next(&d, &m), NLMSG_STEP_ITEM);
		assert_true(exp_is_expect(&m, &type));
		assert_int_equal(type, IPCTNL_MSG_EXP_NEW);
		assert_true(exp_decode(&codec, m.body, &back));
		free(bytes);
		assert_string_equal(
			expect_text(&back, codec.helpers, codec.functions, got),
			expect_text(&e, codec.helpers, codec.functions, sent));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events_of_the_kernel_are_understood),
		cmocka_unit_test(test_damaged_events_do_no_harm),
		cmocka_unit_test(test_each_request_has_what_linux_wants),
		cmocka_unit_test(test_nothing_is_asked_for_without_a_key),
		cmocka_unit_test(test_a_name_that_finds_no_room_is_left_out),
		cmocka_unit_test(test_attributes_may_grow_but_not_shrink),
		cmocka_unit_test(test_a_name_of_any_length_does_no_harm),
		cmocka_unit_test(test_what_the_kernel_would_report_comes_back),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
