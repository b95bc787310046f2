/* SPDX-License-Identifier: ISC */
#include "sync/wire_rows.h"

#include "sync/tlv.h"

enum {
	HELPER_LEN_MAX = 11,   /* a receiver refuses longer ones */
	LABELS_LEN_MAX = 1024, /* bytes */
	LABEL_WORD = 4,        /* bytes */
	LABELS_SIZE = sizeof(((struct flow *)0)->labels),
};

/* Bits that speak of the sender's own entry, not of the connection: its flow
 * table, its end, its place in the kernel. A kernel that is handed DYING
 * refuses the entry. */
static const uint32_t status_local = STATUS_OFFLOAD | STATUS_HW_OFFLOAD |
				     STATUS_DYING | STATUS_TEMPLATE |
				     STATUS_NAT_CLASH;

unsigned int wire_traits(uint8_t l4proto)
{
	switch (l4proto) {
	case L4_TCP:
		return TRAIT_PORTS | TRAIT_TCP;
	case L4_SCTP:
		return TRAIT_PORTS | TRAIT_SCTP;
	case L4_DCCP:
		return TRAIT_PORTS | TRAIT_DCCP;
	case L4_UDP:
	case L4_UDPLITE:
	case L4_GRE:
		return TRAIT_PORTS;
	case L4_ICMP:
	case L4_ICMPV6:
		return TRAIT_ICMP;
	}
	return 0;
}

/* Always sent: 0 if it is not known. */
static void put_status(struct wr *w, const struct wire_flow_opts *opts,
		       const struct flow *f)
{
	(void)opts;
	tlv_header(w, NTA_STATUS, sizeof(f->status));
	wr_be32(w, f->has & FLOW_STATUS ? f->status & ~status_local : 0);
}

static void put_zone(struct wr *w, const struct wire_flow_opts *opts,
		     const struct flow *f)
{
	(void)opts;
	if (f->zone == 0) /* none */
		return;
	tlv_header(w, NTA_ZONE, sizeof(f->zone));
	wr_be16(w, f->zone);
	tlv_pad(w, sizeof(f->zone));
}

/* A name of 1 to 11 characters and a zero byte; what follows that is ignored.
 * An empty or endless one would be read beyond its end by a careless
 * receiver, so no sender may make it (PROTOCOL.md 2.4). */
static enum wire_got get_helper(struct rd body,
				const struct wire_flow_opts *opts,
				struct flow *out, struct wire_flow_stats *stats)
{
	const char *name = (const char *)body.at;
	const char *end = body.left ? memchr(name, 0, body.left) : NULL;

	(void)stats;
	if (!end || end == name || body.left > HELPER_LEN_MAX + 1)
		return GOT_BAD;
	if (!opts->helpers)
		return GOT_NOTHING;
	out->helper = names_intern(opts->helpers, name, (size_t)(end - name));
	return out->helper ? GOT_FIELD : GOT_NOTHING;
}

static void put_helper(struct wr *w, const struct wire_flow_opts *opts,
		       const struct flow *f)
{
	const char *name;
	size_t len;

	if (!opts->helpers)
		return;
	name = names_text(opts->helpers, f->helper);
	len = strlen(name);
	if (len == 0 || len > HELPER_LEN_MAX)
		return;
	tlv_header(w, NTA_HELPER_NAME, len + 1);
	wr_bytes(w, name, len + 1);
	tlv_pad(w, len + 1);
}

/* Words in network order: bit b of word i is label 32i + b. */
static enum wire_got get_labels(struct rd body,
				const struct wire_flow_opts *opts,
				struct flow *out, struct wire_flow_stats *stats)
{
	uint8_t beyond = 0;

	(void)opts;
	if (body.left > LABELS_LEN_MAX)
		return GOT_BAD;
	if (body.left == 0 || body.left % LABEL_WORD) {
		stats->n_labels_odd++;
		return GOT_NOTHING;
	}
	memset(out->labels, 0, LABELS_SIZE);
	for (size_t i = 0; i < body.left; i++) {
		size_t byte = i ^ (LABEL_WORD - 1); /* within its word */

		if (byte < LABELS_SIZE)
			out->labels[byte] = body.at[i];
		else
			beyond |= body.at[i];
	}
	if (beyond)
		stats->n_labels_cut++;
	return GOT_FIELD;
}

/* Four words, or nothing if no label is set. */
static void put_labels(struct wr *w, const struct wire_flow_opts *opts,
		       const struct flow *f)
{
	static const uint8_t none[LABELS_SIZE];

	(void)opts;
	if (memcmp(f->labels, none, LABELS_SIZE) == 0)
		return;
	tlv_header(w, NTA_LABELS, LABELS_SIZE);
	for (size_t i = 0; i < LABELS_SIZE; i++)
		wr_u8(w, f->labels[i ^ (LABEL_WORD - 1)]);
}

#define AT(field) \
	offsetof(struct flow, field), sizeof(((struct flow *)0)->field)
/* clang-format off */
const struct wire_row wire_rows[NTA_N] = {
	[NTA_IPV4] = { .family = FAMILY_IPV4, .members = {
		{ WIRE_ADDR4, AT(orig.src) }, { WIRE_ADDR4, AT(orig.dst) } } },
	[NTA_IPV6] = { .family = FAMILY_IPV6, .members = {
		{ WIRE_ADDR16, AT(orig.src) },
		{ WIRE_ADDR16, AT(orig.dst) } } },
	[NTA_L4PROTO] = { .members = { { WIRE_U8, AT(l4proto) } } },
	[NTA_PORT] = { FLOW_PORTS, .trait = TRAIT_PORTS, .members = {
		{ WIRE_BE16, AT(orig.sport) }, { WIRE_BE16, AT(orig.dport) } } },
	[NTA_TCP_STATE] = { FLOW_TCP_STATE, .trait = TRAIT_TCP, .members = {
		{ WIRE_U8, AT(tcp_state) } } },
	[NTA_STATUS] = { FLOW_STATUS, .put = put_status, .members = {
		{ WIRE_BE32, AT(status) } } },
	[NTA_TIMEOUT] = { FLOW_TIMEOUT, .members = {
		{ WIRE_BE32, AT(timeout_s) } } },
	[NTA_MARK] = { FLOW_MARK, .members = { { WIRE_BE32, AT(mark) } } },
	[NTA_MASTER_IPV4] = { FLOW_MASTER, .family = FAMILY_IPV4, .members = {
		{ WIRE_ADDR4, AT(master.src) },
		{ WIRE_ADDR4, AT(master.dst) } } },
	[NTA_MASTER_IPV6] = { FLOW_MASTER, .family = FAMILY_IPV6, .members = {
		{ WIRE_ADDR16, AT(master.src) },
		{ WIRE_ADDR16, AT(master.dst) } } },
	[NTA_MASTER_L4PROTO] = { FLOW_MASTER, .members = {
		{ WIRE_U8, AT(master.l4proto) } } },
	[NTA_MASTER_PORT] = { FLOW_MASTER_PORTS, FLOW_MASTER, .members = {
		{ WIRE_BE16, AT(master.sport) },
		{ WIRE_BE16, AT(master.dport) } } },
	/* NAT is read into the reply tuple; wire_flow.c completes it */
	[NTA_SNAT_IPV4] = { .needs = FLOW_REPLY, .family = FAMILY_IPV4,
		.nat = NAT_SRC_ADDR, .members = {
		{ WIRE_ADDR4, AT(reply.dst) } } },
	[NTA_DNAT_IPV4] = { .needs = FLOW_REPLY, .family = FAMILY_IPV4,
		.nat = NAT_DST_ADDR, .members = {
		{ WIRE_ADDR4, AT(reply.src) } } },
	[NTA_SPAT_PORT] = { .needs = FLOW_REPLY | FLOW_PORTS,
		.trait = TRAIT_PORTS, .nat = NAT_SRC_PORT, .members = {
		{ WIRE_NE16, AT(reply.dport) } } },
	[NTA_DPAT_PORT] = { .needs = FLOW_REPLY | FLOW_PORTS,
		.trait = TRAIT_PORTS, .nat = NAT_DST_PORT, .members = {
		{ WIRE_NE16, AT(reply.sport) } } },
	[NTA_NAT_SEQ_ADJ] = { FLOW_SEQADJ_ORIG | FLOW_SEQADJ_REPLY, .members = {
		{ WIRE_BE32, AT(seqadj_orig.pos) },
		{ WIRE_BE32, AT(seqadj_orig.before) },
		{ WIRE_BE32, AT(seqadj_orig.after) },
		{ WIRE_BE32, AT(seqadj_reply.pos) },
		{ WIRE_BE32, AT(seqadj_reply.before) },
		{ WIRE_BE32, AT(seqadj_reply.after) } } },
	[NTA_SCTP_STATE] = { FLOW_SCTP_STATE, .trait = TRAIT_SCTP, .members = {
		{ WIRE_U8, AT(sctp_state) } } },
	[NTA_SCTP_VTAG_ORIG] = { FLOW_SCTP_VTAG_ORIG, FLOW_SCTP_STATE,
		.trait = TRAIT_SCTP, .members = {
		{ WIRE_BE32, AT(sctp_vtag_orig) } } },
	[NTA_SCTP_VTAG_REPL] = { FLOW_SCTP_VTAG_REPLY, FLOW_SCTP_STATE,
		.trait = TRAIT_SCTP, .members = {
		{ WIRE_BE32, AT(sctp_vtag_reply) } } },
	[NTA_DCCP_STATE] = { FLOW_DCCP_STATE, .trait = TRAIT_DCCP, .members = {
		{ WIRE_U8, AT(dccp_state) } } },
	[NTA_DCCP_ROLE] = { FLOW_DCCP_ROLE, FLOW_DCCP_STATE,
		.trait = TRAIT_DCCP, .members = {
		{ WIRE_U8, AT(dccp_role) } } },
	[NTA_ICMP_TYPE] = { FLOW_ICMP, .trait = TRAIT_ICMP, .members = {
		{ WIRE_U8, AT(orig.icmp_type) } } },
	[NTA_ICMP_CODE] = { FLOW_ICMP, .trait = TRAIT_ICMP, .members = {
		{ WIRE_U8, AT(orig.icmp_code) } } },
	[NTA_ICMP_ID] = { FLOW_ICMP, .trait = TRAIT_ICMP, .members = {
		{ WIRE_NE16, AT(orig.icmp_id) } } },
	[NTA_TCP_WSCALE_ORIG] = { FLOW_TCP_WSCALE_ORIG, FLOW_TCP_STATE,
		.trait = TRAIT_TCP, .members = {
		{ WIRE_U8, AT(tcp_wscale_orig) } } },
	[NTA_TCP_WSCALE_REPL] = { FLOW_TCP_WSCALE_REPLY, FLOW_TCP_STATE,
		.trait = TRAIT_TCP, .members = {
		{ WIRE_U8, AT(tcp_wscale_reply) } } },
	[NTA_HELPER_NAME] = { FLOW_HELPER,
		.get = get_helper, .put = put_helper },
	[NTA_LABELS] = { FLOW_LABELS, .get = get_labels, .put = put_labels },
	[NTA_SNAT_IPV6] = { .needs = FLOW_REPLY, .family = FAMILY_IPV6,
		.nat = NAT_SRC_ADDR, .members = {
		{ WIRE_ADDR16, AT(reply.dst) } } },
	[NTA_DNAT_IPV6] = { .needs = FLOW_REPLY, .family = FAMILY_IPV6,
		.nat = NAT_DST_ADDR, .members = {
		{ WIRE_ADDR16, AT(reply.src) } } },
	[NTA_SYNPROXY] = { FLOW_SYNPROXY, .members = {
		{ WIRE_BE32, AT(synproxy.its) },
		{ WIRE_BE32, AT(synproxy.isn) },
		{ WIRE_BE32, AT(synproxy.tsoff) } } },
	[NTA_ZONE] = { .put = put_zone, .members = {
		{ WIRE_BE16, AT(zone) } } },
};
#undef AT

const uint8_t wire_order[NTA_N] = {
	NTA_IPV4, NTA_IPV6, NTA_STATUS, NTA_L4PROTO,
	/* by protocol */
	NTA_PORT, NTA_TCP_STATE, NTA_TCP_WSCALE_ORIG, NTA_TCP_WSCALE_REPL,
	NTA_SCTP_STATE, NTA_SCTP_VTAG_ORIG, NTA_SCTP_VTAG_REPL,
	NTA_DCCP_STATE, NTA_DCCP_ROLE,
	NTA_ICMP_TYPE, NTA_ICMP_CODE, NTA_ICMP_ID,
	NTA_TIMEOUT, NTA_MARK,
	NTA_MASTER_IPV4, NTA_MASTER_IPV6, NTA_MASTER_L4PROTO, NTA_MASTER_PORT,
	NTA_SNAT_IPV4, NTA_SNAT_IPV6, NTA_DNAT_IPV4, NTA_DNAT_IPV6,
	NTA_SPAT_PORT, NTA_DPAT_PORT,
	NTA_NAT_SEQ_ADJ, NTA_HELPER_NAME, NTA_LABELS, NTA_SYNPROXY, NTA_ZONE,
};
/* clang-format on */
