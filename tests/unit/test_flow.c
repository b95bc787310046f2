/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/flow.h"
#include "base/util.h"

#define IP(a, b, c, d)             \
	{                          \
		{                  \
			a, b, c, d \
		}                  \
	}

static const struct flow tcp = {
	.has = FLOW_PORTS,
	.family = FAMILY_IPV4,
	.l4proto = L4_TCP,
	.orig = { .src = IP(10, 0, 0, 1),
		  .dst = IP(10, 0, 0, 2),
		  .sport = 1000,
		  .dport = 80 },
};

static struct flow icmp(uint8_t l4proto, uint8_t type)
{
	return (struct flow){
		.has = FLOW_ICMP,
		.family = FAMILY_IPV4,
		.l4proto = l4proto,
		.orig = { .src = IP(10, 0, 0, 1),
			  .dst = IP(10, 0, 0, 2),
			  .icmp_id = 7,
			  .icmp_type = type,
			  .icmp_code = 1 },
	};
}

static void test_each_field_of_the_key_tells_flows_apart(void **state)
{
	const struct flow gre = { .has = FLOW_GRE_KEYS, .l4proto = L4_GRE };
	const struct flow ping = icmp(L4_ICMP, 8);
	const struct flow zoned = { .has = FLOW_ZONE_ORIG, .zone_orig = 1 };
	struct flow f;

	(void)state;
#define DIFFERS(base, field)                    \
	f = base;                               \
	assert_true(flow_same_key(&base, &f));  \
	f.field++;                              \
	assert_false(flow_same_key(&base, &f)); \
	assert_false(flow_same_key(&f, &base))
	DIFFERS(tcp, family);
	DIFFERS(tcp, l4proto);
	DIFFERS(tcp, zone);
	DIFFERS(tcp, orig.src.b[0]);
	DIFFERS(tcp, orig.dst.b[15]);
	DIFFERS(tcp, orig.sport);
	DIFFERS(tcp, orig.dport);
	DIFFERS(ping, orig.icmp_id);
	DIFFERS(ping, orig.icmp_type);
	DIFFERS(ping, orig.icmp_code);
	DIFFERS(gre, orig.sport);
	DIFFERS(gre, orig.dport);
	DIFFERS(zoned, zone_orig);
#undef DIFFERS
}

static void test_fields_without_their_bit_do_not_tell_flows_apart(void **state)
{
	struct flow a = tcp, b = tcp, ping = icmp(L4_ICMP, 8), ping2 = ping;

	(void)state;
	b.orig.icmp_id = 9;
	b.reply.sport = 9;
	b.zone_orig = 9;
	b.has |= FLOW_MARK | FLOW_REPLY | FLOW_STATUS;
	b.mark = 9;
	assert_true(flow_same_key(&a, &b));
	ping2.orig.sport = 9;
	assert_true(flow_same_key(&ping, &ping2));
	a.has = b.has = 0;
	b.orig.sport = 9;
	assert_true(flow_same_key(&a, &b));
}

static void test_a_flow_with_and_one_without_ports_are_two(void **state)
{
	struct flow f = tcp;

	(void)state;
	f.has = 0;
	assert_false(flow_same_key(&f, &tcp));
}

/* The kernel has them apart, in a zone of the one direction or of none. */
static void test_a_zone_of_the_original_direction_makes_another(void **state)
{
	struct flow f = tcp, g = tcp;

	(void)state;
	f.has |= FLOW_ZONE_ORIG;
	assert_false(flow_same_key(&f, &tcp));
	g.has |= FLOW_ZONE_REPLY;
	g.zone_reply = 1;
	assert_true(flow_same_key(&g, &tcp));
}

static void test_the_inverse_swaps_addresses_and_ports(void **state)
{
	struct flow f = tcp;
	struct tuple t = flow_inverse(&f);

	(void)state;
	assert_true(addr_equal(&t.src, &f.orig.dst));
	assert_true(addr_equal(&t.dst, &f.orig.src));
	assert_int_equal(t.sport, 80);
	assert_int_equal(t.dport, 1000);
	f.has = FLOW_GRE_KEYS;
	assert_int_equal(flow_inverse(&f).sport, 80);
	f.has = 0;
	assert_int_equal(flow_inverse(&f).sport, 0);
	assert_int_equal(flow_inverse(&f).dport, 0);
}

static void test_the_inverse_of_icmp_is_the_answer(void **state)
{
	static const struct {
		uint8_t l4proto, type, answer;
	} cases[] = {
		{ L4_ICMP, 8, 0 },       { L4_ICMP, 0, 8 },
		{ L4_ICMP, 13, 14 },     { L4_ICMP, 14, 13 },
		{ L4_ICMP, 15, 16 },     { L4_ICMP, 16, 15 },
		{ L4_ICMP, 17, 18 },     { L4_ICMP, 18, 17 },
		{ L4_ICMPV6, 128, 129 }, { L4_ICMPV6, 129, 128 },
		{ L4_ICMPV6, 139, 140 }, { L4_ICMPV6, 140, 139 },
		{ L4_ICMP, 3, 3 },       { L4_ICMPV6, 8, 8 },
		{ L4_ICMP, 128, 128 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct flow f = icmp(cases[i].l4proto, cases[i].type);
		struct tuple t = flow_inverse(&f);

		assert_int_equal(t.icmp_type, cases[i].answer);
		assert_int_equal(t.icmp_id, 7);
		assert_int_equal(t.icmp_code, 1);
	}
}

static void test_a_known_reply_is_taken_as_it_is(void **state)
{
	struct flow f = tcp;

	(void)state;
	f.reply.dport = 6000;
	assert_int_equal(flow_reply(&f).dport, 1000);
	f.has |= FLOW_REPLY;
	assert_int_equal(flow_reply(&f).dport, 6000);
}

static void test_ids_that_both_know_tell_lives_apart(void **state)
{
	struct flow a = tcp, b = tcp;

	(void)state;
	a.id = 1;
	b.id = 2;
	assert_true(flow_same_id(&a, &b));
	a.has |= FLOW_ID;
	assert_true(flow_same_id(&a, &b));
	assert_true(flow_same_id(&b, &a));
	b.has |= FLOW_ID;
	assert_false(flow_same_id(&a, &b));
	b.id = 1;
	assert_true(flow_same_id(&a, &b));
}

/* Every byte of a is 0xaa, of b 0x55; only the bits of has count. */
static struct flow filled(uint8_t byte, uint64_t has)
{
	struct flow f;

	memset(&f, byte, sizeof(f));
	f.has = has;
	return f;
}

static size_t n_bytes(const struct flow *f, uint8_t byte)
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(*f); i++)
		n += ((const uint8_t *)f)[i] == byte;
	return n;
}

static void test_merge_takes_every_field_but_the_key(void **state)
{
	const uint64_t key =
		FLOW_PORTS | FLOW_ICMP | FLOW_GRE_KEYS | FLOW_ZONE_ORIG;

	(void)state;
	for (unsigned int n = 0; n < FLOW_N_LAST; n++) {
		struct flow from = filled(0x55, FLOW_BIT(n));
		struct flow to = filled(0xaa, 0);

		flow_merge(&to, &from);
		if (key & FLOW_BIT(n)) {
			assert_true(to.has == 0);
			assert_int_equal(n_bytes(&to, 0x55), 0);
		} else {
			assert_true(to.has == FLOW_BIT(n));
			assert_true(n_bytes(&to, 0x55) > 0);
		}
		assert_int_equal(to.orig.dport, 0xaaaa);
		assert_int_equal(to.zone, 0xaaaa);
		assert_int_equal(to.zone_orig, 0xaaaa);
	}
}

static void test_merged_fields_do_not_overlap_and_leave_nothing(void **state)
{
	size_t n_single = 0;
	struct flow from, to;

	(void)state;
	for (unsigned int n = 0; n < FLOW_N_LAST; n++) {
		from = filled(0x55, FLOW_BIT(n));
		to = filled(0xaa, 0);
		flow_merge(&to, &from);
		n_single += n_bytes(&to, 0x55);
	}
	from = filled(0x55, FLOW_BIT(FLOW_N_LAST) - 1);
	to = filled(0xaa, 0);
	flow_merge(&to, &from);
	assert_int_equal(n_bytes(&to, 0x55), n_single);
	assert_int_equal(to.master.sport, 0x5555);
	assert_int_equal(to.master.l4proto, 0x55);
	assert_int_equal(to.synproxy.tsoff, 0x55555555);
	assert_true(to.stop_ns == UINT64_C(0x5555555555555555));
}

static void test_merge_keeps_what_the_report_lacks(void **state)
{
	struct flow to = tcp, from = tcp;

	(void)state;
	to.has |= FLOW_MARK | FLOW_TCP_STATE | FLOW_REPLY;
	to.mark = 42;
	to.tcp_state = TCP_STATE_SYN_SENT;
	to.reply = flow_inverse(&to);
	to.reply.dport = 6000;
	from.has |= FLOW_TCP_STATE | FLOW_REPLY;
	from.tcp_state = TCP_STATE_ESTABLISHED;
	from.reply.dport = 7000;
	flow_merge(&to, &from);
	assert_int_equal(to.mark, 42);
	assert_int_equal(to.tcp_state, TCP_STATE_ESTABLISHED);
	assert_int_equal(to.reply.dport, 6000);
}

static void test_a_master_makes_a_flow_related_with_ports_or_not(void **state)
{
	struct flow f = tcp;

	(void)state;
	assert_false(flow_is_related(&f));
	f.has |= FLOW_MASTER;
	assert_true(flow_is_related(&f));
	f.has |= FLOW_MASTER_PORTS;
	assert_true(flow_is_related(&f));
}

static void test_a_master_is_found_by_its_key(void **state)
{
	struct flow master = tcp, related = tcp, key;

	(void)state;
	master.zone = related.zone = 7;
	related.l4proto = L4_UDP;
	related.has |= FLOW_MASTER | FLOW_MASTER_PORTS;
	related.master.src = master.orig.src;
	related.master.dst = master.orig.dst;
	related.master.sport = master.orig.sport;
	related.master.dport = master.orig.dport;
	related.master.l4proto = L4_TCP;
	key = flow_master(&related);
	assert_true(flow_same_key(&key, &master));
	related.has &= ~FLOW_MASTER_PORTS;
	key = flow_master(&related);
	assert_false(key.has & FLOW_PORTS);
}

/* Changes of the reply tuple, from the inverse on. */
enum { DADDR = 1, SADDR = 2, DPORT = 4, SPORT = 8 };

static void test_nat_is_what_the_reply_shows_and_the_status_allows(void **state)
{
	enum { SRC = STATUS_SRC_NAT_DONE, DST = STATUS_DST_NAT_DONE };
	static const struct {
		uint8_t l4proto;
		uint64_t has;
		uint32_t status;
		unsigned int changes;
		unsigned int nat;
	} cases[] = {
		{ L4_TCP, FLOW_PORTS | FLOW_STATUS, SRC | DST, 0, 0 },
		{ L4_TCP, FLOW_PORTS | FLOW_STATUS, SRC, DADDR, NAT_SRC_ADDR },
		{ L4_TCP, FLOW_PORTS | FLOW_STATUS, SRC, DADDR | DPORT,
		  NAT_SRC_ADDR | NAT_SRC_PORT },
		{ L4_TCP, FLOW_PORTS | FLOW_STATUS, SRC, DPORT, NAT_SRC_PORT },
		{ L4_TCP, FLOW_PORTS | FLOW_STATUS, DST, SADDR | SPORT,
		  NAT_DST_ADDR | NAT_DST_PORT },
		{ L4_TCP, FLOW_PORTS | FLOW_STATUS, SRC, SADDR | SPORT, 0 },
		{ L4_TCP, FLOW_PORTS | FLOW_STATUS, DST, DADDR | DPORT, 0 },
		{ L4_TCP, FLOW_PORTS | FLOW_STATUS, SRC | DST, 15, 15 },
		{ L4_TCP, FLOW_PORTS | FLOW_STATUS, STATUS_SRC_NAT, 15, 0 },
		{ L4_TCP, FLOW_PORTS, 0, 15, 15 }, /* status not known */
		{ L4_UDPLITE, FLOW_PORTS | FLOW_STATUS, SRC, DPORT,
		  NAT_SRC_PORT },
		{ L4_SCTP, FLOW_PORTS | FLOW_STATUS, DST, SPORT, NAT_DST_PORT },
		{ L4_DCCP, FLOW_PORTS | FLOW_STATUS, SRC, DPORT, NAT_SRC_PORT },
		{ L4_ICMP, FLOW_ICMP | FLOW_STATUS, SRC | DST, 15,
		  NAT_SRC_ADDR | NAT_DST_ADDR },
		{ L4_ICMP, FLOW_ICMP | FLOW_PORTS, 0, 15,
		  NAT_SRC_ADDR | NAT_DST_ADDR },
		{ L4_ICMPV6, FLOW_ICMP | FLOW_PORTS, 0, 15,
		  NAT_SRC_ADDR | NAT_DST_ADDR },
		{ L4_GRE, FLOW_GRE_KEYS | FLOW_STATUS, SRC | DST, 15,
		  NAT_SRC_ADDR | NAT_DST_ADDR },
		{ 50, FLOW_STATUS, SRC, DADDR, NAT_SRC_ADDR },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct flow f = tcp;

		f.l4proto = cases[i].l4proto;
		f.reply = flow_inverse(&f);
		if (cases[i].changes & DADDR)
			f.reply.dst.b[3]++;
		if (cases[i].changes & SADDR)
			f.reply.src.b[3]++;
		if (cases[i].changes & DPORT)
			f.reply.dport++;
		if (cases[i].changes & SPORT)
			f.reply.sport++;
		f.status = cases[i].status;
		f.has = cases[i].has | FLOW_REPLY;
		assert_int_equal(flow_nat(&f), cases[i].nat);
		f.has = cases[i].has;
		assert_int_equal(flow_nat(&f), 0); /* no reply, no NAT */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_field_of_the_key_tells_flows_apart),
		cmocka_unit_test(
			test_fields_without_their_bit_do_not_tell_flows_apart),
		cmocka_unit_test(
			test_a_flow_with_and_one_without_ports_are_two),
		cmocka_unit_test(
			test_a_zone_of_the_original_direction_makes_another),
		cmocka_unit_test(test_the_inverse_swaps_addresses_and_ports),
		cmocka_unit_test(test_the_inverse_of_icmp_is_the_answer),
		cmocka_unit_test(test_a_known_reply_is_taken_as_it_is),
		cmocka_unit_test(test_ids_that_both_know_tell_lives_apart),
		cmocka_unit_test(test_merge_takes_every_field_but_the_key),
		cmocka_unit_test(
			test_merged_fields_do_not_overlap_and_leave_nothing),
		cmocka_unit_test(test_merge_keeps_what_the_report_lacks),
		cmocka_unit_test(
			test_a_master_makes_a_flow_related_with_ports_or_not),
		cmocka_unit_test(test_a_master_is_found_by_its_key),
		cmocka_unit_test(
			test_nat_is_what_the_reply_shows_and_the_status_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
