/* SPDX-License-Identifier: ISC */
#include "sync/ext.h"

#include <assert.h>
#include <string.h>

enum {
	MAGIC = 0x63746c66, /* "ctlf" */
	FLAGS_AT = 5,       /* behind magic and version */
	FLAG_COPY = 0x01,
	RECORD_HDR_LEN = 4,
	RECORD_ALIGN = 4,
	RANGE_LEN = 16,
	MARK_LEN = 20,
	MARK_RESERVED = 3, /* bytes */
	HELD_LEN = 4,
	ASK_LEN = 8,
};

/* Length of the body; 0 for a type that we do not know. */
static size_t body_len(uint16_t type)
{
	switch (type) {
	case EXT_ACK:
	case EXT_NACK:
		return RANGE_LEN;
	case EXT_STABLE_NAME:
		return EXT_NAME_SIZE;
	case EXT_BULK_MARK:
		return MARK_LEN;
	case EXT_HELD:
	case EXT_TOLD:
		return HELD_LEN;
	case EXT_ASK:
	case EXT_WANT:
		return ASK_LEN;
	}
	return 0;
}

bool ext_open(struct rd body, struct ext_alive *out)
{
	struct ext_alive a;
	uint32_t magic;
	uint8_t flags;

	if (!rd_be32(&body, &magic) || magic != MAGIC ||
	    !rd_u8(&body, &a.version) || !rd_u8(&body, &flags) ||
	    !rd_be16(&body, &a.capabilities) || !rd_be64(&body, &a.node))
		return false;
	if (a.version < EXT_VERSION || a.node == 0)
		return false;
	if (a.version > EXT_VERSION)
		body.left = 0;
	a.is_copy = flags & FLAG_COPY;
	a.records = body;
	*out = a;
	return true;
}

static bool read_mark(struct rd *body, struct ext_record *r)
{
	return rd_be64(body, &r->mark.node) && rd_u8(body, &r->mark.phase) &&
	       rd_skip(body, MARK_RESERVED) && rd_be32(body, &r->mark.walk) &&
	       rd_be32(body, &r->mark.n_entries) &&
	       (r->mark.phase == EXT_BULK_BEGIN ||
		r->mark.phase == EXT_BULK_END);
}

/* Reads the body of a record of a known type, with nothing left over. */
static bool read_body(struct rd *body, struct ext_record *r)
{
	bool ok = false;

	switch ((enum ext_record_type)r->type) {
	case EXT_ACK:
	case EXT_NACK:
		ok = rd_be64(body, &r->range.node) &&
		     rd_be32(body, &r->range.from) &&
		     rd_be32(body, &r->range.to);
		break;
	case EXT_STABLE_NAME:
		ok = rd_bytes(body, r->name, sizeof(r->name));
		break;
	case EXT_BULK_MARK:
		ok = read_mark(body, r);
		break;
	case EXT_HELD:
		ok = rd_be32(body, &r->oldest);
		break;
	case EXT_TOLD:
		ok = rd_be32(body, &r->told);
		break;
	case EXT_ASK:
	case EXT_WANT:
		ok = rd_be64(body, &r->asked);
		break;
	}
	return ok && body->left == 0;
}

/* Takes header, body and padding of the next record. */
static bool take_record(struct rd *records, uint16_t *type, struct rd *body)
{
	uint16_t len; /* header and body, without padding */

	if (!rd_be16(records, type) || !rd_be16(records, &len) ||
	    len < RECORD_HDR_LEN ||
	    !rd_take(records, len - RECORD_HDR_LEN, body))
		return false;
	/* The last record may end with the message, unpadded. */
	if (!rd_skip(records, -len & (RECORD_ALIGN - 1)))
		records->left = 0;
	return true;
}

enum ext_step ext_next(struct rd *records, struct ext_record *out)
{
	struct ext_record r = { 0 };
	struct rd body;

	if (records->left == 0)
		return EXT_END;
	if (!take_record(records, &r.type, &body)) {
		records->left = 0;
		return EXT_DAMAGED;
	}
	if (body_len(r.type) == 0)
		return EXT_UNKNOWN;
	if (!read_body(&body, &r)) {
		records->left = 0;
		return EXT_DAMAGED;
	}
	*out = r;
	return EXT_RECORD;
}

bool ext_name(struct rd records, uint8_t name[EXT_NAME_SIZE])
{
	struct ext_record r;
	enum ext_step step;

	while ((step = ext_next(&records, &r)) == EXT_RECORD ||
	       step == EXT_UNKNOWN)
		if (step == EXT_RECORD && r.type == EXT_STABLE_NAME) {
			memcpy(name, r.name, EXT_NAME_SIZE);
			return true;
		}
	return false;
}

void ext_copy(struct wr *w, struct rd body)
{
	assert(body.left >= EXT_FIXED_LEN);
	wr_bytes(w, body.at, FLAGS_AT);
	wr_u8(w, body.at[FLAGS_AT] | FLAG_COPY);
	wr_bytes(w, body.at + FLAGS_AT + 1, body.left - FLAGS_AT - 1);
}

void ext_begin(struct wr *w, uint16_t capabilities, uint64_t node)
{
	assert(node != 0);
	wr_be32(w, MAGIC);
	wr_u8(w, EXT_VERSION);
	wr_zeros(w, 1);
	wr_be16(w, capabilities);
	wr_be64(w, node);
}

void ext_add(struct wr *w, const struct ext_record *r)
{
	wr_be16(w, r->type);
	wr_be16(w, (uint16_t)ext_record_len(r->type));
	switch ((enum ext_record_type)r->type) {
	case EXT_ACK:
	case EXT_NACK:
		wr_be64(w, r->range.node);
		wr_be32(w, r->range.from);
		wr_be32(w, r->range.to);
		break;
	case EXT_STABLE_NAME:
		wr_bytes(w, r->name, sizeof(r->name));
		break;
	case EXT_BULK_MARK:
		wr_be64(w, r->mark.node);
		wr_u8(w, r->mark.phase);
		wr_zeros(w, MARK_RESERVED);
		wr_be32(w, r->mark.walk);
		wr_be32(w, r->mark.n_entries);
		break;
	case EXT_HELD:
		wr_be32(w, r->oldest);
		break;
	case EXT_TOLD:
		wr_be32(w, r->told);
		break;
	case EXT_ASK:
	case EXT_WANT:
		wr_be64(w, r->asked);
		break;
	}
}

size_t ext_record_len(enum ext_record_type type)
{
	return RECORD_HDR_LEN + body_len((uint16_t)type);
}
