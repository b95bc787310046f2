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

#include "ct_golden.h"
#include "ct_text.h"
#include "netlink/ct_codec.h"
#include "netlink/ct_rows.h"
#include "netlink/nlmsg.h"
#include "random_flow.h"

enum { HDR = 20, MESSAGE_MAX = 2048 }; /* netlink and nfnetlink header */

struct message {
	uint8_t bytes[MESSAGE_MAX];
	size_t n;
};

static struct ct_codec codec;

static int set_up(void **state)
{
	(void)state;
	codec.helpers = names_new(100, 31);
	codec.contexts = names_new(100, 255);
	return !codec.helpers || !codec.contexts;
}

static int tear_down(void **state)
{
	(void)state;
	names_free(codec.helpers);
	names_free(codec.contexts);
	return 0;
}

static bool decode(const uint8_t *bytes, size_t n, struct flow *f)
{
	struct rd d = { bytes, n };
	struct nlmsg m;

	return nlmsg_next(&d, &m) == NLMSG_STEP_ITEM &&
	       ct_decode(&codec, m.body, f);
}

static struct message encode(enum kernel_op op, const struct flow *f)
{
	struct message m;
	struct wr w = { m.bytes, sizeof(m.bytes), 0, false };

	assert_true(ct_encode(&codec, op, f, 1, &w));
	assert_false(w.full);
	m.n = w.used;
	return m;
}

static struct message report(const struct flow *f)
{
	struct message m;
	struct wr w = { m.bytes, sizeof(m.bytes), 0, false };

	assert_true(ct_encode_report(&codec, f, 1, &w));
	assert_false(w.full);
	m.n = w.used;
	return m;
}

/* Finds the attribute at a path of types that ends with 0, or false. */
static bool find(const struct message *m, const uint16_t *path, struct rd *out)
{
	struct rd at = { m->bytes + HDR, m->n - HDR };
	struct nlmsg_attr a;

	for (; *path; path++) {
		do
			if (nlmsg_attr_next(&at, &a) != NLMSG_STEP_ITEM)
				return false;
		while (a.type != *path);
		at = a.body;
	}
	*out = at;
	return true;
}

#define PATH(...) ((const uint16_t[]){ __VA_ARGS__, 0 })

static bool has(const struct message *m, const uint16_t *path)
{
	struct rd body;

	return find(m, path, &body);
}

static uint64_t number(const struct message *m, const uint16_t *path)
{
	struct rd body;
	uint64_t value = 0;

	assert_true(find(m, path, &body));
	while (body.left) {
		value = value << 8 | *body.at;
		assert_true(rd_skip(&body, 1));
	}
	return value;
}

/* The message of a golden row in the byte order of this machine. */
static uint8_t *golden_bytes(const struct ct_golden *g, size_t *n)
{
	uint8_t *bytes = ct_unhex(g->hex, n);

	assert_non_null(bytes);
	ct_to_native(bytes, *n);
	return bytes;
}

static const struct ct_golden *golden(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(ct_golden); i++)
		if (!strcmp(ct_golden[i].name, name))
			return &ct_golden[i];
	fail_msg("no golden message %s", name);
	return NULL;
}

static void golden_flow(const char *name, struct flow *f)
{
	size_t n;
	uint8_t *bytes = golden_bytes(golden(name), &n);

	memset(f, 0, sizeof(*f));
	assert_true(decode(bytes, n, f));
	free(bytes);
}

static void test_messages_of_the_kernel_are_understood(void **state)
{
	char text[1024];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(ct_golden); i++) {
		struct flow f;
		size_t n;
		uint8_t *bytes = golden_bytes(&ct_golden[i], &n);

		memset(&f, 0xaa, sizeof(f)); /* what a decoder must clear */
		assert_true(decode(bytes, n, &f));
		ct_text(&f, codec.helpers, text, sizeof(text));
		assert_string_equal(text, ct_golden[i].text);
		free(bytes);
	}
}

/* Ends of top-level attributes, with or without padding, up to n. */
static bool is_attr_end(const uint8_t *bytes, size_t n)
{
	size_t at = HDR;
	uint16_t len;

	while (at < n) {
		memcpy(&len, bytes + at, sizeof(len));
		if (n >= at + len && n < at + ((len + 3U) & ~3U))
			return true;
		at += (len + 3U) & ~3U;
	}
	return at == n;
}

static void test_every_prefix_is_judged_without_overread(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(ct_golden); i++) {
		size_t size, first;
		uint8_t *bytes = golden_bytes(&ct_golden[i], &size);
		uint16_t len;

		memcpy(&len, bytes + HDR, sizeof(len));
		first = HDR + len; /* the original tuple: the key */
		for (size_t n = HDR - 4; n <= size; n++) {
			struct rd body = { malloc(n), n - (HDR - 4) };
			uint8_t *exact = (uint8_t *)(uintptr_t)body.at;
			struct flow f;

			memcpy(exact, bytes, n);
			body.at += HDR - 4;
			assert_int_equal(ct_decode(&codec, body, &f),
					 n >= first && is_attr_end(bytes, n));
			free(exact);
		}
		free(bytes);
	}
}

static void test_every_bit_flip_is_judged_without_overread(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(ct_golden); i++) {
		size_t n;
		uint8_t *bytes = golden_bytes(&ct_golden[i], &n);

		for (size_t bit = 0; bit < 8 * n; bit++) {
			struct flow f, again;
			struct message a, b;

			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (decode(bytes, n, &f)) {
				a = report(&f);
				assert_true(decode(a.bytes, a.n, &again));
				b = report(&again);
				assert_int_equal(a.n, b.n);
				assert_memory_equal(a.bytes, b.bytes, a.n);
			}
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		free(bytes);
	}
}

/* A flow as the kernel could report it. */
static void kernel_flow(struct flow *f, uint64_t *seed, uint8_t l4proto)
{
	uint64_t bits = random_next(seed) & (FLOW_BIT(FLOW_N_LAST) - 1);
	uint64_t parts = l4proto == L4_ICMP || l4proto == L4_ICMPV6 ? FLOW_ICMP
			 : l4proto == L4_GRE ? FLOW_GRE_KEYS
			 : l4proto == 50     ? 0
					     : FLOW_PORTS;

	bits &= ~(FLOW_PORTS | FLOW_ICMP | FLOW_GRE_KEYS);
	if (!(bits & FLOW_MASTER))
		bits &= ~FLOW_MASTER_PORTS;
	if (bits & FLOW_ZONE_ORIG)
		bits &= ~FLOW_ZONE_REPLY;
	random_flow(f, seed,
		    random_next(seed) >> 63 ? FAMILY_IPV4 : FAMILY_IPV6,
		    bits | parts);
	f->l4proto = l4proto;
	if (f->has & (FLOW_ZONE_ORIG | FLOW_ZONE_REPLY))
		f->zone = 0;
	if (f->has & FLOW_MASTER)
		f->master.l4proto = f->has & FLOW_MASTER_PORTS ? L4_TCP : 50;
	if (f->has & FLOW_HELPER)
		f->helper = names_intern(codec.helpers, "ftp-20000", 9);
	if (f->has & FLOW_SECCTX)
		f->secctx = names_intern(codec.contexts, "system_u:t", 10);
}

static void test_what_is_reported_is_read_back(void **state)
{
	static const uint8_t protocols[] = { L4_TCP,  L4_UDP,    L4_UDPLITE,
					     L4_SCTP, L4_DCCP,   L4_GRE,
					     L4_ICMP, L4_ICMPV6, 50 };
	uint64_t seed = 4711;

	(void)state;
	for (size_t i = 0; i < 2000 * N_ELEMENTS(protocols); i++) {
		struct flow f, back;
		struct message m;

		kernel_flow(&f, &seed, protocols[i % N_ELEMENTS(protocols)]);
		memset(&back, 0, sizeof(back));
		m = report(&f);
		assert_true(decode(m.bytes, m.n, &back));
		assert_int_equal(back.has, f.has);
		assert_memory_equal(&back, &f, sizeof(f));
	}
}

/* Appends one attribute to a golden message, then tries to read it. */
static bool decode_with(const char *name, uint16_t type, const void *payload,
			size_t size, struct flow *f)
{
	size_t n;
	uint8_t *bytes = golden_bytes(golden(name), &n);
	struct message m;
	struct wr w = { m.bytes, sizeof(m.bytes), 0, false };
	bool is_good;

	wr_bytes(&w, bytes, n);
	nlmsg_put(&w, type, payload, size);
	nlmsg_end(&w, 0);
	is_good = decode(m.bytes, w.used, f);
	free(bytes);
	return is_good;
}

static void test_attributes_may_grow_but_not_shrink(void **state)
{
	static const uint8_t zeros[24] = { 0 };
	static const struct {
		uint16_t type;
		size_t width;
	} cases[] = {
		{ CTA_STATUS, 4 }, { CTA_TIMEOUT, 4 }, { CTA_MARK, 4 },
		{ CTA_USE, 4 },    { CTA_ID, 4 },      { CTA_SECMARK, 4 },
		{ CTA_ZONE, 2 },   { CTA_LABELS, 16 },
	};
	struct flow f;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		for (size_t n = 0; n < cases[i].width; n++)
			assert_false(decode_with("tcp4", cases[i].type, zeros,
						 n, &f));
		assert_true(decode_with("tcp4", cases[i].type, zeros,
					cases[i].width, &f));
		assert_true(decode_with("tcp4", cases[i].type, zeros,
					cases[i].width + 8, &f));
	}
}

static void test_unknown_attributes_are_skipped(void **state)
{
	struct flow f;
	char text[1024];

	(void)state;
	for (uint16_t type = CTA_MARK_MASK; type < 300; type++) {
		if (type == CTA_LABELS || type == CTA_SYNPROXY)
			continue;
		assert_true(decode_with("tcp4", type, "??", 2, &f));
		ct_text(&f, codec.helpers, text, sizeof(text));
		assert_string_equal(text, golden("tcp4")->text);
	}
}

static void test_part_of_a_group_is_not_known(void **state)
{
	static const uint8_t word[4] = { 0, 0, 0, 9 };
	uint8_t nest[64];
	struct wr w = { nest, sizeof(nest), 0, false };
	struct flow f;

	(void)state;
	nlmsg_put(&w, CTA_SEQADJ_CORRECTION_POS, word, 4);
	nlmsg_put(&w, CTA_SEQADJ_OFFSET_AFTER, word, 4);
	assert_true(decode_with("tcp4", CTA_SEQ_ADJ_ORIG, nest, w.used, &f));
	assert_false(f.has & FLOW_SEQADJ_ORIG);
	nlmsg_put(&w, CTA_SEQADJ_OFFSET_BEFORE, word, 4);
	assert_true(decode_with("tcp4", CTA_SEQ_ADJ_ORIG, nest, w.used, &f));
	assert_true(f.has & FLOW_SEQADJ_ORIG);
}

static void test_without_a_key_there_is_no_flow(void **state)
{
	static const uint8_t addr[16] = { 10, 0, 0, 1 };
	static const struct {
		bool is_good;
		uint8_t src, src_len, dst, dst_len, proto;
	} cases[] = {
		{ true, CTA_IP_V4_SRC, 4, CTA_IP_V4_DST, 4, CTA_PROTO_NUM },
		{ true, CTA_IP_V6_SRC, 16, CTA_IP_V6_DST, 16, CTA_PROTO_NUM },
		{ false, CTA_IP_V4_SRC, 4, CTA_IP_V4_SRC, 4, CTA_PROTO_NUM },
		{ false, CTA_IP_V4_SRC, 4, CTA_IP_V6_DST, 16, CTA_PROTO_NUM },
		{ false, CTA_IP_V6_SRC, 4, CTA_IP_V6_DST, 16, CTA_PROTO_NUM },
		{ false, CTA_IP_V4_SRC, 4, CTA_IP_V4_DST, 4, 30 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint8_t bytes[128] = { 0 };
		struct wr w = { bytes, sizeof(bytes), 4, false };
		size_t tuple = nlmsg_nest_begin(&w, CTA_TUPLE_ORIG), nest;
		struct flow f;

		nest = nlmsg_nest_begin(&w, CTA_TUPLE_IP);
		nlmsg_put(&w, cases[i].src, addr, cases[i].src_len);
		nlmsg_put(&w, cases[i].dst, addr, cases[i].dst_len);
		nlmsg_nest_end(&w, nest);
		nest = nlmsg_nest_begin(&w, CTA_TUPLE_PROTO);
		nlmsg_put(&w, cases[i].proto, "\x06", 1);
		nlmsg_nest_end(&w, nest);
		nlmsg_nest_end(&w, tuple);
		assert_int_equal(
			ct_decode(&codec, (struct rd){ bytes, w.used }, &f),
			cases[i].is_good);
	}
}

static void test_of_repeated_tuples_the_last_counts(void **state)
{
	struct rd tuple;
	struct message four, six;
	struct wr w;
	struct flow f;

	(void)state;
	golden_flow("udp4-snat", &f);
	four = report(&f);
	golden_flow("udp6-dnat", &f);
	six = encode(KERNEL_GET, &f);
	assert_true(find(&four, PATH(CTA_TUPLE_ORIG), &tuple));
	w = (struct wr){ six.bytes, sizeof(six.bytes), six.n, false };
	nlmsg_put(&w, CTA_TUPLE_ORIG, tuple.at, tuple.left);
	nlmsg_end(&w, 0);
	assert_true(decode(six.bytes, w.used, &f));
	assert_int_equal(f.family, FAMILY_IPV4);
	for (size_t i = 4; i < sizeof(f.orig.src.b); i++)
		assert_int_equal(f.orig.src.b[i] | f.orig.dst.b[i], 0);
}

static void test_names_that_cannot_be_kept_are_left_out(void **state)
{
	struct ct_codec full = { .helpers = names_new(1, 31) };
	struct flow f;
	size_t n;
	uint8_t *bytes = golden_bytes(golden("tcp4-all"), &n);
	const struct rd body = { bytes + HDR - 4, n - (HDR - 4) };

	(void)state;
	assert_int_equal(names_intern(full.helpers, "sip", 3), 1);
	assert_true(ct_decode(&full, body, &f));
	assert_false(f.has & FLOW_HELPER);
	names_free(full.helpers);
	full.helpers = NULL;
	assert_true(ct_decode(&full, body, &f));
	assert_false(f.has & FLOW_HELPER);
	free(bytes);
}

static void test_requests_carry_what_the_kernel_takes(void **state)
{
	static const struct {
		const char *what;
		uint16_t path[4];
		const char *ops; /* of c, u, d, g */
	} cases[] = {
		{ "key", { CTA_TUPLE_ORIG, CTA_TUPLE_IP }, "cudg" },
		{ "ports",
		  { CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_SRC_PORT },
		  "cudg" },
		{ "reply", { CTA_TUPLE_REPLY, CTA_TUPLE_PROTO }, "c" },
		{ "status", { CTA_STATUS }, "cu" },
		{ "timeout", { CTA_TIMEOUT }, "cu" },
		{ "mark", { CTA_MARK }, "cu" },
		{ "state",
		  { CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE },
		  "cu" },
		{ "helper", { CTA_HELP, CTA_HELP_NAME }, "c" },
		{ "labels", { CTA_LABELS }, "cu" },
		{ "sequence", { CTA_SEQ_ADJ_ORIG }, "cu" },
		{ "sequence", { CTA_SEQ_ADJ_REPLY }, "cu" },
		{ "synproxy", { CTA_SYNPROXY, CTA_SYNPROXY_ISN }, "cu" },
		{ "source NAT", { CTA_NAT_SRC, CTA_NAT_V4_MINIP }, "c" },
		{ "destination NAT", { CTA_NAT_DST }, "" },
		{ "master", { CTA_TUPLE_MASTER, CTA_TUPLE_IP }, "c" },
		{ "zone", { CTA_ZONE }, "cudg" },
		{ "id", { CTA_ID }, "d" },
		{ "use", { CTA_USE }, "" },
		{ "counters", { CTA_COUNTERS_ORIG }, "" },
		{ "times", { CTA_TIMESTAMP }, "" },
		{ "security mark", { CTA_SECMARK }, "" },
		{ "security context", { CTA_SECCTX }, "" },
	};
	static const char letters[] = "cudg";
	struct flow f;

	(void)state;
	golden_flow("tcp4-all", &f);
	f.zone = 7;
	f.has |= FLOW_MASTER | FLOW_MASTER_PORTS | FLOW_SECMARK | FLOW_SECCTX;
	f.master.l4proto = L4_TCP;
	for (unsigned int op = KERNEL_CREATE; op <= KERNEL_GET; op++) {
		struct message m = encode(op, &f);

		for (size_t i = 0; i < N_ELEMENTS(cases); i++)
			if (has(&m, cases[i].path) !=
			    !!strchr(cases[i].ops, letters[op]))
				fail_msg("%s, request %c", cases[i].what,
					 letters[op]);
	}
}

static void test_requests_have_type_flags_and_family(void **state)
{
	static const struct {
		enum kernel_op op;
		uint16_t type, flags;
	} cases[] = {
		{ KERNEL_CREATE, 0x100,
		  NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL },
		{ KERNEL_UPDATE, 0x100, NLM_F_REQUEST },
		{ KERNEL_GET, 0x101, NLM_F_REQUEST },
		{ KERNEL_DELETE, 0x102, NLM_F_REQUEST },
	};
	struct flow f;

	(void)state;
	golden_flow("tcp6-snat-port", &f);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct message m = encode(cases[i].op, &f);
		struct rd d = { m.bytes, m.n };
		struct nlmsg n;

		assert_int_equal(nlmsg_next(&d, &n), NLMSG_STEP_ITEM);
		assert_int_equal(n.type, cases[i].type);
		assert_int_equal(n.flags, cases[i].flags);
		assert_int_equal(n.body.at[0], FAMILY_IPV6);
		assert_int_equal(d.left, 0);
	}
}

static void test_a_new_entry_gets_reply_and_translation_apart(void **state)
{
	struct flow f;
	struct message m;

	(void)state;
	golden_flow("udp4-both", &f);
	m = encode(KERNEL_CREATE, &f);
	assert_int_equal(
		number(&m, PATH(CTA_TUPLE_REPLY, CTA_TUPLE_IP, CTA_IP_V4_DST)),
		0x0a000001);
	assert_int_equal(number(&m, PATH(CTA_TUPLE_REPLY, CTA_TUPLE_PROTO,
					 CTA_PROTO_SRC_PORT)),
			 53);
	assert_int_equal(number(&m, PATH(CTA_NAT_SRC, CTA_NAT_V4_MINIP)),
			 0xc0000201);
	assert_int_equal(number(&m, PATH(CTA_NAT_SRC, CTA_NAT_PROTO,
					 CTA_PROTONAT_PORT_MIN)),
			 1003);
	assert_int_equal(number(&m, PATH(CTA_NAT_DST, CTA_NAT_V4_MINIP)),
			 0x0a090007);
	assert_int_equal(number(&m, PATH(CTA_NAT_DST, CTA_NAT_PROTO,
					 CTA_PROTONAT_PORT_MIN)),
			 5353);
}

static void test_every_form_of_translation_is_named(void **state)
{
	static const struct {
		const char *name;
		uint16_t nat, addr; /* 0: only the port */
		unsigned int port;  /* 0: none */
	} cases[] = {
		{ "tcp4-snat-port", CTA_NAT_SRC, CTA_NAT_V4_MINIP, 4000 },
		{ "tcp6-snat-port", CTA_NAT_SRC, CTA_NAT_V6_MINIP, 4001 },
		{ "udp4-snat", CTA_NAT_SRC, CTA_NAT_V4_MINIP, 1001 },
		{ "udp4-port-only", CTA_NAT_SRC, 0, 4004 },
		{ "udp4-dnat-port", CTA_NAT_DST, CTA_NAT_V4_MINIP, 5353 },
		{ "udp6-dnat", CTA_NAT_DST, CTA_NAT_V6_MINIP, 80 },
		{ "icmp4-snat-id", CTA_NAT_SRC, CTA_NAT_V4_MINIP, 999 },
		{ "icmp6-snat", CTA_NAT_SRC, CTA_NAT_V6_MINIP, 78 },
		{ "sctp4-snat", CTA_NAT_SRC, CTA_NAT_V4_MINIP, 4002 },
		{ "gre4-snat", CTA_NAT_SRC, CTA_NAT_V4_MINIP, 5 },
		{ "esp6-snat", CTA_NAT_SRC, CTA_NAT_V6_MINIP, 0 },
	};
	struct message untranslated;
	struct flow f;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const uint16_t nat = cases[i].nat;
		const uint16_t *port =
			PATH(nat, CTA_NAT_PROTO, CTA_PROTONAT_PORT_MIN);
		struct message m;

		golden_flow(cases[i].name, &f);
		m = encode(KERNEL_CREATE, &f);
		assert_false(has(&m, PATH(CTA_NAT_SRC + CTA_NAT_DST - nat)));
		assert_int_equal(has(&m, PATH(nat, CTA_NAT_V4_MINIP)),
				 cases[i].addr == CTA_NAT_V4_MINIP);
		assert_int_equal(has(&m, PATH(nat, CTA_NAT_V6_MINIP)),
				 cases[i].addr == CTA_NAT_V6_MINIP);
		assert_int_equal(has(&m, port), cases[i].port != 0);
		if (cases[i].port)
			assert_int_equal(number(&m, port), cases[i].port);
	}
	golden_flow("tcp4", &f);
	untranslated = encode(KERNEL_CREATE, &f);
	assert_false(has(&untranslated, PATH(CTA_NAT_SRC)));
	assert_false(has(&untranslated, PATH(CTA_NAT_DST)));
}

static void test_the_status_never_has_what_the_kernel_refuses(void **state)
{
	static const struct {
		enum kernel_op op;
		uint32_t status, sent;
	} cases[] = {
		{ KERNEL_CREATE, 0, STATUS_CONFIRMED },
		{ KERNEL_CREATE, 0xffff, 0xffff & ~0xda01 },
		{ KERNEL_UPDATE, 0xffff, 0xffff & ~0xda00 },
		{ KERNEL_UPDATE, STATUS_EXPECTED,
		  STATUS_EXPECTED | STATUS_CONFIRMED },
		{ KERNEL_CREATE, STATUS_OFFLOAD | STATUS_ASSURED,
		  STATUS_CONFIRMED | STATUS_ASSURED },
	};
	struct flow f;
	struct message m;

	(void)state;
	golden_flow("udp4-snat", &f);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		f.status = cases[i].status;
		m = encode(cases[i].op, &f);
		assert_int_equal(number(&m, PATH(CTA_STATUS)), cases[i].sent);
	}
	f.has &= ~FLOW_STATUS;
	m = encode(KERNEL_CREATE, &f);
	assert_false(has(&m, PATH(CTA_STATUS)));
}

static void test_a_fixed_timeout_is_not_updated(void **state)
{
	struct flow f;
	struct message m;

	(void)state;
	golden_flow("udp4-snat", &f);
	f.status |= STATUS_FIXED_TIMEOUT;
	m = encode(KERNEL_UPDATE, &f);
	assert_false(has(&m, PATH(CTA_TIMEOUT)));
	m = encode(KERNEL_CREATE, &f);
	assert_true(has(&m, PATH(CTA_TIMEOUT)));
}

static void test_tcp_flags_follow_scales_and_tracking(void **state)
{
	static const struct {
		bool tracking, has_flags;
		int scale_orig, scale_reply; /* -1: not known */
		unsigned int flags, sent;
	} cases[] = {
		{ false, false, -1, -1, 0, 0x0808 },
		{ false, false, 7, -1, 0, 0x0808 },
		{ false, false, 7, 14, 0, 0x0909 },
		{ false, false, 7, 15, 0, 0x0808 }, /* ERANGE */
		{ false, true, 7, 8, 0xff, 0x0f0f },
		{ true, false, -1, -1, 0, 0 },
		{ true, false, 0, 0, 0, 0x0101 },
		{ true, true, -1, 3, 0x23, 0x0202 },
	};
	const uint16_t *flags_path = PATH(CTA_PROTOINFO, CTA_PROTOINFO_TCP,
					  CTA_PROTOINFO_TCP_FLAGS_ORIGINAL);
	const uint16_t *scale_path = PATH(CTA_PROTOINFO, CTA_PROTOINFO_TCP,
					  CTA_PROTOINFO_TCP_WSCALE_REPLY);

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct message m;
		struct flow f;

		golden_flow("tcp4", &f);
		f.has &= ~(FLOW_TCP_WSCALE_ORIG | FLOW_TCP_WSCALE_REPLY);
		if (!cases[i].has_flags)
			f.has &= ~(FLOW_TCP_FLAGS_ORIG | FLOW_TCP_FLAGS_REPLY);
		f.has |= cases[i].scale_orig >= 0 ? FLOW_TCP_WSCALE_ORIG : 0;
		f.has |= cases[i].scale_reply >= 0 ? FLOW_TCP_WSCALE_REPLY : 0;
		f.tcp_wscale_orig = (uint8_t)cases[i].scale_orig;
		f.tcp_wscale_reply = (uint8_t)cases[i].scale_reply;
		f.tcp_flags_orig = (uint8_t)cases[i].flags;
		codec.tcp_window_tracking = cases[i].tracking;
		m = encode(KERNEL_CREATE, &f);
		assert_int_equal(number(&m, flags_path), cases[i].sent);
		assert_int_equal(has(&m, scale_path),
				 cases[i].sent & TCP_FLAG_WINDOW_SCALE &&
					 cases[i].scale_reply >= 0);
	}
	codec.tcp_window_tracking = false;
}

static void test_protocol_data_is_sent_whole_and_to_its_protocol(void **state)
{
	struct flow f;
	struct message m;

	(void)state;
	golden_flow("sctp4-snat", &f);
	m = encode(KERNEL_CREATE, &f);
	assert_true(has(&m, PATH(CTA_PROTOINFO, CTA_PROTOINFO_SCTP)));
	f.has &= ~FLOW_SCTP_VTAG_REPLY; /* the kernel: EINVAL */
	m = encode(KERNEL_CREATE, &f);
	assert_false(has(&m, PATH(CTA_PROTOINFO)));

	golden_flow("udp4-snat", &f);
	f.has |= FLOW_TCP_STATE | FLOW_DCCP_STATE | FLOW_DCCP_ROLE;
	m = encode(KERNEL_CREATE, &f);
	assert_false(has(&m, PATH(CTA_PROTOINFO)));
	f.l4proto = L4_DCCP;
	m = encode(KERNEL_CREATE, &f);
	assert_true(has(&m, PATH(CTA_PROTOINFO, CTA_PROTOINFO_DCCP)));
	assert_false(has(&m, PATH(CTA_PROTOINFO, CTA_PROTOINFO_TCP)));
}

static void test_ports_that_a_peer_did_not_send_are_zero(void **state)
{
	const uint16_t *path =
		PATH(CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_SRC_PORT);
	struct flow f;
	struct message m;

	(void)state;
	golden_flow("gre4", &f);
	m = encode(KERNEL_CREATE, &f);
	assert_int_equal(number(&m, path), 0x1234);
	f.has &= ~FLOW_GRE_KEYS;
	m = encode(KERNEL_CREATE, &f);
	assert_int_equal(number(&m, path), 0);
	golden_flow("esp4", &f);
	m = encode(KERNEL_CREATE, &f);
	assert_false(has(&m, path));
}

static void test_a_zone_of_one_direction_stands_in_its_tuple(void **state)
{
	struct flow f;
	struct message m;

	(void)state;
	golden_flow("udp4-zone-reply", &f);
	m = encode(KERNEL_CREATE, &f);
	assert_int_equal(number(&m, PATH(CTA_TUPLE_REPLY, CTA_TUPLE_ZONE)), 9);
	assert_false(has(&m, PATH(CTA_ZONE)));
	assert_false(has(&m, PATH(CTA_TUPLE_ORIG, CTA_TUPLE_ZONE)));
	golden_flow("udp4-zone-orig", &f);
	m = encode(KERNEL_DELETE, &f);
	assert_int_equal(number(&m, PATH(CTA_TUPLE_ORIG, CTA_TUPLE_ZONE)), 9);
	assert_false(has(&m, PATH(CTA_TUPLE_REPLY)));

	/* both directions in one zone: how the kernel never says it */
	golden_flow("udp4-zone-orig", &f);
	f.has |= FLOW_ZONE_REPLY;
	f.zone_reply = 9;
	m = report(&f);
	assert_true(decode(m.bytes, m.n, &f));
	assert_int_equal(f.zone, 9);
	assert_false(f.has & (FLOW_ZONE_ORIG | FLOW_ZONE_REPLY));
}

static void test_a_flow_without_a_key_is_never_written(void **state)
{
	const struct flow none = { .has = FLOW_TIMEOUT };
	struct message m;
	struct wr w = { m.bytes, sizeof(m.bytes), 0, false };

	(void)state;
	assert_false(ct_encode(&codec, KERNEL_DELETE, &none, 1, &w));
	assert_false(ct_encode_report(&codec, &none, 1, &w));
	assert_int_equal(w.used, 0);
}

static void test_a_buffer_too_small_becomes_full(void **state)
{
	struct flow f;
	size_t whole;

	(void)state;
	golden_flow("tcp4-all", &f);
	whole = encode(KERNEL_CREATE, &f).n;
	for (size_t size = 0; size < whole; size++) {
		uint8_t *exact = calloc(1, size + !size);
		struct wr w = { exact, size, 0, false };

		assert_true(ct_encode(&codec, KERNEL_CREATE, &f, 1, &w));
		assert_true(w.full);
		free(exact);
	}
}

static void test_the_dump_request_asks_for_everything(void **state)
{
	uint8_t bytes[HDR];
	struct wr w = { bytes, sizeof(bytes), 0, false };
	struct rd d;
	struct nlmsg m;

	(void)state;
	ct_encode_dump(9, &w);
	assert_false(w.full);
	d = (struct rd){ bytes, w.used };
	assert_int_equal(nlmsg_next(&d, &m), NLMSG_STEP_ITEM);
	assert_int_equal(m.type, 0x101);
	assert_int_equal(m.flags, NLM_F_REQUEST | NLM_F_DUMP);
	assert_int_equal(m.body.left, 4);
	assert_int_equal(m.body.at[0], 0);
}

static size_t width_of(enum ct_kind kind)
{
	static const size_t widths[] = {
		[CT_U8] = 1,      [CT_BE16] = 2,    [CT_BE32] = 4,
		[CT_BE64] = 8,    [CT_ADDR4] = 16,  [CT_ADDR16] = 16,
		[CT_FLAGS] = 1,   [CT_LABELS] = 16, [CT_HELPER] = 2,
		[CT_CONTEXT] = 2,
	};

	return kind < N_ELEMENTS(widths) ? widths[kind] : 0;
}

static bool overlap(const struct ct_row *a, const struct ct_row *b)
{
	/* an address is IPv4 or IPv6, an ICMP tuple of one version */
	if ((a->bit == CT_N_IPV4 && b->bit == CT_N_IPV6) ||
	    (a->bit == CT_N_ICMP && b->bit == CT_N_ICMPV6))
		return false;
	return !a->nest && !b->nest && a->offset < b->offset + b->size &&
	       b->offset < a->offset + a->size;
}

/* The types of this table whose rows have this bit; 0 if it is one only. */
static unsigned int group_of(const struct ct_table *t, uint8_t bit)
{
	unsigned int set = 0;

	for (unsigned int i = 0; i < t->n_rows; i++)
		if (t->rows[i].ops & CT_IN && t->rows[i].bit == bit)
			set |= 1U << i;
	return set & (set - 1) ? set : 0;
}

/* Checks one table and what is nested in it; collects the bits of struct flow
 * that single rows have. *depth guards against a table within itself. */
static void walk_table(const struct ct_table *t, uint64_t *single, int depth)
{
	assert_true(depth < 5);
	assert_true(t->n_rows <= 64); /* decode_rows() keeps a 64-bit set */
	for (unsigned int i = 0; i < t->n_rows; i++) {
		const struct ct_row *row = &t->rows[i];
		bool is_nest = row->kind == CT_NEST || row->kind == CT_SIDE;

		if (!row->ops) {
			assert_int_equal(row->kind, CT_SKIP);
			continue;
		}
		assert_int_not_equal(i, 0); /* no attribute has type 0 */
		assert_int_equal(is_nest, row->nest != NULL);
		if (is_nest) {
			walk_table(row->nest, single, depth + 1);
		} else {
			assert_int_equal(row->size, width_of(row->kind));
			assert_int_not_equal(row->bit, CT_N_NONE);
			assert_int_equal(row->group, group_of(t, row->bit));
		}
		if (row->bit < FLOW_N_LAST && !row->group) {
			assert_false(*single & FLOW_BIT(row->bit));
			*single |= FLOW_BIT(row->bit);
		}
		for (unsigned int j = i + 1; j < t->n_rows; j++)
			assert_false(t->rows[j].ops &&
				     overlap(row, &t->rows[j]));
	}
}

static void test_tables_are_sound(void **state)
{
	const uint64_t by_tuple = FLOW_PORTS | FLOW_ICMP | FLOW_GRE_KEYS |
				  FLOW_REPLY | FLOW_MASTER | FLOW_MASTER_PORTS |
				  FLOW_ZONE_ORIG | FLOW_ZONE_REPLY;
	uint64_t single = FLOW_SYNPROXY; /* a group of three rows */

	(void)state;
	walk_table(&ct_message_table, &single, 0);
	assert_int_equal(single | by_tuple, FLOW_BIT(FLOW_N_LAST) - 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_of_the_kernel_are_understood),
		cmocka_unit_test(test_every_prefix_is_judged_without_overread),
		cmocka_unit_test(
			test_every_bit_flip_is_judged_without_overread),
		cmocka_unit_test(test_what_is_reported_is_read_back),
		cmocka_unit_test(test_attributes_may_grow_but_not_shrink),
		cmocka_unit_test(test_unknown_attributes_are_skipped),
		cmocka_unit_test(test_part_of_a_group_is_not_known),
		cmocka_unit_test(test_without_a_key_there_is_no_flow),
		cmocka_unit_test(test_of_repeated_tuples_the_last_counts),
		cmocka_unit_test(test_names_that_cannot_be_kept_are_left_out),
		cmocka_unit_test(test_requests_carry_what_the_kernel_takes),
		cmocka_unit_test(test_requests_have_type_flags_and_family),
		cmocka_unit_test(
			test_a_new_entry_gets_reply_and_translation_apart),
		cmocka_unit_test(test_every_form_of_translation_is_named),
		cmocka_unit_test(
			test_the_status_never_has_what_the_kernel_refuses),
		cmocka_unit_test(test_a_fixed_timeout_is_not_updated),
		cmocka_unit_test(test_tcp_flags_follow_scales_and_tracking),
		cmocka_unit_test(
			test_protocol_data_is_sent_whole_and_to_its_protocol),
		cmocka_unit_test(test_ports_that_a_peer_did_not_send_are_zero),
		cmocka_unit_test(
			test_a_zone_of_one_direction_stands_in_its_tuple),
		cmocka_unit_test(test_a_flow_without_a_key_is_never_written),
		cmocka_unit_test(test_a_buffer_too_small_becomes_full),
		cmocka_unit_test(test_the_dump_request_asks_for_everything),
		cmocka_unit_test(test_tables_are_sound),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
