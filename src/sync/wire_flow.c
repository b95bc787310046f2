/* SPDX-License-Identifier: ISC */
#include "sync/wire_flow.h"

#include "sync/tlv.h"
#include "sync/wire_rows.h"

#define SEEN(type) (UINT64_C(1) << (type))
_Static_assert(NTA_N <= 64, "a set of attributes is a 64-bit mask");

#define SEEN_SNAT     (SEEN(NTA_SNAT_IPV4) | SEEN(NTA_SNAT_IPV6))
#define SEEN_DNAT     (SEEN(NTA_DNAT_IPV4) | SEEN(NTA_DNAT_IPV6))
#define SEEN_PORT_NAT (SEEN(NTA_SPAT_PORT) | SEEN(NTA_DPAT_PORT))

static enum wire_got read_row(const struct wire_row *row, struct rd body,
			      const struct wire_flow_opts *opts,
			      struct flow *out, struct wire_flow_stats *stats)
{
	if (row->get)
		return row->get(body, opts, out, stats);
	return wire_members_read(row->members, body, out) ? GOT_FIELD : GOT_BAD;
}

/* Reads all attributes into *out; *seen tells which. The last of several
 * equal ones wins. Addresses of two families make no flow, and no sender
 * mixes them. */
static bool read_attrs(struct rd attrs, const struct wire_flow_opts *opts,
		       struct flow *out, struct wire_flow_stats *stats,
		       uint64_t *seen)
{
	enum tlv_step step;
	struct tlv t;

	out->family = FAMILY_NONE;
	*seen = 0;
	while ((step = tlv_next(&attrs, &t)) == TLV_ITEM) {
		const struct wire_row *row;

		if (t.type >= NTA_N)
			return false;
		row = &wire_rows[t.type];
		switch (read_row(row, t.body, opts, out, stats)) {
		case GOT_FIELD:
			*seen |= SEEN(t.type);
			break;
		case GOT_NOTHING:
			continue;
		case GOT_BAD:
			return false;
		}
		if (row->family == FAMILY_NONE)
			continue;
		if (out->family != FAMILY_NONE && out->family != row->family)
			return false;
		out->family = row->family;
	}
	return step == TLV_END;
}

/* The presence bits of a flow whose attributes in seen were read: those that
 * its protocol can have, and that no attribute is missing for. */
static uint64_t bits_of(uint64_t seen, const struct flow *f)
{
	unsigned int traits = wire_traits(f->l4proto);
	uint64_t bits = 0, missing = 0;

	for (int type = 0; type < NTA_N; type++) {
		const struct wire_row *row = &wire_rows[type];

		if (row->family != FAMILY_NONE && row->family != f->family)
			continue;
		bits |= row->has;
		if (!(seen & SEEN(type)) ||
		    (row->trait && !(row->trait & traits)))
			missing |= row->has;
	}
	if (missing & FLOW_MASTER)
		missing |= FLOW_MASTER_PORTS;
	return bits & ~missing;
}

/* Makes a whole reply tuple out of the NAT attributes: what they do not name
 * is the inverse of the original one. Ports mean nothing without original
 * ones, as on ICMP, where they are an artefact of the sender (PROTOCOL.md 2.3).
 */
static void complete_reply(struct flow *f, uint64_t seen)
{
	struct tuple named = f->reply;
	uint64_t nat = SEEN_SNAT | SEEN_DNAT;

	if (f->has & FLOW_PORTS)
		nat |= SEEN_PORT_NAT;
	nat &= seen;
	if (!nat)
		return;
	f->reply = flow_inverse(f);
	if (nat & SEEN_SNAT)
		f->reply.dst = named.dst;
	if (nat & SEEN_DNAT)
		f->reply.src = named.src;
	if (nat & SEEN(NTA_SPAT_PORT))
		f->reply.dport = named.dport;
	if (nat & SEEN(NTA_DPAT_PORT))
		f->reply.sport = named.sport;
	f->has |= FLOW_REPLY;
}

/* The wire has one attribute for ports and for the keys of GRE; a flow has a
 * bit for each. Turns one bit into the other. */
static uint64_t rename_bit(uint64_t has, uint64_t from, uint64_t to)
{
	return has & from ? (has & ~from) | to : has;
}

enum verdict wire_flow_decode(struct rd attrs,
			      const struct wire_flow_opts *opts,
			      struct flow *out, struct wire_flow_stats *stats)
{
	struct wire_flow_stats unused = { 0 };
	uint64_t seen;

	out->has = 0;
	out->zone = 0;
	out->orig = (struct tuple){ 0 };
	out->reply = (struct tuple){ 0 };
	if (!read_attrs(attrs, opts, out, stats ? stats : &unused, &seen))
		return VERDICT_BAD_PAYLOAD;
	if (!(seen & (SEEN(NTA_IPV4) | SEEN(NTA_IPV6))) ||
	    !(seen & SEEN(NTA_L4PROTO)))
		return VERDICT_BAD_PAYLOAD;
	out->has = bits_of(seen, out);
	complete_reply(out, seen);
	if (out->l4proto == L4_GRE)
		out->has = rename_bit(out->has, FLOW_PORTS, FLOW_GRE_KEYS);
	flow_complete_offloaded(out);
	return VERDICT_OK;
}

/* The bits of a flow as far as this node sends them. */
static uint64_t sent_bits(const struct wire_flow_opts *opts,
			  const struct flow *f)
{
	uint64_t has = f->has | FLOW_STATUS; /* always sent */

	if (f->l4proto == L4_GRE)
		has = rename_bit(has, FLOW_GRE_KEYS, FLOW_PORTS);
	if (!opts->send_wscale)
		has &= ~(FLOW_TCP_WSCALE_ORIG | FLOW_TCP_WSCALE_REPLY);
	if (!opts->send_timeout)
		has &= ~FLOW_TIMEOUT;
	return has;
}

static void encode(struct wr *w, const struct wire_flow_opts *opts,
		   const struct flow *f)
{
	uint64_t has = sent_bits(opts, f);
	unsigned int traits = wire_traits(f->l4proto);
	unsigned int nat = flow_nat(f);

	for (size_t i = 0; i < N_ELEMENTS(wire_order); i++) {
		uint8_t type = wire_order[i];
		const struct wire_row *row = &wire_rows[type];

		if ((row->has | row->needs) & ~has)
			continue;
		if ((row->family != FAMILY_NONE && row->family != f->family) ||
		    (row->trait && !(row->trait & traits)) ||
		    (row->nat && !(row->nat & nat)))
			continue;
		if (row->put)
			row->put(w, opts, f);
		else
			wire_members_write(w, type, row->members, f);
	}
}

void wire_flow_encode(struct wr *w, const struct wire_flow_opts *opts,
		      const struct flow *f)
{
	struct flow whole;

	if (!flow_is_offloaded(f)) {
		encode(w, opts, f);
		return;
	}
	whole = *f;
	flow_complete_offloaded(&whole);
	encode(w, opts, &whole);
}
