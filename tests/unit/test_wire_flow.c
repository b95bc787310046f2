/* SPDX-License-Identifier: ISC */
/* Conntrack messages of real nodes, and crafted ones. What the attributes can
 * carry is tested in test_wire_rows.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "golden.h"
#include "sync/tlv.h"
#include "sync/wire_flow.h"
#include "sync/wire_rows.h"

enum { TEXT_SIZE = 1024 };

/* What our own bytes for the flow of a captured message are. */
enum again {
	SAME,     /* those that were captured */
	ARTEFACT, /* without port NAT of value 0 on ICMP: means nothing */
	DYING,    /* without the status bit: a kernel refuses it */
};

struct vector {
	const char *name;
	enum again again;
	const char *text; /* as flow_text() writes it */
};

/* From the text beside each file and its bytes, taken apart by hand. */
static const struct vector vectors[] = {
	/* clang-format off */
	{ "ct-del-tcp4-event", DYING,
	  "6 192.0.2.61 2005 > 198.51.100.2 53 status 0x20e timeout 299"
	  " tcp 3" },
	{ "ct-del-tcp4", SAME,
	  "6 192.0.2.20 2000 > 198.51.100.2 80 status 0xe timeout 1233"
	  " mark 0xdeadbeef tcp 4 labels 0,1,31,40,126"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-del-udp4-zone", SAME,
	  "17 192.0.2.25 2005 > 198.51.100.2 53 status 0xa timeout 300"
	  " mark 0x7 labels 0 synproxy isn 0 its 0 tsoff 0 zone 7" },
	{ "ct-new-dccp4-stale-port", SAME,
	  "33 192.0.2.1 1000 > 198.51.100.2 2000 status 0x8 timeout 120"
	  " mark 0 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-dccp4", SAME,
	  "33 192.0.2.1 1001 > 198.51.100.2 2001 status 0xe"
	  " timeout 43200 dccp 4 role 0" },
	{ "ct-new-dccp6", SAME,
	  "33 2001:db8::1 1001 > 2001:db8:1::2 2001 status 0xe"
	  " timeout 43200 dccp 3 role 1" },
	{ "ct-new-esp4", SAME,
	  "50 192.0.2.1 > 198.51.100.2 status 0x8 timeout 120 mark 0"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-gre4", SAME,
	  "47 192.0.2.1 > 198.51.100.2 status 0x8 timeout 120 mark 0"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-icmp4", SAME,
	  "1 192.0.2.1 > 198.51.100.2 icmp 8/0 id 4660 status 0x8"
	  " timeout 60 mark 0 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-icmp6-nat-artefact-traffic", ARTEFACT,
	  "58 fd50::10 > 2001:db8:51::10 icmp 128/0 id 23936"
	  " status 0x188 timeout 30" },
	{ "ct-new-icmp6", SAME,
	  "58 2001:db8::1 > 2001:db8:1::2 icmp 128/0 id 4660 status 0x8"
	  " timeout 30 mark 0 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-sctp4-snat", SAME,
	  "132 192.168.1.9 500 > 198.51.100.2 600"
	  " reply 198.51.100.2 600 > 203.0.113.5 700 status 0x19e"
	  " timeout 300 sctp 4 vtag-orig 0x1 vtag-reply 0x2" },
	{ "ct-new-sctp4", SAME,
	  "132 192.0.2.1 1000 > 198.51.100.2 2000 status 0xe"
	  " timeout 210 sctp 4 vtag-orig 0x12345678"
	  " vtag-reply 0x87654321" },
	{ "ct-new-tcp4-dnat-port", SAME,
	  "6 192.0.2.7 41001 > 203.0.113.5 8080"
	  " reply 10.0.0.8 80 > 192.0.2.7 41001 status 0x1aa"
	  " timeout 600 mark 0 tcp 3 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp4-established", SAME,
	  "6 192.0.2.1 40000 > 198.51.100.2 80 status 0xe timeout 600"
	  " mark 0 tcp 3 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp4-hello-back", SAME,
	  "6 192.0.2.20 2000 > 198.51.100.2 80 status 0xe timeout 300"
	  " mark 0 tcp 3 wscale-orig 0 wscale-reply 0"
	  " labels 0,1,31,40,126 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp4-helper", SAME,
	  "6 192.0.2.23 2003 > 198.51.100.2 21 status 0x200e"
	  " timeout 300 mark 0 tcp 3 helper ftp"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp4-labels", SAME,
	  "6 192.0.2.20 2000 > 198.51.100.2 80 status 0xe timeout 300"
	  " mark 0 tcp 3 labels 0,1,31,40,126"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp4-related", SAME,
	  "6 198.51.100.2 20 > 192.0.2.23 40100 status 0xf timeout 300"
	  " mark 0 tcp 3 master 6 192.0.2.23 2003 > 198.51.100.2 21"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp4-seqadj", SAME,
	  "6 192.0.2.22 2002 > 198.51.100.2 80 status 0x4e timeout 300"
	  " mark 0 tcp 3 seqadj-orig 0x1020304 5 6"
	  " seqadj-reply 0xa0b0c0d -2 8 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp4-snat-port", SAME,
	  "6 192.168.1.10 41000 > 198.51.100.2 80"
	  " reply 198.51.100.2 80 > 203.0.113.5 61000 status 0x19e"
	  " timeout 600 mark 0 tcp 3 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp4-syn-sent-traffic", SAME,
	  "6 192.168.50.10 40380 > 203.0.113.10 21"
	  " reply 203.0.113.10 21 > 203.0.113.1 40380 status 0x2198"
	  " timeout 120 tcp 1 helper ftp" },
	{ "ct-new-tcp4-synproxy", SAME,
	  "6 192.0.2.21 2001 > 198.51.100.2 80 status 0xe timeout 300"
	  " mark 0 tcp 3"
	  " synproxy isn 0x11223344 its 0x55667788 tsoff 0x99aabbcc" },
	{ "ct-new-tcp4-wscale-zero", SAME,
	  "6 192.0.2.61 2005 > 198.51.100.2 53 status 0xe timeout 300"
	  " mark 0 tcp 3 wscale-orig 0 wscale-reply 0"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp4-wscale", SAME,
	  "6 192.0.2.24 2004 > 198.51.100.2 80 status 0xe timeout 300"
	  " mark 0 tcp 3 wscale-orig 7 wscale-reply 9"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp6-dnat-port", SAME,
	  "6 2001:db8::9 7001 > 2001:db8:f::1 8080"
	  " reply fd00::8 80 > 2001:db8::9 7001 status 0x1aa"
	  " timeout 300 mark 0 tcp 3 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-tcp6-related", SAME,
	  "6 2001:db8:1::2 20 > 2001:db8::1 40100 status 0xf"
	  " timeout 300 tcp 3"
	  " master 6 2001:db8::1 2003 > 2001:db8:1::2 21" },
	{ "ct-new-tcp6", SAME,
	  "6 2001:db8::1 40001 > 2001:db8:1::2 443 status 0x8"
	  " timeout 100 mark 0 tcp 1 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-udp4-hello", SAME,
	  "17 192.0.2.77 20000 > 198.51.100.77 53 status 0xa"
	  " timeout 300 mark 0 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-udp4-helper-odd", SAME,
	  "17 192.0.2.23 5060 > 198.51.100.2 5060 status 0xe"
	  " timeout 300 helper sip-5060" },
	{ "ct-new-udp4-mark-label-zone", SAME,
	  "17 192.0.2.25 2005 > 198.51.100.2 53 status 0xa timeout 300"
	  " mark 0x7 labels 0 synproxy isn 0 its 0 tsoff 0 zone 7" },
	{ "ct-new-udp4-mark", SAME,
	  "17 192.0.2.9 5000 > 198.51.100.2 6000 status 0x8 timeout 100"
	  " mark 0x1020304 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-udp4-minimal", SAME,
	  "17 192.0.2.36 36 > 198.51.100.2 53 status 0xe timeout 300" },
	{ "ct-new-udp4-no-timeout", SAME,
	  "17 192.0.2.62 2005 > 198.51.100.2 53 status 0xa mark 0"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-udp4-related-gre-master", SAME,
	  "17 198.51.100.2 20 > 192.0.2.23 40100 status 0xf timeout 300"
	  " master 47 192.0.2.23 1 > 198.51.100.2 2" },
	{ "ct-new-udp4-snat-addr", SAME,
	  "17 192.168.1.20 7000 > 198.51.100.2 53"
	  " reply 198.51.100.2 53 > 203.0.113.5 7000 status 0x19a"
	  " timeout 300 mark 0 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-udp4-zone", SAME,
	  "17 192.0.2.9 5001 > 198.51.100.2 6001 status 0x8 timeout 100"
	  " mark 0 synproxy isn 0 its 0 tsoff 0 zone 513" },
	{ "ct-new-udp4", SAME,
	  "17 192.0.2.1 5353 > 198.51.100.2 53 status 0x8 timeout 60"
	  " mark 0 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-udp6-snat-port", SAME,
	  "17 fd00::20 7000 > 2001:db8::2 53"
	  " reply 2001:db8::2 53 > 2001:db8:f::1 61001 status 0x19a"
	  " timeout 300 mark 0 synproxy isn 0 its 0 tsoff 0" },
	{ "ct-new-udplite4", SAME,
	  "136 192.0.2.1 > 198.51.100.2 status 0x8 timeout 120 mark 0"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-upd-icmp4-nat-traffic", ARTEFACT,
	  "1 192.168.50.10 > 203.0.113.10 icmp 8/0 id 23935"
	  " reply 203.0.113.10 > 203.0.113.1 icmp 0/0 id 23935"
	  " status 0x19a timeout 30" },
	{ "ct-upd-tcp4-established-traffic", SAME,
	  "6 192.168.50.10 40380 > 203.0.113.10 21"
	  " reply 203.0.113.10 21 > 203.0.113.1 40380 status 0x219e"
	  " timeout 432000 tcp 3 helper ftp" },
	{ "ct-upd-tcp4-mark", SAME,
	  "6 192.0.2.20 2000 > 198.51.100.2 80 status 0xe timeout 1234"
	  " mark 0xdeadbeef tcp 3 labels 0,1,31,40,126"
	  " synproxy isn 0 its 0 tsoff 0" },
	{ "ct-upd-tcp4-related-dnat-traffic", SAME,
	  "6 203.0.113.10 36478 > 203.0.113.1 36405"
	  " reply 192.168.50.10 36405 > 203.0.113.10 36478 status 0x1af"
	  " timeout 432000 tcp 3"
	  " master 6 192.168.50.10 50644 > 203.0.113.10 21" },
	{ "ct-upd-tcp4-seqadj-traffic", SAME,
	  "6 192.168.50.10 39168 > 203.0.113.10 21"
	  " reply 203.0.113.10 21 > 203.0.113.1 39168 status 0x21de"
	  " timeout 431998 mark 0 tcp 3 helper ftp"
	  " seqadj-orig 0x2cb8c9f6 0 -2 seqadj-reply 0 0 0" },
	/* clang-format on */
};

struct crafted {
	const char *name;
	enum verdict verdict;
	const char *text; /* of what is accepted */
};

/* As the text beside each file says, where it says 'should' as it should. */
static const struct crafted crafted[] = {
	/* clang-format off */
	{ "attr-helper-12-characters", VERDICT_BAD_PAYLOAD, NULL },
	{ "attr-helper-empty", VERDICT_BAD_PAYLOAD, NULL },
	{ "attr-helper-unterminated", VERDICT_BAD_PAYLOAD, NULL },
	{ "attr-labels-1028-bytes", VERDICT_BAD_PAYLOAD, NULL },
	{ "attr-labels-6-bytes", VERDICT_OK,
	  "17 192.0.2.1 20 > 198.51.100.2 53 status 0" },
	{ "attr-len-0", VERDICT_BAD_PAYLOAD, NULL },
	{ "attr-len-3", VERDICT_BAD_PAYLOAD, NULL },
	{ "attr-len-beyond-message", VERDICT_BAD_PAYLOAD, NULL },
	{ "attr-mark-2-bytes", VERDICT_BAD_PAYLOAD, NULL },
	{ "attr-trailing-3-bytes", VERDICT_OK,
	  "17 192.0.2.1 13 > 198.51.100.2 53 status 0" },
	{ "attr-trailing-8-bytes-ff", VERDICT_BAD_PAYLOAD, NULL },
	{ "attr-trailing-empty-header", VERDICT_OK,
	  "17 192.0.2.1 12 > 198.51.100.2 53 status 0" },
	{ "attr-unknown-33", VERDICT_BAD_PAYLOAD, NULL },
	{ "attr-unknown-1000", VERDICT_BAD_PAYLOAD, NULL },
	{ "data-no-address", VERDICT_BAD_PAYLOAD, NULL },
	{ "data-no-attributes", VERDICT_BAD_PAYLOAD, NULL },
	{ "data-no-l4proto", VERDICT_BAD_PAYLOAD, NULL },
	{ "dgram-first-bad-payload", VERDICT_BAD_PAYLOAD, NULL },
	{ "dgram-second-bad-type", VERDICT_OK,
	  "17 192.0.2.1 26 > 198.51.100.2 53 status 0" },
	{ "ok-attribute-order", VERDICT_OK, "17 192.0.2.1 24 > 198.51.100.2 53" },
	{ "ok-duplicate-mark", VERDICT_OK,
	  "17 192.0.2.1 23 > 198.51.100.2 53 status 0 mark 0x7" },
	{ "ok-labels-1024-bytes", VERDICT_OK,
	  "17 192.0.2.1 21 > 198.51.100.2 53 status 0 labels" },
	{ "ok-last-attribute-unpadded", VERDICT_OK,
	  "17 192.0.2.1 25 > 198.51.100.2 53" },
	/* clang-format on */
};

static void put_end(struct wr *w, const struct flow *f, const struct addr *a,
		    bool has_port, uint16_t port)
{
	char text[ADDR_TEXT_SIZE];

	wr_printf(w, "%s", addr_text(f->family, a, text));
	if (has_port)
		wr_printf(w, " %u", port);
}

static void put_tuple(struct wr *w, const struct flow *f, const struct tuple *t)
{
	bool has_ports = f->has & (FLOW_PORTS | FLOW_GRE_KEYS);

	put_end(w, f, &t->src, has_ports, t->sport);
	wr_printf(w, " > ");
	put_end(w, f, &t->dst, has_ports, t->dport);
	if (f->has & FLOW_ICMP)
		wr_printf(w, " icmp %u/%u id %u", t->icmp_type, t->icmp_code,
			  t->icmp_id);
}

static void put_master(struct wr *w, const struct flow *f)
{
	bool has_ports = f->has & FLOW_MASTER_PORTS;

	wr_printf(w, " master %u ", f->master.l4proto);
	put_end(w, f, &f->master.src, has_ports, f->master.sport);
	wr_printf(w, " > ");
	put_end(w, f, &f->master.dst, has_ports, f->master.dport);
}

static void put_labels(struct wr *w, const struct flow *f)
{
	const char *comma = " ";

	wr_printf(w, " labels");
	for (int l = 0; l < 128; l++) {
		if (!(f->labels[l / 8] >> l % 8 & 1))
			continue;
		wr_printf(w, "%s%d", comma, l);
		comma = ",";
	}
}

static void put_seqadj(struct wr *w, const char *which,
		       const struct flow_seqadj *s)
{
	wr_printf(w, " %s %#x %d %d", which, s->pos, (int32_t)s->before,
		  (int32_t)s->after);
}

/* Every field that has its bit, in one line; a bit that no message can give
 * shows as what it is. */
static const char *flow_text(const struct flow *f, const struct names *helpers,
			     char out[TEXT_SIZE])
{
	struct wr line = { (uint8_t *)out, TEXT_SIZE, 0, false }, *w = &line;
	uint64_t rest = f->has & ~(FLOW_PORTS | FLOW_ICMP | FLOW_MASTER_PORTS);

#define TAKE(bit) (rest & (bit) ? (rest &= ~(bit), true) : false)
	wr_printf(w, "%u ", f->l4proto);
	put_tuple(w, f, &f->orig);
	if (TAKE(FLOW_REPLY)) {
		wr_printf(w, " reply ");
		put_tuple(w, f, &f->reply);
	}
	if (TAKE(FLOW_STATUS))
		wr_printf(w, " status %#x", f->status);
	if (TAKE(FLOW_TIMEOUT))
		wr_printf(w, " timeout %u", f->timeout_s);
	if (TAKE(FLOW_MARK))
		wr_printf(w, " mark %#x", f->mark);
	if (TAKE(FLOW_TCP_STATE))
		wr_printf(w, " tcp %u", f->tcp_state);
	if (TAKE(FLOW_TCP_WSCALE_ORIG))
		wr_printf(w, " wscale-orig %u", f->tcp_wscale_orig);
	if (TAKE(FLOW_TCP_WSCALE_REPLY))
		wr_printf(w, " wscale-reply %u", f->tcp_wscale_reply);
	if (TAKE(FLOW_SCTP_STATE))
		wr_printf(w, " sctp %u", f->sctp_state);
	if (TAKE(FLOW_SCTP_VTAG_ORIG))
		wr_printf(w, " vtag-orig %#x", f->sctp_vtag_orig);
	if (TAKE(FLOW_SCTP_VTAG_REPLY))
		wr_printf(w, " vtag-reply %#x", f->sctp_vtag_reply);
	if (TAKE(FLOW_DCCP_STATE))
		wr_printf(w, " dccp %u", f->dccp_state);
	if (TAKE(FLOW_DCCP_ROLE))
		wr_printf(w, " role %u", f->dccp_role);
	if (TAKE(FLOW_MASTER))
		put_master(w, f);
	if (TAKE(FLOW_HELPER))
		wr_printf(w, " helper %s", names_text(helpers, f->helper));
	if (TAKE(FLOW_LABELS))
		put_labels(w, f);
	if (TAKE(FLOW_SEQADJ_ORIG))
		put_seqadj(w, "seqadj-orig", &f->seqadj_orig);
	if (TAKE(FLOW_SEQADJ_REPLY))
		put_seqadj(w, "seqadj-reply", &f->seqadj_reply);
	if (TAKE(FLOW_SYNPROXY))
		wr_printf(w, " synproxy isn %#x its %#x tsoff %#x",
			  f->synproxy.isn, f->synproxy.its, f->synproxy.tsoff);
	if (f->zone)
		wr_printf(w, " zone %u", f->zone);
	if (rest)
		wr_printf(w, " bits %#llx", (unsigned long long)rest);
#undef TAKE
	assert_false(w->full);
	out[w->used] = 0;
	return out;
}

static int setup(void **state)
{
	*state = names_new(1000, 32);
	return *state == NULL;
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

/* Golden messages come from a little-endian node. On a big-endian machine the
 * three native-order attributes are turned into what a node of that kind would
 * have sent (PROTOCOL.md 2.5). */
static void to_native(uint8_t *msg, size_t n)
{
	const uint16_t one = 1;
	struct rd r = { msg + WIRE_HEADER_LEN, n - WIRE_HEADER_LEN };
	struct tlv t;
	uint8_t low;

	if (*(const uint8_t *)&one == 1)
		return;
	while (tlv_next(&r, &t) == TLV_ITEM) {
		uint8_t *at = msg + (t.body.at - msg);

		if (t.type != NTA_SPAT_PORT && t.type != NTA_DPAT_PORT &&
		    t.type != NTA_ICMP_ID)
			continue;
		low = at[0];
		at[0] = at[1];
		at[1] = low;
	}
}

static uint8_t *read_native(const char *folder, const char *name, size_t *n)
{
	char path[256];
	uint8_t *msg;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	print_message("%s\n", path);
	msg = golden_read(path, n);
	assert_non_null(msg);
	to_native(msg, *n);
	return msg;
}

static void open_message(const uint8_t *bytes, size_t n, struct msg *m)
{
	struct rd dgram = { bytes, n };
	enum verdict why;

	assert_int_equal(wire_next(&dgram, m, &why), WIRE_MSG);
	assert_true(msg_is_data(m));
}

static void test_golden_messages_become_the_flows_they_tell_of(void **state)
{
	struct wire_flow_opts opts = opts_of(state);
	char text[TEXT_SIZE];

	for (size_t i = 0; i < N_ELEMENTS(vectors); i++) {
		struct flow f;
		struct msg m;
		size_t n;
		uint8_t *bytes = read_native("wire", vectors[i].name, &n);

		memset(&f, 0xee, sizeof(f));
		open_message(bytes, n, &m);
		assert_int_equal(wire_flow_decode(m.body, &opts, &f, NULL),
				 VERDICT_OK);
		assert_string_equal(flow_text(&f, opts.helpers, text),
				    vectors[i].text);
		free(bytes);
	}
}

/* The captured attributes as we send them, where that differs. */
static size_t expect_again(enum again again, const struct msg *m, uint8_t *out)
{
	size_t n = m->body.left;

	memcpy(out, m->body.at, n);
	switch (again) {
	case SAME:
		break;
	case ARTEFACT: /* the last two attributes, of 8 bytes each */
		assert_int_equal(out[n - 16 + 3], NTA_SPAT_PORT);
		n -= 16;
		break;
	case DYING: /* in the second byte of status, behind the addresses */
		assert_int_equal(out[12 + 3], NTA_STATUS);
		out[12 + 4 + 2] &= 0xfd;
		break;
	}
	return n;
}

static void test_golden_messages_are_encoded_to_the_same_bytes(void **state)
{
	struct wire_flow_opts opts = opts_of(state);
	uint8_t buf[512], expected[512];

	for (size_t i = 0; i < N_ELEMENTS(vectors); i++) {
		struct wr w = { buf, sizeof(buf), 0, false };
		struct flow f;
		struct msg m;
		size_t n;
		uint8_t *bytes = read_native("wire", vectors[i].name, &n);

		open_message(bytes, n, &m);
		assert_int_equal(wire_flow_decode(m.body, &opts, &f, NULL),
				 VERDICT_OK);
		wire_flow_encode(&w, &opts, &f);
		assert_false(w.full);
		n = expect_again(vectors[i].again, &m, expected);
		assert_int_equal(w.used, n);
		assert_memory_equal(buf, expected, n);
		free(bytes);
	}
}

static void count_conntrack(const char *name, void *ctx)
{
	*(size_t *)ctx += strstr(name, "/ct-") != NULL;
}

static void test_no_golden_message_is_left_out(void **state)
{
	size_t n = 0;

	(void)state;
	golden_each("wire", count_conntrack, &n);
	assert_int_equal(n, N_ELEMENTS(vectors));
}

static void test_crafted_messages_are_judged(void **state)
{
	struct wire_flow_opts opts = opts_of(state);
	char text[TEXT_SIZE];

	for (size_t i = 0; i < N_ELEMENTS(crafted); i++) {
		struct flow f;
		struct msg m;
		size_t n;
		uint8_t *bytes =
			read_native("wire/invalid", crafted[i].name, &n);

		memset(&f, 0xee, sizeof(f));
		open_message(bytes, n, &m);
		assert_int_equal(wire_flow_decode(m.body, &opts, &f, NULL),
				 crafted[i].verdict);
		if (crafted[i].text)
			assert_string_equal(flow_text(&f, opts.helpers, text),
					    crafted[i].text);
		free(bytes);
	}
}

static void test_labels_that_are_not_kept_are_counted(void **state)
{
	static const struct {
		const char *name;
		uint64_t n_cut, n_odd;
	} rows[] = {
		{ "attr-labels-6-bytes", 0, 1 },
		{ "ok-labels-1024-bytes", 1, 0 },
		{ "ok-duplicate-mark", 0, 0 },
	};
	struct wire_flow_opts opts = opts_of(state);

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct wire_flow_stats stats = { 0, 0 };
		struct flow f;
		struct msg m;
		size_t n;
		uint8_t *bytes = read_native("wire/invalid", rows[i].name, &n);

		open_message(bytes, n, &m);
		assert_int_equal(wire_flow_decode(m.body, &opts, &f, &stats),
				 VERDICT_OK);
		assert_true(stats.n_labels_cut == rows[i].n_cut);
		assert_true(stats.n_labels_odd == rows[i].n_odd);
		free(bytes);
	}
}

/* Attributes behind addresses and protocol of one flow, both IPv4. */
struct attrs_row {
	const char *text; /* NULL: refused */
	size_t n;
	uint8_t bytes[40];
};

static void assert_attrs(const struct wire_flow_opts *opts, uint8_t l4proto,
			 const struct attrs_row *row)
{
	uint8_t buf[64] = { 0, 12, 0, 0, 10, 0, 0, 1, 10, 0,
			    0, 2,  0, 5, 0,  2, 0, 0, 0,  0 };
	char text[TEXT_SIZE];
	struct flow f;
	uint8_t *exact;
	enum verdict v;

	buf[16] = l4proto;
	memcpy(buf + 20, row->bytes, row->n);
	exact = golden_exact(buf, 20 + row->n);
	memset(&f, 0xee, sizeof(f));
	v = wire_flow_decode((struct rd){ exact, 20 + row->n }, opts, &f, NULL);
	free(exact);
	assert_int_equal(v, row->text ? VERDICT_OK : VERDICT_BAD_PAYLOAD);
	if (row->text)
		assert_string_equal(flow_text(&f, opts->helpers, text),
				    row->text);
}

static void test_attributes_that_mean_nothing_are_not_kept(void **state)
{
	static const struct {
		uint8_t l4proto;
		struct attrs_row row;
	} rows[] = {
		/* clang-format off */
		/* a TCP state of a UDP flow, a role without a DCCP flow */
		{ L4_UDP, { "17 10.0.0.1 > 10.0.0.2", 16,
			    { 0, 5, 0, 4, 3, 0, 0, 0,
			      0, 5, 0, 21, 1, 0, 0, 0 } } },
		/* ports of ESP */
		{ 50, { "50 10.0.0.1 > 10.0.0.2", 8,
			{ 0, 8, 0, 3, 0, 1, 0, 2 } } },
		/* ICMP without code and id */
		{ L4_ICMP, { "1 10.0.0.1 > 10.0.0.2", 8,
			     { 0, 5, 0, 22, 8, 0, 0, 0 } } },
		/* port NAT of UDP whose ports are not known */
		{ L4_UDP, { "17 10.0.0.1 > 10.0.0.2", 8,
			    { 0, 6, 0, 14, 0x11, 0x11, 0, 0 } } },
		/* port NAT of ICMP, whatever it says */
		{ L4_ICMP, { "1 10.0.0.1 > 10.0.0.2", 8,
			     { 0, 6, 0, 15, 0x11, 0x11, 0, 0 } } },
		/* a master without addresses, one without protocol */
		{ L4_UDP, { "17 10.0.0.1 > 10.0.0.2", 16,
			    { 0, 5, 0, 10, 6, 0, 0, 0,
			      0, 8, 0, 11, 0, 1, 0, 2 } } },
		{ L4_UDP, { "17 10.0.0.1 > 10.0.0.2", 20,
			    { 0, 12, 0, 8, 10, 0, 0, 1, 10, 0, 0, 2,
			      0, 8, 0, 11, 0, 1, 0, 2 } } },
		{ L4_UDP, { "17 10.0.0.1 > 10.0.0.2"
			    " master 6 10.0.0.1 > 10.0.0.2", 20,
			    { 0, 12, 0, 8, 10, 0, 0, 1, 10, 0, 0, 2,
			      0, 5, 0, 10, 6, 0, 0, 0 } } },
		/* clang-format on */
	};
	struct wire_flow_opts opts = opts_of(state);

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_attrs(&opts, rows[i].l4proto, &rows[i].row);
}

/* No timeout and no TCP state in the kernel's report (ctnetlink leaves them
 * out), nor in what a reference makes of it. */
static void test_an_offloaded_flow_gets_timeout_and_state(void **state)
{
	static const struct {
		uint8_t l4proto;
		uint32_t status;
		bool send_timeout;
		const char *text;
	} rows[] = {
		{ L4_TCP, 0x400e, true, " status 0xe timeout 86400 tcp 3" },
		{ L4_TCP, 0xc00e, true, " status 0xe timeout 86400 tcp 3" },
		{ L4_TCP, 0x400e, false, " status 0xe tcp 3" },
		{ L4_TCP, 0xe, true, " status 0xe" },
		{ L4_UDP, 0x800e, true, " status 0xe timeout 120" },
	};
	struct wire_flow_opts opts = opts_of(state);

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct flow f = { .has = FLOW_STATUS | FLOW_PORTS,
				  .family = FAMILY_IPV4,
				  .l4proto = rows[i].l4proto,
				  .status = rows[i].status };
		uint8_t buf[128];
		struct wr w = { buf, sizeof(buf), 0, false };
		char text[TEXT_SIZE];

		opts.send_timeout = rows[i].send_timeout;
		wire_flow_encode(&w, &opts, &f);
		assert_int_equal(wire_flow_decode((struct rd){ buf, w.used },
						  &opts, &f, NULL),
				 VERDICT_OK);
		flow_text(&f, opts.helpers, text);
		assert_string_equal(strstr(text, " status"), rows[i].text);
	}
}

static void test_what_a_peer_offloads_is_completed(void **state)
{
	static const struct attrs_row rows[] = {
		{ "6 10.0.0.1 > 10.0.0.2 status 0x400e timeout 86400 tcp 3",
		  8,
		  { 0, 8, 0, 5, 0, 0, 0x40, 0x0e } },
		{ "6 10.0.0.1 > 10.0.0.2 status 0x400e timeout 9 tcp 4",
		  24,
		  { 0, 8, 0, 5, 0, 0, 0x40, 0x0e, 0, 8, 0, 6,
		    0, 0, 0, 9, 0, 5, 0,    4,    4, 0, 0, 0 } },
	};
	struct wire_flow_opts opts = opts_of(state);

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_attrs(&opts, L4_TCP, &rows[i]);
}

static void test_addresses_of_two_families_are_refused(void **state)
{
	static const struct attrs_row rows[] = {
		{ NULL, 36, { 0, 36, 0, NTA_IPV6, 0x20, 1 } },
		{ NULL, 36, { 0, 36, 0, NTA_MASTER_IPV6, 0x20, 1 } },
		{ NULL, 20, { 0, 20, 0, NTA_SNAT_IPV6, 0x20, 1 } },
		{ NULL, 20, { 0, 20, 0, NTA_DNAT_IPV6, 0x20, 1 } },
	};
	struct wire_flow_opts opts = opts_of(state);

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_attrs(&opts, L4_UDP, &rows[i]);
}

static void test_a_helper_name_ends_inside_its_attribute(void **state)
{
	static const struct attrs_row rows[] = {
		/* clang-format off */
		{ NULL, 4 + 1, { 0, 4, 0, 27, 0 } },
		{ NULL, 8, { 0, 5, 0, 27, 0 } },
		{ NULL, 8, { 0, 7, 0, 27, 0, 'a', 0 } },
		{ NULL, 8, { 0, 8, 0, 27, 'f', 't', 'p', 'x' } },
		{ "17 10.0.0.1 > 10.0.0.2 helper a", 8,
		  { 0, 6, 0, 27, 'a' } },
		{ "17 10.0.0.1 > 10.0.0.2 helper ftp", 12,
		  { 0, 12, 0, 27, 'f', 't', 'p', 0, 'x', 'y', 'z', '!' } },
		{ "17 10.0.0.1 > 10.0.0.2 helper abcdefghijk", 16,
		  { 0, 16, 0, 27, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i',
		    'j', 'k' } },
		/* clang-format on */
	};
	struct wire_flow_opts opts = opts_of(state);

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_attrs(&opts, L4_UDP, &rows[i]);
}

static void test_without_a_table_of_names_helpers_are_judged_only(void **state)
{
	static const struct attrs_row rows[] = {
		{ "17 10.0.0.1 > 10.0.0.2", 8, { 0, 8, 0, 27, 'f', 't', 'p' } },
		{ NULL, 8, { 0, 8, 0, 27, 'f', 't', 'p', 'x' } },
	};
	struct wire_flow_opts opts = opts_of(state);

	opts.helpers = NULL;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_attrs(&opts, L4_UDP, &rows[i]);
}

static void test_a_full_table_of_names_costs_the_helper_only(void **state)
{
	static const struct attrs_row row = { "17 10.0.0.1 > 10.0.0.2",
					      8,
					      { 0, 8, 0, 27, 'f', 't', 'p' } };
	struct wire_flow_opts opts = opts_of(state);

	opts.helpers = names_new(1, 32);
	assert_int_not_equal(names_intern(opts.helpers, "sip", 3), 0);
	assert_attrs(&opts, L4_UDP, &row);
	names_free(opts.helpers);
}

/* Decodes a copy whose end the sanitizer guards; what is accepted can be
 * encoded, and decoded again. */
static void try_bytes(const uint8_t *bytes, size_t n, void *ctx)
{
	const struct wire_flow_opts *opts = ctx;
	uint8_t *exact = golden_exact(bytes, n), buf[512];
	struct rd dgram = { exact, n };
	enum wire_step step;
	enum verdict why;
	struct msg m;

	while ((step = wire_next(&dgram, &m, &why)) != WIRE_END) {
		struct wr w = { buf, sizeof(buf), 0, false };
		struct flow f;

		if (step != WIRE_MSG || !msg_is_data(&m) ||
		    wire_flow_decode(m.body, opts, &f, NULL) != VERDICT_OK)
			continue;
		assert_true(f.family == FAMILY_IPV4 || f.family == FAMILY_IPV6);
		wire_flow_encode(&w, opts, &f);
		assert_false(w.full);
		assert_int_equal(wire_flow_decode((struct rd){ buf, w.used },
						  opts, &f, NULL),
				 VERDICT_OK);
	}
	free(exact);
}

static void try_variants(const char *name, void *ctx)
{
	size_t n;
	uint8_t *bytes = golden_read(name, &n);

	assert_non_null(bytes);
	for (size_t cut = 0; cut <= n; cut++)
		try_bytes(bytes, cut, ctx);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		try_bytes(bytes, n, ctx);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(bytes);
}

static void test_no_prefix_and_no_bit_flip_leads_outside(void **state)
{
	struct wire_flow_opts opts = opts_of(state);

	golden_each("wire", try_variants, &opts);
	golden_each("wire/invalid", try_variants, &opts);
}

/* A message cut short inside says so itself: its own length is right. */
static void test_every_prefix_of_the_attributes_is_judged(void **state)
{
	struct wire_flow_opts opts = opts_of(state);

	for (size_t i = 0; i < N_ELEMENTS(vectors); i++) {
		struct msg m;
		size_t n;
		uint8_t *bytes = read_native("wire", vectors[i].name, &n);

		open_message(bytes, n, &m);
		for (size_t cut = 0; cut <= m.body.left; cut++) {
			uint8_t *exact = golden_exact(m.body.at, cut);
			struct flow f;

			if (wire_flow_decode((struct rd){ exact, cut }, &opts,
					     &f, NULL) == VERDICT_OK)
				assert_true(cut >= 25); /* the least there is */
			free(exact);
		}
		free(bytes);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		/* clang-format off */
		cmocka_unit_test(test_golden_messages_become_the_flows_they_tell_of),
		cmocka_unit_test(test_golden_messages_are_encoded_to_the_same_bytes),
		cmocka_unit_test(test_no_golden_message_is_left_out),
		cmocka_unit_test(test_crafted_messages_are_judged),
		cmocka_unit_test(test_labels_that_are_not_kept_are_counted),
		cmocka_unit_test(test_attributes_that_mean_nothing_are_not_kept),
		cmocka_unit_test(test_an_offloaded_flow_gets_timeout_and_state),
		cmocka_unit_test(test_what_a_peer_offloads_is_completed),
		cmocka_unit_test(test_addresses_of_two_families_are_refused),
		cmocka_unit_test(test_a_helper_name_ends_inside_its_attribute),
		cmocka_unit_test(test_without_a_table_of_names_helpers_are_judged_only),
		cmocka_unit_test(test_a_full_table_of_names_costs_the_helper_only),
		cmocka_unit_test(test_no_prefix_and_no_bit_flip_leads_outside),
		cmocka_unit_test(test_every_prefix_of_the_attributes_is_judged),
		/* clang-format on */
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
