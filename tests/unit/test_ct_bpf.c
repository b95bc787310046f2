/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "alloc_fail.h"
#include "bpf_run.h"
#include "flow_text.h"
#include "netlink/ct_bpf.h"
#include "netlink/ct_codec.h"
#include "netlink/nlmsg.h"
#include "random_flow.h"

enum { MESSAGE_MAX = 2048, QUIET_PORT = 4711 };

enum event { BEGIN, CHANGE, END, N_EVENTS };

struct program {
	struct sock_filter room[CT_BPF_MAX];
	struct sock_filter *insns;
	uint32_t n;
};

/* In an exact-size block: n may be too many, then there is no program. */
static struct program *program_of(const struct filter *f, uint32_t port)
{
	const struct ct_bpf_opts o = { .filter = f, .quiet_port = port };
	struct program *p = malloc(sizeof(*p));

	assert_non_null(p);
	p->n = ct_bpf_make(&o, p->room);
	assert_int_not_equal(p->n, 0);
	p->insns = p->n <= CT_BPF_MAX ? p->room + CT_BPF_MAX - p->n : NULL;
	return p;
}

/* The bytes of an event as the kernel writes it; returns how many. */
static size_t event_of(const struct flow *f, enum event event, uint32_t port,
		       uint8_t bytes[MESSAGE_MAX])
{
	const struct ct_codec codec = { 0 };
	struct wr w = { bytes, MESSAGE_MAX, 0, false };
	struct nlmsghdr h;

	assert_true(ct_encode_report(&codec, f, 0, &w));
	assert_false(w.full);
	memcpy(&h, bytes, sizeof(h));
	h.nlmsg_pid = port;
	if (event == BEGIN)
		h.nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	if (event == END)
		h.nlmsg_type =
			NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	memcpy(bytes, &h, sizeof(h));
	return w.used;
}

/* What the user-space filter says of these bytes. */
static bool is_accepted(const struct filter *f, enum event event,
			const uint8_t *bytes, size_t n)
{
	const struct ct_codec codec = { 0 };
	struct rd d = { bytes, n };
	struct nlmsg msg;
	struct flow flow;

	assert_int_equal(nlmsg_next(&d, &msg), NLMSG_STEP_ITEM);
	assert_true(ct_decode(&codec, msg.body, &flow));
	return event == END ? filter_accepts_end(f, &flow)
			    : filter_accepts(f, &flow);
}

/* The program's verdict on an event, which has to be the filter's. */
static bool passes(const struct program *p, const struct filter *f,
		   const struct flow *flow, enum event event)
{
	uint8_t bytes[MESSAGE_MAX], *exact;
	size_t n = event_of(flow, event, 0, bytes);
	bool is_passed;

	exact = malloc(n);
	assert_non_null(exact);
	memcpy(exact, bytes, n);
	is_passed = bpf_passes(p->insns, p->n, exact, n, NULL);
	assert_int_equal(is_passed, is_accepted(f, event, exact, n));
	free(exact);
	return is_passed;
}

/* ---- the sets, one by one ------------------------------------------------ */

/* What a filter that is made for it says in the kernel. */
static bool event_passes(const struct filter_opts *opts,
			 const struct flow *flow, enum event event)
{
	struct filter *f = filter_new(opts);
	struct program *p;
	bool is_passed;

	assert_non_null(f);
	p = program_of(f, CT_BPF_NO_PORT);
	assert_non_null(p->insns);
	is_passed = passes(p, f, flow, event);
	filter_free(f);
	free(p);
	return is_passed;
}

static void test_without_sets_all_passes_but_what_has_lost_a_clash(void **state)
{
	const struct filter_opts opts = { 0 };
	struct flow f = flow_of(L4_UDP, "10.0.0.1", "10.0.0.2");

	(void)state;
	for (int event = BEGIN; event < N_EVENTS; event++) {
		f.has &= ~FLOW_STATUS;
		assert_true(event_passes(&opts, &f, event));
		f.has |= FLOW_STATUS;
		f.status = 0x0188;
		assert_true(event_passes(&opts, &f, event));
		f.status = 0x1188;
		assert_false(event_passes(&opts, &f, event));
	}
}

static void test_each_protocol_is_accepted_or_ignored(void **state)
{
	struct flow f = flow_of(0, "10.0.0.1", "10.0.0.2");
	struct filter_opts opts = { .protocols = { 0x42, 0, 0x02 } };

	(void)state;
	opts.protocols[31] = 0x80;
	for (unsigned int p = 0; p < 256; p++) {
		bool is_listed = p == 1 || p == 6 || p == 17 || p == 255;

		f.l4proto = (uint8_t)p;
		for (int event = BEGIN; event < N_EVENTS; event++) {
			opts.protocol = FILTER_ACCEPT;
			assert_int_equal(event_passes(&opts, &f, event),
					 is_listed);
			opts.protocol = FILTER_IGNORE;
			assert_int_equal(event_passes(&opts, &f, event),
					 !is_listed);
		}
	}
}

static void test_the_state_of_a_tcp_flow_counts_until_it_ends(void **state)
{
	struct filter_opts opts = { .tcp_states = 1 << TCP_STATE_ESTABLISHED |
						  1 << TCP_STATE_SYN_SENT2 };
	struct flow tcp = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");
	struct flow udp = flow_of(L4_UDP, "10.0.0.1", "10.0.0.2");

	(void)state;
	for (unsigned int s = 0; s < 256; s++) {
		bool is_listed = s == 3 || s == 9;

		tcp.has |= FLOW_TCP_STATE;
		tcp.tcp_state = (uint8_t)s;
		opts.state = FILTER_ACCEPT;
		assert_int_equal(event_passes(&opts, &tcp, BEGIN), is_listed);
		assert_int_equal(event_passes(&opts, &tcp, CHANGE), is_listed);
		assert_true(event_passes(&opts, &tcp, END));
		opts.state = FILTER_IGNORE;
		assert_int_equal(event_passes(&opts, &tcp, CHANGE), !is_listed);
		assert_true(event_passes(&opts, &tcp, END));
	}
	for (int action = FILTER_ACCEPT; action <= FILTER_IGNORE; action++) {
		opts.state = action;
		tcp.has &= ~FLOW_TCP_STATE; /* it is not told */
		assert_true(event_passes(&opts, &tcp, CHANGE));
		assert_true(event_passes(&opts, &udp, CHANGE));
		udp.has |= FLOW_TCP_STATE; /* nor is it a state of TCP */
		udp.tcp_state = TCP_STATE_ESTABLISHED;
		assert_true(event_passes(&opts, &udp, CHANGE));
	}
}

static struct filter_net net_of(const char *text, unsigned int prefix_len)
{
	enum family family = family_of(text);

	return (struct filter_net){ .family = (uint8_t)family,
				    .prefix_len = (uint8_t)prefix_len,
				    .addr = addr_of(family, text) };
}

static void test_an_address_is_listed_by_its_prefix(void **state)
{
	static const struct {
		const char *net;
		unsigned int prefix_len;
		const char *src;
		bool is_listed;
	} cases[] = {
		{ "1.2.3.4", 0, "203.0.113.9", true },
		{ "1.2.3.4", 0, "0.0.0.0", true },
		{ "1.2.3.4", 0, "255.255.255.255", true },
		{ "1.2.3.4", 0, "2001:db8::1", false },
		{ "128.0.0.0", 1, "128.0.0.0", true },
		{ "128.0.0.0", 1, "255.255.255.255", true },
		{ "128.0.0.0", 1, "127.255.255.255", false },
		{ "0.0.0.0", 1, "127.255.255.255", true },
		{ "0.0.0.0", 1, "128.0.0.0", false },
		{ "172.16.0.0", 12, "172.31.255.255", true },
		{ "172.16.0.0", 12, "172.32.0.0", false },
		{ "10.1.2.3", 31, "10.1.2.2", true },
		{ "10.1.2.3", 31, "10.1.2.4", false },
		{ "10.1.2.3", 31, "10.1.2.1", false },
		{ "10.1.2.3", 32, "10.1.2.3", true },
		{ "10.1.2.3", 32, "10.1.2.2", false },
		{ "255.255.255.255", 32, "255.255.255.255", true },
		{ "0.0.0.0", 32, "0.0.0.0", true },
		{ "0.0.0.0", 32, "0.0.0.1", false },
		{ "::", 0, "2001:db8::1", true },
		{ "::", 0, "::", true },
		{ "::", 0, "10.0.0.1", false },
		{ "8000::", 1, "ffff::1", true },
		{ "8000::", 1, "7fff::1", false },
		{ "2001:db8::", 31, "2001:db9:ffff::", true },
		{ "2001:db8::", 31, "2001:dba::", false },
		{ "2001:db8::", 32, "2001:db8:ffff::1", true },
		{ "2001:db8::", 32, "2001:db9::", false },
		{ "2001:db8::", 33, "2001:db8:7fff::1", true },
		{ "2001:db8::", 33, "2001:db8:8000::", false },
		{ "2001:db8:0:1::", 64, "2001:db8:0:1:ffff::9", true },
		{ "2001:db8:0:1::", 64, "2001:db8:0:2::", false },
		{ "2001:db8::", 95, "2001:db8::1:0:0", true },
		{ "2001:db8::", 95, "2001:db8::2:0:0", false },
		{ "2001:db8::", 96, "2001:db8::ffff:ffff", true },
		{ "2001:db8::", 96, "2001:db8::1:0:0", false },
		{ "2001:db8::1", 127, "2001:db8::", true },
		{ "2001:db8::1", 127, "2001:db8::2", false },
		{ "2001:db8::1", 128, "2001:db8::1", true },
		{ "2001:db8::1", 128, "2001:db8::", false },
		{ "2001:db8::1", 128, "2001:db8::1:0:1", false },
		{ "2001:db8::1", 128, "2001:db9::1", false },
		{ "a01:203::", 32, "10.1.2.3", false },
		{ "10.1.2.3", 32, "a01:203::", false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct filter_net net =
			net_of(cases[i].net, cases[i].prefix_len);
		struct filter_opts opts = { .nets = &net, .n_nets = 1 };
		struct flow f = flow_of(L4_UDP, cases[i].src, cases[i].src);

		for (int event = BEGIN; event < N_EVENTS; event++) {
			opts.address = FILTER_ACCEPT;
			assert_int_equal(event_passes(&opts, &f, event),
					 cases[i].is_listed);
			opts.address = FILTER_IGNORE;
			assert_int_equal(event_passes(&opts, &f, event),
					 !cases[i].is_listed);
		}
	}
}

static void test_source_and_source_of_the_replies_count(void **state)
{
	static const struct {
		const char *net;
		bool is_listed, is_listed_without_reply;
	} cases[] = {
		{ "10.0.0.1", true, true },      /* source */
		{ "192.168.0.5", true, false },  /* the real server */
		{ "198.51.100.1", false, true }, /* destination: DNAT */
		{ "203.0.113.1", false, false }, /* destination of replies */
		{ "fd00::1", true, true },       { "fd00::5", true, false },
		{ "fd01::1", false, true },      { "fd02::1", false, false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct filter_net net = net_of(cases[i].net, i < 4 ? 32 : 128);
		struct filter_opts opts = { .nets = &net, .n_nets = 1 };
		struct flow f = flow_of(L4_TCP, "10.0.0.1", "198.51.100.1");

		if (net.family == FAMILY_IPV6)
			f = flow_of(L4_TCP, "fd00::1", "fd01::1");
		f.reply.src =
			addr_of(net.family, i < 4 ? "192.168.0.5" : "fd00::5");
		f.reply.dst =
			addr_of(net.family, i < 4 ? "203.0.113.1" : "fd02::1");
		opts.address = FILTER_ACCEPT;
		assert_int_equal(event_passes(&opts, &f, CHANGE),
				 cases[i].is_listed);
		opts.address = FILTER_IGNORE;
		assert_int_equal(event_passes(&opts, &f, CHANGE),
				 !cases[i].is_listed);
		f.has &= ~FLOW_REPLY;
		assert_int_equal(event_passes(&opts, &f, CHANGE),
				 !cases[i].is_listed_without_reply);
	}
}

static void test_a_family_that_is_not_listed_does_not_pass_accept(void **state)
{
	struct filter_net v4 = net_of("0.0.0.0", 0), v6 = net_of("::", 0);
	const struct flow f4 = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");
	const struct flow f6 = flow_of(L4_TCP, "fd00::1", "fd00::2");
	struct filter_opts opts = { .address = FILTER_ACCEPT };

	(void)state;
	assert_false(event_passes(&opts, &f4, BEGIN));
	assert_false(event_passes(&opts, &f6, BEGIN));
	opts.n_nets = 1;
	opts.nets = &v4;
	assert_true(event_passes(&opts, &f4, BEGIN));
	assert_false(event_passes(&opts, &f6, BEGIN));
	opts.nets = &v6;
	assert_false(event_passes(&opts, &f4, BEGIN));
	assert_true(event_passes(&opts, &f6, BEGIN));
	opts.address = FILTER_IGNORE;
	assert_true(event_passes(&opts, &f4, BEGIN));
	assert_false(event_passes(&opts, &f6, BEGIN));
}

static void test_own_traffic_never_passes(void **state)
{
	const struct filter_link links[] = {
		{ .family = FAMILY_IPV4,
		  .l4proto = L4_UDP,
		  .port = 3780,
		  .local = addr_of(FAMILY_IPV4, "192.168.100.1"),
		  .remote = addr_of(FAMILY_IPV4, "225.0.0.50"),
		  .has_local = true,
		  .has_remote = true },
		{ .family = FAMILY_IPV4,
		  .l4proto = L4_TCP,
		  .port = 3781,
		  .local = addr_of(FAMILY_IPV4, "192.168.100.1"),
		  .remote = addr_of(FAMILY_IPV4, "192.168.100.2"),
		  .has_local = true,
		  .has_remote = true },
		{ .family = FAMILY_IPV6,
		  .l4proto = L4_UDP,
		  .port = 3780,
		  .remote = addr_of(FAMILY_IPV6, "fd00::2"),
		  .has_remote = true },
	};
	static const struct {
		uint8_t l4proto;
		const char *src, *dst;
		uint16_t sport, dport;
		bool is_own;
	} cases[] = {
		{ L4_UDP, "192.168.100.1", "225.0.0.50", 9, 3780, true },
		{ L4_UDP, "192.168.100.9", "225.0.0.50", 9, 3780, true },
		{ L4_UDP, "225.0.0.50", "192.168.100.9", 3780, 9, true },
		{ L4_UDP, "192.168.100.1", "225.0.0.50", 9, 3781, false },
		{ L4_UDP, "192.168.100.1", "225.0.0.51", 9, 3780, false },
		{ L4_TCP, "192.168.100.1", "225.0.0.50", 9, 3780, false },
		{ L4_TCP, "192.168.100.1", "192.168.100.2", 9, 3781, true },
		{ L4_TCP, "192.168.100.2", "192.168.100.1", 9, 3781, true },
		{ L4_TCP, "192.168.100.2", "192.168.100.1", 3781, 9, true },
		{ L4_TCP, "192.168.100.3", "192.168.100.1", 3781, 9, false },
		{ L4_TCP, "192.168.100.1", "192.168.100.3", 3781, 9, false },
		{ L4_UDP, "192.168.100.1", "192.168.100.2", 9, 3781, false },
		{ L4_UDP, "fd00::7", "fd00::2", 3780, 9, true },
		{ L4_UDP, "fd00::2", "fd00::7", 3780, 9, true },
		{ L4_UDP, "fd00::7", "fd00::3", 3780, 9, false },
		{ L4_UDP, "fd00::7", "fd01::2", 3780, 9, false },
		{ L4_UDP, "fd00::7", "fd00::2", 9, 9, false },
	};
	const struct filter_opts opts = { .links = links,
					  .n_links = N_ELEMENTS(links) };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct flow f =
			flow_of(cases[i].l4proto, cases[i].src, cases[i].dst);

		f.orig.sport = cases[i].sport;
		f.orig.dport = cases[i].dport;
		for (int event = BEGIN; event < N_EVENTS; event++)
			assert_int_equal(event_passes(&opts, &f, event),
					 !cases[i].is_own);
	}
}

static void test_what_we_cause_passes_but_its_begin(void **state)
{
	const struct filter_opts opts = { .protocol = FILTER_ACCEPT };
	const struct flow flow = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");
	struct filter *f = filter_new(&opts);
	uint8_t bytes[MESSAGE_MAX];

	(void)state;
	for (int is_filtered = 0; is_filtered < 2; is_filtered++) {
		struct program *p =
			program_of(is_filtered ? f : NULL, QUIET_PORT);

		for (int event = BEGIN; event < N_EVENTS; event++) {
			size_t n = event_of(&flow, event, QUIET_PORT, bytes);

			assert_int_equal(
				bpf_passes(p->insns, p->n, bytes, n, NULL),
				event != BEGIN);
			n = event_of(&flow, event, QUIET_PORT + 1, bytes);
			assert_int_equal(
				bpf_passes(p->insns, p->n, bytes, n, NULL),
				!is_filtered);
		}
		free(p);
	}
	filter_free(f);
}

static void test_what_is_no_event_of_an_entry_passes(void **state)
{
	static const uint16_t types[] = {
		NFNL_SUBSYS_CTNETLINK_EXP << 8 | IPCTNL_MSG_EXP_NEW,
		NFNL_SUBSYS_CTNETLINK_EXP << 8 | IPCTNL_MSG_EXP_DELETE,
		NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
		NLMSG_ERROR,
	};
	const struct filter_opts opts = { .protocol = FILTER_ACCEPT };
	const struct flow flow = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");
	struct filter *f = filter_new(&opts);
	struct program *p = program_of(f, CT_BPF_NO_PORT);
	uint8_t bytes[MESSAGE_MAX];
	size_t n = event_of(&flow, CHANGE, 0, bytes);

	(void)state;
	assert_false(bpf_passes(p->insns, p->n, bytes, n, NULL));
	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		memcpy(bytes + offsetof(struct nlmsghdr, nlmsg_type), &types[i],
		       sizeof(types[i]));
		assert_true(bpf_passes(p->insns, p->n, bytes, n, NULL));
	}
	filter_free(f);
	free(p);
}

/* ---- many networks ------------------------------------------------------- */

/* Hosts of one subnet, all of them, or every other one; or of the whole address
 * space. */
enum spread { NEIGHBOURS, SUBNET, ANYWHERE };

static void fill_nets(struct filter_net *nets, size_t n, enum family family,
		      enum spread spread)
{
	uint64_t seed = 1 + n;

	for (size_t i = 0; i < n; i++) {
		struct filter_net *net = &nets[i];
		const size_t size = addr_size(family);
		const uint32_t host =
			(spread == SUBNET ? 2U : 1U) * (uint32_t)i + 1;

		*net = (struct filter_net){ .family = (uint8_t)family,
					    .prefix_len = (uint8_t)(8 * size) };
		for (size_t b = 0; b < size; b++)
			net->addr.b[b] = (uint8_t)random_next(&seed);
		if (spread != ANYWHERE) {
			memset(net->addr.b, 0xfd, size - 3);
			for (size_t b = 0; b < 3; b++)
				net->addr.b[size - 1 - b] =
					(uint8_t)(host >> 8 * b);
		}
	}
}

/* The address itself, or one beside it. */
static void near_net(struct addr *a, const struct filter_net *net,
		     uint64_t *seed)
{
	const uint64_t r = random_next(seed) >> 32;

	*a = net->addr;
	if (r & 1)
		a->b[r / 2 % addr_size(net->family)] ^=
			(uint8_t)(1 << (r >> 8) % 8);
}

static void agree_on_nets(const struct program *p, const struct filter *f,
			  const struct filter_net *nets, size_t n)
{
	uint64_t seed = 7;
	int n_passed = 0;

	for (size_t i = 0; i < 2000; i++) {
		const struct filter_net *net =
			&nets[i < n ? i : random_next(&seed) % n];
		struct flow flow = { .family = net->family,
				     .l4proto = L4_UDP,
				     .has = FLOW_PORTS | FLOW_REPLY };

		near_net(i & 1 ? &flow.reply.src : &flow.orig.src, net, &seed);
		n_passed += passes(p, f, &flow, CHANGE);
	}
	assert_in_range(n_passed, 500, 1500);
}

static void test_many_addresses_fit_or_are_too_many(void **state)
{
	static const struct {
		size_t n;
		enum family family;
		enum spread spread;
		bool fits;
	} cases[] = {
		{ 1, FAMILY_IPV4, ANYWHERE, true },
		{ 85, FAMILY_IPV4, ANYWHERE, true },
		{ 127, FAMILY_IPV4, ANYWHERE, true },
		{ 128, FAMILY_IPV4, ANYWHERE, true },
		{ 1000, FAMILY_IPV4, ANYWHERE, true },
		{ 10000, FAMILY_IPV4, ANYWHERE, false },
		{ 10000, FAMILY_IPV4, NEIGHBOURS, true },
		{ 1, FAMILY_IPV6, ANYWHERE, true },
		{ 85, FAMILY_IPV6, ANYWHERE, true },
		{ 127, FAMILY_IPV6, ANYWHERE, true },
		{ 128, FAMILY_IPV6, ANYWHERE, true },
		{ 1000, FAMILY_IPV6, ANYWHERE, false },
		{ 1000, FAMILY_IPV6, SUBNET, true },
		{ 10000, FAMILY_IPV6, SUBNET, false },
		{ 10000, FAMILY_IPV6, ANYWHERE, false },
		{ 10000, FAMILY_IPV6, NEIGHBOURS, true },
	};
	static struct filter_net nets[10000];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct filter_opts opts = { .nets = nets,
					    .n_nets = cases[i].n };
		struct filter *f;
		struct program *p;

		fill_nets(nets, cases[i].n, cases[i].family, cases[i].spread);
		for (int action = FILTER_ACCEPT; action <= FILTER_IGNORE;
		     action++) {
			opts.address = action;
			f = filter_new(&opts);
			p = program_of(f, CT_BPF_NO_PORT);
			assert_int_equal(p->insns != NULL, cases[i].fits);
			if (p->insns)
				agree_on_nets(p, f, nets, cases[i].n);
			filter_free(f);
			free(p);
		}
	}
}

/* ---- random filters, random events --------------------------------------- */

enum { NETS_MOST = 40, LINKS_MOST = 4 };

struct world {
	struct filter_net nets[NETS_MOST];
	struct filter_link links[LINKS_MOST];
	struct filter_opts opts;
	struct filter *filter;
	struct program *program;
};

static unsigned int draw(uint64_t *seed, unsigned int below)
{
	return (unsigned int)(random_next(seed) >> 32) % below;
}

static enum family draw_family(uint64_t *seed)
{
	return draw(seed, 2) ? FAMILY_IPV4 : FAMILY_IPV6;
}

/* Few values, so that they are met again. */
static struct addr draw_addr(enum family family, uint64_t *seed)
{
	static const uint8_t bytes[] = { 0, 1, 2, 0x7f, 0x80, 0xff };
	struct addr a = { { 0 } };

	for (size_t i = 0; i < addr_size(family); i++)
		a.b[i] = bytes[draw(seed, i % 4 == 3 ? 6 : 2)];
	return a;
}

static struct filter_link draw_link(uint64_t *seed)
{
	struct filter_link l = { .family = (uint8_t)draw_family(seed),
				 .l4proto = draw(seed, 2) ? L4_UDP : L4_TCP,
				 .port = (uint16_t)draw(seed, 3),
				 .has_local = draw(seed, 4) != 0,
				 .has_remote = draw(seed, 4) != 0 };

	l.local = draw_addr(l.family, seed);
	l.remote = draw_addr(l.family, seed);
	if (draw(seed, 3) == 0)
		l.remote.b[0] = l.family == FAMILY_IPV4 ? 0xe0 : 0xff;
	return l;
}

static void draw_world(struct world *w, uint64_t *seed)
{
	struct filter_opts *o = &w->opts;

	*o = (struct filter_opts){ .protocol = draw(seed, 4) % 3,
				   .address = draw(seed, 3),
				   .state = draw(seed, 3),
				   .tcp_states = (uint16_t)random_next(seed),
				   .nets = w->nets,
				   .n_nets = draw(seed, NETS_MOST + 1),
				   .links = w->links,
				   .n_links = draw(seed, LINKS_MOST + 1) };
	for (size_t i = 0; i < sizeof(o->protocols); i++)
		o->protocols[i] = (uint8_t)random_next(seed);
	for (size_t i = 0; i < o->n_nets; i++) {
		struct filter_net *net = &w->nets[i];

		net->family = (uint8_t)draw_family(seed);
		net->addr = draw_addr(net->family, seed);
		net->prefix_len =
			(uint8_t)(8 * addr_size(net->family) -
				  (draw(seed, 2) ? 0 : draw(seed, 33)));
		if (draw(seed, 40) == 0)
			net->prefix_len = (uint8_t)draw(seed, 33);
	}
	for (size_t i = 0; i < o->n_links; i++)
		w->links[i] = draw_link(seed);
	w->filter = filter_new(o);
	assert_non_null(w->filter);
	w->program = program_of(w->filter, CT_BPF_NO_PORT);
	assert_non_null(w->program->insns);
}

static void end_world(struct world *w)
{
	filter_free(w->filter);
	free(w->program);
}

static void draw_tuple(struct tuple *t, enum family family, uint64_t *seed)
{
	t->src = draw_addr(family, seed);
	t->dst = draw_addr(family, seed);
	t->sport = (uint16_t)draw(seed, 4);
	t->dport = (uint16_t)draw(seed, 4);
}

/* A flow as the kernel may tell of it: with all sorts of attributes, and what
 * the filter looks at from a small world. */
static void draw_flow(struct flow *f, uint64_t *seed)
{
	static const uint8_t protos[] = { L4_TCP,  L4_TCP, L4_UDP,    L4_UDP,
					  L4_ICMP, L4_GRE, L4_ICMPV6, L4_SCTP };
	const uint64_t never = FLOW_HELPER | FLOW_SECCTX | FLOW_PORTS |
			       FLOW_ICMP | FLOW_GRE_KEYS;
	enum family family = draw_family(seed);
	uint64_t has = random_next(seed) & (FLOW_BIT(FLOW_N_LAST) - 1) & ~never;

	random_flow(f, seed, family, has);
	f->l4proto = draw(seed, 8) ? protos[draw(seed, 8)]
				   : (uint8_t)draw(seed, 256);
	if (f->l4proto == L4_ICMP || f->l4proto == L4_ICMPV6)
		f->has |= FLOW_ICMP;
	else if (f->l4proto == L4_GRE)
		f->has |= FLOW_GRE_KEYS;
	else if (draw(seed, 8))
		f->has |= FLOW_PORTS;
	draw_tuple(&f->orig, family, seed);
	draw_tuple(&f->reply, family, seed);
	f->tcp_state =
		(uint8_t)(draw(seed, 16) ? draw(seed, 10) : draw(seed, 256));
	if (draw(seed, 8))
		f->status &= ~(uint32_t)STATUS_NAT_CLASH;
}

static void test_random_events_get_the_verdict_of_the_filter(void **state)
{
	enum { WORLDS = 1000, EVENTS = 100 };
	uint64_t seed = 20260101;
	int n_passed = 0;

	(void)state;
	for (int i = 0; i < WORLDS; i++) {
		struct world w;

		draw_world(&w, &seed);
		for (int k = 0; k < EVENTS; k++) {
			struct flow f;

			draw_flow(&f, &seed);
			n_passed += passes(w.program, w.filter, &f,
					   draw(&seed, N_EVENTS));
		}
		end_world(&w);
	}
	/* neither verdict is rare */
	assert_in_range(n_passed, WORLDS * EVENTS / 5, WORLDS * EVENTS / 2);
}

/* ---- the kernel's word --------------------------------------------------- */

/* A kernel that is not of our byte order reads no lengths of attributes. */
static bool is_emulated(void)
{
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
}

static bool attach(int fd, const struct program *p)
{
	const struct sock_fprog program = { (unsigned short)p->n, p->insns };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program)) == 0;
}

/* Linux runs the filter of a socket, whatever its family, over what is sent. */
static bool passes_in_kernel(const int fds[2], const uint8_t *bytes, size_t n)
{
	uint8_t got[MESSAGE_MAX];

	assert_int_equal(send(fds[0], bytes, n, 0), n);
	return recv(fds[1], got, sizeof(got), MSG_DONTWAIT) == (ssize_t)n;
}

static void test_the_kernel_runs_it_as_we_do(void **state)
{
	enum { WORLDS = 100, EVENTS = 100 };
	uint64_t seed = 4;

	(void)state;
	if (is_emulated())
		skip();
	for (int i = 0; i < WORLDS; i++) {
		struct world w;
		int fds[2];

		draw_world(&w, &seed);
		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
		assert_true(attach(fds[1], w.program));
		for (int k = 0; k < EVENTS; k++) {
			enum event event = draw(&seed, N_EVENTS);
			uint8_t bytes[MESSAGE_MAX];
			struct flow f;
			size_t n;

			draw_flow(&f, &seed);
			n = event_of(&f, event, 0, bytes);
			assert_int_equal(
				passes_in_kernel(fds, bytes, n),
				is_accepted(w.filter, event, bytes, n));
		}
		close(fds[0]);
		close(fds[1]);
		end_world(&w);
	}
}

/* ---- limits -------------------------------------------------------------- */

static void test_the_length_does_not_depend_on_the_port(void **state)
{
	struct world w;
	struct program *p;
	uint64_t seed = 5;

	(void)state;
	draw_world(&w, &seed);
	p = program_of(w.filter, QUIET_PORT);
	assert_int_equal(p->n, w.program->n);
	free(p);
	end_world(&w);
}

static void test_without_memory_there_is_no_program(void **state)
{
	struct sock_filter *insns = calloc(CT_BPF_MAX, sizeof(*insns));
	struct ct_bpf_opts o = { .quiet_port = CT_BPF_NO_PORT };
	struct world w;
	uint64_t seed = 5;
	size_t n;

	(void)state;
	assert_non_null(insns);
	draw_world(&w, &seed);
	o.filter = w.filter;
	for (n = 0;; n++) {
		uint32_t len;

		alloc_fail_after(n);
		len = ct_bpf_make(&o, insns);
		if (!alloc_fail_off()) {
			assert_int_equal(len, w.program->n);
			break;
		}
		assert_int_equal(len, 0);
	}
	assert_true(n > 0);
	free(insns);
	end_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_without_sets_all_passes_but_what_has_lost_a_clash),
		cmocka_unit_test(test_each_protocol_is_accepted_or_ignored),
		cmocka_unit_test(
			test_the_state_of_a_tcp_flow_counts_until_it_ends),
		cmocka_unit_test(test_an_address_is_listed_by_its_prefix),
		cmocka_unit_test(test_source_and_source_of_the_replies_count),
		cmocka_unit_test(
			test_a_family_that_is_not_listed_does_not_pass_accept),
		cmocka_unit_test(test_own_traffic_never_passes),
		cmocka_unit_test(test_what_we_cause_passes_but_its_begin),
		cmocka_unit_test(test_what_is_no_event_of_an_entry_passes),
		cmocka_unit_test(test_many_addresses_fit_or_are_too_many),
		cmocka_unit_test(
			test_random_events_get_the_verdict_of_the_filter),
		cmocka_unit_test(test_the_kernel_runs_it_as_we_do),
		cmocka_unit_test(test_the_length_does_not_depend_on_the_port),
		cmocka_unit_test(test_without_memory_there_is_no_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
