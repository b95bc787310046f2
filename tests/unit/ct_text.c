/* SPDX-License-Identifier: ISC */
#include "ct_text.h"

#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/buf.h"

#define KNOWN(bit, ...)                             \
	do {                                        \
		if (f->has & (bit))                 \
			wr_printf(&w, __VA_ARGS__); \
	} while (0)

static void tuple_text(struct wr *w, const struct flow *f,
		       const struct tuple *t)
{
	char src[ADDR_TEXT_SIZE], dst[ADDR_TEXT_SIZE];

	wr_printf(w, "%s>%s", addr_text(f->family, &t->src, src),
		  addr_text(f->family, &t->dst, dst));
	if (f->has & (FLOW_PORTS | FLOW_GRE_KEYS))
		wr_printf(w, " %u>%u", t->sport, t->dport);
	if (f->has & FLOW_ICMP)
		wr_printf(w, " icmp %u/%u id %u", t->icmp_type, t->icmp_code,
			  t->icmp_id);
}

static void seqadj_text(struct wr *w, const char *name,
			const struct flow_seqadj *s)
{
	wr_printf(w, " %s %u,%d,%d", name, s->pos, (int)s->before,
		  (int)s->after);
}

void ct_text(const struct flow *f, const struct names *helpers, char *out,
	     size_t size)
{
	struct wr w = { (uint8_t *)out, size - 1, 0, false };
	struct tuple master = { .src = f->master.src, .dst = f->master.dst };
	struct flow addresses_only = { .family = f->family };

	wr_printf(&w, "proto %u ", f->l4proto);
	tuple_text(&w, f, &f->orig);
	if (f->zone)
		wr_printf(&w, " zone %u", f->zone);
	if (f->has & FLOW_REPLY) {
		wr_printf(&w, " reply ");
		tuple_text(&w, f, &f->reply);
	}
	KNOWN(FLOW_STATUS, " status %x", f->status);
	KNOWN(FLOW_TIMEOUT, " timeout %u", f->timeout_s);
	KNOWN(FLOW_MARK, " mark %u", f->mark);
	KNOWN(FLOW_TCP_STATE, " tcp %u", f->tcp_state);
	KNOWN(FLOW_TCP_WSCALE_ORIG, " scale %u", f->tcp_wscale_orig);
	KNOWN(FLOW_TCP_WSCALE_REPLY, "/%u", f->tcp_wscale_reply);
	KNOWN(FLOW_TCP_FLAGS_ORIG, " flags %x", f->tcp_flags_orig);
	KNOWN(FLOW_TCP_FLAGS_REPLY, "/%x", f->tcp_flags_reply);
	KNOWN(FLOW_SCTP_STATE, " sctp %u", f->sctp_state);
	KNOWN(FLOW_SCTP_VTAG_ORIG, " vtag %x", f->sctp_vtag_orig);
	KNOWN(FLOW_SCTP_VTAG_REPLY, "/%x", f->sctp_vtag_reply);
	KNOWN(FLOW_DCCP_STATE, " dccp %u", f->dccp_state);
	KNOWN(FLOW_DCCP_ROLE, " role %u", f->dccp_role);
	KNOWN(FLOW_DCCP_SEQ, " seq %llx", (unsigned long long)f->dccp_seq);
	if (f->has & FLOW_MASTER) {
		wr_printf(&w, " master %u ", f->master.l4proto);
		tuple_text(&w, &addresses_only, &master);
	}
	KNOWN(FLOW_MASTER_PORTS, " %u>%u", f->master.sport, f->master.dport);
	KNOWN(FLOW_HELPER, " helper %s", names_text(helpers, f->helper));
	KNOWN(FLOW_LABELS, " labels ");
	for (unsigned int l = 0; f->has & FLOW_LABELS && l < 128; l++)
		if (f->labels[l / 8] >> l % 8 & 1)
			wr_printf(&w, "%u,", l);
	if (f->has & FLOW_SEQADJ_ORIG)
		seqadj_text(&w, "seqadj", &f->seqadj_orig);
	if (f->has & FLOW_SEQADJ_REPLY)
		seqadj_text(&w, "reply", &f->seqadj_reply);
	KNOWN(FLOW_SYNPROXY, " synproxy %u,%u,%u", f->synproxy.isn,
	      f->synproxy.its, f->synproxy.tsoff);
	KNOWN(FLOW_SECMARK, " secmark %u", f->secmark);
	KNOWN(FLOW_SECCTX, " secctx");
	KNOWN(FLOW_ZONE_ORIG, " zone-orig %u", f->zone_orig);
	KNOWN(FLOW_ZONE_REPLY, " zone-reply %u", f->zone_reply);
	KNOWN(FLOW_ID, " id");
	KNOWN(FLOW_USE, " use");
	KNOWN(FLOW_COUNTERS_ORIG, " counters");
	KNOWN(FLOW_COUNTERS_REPLY, "/counters");
	KNOWN(FLOW_TIMESTAMP_START, " start");
	KNOWN(FLOW_TIMESTAMP_STOP, " stop");
	out[w.used] = 0;
}

static unsigned int digit(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

uint8_t *ct_unhex(const char *hex, size_t *n)
{
	uint8_t *bytes;

	*n = strlen(hex) / 2;
	bytes = calloc(1, *n + !*n);
	for (size_t i = 0; bytes && i < *n; i++)
		bytes[i] = (uint8_t)(digit(hex[2 * i]) << 4 |
				     digit(hex[2 * i + 1]));
	return bytes;
}

static uint32_t from_little(uint8_t *at, size_t n)
{
	uint32_t value = 0;

	for (size_t i = 0; i < n; i++)
		value |= (uint32_t)at[i] << 8 * i;
	if (n == 2)
		memcpy(at, &(uint16_t){ (uint16_t)value }, 2);
	else
		memcpy(at, &value, 4);
	return value;
}

static void attrs_to_native(uint8_t *at, size_t n, unsigned int depth)
{
	while (n >= NLA_HDRLEN) {
		size_t len = from_little(at, 2);
		unsigned int type = from_little(at + 2, 2);
		size_t whole = (len + 3) & ~(size_t)3;

		if (len < NLA_HDRLEN || len > n)
			return;
		if (type & NLA_F_NESTED)
			attrs_to_native(at + NLA_HDRLEN, len - NLA_HDRLEN,
					depth + 1);
		else if (depth == 0 && type == CTA_LABELS)
			for (size_t i = NLA_HDRLEN; i + 4 <= len; i += 4)
				from_little(at + i, 4);
		at += whole < n ? whole : n;
		n -= whole < n ? whole : n;
	}
}

void ct_to_native(uint8_t *msg, size_t n)
{
	static const uint8_t widths[] = { 4, 2, 2, 4, 4 };
	size_t offset = 0;

	for (size_t i = 0; i < sizeof(widths); i++) {
		from_little(msg + offset, widths[i]);
		offset += widths[i];
	}
	attrs_to_native(msg + offset + 4, n - offset - 4, 0);
}
