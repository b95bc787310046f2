/* SPDX-License-Identifier: ISC */
#include "sync/wire.h"

enum {
	TYPE_MASK = 0x0f,
	LENGTH_AT = 2, /* offset of the length in the header */
	LENGTH_MAX = 65535,
	RANGE_FLAGS = MSG_ACK | MSG_NACK | MSG_RESYNC,
};

bool verdict_is_malformed(enum verdict v)
{
	switch (v) {
	case VERDICT_BAD_VERSION:
	case VERDICT_BAD_HEADER:
	case VERDICT_BAD_PAYLOAD:
	case VERDICT_BAD_TYPE:
	case VERDICT_TRUNCATED:
	case VERDICT_BAD_SIZE:
		return true;
	case VERDICT_OK:
	case VERDICT_BEFORE:
	case VERDICT_FOREIGN:
	case VERDICT_IGNORED:
	case VERDICT_NO_ROOM:
	case VERDICT_N:
		break;
	}
	return false;
}

static bool has_range(uint8_t type, uint8_t flags)
{
	return type == MSG_CTL && (flags & RANGE_FLAGS);
}

/* Judges the length of the message whose header is h, of a datagram that has
 * left bytes from the start of that header: the rows of PROTOCOL.md 1.3 in
 * their order. VERDICT_OK: it may be taken off. */
static enum verdict judge_size(const struct msg *h, size_t len, size_t left)
{
	size_t least =
		has_range(h->type, h->flags) ? WIRE_RANGE_LEN : WIRE_HEADER_LEN;

	if (len == 0 || len > left)
		return VERDICT_BAD_SIZE;
	if (left < least)
		return VERDICT_TRUNCATED;
	if (len < least)
		return VERDICT_BAD_SIZE;
	return VERDICT_OK;
}

/* Reads the fields of the header into *h. */
static bool read_header(struct rd r, uint8_t *version, uint16_t *len,
			struct msg *h)
{
	uint8_t first;

	if (!rd_u8(&r, &first) || !rd_u8(&r, &h->flags) || !rd_be16(&r, len) ||
	    !rd_be32(&r, &h->seq))
		return false;
	*version = first >> 4;
	h->type = first & TYPE_MASK;
	return true;
}

/* Moves body from the whole message to what follows the header and, if there
 * is one, the range. True: judge_size() has seen to it. */
static bool open_body(struct msg *m)
{
	if (!rd_skip(&m->body, WIRE_HEADER_LEN))
		return false;
	if (!has_range(m->type, m->flags))
		return true;
	return rd_be32(&m->body, &m->from) && rd_be32(&m->body, &m->to);
}

enum wire_step wire_next(struct rd *dgram, struct msg *out, enum verdict *why)
{
	struct msg m = { 0 };
	enum verdict verdict = VERDICT_TRUNCATED;
	uint8_t version = 0;
	uint16_t len = 0;

	if (dgram->left == 0)
		return WIRE_END;
	if (read_header(*dgram, &version, &len, &m))
		verdict = judge_size(&m, len, dgram->left);
	if (verdict != VERDICT_OK || !rd_take(dgram, len, &m.body)) {
		dgram->left = 0;
		*why = verdict;
		return WIRE_DROP;
	}
	if (version != WIRE_VERSION) {
		*why = VERDICT_BAD_VERSION;
		return WIRE_SKIP;
	}
	if (!open_body(&m)) {
		*why = VERDICT_TRUNCATED;
		return WIRE_DROP;
	}
	*out = m;
	return WIRE_MSG;
}

bool msg_is_data(const struct msg *m)
{
	return m->type <= MSG_EXP_DEL &&
	       !(m->flags & ~(MSG_HELLO | MSG_HELLO_BACK));
}

size_t wire_begin(struct wr *w, enum msg_type type, uint8_t flags, uint32_t seq)
{
	size_t offset = w->used;

	wr_u8(w, (uint8_t)(WIRE_VERSION << 4 | type));
	wr_u8(w, flags);
	wr_be16(w, 0);
	wr_be32(w, seq);
	return offset;
}

bool wire_end(struct wr *w, size_t offset)
{
	size_t len = w->used - offset;

	if (w->full || len > LENGTH_MAX) {
		w->used = offset;
		w->full = false;
		return false;
	}
	wr_patch_be16(w, offset + LENGTH_AT, (uint16_t)len);
	return true;
}
