/* SPDX-License-Identifier: ISC */
/* The effective configuration is printed in the language itself, and reading
 * it gives the same again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_help.h"

static void assert_printed(const char *text, const char *printed)
{
	struct conf_read *r = conf_read_text(text, strlen(text));
	size_t len;
	char *out = conf_printed(&r->conf, &len);
	char *end = calloc(1, len + 1);

	memcpy(end, out, len);
	assert_string_equal(end, printed);
	conf_read_free(r);
	free(out);
	free(end);
}

static void test_defaults_are_printed(void **state)
{
	(void)state;
	assert_printed("Sync { Mode alarm { CommitTimeout 5 } UDP { Port 5\n"
		       "IPv4_address 10.0.0.1 Interface eth0\n"
		       "IPv4_Destination_Address 10.0.0.2 } }\n"
		       "General { UNIX { Path /c } LockFile /l }",
		       "General {\n"
		       "\tHashSize 65536\n"
		       "\tHashLimit 262144\n"
		       "\tLogFile no\n"
		       "\tSyslog no\n"
		       "\tLockFile /l\n"
		       "\tNetlinkEventsReliable no\n"
		       "\tEventIterationLimit 100\n"
		       "\tSystemd yes\n"
		       "\tUNIX {\n"
		       "\t\tPath /c\n"
		       "\t}\n"
		       "}\n"
		       "Sync {\n"
		       "\tMode ALARM {\n"
		       "\t\tRefreshTime 60\n"
		       "\t\tCacheTimeout 180\n"
		       "\t\tCommitTimeout 5\n"
		       "\t\tPurgeTimeout 60\n"
		       "\t}\n"
		       "\tUDP {\n"
		       "\t\tIPv4_address 10.0.0.1\n"
		       "\t\tIPv4_Destination_Address 10.0.0.2\n"
		       "\t\tPort 5\n"
		       "\t\tInterface eth0\n"
		       "\t\tChecksum yes\n"
		       "\t}\n"
		       "\tOptions {\n"
		       "\t\tTCPWindowTracking no\n"
		       "\t\tExpectationSync no\n"
		       "\t}\n"
		       "}\n");
}

/* All values that no print shows are zeroed, then compared as bytes. */
static void normalize(struct conf *c)
{
	memset(&c->sync.at, 0, sizeof(c->sync.at));
	memset(&c->stats.at, 0, sizeof(c->stats.at));
	memset(&c->helper.at, 0, sizeof(c->helper.at));
	for (size_t i = 0; i < c->sync.n_links; i++)
		memset(&c->sync.links[i].at, 0, sizeof(struct conf_pos));
	for (size_t i = 0; i < c->filter.n_nets; i++)
		memset(&c->filter.nets[i].at, 0, sizeof(struct conf_pos));
}

static void assert_same(struct conf *a, struct conf *b)
{
	normalize(a);
	normalize(b);
	assert_string_equal(a->general.unix_path, b->general.unix_path);
	assert_string_equal(a->general.log_file, b->general.log_file);
	assert_string_equal(a->general.lock_file, b->general.lock_file);
	assert_int_equal(a->general.hash_size, b->general.hash_size);
	assert_int_equal(a->general.netlink_buffer_bytes,
			 b->general.netlink_buffer_bytes);
	assert_int_equal(a->general.overrun_resync_s,
			 b->general.overrun_resync_s);
	assert_int_equal(a->general.poll_s, b->general.poll_s);
	assert_int_equal(a->general.sched, b->general.sched);
	assert_int_equal(a->general.sched_priority, b->general.sched_priority);
	assert_int_equal(a->filter.protocol, b->filter.protocol);
	assert_memory_equal(a->filter.protocols, b->filter.protocols, 32);
	assert_int_equal(a->filter.tcp_states, b->filter.tcp_states);
	assert_int_equal(a->filter.n_nets, b->filter.n_nets);
	if (a->filter.n_nets)
		assert_memory_equal(a->filter.nets, b->filter.nets,
				    a->filter.n_nets * sizeof(*a->filter.nets));
	assert_int_equal(a->sync.mode, b->sync.mode);
	assert_int_equal(a->sync.commit_timeout_s, b->sync.commit_timeout_s);
	assert_int_equal(a->sync.n_links, b->sync.n_links);
	for (size_t i = 0; i < a->sync.n_links; i++) {
		const struct conf_link *x = &a->sync.links[i];
		const struct conf_link *y = &b->sync.links[i];

		assert_int_equal(x->kind, y->kind);
		assert_int_equal(x->family, y->family);
		assert_memory_equal(&x->local, &y->local, sizeof(x->local));
		assert_memory_equal(&x->group, &y->group, sizeof(x->group));
		assert_memory_equal(&x->dest, &y->dest, sizeof(x->dest));
		assert_int_equal(x->n_sources, y->n_sources);
		for (size_t k = 0; k < x->n_sources; k++)
			assert_memory_equal(&x->sources[k].addr,
					    &y->sources[k].addr,
					    sizeof(x->sources[k].addr));
		assert_string_equal(x->interface, y->interface);
		assert_int_equal(x->port, y->port);
		assert_int_equal(x->checksum, y->checksum);
		assert_int_equal(x->is_default, y->is_default);
	}
	assert_int_equal(a->sync.expect_sync, b->sync.expect_sync);
	assert_int_equal(a->helper.n_types, b->helper.n_types);
}

static void assert_fixed_point(const char *what, const char *text, size_t len)
{
	struct conf_read *r = conf_read_text(text, len), *again;
	size_t first_len, second_len;
	char *first, *second;

	if (r->result) { /* nothing to print for a file with errors */
		conf_read_free(r);
		return;
	}
	first = conf_printed(&r->conf, &first_len);
	again = conf_read_text(first, first_len);
	if (again->result)
		fail_msg("%s: what was printed has errors: %s", what,
			 again->findings[0].text);
	second = conf_printed(&again->conf, &second_len);
	assert_int_equal(first_len, second_len);
	assert_memory_equal(first, second, first_len);
	assert_same(&r->conf, &again->conf);
	conf_read_free(r);
	conf_read_free(again);
	free(first);
	free(second);
}

static void print_again(void *ctx, char *cells[TSV_CELLS])
{
	char path[256];
	size_t len;
	char *text;

	snprintf(path, sizeof(path), "tests/corpus/%s/%s", (const char *)ctx,
		 cells[0]);
	text = conf_load(path, &len);
	assert_fixed_point(path, text, len);
	free(text);
}

static void test_printing_and_reading_is_a_fixed_point(void **state)
{
	static char configs[] = "configs", bad[] = "bad-configs";

	(void)state;
	conf_for_each_row("tests/corpus/configs/INDEX.tsv", print_again,
			  configs);
	conf_for_each_row("tests/corpus/bad-configs/INDEX.tsv", print_again,
			  bad);
}

static void test_protocols_without_a_name_survive(void **state)
{
	static const char text[] =
		"IgnoreProtocol { 200 61 TCP }\n"
		"General { Filter { Protocol Accept { UDP } } } Stats { }";
	struct conf_read *r = conf_read_text(text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(r->conf.filter.protocol, FILTER_ACCEPT);
	conf_read_free(r);
	assert_fixed_point("unnamed", text, sizeof(text) - 1);
}

static void test_every_option_with_every_edge_is_a_fixed_point(void **state)
{
	static const char *const blocks[] = {
		"General { %s }\nStats { }",
		"General { Scheduler { Type RR %s } }\nStats { }",
		"Sync { Mode FTFW { %s } UDP { Port 1 IPv4_address 1.2.3.4 "
		"Interface a IPv4_Destination_Address 1.2.3.5 } }",
		"Sync { Mode ALARM { %s } UDP { Port 1 IPv4_address 1.2.3.4 "
		"Interface a IPv4_Destination_Address 1.2.3.5 } }",
		"Sync { Mode NOTRACK { } TCP { Port 1 IPv6_address ::1 %s "
		"Interface a IPv6_Destination_Address ::2 } }",
		"Sync { Mode FTFW { } UDP { Port 1 IPv4_address 1.2.3.4 %s "
		"Interface a IPv4_Destination_Address 1.2.3.5 "
		"IPv4_Destination_Address 1.2.3.6 } }",
	};
	static const char *const options[] = {
		"HashSize 1",
		"HashSize 268435456",
		"LogFile yes",
		"LogFile /a}b#c",
		"Syslog local7",
		"NetlinkOverrunResync 2147483647",
		"NetlinkOverrunResync no",
		"PollSecs 1",
		"Priority 99",
		"Priority 0",
		"CommitTimeout 0",
		"CommitTimeout 2147483647",
		"ResendQueueSize 0",
		"DisableExternalCache yes",
		"RefreshTime 1",
		"ErrorQueueLength 2147483647",
		"SndSocketBuffer 0",
		"Checksum no",
	};
	char text[512];

	(void)state;
	for (size_t b = 0; b < N_ELEMENTS(blocks); b++)
		for (size_t i = 0; i < N_ELEMENTS(options); i++) {
			const char *at = strstr(blocks[b], "%s");

			snprintf(text, sizeof(text), "%.*s%s%s",
				 (int)(at - blocks[b]), blocks[b], options[i],
				 at + 2);
			assert_fixed_point(text, text, strlen(text));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_printed),
		cmocka_unit_test(test_printing_and_reading_is_a_fixed_point),
		cmocka_unit_test(test_protocols_without_a_name_survive),
		cmocka_unit_test(
			test_every_option_with_every_edge_is_a_fixed_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
