/* SPDX-License-Identifier: ISC */
#include "netlink/ct_codec.h"

#include <linux/netfilter/nfnetlink.h>

#include "netlink/ct_rows.h"
#include "netlink/nlmsg.h"

#define BIT(n) (UINT64_C(1) << (n))

enum { NFGEN_LEN = sizeof(struct nfgenmsg) };

struct decoder {
	const struct ct_codec *codec;
	struct ct_side side;
};

/* Word i, bit b is label 32 i + b (PROTOCOL.md 5.5); flow.labels has label l
 * in byte l / 8. */
static bool decode_labels(struct rd *body, uint8_t *labels, size_t size)
{
	uint32_t word = 0;

	for (size_t i = 0; i < size; i++) {
		if (i % sizeof(word) == 0 && !rd_u32(body, &word))
			return false;
		labels[i] = (uint8_t)(word >> i % sizeof(word) * 8);
	}
	return true;
}

/* The id of a text in one of the codec's tables, 0 if it cannot be kept. The
 * zero byte at the end is optional. */
static uint16_t intern(struct names *names, const struct rd *body)
{
	const uint8_t *end = memchr(body->at, 0, body->left);
	size_t len = end ? (size_t)(end - body->at) : body->left;

	return names ? names_intern(names, (const char *)body->at, len) : 0;
}

static bool decode_u16(struct rd *body, uint8_t *at)
{
	uint16_t value;

	if (!rd_be16(body, &value))
		return false;
	memcpy(at, &value, sizeof(value));
	return true;
}

static bool decode_u32(struct rd *body, uint8_t *at)
{
	uint32_t value;

	if (!rd_be32(body, &value))
		return false;
	memcpy(at, &value, sizeof(value));
	return true;
}

static bool decode_u64(struct rd *body, uint8_t *at)
{
	uint64_t value;

	if (!rd_be64(body, &value))
		return false;
	memcpy(at, &value, sizeof(value));
	return true;
}

/* Reads one value into its field; more bytes than it needs are left alone.
 * *is_known: false if the value cannot be kept. */
static bool decode_value(const struct ct_codec *c, const struct ct_row *row,
			 struct rd body, uint8_t *at, bool *is_known)
{
	uint16_t id;

	switch ((enum ct_kind)row->kind) {
	case CT_U8:
	case CT_FLAGS:
		return rd_u8(&body, at);
	case CT_BE16:
		return decode_u16(&body, at);
	case CT_BE32:
		return decode_u32(&body, at);
	case CT_BE64:
		return decode_u64(&body, at);
	case CT_ADDR4:
		memset(at, 0, row->size);
		return rd_bytes(&body, at, 4);
	case CT_ADDR16:
		return rd_bytes(&body, at, 16);
	case CT_LABELS:
		return decode_labels(&body, at, row->size);
	case CT_HELPER:
	case CT_CONTEXT:
		id = intern(row->kind == CT_HELPER ? c->helpers : c->contexts,
			    &body);
		memcpy(at, &id, sizeof(id));
		*is_known = id != 0;
		return true;
	case CT_SKIP:
	case CT_NEST:
	case CT_SIDE:
		break;
	}
	return true;
}

/* Reads the attributes of a message or a nest into the struct at base. False
 * if one is malformed or shorter than its row. */
static bool decode_rows(struct decoder *d, const struct ct_table *table,
			uint8_t *base, struct rd attrs, uint64_t *has)
{
	struct nlmsg_attr attr;
	enum nlmsg_step step;
	uint64_t seen = 0; /* bit t: type t */

	while ((step = nlmsg_attr_next(&attrs, &attr)) == NLMSG_STEP_ITEM) {
		const struct ct_row *row;
		uint64_t nest_has = 0;
		bool is_known = true, is_good;

		if (attr.type >= table->n_rows)
			continue;
		row = &table->rows[attr.type];
		if (!(row->ops & CT_IN))
			continue;
		if (row->kind == CT_SIDE) {
			uint8_t *side = (uint8_t *)&d->side + row->offset;

			is_good = decode_rows(d, row->nest, side, attr.body,
					      &nest_has);
			memcpy(side, &nest_has, sizeof(nest_has));
		} else if (row->kind == CT_NEST) {
			is_good = decode_rows(d, row->nest, base + row->offset,
					      attr.body, &nest_has);
			is_known = nest_has & BIT(CT_N_ALL);
			*has |= nest_has & ~BIT(CT_N_ALL);
		} else {
			is_good = decode_value(d->codec, row, attr.body,
					       base + row->offset, &is_known);
		}
		if (!is_good)
			return false;
		if (!is_known)
			continue;
		seen |= BIT(attr.type);
		if ((seen & row->group) == row->group)
			*has |= BIT(row->bit);
	}
	return step == NLMSG_STEP_END;
}

static enum family family_of(const struct ct_tuple *t)
{
	switch (t->has & (BIT(CT_N_IPV4) | BIT(CT_N_IPV6))) {
	case BIT(CT_N_IPV4):
		return FAMILY_IPV4;
	case BIT(CT_N_IPV6):
		return FAMILY_IPV6;
	default:
		return FAMILY_NONE;
	}
}

/* What tells flows of this protocol apart, as far as the tuple has it. */
static uint64_t parts_of(const struct ct_tuple *t)
{
	switch (t->l4proto) {
	case L4_ICMP:
		return t->has & BIT(CT_N_ICMP) ? FLOW_ICMP : 0;
	case L4_ICMPV6:
		return t->has & BIT(CT_N_ICMPV6) ? FLOW_ICMP : 0;
	case L4_GRE:
		return t->has & BIT(CT_N_PORTS) ? FLOW_GRE_KEYS : 0;
	default:
		return t->has & BIT(CT_N_PORTS) ? FLOW_PORTS : 0;
	}
}

/* Copies what belongs to parts; the rest becomes 0. */
static struct tuple tuple_of(const struct ct_tuple *from, uint64_t parts)
{
	struct tuple t = { .src = from->t.src, .dst = from->t.dst };

	if (parts & (FLOW_PORTS | FLOW_GRE_KEYS)) {
		t.sport = from->t.sport;
		t.dport = from->t.dport;
	}
	if (parts & FLOW_ICMP) {
		t.icmp_id = from->t.icmp_id;
		t.icmp_type = from->t.icmp_type;
		t.icmp_code = from->t.icmp_code;
	}
	return t;
}

/* The original tuple makes the key; without it there is no flow. */
static bool take_key(const struct ct_side *side, struct flow *f)
{
	f->family = (uint8_t)family_of(&side->orig);
	f->l4proto = side->orig.l4proto;
	f->has |= parts_of(&side->orig);
	f->orig = tuple_of(&side->orig, f->has);
	return f->family != FAMILY_NONE && side->orig.has & BIT(CT_N_L4PROTO);
}

static bool take_reply(const struct ct_side *side, struct flow *f)
{
	const struct ct_tuple *reply = &side->reply;
	const uint64_t parts = FLOW_PORTS | FLOW_GRE_KEYS | FLOW_ICMP;

	if (!(reply->has & BIT(CT_N_L4PROTO)) || !family_of(reply))
		return true;
	if (family_of(reply) != f->family || reply->l4proto != f->l4proto)
		return false;
	if (parts_of(reply) == (f->has & parts)) {
		f->reply = tuple_of(reply, f->has);
		f->has |= FLOW_REPLY;
	}
	return true;
}

static void take_master(const struct ct_side *side, struct flow *f)
{
	const struct ct_tuple *master = &side->master;

	if (!(master->has & BIT(CT_N_L4PROTO)) ||
	    family_of(master) != f->family)
		return;
	f->master.src = master->t.src;
	f->master.dst = master->t.dst;
	f->master.l4proto = master->l4proto;
	f->has |= FLOW_MASTER;
	if (master->has & BIT(CT_N_PORTS)) {
		f->master.sport = master->t.sport;
		f->master.dport = master->t.dport;
		f->has |= FLOW_MASTER_PORTS;
	}
}

/* The kernel tells a zone of both directions at the top, one of a single
 * direction in that tuple. */
static void take_zones(const struct ct_side *side, struct flow *f)
{
	bool has_orig = side->orig.has & BIT(CT_N_ZONE);
	bool has_reply = side->reply.has & BIT(CT_N_ZONE);

	if (has_orig && has_reply && side->orig.zone == side->reply.zone) {
		f->zone = side->orig.zone;
		return;
	}
	if (has_orig) {
		f->zone_orig = side->orig.zone;
		f->has |= FLOW_ZONE_ORIG;
	}
	if (has_reply) {
		f->zone_reply = side->reply.zone;
		f->has |= FLOW_ZONE_REPLY;
	}
}

bool ct_is_conntrack(const struct nlmsg *msg, uint8_t *type)
{
	*type = (uint8_t)msg->type;
	return msg->type >> 8 == NFNL_SUBSYS_CTNETLINK;
}

bool ct_decode(const struct ct_codec *c, struct rd body, struct flow *out)
{
	struct decoder d = { .codec = c };

	out->has = 0;
	out->zone = 0;
	if (!rd_skip(&body, NFGEN_LEN) ||
	    !decode_rows(&d, &ct_message_table, (uint8_t *)out, body,
			 &out->has))
		return false;
	out->has &= BIT(FLOW_N_LAST) - 1; /* without CT_N_NONE */
	if (!take_key(&d.side, out) || !take_reply(&d.side, out))
		return false;
	take_master(&d.side, out);
	take_zones(&d.side, out);
	return true;
}
