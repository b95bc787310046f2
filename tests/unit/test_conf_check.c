/* SPDX-License-Identifier: ISC */
/* Single options and combinations: what is told, where, under which name. */
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

#define GENERAL(x) "General { UNIX { Path /x } " x " } Stats { }"
#define STATS(x)   "General { UNIX { Path /x } } Stats { " x " }"
#define SYNC(x)    "General { UNIX { Path /x } } Sync { " x " }"
#define FTFW(x)    SYNC("Mode FTFW { " x " } " MCAST)
#define LINK(x)    SYNC("Mode FTFW { } " x)
#define MCAST_ON(dev) \
	"Multicast { IPv4_address 225.0.0.50 Group 1 Interface " dev " }"
#define MCAST      MCAST_ON("a")
#define FOUR_LINKS MCAST_ON("a") MCAST_ON("b") MCAST_ON("c") MCAST_ON("d")
#define UDP                                               \
	"UDP { IPv4_address 10.0.0.1 Port 1 Interface a " \
	"IPv4_Destination_Address 10.0.0.2 }"
#define PEER(n) "IPv4_Destination_Address 1.2.3." n " "
#define NINE_PEERS \
	PEER("1")  \
	PEER("2")  \
	PEER("3") PEER("4") PEER("5") PEER("6") PEER("7") PEER("8") PEER("9")
#define HELPER(x) "General { UNIX { Path /x } } Helper { " x " }"
#define FILTER(x) GENERAL("Filter { " x " }")

/* clang-format off */
static const struct {
	const char *text, *findings;
} cases[] = {
	{ GENERAL(""), "" },
	{ STATS(""), "" },
	{ FTFW(""), "" },
	{ LINK(UDP), "" },
	{ "Stats { }", "warning 1:1 missing-path" },
	{ "", "error 1:1 empty" },

	/* numbers */
	{ GENERAL("HashSize 0"), "warning 1:37 zero" },
	{ GENERAL("HashSize 268435456"), "" },
	{ GENERAL("HashSize 268435457"), "error 1:37 range-hash" },
	{ GENERAL("HashSize 18446744073709551617"), "error 1:37 range-hash" },
	{ GENERAL("HashLimit 2147483648"), "error 1:38 range-hash" },
	{ GENERAL("HashSize 007"), "" },
	{ FTFW("CommitTimeout 432000000 PurgeTimeout 2147483647"), "" },
	{ FTFW("CommitTimeout 2147483648"), "error 1:63 range-time" },
	{ GENERAL("HashSize"), "error 1:37 value" },
	{ GENERAL("HashSize x"), "error 1:37 number" },
	{ GENERAL("PollSecs 0"), "error 1:37 range-time" },
	{ GENERAL("Nice -5"), "warning 1:28 deprecated" },
	{ GENERAL("Nice 5"), "warning 1:28 deprecated" },
	{ GENERAL("Nice - 5"), "warning 1:28 deprecated; error 1:33 number" },
	{ GENERAL("NetlinkOverrunResync no"), "" },
	{ GENERAL("NetlinkOverrunResync 5"), "" },
	{ GENERAL("NetlinkOverrunResync 0"), "warning 1:49 zero" },
	{ GENERAL("NetlinkOverrunResync maybe"), "error 1:49 number" },
	{ LINK("UDP { Port 0 IPv4_address 10.0.0.1 Interface a "
	       "IPv4_Destination_Address 10.0.0.2 }"),
	  "error 1:62 range-port" },

	/* words */
	{ GENERAL("Systemd YES Systemd oFF"), "warning 1:40 duplicate" },
	{ GENERAL("Systemd true"), "error 1:36 word-bool" },
	{ GENERAL("Syslog local8"), "warning 1:35 facility" },
	{ GENERAL("Syslog Daemon"), "warning 1:35 facility" },
	{ GENERAL("Syslog 5"), "error 1:35 word-facility" },
	{ GENERAL("Syslog cafe"), "error 1:35 word-facility" },
	{ GENERAL("Syslog ftfw"), "error 1:35 word-facility" },
	{ GENERAL("Syslog LockFile /a"), "error 1:35 word-facility" },
	{ SYNC("Mode nack { } " MCAST), "warning 1:42 deprecated" },
	{ SYNC("Mode persistent { } " MCAST), "warning 1:42 deprecated" },
	{ SYNC("Mode FTF| { } " MCAST), "error 1:42 word-mode" },
	{ SYNC("Mode FT-FW { } " MCAST), "error 1:42 word-mode" },

	/* names that look like something else */
	{ LINK("UDP { Port 1 IPv4_address 10.0.0.1 Interface Port "
	       "IPv4_Destination_Address 10.0.0.2 }"), "" },
	{ LINK("UDP { Port 1 IPv4_address 10.0.0.1 Interface\nPort 2 "
	       "IPv4_Destination_Address 10.0.0.2 }"),
	  "error 2:1 value; warning 2:1 duplicate" },
	{ LINK("UDP { Port 1 IPv4_address 10.0.0.1 Interface 0cafe "
	       "IPv4_Destination_Address 10.0.0.2 }"), "" },

	/* paths */
	{ GENERAL("LockFile /a\tSystemd on"), "" },
	{ GENERAL("LockFile /a\tfoo"), "error 1:40 path-tab" },
	{ LINK("UDP { Port 1 Interface a IPv4_Destination_Address 224.1.2.3 "
	       "IPv4_address 1.2.3.5 }"), "warning 1:101 multicast" },
	{ GENERAL("LockFile a/b"), "error 1:37 path" },
	{ GENERAL("LockFile /a\x01" "b"), "error 1:39 control" },
	{ "General { UNIX { Path /x} } Stats { }",
	  "error 1:29 misplaced; error 1:38 unclosed" },

	/* General */
	{ GENERAL("NetlinkBufferSize 5"), "warning 1:28 combination" },
	{ GENERAL("NetlinkBufferSizeMaxGrowth 0 NetlinkBufferSize 5"),
	  "warning 1:57 combination" },
	{ GENERAL("SocketBufferSize 5 SocketBufferSizeMaxGrown 4"),
	  "warning 1:28 combination" },
	{ GENERAL("NetlinkBufferSize 5 NetlinkBufferSizeMaxGrowth 5"), "" },
	{ GENERAL("Scheduler { Priority 5 }"), "warning 1:40 combination" },
	{ GENERAL("Scheduler { Type rr }"), "warning 1:28 missing-priority" },
	{ GENERAL("Scheduler { Type FIFO Priority 0 }"),
	  "warning 1:59 combination" },
	{ GENERAL("Scheduler { Type FIFO Priority 99 }"), "" },
	{ GENERAL("Scheduler { Type FIFO Priority 100 }"),
	  "error 1:59 range-priority" },
	{ GENERAL("Scheduler { Type OTHER Priority 9 }"),
	  "error 1:45 scheduler" },
	{ GENERAL("PollSecs 5 NetlinkEventsReliable yes"),
	  "warning 1:39 combination" },
	{ "General { UNIX { Path /x } PollSecs 5 } "
	  "Sync { Mode NOTRACK { DisableInternalCache on } " UDP " }",
	  "warning 1:63 combination" },
	{ GENERAL("Lockfile /a"), "warning 1:28 deprecated" },
	{ GENERAL("Hashsize 5"), "error 1:28 option" },
	{ GENERAL("Unix { Path /y }"), "error 1:28 option" },
	{ GENERAL("HashSise x"), "error 1:28 option" },
	{ STATS("NetlinkEventsReliable on"), "warning 1:38 deprecated" },
	{ "General { UNIX { Path /x } Syslog local1 } "
	  "Stats { Syslog local2 }", "warning 1:59 combination" },

	/* Sync */
	{ SYNC(MCAST), "warning 1:30 missing-mode" },
	{ SYNC("Mode FTFW { }"), "error 1:30 link" },
	{ SYNC("Mode ALARM { } Mode FTFW { } " MCAST),
	  "warning 1:52 combination" },
	{ FTFW("CommitTimeout 5 DisableExternalCache yes"),
	  "warning 1:49 combination" },
	{ SYNC("RefreshTime 5 Mode FTFW { } " MCAST), "warning 1:37 unused" },
	{ SYNC("Mode ALARM { RefreshTime 99 CacheTimeout 99 } " MCAST),
	  "warning 1:50 combination" },
	{ "General { UNIX { Path /x } } Stats { } Sync { Mode FTFW { } "
	  MCAST " }", "error 1:30 combination" },
	{ FTFW("RefreshTime 5"), "error 1:49 misplaced" },
	{ SYNC("Mode FTFW " MCAST), "error 1:47 syntax" },
	{ LINK(MCAST " Options { ExpectationSync { } }"),
	  "warning 1:119 empty-set" },
	{ LINK(MCAST " Options { ExpectationSync { ftp } ExpectationSync no "
	       "ExpectationSync { sip } }"),
	  "warning 1:143 duplicate; warning 1:162 duplicate" },
	{ LINK(MCAST " Options { ExpectationSync { ftp on } }"),
	  "error 1:141 word-helper" },
	{ LINK(MCAST " Options { ExpectationSync { ftp 21 sip } }"),
	  "error 1:141 word-helper" },
	{ LINK(MCAST " Options { ExpectationSync { 10.0.0.1/8 sip } }"),
	  "error 1:137 word-helper" },
	{ LINK(MCAST " Options { ExpectationSync { ftp TCPWindowTracking yes "
	       "} }"), "error 1:141 word-helper" },
	{ LINK(MCAST " Options { ExpectationSync { ftp ftpp } }"),
	  "error 1:141 expect-helper" },
	{ LINK(MCAST " Options { ExpectationSync { SIP-5060 Q.93 own } }"),
	  "warning 1:151 expect-helper" },
	{ LINK(MCAST " Options { ExpectationSync { h323 } }"),
	  "warning 1:137 expect-helper" },
	{ LINK(MCAST " Options { ExpectationSync { seventeen_letters } }"),
	  "warning 1:137 length-helper" },

	/* links */
	{ LINK(MCAST " " UDP), "error 1:109 link-kind" },
	{ LINK(FOUR_LINKS), "" },
	{ LINK(FOUR_LINKS MCAST_ON("e")), "error 1:279 link-count" },
	{ LINK(MCAST MCAST_ON("b") MCAST), "warning 1:165 duplicate" },
	{ LINK("Multicast { IPv4_address 10.0.0.1 Group 1 Interface a }"),
	  "error 1:76 multicast" },
	{ LINK("Multicast { IPv6_address fe80::1 Group 1 Interface a }"),
	  "error 1:76 multicast" },
	{ LINK("Multicast { }"),
	  "error 1:51 missing-interface; error 1:51 missing-port; "
	  "error 1:51 missing-address" },
	{ LINK("UDP { }"),
	  "error 1:51 missing-interface; error 1:51 missing-port; "
	  "error 1:51 missing-destination" },
	{ LINK("UDP { Port 1 Interface a IPv4_Destination_Address 1.2.3.4 }"),
	  "warning 1:51 missing-address" },
	{ LINK("UDP { Port 1 Interface a IPv4_Destination_Address 1.2.3.4 "
	       "IPv6_address ::1 }"), "error 1:76 family" },
	{ LINK("UDP { Port 1 Interface a IPv4_Destination_Address 1.2.3.4 "
	       "IPv4_Destination_Address 1.2.3.5 IPv4_address 1.2.3.6 }"), "" },
	{ LINK("UDP { Port 1 Interface a IPv4_Destination_Address 1.2.3.4 "
	       "IPv4_Destination_Address 1.2.3.4 IPv4_address 1.2.3.6 }"),
	  "warning 1:134 duplicate" },
	{ LINK("UDP { Port 1 Interface a " NINE_PEERS "IPv4_address 1.2.3.6 }"),
	  "error 1:365 peer-count" },
	{ LINK("UDP { Port 1 Interface a IPv4_address 1.2.3.4 IPv6_address ::1 "
	       "IPv4_Destination_Address 1.2.3.5 "
	       "IPv6_Destination_Address ::2 }"), "warning 1:76 family" },
	{ LINK("UDP { Port 1 Interface a IPv4_address 1.2.3.4 "
	       "IPv6_Destination_Address ::2 "
	       "IPv4_Destination_Address 1.2.3.5 }"), "warning 1:97 family" },
	{ LINK("UDP { Port 1 Interface a IPv4_address 1.2.3.4 IPv6_address ::1 "
	       "IPv6_Destination_Address ::2 "
	       "IPv4_Destination_Address 1.2.3.5 }"), "error 1:143 family" },
	{ LINK("UDP { Port 1 Interface a IPv4_destination_address 1.2.3.4 "
	       "IPv4_address 1.2.3.6 }"), "error 1:76 option" },
	{ LINK("Multicast Default { IPv4_address 225.0.0.50 Group 1 "
	       "Interface a } Multicast Default { IPv4_address 225.0.0.51 "
	       "Group 1 Interface a }"), "warning 1:127 duplicate" },
	{ LINK("Multicast default { IPv4_address 225.0.0.50 Group 1 "
	       "Interface a }"), "error 1:61 word" },

	/* Filter */
	{ FILTER("Protocol Accept { tcp Udp ipv6-ICMP }"), "" },
	{ FILTER("Protocol Accept { ICMPv6 }"), "warning 1:55 protocol" },
	{ FILTER("Protocol Accept { FOO TCP }"), "warning 1:55 protocol" },
	{ FILTER("Protocol Accept { 6 TCP }"), "error 1:55 number" },
	{ FILTER("Protocol Accept { TCP 10.0.1.4 UDP }"),
	  "error 1:59 word-protocol" },
	{ FILTER("Protocol Accept { TCP fe80::1/64 UDP }"),
	  "error 1:59 word-protocol" },
	{ FILTER("Protocol Accept { TCP 1.5 }"), "error 1:59 word-protocol" },
	{ FILTER("Protocol Accept { TCP abc }"), "error 1:59 word-protocol" },
	{ FILTER("Protocol Accept { TCP _x }"), "error 1:59 word-protocol" },
	{ FILTER("Protocol Accept { TCP/UDP }"), "error 1:55 word-protocol" },
	{ FILTER("Protocol Accept { TCP yes UDP }"),
	  "error 1:59 word-protocol" },
	{ FILTER("Protocol Accept { SYN_SENT for TCP }"),
	  "error 1:55 word-protocol" },
	{ FILTER("Protocol Accept { TCP Address Ignore { IPv4_address ::1 } }"),
	  "error 1:59 word-protocol" },
	{ FILTER("Protocol Accept { TCP\nHashSize\n5\n}"),
	  "error 2:1 unclosed" },
	{ FILTER("Protocol Accept { fc 3pc TP++ }"), "" },
	{ FILTER("Protocol Accept { }"), "warning 1:37 empty-set" },
	{ FILTER("Protocol { TCP }"), "error 1:46 action" },
	{ FILTER("Protocol accept { TCP }"), "error 1:46 action" },
	{ FILTER("Protocol Accept { TCP } Protocol Ignore { UDP }"),
	  "warning 1:61 combination" },
	{ FILTER("Address Ignore { IPv4_address 10.1.2.3/8 "
		 "IPv4_address 10.0.0.0/8 }"), "warning 1:91 duplicate" },
	{ FILTER("Address Ignore { IPv4_address 10.0.0.0/33 }"),
	  "error 1:67 prefix" },
	{ FILTER("Address Ignore { IPv6_address ::/0 }"),
	  "warning 1:67 prefix-zero" },
	{ FILTER("Address Ignore { IPv4_address 010.0.0.1 }"),
	  "error 1:67 address-octal" },
	{ FILTER("Address Ignore { IPv4_address 10.0.0.01 }"),
	  "warning 1:67 address-zeros" },
	{ FILTER("State Accept { for TCP }"),
	  "warning 1:37 empty-set; warning 1:52 empty-set" },
	{ FILTER("State Accept { LISTEN CLOSE for TCP }"), "" },
	{ FILTER("State Accept { SYN_SENT2 LISTEN for TCP }"),
	  "error 1:52 state" },
	{ FILTER("") " Helper", "error 1:58 syntax" },

	/* Helper */
	{ HELPER(""), "warning 1:30 empty-helper" },
	{ HELPER("Type ftp inet tcp { QueueNum 1 }"),
	  "warning 1:39 helper-unsupported" },
	{ HELPER("Type ftp inet tcp { }"),
	  "warning 1:39 missing-queue; warning 1:39 helper-unsupported" },
	{ HELPER("Type ftp inet udp { }"),
	  "error 1:44 helper" },
	{ HELPER("Type nope inet tcp { }"),
	  "error 1:44 helper" },
	{ HELPER("Type ftp inet tcp { QueueNum 1 Policy ftp { } }"),
	  "warning 1:39 helper-unsupported; error 1:70 policy" },
	{ HELPER("\n Type ftp inet tcp { QueueNum 1\n"
		 " Type ftp inet tcp { QueueNum 1 }\n }"),
	  "error 3:2 queue-type; warning 3:2 helper-unsupported" },
	{ HELPER("QueueNum 5"), "error 1:39 queue" },

	/* braces: one that is missing or too many is one mistake */
	{ "Sync { Mode FTFW { } " MCAST, "error 1:79 unclosed" },
	{ GENERAL("") "\nSync {\n Mode FTFW {\n " MCAST "\n }\n}",
	  "error 2:1 combination; error 4:2 unclosed" },
	{ "General {\n UNIX { Path /x }\nStats { }\n}", "error 3:1 unclosed" },
	{ "Sync {\n Mode FTFW {\n }\n }\n " MCAST "\n Options { }\n}\n"
	  "General { UNIX { Path /x } }", "error 5:2 misplaced" },
	{ "General {\n UNIX { Path /x }\n}\nStats {\n}\n Syslog on\n"
	  "LogFile on\n", "error 6:2 misplaced" },
	{ "General { UNIX { Path /x } }\nSync {\n Mode FTFW\n }\n " MCAST
	  "\n}", "error 4:2 syntax" },
	{ "General\n UNIX { Path /x }\nStats { }", "error 2:2 syntax" },
	{ "Stats { }\nGeneral {\n UNIX\n  Path /x\n HashSize 5\n}\n",
	  "error 4:3 syntax" },
	{ "General { UNIX { Path /x } }\nSync {\n Mode FTFW { }\n Multicast\n"
	  "  IPv4_address 225.0.0.50 Group 1 Interface a\n}\n",
	  "error 5:3 syntax" },
	{ "General:\n UNIX: { Path: /x }\nStats { }",
	  "error 1:8 syntax; error 2:6 syntax; error 2:14 path" },

	/* what could not be read may be what seems to be missing */
	{ SYNC("Mode FTFW { } Link { Interface a }"), "error 1:51 option" },
	{ SYNC("Mode FTFW { } (link) { Interface a }"), "error 1:51 syntax" },
	{ SYNC("FTFW { } " MCAST), "error 1:37 option" },
	{ SYNC("Mode FTFW { } Options { Foo 5 }"),
	  "error 1:30 link; error 1:61 option" },
	{ "Conf {\n UNIX { Path /x }\n}\nStats { }", "error 1:1 section" },
	{ "General {\n Socket { Path /x }\n}\nStats { }", "error 2:2 option" },
	{ "General {\n UNIX {\n Socket /x\n}\n}\nStats { }",
	  "error 3:2 option" },
	{ "General {\n HashSize x\n}\nStats { }",
	  "warning 1:1 missing-path; error 2:11 number" },
	{ GENERAL("Scheduler { Policy RR Priority 5 }"), "error 1:40 misplaced" },
	{ GENERAL("Scheduler { Type RR Level 5 }"), "error 1:48 option" },
	{ HELPER("Type ftp inet tcp { Number 1 }"),
	  "warning 1:39 helper-unsupported; error 1:59 option" },
	{ HELPER("Type ftp inet tcp { QueueNum 1 Policy ftp { Most 5 } }"),
	  "warning 1:39 helper-unsupported; error 1:83 option" },
	{ LINK("UDP { Port 1 Interface a IPv4_Destination_Address 1.2.3.4 "
	       "Source 1.2.3.5 }"), "error 1:109 option" },
	/* a '}' too many hides nothing */
	{ SYNC("Mode FTFW { } }"), "error 1:30 link; error 1:53 brace" },

	/* one mistake, one finding: nothing of what follows from it */
	{ FILTER("Protocol Accept { 6 17 }"),
	  "error 1:55 number; error 1:57 number" },
	{ FILTER("Address Ignore { 10.0.0.1 10.0.0.0/8 fe80::1 x }"),
	  "error 1:54 option; error 1:63 option; error 1:74 option; "
	  "error 1:82 option" },
	{ FILTER("State Accept { ESTABLISHD for TCP }"), "error 1:52 state" },
	{ LINK("Multicast {\nfe80::1/64\nIPv6_address ff02::50 Group 1\n"
	       "Interface a }"), "error 2:1 option; warning 3:1 duplicate" },
	{ LINK("Multicast { Dev eth0 IPv4_address 225.0.0.50 Group 1 }"),
	  "error 1:63 option" },
	{ LINK("Multicast { IPv4_address 225.0.0.50, 225.0.0.51 Group 1 "
	       "Interface a }"), "error 1:86 syntax" },
	{ LINK("Multicast { Default IPv4_address 225.0.0.50 Group 1 "
	       "Interface a }"), "error 1:63 misplaced" },
	{ LINK("Multicast { Interface ${IF}/x IPv4_address 225.0.0.50 "
	       "Group 1 }"), "error 1:73 interface" },
	{ LINK("Multicast { Interface 10.0.0.1 IPv4_address 225.0.0.50 "
	       "Group 1 }"), "error 1:73 interface" },
	{ "General { Path /x } Stats { }", "error 1:11 misplaced" },
	{ "General { UNIX /x } Stats { }", "error 1:16 syntax" },
	{ "Helper { ftp }", "warning 1:1 missing-path; error 1:10 option" },
};
/* clang-format on */

static void test_each_mistake_is_told_once_at_its_place(void **state)
{
	char out[4096];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct conf_read *r =
			conf_read_text(cases[i].text, strlen(cases[i].text));

		if (strcmp(conf_findings(r, out, sizeof(out)),
			   cases[i].findings) != 0)
			fail_msg("%s\n  is:     %s\n  should: %s",
				 cases[i].text, out, cases[i].findings);
		conf_read_free(r);
	}
}

/* What a message should hold for somebody who knows nothing else. */
/* clang-format off */
static const struct {
	const char *text, *says;
} texts[] = {
	{ GENERAL("LogFile \"/x\""), "no quotes in this language" },
	{ GENERAL("HashSize = 5"), "a number for HashSize (no '=' in" },
	{ GENERAL("HashSize 2M"), "written without a unit" },
	{ GENERAL("HashSize 262,144"), "an option has one value" },
	{ GENERAL("Nice \xe2\x80\x93" "5"), "dash, write '-'" },
	{ GENERAL("HashSize \xe2\x80\x9c" "5"), "quotation mark" },
	{ LINK("Multicast { Interface eth0 eth1 }"),
	  "; Interface has one value" },
	{ LINK("Multicast { Interface $IF }"), "no variables" },
	{ LINK("Multicast { Interface <dev> }"), "placeholder?" },
	{ LINK("Multicast { Interface a Address 225.0.0.50 }"),
	  "use IPv4_address or IPv6_address" },
	{ LINK("Multicast { IPv4_interface eth0 }"), "goes into Interface" },
	{ FILTER("Protocol Accept { 17 }"), "a protocol name (this is UDP)" },
	/* where a '}' is missing, by the columns of the others */
	{ "Sync {\n Mode FTFW {\n }\n Multicast {\n  Group 1\n}\n"
	  "General {\n}\n",
	  "found 'General', expected an option or '}': Sync was opened at 1:6,"
	  " a '}' is probably missing before 6:1, which closes Multicast, "
	  "opened at 4:12" },
	{ "General {\n UNIX {\n  Path /x\n}\n",
	  "General was opened at 1:9, a '}' is probably missing before 4:1, "
	  "which closes UNIX, opened at 2:7" },
	{ "General {\nUNIX {\nPath /x\n}\n",
	  "found the end of the file, expected an option or '}': General was "
	  "opened at 1:9, a '}' is probably missing" },
	{ LINK("Multicast { Interface {{ dev }} }"), "placeholder?" },
	{ LINK("Multicast { Interface {% if x %} }"), "placeholder?" },
	/* both places */
	{ LINK("Multicast { Group 1 Interface a IPv6_address ff02::1 "
	       "IPv4_address 225.0.0.1 }"), "the first is at 1:96" },
	{ HELPER("Type ftp inet tcp { QueueNum 1 } Type tftp inet udp { "
		 "QueueNum 1 }"), "is used by ftp at 1:39 already" },
	{ FILTER("Address Ignore { IPv4_address 10.0.0.1 IPv4_address 10.0.0.1 "
		 "}"), "in the set already, at 1:67" },
	{ "General { Syslog local1 }\nStats { Syslog local2 }",
	  "Stats has another facility than General: local1, at 1:18, is used" },
	/* what is expected */
	{ GENERAL("HashSize 70000000000"), "(1-268435456)" },
	{ LINK("Multicast { IPv4_address 10.0.0.1 Group 1 Interface a }"),
	  "10.0.0.1 is not a multicast address (224.0.0.0/4)" },
	{ LINK("UDP { }"), "UDP has no addresses: IPv4_address and "
	  "IPv4_Destination_Address, or those of IPv6" },
	{ HELPER("Type ftp inet udp { }"),
	  "helper ftp has no udp variant, only tcp" },
	{ HELPER("Type ftp inet tcp { }"),
	  "Type ftp has no QueueNum, queue 0 is meant" },
	{ FILTER("Protocol Accept { TCP, UDP }"), "separated by blanks" },
	{ FILTER("Protocol Accept { 10.0.1.4 }"), "go into an Address set" },
	{ FILTER("Protocol Accept { TCP State Ignore { } }"),
	  "expected a protocol name or '}': Protocol was opened at 1:53" },
	{ LINK(MCAST " Options { ExpectationSync { sqlnett } }"),
	  "did you mean sqlnet?" },
	{ LINK(MCAST " Options { ExpectationSync { nfs } }"), "write rpc" },
	{ FILTER("Address Ignore { 10.0.0.1 }"), "expected IPv4_address" },
	{ FILTER("Address Ignore { IPv4_address 10.0.0.0 /8 }"),
	  "no blank before the '/'" },
	{ "// x\n" GENERAL(""), "comments start with '#'" },
	{ "[General]\n", "a section is written NAME {" },
	{ SYNC("}\n " MCAST), "was closed at 1:37: is that '}' one too many?" },
	{ FTFW("CacheTimeout 5"), "belongs in Sync or Mode ALARM" },
};
/* clang-format on */

static void test_a_message_says_what_to_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		conf_assert_says(texts[i].text, texts[i].says);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_mistake_is_told_once_at_its_place),
		cmocka_unit_test(test_a_message_says_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
