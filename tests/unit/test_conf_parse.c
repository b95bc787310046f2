/* SPDX-License-Identifier: ISC */
/* What is read becomes the value that it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "alloc_fail.h"
#include "base/flow.h"
#include "conf_help.h"

static struct conf_read *read_text(const char *text)
{
	return conf_read_text(text, strlen(text));
}

static void test_an_empty_file_has_the_defaults(void **state)
{
	struct conf_read *r = read_text("");
	const struct conf *c = &r->conf;

	(void)state;
	assert_int_equal(c->general.hash_size, 65536);
	assert_int_equal(c->general.hash_limit, 262144);
	assert_string_equal(c->general.log_file, "");
	assert_string_equal(c->general.lock_file, CONF_DEFAULT_LOCK);
	assert_string_equal(c->general.unix_path, CONF_DEFAULT_SOCKET);
	assert_false(c->general.has_unix_path);
	assert_int_equal(c->general.syslog, CONF_SYSLOG_OFF);
	assert_int_equal(c->general.netlink_buffer_bytes, CONF_UNSET);
	assert_int_equal(c->general.netlink_buffer_max_bytes, CONF_UNSET);
	assert_int_equal(c->general.overrun_resync_s, CONF_UNSET);
	assert_int_equal(c->general.event_iteration_limit, 100);
	assert_true(c->general.systemd);
	assert_int_equal(c->general.sched, CONF_SCHED_NONE);
	assert_int_equal(c->general.poll_s, 0);
	assert_false(c->filter.present);
	assert_false(c->sync.present);
	assert_int_equal(c->sync.mode, CONF_FTFW);
	assert_int_equal(c->sync.refresh_s, 60);
	assert_int_equal(c->sync.cache_timeout_s, 180);
	assert_int_equal(c->sync.commit_timeout_s, 0);
	assert_int_equal(c->sync.purge_timeout_s, 60);
	assert_int_equal(c->sync.resend_queue_size, 131072);
	assert_int_equal(c->sync.ack_window_size, 300);
	assert_int_equal(c->n_given, 0);
	conf_read_free(r);
}

static void test_general_options_are_read(void **state)
{
	struct conf_read *r = read_text(
		"General {\n HashSize 8\n HashLimit 9\n LogFile /a\n"
		" LogFile no\n Syslog local3\n LockFile /b\n"
		" UNIX { Path /c Backlog 20 }\n SocketBufferSize 10\n"
		" SocketBufferSizeMaxGrown 11\n NetlinkOverrunResync off\n"
		" NetlinkEventsReliable On\n EventIterationLimit 12\n"
		" Systemd NO\n Scheduler { Type fifo Priority 7 }\n}\n"
		"Stats { LogFile yes Syslog on }\n");
	const struct conf_general *g = &r->conf.general;

	(void)state;
	assert_int_equal(r->result, 0);
	assert_int_equal(g->hash_size, 8);
	assert_int_equal(g->hash_limit, 9);
	assert_string_equal(g->log_file, "");
	assert_int_equal(g->syslog, CONF_SYSLOG_LOCAL0 + 3);
	assert_string_equal(g->lock_file, "/b");
	assert_string_equal(g->unix_path, "/c");
	assert_true(g->has_unix_path);
	assert_int_equal(g->netlink_buffer_bytes, 10);
	assert_int_equal(g->netlink_buffer_max_bytes, 11);
	assert_int_equal(g->overrun_resync_s, 0);
	assert_true(g->events_reliable);
	assert_int_equal(g->event_iteration_limit, 12);
	assert_false(g->systemd);
	assert_int_equal(g->sched, CONF_SCHED_FIFO);
	assert_int_equal(g->sched_priority, 7);
	assert_true(r->conf.stats.present);
	assert_string_equal(r->conf.stats.log_file, CONF_DEFAULT_STATS_LOG);
	conf_read_free(r);
}

static void test_links_are_read(void **state)
{
	struct conf_read *r = read_text(
		"Sync { Mode NOTRACK { StartupResync on\n"
		"DisableInternalCache yes }\n"
		"UDP { IPv4_address 10.0.0.1 Port 3780 Interface eth2.100\n"
		" IPv4_Destination_Address 10.0.0.2 Checksum off\n"
		" IPv4_Destination_Address 10.0.0.3 }\n"
		"UDP Default { IPv6_address fe80::1 Port 65535 Interface no\n"
		" IPv6_Destination_Address fe80::2 SndSocketBuffer 5\n"
		" RcvSocketBuffer 6 } }");
	const struct conf_sync *s = &r->conf.sync;
	const struct conf_link *a = &s->links[0], *b = &s->links[1];

	(void)state;
	assert_int_equal(r->result, 0);
	assert_int_equal(s->mode, CONF_NOTRACK);
	assert_true(s->startup_resync);
	assert_true(s->disable_internal_cache);
	assert_int_equal(s->n_links, 2);
	assert_int_equal(a->kind, CONF_UDP);
	assert_int_equal(a->family, FAMILY_IPV4);
	assert_memory_equal(a->local.addr.b, ((uint8_t[16]){ 10, 0, 0, 1 }),
			    16);
	assert_int_equal(a->dest.family, FAMILY_IPV4);
	assert_int_equal(a->dest.addr.b[3], 3); /* the last one counts, */
	assert_int_equal(a->n_sources, 2);      /* the other is known */
	assert_int_equal(a->sources[0].addr.addr.b[3], 2);
	assert_string_equal(a->interface, "eth2.100");
	assert_int_equal(a->port, 3780);
	assert_false(a->checksum);
	assert_false(a->is_default);
	assert_int_equal(b->family, FAMILY_IPV6);
	assert_int_equal(b->local.addr.b[0], 0xfe);
	assert_string_equal(b->interface, "no");
	assert_true(b->checksum);
	assert_true(b->is_default);
	assert_int_equal(b->snd_buffer, 5);
	assert_int_equal(b->rcv_buffer, 6);
	conf_read_free(r);
}

static void test_filter_sets_are_read(void **state)
{
	struct conf_read *r = read_text(
		"General { Filter From Kernelspace {\n"
		"Protocol Accept { TCP udp }\n"
		"Address Ignore { IPv4_address 10.1.2.3/9 IPv6_address ::1\n"
		" IPv4_address 10.0.0.1/9 }\n"
		"State Accept { ESTABLISHED for TCP LISTEN for TCP } } }\n"
		"IgnoreProtocol { 200 }\n"
		"Stats { }");
	const struct conf_filter *f = &r->conf.filter;

	(void)state;
	assert_int_equal(r->result, 0);
	assert_true(f->from_kernelspace);
	assert_int_equal(f->protocol, FILTER_IGNORE); /* the last action */
	assert_int_equal(f->protocols[0], 1 << 6);
	assert_int_equal(f->protocols[2], 1 << 1);
	assert_int_equal(f->protocols[25], 1);
	assert_int_equal(f->address, FILTER_IGNORE);
	assert_int_equal(f->n_nets, 2); /* without the repetition */
	assert_int_equal(f->nets[0].net.prefix_len, 9);
	assert_memory_equal(f->nets[0].net.addr.b, ((uint8_t[4]){ 10 }), 4);
	assert_int_equal(f->nets[1].net.prefix_len, 128);
	assert_int_equal(f->tcp_states,
			 1 << TCP_STATE_ESTABLISHED | 1 << TCP_STATE_SYN_SENT2);
	conf_read_free(r);
}

static void test_sync_options_are_read(void **state)
{
	struct conf_read *r = read_text(
		"Sync { CommitTimeout 7 Mode FTFW { ResendQueueSize 8\n"
		"ACKWindowSize 9 PurgeTimeout 10 }\n"
		"Checksum off Replicate CLOSED for TCP\n"
		"Multicast { IPv6_address ff02::50 Interface a Group 5 }\n"
		"Options { TCPWindowTracking yes ExpectationSync {\n"
		"cafe q.931 cafe averyveryverylongname } } }");
	const struct conf_sync *s = &r->conf.sync;

	(void)state;
	assert_int_equal(r->result, 0);
	assert_int_equal(s->commit_timeout_s, 7);
	assert_int_equal(s->resend_queue_size, 8);
	assert_int_equal(s->ack_window_size, 9);
	assert_int_equal(s->purge_timeout_s, 10);
	assert_true(s->tcp_window_tracking);
	assert_int_equal(s->expect_sync, CONF_EXPECT_LIST);
	assert_int_equal(s->n_expect_names, 3);
	assert_string_equal(s->expect_names[0], "cafe");
	assert_string_equal(s->expect_names[1], "q.931");
	assert_string_equal(s->expect_names[2], "averyveryverylon");
	assert_int_equal(s->links[0].kind, CONF_MULTICAST);
	assert_int_equal(s->links[0].group.family, FAMILY_IPV6);
	assert_false(s->links[0].checksum);
	assert_int_equal(r->conf.filter.state, FILTER_ACCEPT);
	assert_int_equal(r->conf.filter.tcp_states, 1 << TCP_STATE_CLOSE);
	conf_read_free(r);
}

static void test_helpers_are_read(void **state)
{
	struct conf_read *r = read_text(
		"Helper { Setup yes Type ftp inet6 tcp { QueueNum 3\n"
		"QueueNum 4 QueueLen 5 Policy ftp { ExpectMax 9 } } }");
	const struct conf_helper_type *t = r->conf.helper.types;

	(void)state;
	assert_int_equal(r->result, 0);
	assert_true(r->conf.helper.setup);
	assert_int_equal(r->conf.helper.n_types, 1);
	assert_string_equal(t->name, "ftp");
	assert_int_equal(t->family, FAMILY_IPV6);
	assert_int_equal(t->l4proto, L4_TCP);
	assert_int_equal(t->queue_num, 3); /* the first one counts */
	assert_int_equal(t->queue_len, 5);
	assert_int_equal(t->expect_max, 9);
	assert_int_equal(t->expect_timeout_s, 300); /* the helper's */
	conf_read_free(r);
}

static void test_the_socket_path_is_had_from_a_file_with_errors(void **state)
{
	static const char *const texts[] = {
		"General { HashSize x UNIX { Path /c } }",
		"Bogus {\n}\nGeneral {\n Foo 5\n UNIX {\n Path /c\n",
		"General {\n Unix {\n Path /c\n }\n}\nSync {\n Mode FULL\n}\n",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct conf_read *r = read_text(texts[i]);

		assert_true(r->result > 0);
		assert_true(r->conf.general.has_unix_path);
		assert_string_equal(r->conf.general.unix_path, "/c");
		conf_read_free(r);
	}
}

static void test_options_are_found_where_they_were_given(void **state)
{
	struct conf_read *r =
		read_text("Sync {\n"
			  " Mode FTFW { }\n"
			  " UDP { IPv4_address 10.0.0.1 Port 1 Interface eth2\n"
			  "  IPv4_Destination_Address 10.0.0.2 }\n"
			  " UDP { IPv4_address 10.0.0.1 Port 1 Interface eth3\n"
			  "  IPv4_Destination_Address 10.0.0.3 }\n"
			  "}\n"
			  "General { SocketBufferSize 5 }\n");
	const struct conf_given *g;

	(void)state;
	assert_int_equal(r->result, 0);
	g = conf_find_given(&r->conf, "UDP", "Interface", 0);
	assert_non_null(g);
	assert_int_equal(g->at.line, 3);
	assert_int_equal(g->value.col, 47);
	assert_int_equal(g->value.len, 4);
	g = conf_find_given(&r->conf, NULL, "Interface", -1);
	assert_int_equal(g->at.line, 5);
	assert_int_equal(g->link, 1);
	/* under its modern name */
	g = conf_find_given(&r->conf, "General", "NetlinkBufferSize", -1);
	assert_int_equal(g->at.line, 8);
	g = conf_find_given(&r->conf, "Sync", "Mode", -1);
	assert_int_equal(g->at.line, 2);
	assert_null(conf_find_given(&r->conf, NULL, "HashSize", -1));
	conf_read_free(r);
}

/* Everything that allocates: given, nets, names, types, both checks. */
static const char big[] =
	"General { UNIX { Path /c } HashSize 1 HashSize 2 Filter {\n"
	"Address Ignore { IPv4_address 10.0.0.1 IPv4_address 10.0.0.2\n"
	"IPv4_address 10.0.0.3 IPv4_address 10.0.0.4 IPv4_address 10.0.0.5\n"
	"IPv4_address 10.0.0.6 IPv4_address 10.0.0.7 IPv4_address 10.0.0.8\n"
	"IPv4_address 10.0.0.9 } } }\n"
	"Sync { Mode FTFW { } Multicast { IPv4_address 225.0.0.50 Group 1\n"
	"Interface a } Options { ExpectationSync { a b c d e f g h i j } } }\n"
	"Helper { Type ftp inet tcp { QueueNum 1 }\n"
	"Type tftp inet udp { QueueNum 1 } }\n";

static void test_lack_of_memory_is_told_and_leaves_a_valid_conf(void **state)
{
	(void)state;
	for (size_t n = 0;; n++) {
		struct conf c;
		int result;

		alloc_fail_after(n);
		result = conf_parse(big, sizeof(big) - 1, &c, NULL, NULL);
		if (!alloc_fail_off()) {
			assert_int_equal(result, 0);
			conf_fini(&c);
			assert_true(n >= 8);
			return;
		}
		/* the list of findings is not needed to go on */
		assert_true(result == -ENOMEM || result == 0);
		assert_true(c.general.unix_path[0]);
		conf_fini(&c);
		conf_fini(&c); /* may be repeated */
	}
}

static void test_findings_are_limited(void **state)
{
	static const char bogus[] = "\nBogus 5";
	char text[4000] = "Stats { ";
	char *at = text + strlen(text);
	struct conf_read *r;

	(void)state;
	for (int i = 0; i < 300; i++, at += sizeof(bogus) - 1)
		memcpy(at, bogus, sizeof(bogus));
	memcpy(at, "\n}", 3);
	r = read_text(text);
	assert_int_equal(r->result, 300);
	/* and the warning about the missing path */
	assert_int_equal(r->n, CONF_FINDINGS_MAX + 2);
	assert_string_equal(r->findings[r->n - 1].name, "limit");
	conf_read_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_file_has_the_defaults),
		cmocka_unit_test(test_general_options_are_read),
		cmocka_unit_test(test_links_are_read),
		cmocka_unit_test(test_filter_sets_are_read),
		cmocka_unit_test(test_sync_options_are_read),
		cmocka_unit_test(test_helpers_are_read),
		cmocka_unit_test(
			test_the_socket_path_is_had_from_a_file_with_errors),
		cmocka_unit_test(test_options_are_found_where_they_were_given),
		cmocka_unit_test(
			test_lack_of_memory_is_told_and_leaves_a_valid_conf),
		cmocka_unit_test(test_findings_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
