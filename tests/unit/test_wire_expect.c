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
#include "sync/tlv.h"
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

/* ---- single attributes --------------------------------------------------- */

enum { HELPER = 19, FUNCTION = 20, N_TYPES };

/* Decodes the attributes that w has, in an exact block. */
static enum verdict decode(const struct wire_flow_opts *o, const struct wr *w,
			   struct expect *e)
{
	uint8_t *bytes = golden_exact(w->buf, w->used);
	enum verdict v;

	assert_false(w->full);
	v = wire_expect_decode((struct rd){ bytes, w->used }, o, e);
	free(bytes);
	return v;
}

static struct expect ftp6(const struct wire_flow_opts *o)
{
	struct expect e;
	uint64_t seed = 5;

	intern_some(o);
	random_expect(&e, &seed, FAMILY_IPV6, 2 * EXPECT_ID - 1);
	e.helper = names_intern(o->helpers, "ftp", 3);
	e.function = names_intern(o->functions, "nat-follow-master", 17);
	return e;
}

/* Copies the attributes of an IPv6 expectation with all it can have, but for
 * those of a type. */
static void put_without(struct wr *w, const struct wire_flow_opts *o,
			uint16_t without)
{
	const struct expect e = ftp6(o);
	uint8_t buf[MESSAGE_MAX];
	struct wr all = { buf, sizeof(buf), 0, false };
	struct rd rest;
	struct tlv t;

	wire_expect_encode(&all, o, &e);
	rest = (struct rd){ buf, all.used };
	while (tlv_next(&rest, &t) == TLV_ITEM) {
		if (t.type == without)
			continue;
		tlv_header(w, t.type, t.body.left);
		wr_bytes(w, t.body.at, t.body.left);
		tlv_pad(w, t.body.left);
	}
}

static void test_one_without_its_key_is_refused(void **state)
{
	const struct wire_flow_opts *o = &((struct world *)*state)->opts;
	/* master, expected and mask of IPv6, and two protocols */
	const uint32_t needed = 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 9;
	uint8_t buf[MESSAGE_MAX];

	for (uint16_t type = 0; type < N_TYPES; type++) {
		struct wr w = { buf, sizeof(buf), 0, false };
		struct expect e;

		put_without(&w, o, type);
		assert_int_equal(decode(o, &w, &e),
				 needed >> type & 1 ? VERDICT_BAD_PAYLOAD
						    : VERDICT_OK);
	}
}

static void put_attr(struct wr *w, uint16_t type, const void *bytes, size_t n)
{
	tlv_header(w, type, n);
	wr_bytes(w, bytes, n);
	tlv_pad(w, n);
}

static void test_sizes_are_exact_and_numbers_known(void **state)
{
	static const uint8_t sizes[] = { 8, 32, 1, 4, 8, 32, 1, 4, 8, 32,
					 1, 4,  4, 4, 4, 8,  4, 1, 4 };
	const struct wire_flow_opts *o = &((struct world *)*state)->opts;
	const uint8_t zeros[40] = { 0 };
	uint8_t buf[MESSAGE_MAX];

	for (uint16_t type = 0; type < 24; type++) {
		for (size_t n = 0; n < sizeof(zeros); n++) {
			struct wr w = { buf, sizeof(buf), 0, false };
			bool is_ipv4 =
				type < 16 && (type % 4 == 0 || type == 15);
			bool is_good = type < sizeof(sizes) &&
				       n == sizes[type] && !is_ipv4;
			struct expect e;

			/* not the last: few bytes there are no attribute */
			put_attr(&w, type, zeros, n);
			put_without(&w, o, N_TYPES);
			if (type == 12) /* of the master's family, and IPv4 */
				is_good = n == 4;
			assert_int_equal(decode(o, &w, &e),
					 is_good ? VERDICT_OK
						 : VERDICT_BAD_PAYLOAD);
		}
	}
}

static void test_names_end_and_have_a_limit(void **state)
{
	static const struct {
		uint16_t type;
		const char *bytes;
		size_t n;
		enum verdict verdict;
	} cases[] = {
		{ HELPER, "ftp", 4, VERDICT_OK },
		{ HELPER, "ftp", 3, VERDICT_BAD_PAYLOAD },
		{ HELPER, "", 1, VERDICT_BAD_PAYLOAD },
		{ HELPER, "", 0, VERDICT_BAD_PAYLOAD },
		{ HELPER, "abcdefghijk", 12, VERDICT_OK },
		{ HELPER, "abcdefghijkl", 13, VERDICT_BAD_PAYLOAD },
		{ FUNCTION, "sip", 4, VERDICT_OK },
		{ FUNCTION, "sip", 3, VERDICT_BAD_PAYLOAD },
		{ FUNCTION, "", 1, VERDICT_BAD_PAYLOAD },
		{ FUNCTION, "abcdefghijklmnopqrstuvwxyz1", 28, VERDICT_OK },
		{ FUNCTION, "abcdefghijklmnopqrstuvwxyz12", 29,
		  VERDICT_BAD_PAYLOAD },
	};
	const struct wire_flow_opts *o = &((struct world *)*state)->opts;
	uint8_t buf[MESSAGE_MAX];

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct wr w = { buf, sizeof(buf), 0, false };
		struct expect e;

		put_attr(&w, cases[i].type, cases[i].bytes, cases[i].n);
		put_without(&w, o, cases[i].type);
		assert_int_equal(decode(o, &w, &e), cases[i].verdict);
		if (cases[i].verdict != VERDICT_OK)
			continue;
		assert_string_equal(
			cases[i].type == HELPER
				? names_text(o->helpers, e.helper)
				: names_text(o->functions, e.function),
			cases[i].bytes);
	}
}

/* A name that a reference would refuse is left out. */
static void test_longer_names_are_not_sent(void **state)
{
	const struct wire_flow_opts *o = &((struct world *)*state)->opts;
	struct expect e = ftp6(o), back;
	uint8_t buf[MESSAGE_MAX];
	struct wr w = { buf, sizeof(buf), 0, false };

	e.helper = names_intern(o->helpers, "abcdefghijkl", 12);
	e.function =
		names_intern(o->functions, "abcdefghijklmnopqrstuvwxyz12", 28);
	wire_expect_encode(&w, o, &e);
	assert_int_equal(decode(o, &w, &back), VERDICT_OK);
	assert_int_equal(back.has & (EXPECT_HELPER | EXPECT_FUNCTION), 0);
}

static void
test_zone_and_nat_address_stand_where_no_reference_looks(void **state)
{
	const struct wire_flow_opts *o = &((struct world *)*state)->opts;
	static const uint8_t tail[] =
		"\x00\x1e\x00\x14nat-follow-master\0\xfd\0\0\0\0\0\0\x01\0\0"
		"\x00\x1e\x00\x14nat-follow-master\0\0\0\0\0\0\0\0\x99\0\0"
		"zn\x02\x01";
	struct expect e = ftp6(o);
	uint8_t buf[MESSAGE_MAX];
	struct wr w = { buf, sizeof(buf), 0, false };
	size_t n = sizeof(tail) - 1;

	e.nat.src = (struct addr){ { 0xfd, [7] = 1, [15] = 0x99 } };
	e.zone = 513;
	wire_expect_encode(&w, o, &e);
	assert_memory_equal(buf + w.used - n, tail, n);
}

static void test_other_bytes_at_the_end_are_no_zone(void **state)
{
	static const char *const ends[] = { "z", "zn", "zn1", "zm11" };
	const struct wire_flow_opts *o = &((struct world *)*state)->opts;
	uint8_t buf[MESSAGE_MAX];

	for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
		struct wr w = { buf, sizeof(buf), 0, false };
		struct expect e;

		put_without(&w, o, N_TYPES);
		wr_bytes(&w, ends[i], strlen(ends[i]));
		assert_int_equal(decode(o, &w, &e), VERDICT_OK);
		assert_int_equal(e.zone, 0);
	}
}

static void test_damaged_messages_do_no_harm(void **state)
{
	const struct wire_flow_opts *o = &((struct world *)*state)->opts;
	uint8_t buf[MESSAGE_MAX];
	struct wr w = { buf, sizeof(buf), 0, false };
	struct expect e = ftp6(o);
	size_t n, n_good = 0;

	wire_expect_encode(&w, o, &e);
	n = w.used;
	for (w.used = 0; w.used < n; w.used++)
		n_good += decode(o, &w, &e) == VERDICT_OK;
	for (size_t bit = 0; bit < 8 * n; bit++) {
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		n_good += decode(o, &w, &e) == VERDICT_OK;
		buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_in_range(n_good, n, 8 * n); /* values are not checked */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_messages_of_a_reference_are_understood),
		TEST(test_they_are_encoded_to_the_same_bytes),
		TEST(test_what_is_sent_comes_back),
		TEST(test_one_without_its_key_is_refused),
		TEST(test_sizes_are_exact_and_numbers_known),
		TEST(test_names_end_and_have_a_limit),
		TEST(test_longer_names_are_not_sent),
		TEST(test_zone_and_nat_address_stand_where_no_reference_looks),
		TEST(test_other_bytes_at_the_end_are_no_zone),
		TEST(test_damaged_messages_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
