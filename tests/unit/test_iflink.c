/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "ct_text.h"
#include "netlink/iflink.h"

enum { HDR = 16 + 16 }; /* netlink header, struct ifinfomsg */

/* Linux 6.18 (x86_64), `ip link del nlv0` on a veth that was down; and, before
 * that, `ip link set nlv0 nomaster` when it was a port of a bridge. */
/* clang-format off */
static const char deleted[] =
	"ac020000110000000000000000000000000001000300000002100000ffffffff"
	"090003006e6c76300000000008000d00e8030000050010000200000005001100"
	"0000000005004300000000000800040078050000080032004400000008003300"
	"ffff000008001b000000000008001e000000000008003d000000000008001f00"
	"0200000008002800ffff0000080029000000010008003a000000010008003f00"
	"00000100080040000000010008003b00f8ff070008003c00ffff000008004200"
	"0000000008002000020000000500210000000000080023000300000008002f00"
	"0100000008003000020000000600440000000000060045000000000005002700"
	"000000000a000100be15bfd0379700000a000200ffffffffffff0000cc001700"
	"0000000000000000010000000000000000000000000000005a00000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000640007000000000001000000000000005a00000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000000000000000000000000000000000000000000"
	"0000000000000000000000000c002b0005000200000000001000120009000100"
	"76657468000000000800050000000000090006006e6f6f700000000004001a00"
	"24000e0000000000000000000000000000000000000000000000000000000000"
	"0000000004003e8004004180";
static const char left_bridge[] =
	"5800000011000000000000000000000007000100030000004310010000000000"
	"090003006e6c76300000000008000a0004000000080004007805000005001000"
	"060000000a000100be15bfd0379700000800050002000000";
/* clang-format on */

static bool decode(const uint8_t *bytes, size_t n, struct iflink *out)
{
	struct rd d = { bytes, n };
	struct nlmsg m;

	return nlmsg_next(&d, &m) == NLMSG_STEP_ITEM && iflink_decode(&m, out);
}

static size_t build(uint8_t *bytes, size_t size, uint16_t type, uint32_t flags,
		    const char *name, size_t name_size)
{
	struct wr w = { bytes, size, 0, false };
	const uint32_t mtu = 9000;
	size_t msg = nlmsg_begin(&w, type, 0, 0);

	wr_u32(&w, 0); /* family and hardware type */
	wr_u32(&w, 4711);
	wr_u32(&w, flags);
	wr_u32(&w, 0xffffffff);
	nlmsg_put(&w, IFLA_IFNAME, name, name_size);
	nlmsg_put(&w, IFLA_TXQLEN, &mtu, 3); /* of no interest, and odd */
	nlmsg_put(&w, IFLA_MTU, &mtu, sizeof(mtu));
	nlmsg_end(&w, msg);
	assert_false(w.full);
	return w.used;
}

static void test_flags_tell_the_state(void **state)
{
	static const struct {
		uint16_t type;
		uint32_t flags;
		bool is_gone, is_up, is_running;
	} cases[] = {
		{ RTM_NEWLINK, 0, false, false, false },
		{ RTM_NEWLINK, IFF_UP, false, true, false },
		{ RTM_NEWLINK, IFF_UP | IFF_RUNNING, false, true, true },
		{ RTM_NEWLINK, IFF_RUNNING, false, false, false },
		{ RTM_DELLINK, 0, true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint8_t bytes[128];
		struct iflink link;
		size_t n = build(bytes, sizeof(bytes), cases[i].type,
				 cases[i].flags, "eth0", 5);

		assert_true(decode(bytes, n, &link));
		assert_string_equal(link.name, "eth0");
		assert_int_equal(link.index, 4711);
		assert_int_equal(link.mtu, 9000);
		assert_int_equal(link.is_gone, cases[i].is_gone);
		assert_int_equal(link.is_up, cases[i].is_up);
		assert_int_equal(link.is_running, cases[i].is_running);
	}
}

static void test_messages_of_the_kernel_are_understood(void **state)
{
	struct iflink link;
	uint8_t *bytes;
	size_t n;

	(void)state;
	if (*(const uint8_t *)&(uint16_t){ 1 } == 0)
		skip(); /* they come from a little-endian machine */
	bytes = ct_unhex(deleted, &n);
	assert_true(decode(bytes, n, &link));
	assert_true(link.is_gone);
	assert_string_equal(link.name, "nlv0");
	free(bytes);
	bytes = ct_unhex(left_bridge, &n);
	assert_false(decode(bytes, n, &link)); /* the interface stays */
	free(bytes);
}

/* Linux 6.18 (x86_64), the end of what an interface with two alternative names
 * is told by: `ip link property add dev nlv0 altname other0 altname other1`. */
static const uint8_t other_names[] = {
	0x1c, 0x00, 0x34, 0x80, 0x0b, 0x00, 0x35, 0x00, 'o',  't',
	'h',  'e',  'r',  '0',  0x00, 0x00, 0x0b, 0x00, 0x35, 0x00,
	'o',  't',  'h',  'e',  'r',  '1',  0x00, 0x00,
};

static void test_an_interface_goes_by_each_of_its_names(void **state)
{
	static const struct {
		const char *name;
		bool is_one, is_other;
	} cases[] = {
		{ "eth0", true, true },      { "other0", false, true },
		{ "other1", false, true },   { "other", false, false },
		{ "other10", false, false }, { "eth", false, false },
		{ "", false, false },
	};
	uint8_t bytes[160];
	size_t n = build(bytes, sizeof(bytes), RTM_NEWLINK, 0, "eth0", 5);
	const size_t all = n + sizeof(other_names);

	(void)state;
	if (*(const uint8_t *)&(uint16_t){ 1 } == 0)
		skip(); /* they come from a little-endian machine */
	memcpy(bytes + n, other_names, sizeof(other_names));
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct nlmsg one = { .type = RTM_NEWLINK,
					   .body = { bytes + 16, n - 16 } },
				   both = { .type = RTM_NEWLINK,
					    .body = { bytes + 16, all - 16 } };

		assert_int_equal(iflink_has_name(&one, cases[i].name),
				 cases[i].is_one);
		assert_int_equal(iflink_has_name(&both, cases[i].name),
				 cases[i].is_other);
	}
	for (size_t size = 16; size <= all; size++) {
		uint8_t *exact = malloc(size);
		const struct nlmsg m = { .type = RTM_NEWLINK,
					 .body = { exact + 16, size - 16 } };

		memcpy(exact, bytes, size);
		(void)iflink_has_name(&m, "other1");
		free(exact);
	}
}

static void test_a_name_that_is_no_name_is_refused(void **state)
{
	static const struct {
		const char *name;
		size_t size;
		bool is_good;
	} cases[] = {
		{ "", 0, false },
		{ "a", 2, true },
		{ "a", 1, false },
		{ "0123456789abcde", 16, true },
		{ "0123456789abcdef", 16, false },
		{ "0123456789abcdef", 17, false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint8_t bytes[128];
		struct iflink link;
		size_t n = build(bytes, sizeof(bytes), RTM_NEWLINK, 0,
				 cases[i].name, cases[i].size);

		assert_int_equal(decode(bytes, n, &link), cases[i].is_good);
	}
}

static void test_other_messages_are_refused(void **state)
{
	uint8_t bytes[128];
	struct iflink link;
	size_t n = build(bytes, sizeof(bytes), RTM_NEWADDR, 0, "eth0", 5);

	(void)state;
	assert_false(decode(bytes, n, &link));
}

static void
test_prefixes_and_bit_flips_are_judged_without_overread(void **state)
{
	uint8_t whole[128];
	size_t size = build(whole, sizeof(whole), RTM_NEWLINK, 0, "eth0", 5);

	(void)state;
	for (size_t n = 16; n <= size; n++) {
		uint8_t *exact = malloc(n);
		const struct nlmsg m = { .type = RTM_NEWLINK,
					 .body = { exact + 16, n - 16 } };
		struct iflink link;

		memcpy(exact, whole, n);
		/* after the name, whole attributes: with and without padding */
		assert_int_equal(iflink_decode(&m, &link),
				 (n >= HDR + 9 && n <= HDR + 12) ||
					 n == HDR + 19 || n == HDR + 20 ||
					 n == HDR + 28);
		free(exact);
	}
	for (size_t bit = 0; bit < 8 * size; bit++) {
		uint8_t *exact = malloc(size);
		struct iflink link;

		memcpy(exact, whole, size);
		exact[bit / 8] ^= (uint8_t)(1 << bit % 8);
		(void)!decode(exact, size, &link);
		free(exact);
	}
}

static void test_the_dump_request_asks_for_everything(void **state)
{
	uint8_t bytes[64];
	struct wr w = { bytes, sizeof(bytes), 0, false };
	struct rd d;
	struct nlmsg m;

	(void)state;
	iflink_encode_dump(9, &w);
	assert_false(w.full);
	d = (struct rd){ bytes, w.used };
	assert_int_equal(nlmsg_next(&d, &m), NLMSG_STEP_ITEM);
	assert_int_equal(m.type, RTM_GETLINK);
	assert_int_equal(m.flags, NLM_F_REQUEST | NLM_F_DUMP);
	assert_int_equal(m.seq, 9);
	assert_int_equal(m.body.left, 16 + 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags_tell_the_state),
		cmocka_unit_test(test_messages_of_the_kernel_are_understood),
		cmocka_unit_test(test_an_interface_goes_by_each_of_its_names),
		cmocka_unit_test(test_a_name_that_is_no_name_is_refused),
		cmocka_unit_test(test_other_messages_are_refused),
		cmocka_unit_test(
			test_prefixes_and_bit_flips_are_judged_without_overread),
		cmocka_unit_test(test_the_dump_request_asks_for_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
