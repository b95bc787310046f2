/* SPDX-License-Identifier: ISC */
/* ctset.c - entries of the kernel's conntrack table as lines of attributes
 * (attrs.h), by raw netlink and without the daemon's codecs.
 *
 *	ctset add	makes an entry of each line of its input
 *	ctset update	changes entries: a line names one and says what is new
 *	ctset dump	prints all entries, those over loopback left out
 *
 * A line shows NAT as the sync protocol does: where the reply tuple differs
 * from the swapped original one. Exit 1 if an entry was refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "attrs.h"
#include "ctmsg.h"

enum { MESSAGE_MAX = 2048, TYPES_MAX = 32 };

/* A value as it is: both formats are big-endian. */
static void put_attr(struct nlmsghdr *h, uint16_t type, const struct attrs *a,
		     enum attr t)
{
	if (attrs_has(a, t))
		put(h, type, a->value[t], a->len[t]);
}

static void put_word(struct nlmsghdr *h, uint16_t type, const struct attrs *a,
		     enum attr t, int word)
{
	if (attrs_has(a, t))
		put(h, type, a->value[t] + 4 * word, 4);
}

/* ---- tuples ---- */

struct half {
	bool is_v6;
	uint8_t src[16], dst[16], l4proto;
	uint8_t sport[2], dport[2]; /* big-endian */
	bool has_ports, has_icmp;
	uint8_t id[2], type, code;
};

static struct half half_of(const struct attrs *a, enum attr v4, enum attr v6,
			   enum attr proto, enum attr port)
{
	struct half t = { .is_v6 = attrs_has(a, v6) };
	const uint8_t *addrs = a->value[t.is_v6 ? v6 : v4];
	size_t len = t.is_v6 ? 16 : 4;

	memcpy(t.src, addrs, len);
	memcpy(t.dst, addrs + len, len);
	t.l4proto = a->value[proto][0];
	t.has_ports = attrs_has(a, port);
	if (t.has_ports) {
		memcpy(t.sport, a->value[port], 2);
		memcpy(t.dport, a->value[port] + 2, 2);
	}
	return t;
}

static void to_be16(uint8_t *be, const uint8_t *native)
{
	uint16_t v;

	memcpy(&v, native, sizeof(v));
	v = htons(v);
	memcpy(be, &v, sizeof(v));
}

static struct half original(const struct attrs *a)
{
	struct half t = half_of(a, A_IPV4, A_IPV6, A_L4PROTO, A_PORT);

	t.has_icmp = attrs_has(a, A_ICMP_TYPE);
	if (t.has_icmp) {
		t.type = a->value[A_ICMP_TYPE][0];
		t.code = a->value[A_ICMP_CODE][0];
		to_be16(t.id, a->value[A_ICMP_ID]);
	}
	return t;
}

static struct half swapped(const struct half *o)
{
	static const uint8_t answers[][2] = { { 8, 0 },     { 13, 14 },
					      { 15, 16 },   { 17, 18 },
					      { 128, 129 }, { 139, 140 } };
	struct half t = *o;

	memcpy(t.src, o->dst, 16);
	memcpy(t.dst, o->src, 16);
	memcpy(t.sport, o->dport, 2);
	memcpy(t.dport, o->sport, 2);
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		if (answers[i][0] == o->type)
			t.type = answers[i][1];
		else if (answers[i][1] == o->type)
			t.type = answers[i][0];
	return t;
}

static void put_tuple(struct nlmsghdr *h, uint16_t type, const struct half *t)
{
	size_t len = t->is_v6 ? 16 : 4;
	uint16_t v6 = t->l4proto == IPPROTO_ICMPV6 ? 3 : 0;
	uint32_t tuple = nest(h, type), part = nest(h, CTA_TUPLE_IP);

	put(h, t->is_v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, t->src, len);
	put(h, t->is_v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, t->dst, len);
	nest_end(h, part);
	part = nest(h, CTA_TUPLE_PROTO);
	put(h, CTA_PROTO_NUM, &t->l4proto, 1);
	if (t->has_ports) {
		put(h, CTA_PROTO_SRC_PORT, t->sport, 2);
		put(h, CTA_PROTO_DST_PORT, t->dport, 2);
	}
	if (t->has_icmp) {
		put(h, CTA_PROTO_ICMP_ID + v6, t->id, 2);
		put(h, CTA_PROTO_ICMP_TYPE + v6, &t->type, 1);
		put(h, CTA_PROTO_ICMP_CODE + v6, &t->code, 1);
	}
	nest_end(h, part);
	nest_end(h, tuple);
}

/* ---- add, update ---- */

static void put_nat(struct nlmsghdr *h, uint16_t type, const struct attrs *a,
		    enum attr v4, enum attr v6, enum attr port,
		    const uint8_t *old_port)
{
	uint8_t be[2];
	uint32_t nat, part;

	if (!attrs_has(a, v4) && !attrs_has(a, v6) && !attrs_has(a, port))
		return;
	memcpy(be, old_port, 2);
	if (attrs_has(a, port))
		to_be16(be, a->value[port]);
	nat = nest(h, type);
	put_attr(h, CTA_NAT_V4_MINIP, a, v4);
	put_attr(h, CTA_NAT_V6_MINIP, a, v6);
	part = nest(h, CTA_NAT_PROTO);
	put(h, CTA_PROTONAT_PORT_MIN, be, 2);
	put(h, CTA_PROTONAT_PORT_MAX, be, 2);
	nest_end(h, part);
	nest_end(h, nat);
}

static void put_protocol(struct nlmsghdr *h, const struct attrs *a)
{
	uint8_t flags =
		attrs_has(a, A_WSCALE_ORIG) ? IP_CT_TCP_FLAG_WINDOW_SCALE : 0;
	struct nf_ct_tcp_flags tcp_flags = { flags, flags };
	uint32_t info = nest(h, CTA_PROTOINFO), part;

	if (attrs_has(a, A_TCP_STATE)) {
		part = nest(h, CTA_PROTOINFO_TCP);
		put_attr(h, CTA_PROTOINFO_TCP_STATE, a, A_TCP_STATE);
		put_attr(h, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, a,
			 A_WSCALE_ORIG);
		put_attr(h, CTA_PROTOINFO_TCP_WSCALE_REPLY, a, A_WSCALE_REPL);
		put(h, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, &tcp_flags, 2);
		put(h, CTA_PROTOINFO_TCP_FLAGS_REPLY, &tcp_flags, 2);
		nest_end(h, part);
	}
	if (attrs_has(a, A_SCTP_STATE)) {
		part = nest(h, CTA_PROTOINFO_SCTP);
		put_attr(h, CTA_PROTOINFO_SCTP_STATE, a, A_SCTP_STATE);
		put_attr(h, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, a,
			 A_SCTP_VTAG_ORIG);
		put_attr(h, CTA_PROTOINFO_SCTP_VTAG_REPLY, a, A_SCTP_VTAG_REPL);
		nest_end(h, part);
	}
	nest_end(h, info);
}

static void put_nests(struct nlmsghdr *h, const struct attrs *a)
{
	uint32_t at;

	for (int side = 0; side < 2 && attrs_has(a, A_SEQADJ); side++) {
		at = nest(h, side ? CTA_SEQ_ADJ_REPLY : CTA_SEQ_ADJ_ORIG);
		for (int i = 0; i < 3; i++)
			put_word(h, (uint16_t)(CTA_SEQADJ_CORRECTION_POS + i),
				 a, A_SEQADJ, 3 * side + i);
		nest_end(h, at);
	}
	if (attrs_has(a, A_HELPER)) {
		at = nest(h, CTA_HELP);
		put_attr(h, CTA_HELP_NAME, a, A_HELPER);
		nest_end(h, at);
	}
	if (attrs_has(a, A_SYNPROXY)) {
		at = nest(h, CTA_SYNPROXY);
		put_word(h, CTA_SYNPROXY_ITS, a, A_SYNPROXY, 0);
		put_word(h, CTA_SYNPROXY_ISN, a, A_SYNPROXY, 1);
		put_word(h, CTA_SYNPROXY_TSOFF, a, A_SYNPROXY, 2);
		nest_end(h, at);
	}
}

/* The kernel sets the bit of a flow with a master by itself, and refuses it. */
static void put_status(struct nlmsghdr *h, const struct attrs *a)
{
	uint32_t status;

	memcpy(&status, a->value[A_STATUS], sizeof(status));
	status &= ~htonl(IPS_EXPECTED);
	put(h, CTA_STATUS, &status, sizeof(status));
}

/* Label words: in the order of this machine for the kernel. */
static void turn_words(uint8_t *to, const uint8_t *from)
{
	for (int i = 0; i < 4; i++) {
		uint32_t word;

		memcpy(&word, from + 4 * i, sizeof(word));
		word = ntohl(word);
		memcpy(to + 4 * i, &word, sizeof(word));
	}
}

/* flags: those of a new entry, or 0. */
static struct nlmsghdr *request_of(const struct attrs *a, int flags,
				   uint8_t *buf)
{
	struct half orig = original(a), reply = swapped(&orig), master;
	uint8_t words[16];
	struct nlmsghdr *h =
		msg_begin(buf, MESSAGE_MAX, IPCTNL_MSG_CT_NEW,
			  flags | NLM_F_ACK, orig.is_v6 ? AF_INET6 : AF_INET);

	put_tuple(h, CTA_TUPLE_ORIG, &orig);
	if (flags)
		put_tuple(h, CTA_TUPLE_REPLY, &reply);
	if (attrs_has(a, A_STATUS))
		put_status(h, a);
	put_attr(h, CTA_TIMEOUT, a, A_TIMEOUT);
	put_attr(h, CTA_MARK, a, A_MARK);
	put_attr(h, CTA_ZONE, a, A_ZONE);
	put_protocol(h, a);
	put_nat(h, CTA_NAT_SRC, a, A_SNAT_IPV4, A_SNAT_IPV6, A_SPAT_PORT,
		orig.has_icmp ? orig.id : orig.sport);
	put_nat(h, CTA_NAT_DST, a, A_DNAT_IPV4, A_DNAT_IPV6, A_DPAT_PORT,
		orig.has_icmp ? orig.id : orig.dport);
	if (attrs_has(a, A_MASTER_L4PROTO)) {
		master = half_of(a, A_MASTER_IPV4, A_MASTER_IPV6,
				 A_MASTER_L4PROTO, A_MASTER_PORT);
		put_tuple(h, CTA_TUPLE_MASTER, &master);
	}
	put_nests(h, a);
	if (attrs_has(a, A_LABELS)) {
		turn_words(words, a->value[A_LABELS]);
		put(h, CTA_LABELS, words, sizeof(words));
	}
	return h;
}

/* 0 or an errno value. */
static int request(int fd, struct nlmsghdr *h)
{
	_Alignas(struct nlmsghdr) uint8_t buf[8192];
	const struct nlmsgerr *e;
	struct nlmsghdr *answer = (struct nlmsghdr *)(void *)buf;

	if (send(fd, h, h->nlmsg_len, 0) < 0 ||
	    recv(fd, buf, sizeof(buf), 0) < (ssize_t)NLMSG_LENGTH(sizeof(*e)))
		return errno;
	e = NLMSG_DATA(answer);
	return answer->nlmsg_type == NLMSG_ERROR ? -e->error : EPROTO;
}

static int change(int fd, int flags)
{
	_Alignas(struct nlmsghdr) uint8_t buf[MESSAGE_MAX];
	char line[4096], text[4096];
	struct attrs a;
	int status = 0;

	while (fgets(line, sizeof(line), stdin)) {
		int err = EINVAL;

		memcpy(text, line, sizeof(text));
		if (attrs_parse(&a, line))
			err = request(fd, request_of(&a, flags, buf));
		if (!err)
			continue;
		fprintf(stderr, "%s: %s", strerror(err), text);
		status = 1;
	}
	return status;
}

/* ---- dump ---- */

struct parts {
	const uint8_t *at[TYPES_MAX];
	size_t len[TYPES_MAX];
};

static struct parts take(const uint8_t *at, size_t left)
{
	struct parts p = { 0 };
	struct nlattr a;

	while (left >= NLA_HDRLEN) {
		unsigned type;

		memcpy(&a, at, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > left)
			break;
		type = a.nla_type & NLA_TYPE_MASK;
		if (type < TYPES_MAX) {
			p.at[type] = at + NLA_HDRLEN;
			p.len[type] = a.nla_len - (size_t)NLA_HDRLEN;
		}
		if ((size_t)NLA_ALIGN(a.nla_len) >= left)
			break;
		at += NLA_ALIGN(a.nla_len);
		left -= NLA_ALIGN(a.nla_len);
	}
	return p;
}

static struct parts within(const struct parts *p, int type)
{
	return take(p->at[type], p->len[type]);
}

static void copy(void *to, const struct parts *p, int type, size_t len)
{
	if (p->len[type] >= len)
		memcpy(to, p->at[type], len);
}

static void keep(struct attrs *a, enum attr t, const struct parts *p, int type)
{
	if (p->at[type])
		attrs_set(a, t, p->at[type], p->len[type]);
}

static struct half tuple_of(const struct parts *p, int type)
{
	struct parts tuple = within(p, type);
	struct parts ip = within(&tuple, CTA_TUPLE_IP);
	struct parts proto = within(&tuple, CTA_TUPLE_PROTO);
	struct half t = { .is_v6 = ip.at[CTA_IP_V6_SRC] };
	size_t len = t.is_v6 ? 16 : 4;
	int v6 = proto.at[CTA_PROTO_ICMPV6_TYPE] ? 3 : 0;

	copy(t.src, &ip, t.is_v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, len);
	copy(t.dst, &ip, t.is_v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, len);
	copy(&t.l4proto, &proto, CTA_PROTO_NUM, 1);
	t.has_ports = proto.at[CTA_PROTO_SRC_PORT];
	copy(t.sport, &proto, CTA_PROTO_SRC_PORT, 2);
	copy(t.dport, &proto, CTA_PROTO_DST_PORT, 2);
	t.has_icmp = proto.at[CTA_PROTO_ICMP_TYPE + v6];
	copy(t.id, &proto, CTA_PROTO_ICMP_ID + v6, 2);
	copy(&t.type, &proto, CTA_PROTO_ICMP_TYPE + v6, 1);
	copy(&t.code, &proto, CTA_PROTO_ICMP_CODE + v6, 1);
	return t;
}

static void set_native(struct attrs *a, enum attr t, const uint8_t *be)
{
	uint8_t native[2];

	to_be16(native, be); /* the same swap */
	attrs_set(a, t, native, 2);
}

static void set_tuple(struct attrs *a, const struct half *t, enum attr v4,
		      enum attr v6, enum attr proto, enum attr port)
{
	uint8_t both[32];
	size_t len = t->is_v6 ? 16 : 4;

	memcpy(both, t->src, len);
	memcpy(both + len, t->dst, len);
	attrs_set(a, t->is_v6 ? v6 : v4, both, 2 * len);
	attrs_set(a, proto, &t->l4proto, 1);
	memcpy(both, t->sport, 2);
	memcpy(both + 2, t->dport, 2);
	if (t->has_ports)
		attrs_set(a, port, both, 4);
}

static void set_tuples(struct attrs *a, const struct parts *p)
{
	struct half o = tuple_of(p, CTA_TUPLE_ORIG), want = swapped(&o);
	struct half r = tuple_of(p, CTA_TUPLE_REPLY), master;
	size_t len = o.is_v6 ? 16 : 4;

	set_tuple(a, &o, A_IPV4, A_IPV6, A_L4PROTO, A_PORT);
	if (o.has_icmp) {
		attrs_set(a, A_ICMP_TYPE, &o.type, 1);
		attrs_set(a, A_ICMP_CODE, &o.code, 1);
		set_native(a, A_ICMP_ID, o.id);
	}
	if (memcmp(r.dst, want.dst, len))
		attrs_set(a, o.is_v6 ? A_SNAT_IPV6 : A_SNAT_IPV4, r.dst, len);
	if (memcmp(r.src, want.src, len))
		attrs_set(a, o.is_v6 ? A_DNAT_IPV6 : A_DNAT_IPV4, r.src, len);
	if (memcmp(r.dport, want.dport, 2))
		set_native(a, A_SPAT_PORT, r.dport);
	if (memcmp(r.sport, want.sport, 2))
		set_native(a, A_DPAT_PORT, r.sport);
	if (p->at[CTA_TUPLE_MASTER]) {
		master = tuple_of(p, CTA_TUPLE_MASTER);
		set_tuple(a, &master, A_MASTER_IPV4, A_MASTER_IPV6,
			  A_MASTER_L4PROTO, A_MASTER_PORT);
	}
}

/* Window scales count for the kernel only with their flag in both. */
static void set_protocol(struct attrs *a, const struct parts *p)
{
	struct parts info = within(p, CTA_PROTOINFO);
	struct parts tcp = within(&info, CTA_PROTOINFO_TCP);
	struct parts sctp = within(&info, CTA_PROTOINFO_SCTP);
	uint8_t flags[2] = { 0 };

	keep(a, A_TCP_STATE, &tcp, CTA_PROTOINFO_TCP_STATE);
	copy(&flags[0], &tcp, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, 1);
	copy(&flags[1], &tcp, CTA_PROTOINFO_TCP_FLAGS_REPLY, 1);
	if (flags[0] & flags[1] & IP_CT_TCP_FLAG_WINDOW_SCALE) {
		keep(a, A_WSCALE_ORIG, &tcp, CTA_PROTOINFO_TCP_WSCALE_ORIGINAL);
		keep(a, A_WSCALE_REPL, &tcp, CTA_PROTOINFO_TCP_WSCALE_REPLY);
	}
	keep(a, A_SCTP_STATE, &sctp, CTA_PROTOINFO_SCTP_STATE);
	keep(a, A_SCTP_VTAG_ORIG, &sctp, CTA_PROTOINFO_SCTP_VTAG_ORIGINAL);
	keep(a, A_SCTP_VTAG_REPL, &sctp, CTA_PROTOINFO_SCTP_VTAG_REPLY);
}

static void set_nests(struct attrs *a, const struct parts *p)
{
	static const uint8_t none[16];
	struct parts help = within(p, CTA_HELP);
	struct parts synproxy = within(p, CTA_SYNPROXY);
	uint8_t v[24];

	keep(a, A_HELPER, &help, CTA_HELP_NAME);
	if (p->at[CTA_SEQ_ADJ_ORIG] && p->at[CTA_SEQ_ADJ_REPLY]) {
		for (int side = 0; side < 2; side++) {
			struct parts adj = within(p, side ? CTA_SEQ_ADJ_REPLY
							  : CTA_SEQ_ADJ_ORIG);

			for (int i = 0; i < 3; i++)
				copy(v + 12 * side + 4 * i, &adj,
				     CTA_SEQADJ_CORRECTION_POS + i, 4);
		}
		attrs_set(a, A_SEQADJ, v, 24);
	}
	if (p->at[CTA_SYNPROXY]) {
		copy(v, &synproxy, CTA_SYNPROXY_ITS, 4);
		copy(v + 4, &synproxy, CTA_SYNPROXY_ISN, 4);
		copy(v + 8, &synproxy, CTA_SYNPROXY_TSOFF, 4);
		attrs_set(a, A_SYNPROXY, v, 12);
	}
	if (p->len[CTA_LABELS] >= 16 && memcmp(p->at[CTA_LABELS], none, 16)) {
		turn_words(v, p->at[CTA_LABELS]);
		attrs_set(a, A_LABELS, v, 16);
	}
}

static void show_entry(const struct nlmsghdr *h)
{
	const size_t skip = NLMSG_LENGTH(sizeof(struct nfgenmsg));
	struct parts p = take((const uint8_t *)h + skip, h->nlmsg_len - skip);
	struct attrs a = { 0 };

	set_tuples(&a, &p);
	if (attrs_has(&a, A_IPV4) && a.value[A_IPV4][0] == 127)
		return;
	keep(&a, A_STATUS, &p, CTA_STATUS);
	keep(&a, A_TIMEOUT, &p, CTA_TIMEOUT);
	keep(&a, A_MARK, &p, CTA_MARK);
	keep(&a, A_ZONE, &p, CTA_ZONE);
	set_protocol(&a, &p);
	set_nests(&a, &p);
	attrs_show(&a, stdout);
	printf("\n");
}

static int dump(int fd)
{
	_Alignas(struct nlmsghdr) static uint8_t buf[65536];
	struct nlmsghdr *h = msg_begin(buf, MESSAGE_MAX, IPCTNL_MSG_CT_GET,
				       NLM_F_DUMP, AF_UNSPEC);

	if (send(fd, h, h->nlmsg_len, 0) < 0)
		return 2;
	for (;;) {
		ssize_t got = recv(fd, buf, sizeof(buf), 0);
		size_t left = (size_t)got;

		if (got < 0) {
			perror("recv");
			return 2;
		}
		h = (struct nlmsghdr *)(void *)buf;
		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			show_entry(h);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "add") == 0)
		return change(netlink_open(0), NLM_F_CREATE | NLM_F_EXCL);
	if (argc == 2 && strcmp(argv[1], "update") == 0)
		return change(netlink_open(0), 0);
	if (argc == 2 && strcmp(argv[1], "dump") == 0)
		return dump(netlink_open(0));
	fprintf(stderr, "usage: ctset add|update|dump\n");
	return 2;
}
