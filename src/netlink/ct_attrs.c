/* SPDX-License-Identifier: ISC */
#include "netlink/ct_attrs.h"

#include "netlink/nlmsg.h"

#define BIT(n) (UINT64_C(1) << (n))

enum { VALUE_MAX = 16 }; /* bytes of the longest value that is no text */

struct reader {
	const struct ct_codec *codec;
	uint8_t *side;
};

struct writer {
	const struct ct_codec *codec;
	const uint8_t *side;
	struct wr *w;
	uint8_t op; /* one of enum ct_ops */
};

/* The table that keeps the texts of this kind; may be NULL. */
static struct names *names_of(const struct ct_codec *c, uint8_t kind)
{
	switch (kind) {
	case CT_HELPER:
		return c->helpers;
	case CT_CONTEXT:
		return c->contexts;
	default:
		return c->functions;
	}
}

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
	case CT_FUNCTION:
		id = intern(names_of(c, row->kind), &body);
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
static bool read_rows(const struct reader *r, const struct ct_table *table,
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
			uint8_t *side = r->side + row->offset;

			is_good = read_rows(r, row->nest, side, attr.body,
					    &nest_has);
			memcpy(side, &nest_has, sizeof(nest_has));
		} else if (row->kind == CT_NEST) {
			is_good = read_rows(r, row->nest, base + row->offset,
					    attr.body, &nest_has);
			is_known = nest_has & BIT(CT_N_ALL);
			*has |= nest_has & ~BIT(CT_N_ALL);
		} else {
			is_good = decode_value(r->codec, row, attr.body,
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

static void encode_labels(struct wr *w, const uint8_t *labels, size_t size)
{
	for (size_t i = 0; i < size; i += sizeof(uint32_t))
		wr_u32(w, (uint32_t)labels[i + 3] << 24 |
				  (uint32_t)labels[i + 2] << 16 |
				  (uint32_t)labels[i + 1] << 8 | labels[i]);
}

static void encode_name(const struct writer *e, const struct names *names,
			uint16_t type, const uint8_t *at)
{
	const char *text;
	uint16_t id;

	memcpy(&id, at, sizeof(id));
	text = names ? names_text(names, id) : "";
	if (*text)
		nlmsg_put(e->w, type, text, strlen(text) + 1);
}

static void encode_value(const struct writer *e, const struct ct_row *row,
			 uint16_t type, const uint8_t *at)
{
	uint8_t bytes[VALUE_MAX];
	struct wr value = { bytes, sizeof(bytes), 0, false };
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch ((enum ct_kind)row->kind) {
	case CT_U8:
		wr_u8(&value, *at);
		break;
	case CT_FLAGS: /* only those that are set count */
		wr_u8(&value, *at);
		wr_u8(&value, *at);
		break;
	case CT_BE16:
		memcpy(&u16, at, sizeof(u16));
		wr_be16(&value, u16);
		break;
	case CT_BE32:
		memcpy(&u32, at, sizeof(u32));
		wr_be32(&value, u32);
		break;
	case CT_BE64:
		memcpy(&u64, at, sizeof(u64));
		wr_be64(&value, u64);
		break;
	case CT_ADDR4:
		wr_bytes(&value, at, 4);
		break;
	case CT_ADDR16:
		wr_bytes(&value, at, 16);
		break;
	case CT_LABELS:
		encode_labels(&value, at, row->size);
		break;
	case CT_HELPER:
	case CT_CONTEXT:
	case CT_FUNCTION:
		encode_name(e, names_of(e->codec, row->kind), type, at);
		return;
	case CT_SKIP:
	case CT_NEST:
	case CT_SIDE:
		return;
	}
	nlmsg_put(e->w, type, bytes, value.used);
}

/* Writes the rows of one table that this message has and whose bit is in has.
 * Nests that stay empty are left out. */
static void write_rows(const struct writer *e, const struct ct_table *table,
		       const uint8_t *base, uint64_t has)
{
	for (uint16_t type = 1; type < table->n_rows; type++) {
		const struct ct_row *row = &table->rows[type];
		const uint8_t *at = base + row->offset;
		uint64_t nest_has = has;
		size_t nest;

		if (!(row->ops & e->op))
			continue;
		if (!row->nest) {
			if (has & BIT(row->bit))
				encode_value(e, row, type, at);
			continue;
		}
		if (row->kind == CT_SIDE) {
			at = e->side + row->offset;
			memcpy(&nest_has, at, sizeof(nest_has));
		} else if (row->bit != CT_N_NONE) {
			nest_has = has & BIT(row->bit) ? BIT(CT_N_ALL) : 0;
		}
		nest = nlmsg_nest_begin(e->w, type);
		write_rows(e, row->nest, at, nest_has);
		nlmsg_nest_end_or_drop(e->w, nest);
	}
}

bool ct_attrs_read(const struct ct_codec *c, const struct ct_table *table,
		   void *base, void *side, struct rd attrs, uint64_t *has)
{
	const struct reader r = { c, side };

	return read_rows(&r, table, base, attrs, has);
}

void ct_attrs_write(const struct ct_codec *c, enum ct_ops op,
		    const struct ct_table *table, const void *base,
		    const void *side, uint64_t has, struct wr *w)
{
	const struct writer e = { c, side, w, (uint8_t)op };

	write_rows(&e, table, base, has);
}

enum family ct_tuple_family(const struct ct_tuple *t)
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

bool ct_needs_ports(uint8_t l4proto)
{
	return l4proto == L4_TCP || l4proto == L4_UDP || l4proto == L4_SCTP ||
	       l4proto == L4_DCCP || l4proto == L4_UDPLITE || l4proto == L4_GRE;
}
