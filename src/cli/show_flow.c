/* SPDX-License-Identifier: ISC */
#include "cli/show_flow.h"

#include <stddef.h>

enum { TEXT_MAX = 255 };

enum tuple_form { TUPLE_PLAIN, TUPLE_PORTS, TUPLE_ICMP, TUPLE_KEYS };

/* A number out of range is shown as the first name, NONE. */
static const char *const tcp_states[] = {
	"NONE",       "SYN_SENT", "SYN_RECV",  "ESTABLISHED", "FIN_WAIT",
	"CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",       "SYN_SENT2",
};

static const char *const sctp_states[] = {
	"NONE",           "CLOSED",
	"COOKIE_WAIT",    "COOKIE_ECHOED",
	"ESTABLISHED",    "SHUTDOWN_SENT",
	"SHUTDOWN_RECD",  "SHUTDOWN_ACK_SENT",
	"HEARTBEAT_SENT", "HEARTBEAT_ACKED",
};

static const char *const dccp_states[] = {
	"NONE",     "REQUEST", "RESPOND",  "PARTOPEN", "OPEN",
	"CLOSEREQ", "CLOSING", "TIMEWAIT", "IGNORE",   "INVALID",
};

struct proto_row {
	uint8_t l4proto;
	uint8_t n_states;
	enum tuple_form form;
	const char *name;
	const char *const *states;
	uint64_t state_bit;
	size_t state_at;
};

/* clang-format off */
#define STATES(names, bit, field) \
	.states = (names), .n_states = N_ELEMENTS(names), \
	.state_bit = (bit), \
	.state_at = offsetof(struct flow, field)
static const struct proto_row protos[] = {
	{ L4_TCP, .name = "tcp", .form = TUPLE_PORTS,
	  STATES(tcp_states, FLOW_TCP_STATE, tcp_state) },
	{ L4_UDP, .name = "udp", .form = TUPLE_PORTS },
	{ L4_ICMP, .name = "icmp", .form = TUPLE_ICMP },
	{ L4_ICMPV6, .name = "icmpv6", .form = TUPLE_ICMP },
	{ L4_SCTP, .name = "sctp", .form = TUPLE_PORTS,
	  STATES(sctp_states, FLOW_SCTP_STATE, sctp_state) },
	{ L4_DCCP, .name = "dccp", .form = TUPLE_PORTS,
	  STATES(dccp_states, FLOW_DCCP_STATE, dccp_state) },
	{ L4_UDPLITE, .name = "udplite", .form = TUPLE_PORTS },
	{ L4_GRE, .name = "gre", .form = TUPLE_KEYS },
};
#undef STATES
/* clang-format on */

static const struct proto_row other_proto = { .name = "unknown" };

/* Only the first of these that is set is shown. */
static const struct {
	uint32_t bit;
	const char *text;
} marks[] = {
	{ STATUS_HW_OFFLOAD, " [HW_OFFLOAD]" },
	{ STATUS_OFFLOAD, " [OFFLOAD]" },
	{ STATUS_ASSURED, " [ASSURED]" },
};

static const struct proto_row *find_proto(uint8_t l4proto)
{
	for (size_t i = 0; i < N_ELEMENTS(protos); i++)
		if (protos[i].l4proto == l4proto)
			return &protos[i];
	return &other_proto;
}

static void show_state(const struct flow *f, const struct proto_row *proto,
		       struct wr *out)
{
	uint8_t state;

	if (!(f->has & proto->state_bit))
		return;
	state = *((const uint8_t *)f + proto->state_at);
	wr_printf(out, " %s",
		  proto->states[state < proto->n_states ? state : 0]);
}

void show_tuple(const char *prefix, enum family family, uint8_t l4proto,
		const struct tuple *t, struct wr *out)
{
	char src[ADDR_TEXT_SIZE], dst[ADDR_TEXT_SIZE];

	wr_printf(out, " %ssrc=%s %sdst=%s", prefix,
		  addr_text(family, &t->src, src), prefix,
		  addr_text(family, &t->dst, dst));
	switch (find_proto(l4proto)->form) {
	case TUPLE_PLAIN:
		break;
	case TUPLE_PORTS:
		wr_printf(out, " sport=%u dport=%u", t->sport, t->dport);
		break;
	case TUPLE_ICMP:
		wr_printf(out, " type=%u code=%u id=%u", t->icmp_type,
			  t->icmp_code, t->icmp_id);
		break;
	case TUPLE_KEYS:
		wr_printf(out, " srckey=0x%x dstkey=0x%x", t->sport, t->dport);
		break;
	}
}

/* Fields of the protocol that are not known are shown as 0: a peer may not
 * have sent them, and the line keeps its form. */
static void show_direction(const struct flow *f, const struct tuple *t,
			   struct wr *out)
{
	struct tuple known = *t;

	/* a peer may send the keys of GRE as ports */
	if (!(f->has & (FLOW_PORTS | FLOW_GRE_KEYS)))
		known.sport = known.dport = 0;
	if (!(f->has & FLOW_ICMP))
		known.icmp_id = known.icmp_type = known.icmp_code = 0;
	show_tuple("", f->family, f->l4proto, &known, out);
}

static void show_counters(const struct flow_counters *c, struct wr *out)
{
	wr_printf(out, " packets=%llu bytes=%llu",
		  (unsigned long long)c->packets, (unsigned long long)c->bytes);
}

static void show_original(const struct flow_view *v, struct wr *out)
{
	const struct flow *f = v->flow;

	show_direction(f, &f->orig, out);
	if (f->has & FLOW_ZONE_ORIG)
		wr_printf(out, " zone-orig=%u", f->zone_orig);
	if (v->parts & SHOW_COUNTERS && f->has & FLOW_COUNTERS_ORIG)
		show_counters(&f->counters_orig, out);
	if (f->has & FLOW_STATUS && !(f->status & STATUS_SEEN_REPLY))
		wr_printf(out, " [UNREPLIED]");
}

static void show_reply(const struct flow_view *v, struct wr *out)
{
	const struct flow *f = v->flow;

	if (!(v->parts & SHOW_REPLY))
		return;
	if (f->has & FLOW_REPLY)
		show_direction(f, &f->reply, out);
	if (f->has & FLOW_ZONE_REPLY)
		wr_printf(out, " zone-reply=%u", f->zone_reply);
	if (v->parts & SHOW_COUNTERS && f->has & FLOW_COUNTERS_REPLY)
		show_counters(&f->counters_reply, out);
}

static void show_status(const struct flow *f, struct wr *out)
{
	if (!(f->has & FLOW_STATUS))
		return;
	for (size_t i = 0; i < N_ELEMENTS(marks); i++) {
		if (f->status & marks[i].bit) {
			wr_printf(out, "%s", marks[i].text);
			return;
		}
	}
}

void show_text(const char *label, const char *text, struct wr *out)
{
	wr_printf(out, " %s=", label);
	for (size_t i = 0; i < TEXT_MAX && text[i]; i++) {
		uint8_t c = (uint8_t)text[i];

		wr_u8(out, c <= ' ' || c == 0x7f ? '?' : c);
	}
}

/* Seconds from the start to the end of the flow, or to now. */
static int64_t duration_s(const struct flow *f, int64_t wall_s)
{
	const uint64_t second_ns = 1000000000;
	int64_t duration;

	if (f->has & FLOW_TIMESTAMP_STOP)
		return f->stop_ns < f->start_ns
			       ? 0
			       : (int64_t)((f->stop_ns - f->start_ns) /
					   second_ns);
	duration = wall_s - (int64_t)(f->start_ns / second_ns);
	return duration < 0 ? 0 : duration; /* the clock may have been set */
}

static void show_fields(const struct flow_view *v, struct wr *out)
{
	const struct flow *f = v->flow;

	if (f->has & FLOW_MARK)
		wr_printf(out, " mark=%u", f->mark);
	if (f->has & FLOW_SECMARK)
		wr_printf(out, " secmark=%u", f->secmark);
	if (f->has & FLOW_SECCTX && v->secctx)
		show_text("secctx", v->secctx, out);
	if (f->zone)
		wr_printf(out, " zone=%u", f->zone);
	if (f->has & FLOW_TIMESTAMP_START)
		wr_printf(out, " delta-time=%lld",
			  (long long)duration_s(f, v->wall_s));
	if (f->has & FLOW_HELPER && v->helper)
		show_text("helper", v->helper, out);
	if (v->parts & SHOW_USE && f->has & FLOW_USE)
		wr_printf(out, " use=%u", f->use);
}

void show_flow(const struct flow_view *v, struct wr *out)
{
	const struct flow *f = v->flow;
	const struct proto_row *proto = find_proto(f->l4proto);

	wr_printf(out, "%-8s %u", proto->name, f->l4proto);
	if (v->parts & SHOW_TIMEOUT && f->has & FLOW_TIMEOUT)
		wr_printf(out, " %u", f->timeout_s);
	show_state(f, proto, out);
	show_original(v, out);
	show_reply(v, out);
	show_status(f, out);
	show_fields(v, out);
	if (v->parts & SHOW_EXPIRES)
		wr_printf(out, " [expires in %us]", v->expires_s);
	if (v->parts & SHOW_AGE)
		wr_printf(out, " [active since %us]", v->age_s);
}
