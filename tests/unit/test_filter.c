/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "base/filter.h"
#include "flow_text.h"

/* True if a filter that is made for it lets the flow pass. */
static bool passes(const struct filter_opts *opts, const struct flow *flow)
{
	struct filter *f = filter_new(opts);
	bool is_accepted;

	assert_non_null(f);
	is_accepted = filter_accepts(f, flow);
	filter_free(f);
	return is_accepted;
}

static bool end_passes(const struct filter_opts *opts, const struct flow *flow)
{
	struct filter *f = filter_new(opts);
	bool is_accepted;

	assert_non_null(f);
	is_accepted = filter_accepts_end(f, flow);
	filter_free(f);
	return is_accepted;
}

static void test_without_sets_everything_passes_that_has_a_family(void **state)
{
	const struct filter_opts opts = { 0 };
	struct flow f = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");

	(void)state;
	assert_true(passes(&opts, &f));
	assert_true(end_passes(&opts, &f));
	f.family = FAMILY_NONE;
	assert_false(passes(&opts, &f));
	assert_false(end_passes(&opts, &f));
}

static void test_what_has_lost_a_clash_is_no_flow(void **state)
{
	const struct filter_opts opts = { 0 };
	struct flow f = flow_of(L4_UDP, "10.0.0.1", "10.0.0.2");

	(void)state;
	f.status = 0x1188; /* as a loser behind a balancer has it */
	assert_true(passes(&opts, &f));
	f.has |= FLOW_STATUS;
	assert_false(passes(&opts, &f));
	assert_false(end_passes(&opts, &f));
	f.status = 0x0188; /* and the winner */
	assert_true(passes(&opts, &f));
	assert_true(end_passes(&opts, &f));
}

static void test_each_protocol_number_is_accepted_or_ignored(void **state)
{
	struct flow f = flow_of(0, "10.0.0.1", "10.0.0.2");

	(void)state;
	for (unsigned int listed = 0; listed < 256; listed += 15) {
		struct filter_opts opts = { .protocol = FILTER_ACCEPT };

		opts.protocols[listed / 8] = (uint8_t)(1 << listed % 8);
		for (unsigned int p = 0; p < 256; p++) {
			f.l4proto = (uint8_t)p;
			opts.protocol = FILTER_ACCEPT;
			assert_int_equal(passes(&opts, &f), p == listed);
			assert_int_equal(end_passes(&opts, &f), p == listed);
			opts.protocol = FILTER_IGNORE;
			assert_int_equal(passes(&opts, &f), p != listed);
		}
	}
}

struct net_text {
	const char *addr;
	uint8_t prefix_len;
};

static struct filter_net net_of(const struct net_text *t)
{
	enum family family = family_of(t->addr);

	return (struct filter_net){ .family = (uint8_t)family,
				    .prefix_len = t->prefix_len,
				    .addr = addr_of(family, t->addr) };
}

static void test_an_address_is_listed_by_its_prefix(void **state)
{
	static const struct {
		struct net_text net;
		const char *src;
		bool is_listed;
	} cases[] = {
		{ { "10.1.2.3", 32 }, "10.1.2.3", true },
		{ { "10.1.2.3", 32 }, "10.1.2.2", false },
		{ { "10.1.2.3", 31 }, "10.1.2.2", true }, /* host bits */
		{ { "10.1.2.3", 31 }, "10.1.2.4", false },
		{ { "10.1.2.0", 24 }, "10.1.2.255", true },
		{ { "10.1.2.0", 24 }, "10.1.3.0", false },
		{ { "172.16.0.0", 12 }, "172.31.255.255", true },
		{ { "172.16.0.0", 12 }, "172.32.0.0", false },
		{ { "128.0.0.0", 1 }, "255.255.255.255", true },
		{ { "128.0.0.0", 1 }, "127.255.255.255", false },
		{ { "1.2.3.4", 0 }, "203.0.113.9", true },
		{ { "1.2.3.4", 0 }, "2001:db8::1", false },
		{ { "2001:db8::1", 128 }, "2001:db8::1", true },
		{ { "2001:db8::1", 128 }, "2001:db8::", false },
		{ { "2001:db8::1", 127 }, "2001:db8::", true },
		{ { "2001:db8::", 32 }, "2001:db8:ffff::1", true },
		{ { "2001:db8::", 32 }, "2001:db9::", false },
		{ { "2001:db8::", 29 }, "2001:dbf::1", true },
		{ { "2001:db8::", 29 }, "2001:dc0::1", false },
		{ { "::", 0 }, "2001:db8::1", true },
		{ { "::", 0 }, "10.0.0.1", false },
		/* the bytes are those of 10.1.2.3, the family is not */
		{ { "a01:203::", 32 }, "10.1.2.3", false },
		{ { "10.1.2.3", 32 }, "a01:203::", false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct filter_net net = net_of(&cases[i].net);
		struct filter_opts opts = { .nets = &net, .n_nets = 1 };
		struct flow f = flow_of(L4_UDP, cases[i].src,
					strchr(cases[i].src, ':') ? "fd00::9"
								  : "9.9.9.9");

		/* the other end shall not be what is listed */
		f.has |= FLOW_REPLY;
		f.reply.src = f.orig.src;
		opts.address = FILTER_ACCEPT;
		assert_int_equal(passes(&opts, &f), cases[i].is_listed);
		assert_int_equal(end_passes(&opts, &f), cases[i].is_listed);
		opts.address = FILTER_IGNORE;
		assert_int_equal(passes(&opts, &f), !cases[i].is_listed);
	}
}

static void test_both_original_and_real_destination_side_count(void **state)
{
	static const struct {
		const char *net;
		bool is_listed;
	} cases[] = {
		{ "10.0.0.1", true },      /* original source */
		{ "192.168.0.5", true },   /* reply source: the real server */
		{ "198.51.100.1", false }, /* original destination: DNAT */
		{ "203.0.113.1", false },  /* reply destination: SNAT */
	};
	struct flow f = flow_of(L4_TCP, "10.0.0.1", "198.51.100.1");

	(void)state;
	f.reply.src = addr_of(FAMILY_IPV4, "192.168.0.5");
	f.reply.dst = addr_of(FAMILY_IPV4, "203.0.113.1");
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct filter_net net =
			net_of(&(struct net_text){ cases[i].net, 32 });
		struct filter_opts opts = { .nets = &net, .n_nets = 1 };

		opts.address = FILTER_ACCEPT;
		assert_int_equal(passes(&opts, &f), cases[i].is_listed);
		opts.address = FILTER_IGNORE;
		assert_int_equal(passes(&opts, &f), !cases[i].is_listed);
	}
}

static void test_without_a_reply_the_destination_stands_for_it(void **state)
{
	struct filter_net net = net_of(&(struct net_text){ "10.0.0.2", 32 });
	struct filter_opts opts = { .address = FILTER_ACCEPT,
				    .nets = &net,
				    .n_nets = 1 };
	struct flow f = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");

	(void)state;
	f.has &= ~FLOW_REPLY;
	f.reply.src = f.reply.dst;
	assert_true(passes(&opts, &f));
}

static void test_an_accept_set_of_one_family_refuses_the_other(void **state)
{
	struct filter_net v4 = net_of(&(struct net_text){ "0.0.0.0", 0 });
	struct filter_net v6 = net_of(&(struct net_text){ "::", 0 });
	const struct flow f4 = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");
	const struct flow f6 = flow_of(L4_TCP, "fd00::1", "fd00::2");
	struct filter_opts opts = { .nets = &v4, .n_nets = 1 };

	(void)state;
	opts.address = FILTER_ACCEPT;
	assert_true(passes(&opts, &f4));
	assert_false(passes(&opts, &f6));
	opts.nets = &v6;
	assert_false(passes(&opts, &f4));
	assert_true(passes(&opts, &f6));
	opts.address = FILTER_IGNORE;
	assert_true(passes(&opts, &f4));
	assert_false(passes(&opts, &f6));
	opts.n_nets = 0;
	assert_true(passes(&opts, &f6));
	opts.address = FILTER_ACCEPT;
	assert_false(passes(&opts, &f6));
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void test_many_nets_agree_with_a_walk_over_them(void **state)
{
	enum { N = 1000 };
	static struct filter_net nets[N];
	struct filter_opts opts = { .address = FILTER_ACCEPT,
				    .nets = nets,
				    .n_nets = N };
	struct filter *filter;
	uint32_t seed = 42;
	int n_listed = 0;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		bool is_v6 = next_random(&seed) % 2;

		nets[i].family = is_v6 ? FAMILY_IPV6 : FAMILY_IPV4;
		nets[i].prefix_len =
			(uint8_t)(8 + next_random(&seed) % (is_v6 ? 121 : 25));
		for (size_t b = 0; b < addr_size(nets[i].family); b++)
			nets[i].addr.b[b] =
				(uint8_t)(next_random(&seed) % (b ? 4 : 64));
	}
	filter = filter_new(&opts);
	assert_non_null(filter);
	for (int round = 0; round < 20000; round++) {
		struct flow f = { .has = FLOW_REPLY };
		bool is_listed = false;

		f.family = nets[next_random(&seed) % N].family;
		for (size_t b = 0; b < addr_size(f.family); b++)
			f.orig.src.b[b] =
				(uint8_t)(next_random(&seed) % (b ? 4 : 64));
		f.reply.src = f.orig.src;
		for (size_t i = 0; i < N; i++)
			is_listed |= nets[i].family == f.family &&
				     addr_in_prefix(&f.orig.src, &nets[i].addr,
						    nets[i].prefix_len);
		assert_int_equal(filter_accepts(filter, &f), is_listed);
		n_listed += is_listed;
	}
	assert_true(n_listed > 1000 && n_listed < 19000);
	filter_free(filter);
}

static void test_state_is_asked_of_tcp_only_and_never_at_the_end(void **state)
{
	static const struct {
		uint8_t l4proto;
		uint64_t has;
		uint8_t tcp_state;
		bool is_accepted, is_ignored;
	} cases[] = {
		{ L4_TCP, FLOW_TCP_STATE, TCP_STATE_ESTABLISHED, true, false },
		{ L4_TCP, FLOW_TCP_STATE, TCP_STATE_SYN_SENT2, true, false },
		{ L4_TCP, FLOW_TCP_STATE, TCP_STATE_SYN_SENT, false, true },
		{ L4_TCP, FLOW_TCP_STATE, TCP_STATE_CLOSE, false, true },
		{ L4_TCP, FLOW_TCP_STATE, 200, false, true },
		{ L4_TCP, 0, TCP_STATE_CLOSE, true, true },
		{ L4_UDP, 0, 0, true, true },
		{ L4_SCTP, FLOW_TCP_STATE, TCP_STATE_CLOSE, true, true },
	};
	struct filter_opts opts = { 0 };

	(void)state;
	opts.tcp_states = 1 << TCP_STATE_ESTABLISHED | 1 << TCP_STATE_SYN_SENT2;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct flow f =
			flow_of(cases[i].l4proto, "10.0.0.1", "10.0.0.2");

		f.has |= cases[i].has;
		f.tcp_state = cases[i].tcp_state;
		opts.state = FILTER_ACCEPT;
		assert_int_equal(passes(&opts, &f), cases[i].is_accepted);
		assert_true(end_passes(&opts, &f));
		opts.state = FILTER_IGNORE;
		assert_int_equal(passes(&opts, &f), cases[i].is_ignored);
		assert_true(end_passes(&opts, &f));
	}
}

/* Protocol, address and state set each pass or not: all must. */
static void test_a_flow_has_to_pass_every_set(void **state)
{
	struct flow f = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");

	(void)state;
	f.has |= FLOW_TCP_STATE;
	f.tcp_state = TCP_STATE_ESTABLISHED;
	for (unsigned int fails = 0; fails < 8; fails++) {
		struct filter_net net =
			net_of(&(struct net_text){ "10.0.0.0", 8 });
		struct filter_opts opts = {
			.protocol = fails & 1 ? FILTER_IGNORE : FILTER_ACCEPT,
			.protocols = { 1 << L4_TCP },
			.address = fails & 2 ? FILTER_IGNORE : FILTER_ACCEPT,
			.nets = &net,
			.n_nets = 1,
			.state = fails & 4 ? FILTER_IGNORE : FILTER_ACCEPT,
			.tcp_states = 1 << TCP_STATE_ESTABLISHED,
		};

		assert_int_equal(passes(&opts, &f), fails == 0);
		assert_int_equal(end_passes(&opts, &f), (fails & 3) == 0);
	}
}

static void test_own_traffic_is_refused_and_nothing_else(void **state)
{
	enum { LINK_UDP, LINK_MCAST, LINK_MCAST_ANY, LINK_TCP6, N_LINKS };
	const struct filter_link links[N_LINKS] = {
		[LINK_UDP] = { .family = FAMILY_IPV4,
			       .l4proto = L4_UDP,
			       .port = 3780,
			       .local = addr_of(FAMILY_IPV4, "192.168.100.1"),
			       .remote = addr_of(FAMILY_IPV4, "192.168.100.2"),
			       .has_local = true,
			       .has_remote = true },
		[LINK_MCAST] = { .family = FAMILY_IPV4,
				 .l4proto = L4_UDP,
				 .port = 3781,
				 .local = addr_of(FAMILY_IPV4, "10.9.0.1"),
				 .remote = addr_of(FAMILY_IPV4, "225.0.0.50"),
				 .has_local = true,
				 .has_remote = true },
		[LINK_MCAST_ANY] = { .family = FAMILY_IPV6,
				     .l4proto = L4_UDP,
				     .port = 3782,
				     .remote = addr_of(FAMILY_IPV6, "ff15::20"),
				     .has_remote = true },
		[LINK_TCP6] = { .family = FAMILY_IPV6,
				.l4proto = L4_TCP,
				.port = 3783,
				.local = addr_of(FAMILY_IPV6, "fd00::1"),
				.remote = addr_of(FAMILY_IPV6, "fd00::2"),
				.has_local = true,
				.has_remote = true },
	};
	static const struct {
		uint8_t l4proto;
		const char *src;
		uint16_t sport;
		const char *dst;
		uint16_t dport;
		bool is_own;
	} cases[] = {
		{ L4_UDP, "192.168.100.1", 4000, "192.168.100.2", 3780, true },
		{ L4_UDP, "192.168.100.2", 4000, "192.168.100.1", 3780, true },
		{ L4_UDP, "192.168.100.1", 3780, "192.168.100.2", 4000, true },
		{ L4_UDP, "192.168.100.2", 3780, "192.168.100.1", 3780, true },
		/* another port, protocol, family or end: ordinary */
		{ L4_UDP, "192.168.100.1", 4000, "192.168.100.2", 53, false },
		{ L4_UDP, "192.168.100.1", 4000, "192.168.100.2", 3781, false },
		{ L4_TCP, "192.168.100.1", 4000, "192.168.100.2", 3780, false },
		{ L4_UDP, "192.168.100.1", 4000, "192.168.100.3", 3780, false },
		{ L4_UDP, "192.168.100.3", 4000, "192.168.100.1", 3780, false },
		{ L4_UDP, "192.168.100.3", 4000, "192.168.100.2", 3780, false },
		{ L4_UDP, "192.168.100.1", 3780, "192.168.100.1", 3780, false },
		{ L4_TCP, "192.168.100.1", 4000, "192.168.100.2", 22, false },
		/* multicast: ours and the peers', to the group */
		{ L4_UDP, "10.9.0.1", 5000, "225.0.0.50", 3781, true },
		{ L4_UDP, "10.9.0.2", 5000, "225.0.0.50", 3781, true },
		{ L4_UDP, "10.9.0.1", 5000, "225.0.0.50", 3780, false },
		{ L4_UDP, "10.9.0.1", 5000, "225.0.0.51", 3781, false },
		{ L4_UDP, "10.9.0.1", 5000, "10.9.0.2", 3781, false },
		{ L4_UDP, "fe80::1", 5000, "ff15::20", 3782, true },
		{ L4_UDP, "fe80::1", 5000, "ff15::21", 3782, false },
		{ L4_UDP, "fe80::1", 5000, "fe80::2", 3782, false },
		{ L4_TCP, "fd00::1", 6000, "fd00::2", 3783, true },
		{ L4_TCP, "fd00::2", 6000, "fd00::1", 3783, true },
		{ L4_UDP, "fd00::2", 6000, "fd00::1", 3783, false },
	};
	const struct filter_opts opts = { .links = links, .n_links = N_LINKS };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct flow f =
			flow_of(cases[i].l4proto, cases[i].src, cases[i].dst);

		f.orig.sport = cases[i].sport;
		f.orig.dport = cases[i].dport;
		if (passes(&opts, &f) == cases[i].is_own)
			fail_msg("case %zu", i);
		assert_int_equal(end_passes(&opts, &f), !cases[i].is_own);
		f.has &= ~FLOW_PORTS;
		assert_true(passes(&opts, &f));
	}
}

static void test_own_traffic_is_refused_whatever_the_sets_say(void **state)
{
	struct filter_link link = {
		.family = FAMILY_IPV4,
		.l4proto = L4_TCP,
		.port = 80,
		.local = addr_of(FAMILY_IPV4, "10.0.0.1"),
		.has_local = true, /* and any other end */
	};
	struct filter_opts opts = {
		.protocol = FILTER_ACCEPT,
		.protocols = { 1 << L4_TCP },
		.links = &link,
		.n_links = 1,
	};
	struct flow f = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");

	(void)state;
	assert_false(passes(&opts, &f));
	link.has_local = false; /* no end known: nothing is ours */
	assert_true(passes(&opts, &f));
}

static void test_options_are_copied(void **state)
{
	struct filter_net net = net_of(&(struct net_text){ "10.0.0.1", 32 });
	struct filter_opts opts = { .address = FILTER_IGNORE,
				    .nets = &net,
				    .n_nets = 1 };
	const struct flow f = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");
	struct filter *filter = filter_new(&opts);

	(void)state;
	assert_non_null(filter);
	memset(&net, 0, sizeof(net));
	memset(&opts, 0, sizeof(opts));
	assert_false(filter_accepts(filter, &f));
	filter_free(filter);
}

static void test_lack_of_memory_makes_no_filter(void **state)
{
	struct filter_net net = net_of(&(struct net_text){ "10.0.0.1", 32 });
	const struct filter_opts opts = { .nets = &net, .n_nets = 1 };
	size_t n;

	(void)state;
	for (n = 0;; n++) {
		struct filter *f;

		alloc_fail_after(n);
		f = filter_new(&opts);
		if (!alloc_fail_off()) {
			assert_non_null(f);
			filter_free(f);
			break;
		}
		assert_null(f);
	}
	assert_true(n >= 3);
	filter_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_without_sets_everything_passes_that_has_a_family),
		cmocka_unit_test(
			test_each_protocol_number_is_accepted_or_ignored),
		cmocka_unit_test(test_what_has_lost_a_clash_is_no_flow),
		cmocka_unit_test(test_an_address_is_listed_by_its_prefix),
		cmocka_unit_test(
			test_both_original_and_real_destination_side_count),
		cmocka_unit_test(
			test_without_a_reply_the_destination_stands_for_it),
		cmocka_unit_test(
			test_an_accept_set_of_one_family_refuses_the_other),
		cmocka_unit_test(test_many_nets_agree_with_a_walk_over_them),
		cmocka_unit_test(
			test_state_is_asked_of_tcp_only_and_never_at_the_end),
		cmocka_unit_test(test_a_flow_has_to_pass_every_set),
		cmocka_unit_test(test_own_traffic_is_refused_and_nothing_else),
		cmocka_unit_test(
			test_own_traffic_is_refused_whatever_the_sets_say),
		cmocka_unit_test(test_options_are_copied),
		cmocka_unit_test(test_lack_of_memory_makes_no_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
