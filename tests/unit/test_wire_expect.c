/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect_text.h"
#include "golden.h"
#include "random_flow.h"
#include "sync/wire_expect.h"

enum { MESSAGE_MAX = 512 };

struct world {
	struct wire_flow_opts opts;
};

static int setup(void **state)
{
	static struct world w;

	w.opts = (struct wire_flow_opts){ .helpers = names_new(20, 31),
					  .functions = names_new(20, 31),
					  .send_timeout = true };
	*state = &w;
	return !w.opts.helpers || !w.opts.functions;
}

static int teardown(void **state)
{
	struct world *w = *state;

	names_free(w->opts.helpers);
	names_free(w->opts.functions);
	return 0;
}

static const struct {
	const char *name;
	size_t offset; /* of the message in the file */
	enum msg_type type;
	const char *text;
} vectors[] = {
	{ "exp-new-tcp4", 0, MSG_EXP_NEW,
	  "proto 6 203.0.113.10:0>203.0.113.1:36405 "
	  "mask 255.255.255.255:0>255.255.255.255:65535 "
	  "master 6 192.168.50.10:50644>203.0.113.10:21 "
	  "timeout 300 flags 0 class 0 nat 1 6 0.0.0.0:36405>0.0.0.0:0 "
	  "helper ftp function nat-follow-master" },
	{ "exp-new-tcp4-passive", 0, MSG_EXP_NEW,
	  "proto 6 192.168.50.10:0>203.0.113.10:43671 "
	  "mask 255.255.255.255:0>255.255.255.255:65535 "
	  "master 6 192.168.50.10:40380>203.0.113.10:21 "
	  "timeout 300 flags 0 class 0 nat 0 6 0.0.0.0:43671>0.0.0.0:0 "
	  "helper ftp function nat-follow-master" },
	{ "exp-new-tcp6-nat", 0, MSG_EXP_NEW,
	  "proto 6 2001:db8:1::2:0>2001:db8::1:40101 "
	  "mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:0>"
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:65535 "
	  "master 6 2001:db8::1:2003>2001:db8:1::2:21 "
	  "timeout 300 flags 0 class 0 nat 1 6 :::40101>:::0 "
	  "helper ftp function nat-follow-master" },
	{ "exp-new-tcp6", 0, MSG_EXP_NEW,
	  "proto 6 2001:db8:1::2:0>2001:db8::1:40100 "
	  "mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:0>"
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:65535 "
	  "master 6 2001:db8::1:2003>2001:db8:1::2:21 "
	  "timeout 300 flags 0 class 0 helper ftp" },
	{ "exp-new-udp4-sip", 0, MSG_EXP_NEW,
	  "proto 17 198.51.100.2:0>192.0.2.23:5004 "
	  "mask 255.255.255.255:0>255.255.255.255:65535 "
	  "master 17 192.0.2.23:5060>198.51.100.2:5060 "
	  "timeout 180 flags 3 class 1 helper sip-5060" },
	{ "exp-new-gre4-pptp", 0, MSG_EXP_NEW,
	  "proto 47 192.0.2.23:16>198.51.100.2:32 "
	  "mask 255.255.255.255:65535>255.255.255.255:65535 "
	  "master 6 192.0.2.23:1024>198.51.100.2:1723 "
	  "timeout 180 flags 0 class 0 helper pptp" },
	{ "dgram-exp-del-ct-upd", 0, MSG_EXP_DEL,
	  "proto 6 203.0.113.10:0>203.0.113.1:36405 "
	  "mask 255.255.255.255:0>255.255.255.255:65535 "
	  "master 6 192.168.50.10:50644>203.0.113.10:21 "
	  "timeout 300 flags 0 class 0 nat 1 6 0.0.0.0:36405>0.0.0.0:0 "
	  "helper ftp function nat-follow-master" },
};

static uint8_t *open_golden(size_t i, struct msg *m)
{
	char path[128];
	struct rd dgram;
	enum verdict why;
	uint8_t *bytes;
	size_t n;

	snprintf(path, sizeof(path), "wire/%s", vectors[i].name);
	print_message("%s\n", path);
	bytes = golden_read(path, &n);
	assert_non_null(bytes);
	dgram = (struct rd){ bytes, n };
	assert_int_equal(wire_next(&dgram, m, &why), WIRE_MSG);
	assert_int_equal(m->type, vectors[i].type);
	return bytes;
}

static void test_messages_of_a_reference_are_understood(void **state)
{
	const struct wire_flow_opts *o = &((struct world *)*state)->opts;
	char text[EXPECT_TEXT_SIZE];

	for (size_t i = 0; i < N_ELEMENTS(vectors); i++) {
		struct expect e;
		struct msg m;
		uint8_t *bytes = open_golden(i, &m);

		memset(&e, 0xee, sizeof(e));
		assert_int_equal(wire_expect_decode(m.body, o, &e), VERDICT_OK);
		assert_string_equal(
			expect_text(&e, o->helpers, o->functions, text),
			vectors[i].text);
		free(bytes);
	}
}

static void test_they_are_encoded_to_the_same_bytes(void **state)
{
	const struct wire_flow_opts *o = &((struct world *)*state)->opts;
	uint8_t buf[MESSAGE_MAX];

	for (size_t i = 0; i < N_ELEMENTS(vectors); i++) {
		struct wr w = { buf, sizeof(buf), 0, false };
		struct expect e;
		struct msg m;
		uint8_t *bytes = open_golden(i, &m);

		assert_int_equal(wire_expect_decode(m.body, o, &e), VERDICT_OK);
		wire_expect_encode(&w, o, &e);
		assert_false(w.full);
		assert_int_equal(w.used, m.body.left);
		assert_memory_equal(buf, m.body.at, w.used);
		free(bytes);
	}
}

static void intern_some(const struct wire_flow_opts *o)
{
	static const char *const helpers[] = { "ftp", "sip", "q.931", "pptp" };
	static const char *const functions[] = { "nat-follow-master", "sip",
						 "nat-h245", "x" };

	for (size_t i = 0; i < N_ELEMENTS(helpers); i++) {
		names_intern(o->helpers, helpers[i], strlen(helpers[i]));
		names_intern(o->functions, functions[i], strlen(functions[i]));
	}
}

/* What the wire cannot carry is not known afterwards. */
static void forget_unsent(struct expect *e)
{
	e->has = (e->has | EXPECT_FLAGS) & ~(uint32_t)EXPECT_ID;
	if (e->family != FAMILY_IPV6)
		return;
	e->nat.dst = (struct addr){ { 0 } };
	if (!(e->has & EXPECT_FUNCTION))
		e->nat.src = (struct addr){ { 0 } };
}

static void test_what_is_sent_comes_back(void **state)
{
	const struct wire_flow_opts *o = &((struct world *)*state)->opts;
	char sent[EXPECT_TEXT_SIZE], got[EXPECT_TEXT_SIZE];
	uint8_t buf[MESSAGE_MAX];
	uint64_t seed = 11;

	intern_some(o);
	for (int i = 0; i < 20000; i++) {
		struct wr w = { buf, sizeof(buf), 0, false };
		struct expect e, back;
		uint8_t *bytes;

		random_expect(&e, &seed, i % 2 ? FAMILY_IPV6 : FAMILY_IPV4,
			      random_next(&seed) % (EXPECT_ID << 1));
		wire_expect_encode(&w, o, &e);
		assert_false(w.full);
		assert_int_equal(w.used % 4, 0);
		bytes = golden_exact(buf, w.used);
		assert_int_equal(
			wire_expect_decode((struct rd){ bytes, w.used }, o,
					   &back),
			VERDICT_OK);
		free(bytes);
		forget_unsent(&e);
		assert_string_equal(
			expect_text(&back, o->helpers, o->functions, got),
			expect_text(&e, o->helpers, o->functions, sent));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_messages_of_a_reference_are_understood, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_they_are_encoded_to_the_same_bytes, setup,
			teardown),
		cmocka_unit_test_setup_teardown(test_what_is_sent_comes_back,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
