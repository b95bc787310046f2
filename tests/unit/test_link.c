/* SPDX-License-Identifier: ISC */
/* A link before it has sockets; what it does with them is for the integration
 * tests. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "sync/link.h"

static const struct link_sink nobody;
static struct loop *loop;

static int make(enum link_kind kind, enum family family, struct link **out)
{
	const struct link_opts o = { .kind = kind,
				     .family = family,
				     .interface = "eth2" };

	return link_new(&o, loop, &nobody, out);
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_new();
	return loop ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void test_every_kind_has_a_name_and_tcp_has_connections(void **state)
{
	static const struct {
		enum link_kind kind;
		bool has_connections;
		const char *name;
	} rows[] = {
		{ LINK_MCAST, false, "multicast" },
		{ LINK_UDP, false, "UDP" },
		{ LINK_TCP, true, "TCP" },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		bool is_server = false, is_client = false;
		struct link *l = NULL;

		assert_int_equal(make(rows[i].kind, FAMILY_IPV4, &l), 0);
		assert_string_equal(link_kind_name(rows[i].kind), rows[i].name);
		assert_int_equal(link_connections(l, &is_server, &is_client),
				 rows[i].has_connections);
		assert_false(is_server || is_client);
		link_free(l);
	}
}

static void test_without_memory_there_is_no_link(void **state)
{
	struct link *l = NULL;

	(void)state;
	for (int kind = LINK_UDP; kind <= LINK_TCP; kind++) {
		alloc_fail_after(0);
		assert_int_equal(make((enum link_kind)kind, FAMILY_IPV4, &l),
				 -ENOMEM);
		assert_true(alloc_fail_off());
	}
	assert_null(l);
	link_free(NULL);
}

static void test_the_payload_is_what_the_mtu_leaves(void **state)
{
	static const struct {
		enum link_kind kind;
		enum family family;
		unsigned int mtu;
		size_t payload;
	} rows[] = {
		{ LINK_MCAST, FAMILY_IPV4, 0, 1472 },
		{ LINK_MCAST, FAMILY_IPV6, 0, 1452 },
		{ LINK_MCAST, FAMILY_IPV4, 9000, 8972 },
		{ LINK_MCAST, FAMILY_IPV6, 1280, 1232 },
		{ LINK_MCAST, FAMILY_IPV4, 68, 64 },
		{ LINK_MCAST, FAMILY_IPV4, 92, 64 },
		{ LINK_MCAST, FAMILY_IPV4, 93, 65 },
		{ LINK_MCAST, FAMILY_IPV6, 111, 64 },
		{ LINK_MCAST, FAMILY_IPV4, 65536, 65507 },
		{ LINK_TCP, FAMILY_IPV4, 0, 1460 },
		{ LINK_TCP, FAMILY_IPV6, 0, 1460 },
		{ LINK_TCP, FAMILY_IPV4, 68, 64 },
		{ LINK_TCP, FAMILY_IPV4, 65536, 65496 },
	};
	struct link *l;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_int_equal(make(rows[i].kind, rows[i].family, &l), 0);
		link_set_interface(l, LINK_RUNNING, 3, rows[i].mtu);
		assert_int_equal(link_payload_max(l), rows[i].payload);
		link_free(l);
	}
}

static void test_a_peer_may_send_from_all_its_addresses(void **state)
{
	const struct link_opts o = {
		.remote = { { 3 } },
		.sources = { { { 1 } }, { { 3 } } },
		.n_sources = 2,
	};

	(void)state;
	assert_true(link_is_peer(&o, &(struct addr){ { 1 } }));
	assert_true(link_is_peer(&o, &(struct addr){ { 3 } }));
	assert_false(link_is_peer(&o, &(struct addr){ { 2 } }));
	assert_false(link_is_peer(&o, &(struct addr){ { 0 } }));
}

static void test_sockets_are_wanted_for_an_interface_that_is_up(void **state)
{
	static const struct {
		enum link_status status;
		unsigned int index;
		bool is_there, needs_repair;
	} rows[] = {
		{ LINK_DOWN, 0, false, false },
		{ LINK_DOWN, 3, true, false },
		{ LINK_NO_CARRIER, 3, true, true },
		{ LINK_RUNNING, 3, true, true },
	};
	const char *failed = NULL;
	struct link *l;

	(void)state;
	assert_int_equal(make(LINK_UDP, FAMILY_IPV4, &l), 0);
	assert_int_equal(link_repair(l, &failed), -ENODEV);
	assert_string_equal(failed, "interface");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		link_set_interface(l, rows[i].status, rows[i].index, 1500);
		assert_int_equal(link_status(l), rows[i].status);
		assert_int_equal(link_has_interface(l), rows[i].is_there);
		assert_int_equal(link_needs_repair(l), rows[i].needs_repair);
		assert_false(link_is_usable(l));
	}
	link_free(l);
}

static void test_without_sockets_nothing_is_sent(void **state)
{
	struct link *l;

	(void)state;
	assert_int_equal(make(LINK_UDP, FAMILY_IPV4, &l), 0);
	link_set_interface(l, LINK_RUNNING, 3, 1500);
	assert_int_equal(link_send(l, "x", 1), -ENETDOWN);
	assert_int_equal(link_stats(l)->n_send_errors, 1);
	assert_int_equal(link_stats(l)->n_packets_sent, 0);
	link_free(l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_every_kind_has_a_name_and_tcp_has_connections),
		cmocka_unit_test(test_without_memory_there_is_no_link),
		cmocka_unit_test(test_the_payload_is_what_the_mtu_leaves),
		cmocka_unit_test(test_a_peer_may_send_from_all_its_addresses),
		cmocka_unit_test(
			test_sockets_are_wanted_for_an_interface_that_is_up),
		cmocka_unit_test(test_without_sockets_nothing_is_sent),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
