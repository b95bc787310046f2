/* SPDX-License-Identifier: ISC */
/* attrs.h - the conntrack attributes of a sync message as one line of text,
 * and back. Shared by recpeer and ctset, and independent of the daemon's
 * codecs: those are what the two judge.
 *
 *	ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1000,80 status=0xe mark=0x7
 *
 * In the order of their numbers; a value is kept as its payload. */
#ifndef TOOLS_ATTRS_H
#define TOOLS_ATTRS_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum attr {
	A_IPV4,
	A_IPV6,
	A_L4PROTO,
	A_PORT,
	A_TCP_STATE,
	A_STATUS,
	A_TIMEOUT,
	A_MARK,
	A_MASTER_IPV4,
	A_MASTER_IPV6,
	A_MASTER_L4PROTO,
	A_MASTER_PORT,
	A_SNAT_IPV4,
	A_DNAT_IPV4,
	A_SPAT_PORT,
	A_DPAT_PORT,
	A_SEQADJ,
	A_SCTP_STATE,
	A_SCTP_VTAG_ORIG,
	A_SCTP_VTAG_REPL,
	A_DCCP_STATE,
	A_DCCP_ROLE,
	A_ICMP_TYPE,
	A_ICMP_CODE,
	A_ICMP_ID,
	A_WSCALE_ORIG,
	A_WSCALE_REPL,
	A_HELPER,
	A_LABELS,
	A_SNAT_IPV6,
	A_DNAT_IPV6,
	A_SYNPROXY,
	A_ZONE,
	A_N
};

/* 4, 6: addresses; b, h, w: numbers of 8, 16, 32 bits; x: 32 bits, shown in
 * hex; i: 32 bits with sign; n: 16 bits in the order of this machine; s: text
 * and its zero byte. */
static const struct {
	const char *name, *form;
} attr_rows[A_N] = {
	[A_IPV4] = { "ipv4", "44" },
	[A_IPV6] = { "ipv6", "66" },
	[A_L4PROTO] = { "l4proto", "b" },
	[A_PORT] = { "port", "hh" },
	[A_TCP_STATE] = { "tcp_state", "b" },
	[A_STATUS] = { "status", "x" },
	[A_TIMEOUT] = { "timeout", "w" },
	[A_MARK] = { "mark", "x" },
	[A_MASTER_IPV4] = { "master_ipv4", "44" },
	[A_MASTER_IPV6] = { "master_ipv6", "66" },
	[A_MASTER_L4PROTO] = { "master_l4proto", "b" },
	[A_MASTER_PORT] = { "master_port", "hh" },
	[A_SNAT_IPV4] = { "snat_ipv4", "4" },
	[A_DNAT_IPV4] = { "dnat_ipv4", "4" },
	[A_SPAT_PORT] = { "spat_port", "n" },
	[A_DPAT_PORT] = { "dpat_port", "n" },
	[A_SEQADJ] = { "seqadj", "xiixii" },
	[A_SCTP_STATE] = { "sctp_state", "b" },
	[A_SCTP_VTAG_ORIG] = { "sctp_vtag_orig", "x" },
	[A_SCTP_VTAG_REPL] = { "sctp_vtag_repl", "x" },
	[A_DCCP_STATE] = { "dccp_state", "b" },
	[A_DCCP_ROLE] = { "dccp_role", "b" },
	[A_ICMP_TYPE] = { "icmp_type", "b" },
	[A_ICMP_CODE] = { "icmp_code", "b" },
	[A_ICMP_ID] = { "icmp_id", "n" },
	[A_WSCALE_ORIG] = { "wscale_orig", "b" },
	[A_WSCALE_REPL] = { "wscale_repl", "b" },
	[A_HELPER] = { "helper", "s" },
	[A_LABELS] = { "labels", "xxxx" },
	[A_SNAT_IPV6] = { "snat_ipv6", "6" },
	[A_DNAT_IPV6] = { "dnat_ipv6", "6" },
	[A_SYNPROXY] = { "synproxy", "xxx" },
	[A_ZONE] = { "zone", "h" },
};

enum { ATTR_LEN_MAX = 32 };

struct attrs {
	uint64_t has; /* bit t: attribute t */
	size_t len[A_N];
	uint8_t value[A_N][ATTR_LEN_MAX];
};

static inline bool attrs_has(const struct attrs *a, enum attr t)
{
	return a->has >> t & 1;
}

static inline void attrs_set(struct attrs *a, enum attr t, const void *value,
			     size_t len)
{
	a->has |= UINT64_C(1) << t;
	a->len[t] = len;
	memcpy(a->value[t], value, len);
}

static inline size_t attr_part_len(char form)
{
	switch (form) {
	case '4':
	case 'w':
	case 'x':
	case 'i':
		return 4;
	case '6':
		return 16;
	case 'h':
	case 'n':
		return 2;
	default:
		return 1;
	}
}

/* The length that the payload must have; 0: any. */
static inline size_t attr_len(enum attr t)
{
	size_t len = 0;

	if (*attr_rows[t].form == 's')
		return 0;
	for (const char *p = attr_rows[t].form; *p; p++)
		len += attr_part_len(*p);
	return len;
}

static inline void attr_show_part(char form, const uint8_t *v, FILE *out)
{
	char text[INET6_ADDRSTRLEN];
	uint16_t half = 0;
	uint32_t word = 0;

	memcpy(&half, v, attr_part_len(form) >= 2 ? 2 : 0);
	memcpy(&word, v, attr_part_len(form) >= 4 ? 4 : 0);
	switch (form) {
	case '4':
		fputs(inet_ntop(AF_INET, v, text, sizeof(text)), out);
		break;
	case '6':
		fputs(inet_ntop(AF_INET6, v, text, sizeof(text)), out);
		break;
	case 'h':
		fprintf(out, "%u", ntohs(half));
		break;
	case 'n':
		fprintf(out, "%u", half);
		break;
	case 'w':
		fprintf(out, "%u", ntohl(word));
		break;
	case 'x':
		fprintf(out, "0x%x", ntohl(word));
		break;
	case 'i':
		fprintf(out, "%d", (int32_t)ntohl(word));
		break;
	default:
		fprintf(out, "%u", *v);
		break;
	}
}

/* Writes the line, without an end of line. */
static inline void attrs_show(const struct attrs *a, FILE *out)
{
	const char *space = "";

	for (enum attr t = 0; t < A_N; t++) {
		const uint8_t *v = a->value[t];

		if (!attrs_has(a, t))
			continue;
		fprintf(out, "%s%s=", space, attr_rows[t].name);
		space = " ";
		if (*attr_rows[t].form == 's')
			fprintf(out, "%.*s", (int)a->len[t], (const char *)v);
		else
			for (const char *p = attr_rows[t].form; *p; p++) {
				attr_show_part(*p, v, out);
				v += attr_part_len(*p);
				if (p[1])
					fputc(',', out);
			}
	}
}

static inline bool attr_parse_part(char form, const char *text, uint8_t *v)
{
	uint32_t number = (uint32_t)strtoll(text, NULL, 0);
	uint32_t word = htonl(number);
	uint16_t half = htons((uint16_t)number), native = (uint16_t)number;

	switch (form) {
	case '4':
		return inet_pton(AF_INET, text, v) == 1;
	case '6':
		return inet_pton(AF_INET6, text, v) == 1;
	case 'h':
		memcpy(v, &half, sizeof(half));
		return true;
	case 'n':
		memcpy(v, &native, sizeof(native));
		return true;
	case 'b':
		*v = (uint8_t)number;
		return true;
	default:
		memcpy(v, &word, sizeof(word));
		return true;
	}
}

static inline bool attr_parse(struct attrs *a, enum attr t, char *text)
{
	uint8_t v[ATTR_LEN_MAX] = { 0 };
	size_t len = 0;
	char *rest = NULL;

	if (*attr_rows[t].form == 's') {
		len = strlen(text) + 1;
		if (len > sizeof(v))
			return false;
		memcpy(v, text, len);
	} else {
		char *part = strtok_r(text, ",", &rest);

		for (const char *p = attr_rows[t].form; *p; p++) {
			if (!part || !attr_parse_part(*p, part, v + len))
				return false;
			len += attr_part_len(*p);
			part = strtok_r(NULL, ",", &rest);
		}
	}
	attrs_set(a, t, v, len);
	return true;
}

/* Reads a line, which is cut into pieces. False: not understood. */
static inline bool attrs_parse(struct attrs *a, char *line)
{
	char *rest = NULL;

	a->has = 0;
	for (char *word = strtok_r(line, " \n", &rest); word;
	     word = strtok_r(NULL, " \n", &rest)) {
		char *value = strchr(word, '=');
		enum attr t = 0;

		if (!value)
			return false;
		*value++ = 0;
		while (t < A_N && strcmp(attr_rows[t].name, word) != 0)
			t++;
		if (t == A_N || !attr_parse(a, t, value))
			return false;
	}
	return a->has != 0;
}

#endif
