/* SPDX-License-Identifier: ISC */
/* The simulation's own flows, and what it calls complete: all that the wire
 * carries is in some flow, and nothing of it can be wrong unseen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"
#include "sync/tlv.h"
#include "sync/wire_rows.h"

enum { N_FLOWS = 2000, PHASES = 2 };

static struct flow flow_of(uint32_t number, bool is_updated,
			   struct names *helpers)
{
	const struct sim_flow k = { .life = 1,
				    .is_alive = true,
				    .is_updated = is_updated,
				    .mark = number };
	struct flow f;

	sim_flow_value(&k, 1, number, helpers, &f);
	return f;
}

static void count_attributes(const struct flow *f, struct names *helpers,
			     unsigned int n[NTA_N])
{
	const struct wire_flow_opts opts = { .helpers = helpers,
					     .send_wscale = true,
					     .send_timeout = true };
	uint8_t bytes[512];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	struct rd rd;
	struct tlv item;

	wire_flow_encode(&w, &opts, f);
	assert_false(w.full);
	rd = (struct rd){ bytes, w.used };
	while (tlv_next(&rd, &item) == TLV_ITEM) {
		assert_in_range(item.type, 0, NTA_N - 1);
		n[item.type]++;
	}
}

static void test_every_attribute_is_in_some_flow(void **state)
{
	struct names *helpers = names_new(8, 15);
	unsigned int n[NTA_N] = { 0 };

	(void)state;
	for (uint32_t i = 0; i < PHASES * N_FLOWS; i++) {
		struct flow f = flow_of(i / PHASES, i % PHASES, helpers);

		count_attributes(&f, helpers, n);
	}
	for (int type = 0; type < NTA_N; type++)
		assert_true(n[type] >= 5);
	names_free(helpers);
}

static void test_kinds_of_translation_and_relation_occur(void **state)
{
	static const unsigned int addresses[] = {
		0,
		NAT_SRC_ADDR,
		NAT_DST_ADDR,
		NAT_SRC_ADDR | NAT_DST_ADDR,
	};
	unsigned int n_nat[2][N_ELEMENTS(addresses)] = { { 0 } };
	unsigned int n_related[2] = { 0 }, n_zones = 0;

	(void)state;
	for (uint32_t number = 0; number < N_FLOWS; number++) {
		struct flow f = flow_of(number, false, NULL);
		int v6 = f.family == FAMILY_IPV6;

		for (size_t i = 0; i < N_ELEMENTS(addresses); i++)
			n_nat[v6][i] +=
				(flow_nat(&f) &
				 (NAT_SRC_ADDR | NAT_DST_ADDR)) == addresses[i];
		n_related[v6] += flow_is_related(&f);
		n_zones += f.zone != 0;
	}
	for (int v6 = 0; v6 < 2; v6++) {
		for (size_t i = 0; i < N_ELEMENTS(addresses); i++)
			assert_true(n_nat[v6][i] >= 10);
		assert_true(n_related[v6] >= 10);
	}
	assert_true(n_zones >= 10);
}

/* ---- what is wrong at the other node is seen ---------------------------- */

#define ROW(bit, field)                                           \
	{                                                         \
		bit, offsetof(struct flow, field),                \
			sizeof(((struct flow *)0)->field), #field \
	}
static const struct row {
	uint64_t bit;
	size_t offset, size;
	const char *name;
} rows[] = {
	ROW(FLOW_STATUS, status),
	ROW(FLOW_TIMEOUT, timeout_s),
	ROW(FLOW_MARK, mark),
	ROW(FLOW_TCP_STATE, tcp_state),
	ROW(FLOW_TCP_WSCALE_ORIG, tcp_wscale_orig),
	ROW(FLOW_TCP_WSCALE_REPLY, tcp_wscale_reply),
	ROW(FLOW_SCTP_STATE, sctp_state),
	ROW(FLOW_SCTP_VTAG_ORIG, sctp_vtag_orig),
	ROW(FLOW_SCTP_VTAG_REPLY, sctp_vtag_reply),
	ROW(FLOW_DCCP_STATE, dccp_state),
	ROW(FLOW_DCCP_ROLE, dccp_role),
	ROW(FLOW_MASTER, master.src),
	ROW(FLOW_MASTER, master.dst),
	ROW(FLOW_MASTER, master.l4proto),
	ROW(FLOW_MASTER_PORTS, master.sport),
	ROW(FLOW_MASTER_PORTS, master.dport),
	ROW(FLOW_HELPER, helper),
	ROW(FLOW_LABELS, labels[0]),
	ROW(FLOW_LABELS, labels[15]),
	ROW(FLOW_SEQADJ_ORIG, seqadj_orig.pos),
	ROW(FLOW_SEQADJ_ORIG, seqadj_orig.before),
	ROW(FLOW_SEQADJ_ORIG, seqadj_orig.after),
	ROW(FLOW_SEQADJ_REPLY, seqadj_reply.pos),
	ROW(FLOW_SEQADJ_REPLY, seqadj_reply.before),
	ROW(FLOW_SEQADJ_REPLY, seqadj_reply.after),
	ROW(FLOW_SYNPROXY, synproxy.isn),
	ROW(FLOW_SYNPROXY, synproxy.its),
	ROW(FLOW_SYNPROXY, synproxy.tsoff),
};
#undef ROW

/* The rows of the translation, by what a flow must have of it. */
static const struct {
	unsigned int nat;
	size_t offset;
} translations[] = {
	{ NAT_SRC_ADDR, offsetof(struct flow, reply.dst) },
	{ NAT_DST_ADDR, offsetof(struct flow, reply.src) },
	{ NAT_SRC_PORT, offsetof(struct flow, reply.dport) },
	{ NAT_DST_PORT, offsetof(struct flow, reply.sport) },
};

/* Puts f into the cache as it is, and says whether the property holds. */
static bool is_complete_with(struct sim *s, const struct flow *f)
{
	uint32_t id;

	assert_true(flow_cache_put(s->nodes[1].external_cache, f, PUT_REPLACE,
				   1, &id) <= PUT_SAME);
	return sim_is_complete(s);
}

static struct flow find_held(struct sim *s, uint64_t bit, unsigned int nat)
{
	struct flow_cache *c = s->nodes[1].external_cache;
	uint32_t id = FLOW_CACHE_NO_ID;
	struct flow f;

	while ((id = flow_cache_next(c, id)) != FLOW_CACHE_NO_ID) {
		if (flow_cache_head(c, id)->state == ENTRY_FREE)
			continue;
		flow_cache_get(c, id, &f);
		if ((f.has & bit) == bit && (flow_nat(&f) & nat) == nat)
			return f;
	}
	fail_msg("no flow has bits %llx, translation %x",
		 (unsigned long long)bit, nat);
	return f;
}

static void expect_unseen_never(struct sim *s, const struct flow *right,
				const struct flow *wrong, const char *name)
{
	if (is_complete_with(s, wrong))
		fail_msg("%s is wrong, and nobody sees it", name);
	assert_non_null(sim_difference(s));
	assert_true(is_complete_with(s, right));
}

static void test_one_wrong_bit_anywhere_is_seen(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 1, 2);
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 400; i++) {
		sim_flow_new(&s, 0, i);
		sim_flow_update(&s, 0, i, i);
	}
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct flow right = find_held(&s, rows[i].bit, 0);
		struct flow wrong = right;

		((uint8_t *)&wrong)[rows[i].offset] ^= 1;
		expect_unseen_never(&s, &right, &wrong, rows[i].name);
		wrong = right;
		wrong.has &= ~rows[i].bit;
		expect_unseen_never(&s, &right, &wrong, rows[i].name);
	}
	for (size_t i = 0; i < N_ELEMENTS(translations); i++) {
		struct flow right = find_held(&s, 0, translations[i].nat);
		struct flow wrong = right;

		((uint8_t *)&wrong)[translations[i].offset + 1] ^= 1;
		expect_unseen_never(&s, &right, &wrong, "the translation");
		wrong = right;
		wrong.has &= ~FLOW_REPLY;
		expect_unseen_never(&s, &right, &wrong, "its loss");
	}
	sim_fini(&s);
}

static void test_a_lost_expectation_is_seen(void **state)
{
	struct sim s;
	struct flow_cache *c;
	uint32_t id = FLOW_CACHE_NO_ID;

	(void)state;
	sim_init(&s, 1, 2);
	s.has_expectations = true;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 100; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 60000, sim_is_complete));
	c = s.nodes[1].external_cache;
	assert_true(flow_cache_stats_of(c, OBJECT_EXPECT)->n_active > 5);
	do
		id = flow_cache_next(c, id);
	while (flow_cache_kind(c, id) != OBJECT_EXPECT);
	flow_cache_remove(c, id);
	assert_non_null(sim_difference(&s));
	sim_fini(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_attribute_is_in_some_flow),
		cmocka_unit_test(test_kinds_of_translation_and_relation_occur),
		cmocka_unit_test(test_one_wrong_bit_anywhere_is_seen),
		cmocka_unit_test(test_a_lost_expectation_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
