/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "sync/wire.h"

/* One line of a walk; body is the number of bytes. */
struct expected_step {
	enum wire_step step;
	enum verdict why; /* of SKIP and DROP */
	uint8_t type, flags;
	uint32_t seq, from, to;
	size_t body;
};

/* clang-format off */
#define DATA(type, flags, seq, body) \
	{ WIRE_MSG, VERDICT_OK, type, flags, seq, 0, 0, body }
#define CTL(flags, seq, from, to) \
	{ WIRE_MSG, VERDICT_OK, MSG_CTL, flags, seq, from, to, 0 }
#define SKIP(why) { WIRE_SKIP, why, 0, 0, 0, 0, 0, 0 }
#define DROP(why) { WIRE_DROP, why, 0, 0, 0, 0, 0, 0 }
#define END       { WIRE_END, VERDICT_OK, 0, 0, 0, 0, 0, 0 }

/* Captured messages (the text beside each file) and what
 * PROTOCOL.md 1.3 says of the crafted ones; the checks of a mode come later. */
static const struct {
	const char *name;
	struct expected_step steps[6];
} rows[] = {
	{ "ctl-alive-hello", { CTL(0x30, 1795493517, 0, 0), END } },
	{ "ctl-ack-hello-hello-back",
	  { CTL(0x68, 1795493518, 1795493517, 1795493517), END } },
	{ "ctl-ack",
	  { CTL(0x08, 1795493519, 1795493518, 1795493518), END } },
	{ "ctl-resync-hello", { CTL(0x22, 1795496063, 0, 0), END } },
	{ "dgram-ack-nack-ack-nack",
	  { CTL(0x08, 1795494577, 1795494801, 1795494820),
	    CTL(0x04, 1795494578, 1795494821, 1795494839),
	    CTL(0x08, 1795494579, 1795494840, 1795494877),
	    CTL(0x04, 1795494580, 1795494878, 1795494896), END } },
	{ "dgram-exp-del-ct-upd",
	  { DATA(5, 0, 1795493853, 176),
	    DATA(1, 0, 1795493854, 88), END } },
	{ "ct-new-udp4-hello",
	  { DATA(0, 0x20, 1795495398, 68), END } },
	{ "ct-new-tcp4-hello-back",
	  { DATA(0, 0x40, 1795494968, 112), END } },
	{ "ct-del-udp4-zone",
	  { DATA(2, 0, 1795501420, 96), END } },

	{ "invalid/ctl-ack-datagram-too-short", { DROP(VERDICT_TRUNCATED), END } },
	{ "invalid/ctl-ack-from0-to0", { CTL(0x08, 0x3d, 0, 0), END } },
	{ "invalid/ctl-ack-len-too-small", { DROP(VERDICT_BAD_SIZE), END } },
	{ "invalid/ctl-no-flag", { CTL(0, 0x3b, 0, 0), END } },
	{ "invalid/data-flag-01", { DATA(0, 0x01, 0x41, 36), END } },
	{ "invalid/data-flag-80", { DATA(0, 0x80, 0x42, 36), END } },
	{ "invalid/data-flag-alive",
	  { DATA(0, 0x10, 0x45, 36), END } },
	{ "invalid/data-no-attributes", { DATA(0, 0, 0x49, 0), END } },
	{ "invalid/dgram-4-bytes", { DROP(VERDICT_TRUNCATED), END } },
	{ "invalid/dgram-first-bad-payload",
	  { DATA(0, 0, 0x62, 44),
	    DATA(0, 0, 0x63, 36), END } },
	{ "invalid/dgram-second-bad-type",
	  { DATA(0, 0, 0x60, 36),
	    DATA(9, 0, 0x61, 36), END } },
	{ "invalid/hdr-len-0", { DROP(VERDICT_BAD_SIZE), END } },
	{ "invalid/hdr-len-4", { DROP(VERDICT_BAD_SIZE), END } },
	{ "invalid/hdr-len-beyond-datagram", { DROP(VERDICT_BAD_SIZE), END } },
	{ "invalid/hdr-type-6", { DATA(6, 0, 0x38, 36), END } },
	{ "invalid/hdr-type-9", { DATA(9, 0, 0x39, 36), END } },
	{ "invalid/hdr-type-15", { DATA(15, 0, 0x3a, 36), END } },
	{ "invalid/hdr-version-0", { SKIP(VERDICT_BAD_VERSION), END } },
	{ "invalid/hdr-version-2", { SKIP(VERDICT_BAD_VERSION), END } },
};
/* clang-format on */

/* One step, compared with what is expected. */
static void assert_step(struct rd *dgram, const struct expected_step *e)
{
	enum verdict why = VERDICT_OK;
	struct msg m = { 0 };

	assert_int_equal(wire_next(dgram, &m, &why), e->step);
	assert_int_equal(why, e->why);
	assert_int_equal(m.type, e->type);
	assert_int_equal(m.flags, e->flags);
	assert_int_equal(m.seq, e->seq);
	assert_int_equal(m.from, e->from);
	assert_int_equal(m.to, e->to);
	assert_int_equal(m.body.left, e->body);
}

static void test_golden_datagrams_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct expected_step *e = rows[i].steps;
		char name[128];
		uint8_t *bytes;
		struct rd dgram;
		size_t n;

		snprintf(name, sizeof(name), "wire/%s", rows[i].name);
		bytes = golden_read(name, &n);
		assert_non_null(bytes);
		print_message("%s\n", name);
		dgram = (struct rd){ bytes, n };
		for (; e->step != WIRE_END; e++)
			assert_step(&dgram, e);
		assert_step(&dgram, e);
		free(bytes);
	}
}

static void test_a_full_datagram_holds_nineteen_messages(void **state)
{
	struct rd dgram;
	struct msg m;
	enum verdict why;
	uint32_t seq = 0;
	size_t n;
	uint8_t *bytes = golden_read("wire/dgram-19-ct-new", &n);

	(void)state;
	assert_non_null(bytes);
	dgram = (struct rd){ bytes, n };
	for (int i = 0; i < 19; i++) {
		assert_int_equal(wire_next(&dgram, &m, &why), WIRE_MSG);
		assert_true(msg_is_data(&m));
		assert_int_equal(m.body.left, 68);
		assert_true(i == 0 || m.seq == seq + 1);
		seq = m.seq;
	}
	assert_int_equal(wire_next(&dgram, &m, &why), WIRE_END);
	free(bytes);
}

static void test_sizes_are_judged_in_the_order_of_the_reference(void **state)
{
	static const struct {
		uint8_t bytes[8];
		enum verdict why;
	} sizes[] = {
		{ { 0x1a, 8, 0, 0 }, VERDICT_BAD_SIZE },  /* length 0 */
		{ { 0x1a, 8, 0, 9 }, VERDICT_BAD_SIZE },  /* too long */
		{ { 0x1a, 8, 0, 7 }, VERDICT_TRUNCATED }, /* no range */
		{ { 0x1a, 16, 0, 7 }, VERDICT_BAD_SIZE }, /* no header */
		{ { 0x2a, 4, 0, 8 }, VERDICT_TRUNCATED }, /* of any version */
		{ { 0x20, 4, 0, 8 }, VERDICT_BAD_VERSION },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		struct rd dgram = { sizes[i].bytes, sizeof(sizes[i].bytes) };
		enum verdict why = VERDICT_OK;
		struct msg m;

		assert_int_not_equal(wire_next(&dgram, &m, &why), WIRE_MSG);
		assert_int_equal(why, sizes[i].why);
	}
}

static void test_a_wrong_version_does_not_end_the_datagram(void **state)
{
	static const uint8_t bytes[] = { 0x20, 0,    0, 8, 0, 0, 0, 1,
					 0x1a, 0x10, 0, 8, 0, 0, 0, 2 };
	static const struct expected_step steps[] = { SKIP(VERDICT_BAD_VERSION),
						      CTL(0x10, 2, 0, 0), END };
	struct rd dgram = { bytes, sizeof(bytes) };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(steps); i++)
		assert_step(&dgram, &steps[i]);
}

static void
test_the_body_of_a_long_alive_is_what_follows_its_header(void **state)
{
	static const uint8_t bytes[] = { 0x1a, 0x10, 0, 13, 0, 0, 0,
					 1,    1,    2, 3,  4, 5 };
	struct rd dgram = { bytes, sizeof(bytes) };
	struct msg m;
	enum verdict why;

	(void)state;
	assert_int_equal(wire_next(&dgram, &m, &why), WIRE_MSG);
	assert_ptr_equal(m.body.at, bytes + 8);
	assert_int_equal(m.body.left, 5);
	assert_false(msg_is_data(&m));
}

static void test_data_has_no_flag_but_the_hellos(void **state)
{
	(void)state;
	for (unsigned int type = 0; type < 16; type++) {
		for (unsigned int flags = 0; flags < 256; flags++) {
			struct msg m = { .type = (uint8_t)type,
					 .flags = (uint8_t)flags };

			assert_int_equal(msg_is_data(&m),
					 type <= 5 && (flags & 0x9f) == 0);
		}
	}
}

static void test_malformed_is_what_the_reference_counts_so(void **state)
{
	(void)state;
	for (int v = 0; v < VERDICT_N; v++)
		assert_int_equal(verdict_is_malformed((enum verdict)v),
				 v >= VERDICT_BAD_VERSION &&
					 v <= VERDICT_BAD_SIZE);
}

static void test_a_message_is_begun_and_ended(void **state)
{
	static const uint8_t expected[] = {
		0x1a, 0x10, 0, 8,  1, 2, 3, 4, /* ALIVE */
		0x1a, 0x0c, 0, 16, 1, 2, 3, 5, 0, 0, 0, 7, 0, 0, 0, 9,
	};
	uint8_t buf[sizeof(expected)];
	struct wr w = { buf, sizeof(buf), 0, false };
	size_t offset;

	(void)state;
	offset = wire_begin(&w, MSG_CTL, MSG_ALIVE, 0x01020304);
	assert_int_equal(offset, 0);
	assert_true(wire_end(&w, offset));
	offset = wire_begin(&w, MSG_CTL, MSG_ACK | MSG_NACK, 0x01020305);
	assert_int_equal(offset, 8);
	wr_be32(&w, 7);
	wr_be32(&w, 9);
	assert_true(wire_end(&w, offset));
	assert_int_equal(w.used, sizeof(expected));
	assert_memory_equal(buf, expected, sizeof(expected));
}

static void test_a_message_that_does_not_fit_is_taken_back(void **state)
{
	uint8_t buf[20];

	(void)state;
	for (size_t body = 0; body < 30; body++) {
		struct wr w = { buf, sizeof(buf), 0, false };
		size_t offset = wire_begin(&w, MSG_CTL, MSG_ALIVE, 1);

		assert_true(wire_end(&w, offset));
		offset = wire_begin(&w, MSG_CT_NEW, 0, 2);
		wr_zeros(&w, body);
		assert_int_equal(wire_end(&w, offset), body <= 4);
		assert_int_equal(w.used, body <= 4 ? 16 + body : 8);
		assert_false(w.full);
	}
}

static void
test_a_message_longer_than_its_length_can_say_is_taken_back(void **state)
{
	static const size_t sizes[] = { 65535, 65536 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		uint8_t *buf = malloc(70000);
		struct wr w = { buf, 70000, 0, false };
		size_t offset = wire_begin(&w, MSG_CTL, MSG_ALIVE, 1);

		wr_zeros(&w, sizes[i] - WIRE_HEADER_LEN);
		assert_int_equal(wire_end(&w, offset), i == 0);
		assert_int_equal(w.used, i == 0 ? 65535 : 0);
		free(buf);
	}
}

/* Walks to the end; the number of steps is bounded by the bytes. */
static void walk(const uint8_t *bytes, size_t n)
{
	uint8_t *exact = golden_exact(bytes, n);
	struct rd dgram = { exact, n };
	enum wire_step step;
	enum verdict why;
	struct msg m;
	size_t steps = 0;

	while ((step = wire_next(&dgram, &m, &why)) != WIRE_END) {
		assert_true(++steps <= n / WIRE_HEADER_LEN + 1);
		if (step == WIRE_MSG && n)
			assert_true(m.body.at >= exact &&
				    m.body.at + m.body.left <= exact + n);
		if (step == WIRE_DROP)
			assert_int_equal(dgram.left, 0);
	}
	free(exact);
}

static void walk_variants(const char *name, void *ctx)
{
	size_t n;
	uint8_t *bytes = golden_read(name, &n);

	(void)ctx;
	assert_non_null(bytes);
	for (size_t cut = 0; cut <= n; cut++)
		walk(bytes, cut);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		walk(bytes, n);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(bytes);
}

static void test_no_prefix_and_no_bit_flip_leads_outside(void **state)
{
	(void)state;
	assert_int_equal(golden_each("wire", walk_variants, NULL), 65);
	assert_int_equal(golden_each("wire/invalid", walk_variants, NULL), 41);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_datagrams_are_taken_apart),
		cmocka_unit_test(test_a_full_datagram_holds_nineteen_messages),
		cmocka_unit_test(
			test_sizes_are_judged_in_the_order_of_the_reference),
		cmocka_unit_test(
			test_a_wrong_version_does_not_end_the_datagram),
		cmocka_unit_test(
			test_the_body_of_a_long_alive_is_what_follows_its_header),
		cmocka_unit_test(test_data_has_no_flag_but_the_hellos),
		cmocka_unit_test(
			test_malformed_is_what_the_reference_counts_so),
		cmocka_unit_test(test_a_message_is_begun_and_ended),
		cmocka_unit_test(
			test_a_message_that_does_not_fit_is_taken_back),
		cmocka_unit_test(
			test_a_message_longer_than_its_length_can_say_is_taken_back),
		cmocka_unit_test(test_no_prefix_and_no_bit_flip_leads_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
