/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/ctl_rows.h"
#include "cli/show_stats.h"

/* The values below are typed off the recorded answers. */
/* One subject with these values. */
#define COUNTED(...) (&(const struct counted){ .values = { __VA_ARGS__ } })
#define TRAFFIC(sent, received, n_sent, n_received) \
	[COUNTER_LINK_SENT_BYTES] = (sent),         \
	[COUNTER_LINK_RECEIVED_BYTES] = (received), \
	[COUNTER_LINK_SENT] = (n_sent), [COUNTER_LINK_RECEIVED] = (n_received)

static const struct stats_link sync0_multicast[] = {
	{ .kind = "multicast",
	  .status = LINK_RUNNING,
	  .device = "sync0",
	  .is_active = true,
	  .counted = COUNTED(TRAFFIC(2468, 64, 44, 4)) },
};

static const struct stats_link sync0_receiver[] = {
	{ .kind = "multicast",
	  .status = LINK_RUNNING,
	  .device = "sync0",
	  .is_active = true,
	  .counted = COUNTED(TRAFFIC(64, 2828, 4, 44)) },
};

static const struct stats_link sync0_udp[] = {
	{ .kind = "UDP",
	  .status = LINK_RUNNING,
	  .device = "sync0",
	  .is_active = true,
	  .counted = COUNTED(TRAFFIC(4460, 32, 6, 4)) },
};

static const struct stats_link sync0_tcp[] = {
	{ .kind = "TCP",
	  .status = LINK_RUNNING,
	  .device = "sync0",
	  .is_active = true,
	  .is_stream = true,
	  .is_server_connected = true,
	  .is_client_connected = true,
	  .counted = COUNTED(
		  TRAFFIC(2536, 32, 44, 4), [COUNTER_LINK_SEND_ERRORS] = 1) },
};

static const struct stats_link sync0_expect[] = {
	{ .kind = "multicast",
	  .status = LINK_RUNNING,
	  .device = "sync0",
	  .is_active = true,
	  .counted = COUNTED(TRAFFIC(3300, 64, 44, 4)) },
};

static const struct stats_link two_links[] = {
	{ .kind = "multicast",
	  .status = LINK_NO_CARRIER,
	  .device = "sync0",
	  .counted = COUNTED(TRAFFIC(24, 32, 2, 2)) },
	{ .kind = "multicast",
	  .status = LINK_RUNNING,
	  .device = "sync1",
	  .is_active = true,
	  .counted = COUNTED(TRAFFIC(32, 32, 2, 2)) },
};

static const struct counted txqueue = {
	.label = "txqueue",
	.values = { [COUNTER_QUEUE_MAX] = 2147483647 },
};
static const struct counted errorq = {
	.label = "errorq",
	.values = { [COUNTER_QUEUE_MAX] = 128 },
};
static const struct counted rsqueue = {
	.label = "rsqueue",
	.values = { [COUNTER_QUEUE_MAX] = 131072 },
};
static const struct counted *const queues[] = { &txqueue, &errorq, &rsqueue };

static const struct counted full_cache = {
	.values = { [COUNTER_CACHE_ACTIVE] = 26,
		    [COUNTER_CACHE_ENTRIES] = 26,
		    [COUNTER_CACHE_CREATED] = 26,
		    [COUNTER_CACHE_UPDATED] = 37 },
};

static const struct stats multicast = {
	.internal = { .counted = &full_cache },
	.daemon = COUNTED([COUNTER_UPTIME] = 59, [COUNTER_EVENTS] = 63,
			  [COUNTER_KERNEL_BUFFER] = 262142),
	.links = sync0_multicast,
	.n_links = 1,
	.queues = queues,
	.n_queues = N_ELEMENTS(queues),
};

static const struct stats tcp = {
	.internal = { .counted = &full_cache },
	.links = sync0_tcp,
	.n_links = 1,
};

static const struct stats no_caches = {
	.internal = { true, COUNTED([COUNTER_CACHE_CREATED] = 26,
				    [COUNTER_CACHE_UPDATED] = 37) },
	.external = { .is_off = true },
	.links = sync0_udp,
	.n_links = 1,
};

static const struct stats no_external = {
	.external = { true, COUNTED([COUNTER_INJECT_CREATED] = 14,
				    [COUNTER_INJECT_UPDATED] = 27) },
	.links = sync0_receiver,
	.n_links = 1,
};

static const struct stats with_expect = {
	.internal_expect = { false, COUNTED([COUNTER_CACHE_ACTIVE] = 3,
					    [COUNTER_CACHE_CREATED] = 4,
					    [COUNTER_CACHE_DESTROYED] = 1) },
	.links = sync0_expect,
	.n_links = 1,
};

static const struct stats lost_carrier = {
	.links = two_links,
	.n_links = 2,
};

static const struct stats stats_mode = {
	.is_stats_mode = true,
	.internal = { .counted = &full_cache },
};

/* The content of a recorded answer, from the heap. */
static char *read_golden(const char *name)
{
	char path[128];
	char *text = calloc(1, 8192);
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/cli/%s.txt", name);
	f = fopen(path, "rb");
	if (!f)
		print_message("%s is missing\n", path);
	assert_non_null(f);
	text[fread(text, 1, 8191, f)] = '\0';
	fclose(f);
	return text;
}

static void test_answers_equal_the_recorded_ones(void **state)
{
	static const struct {
		const char *golden;
		int code;
		const struct stats *values;
	} cases[] = {
		{ "ftfw-mcast.fw1.s", CTL_STATS, &multicast },
		{ "ftfw-mcast.fw1.s_network", CTL_STATS_NETWORK, &multicast },
		{ "ftfw-mcast.fw1.s_cache", CTL_STATS_CACHE, &multicast },
		{ "ftfw-mcast.fw1.s_runtime", CTL_STATS_RUNTIME, &multicast },
		{ "ftfw-mcast.fw1.s_link", CTL_STATS_LINK, &multicast },
		{ "ftfw-mcast.fw1.s_queue", CTL_STATS_QUEUE, &multicast },
		{ "notrack-tcp.fw1.s", CTL_STATS, &tcp },
		{ "notrack-tcp.fw1.s_link", CTL_STATS_LINK, &tcp },
		{ "nocaches.fw1.s", CTL_STATS, &no_caches },
		{ "nocaches.fw1.s_cache", CTL_STATS_CACHE, &no_caches },
		{ "noext.fw2.s", CTL_STATS, &no_external },
		{ "noext.fw2.s_cache", CTL_STATS_CACHE, &no_external },
		{ "ftfw-exp.fw1.s_expect", CTL_STATS_EXPECT, &with_expect },
		{ "links_two-links.fw1.2_s_link", CTL_STATS_LINK,
		  &lost_carrier },
		{ "stats.fw1.s", CTL_STATS, &stats_mode },
		{ "stats.fw1.s_cache", CTL_STATS_CACHE, &stats_mode },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char text[SHOW_STATS_MAX + 1];
		char *golden = read_golden(cases[i].golden);
		struct wr w = { .buf = (uint8_t *)text,
				.size = SHOW_STATS_MAX };

		assert_true(show_stats(cases[i].code, cases[i].values, &w));
		assert_false(w.full);
		text[w.used] = '\0';
		assert_string_equal(text, golden);
		free(golden);
	}
}

/* Every value of a block stands where its label says: 1, 2, 3 ... in order of
 * the text, but 0 for what cannot happen here. Labels and widths:
 * PROTOCOL.md 8.2. */
static void test_no_two_values_are_mixed_up(void **state)
{
	const struct stats s = {
		.internal = { false, COUNTED([COUNTER_CACHE_ACTIVE] = 2,
					     [COUNTER_CACHE_ENTRIES] = 1,
					     [COUNTER_CACHE_CREATED] = 4,
					     [COUNTER_CACHE_CREATE_FAILED] = 5,
					     [COUNTER_CACHE_NO_MEMORY] = 6,
					     [COUNTER_CACHE_NO_SPACE] = 7,
					     [COUNTER_CACHE_UPDATED] = 8,
					     [COUNTER_CACHE_UPDATE_FAILED] = 9,
					     [COUNTER_CACHE_DESTROYED] = 11) },
		.external = { true,
			      COUNTED([COUNTER_INJECT_CREATED] = 1,
				      [COUNTER_INJECT_CREATE_FAILED] = 2,
				      [COUNTER_INJECT_UPDATED] = 3,
				      [COUNTER_INJECT_UPDATE_FAILED] = 4,
				      [COUNTER_INJECT_DESTROYED] = 5,
				      [COUNTER_INJECT_DESTROY_FAILED] = 6) },
		.daemon = COUNTED(
			[COUNTER_MESSAGES_MALFORMED] = 1,
			[COUNTER_MESSAGES_BAD_VERSION] = 2,
			[COUNTER_MESSAGES_BAD_HEADER] = 3,
			[COUNTER_MESSAGES_BAD_PAYLOAD] = 4,
			[COUNTER_MESSAGES_BAD_TYPE] = 5,
			[COUNTER_MESSAGES_TRUNCATED] = 6,
			[COUNTER_MESSAGES_BAD_SIZE] = 7,
			[COUNTER_MESSAGES_LOST] = 9,
			[COUNTER_MESSAGES_BEFORE] = 10, [COUNTER_EVENTS] = 1,
			[COUNTER_EVENTS_FILTERED] = 2,
			[COUNTER_EVENTS_UNKNOWN] = 3,
			[COUNTER_EVENT_ERRORS] = 4, [COUNTER_DUMP_UNKNOWN] = 5,
			[COUNTER_OVERRUNS] = 6, [COUNTER_FLUSHES] = 7,
			[COUNTER_RESYNCS] = 8, [COUNTER_KERNEL_BUFFER] = 9,
			[COUNTER_LOOP_WAIT_FAILED] = 13,
			[COUNTER_REQUESTS_MISSING] = 15,
			[COUNTER_REQUESTS_UNKNOWN] = 16,
			[COUNTER_TRAFFIC_BYTES] = 1,
			[COUNTER_TRAFFIC_PACKETS] = 2),
	};
	static const struct {
		int code;
		const char *lines[18];
	} cases[] = {
		{ CTL_STATS_CACHE,
		  { "cache:internal\tactive objects:\t\t           1\n",
		    "\tactive/total entries:\t\t           2/           1\n",
		    "\tcreation OK/failed:\t\t           4/           5\n",
		    "\t\tno memory available:\t           6\n",
		    "\t\tno space left in cache:\t           7\n",
		    "\tupdate OK/failed:\t\t           8/           9\n",
		    "\t\tentry not found:\t           0\n",
		    "\tdeletion created/failed:\t          11/           0\n",
		    "\t\tentry not found:\t           0\n\n",
		    "external inject:\nconnections created:\t\t           1"
		    "\tfailed:\t           2\n",
		    "connections updated:\t\t           3"
		    "\tfailed:\t           4\n",
		    "connections destroyed:\t\t           5"
		    "\tfailed:\t           6\n\n" } },
		{ CTL_STATS_NETWORK,
		  { "network statistics:\n\trecv:\n",
		    "\t\tMalformed messages:\t                   1\n",
		    "\t\tWrong protocol version:\t                   2\n",
		    "\t\tMalformed header:\t                   3\n",
		    "\t\tMalformed payload:\t                   4\n",
		    "\t\tBad message type:\t                   5\n",
		    "\t\tTruncated message:\t                   6\n",
		    "\t\tBad message size:\t                   7\n\tsend:\n",
		    "\t\tMalformed messages:\t                   0\n\n",
		    "sequence tracking statistics:\n\trecv:\n",
		    "\t\tPackets lost:\t\t                   9\n",
		    "\t\tPackets before:\t\t                  10\n\n" } },
		{ CTL_STATS_RUNTIME,
		  { "daemon uptime: 0 min\n\nnetlink stats:\n",
		    "\tevents received:\t                   1\n",
		    "\tevents filtered:\t                   2\n",
		    "\tevents unknown type:\t\t           3\n",
		    "\tcatch event failed:\t\t           4\n",
		    "\tdump unknown type:\t\t           5\n",
		    "\tnetlink overrun:\t\t           6\n",
		    "\tflush kernel table:\t\t           7\n",
		    "\tresync with kernel table:\t           8\n",
		    "\tcurrent buffer size (in bytes):\t           9\n\n",
		    "runtime stats:\n\tchild process failed:\t\t           "
		    "0\n",
		    "\t\tchild process segfault:\t           0\n",
		    "\t\tchild process termsig:\t           0\n",
		    "\tselect failed:\t\t\t          13\n",
		    "\twait failed:\t\t\t           0\n",
		    "\tlocal read failed:\t\t          15\n",
		    "\tlocal unknown request:\t\t          16\n\n" } },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char text[SHOW_STATS_MAX + 1];
		char *at = text;
		struct wr w = { .buf = (uint8_t *)text,
				.size = SHOW_STATS_MAX };

		assert_true(show_stats(cases[i].code, &s, &w));
		text[w.used] = '\0';
		for (size_t n = 0; n < 18 && cases[i].lines[n]; n++) {
			size_t len = strlen(cases[i].lines[n]);

			assert_memory_equal(at, cases[i].lines[n], len);
			at += len;
		}
		assert_string_equal(at, "");
	}
}

static void test_uptime_leaves_out_what_is_zero(void **state)
{
	static const struct {
		uint64_t uptime_s;
		const char *text;
	} cases[] = {
		{ 0, "daemon uptime: 0 min\n" },
		{ 60, "daemon uptime: 1 min\n" },
		{ 3599, "daemon uptime: 59 min\n" },
		{ 3600, "daemon uptime: 1 h 0 min\n" },
		{ 86400 + 300, "daemon uptime: 1 day 5 min\n" },
		{ 2 * 86400 + 3 * 3600 + 4 * 60 + 5,
		  "daemon uptime: 2 days 3 h 4 min\n" },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint8_t text[SHOW_STATS_MAX];
		struct wr w = { .buf = text, .size = sizeof(text) };
		struct counted c = { .values[COUNTER_UPTIME] =
					     cases[i].uptime_s };
		struct stats s = { .daemon = &c };

		assert_true(show_stats(CTL_STATS_RUNTIME, &s, &w));
		assert_memory_equal(text, cases[i].text, strlen(cases[i].text));
	}
}

/* New lines come behind the old ones, and only where they tell something. */
static void test_refused_datagrams_are_shown_if_there_are_any(void **state)
{
	static const char link_end[] =
		"                   0 Error send                    0 Error "
		"recv"
		"\n                   7 Refused recv\n\n";
	static const char network_end[] =
		"refused datagrams:\n\trecv:\n"
		"\t\tNot from the peer:\t                   9\n"
		"\t\tToo many peers:\t\t                   2\n\n";
	struct stats_link links[2] = { two_links[0], two_links[1] };
	struct stats s = multicast;
	char text[SHOW_STATS_MAX + 1];
	struct wr w = { .buf = (uint8_t *)text, .size = SHOW_STATS_MAX };

	(void)state;
	links[1].counted = COUNTED([COUNTER_LINK_REFUSED] = 7);
	s.links = links;
	s.n_links = 2;
	assert_true(show_stats(CTL_STATS_LINK, &s, &w));
	text[w.used] = '\0';
	assert_string_equal(text + w.used - strlen(link_end), link_end);
	assert_ptr_equal(strstr(text, "Refused"),
			 text + w.used - strlen("Refused recv\n\n"));
	w.used = 0;
	s.daemon =
		COUNTED([COUNTER_NOT_FROM_PEER] = 9, [COUNTER_TOO_MANY_PEERS] =
							     2);
	assert_true(show_stats(CTL_STATS_NETWORK, &s, &w));
	text[w.used] = '\0';
	assert_string_equal(text + w.used - strlen(network_end), network_end);
}

static void test_a_disconnected_stream_is_named(void **state)
{
	static const char title[] = "TCP traffic (active device=eth9) "
				    "server=disconnected client=connected:\n";
	static const struct stats_link link = {
		.kind = "TCP",
		.device = "eth9",
		.is_active = true,
		.is_stream = true,
		.is_client_connected = true,
	};
	char text[SHOW_STATS_MAX + 1];
	struct wr w = { .buf = (uint8_t *)text, .size = SHOW_STATS_MAX };
	struct stats s = { .links = &link, .n_links = 1 };

	(void)state;
	assert_true(show_stats(CTL_STATS, &s, &w));
	text[w.used] = '\0';
	assert_non_null(strstr(text, title));
}

static void test_other_answers_are_empty_in_stats_mode(void **state)
{
	static const int codes[] = { CTL_STATS_NETWORK, CTL_STATS_LINK,
				     CTL_STATS_QUEUE, CTL_STATS_EXPECT,
				     CTL_STATS_PROCESS };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
		uint8_t byte;
		struct wr w = { .buf = &byte, .size = 1 };

		assert_true(show_stats(codes[i], &stats_mode, &w));
		assert_int_equal(w.used, 0);
		assert_false(w.full);
	}
}

static void test_what_is_no_statistics_is_refused(void **state)
{
	static const int codes[] = { CTL_DUMP_INTERNAL, CTL_KILL,
				     CTL_STATS_RSQUEUE, 27, -1 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
		uint8_t byte;
		struct wr w = { .buf = &byte, .size = 1 };

		assert_false(show_stats(codes[i], &multicast, &w));
		assert_int_equal(w.used, 0);
	}
}

static void test_the_largest_answers_fit(void **state)
{
	uint8_t text[SHOW_STATS_MAX];
	struct stats_link links[8];
	struct counted all, queue;
	const struct counted *const largest_queues[] = { &queue, &queue,
							 &queue };
	struct stats s = {
		.daemon = &all,
		.internal = { false, &all },
		.external = { false, &all },
		.internal_expect = { false, &all },
		.external_expect = { false, &all },
		.links = links,
		.n_links = N_ELEMENTS(links),
		.queues = largest_queues,
		.n_queues = N_ELEMENTS(largest_queues),
	};

	(void)state;
	memset(all.values, 0xff, sizeof(all.values));
	memcpy(queue.values, all.values, sizeof(all.values));
	strcpy(queue.label, "rsqueue");
	for (size_t i = 0; i < N_ELEMENTS(links); i++)
		links[i] = (struct stats_link){
			.kind = "multicast",
			.device = "fifteen-letters",
			.status = LINK_NO_CARRIER,
			.is_active = i == 0,
			.is_stream = true,
			.counted = &all,
		};
	for (int code = 0; code <= 48; code++) {
		struct wr w = { .buf = text, .size = sizeof(text) };

		if (show_stats(code, &s, &w))
			assert_false(w.full);
	}
}

static void test_the_resend_queue_is_listed(void **state)
{
	char text[512];
	char *golden = read_golden("alone_ftfw-mcast.fw1.s_rsqueue");
	struct wr w = { .buf = (uint8_t *)text, .size = sizeof(text) };

	(void)state;
	show_rsqueue_head(6, &w);
	for (uint32_t seq = 1795496210; seq <= 1795496214; seq++)
		show_rsqueue_flow(seq, &w);
	show_rsqueue_control(1795496215, 34, &w);
	wr_u8(&w, 0);
	assert_string_equal(text, golden);
	free(golden);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_equal_the_recorded_ones),
		cmocka_unit_test(test_no_two_values_are_mixed_up),
		cmocka_unit_test(test_uptime_leaves_out_what_is_zero),
		cmocka_unit_test(
			test_refused_datagrams_are_shown_if_there_are_any),
		cmocka_unit_test(test_a_disconnected_stream_is_named),
		cmocka_unit_test(test_other_answers_are_empty_in_stats_mode),
		cmocka_unit_test(test_what_is_no_statistics_is_refused),
		cmocka_unit_test(test_the_largest_answers_fit),
		cmocka_unit_test(test_the_resend_queue_is_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
