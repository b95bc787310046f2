/* SPDX-License-Identifier: ISC */
/* wire.h - headers of sync messages: one datagram in, one message after the
 * other out, and back (PROTOCOL.md 1). */
#ifndef SYNC_WIRE_H
#define SYNC_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"

enum msg_type {
	MSG_CT_NEW,
	MSG_CT_UPD,
	MSG_CT_DEL,
	MSG_EXP_NEW,
	MSG_EXP_UPD,
	MSG_EXP_DEL,
	MSG_CTL = 10,
};

enum msg_flag {
	MSG_RESYNC = 0x02,
	MSG_NACK = 0x04,
	MSG_ACK = 0x08,
	MSG_ALIVE = 0x10,
	MSG_HELLO = 0x20,
	MSG_HELLO_BACK = 0x40,
};

enum {
	WIRE_VERSION = 1,
	WIRE_HEADER_LEN = 8,
	WIRE_RANGE_LEN = 16, /* ACK, NACK, RESYNC */
};

/* What became of a received message: one value for each counter of
 * `-s network` (PROTOCOL.md 8.2), and those the reference does not have. */
enum verdict {
	VERDICT_OK,
	VERDICT_BAD_VERSION,
	VERDICT_BAD_HEADER,  /* flags or ranges without sense */
	VERDICT_BAD_PAYLOAD, /* attributes */
	VERDICT_BAD_TYPE,
	VERDICT_TRUNCATED, /* shorter than a header */
	VERDICT_BAD_SIZE,  /* length 0, too small, beyond the datagram */
	/* not malformed: */
	VERDICT_BEFORE,  /* duplicate or late */
	VERDICT_FOREIGN, /* an acknowledgement meant for another node */
	VERDICT_IGNORED, /* nothing to do: own mode or role */
	VERDICT_NO_ROOM, /* accepted, but the cache has no place for it */
	VERDICT_N
};

bool verdict_is_malformed(enum verdict v);

struct msg {
	uint8_t type;  /* enum msg_type, or 6-9, 11-15 as received */
	uint8_t flags; /* enum msg_flag */
	uint32_t seq;
	uint32_t from, to; /* of ACK, NACK and RESYNC; 0 otherwise */
	struct rd body;    /* data: the attributes; else what follows the header
			    * or the range; borrowed from the datagram */
};

enum wire_step {
	WIRE_MSG,  /* *out is a message */
	WIRE_SKIP, /* one message dropped for *why, go on */
	WIRE_DROP, /* the rest of the datagram dropped for *why */
	WIRE_END,  /* nothing is left */
};

/* Takes the next message off a datagram, with the checks of PROTOCOL.md 1.3 up
 * to "wrong version". *out is written on WIRE_MSG, *why on SKIP and DROP. */
NODISCARD enum wire_step wire_next(struct rd *dgram, struct msg *out,
				   enum verdict *why);

/* True if the message is data: type 5 or less, no flag but HELLO and
 * HELLO_BACK (PROTOCOL.md 1.1). */
bool msg_is_data(const struct msg *m);

/* Begins a message: writes its header with a length to be filled in. Returns
 * the offset for wire_end(). */
size_t wire_begin(struct wr *w, enum msg_type type, uint8_t flags,
		  uint32_t seq);
/* Ends the message begun at offset: writes its length. If it did not fit or
 * is longer than 65535 bytes, everything since offset is taken back and the
 * answer is false, full is cleared. */
NODISCARD bool wire_end(struct wr *w, size_t offset);

#endif
