/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/show_flow.h"

static const struct {
	uint8_t l4proto;
	const char *states[10]; /* PROTOCOL.md 8.3 */
} state_names[] = {
	{ L4_TCP,
	  { "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT",
	    "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2" } },
	{ L4_SCTP,
	  { "NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED",
	    "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT",
	    "HEARTBEAT_SENT", "HEARTBEAT_ACKED" } },
	{ L4_DCCP,
	  { "NONE", "REQUEST", "RESPOND", "PARTOPEN", "OPEN", "CLOSEREQ",
	    "CLOSING", "TIMEWAIT", "IGNORE", "INVALID" } },
};

/* What a recorded line says, read word by word. */
struct reading {
	struct flow f;
	struct flow_view v;
	struct tuple *t; /* the one that the words belong to */
	char helper[64];
};

static bool read_state(struct reading *r, const char *word)
{
	for (size_t p = 0; p < N_ELEMENTS(state_names); p++) {
		if (state_names[p].l4proto != r->f.l4proto)
			continue;
		for (uint8_t s = 0; s < 10; s++) {
			if (strcmp(state_names[p].states[s], word))
				continue;
			r->f.tcp_state = r->f.sctp_state = s;
			r->f.dccp_state = s;
			r->f.has |= FLOW_TCP_STATE | FLOW_SCTP_STATE |
				    FLOW_DCCP_STATE;
			return true;
		}
	}
	return false;
}

static void read_address(struct reading *r, const char *text, bool is_source)
{
	struct addr a = { { 0 } };

	if (is_source) { /* a tuple begins */
		if (r->t) {
			r->f.has |= FLOW_REPLY;
			r->v.parts |= SHOW_REPLY;
		}
		r->t = r->t ? &r->f.reply : &r->f.orig;
	}
	r->f.family = strchr(text, ':') ? FAMILY_IPV6 : FAMILY_IPV4;
	assert_true(addr_parse(r->f.family, text, strlen(text), &a));
	*(is_source ? &r->t->src : &r->t->dst) = a;
}

/* Fields KEY=NUMBER. */
static void read_number(struct reading *r, const char *key, uint64_t n,
			const char *word)
{
	struct flow *f = &r->f;
	bool is_reply = r->t == &f->reply;
	struct flow_counters *c =
		is_reply ? &f->counters_reply : &f->counters_orig;
	const struct {
		const char *key;
		uint64_t bit;
		void *at;
		size_t size;
		unsigned int part;
	} fields[] = {
		{ "sport", FLOW_PORTS, &r->t->sport, 2, 0 },
		{ "dport", FLOW_PORTS, &r->t->dport, 2, 0 },
		{ "srckey", FLOW_GRE_KEYS, &r->t->sport, 2, 0 },
		{ "dstkey", FLOW_GRE_KEYS, &r->t->dport, 2, 0 },
		{ "type", FLOW_ICMP, &r->t->icmp_type, 1, 0 },
		{ "code", FLOW_ICMP, &r->t->icmp_code, 1, 0 },
		{ "id", FLOW_ICMP, &r->t->icmp_id, 2, 0 },
		{ "zone-orig", FLOW_ZONE_ORIG, &f->zone_orig, 2, 0 },
		{ "zone-reply", FLOW_ZONE_REPLY, &f->zone_reply, 2, 0 },
		{ "mark", FLOW_MARK, &f->mark, 4, 0 },
		{ "zone", 0, &f->zone, 2, 0 },
		{ "use", FLOW_USE, &f->use, 4, SHOW_USE },
		{ "packets",
		  is_reply ? FLOW_COUNTERS_REPLY : FLOW_COUNTERS_ORIG,
		  &c->packets, 8, SHOW_COUNTERS },
		{ "bytes", 0, &c->bytes, 8, 0 },
		{ "delta-time", FLOW_TIMESTAMP_START, &r->v.wall_s, 8, 0 },
	};

	for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
		uint8_t n8 = (uint8_t)n;
		uint16_t n16 = (uint16_t)n;
		uint32_t n32 = (uint32_t)n;

		if (strcmp(key, fields[i].key))
			continue;
		f->has |= fields[i].bit;
		r->v.parts |= fields[i].part;
		memcpy(fields[i].at,
		       fields[i].size == 1   ? (const void *)&n8
		       : fields[i].size == 2 ? (const void *)&n16
		       : fields[i].size == 4 ? (const void *)&n32
					     : (const void *)&n,
		       fields[i].size);
		return;
	}
	fail_msg("what is %s?", word);
}

static void read_word(struct reading *r, char *word)
{
	char *value = strchr(word, '=');

	if (!strcmp(word, "[UNREPLIED]")) {
		r->f.status &= ~(uint32_t)STATUS_SEEN_REPLY;
	} else if (!strcmp(word, "[ASSURED]")) {
		r->f.status |= STATUS_ASSURED;
	} else if (!strcmp(word, "[OFFLOAD]")) {
		r->f.status |= STATUS_ASSURED | STATUS_OFFLOAD;
	} else if (!strcmp(word, "[HW_OFFLOAD]")) {
		r->f.status |= STATUS_OFFLOAD | STATUS_HW_OFFLOAD;
	} else if (!value && !read_state(r, word)) {
		r->f.timeout_s = (uint32_t)strtoul(word, NULL, 10);
		r->f.has |= FLOW_TIMEOUT;
		r->v.parts |= SHOW_TIMEOUT;
	} else if (value) {
		*value++ = '\0';
		if (!strcmp(word, "src") || !strcmp(word, "dst")) {
			read_address(r, value, word[0] == 's');
		} else if (!strcmp(word, "helper")) {
			snprintf(r->helper, sizeof(r->helper), "%s", value);
			r->v.helper = r->helper;
			r->f.has |= FLOW_HELPER;
		} else {
			read_number(r, word, strtoull(value, NULL, 0), word);
		}
	}
}

static void read_line(const char *line, struct reading *r)
{
	char copy[512];
	unsigned int n;
	int skip = 0;
	const char *tail;

	memset(r, 0, sizeof(*r));
	r->v.flow = &r->f;
	r->f.has = FLOW_STATUS;
	r->f.status = STATUS_SEEN_REPLY;
	assert_true(strlen(line) < sizeof(copy));
	assert_int_equal(sscanf(line, "%*s %u%n", &n, &skip), 1);
	r->f.l4proto = (uint8_t)n;
	strcpy(copy, line + skip);
	tail = strstr(line, "[expires in ");
	if (tail && sscanf(tail, "[expires in %us]", &r->v.expires_s) == 1)
		r->v.parts |= SHOW_EXPIRES;
	tail = strstr(line, "[active since ");
	if (tail && sscanf(tail, "[active since %us]", &r->v.age_s) == 1)
		r->v.parts |= SHOW_AGE;
	for (char *at = copy; *at;) {
		size_t len;
		bool is_last;

		at += *at == ' ';
		len = strcspn(at, " ");
		is_last = !at[len];
		at[len] = '\0';
		if (!strcmp(at, "[expires") || !strcmp(at, "[active"))
			break;
		read_word(r, at);
		at += len + !is_last;
	}
}

/* The line of a view in an exact-size block; freed by the caller. */
static char *show(const struct flow_view *v)
{
	char buf[SHOW_FLOW_MAX];
	struct wr w = { .buf = (uint8_t *)buf, .size = sizeof(buf) };
	char *text;

	show_flow(v, &w);
	assert_false(w.full);
	text = calloc(1, w.used + 1);
	memcpy(text, buf, w.used);
	return text;
}

static void check_line(const char *line)
{
	struct reading r;
	char *got;

	read_line(line, &r);
	got = show(&r.v);
	assert_string_equal(got, line);
	free(got);
}

static void test_recorded_lines_come_out_again(void **state)
{
	static const struct {
		const char *name;
		int n_lines;
	} files[] = {
		{ "ftfw-mcast.fw1.i.txt", 26 },
		{ "ftfw-mcast.fw2.e.txt", 25 },
		{ "alarm-udp.fw2.e.txt", 25 },
		{ "inserts_ftfw-exp.fw1.i.txt", 34 },
		{ "inject_notrack-udp.fw1.e.txt", 70 },
		{ "nocaches.fw1.i.txt", 26 },
		{ "acctlate_ftfw-mcast.fw1.i.txt", 26 },
		{ "acct_stats.fw1-stats.log", 26 },
	};
	char path[128], line[512];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(files); i++) {
		int n_lines = 0;
		FILE *f;

		snprintf(path, sizeof(path), "tests/golden/cli/%s",
			 files[i].name);
		f = fopen(path, "r");
		assert_non_null(f);
		while (fgets(line, sizeof(line), f)) {
			char *start = strchr(line, '\t'); /* after a date */

			line[strcspn(line, "\n")] = '\0';
			n_lines++;
			/* A peer may send zone 0; to us that is no zone. */
			if (strstr(line, " zone=0 "))
				continue;
			check_line(start ? start + 1 : line);
		}
		fclose(f);
		assert_int_equal(n_lines, files[i].n_lines);
	}
}

static struct addr ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct addr){ { a, b, c, d } };
}

static struct flow tcp_flow(void)
{
	return (struct flow){
		.has = FLOW_PORTS | FLOW_STATUS | FLOW_TCP_STATE | FLOW_REPLY,
		.family = FAMILY_IPV4,
		.l4proto = L4_TCP,
		.orig = { .src = ipv4(10, 0, 0, 1),
			  .dst = ipv4(10, 0, 0, 2),
			  .sport = 1,
			  .dport = 65535 },
		.reply = { .src = ipv4(10, 0, 0, 2),
			   .dst = ipv4(192, 0, 2, 1),
			   .sport = 65535,
			   .dport = 2 },
		.status = STATUS_SEEN_REPLY | STATUS_ASSURED,
		.tcp_state = TCP_STATE_ESTABLISHED,
	};
}

static void test_parts_are_shown_as_asked_for(void **state)
{
	static const struct {
		unsigned int parts;
		const char *line;
	} cases[] = {
		{ SHOW_INTERNAL,
		  "tcp      6 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 "
		  "dport=65535 src=10.0.0.2 dst=192.0.2.1 sport=65535 dport=2 "
		  "[ASSURED] mark=7 secmark=8 secctx=s:t zone=9 delta-time=100 "
		  "helper=ftp [active since 5s]" },
		{ SHOW_EXTERNAL,
		  "tcp      6 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 "
		  "dport=65535 [ASSURED] mark=7 secmark=8 secctx=s:t zone=9 "
		  "delta-time=100 helper=ftp [active since 5s]" },
		{ SHOW_EXTERNAL | SHOW_EXPIRES,
		  "tcp      6 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 "
		  "dport=65535 [ASSURED] mark=7 secmark=8 secctx=s:t zone=9 "
		  "delta-time=100 helper=ftp [expires in 6s] [active since "
		  "5s]" },
		{ SHOW_KERNEL,
		  "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 "
		  "sport=1 dport=65535 src=10.0.0.2 dst=192.0.2.1 sport=65535 "
		  "dport=2 [ASSURED] mark=7 secmark=8 secctx=s:t zone=9 "
		  "delta-time=100 helper=ftp use=3" },
		{ SHOW_LOG,
		  "tcp      6 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 "
		  "dport=65535 packets=10 bytes=11 src=10.0.0.2 dst=192.0.2.1 "
		  "sport=65535 dport=2 packets=12 bytes=18446744073709551615 "
		  "[ASSURED] mark=7 secmark=8 secctx=s:t zone=9 delta-time=100 "
		  "helper=ftp" },
	};
	struct flow f = tcp_flow();

	(void)state;
	f.has |= FLOW_MARK | FLOW_SECMARK | FLOW_SECCTX | FLOW_HELPER |
		 FLOW_TIMEOUT | FLOW_USE | FLOW_COUNTERS_ORIG |
		 FLOW_COUNTERS_REPLY | FLOW_TIMESTAMP_START;
	f.mark = 7;
	f.secmark = 8;
	f.zone = 9;
	f.timeout_s = 431999;
	f.use = 3;
	f.counters_orig = (struct flow_counters){ 10, 11 };
	f.counters_reply = (struct flow_counters){ 12, UINT64_MAX };
	f.start_ns = UINT64_C(1700000000999999999);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct flow_view v = { .flow = &f,
				       .parts = cases[i].parts,
				       .helper = "ftp",
				       .secctx = "s:t",
				       .wall_s = 1700000100,
				       .age_s = 5,
				       .expires_s = 6 };
		char *got = show(&v);

		assert_string_equal(got, cases[i].line);
		free(got);
	}
}

static void test_a_field_without_its_bit_is_not_read(void **state)
{
	struct flow f;
	struct flow_view v = { .flow = &f,
			       .parts = SHOW_REPLY | SHOW_COUNTERS |
					SHOW_TIMEOUT | SHOW_USE,
			       .helper = "ftp",
			       .secctx = "s" };
	static const struct {
		uint8_t l4proto;
		const char *line;
	} cases[] = {
		{ L4_TCP,
		  "tcp      6 src=1.2.3.4 dst=5.6.7.8 sport=0 dport=0" },
		{ L4_SCTP,
		  "sctp     132 src=1.2.3.4 dst=5.6.7.8 sport=0 dport=0" },
		{ L4_ICMP,
		  "icmp     1 src=1.2.3.4 dst=5.6.7.8 type=0 code=0 id=0" },
		{ L4_GRE, "gre      47 src=1.2.3.4 dst=5.6.7.8 srckey=0x0 "
			  "dstkey=0x0" },
		{ 254, "unknown  254 src=1.2.3.4 dst=5.6.7.8" },
	};

	(void)state;
	memset(&f, 0xff, sizeof(f));
	f.has = 0;
	f.zone = 0;
	f.family = FAMILY_IPV4;
	f.orig.src = ipv4(1, 2, 3, 4);
	f.orig.dst = ipv4(5, 6, 7, 8);
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		char *got;

		f.l4proto = cases[i].l4proto;
		got = show(&v);
		assert_string_equal(got, cases[i].line);
		free(got);
	}
}

static void test_states_out_of_range_are_none(void **state)
{
	static const uint8_t protos[] = { L4_TCP, L4_SCTP, L4_DCCP };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(protos); i++) {
		for (unsigned int s = 0; s <= 255; s++) {
			struct flow f = tcp_flow();
			struct flow_view v = { .flow = &f };
			char want[32];
			char *got;

			f.l4proto = protos[i];
			f.has |= FLOW_SCTP_STATE | FLOW_DCCP_STATE;
			f.tcp_state = f.sctp_state = f.dccp_state = (uint8_t)s;
			got = show(&v);
			snprintf(want, sizeof(want), " %s src=",
				 s < 10 ? state_names[i].states[s] : "NONE");
			assert_non_null(strstr(got, want));
			free(got);
		}
	}
}

static void test_a_name_cannot_forge_a_line(void **state)
{
	struct flow f = tcp_flow();
	struct flow_view v = { .flow = &f, .helper = "a b\nc\x7f\"<\xc3\xa4" };
	char *got;

	(void)state;
	f.has |= FLOW_HELPER;
	got = show(&v);
	assert_non_null(strstr(got, " helper=a?b?c?\"<\xc3\xa4"));
	free(got);
}

static void test_a_clock_that_was_set_back_gives_no_negative_time(void **state)
{
	struct flow f = tcp_flow();
	struct flow_view v = { .flow = &f, .wall_s = 1000 };
	char *got;

	(void)state;
	f.has |= FLOW_TIMESTAMP_START;
	f.start_ns = UINT64_C(2000000000000);
	got = show(&v);
	assert_non_null(strstr(got, " delta-time=0"));
	free(got);
	f.has |= FLOW_TIMESTAMP_STOP;
	f.stop_ns = UINT64_C(1999000000000);
	got = show(&v);
	assert_non_null(strstr(got, " delta-time=0"));
	free(got);
	f.stop_ns = UINT64_C(2003999999999);
	got = show(&v);
	assert_non_null(strstr(got, " delta-time=3"));
	free(got);
}

static void test_the_longest_line_fits(void **state)
{
	char name[300];
	struct flow f;
	struct flow_view v = { .flow = &f,
			       .parts = ~0u,
			       .helper = name,
			       .secctx = name,
			       .wall_s = INT64_MAX,
			       .age_s = UINT32_MAX,
			       .expires_s = UINT32_MAX };
	char *got;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	memset(&f, 0xff, sizeof(f));
	f.family = FAMILY_IPV6;
	f.l4proto = L4_SCTP;
	f.sctp_state = 7;
	f.status = STATUS_HW_OFFLOAD;
	f.has &= ~FLOW_TIMESTAMP_STOP;
	f.start_ns = 0;
	got = show(&v);
	assert_true(strlen(got) > 900 && strlen(got) < SHOW_FLOW_MAX);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_lines_come_out_again),
		cmocka_unit_test(test_parts_are_shown_as_asked_for),
		cmocka_unit_test(test_a_field_without_its_bit_is_not_read),
		cmocka_unit_test(test_states_out_of_range_are_none),
		cmocka_unit_test(test_a_name_cannot_forge_a_line),
		cmocka_unit_test(
			test_a_clock_that_was_set_back_gives_no_negative_time),
		cmocka_unit_test(test_the_longest_line_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
