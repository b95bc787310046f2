/* SPDX-License-Identifier: ISC */
/* What is given twice: that it is told, with both places, and what counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_help.h"

#define LINK "UDP { IPv4_address 10.0.0.1 Port 1 Interface a " DEST " }"
#define DEST "IPv4_Destination_Address 10.0.0.2"
#define TYPE "Helper {\nType ftp inet tcp {\n"

/* The second of two stands in line 3 or later. `effect` is a part of what
 * conf_print() writes. How conntrackd 1.4.7 sees it was tried with each. */
/* clang-format off */
static const struct {
	const char *text, *findings, *effect;
} cases[] = {
	/* sections: there they are merged, and the last of two options counts.
	 * No file that is known to be in use has two. */
	{ "General { UNIX { Path /x } }\nStats { }\nGeneral { UNIX { Path /y } "
	  "HashSize 5 }", "error 3:1 duplicate-section", "Path /y" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { } }\nSync { " LINK
	  " Mode FTFW { } }", "error 3:1 duplicate-section", "Port 1" },
	{ "General { UNIX { Path /x } }\nStats { LogFile /a }\nStats { "
	  "LogFile /b }", "error 3:1 duplicate-section", "LogFile /b" },
	{ "General { UNIX { Path /x } }\nHelper { Type ftp inet tcp { QueueNum "
	  "1 } }\nHelper { Setup yes }",
	  "warning 2:10 helper-unsupported; error 3:1 duplicate-section",
	  "Setup yes" },
	{ "General { UNIX { Path /x } }\nStats { }\nStats { }\nGeneral { }\n"
	  "General { }", "error 3:1 duplicate-section; error 4:1 "
	  "duplicate-section; error 5:1 duplicate-section", "Path /x" },
	/* what stands in another section was told to be wrong there */
	{ "General { UNIX { Path /x }\n\tGeneral { HashSize 5 }\n\tStats { } }"
	  "\nStats { }", "error 2:2 misplaced; error 3:2 misplaced",
	  "Path /x" },
	/* a '}' too many is no second section */
	{ "Stats { }\nGeneral {\n UNIX { Path /x } HashSize 5 }\n HashSize 6\n"
	  "}", "error 4:2 misplaced; warning 4:2 duplicate", "HashSize 6" },

	/* blocks of one object: read as one there, too */
	{ "Stats { }\nGeneral { UNIX { Path /x }\nUNIX { } }",
	  "warning 3:1 duplicate", "Path /x" },
	{ "Stats { }\nGeneral { UNIX { Path /x }\nUNIX { Path /y } }",
	  "warning 3:1 duplicate; warning 3:8 duplicate", "Path /y" },
	{ "Stats { }\nGeneral { UNIX { Path /x } Scheduler { Type RR }\n"
	  "Scheduler { Priority 5 } }", "warning 3:1 duplicate", "Priority 5" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { } " LINK " Options "
	  "{ TCPWindowTracking yes }\nOptions { TCPWindowTracking no } }",
	  "warning 3:1 duplicate; warning 3:11 duplicate",
	  "TCPWindowTracking no" },

	/* modes */
	{ "General { UNIX { Path /x } }\nSync { " LINK " Mode FTFW { "
	  "ResendQueueSize 5 }\nMode FTFW { ResendQueueSize 6 } }",
	  "warning 3:1 duplicate; warning 3:13 duplicate",
	  "ResendQueueSize 6" },
	{ "General { UNIX { Path /x } }\nSync { " LINK " Mode FTFW { }\n"
	  "Mode nack { } }", "warning 3:1 duplicate; warning 3:6 deprecated",
	  "Mode FTFW" },
	{ "General { UNIX { Path /x } }\nSync { " LINK " Mode NOTRACK { }\n"
	  "Mode ALARM { } }", "warning 3:1 combination", "Mode ALARM" },
	{ "General { UNIX { Path /x } }\nSync { " LINK " Mode ALARM { "
	  "RefreshTime 7 }\nMode FTFW { } Mode ALARM { RefreshTime 8 } }",
	  "warning 3:1 combination; warning 3:15 duplicate; "
	  "warning 3:28 duplicate", "Mode FTFW" },

	/* one value, two places or names */
	{ "General { UNIX { Path /x } }\nSync { " LINK " CommitTimeout 5\n"
	  "Mode FTFW { CommitTimeout 6 } }", "warning 3:13 duplicate",
	  "CommitTimeout 6" },
	{ "General { UNIX { Path /x } }\nSync { " LINK " Mode FTFW { "
	  "PurgeTimeout 5 }\nPurgeTimeout 6 }", "warning 3:1 duplicate",
	  "PurgeTimeout 6" },
	{ "General { UNIX { Path /x } }\nSync { " LINK " CacheTimeout 99\n"
	  "Mode ALARM { RefreshTime 7 CacheTimeout 98 }\nRefreshTime 8 }",
	  "warning 3:28 duplicate; warning 4:1 duplicate", "RefreshTime 8" },
	{ "Stats { }\nGeneral { UNIX { Path /x } SocketBufferSizeMaxGrown 9 "
	  "NetlinkBufferSize 5\nSocketBufferSize 6 "
	  "NetlinkBufferSizeMaxGrowth 8 }",
	  "warning 3:1 duplicate; warning 3:20 duplicate",
	  "NetlinkBufferSize 6" },
	{ "Stats { }\nGeneral { UNIX { Path /x } LockFile /a\nLockfile /b }",
	  "warning 3:1 deprecated; warning 3:1 duplicate", "LockFile /b" },
	{ "General { UNIX { Path /x } NetlinkEventsReliable no }\nStats {\n"
	  "NetlinkEventsReliable yes }",
	  "warning 3:1 deprecated; warning 3:1 duplicate",
	  "NetlinkEventsReliable yes" },
	{ "Stats {\nNetlinkEventsReliable yes }\nGeneral { UNIX { Path /x } "
	  "NetlinkEventsReliable no }",
	  "warning 2:1 deprecated; warning 3:28 duplicate",
	  "NetlinkEventsReliable no" },

	/* filters: sets of one kind are united, the last words hold */
	{ "Stats { }\nGeneral { UNIX { Path /x } Filter From Kernelspace { "
	  "Protocol Accept { TCP } }\nFilter From Kernelspace { Address Ignore "
	  "{ IPv4_address 127.0.0.1 } } }", "warning 3:1 duplicate",
	  "Filter From Kernelspace" },
	{ "Stats { }\nGeneral { UNIX { Path /x } Filter From Kernelspace { }\n"
	  "Filter { } }", "warning 3:1 duplicate", "Filter From Userspace" },
	{ "Stats { }\nGeneral { UNIX { Path /x } Filter { }\n"
	  "Filter From Kernelspace { } }", "warning 3:1 duplicate",
	  "Filter From Kernelspace" },
	{ "Stats { }\nGeneral { UNIX { Path /x } Filter { Protocol Accept { "
	  "TCP }\nProtocol Accept { UDP TCP } } }", "warning 3:1 duplicate",
	  "Protocol Accept {\n\t\t\tTCP\n\t\t\tUDP\n" },
	{ "Stats { }\nGeneral { UNIX { Path /x } Filter { Protocol Ignore { "
	  "TCP } } Filter {\nProtocol Accept { UDP } } }",
	  "warning 2:63 duplicate; warning 3:1 combination",
	  "Protocol Accept {\n\t\t\tTCP\n\t\t\tUDP\n" },
	{ "Stats { }\nGeneral { UNIX { Path /x } Filter { Address Ignore { "
	  "IPv4_address 10.0.0.1 }\nAddress Accept { IPv4_address 10.0.0.1 } } "
	  "}", "warning 3:1 combination; warning 3:31 duplicate",
	  "Address Accept" },
	{ "Stats { }\nGeneral { UNIX { Path /x } Filter { State Accept { "
	  "LISTEN for TCP }\nState Accept { CLOSE for TCP LISTEN for TCP } } }",
	  "warning 3:1 duplicate", "CLOSED LISTEN for TCP" },
	{ "General { UNIX { Path /x } Filter { Protocol Accept { TCP } } }\n"
	  "Stats { }\nIgnoreProtocol { UDP }",
	  "warning 3:1 legacy; warning 3:1 combination", "Protocol Ignore" },
	{ "General { UNIX { Path /x } }\nIgnoreTrafficFor { IPv4_address ::1 "
	  "IPv4_address 10.0.0.1 }\nIgnoreTrafficFor { IPv4_address 10.0.0.2 }"
	  "\nStats { }", "warning 2:1 legacy; error 2:33 address; "
	  "warning 3:1 legacy; warning 3:1 duplicate", "10.0.0.2" },
	{ "General { UNIX { Path /x } Filter { State Ignore { LISTEN for TCP }"
	  " } }\nSync { Mode FTFW { } " LINK "\nReplicate CLOSE for TCP\n"
	  "Replicate CLOSE_WAIT for TCP }",
	  "warning 3:1 legacy; warning 3:1 combination; "
	  "warning 4:1 legacy; warning 4:1 duplicate",
	  "State Accept {\n\t\t\tCLOSE_WAIT CLOSED LISTEN for TCP\n" },

	/* links: each is one more */
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { }\n" LINK "\n" LINK
	  " }", "warning 4:1 duplicate", "UDP {" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { }\n" LINK "\nUDP { "
	  "IPv4_address 10.0.0.1 Port 2 Interface a " DEST " } }", "",
	  "Port 2" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { }\n UDP { " DEST
	  " IPv4_address 10.0.0.1 Interface a Port 1\nPort 2 Interface b\n"
	  DEST " } }", "warning 4:1 duplicate; warning 4:8 duplicate; "
	  "warning 5:26 duplicate", "Port 2" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { }\nChecksum no\n"
	  "Checksum yes " LINK " }",
	  "warning 3:1 legacy; warning 4:1 legacy; warning 4:1 duplicate",
	  "Checksum yes" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { }\nChecksum no\n"
	  "UDP { IPv4_address 10.0.0.1 Port 1 Interface a " DEST
	  " Checksum yes } }", "warning 3:1 legacy; warning 3:1 duplicate",
	  "Checksum yes" },

	/* ExpectationSync: lists are united; no after anything aborts there */
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { } " LINK " Options "
	  "{ ExpectationSync { ftp }\nExpectationSync { sip ftp } } }",
	  "warning 3:1 duplicate", "\t\t\tftp\n\t\t\tsip\n\t\t}" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { } " LINK " Options "
	  "{ ExpectationSync { ftp }\nExpectationSync yes } }",
	  "warning 3:1 duplicate", "\t\t\tftp\n\t\t}" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { } " LINK " Options "
	  "{ ExpectationSync yes\nExpectationSync { ftp } } }",
	  "warning 3:1 duplicate", "\t\t\tftp\n\t\t}" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { } " LINK " Options "
	  "{ ExpectationSync { ftp }\nExpectationSync no } }",
	  "warning 3:1 duplicate", "ExpectationSync no" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { } " LINK " Options "
	  "{ ExpectationSync yes\nExpectationSync no } }",
	  "warning 3:1 duplicate", "ExpectationSync no" },
	{ "General { UNIX { Path /x } }\nSync { Mode FTFW { } " LINK " Options "
	  "{ ExpectationSync no }\nOptions { ExpectationSync yes } }",
	  "warning 3:1 duplicate; warning 3:11 duplicate",
	  "ExpectationSync yes" },

	/* helpers: the first one counts, but within a Policy the last */
	{ TYPE "QueueNum 1 QueueLen 3\nQueueNum 2 QueueLen 4 } }",
	  "warning 1:1 missing-path; warning 2:1 helper-unsupported; "
	  "warning 4:1 duplicate; warning 4:12 duplicate",
	  "QueueNum 1\n\t\tQueueLen 3\n" },
	{ TYPE "QueueNum 1 Policy ftp { ExpectMax 2 }\n"
	  "Policy ftp { ExpectMax 3 ExpectTimeout 7 } } }",
	  "warning 1:1 missing-path; warning 2:1 helper-unsupported; "
	  "warning 4:1 duplicate", "ExpectMax 2\n\t\t\tExpectTimeout 300\n" },
	{ TYPE "QueueNum 1 Policy ftp { ExpectMax 2\nExpectMax 5 } } }",
	  "warning 1:1 missing-path; warning 2:1 helper-unsupported; "
	  "warning 4:1 duplicate", "ExpectMax 5" },
};
/* clang-format on */

static void test_what_is_given_twice_is_told_and_one_counts(void **state)
{
	char out[4096];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct conf_read *r =
			conf_read_text(cases[i].text, strlen(cases[i].text));
		size_t len;
		char *printed = conf_printed(&r->conf, &len);

		if (strcmp(conf_findings(r, out, sizeof(out)),
			   cases[i].findings) != 0)
			fail_msg("%s\n  is:     %s\n  should: %s",
				 cases[i].text, out, cases[i].findings);
		printed = realloc(printed, len + 1);
		printed[len] = '\0';
		if (!strstr(printed, cases[i].effect))
			fail_msg("%s\n  has not '%s' in effect:\n%s",
				 cases[i].text, cases[i].effect, printed);
		free(printed);
		conf_read_free(r);
	}
}

/* clang-format off */
static const struct {
	const char *text, *says;
} texts[] = {
	{ "Stats { }\nGeneral { }\nGeneral { }",
	  "a second section General, the first is at 2:1: write its options "
	  "there" },
	{ "Stats { }\nGeneral { HashSize 5\nHashSize 6 }",
	  "HashSize is given again, that at 2:11 no longer counts" },
	{ "Stats { }\nGeneral { SocketBufferSize 5\nNetlinkBufferSize 6 }",
	  "NetlinkBufferSize is given again, that at 2:11 no longer counts" },
	{ "Stats { }\nGeneral { UNIX { }\nUNIX { } }",
	  "UNIX is given again, that at 2:11 is read as one with it" },
	{ "Stats { }\nGeneral { Filter From Kernelspace { }\nFilter { } }",
	  "that at 2:11 is read as one with it, all From Userspace" },
	{ "Stats { }\nGeneral { Filter { State Ignore { for TCP }\n"
	  "State Accept { for TCP } } }", "than that at 2:20: both are one set,"
	  " and Accept holds for all" },
	{ "Sync { Mode ALARM { }\nMode FTFW { } }", "beside that at 1:8: FTFW "
	  "is preferred" },
	{ "Sync { Options { ExpectationSync { ftp }\nExpectationSync yes } }",
	  "that at 1:18 still counts: yes does not extend a list" },
	{ TYPE "QueueNum 1\nQueueNum 2 } }",
	  "QueueNum is given again, that at 3:1 counts" },
};
/* clang-format on */

static void test_both_places_are_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		conf_assert_says(texts[i].text, texts[i].says);
}

static void test_of_many_sections_the_first_is_named(void **state)
{
	const char text[] = "Stats { }\nGeneral { }\nGeneral { }\nGeneral { }";
	struct conf_read *r = conf_read_text(text, strlen(text));

	(void)state;
	assert_int_equal(r->result, 2);
	for (size_t i = 0; i < r->n; i++)
		if (r->findings[i].severity == CONF_ERROR)
			assert_non_null(strstr(r->findings[i].text,
					       "the first is at 2:1"));
	conf_read_free(r);
}

/* What stands around the options of each block. */
static const struct {
	const char *block, *head, *tail;
} around[] = {
	{ "General", "Stats { }\nGeneral {\n", "}" },
	{ "UNIX", "Stats { }\nGeneral { UNIX {\n", "} }" },
	{ "Scheduler", "Stats { }\nGeneral { Scheduler {\n", "} }" },
	{ "Sync", "Sync { " LINK "\n", "}" },
	{ "Mode ALARM", "Sync { " LINK " Mode ALARM {\n", "} }" },
	{ "Mode FTFW", "Sync { " LINK " Mode FTFW {\n", "} }" },
	{ "Mode NOTRACK", "Sync { " LINK " Mode NOTRACK {\n", "} }" },
	{ "Options", "Sync { " LINK " Options {\n", "} }" },
	{ "Multicast", "Sync { Multicast {\n", "} }" },
	{ "UDP", "Sync { UDP {\n", "} }" },
	{ "TCP", "Sync { TCP {\n", "} }" },
	{ "Stats", "General { }\nStats {\n", "}" },
	{ "Helper", "General { }\nHelper {\n", "}" },
	{ "Type", "Helper { Type ftp inet tcp {\n", "} }" },
	{ "Policy", "Helper { Type ftp inet tcp { Policy ftp {\n", "} } }" },
};

static const char *value_for(const struct conf_option *o)
{
	if (!strcmp(o->type, "path"))
		return "/x";
	if (!strcmp(o->type, "interface"))
		return "eth0";
	if (!strcmp(o->type, "RR|FIFO"))
		return "RR";
	if (!strcmp(o->type, "address"))
		return o->name[3] == '4' ? "225.0.0.1" : "ff02::1";
	return !strcmp(o->type, "number") ? "5" : "no";
}

/* Writes the option, by its own name and by its modern one, into a file. */
static void check_option(void *ctx, const struct conf_option *o)
{
	const char *modern = o->alias_of ? o->alias_of : o->name;
	char text[512];
	struct conf_read *r;
	size_t i = 0;
	int n_told = 0;

	if (!strcmp(o->type, "block") || (o->note && !o->alias_of))
		return;
	while (i < N_ELEMENTS(around) && strcmp(around[i].block, o->block) != 0)
		i++;
	if (i == N_ELEMENTS(around)) {
		/* a list, the only kind of option that may be repeated */
		assert_string_equal(o->type, "network");
		return;
	}
	snprintf(text, sizeof(text), "%s%s %s\n%s %s\n%s", around[i].head,
		 o->name, value_for(o), modern, value_for(o), around[i].tail);
	r = conf_read_text(text, strlen(text));
	for (size_t k = 0; k < r->n; k++)
		n_told += !strncmp(r->findings[k].name, "duplicate", 9) &&
			  strstr(r->findings[k].text, "that at ");
	if (n_told != 1)
		fail_msg("%s\n is told %d times", text, n_told);
	conf_read_free(r);
	++*(int *)ctx;
}

static void test_no_option_is_overridden_in_silence(void **state)
{
	int n = 0;

	(void)state;
	conf_for_each_option(check_option, &n);
	assert_true(n > 70);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_what_is_given_twice_is_told_and_one_counts),
		cmocka_unit_test(test_both_places_are_named),
		cmocka_unit_test(test_of_many_sections_the_first_is_named),
		cmocka_unit_test(test_no_option_is_overridden_in_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
