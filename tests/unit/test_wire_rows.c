/* SPDX-License-Identifier: ISC */
/* The table of conntrack attributes: is it sound, and does what it sends come
 * back equal. Messages of real nodes: test_wire_flow.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "random_flow.h"
#include "sync/tlv.h"
#include "sync/wire_rows.h"

enum { ROUNDS = 2000 };

/* nta_len less 4 of PROTOCOL.md 2.2; 0: of no fixed length */
static const uint8_t payload[NTA_N] = {
	8, 32, 1, 4, 1, 4, 4, 4, 8, 32, 1, 4, 4,  4,  2,  2, 24,
	1, 4,  4, 1, 1, 1, 1, 2, 1, 1,  0, 0, 16, 16, 12, 2,
};

/* What the wire can say of any flow, and of flows of a protocol
 * (PROTOCOL.md 2.3). */
#define CARRIED                                                          \
	(FLOW_STATUS | FLOW_TIMEOUT | FLOW_MARK | FLOW_MASTER |          \
	 FLOW_MASTER_PORTS | FLOW_HELPER | FLOW_LABELS | FLOW_SYNPROXY | \
	 FLOW_SEQADJ_ORIG | FLOW_SEQADJ_REPLY | FLOW_REPLY)

static const struct {
	uint8_t l4proto;
	uint64_t bits;
} protocols[] = {
	{ L4_TCP, FLOW_PORTS | FLOW_TCP_STATE | FLOW_TCP_WSCALE_ORIG |
			  FLOW_TCP_WSCALE_REPLY },
	{ L4_UDP, FLOW_PORTS },
	{ L4_UDPLITE, FLOW_PORTS },
	{ L4_SCTP, FLOW_PORTS | FLOW_SCTP_STATE | FLOW_SCTP_VTAG_ORIG |
			   FLOW_SCTP_VTAG_REPLY },
	{ L4_DCCP, FLOW_PORTS | FLOW_DCCP_STATE | FLOW_DCCP_ROLE },
	{ L4_GRE, FLOW_GRE_KEYS },
	{ L4_ICMP, FLOW_ICMP },
	{ L4_ICMPV6, FLOW_ICMP },
	{ 50, 0 },
	{ 0, 0 },
	{ 255, 0 },
};

static const enum family families[] = { FAMILY_IPV4, FAMILY_IPV6 };

static int setup(void **state)
{
	struct names *helpers = names_new(16, 32);

	*state = helpers;
	return !helpers || names_intern(helpers, "ftp", 3) != 1 ||
	       names_intern(helpers, "abcdefghijk", 11) != 2 ||
	       names_intern(helpers, "abcdefghijkl", 12) != 3;
}

static int teardown(void **state)
{
	names_free(*state);
	return 0;
}

static struct wire_flow_opts opts_of(void **state)
{
	return (struct wire_flow_opts){ .helpers = *state,
					.send_wscale = true,
					.send_timeout = true };
}

static void test_each_attribute_has_the_length_of_the_protocol(void **state)
{
	(void)state;
	for (int t = 0; t < NTA_N; t++)
		assert_int_equal(wire_members_len(wire_rows[t].members),
				 payload[t]);
}

static size_t field_size(enum wire_kind kind)
{
	return kind == WIRE_ADDR4 ? sizeof(struct addr) : wire_kind_len(kind);
}

static void test_each_member_is_as_wide_as_its_field(void **state)
{
	(void)state;
	for (int t = 0; t < NTA_N; t++) {
		const struct wire_member *m = wire_rows[t].members;

		for (int i = 0; i < WIRE_MEMBERS_MAX && m[i].kind; i++) {
			assert_int_equal(field_size(m[i].kind), m[i].size);
			assert_true(m[i].offset + m[i].size <=
				    sizeof(struct flow));
		}
	}
}

/* Two rows may name one field only if they are of different families. */
static void test_no_two_attributes_share_a_field(void **state)
{
	static uint8_t owner[3][sizeof(struct flow)];

	(void)state;
	for (int t = 0; t < NTA_N; t++) {
		const struct wire_row *row = &wire_rows[t];
		const struct wire_member *m = row->members;
		int lane = row->family == FAMILY_IPV4   ? 1
			   : row->family == FAMILY_IPV6 ? 2
							: 0;

		for (int i = 0; i < WIRE_MEMBERS_MAX && m[i].kind; i++) {
			for (size_t b = 0; b < m[i].size; b++) {
				size_t at = m[i].offset + b;

				assert_int_equal(owner[lane][at], 0);
				assert_true(lane == 0 || owner[0][at] == 0);
				owner[lane][at] = 1;
			}
		}
	}
}

/* The parts of one thing: ICMP fields, addresses and protocol of the master. */
static bool may_share(int a, int b)
{
	uint64_t whole = FLOW_ICMP | FLOW_MASTER;

	return wire_rows[a].has == wire_rows[b].has && wire_rows[a].has & whole;
}

static void test_no_two_attributes_share_a_presence_bit(void **state)
{
	(void)state;
	for (int a = 0; a < NTA_N; a++)
		for (int b = 0; b < a; b++)
			assert_true(!(wire_rows[a].has & wire_rows[b].has) ||
				    may_share(a, b));
}

static void
test_each_attribute_is_sent_once_in_the_order_of_the_reference(void **state)
{
	static const uint8_t order[NTA_N] = {
		0, 1, 5, 2,  3,  4,  25, 26, 17, 18, 19, 20, 21, 22, 23, 24, 6,
		7, 8, 9, 10, 11, 12, 29, 13, 30, 14, 15, 16, 27, 28, 31, 32,
	};
	uint64_t seen = 0;

	(void)state;
	assert_memory_equal(wire_order, order, sizeof(order));
	for (int i = 0; i < NTA_N; i++)
		seen |= UINT64_C(1) << wire_order[i];
	assert_true(seen == (UINT64_C(1) << NTA_N) - 1);
}

/* A flow as random_flow() makes it, with its protocol, and with nothing in it
 * that the wire would not carry: what comes back must be equal to the byte. */
static void make_flow(struct flow *f, uint64_t *seed, enum family family,
		      uint8_t l4proto, uint64_t has)
{
	static const uint8_t none[sizeof(f->labels)];

	if (!(has & FLOW_MASTER))
		has &= ~FLOW_MASTER_PORTS;
	if (!(has & FLOW_TCP_STATE))
		has &= ~(FLOW_TCP_WSCALE_ORIG | FLOW_TCP_WSCALE_REPLY);
	if (!(has & FLOW_SCTP_STATE))
		has &= ~(FLOW_SCTP_VTAG_ORIG | FLOW_SCTP_VTAG_REPLY);
	if (!(has & FLOW_DCCP_STATE))
		has &= ~FLOW_DCCP_ROLE;
	if (has & (FLOW_SEQADJ_ORIG | FLOW_SEQADJ_REPLY))
		has |= FLOW_SEQADJ_ORIG | FLOW_SEQADJ_REPLY;
	random_flow(f, seed, family, has | FLOW_STATUS);
	f->l4proto = l4proto;
	f->status &= 0x25ff; /* without what is never sent */
	if (has & FLOW_HELPER)
		f->helper = 1 + (uint16_t)(random_next(seed) >> 63);
	if (has & FLOW_LABELS && !memcmp(f->labels, none, sizeof(none)))
		f->labels[5] = 1;
}

/* Makes the reply tuple one of translated addresses and ports, seen by the
 * status, or takes it away. */
static void make_reply(struct flow *f, uint64_t *seed)
{
	struct tuple r = flow_inverse(f);

	if (f->has & FLOW_REPLY) {
		f->status |= STATUS_SRC_NAT_DONE | STATUS_DST_NAT_DONE;
		if (random_next(seed) >> 63)
			r.dst = f->reply.dst;
		if (random_next(seed) >> 63)
			r.src = f->reply.src;
		if (f->has & FLOW_PORTS && random_next(seed) >> 63) {
			r.dport = f->reply.dport;
			r.sport = f->reply.sport;
		}
		f->reply = r;
	}
	if (flow_nat(f) == 0) {
		memset(&f->reply, 0, sizeof(f->reply));
		f->has &= ~FLOW_REPLY;
	}
}

static void assert_comes_back(const struct wire_flow_opts *opts,
			      const struct flow *f)
{
	uint8_t buf[512], *exact;
	struct wr w = { buf, sizeof(buf), 0, false };
	struct flow back;

	wire_flow_encode(&w, opts, f);
	assert_false(w.full);
	exact = golden_exact(buf, w.used);
	memset(&back, 0, sizeof(back));
	assert_int_equal(wire_flow_decode((struct rd){ exact, w.used }, opts,
					  &back, NULL),
			 VERDICT_OK);
	assert_memory_equal(&back, f, sizeof(back));
	free(exact);
}

static void test_each_field_alone_comes_back_equal(void **state)
{
	struct wire_flow_opts opts = opts_of(state);
	uint64_t seed = 1;

	for (size_t p = 0; p < N_ELEMENTS(protocols); p++) {
		for (int bit = 0; bit < FLOW_N_LAST; bit++) {
			uint64_t has =
				FLOW_BIT(bit) & (CARRIED | protocols[p].bits);
			struct flow f;

			make_flow(&f, &seed, families[bit % 2],
				  protocols[p].l4proto, has);
			make_reply(&f, &seed);
			assert_comes_back(&opts, &f);
		}
	}
}

static void test_any_set_of_fields_comes_back_equal(void **state)
{
	struct wire_flow_opts opts = opts_of(state);
	uint64_t seed = 2;

	for (size_t i = 0; i < ROUNDS * N_ELEMENTS(protocols); i++) {
		size_t p = i % N_ELEMENTS(protocols);
		uint64_t has = random_next(&seed) | random_next(&seed);
		struct flow f;

		make_flow(&f, &seed, families[random_next(&seed) >> 63],
			  protocols[p].l4proto,
			  has & (CARRIED | protocols[p].bits));
		make_reply(&f, &seed);
		assert_comes_back(&opts, &f);
	}
}

/* Encodes, and tells which attributes were sent. */
static uint64_t sent_types(const struct wire_flow_opts *opts,
			   const struct flow *f)
{
	uint8_t buf[512];
	struct wr w = { buf, sizeof(buf), 0, false };
	struct rd r;
	struct tlv t;
	uint64_t types = 0;

	wire_flow_encode(&w, opts, f);
	assert_false(w.full);
	assert_int_equal(w.used % 4, 0);
	r = (struct rd){ buf, w.used };
	while (tlv_next(&r, &t) == TLV_ITEM) {
		assert_true(t.type < NTA_N);
		assert_false(types >> t.type & 1);
		types |= UINT64_C(1) << t.type;
	}
	return types;
}

#define TYPE(t) (UINT64_C(1) << (t))

static void test_nothing_is_sent_that_a_protocol_cannot_have(void **state)
{
	static const uint64_t special =
		TYPE(NTA_PORT) | TYPE(NTA_TCP_STATE) | TYPE(NTA_SCTP_STATE) |
		TYPE(NTA_SCTP_VTAG_ORIG) | TYPE(NTA_SCTP_VTAG_REPL) |
		TYPE(NTA_DCCP_STATE) | TYPE(NTA_DCCP_ROLE) |
		TYPE(NTA_ICMP_TYPE) | TYPE(NTA_ICMP_CODE) | TYPE(NTA_ICMP_ID) |
		TYPE(NTA_TCP_WSCALE_ORIG) | TYPE(NTA_TCP_WSCALE_REPL);
	static const struct {
		uint8_t l4proto;
		uint64_t types;
	} rows[] = {
		{ L4_TCP, TYPE(NTA_PORT) | TYPE(NTA_TCP_STATE) |
				  TYPE(NTA_TCP_WSCALE_ORIG) |
				  TYPE(NTA_TCP_WSCALE_REPL) },
		{ L4_UDP, TYPE(NTA_PORT) },
		{ L4_SCTP, TYPE(NTA_PORT) | TYPE(NTA_SCTP_STATE) |
				   TYPE(NTA_SCTP_VTAG_ORIG) |
				   TYPE(NTA_SCTP_VTAG_REPL) },
		{ L4_DCCP,
		  TYPE(NTA_PORT) | TYPE(NTA_DCCP_STATE) | TYPE(NTA_DCCP_ROLE) },
		{ L4_ICMP, TYPE(NTA_ICMP_TYPE) | TYPE(NTA_ICMP_CODE) |
				   TYPE(NTA_ICMP_ID) },
		{ 50, 0 },
	};
	struct wire_flow_opts opts = opts_of(state);
	uint64_t seed = 3;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct flow f;

		random_flow(&f, &seed, FAMILY_IPV4, FLOW_BIT(FLOW_N_LAST) - 1);
		f.l4proto = rows[i].l4proto;
		f.helper = 1;
		assert_true((sent_types(&opts, &f) & special) == rows[i].types);
	}
}

static void test_ports_that_are_not_known_are_not_sent(void **state)
{
	struct wire_flow_opts opts = opts_of(state);
	struct flow f = { .has = FLOW_REPLY | FLOW_STATUS,
			  .family = FAMILY_IPV4,
			  .l4proto = L4_DCCP,
			  .orig = { .sport = 1 },
			  .reply = { .sport = 3, .dport = 4 },
			  .status = STATUS_SRC_NAT_DONE | STATUS_DST_NAT_DONE };

	assert_true(sent_types(&opts, &f) ==
		    (TYPE(NTA_IPV4) | TYPE(NTA_STATUS) | TYPE(NTA_L4PROTO)));
}

static void test_options_leave_timeout_and_window_scale_out(void **state)
{
	struct wire_flow_opts opts = opts_of(state);
	struct flow f = { .has = FLOW_TIMEOUT | FLOW_TCP_STATE |
				 FLOW_TCP_WSCALE_ORIG | FLOW_TCP_WSCALE_REPLY,
			  .family = FAMILY_IPV6,
			  .l4proto = L4_TCP };
	uint64_t scales = TYPE(NTA_TCP_WSCALE_ORIG) | TYPE(NTA_TCP_WSCALE_REPL);
	uint64_t rest = TYPE(NTA_IPV6) | TYPE(NTA_STATUS) | TYPE(NTA_L4PROTO) |
			TYPE(NTA_TCP_STATE);

	assert_true(sent_types(&opts, &f) ==
		    (rest | scales | TYPE(NTA_TIMEOUT)));
	opts.send_wscale = false;
	assert_true(sent_types(&opts, &f) == (rest | TYPE(NTA_TIMEOUT)));
	opts.send_timeout = false;
	assert_true(sent_types(&opts, &f) == rest);
}

static void
test_a_helper_name_that_a_receiver_would_refuse_is_left_out(void **state)
{
	static const struct {
		uint16_t id;
		bool is_sent;
	} rows[] = { { 0, false },
		     { 1, true },
		     { 2, true },
		     { 3, false },
		     { 9, false } };
	struct wire_flow_opts opts = opts_of(state);
	struct flow f = { .has = FLOW_HELPER, .family = FAMILY_IPV4 };

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		f.helper = rows[i].id;
		assert_int_equal(sent_types(&opts, &f) >> NTA_HELPER_NAME & 1,
				 rows[i].is_sent);
	}
	opts.helpers = NULL;
	f.helper = 1;
	assert_false(sent_types(&opts, &f) >> NTA_HELPER_NAME & 1);
}

static void test_half_a_sequence_adjustment_is_not_sent(void **state)
{
	struct wire_flow_opts opts = opts_of(state);
	struct flow f = { .family = FAMILY_IPV4 };

	f.has = FLOW_SEQADJ_ORIG;
	assert_false(sent_types(&opts, &f) >> NTA_NAT_SEQ_ADJ & 1);
	f.has = FLOW_SEQADJ_REPLY;
	assert_false(sent_types(&opts, &f) >> NTA_NAT_SEQ_ADJ & 1);
	f.has = FLOW_SEQADJ_ORIG | FLOW_SEQADJ_REPLY;
	assert_true(sent_types(&opts, &f) >> NTA_NAT_SEQ_ADJ & 1);
}

static void test_status_says_nothing_of_the_senders_own_entry(void **state)
{
	/* addresses, then status; offload, dying, template, clash are not
	 * sent, bits that no kernel has yet are */
	static const uint8_t expected[] = { 0,    8,    0,    NTA_STATUS,
					    0xff, 0xff, 0x25, 0xff };
	struct wire_flow_opts opts = opts_of(state);
	struct flow f = { .has = FLOW_STATUS,
			  .family = FAMILY_IPV4,
			  .status = UINT32_MAX };
	uint8_t buf[64];
	struct wr w = { buf, sizeof(buf), 0, false };

	wire_flow_encode(&w, &opts, &f);
	assert_memory_equal(buf + 12, expected, sizeof(expected));
}

static void test_what_does_not_fit_is_told(void **state)
{
	struct wire_flow_opts opts = opts_of(state);
	uint64_t seed = 4;
	uint8_t buf[512];
	struct wr all = { buf, sizeof(buf), 0, false };
	struct flow f;

	make_flow(&f, &seed, FAMILY_IPV6, L4_TCP, CARRIED | protocols[0].bits);
	wire_flow_encode(&all, &opts, &f);
	for (size_t size = 0; size <= all.used; size++) {
		uint8_t *exact = malloc(size + !size);
		struct wr w = { exact, size, 0, false };

		wire_flow_encode(&w, &opts, &f);
		assert_int_equal(w.full, size < all.used);
		free(exact);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		/* clang-format off */
		cmocka_unit_test(test_each_attribute_has_the_length_of_the_protocol),
		cmocka_unit_test(test_each_member_is_as_wide_as_its_field),
		cmocka_unit_test(test_no_two_attributes_share_a_field),
		cmocka_unit_test(test_no_two_attributes_share_a_presence_bit),
		cmocka_unit_test(test_each_attribute_is_sent_once_in_the_order_of_the_reference),
		cmocka_unit_test(test_each_field_alone_comes_back_equal),
		cmocka_unit_test(test_any_set_of_fields_comes_back_equal),
		cmocka_unit_test(test_nothing_is_sent_that_a_protocol_cannot_have),
		cmocka_unit_test(test_ports_that_are_not_known_are_not_sent),
		cmocka_unit_test(test_options_leave_timeout_and_window_scale_out),
		cmocka_unit_test(test_a_helper_name_that_a_receiver_would_refuse_is_left_out),
		cmocka_unit_test(test_half_a_sequence_adjustment_is_not_sent),
		cmocka_unit_test(test_status_says_nothing_of_the_senders_own_entry),
		cmocka_unit_test(test_what_does_not_fit_is_told),
		/* clang-format on */
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
