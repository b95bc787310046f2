/* SPDX-License-Identifier: ISC */
#include "cache/pack.h"

#include <string.h>

#include "base/util.h"

/* Bits of the first byte. */
enum {
	KIND_IPV4 = 0x01,
	KIND_IPV6 = 0x02,
	KIND_PORTS = 0x04,
	KIND_ICMP = 0x08,
	KIND_GRE_KEYS = 0x10,
	KIND_ZONE = 0x20,
	KIND_ZONE_ORIG = 0x40,
};

/* Bits of the first byte of a reply tuple: parts that are not those of the
 * inverse of the original tuple, and follow. */
enum {
	REPLY_SRC = 0x01,
	REPLY_DST = 0x02,
	REPLY_SPORT = 0x04,
	REPLY_DPORT = 0x08,
	REPLY_ICMP = 0x10,
};

enum {
	KEY_BITS = FLOW_N_REPLY, /* presence bits below it are of the key */
	MASK_BYTES = 4,
	PORTS_BYTES = 4, /* sport and dport, which are neighbours */
	ICMP_BYTES = 4,  /* id, type, code, likewise */
};

_Static_assert(FLOW_BIT(KEY_BITS) - 1 == (FLOW_PORTS | FLOW_ICMP |
					  FLOW_GRE_KEYS | FLOW_ZONE_ORIG),
	       "the lowest bits belong to the key");
_Static_assert(FLOW_N_LAST - KEY_BITS <= 8 * MASK_BYTES, "the mask is full");
_Static_assert(offsetof(struct tuple, dport) ==
			       offsetof(struct tuple, sport) + 2 &&
		       offsetof(struct tuple, icmp_type) ==
			       offsetof(struct tuple, icmp_id) + 2 &&
		       offsetof(struct tuple, icmp_code) ==
			       offsetof(struct tuple, icmp_id) + 3,
	       "copied as one");

/* memcpy() of constant size is one instruction, a call is twenty. */
static inline size_t copy(void *to, const void *from, size_t n)
{
	switch (n) {
	case 1:
		memcpy(to, from, 1);
		break;
	case 2:
		memcpy(to, from, 2);
		break;
	case 4:
		memcpy(to, from, 4);
		break;
	case 8:
		memcpy(to, from, 8);
		break;
	case 16:
		memcpy(to, from, 16);
		break;
	default:
		memcpy(to, from, n);
	}
	return n;
}

static size_t address_size(const struct flow *f)
{
	return f->family == FAMILY_IPV4 ? 4 : f->family == FAMILY_IPV6 ? 16 : 0;
}

/* Reads an address; what it does not fill is 0. */
static inline size_t copy_address(struct addr *to, const uint8_t *in, size_t n)
{
	if (n < sizeof(to->b))
		*to = (struct addr){ { 0 } };
	return copy(to->b, in, n);
}

static size_t encode_reply(const struct flow *f, uint8_t *out)
{
	const struct tuple inverse = flow_inverse(f), *reply = &f->reply;
	size_t n_addr = address_size(f), n = 1;
	uint8_t differs = 0;

	if (memcmp(&reply->src, &inverse.src, n_addr) != 0) {
		differs |= REPLY_SRC;
		n += copy(out + n, &reply->src, n_addr);
	}
	if (memcmp(&reply->dst, &inverse.dst, n_addr) != 0) {
		differs |= REPLY_DST;
		n += copy(out + n, &reply->dst, n_addr);
	}
	if (f->has & (FLOW_PORTS | FLOW_GRE_KEYS)) {
		if (reply->sport != inverse.sport) {
			differs |= REPLY_SPORT;
			n += copy(out + n, &reply->sport, 2);
		}
		if (reply->dport != inverse.dport) {
			differs |= REPLY_DPORT;
			n += copy(out + n, &reply->dport, 2);
		}
	}
	if (f->has & FLOW_ICMP &&
	    memcmp(&reply->icmp_id, &inverse.icmp_id, ICMP_BYTES) != 0) {
		differs |= REPLY_ICMP;
		n += copy(out + n, &reply->icmp_id, ICMP_BYTES);
	}
	out[0] = differs;
	return n;
}

static size_t decode_reply(const uint8_t *in, struct flow *f)
{
	size_t n_addr = address_size(f), n = 1;
	struct tuple *reply = &f->reply;

	*reply = flow_inverse(f);
	if (in[0] & REPLY_SRC)
		n += copy(&reply->src, in + n, n_addr);
	if (in[0] & REPLY_DST)
		n += copy(&reply->dst, in + n, n_addr);
	if (in[0] & REPLY_SPORT)
		n += copy(&reply->sport, in + n, 2);
	if (in[0] & REPLY_DPORT)
		n += copy(&reply->dport, in + n, 2);
	if (in[0] & REPLY_ICMP)
		n += copy(&reply->icmp_id, in + n, ICMP_BYTES);
	return n;
}

static size_t encode_master(const struct flow *f, uint8_t *out)
{
	size_t n_addr = address_size(f), n = 1;

	out[0] = f->master.l4proto;
	n += copy(out + n, &f->master.src, n_addr);
	n += copy(out + n, &f->master.dst, n_addr);
	return n;
}

static size_t decode_master(const uint8_t *in, struct flow *f)
{
	size_t n_addr = address_size(f), n = 1;

	f->master.l4proto = in[0];
	n += copy_address(&f->master.src, in + n, n_addr);
	n += copy_address(&f->master.dst, in + n, n_addr);
	return n;
}

#define AT(field) \
	offsetof(struct flow, field), sizeof(((struct flow *)0)->field)
#define FROM_TO(first, last)                                                 \
	offsetof(struct flow, first), offsetof(struct flow, last) -          \
					      offsetof(struct flow, first) + \
					      sizeof(((struct flow *)0)->last)
static const struct pack_row rows[] = {
	[FLOW_N_REPLY] = { AT(reply), encode_reply, decode_reply },
	[FLOW_N_STATUS] = { AT(status), NULL, NULL },
	[FLOW_N_TIMEOUT] = { AT(timeout_s), NULL, NULL },
	[FLOW_N_MARK] = { AT(mark), NULL, NULL },
	[FLOW_N_TCP_STATE] = { AT(tcp_state), NULL, NULL },
	[FLOW_N_TCP_WSCALE_ORIG] = { AT(tcp_wscale_orig), NULL, NULL },
	[FLOW_N_TCP_WSCALE_REPLY] = { AT(tcp_wscale_reply), NULL, NULL },
	[FLOW_N_TCP_FLAGS_ORIG] = { AT(tcp_flags_orig), NULL, NULL },
	[FLOW_N_TCP_FLAGS_REPLY] = { AT(tcp_flags_reply), NULL, NULL },
	[FLOW_N_SCTP_STATE] = { AT(sctp_state), NULL, NULL },
	[FLOW_N_SCTP_VTAG_ORIG] = { AT(sctp_vtag_orig), NULL, NULL },
	[FLOW_N_SCTP_VTAG_REPLY] = { AT(sctp_vtag_reply), NULL, NULL },
	[FLOW_N_DCCP_STATE] = { AT(dccp_state), NULL, NULL },
	[FLOW_N_DCCP_ROLE] = { AT(dccp_role), NULL, NULL },
	[FLOW_N_DCCP_SEQ] = { AT(dccp_seq), NULL, NULL },
	[FLOW_N_MASTER] = { FROM_TO(master.src, master.dst), encode_master,
			    decode_master },
	[FLOW_N_MASTER_PORTS] = { FROM_TO(master.sport, master.dport), NULL,
				  NULL },
	[FLOW_N_HELPER] = { AT(helper), NULL, NULL },
	[FLOW_N_LABELS] = { AT(labels), NULL, NULL },
	[FLOW_N_SEQADJ_ORIG] = { AT(seqadj_orig), NULL, NULL },
	[FLOW_N_SEQADJ_REPLY] = { AT(seqadj_reply), NULL, NULL },
	[FLOW_N_SYNPROXY] = { AT(synproxy), NULL, NULL },
	[FLOW_N_SECMARK] = { AT(secmark), NULL, NULL },
	[FLOW_N_SECCTX] = { AT(secctx), NULL, NULL },
	[FLOW_N_ID] = { AT(id), NULL, NULL },
	[FLOW_N_ZONE_REPLY] = { AT(zone_reply), NULL, NULL },
	[FLOW_N_TIMESTAMP_START] = { AT(start_ns), NULL, NULL },
	[FLOW_N_TIMESTAMP_STOP] = { AT(stop_ns), NULL, NULL },
};
#undef FROM_TO
#undef AT

_Static_assert(N_ELEMENTS(rows) == FLOW_N_LAST, "a row for each bit");

const struct pack_row *pack_row(unsigned int bit)
{
	return &rows[bit];
}

size_t pack_key_len(const uint8_t *packed)
{
	uint8_t kind = packed[0];

	return 2U +
	       (kind & KIND_IPV4   ? 8
		: kind & KIND_IPV6 ? 32
				   : 0) +
	       (kind & (KIND_PORTS | KIND_GRE_KEYS) ? PORTS_BYTES : 0) +
	       (kind & KIND_ICMP ? ICMP_BYTES : 0) +
	       (kind & KIND_ZONE ? 2 : 0) + (kind & KIND_ZONE_ORIG ? 2 : 0);
}

size_t pack_key(const struct flow *f, uint8_t out[PACK_KEY_MAX])
{
	size_t n_addr = address_size(f), n = 2;
	uint8_t kind = f->family == FAMILY_IPV4   ? KIND_IPV4
		       : f->family == FAMILY_IPV6 ? KIND_IPV6
						  : 0;

	n += copy(out + n, &f->orig.src, n_addr);
	n += copy(out + n, &f->orig.dst, n_addr);
	if (f->has & FLOW_PORTS)
		kind |= KIND_PORTS;
	if (f->has & FLOW_GRE_KEYS)
		kind |= KIND_GRE_KEYS;
	if (kind & (KIND_PORTS | KIND_GRE_KEYS))
		n += copy(out + n, &f->orig.sport, PORTS_BYTES);
	if (f->has & FLOW_ICMP) {
		kind |= KIND_ICMP;
		n += copy(out + n, &f->orig.icmp_id, ICMP_BYTES);
	}
	if (f->zone) {
		kind |= KIND_ZONE;
		n += copy(out + n, &f->zone, sizeof(f->zone));
	}
	if (f->has & FLOW_ZONE_ORIG) {
		kind |= KIND_ZONE_ORIG;
		n += copy(out + n, &f->zone_orig, sizeof(f->zone_orig));
	}
	out[0] = kind;
	out[1] = f->l4proto;
	return n;
}

static size_t decode_key(const uint8_t *in, struct flow *f)
{
	uint8_t kind = in[0];
	size_t n_addr, n = 2;

	f->family = kind & KIND_IPV4   ? FAMILY_IPV4
		    : kind & KIND_IPV6 ? FAMILY_IPV6
				       : FAMILY_NONE;
	f->l4proto = in[1];
	f->zone = 0;
	f->has = (kind & KIND_PORTS ? FLOW_PORTS : 0) |
		 (kind & KIND_ICMP ? FLOW_ICMP : 0) |
		 (kind & KIND_GRE_KEYS ? FLOW_GRE_KEYS : 0) |
		 (kind & KIND_ZONE_ORIG ? FLOW_ZONE_ORIG : 0);
	n_addr = address_size(f);
	n += copy_address(&f->orig.src, in + n, n_addr);
	n += copy_address(&f->orig.dst, in + n, n_addr);
	if (kind & (KIND_PORTS | KIND_GRE_KEYS))
		n += copy(&f->orig.sport, in + n, PORTS_BYTES);
	if (kind & KIND_ICMP)
		n += copy(&f->orig.icmp_id, in + n, ICMP_BYTES);
	if (kind & KIND_ZONE)
		n += copy(&f->zone, in + n, sizeof(f->zone));
	if (kind & KIND_ZONE_ORIG)
		n += copy(&f->zone_orig, in + n, sizeof(f->zone_orig));
	return n;
}

size_t pack_encode(const struct flow *f, uint8_t out[PACK_MAX])
{
	uint32_t mask = (uint32_t)((f->has & ~PACK_LEFT_OUT) >> KEY_BITS);
	size_t n = pack_key(f, out);

	n += copy(out + n, &mask, MASK_BYTES);
	for (; mask; mask &= mask - 1) {
		const struct pack_row *row =
			&rows[KEY_BITS + __builtin_ctz(mask)];

		n += row->encode ? row->encode(f, out + n)
				 : copy(out + n, (const char *)f + row->offset,
					row->size);
	}
	return n;
}

uint64_t pack_has(const uint8_t *packed)
{
	uint32_t mask;

	copy(&mask, packed + pack_key_len(packed), MASK_BYTES);
	return (uint64_t)mask << KEY_BITS;
}

size_t pack_decode(const uint8_t *packed, struct flow *out)
{
	size_t n = decode_key(packed, out);
	uint32_t mask;

	n += copy(&mask, packed + n, MASK_BYTES);
	out->has |= (uint64_t)mask << KEY_BITS;
	for (; mask; mask &= mask - 1) {
		const struct pack_row *row =
			&rows[KEY_BITS + __builtin_ctz(mask)];

		n += row->decode ? row->decode(packed + n, out)
				 : copy((char *)out + row->offset, packed + n,
					row->size);
	}
	return n;
}
