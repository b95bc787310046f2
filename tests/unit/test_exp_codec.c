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
		cmocka_unit_test(test_what_the_kernel_would_report_comes_back),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
