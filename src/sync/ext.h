/* SPDX-License-Identifier: ISC */
/* ext.h - extended ALIVE: how our own nodes recognise each other, unnoticed by
 * a reference node. A record is a type, a length and a body; see the page on
 * extensions in ARCHITECTURE.md for the format. */
#ifndef SYNC_EXT_H
#define SYNC_EXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"

enum {
	EXT_FIXED_LEN = 16, /* magic to node, behind the 8-byte header */
	EXT_VERSION = 1,
};

enum ext_capability {
	EXT_CAP_ADDRESSED_ACK = 0x0001, /* records 1 and 2, bulk marks */
	/* Its updates have all that it knows of a flow: what they leave out is
	 * gone. Updates of others may be merged only (PROTOCOL.md 4.3). */
	EXT_CAP_WHOLE_UPDATES = 0x0002,
	/* Records 19 and 20, and bulk marks that nobody acknowledges: what lies
	 * between them is complete if no number of it is missed. */
	EXT_CAP_WANTS = 0x0004,
	/* It knows copies of announcements, which it takes for no messages. */
	EXT_CAP_COPIES = 0x0008,
};

enum ext_record_type {
	EXT_ACK = 1,
	EXT_NACK = 2,
	EXT_STABLE_NAME = 3,
	EXT_BULK_MARK = 16,
	EXT_HELD = 17,
	EXT_ASK = 18,
	EXT_WANT = 19,
	EXT_TOLD = 20,
};

enum ext_phase { EXT_BULK_BEGIN = 1, EXT_BULK_END = 2 };

/* From one walk's number to the next: no wrong bit makes one of another. */
#define EXT_WALK_STEP 0x9e3779b1U

enum { EXT_NAME_SIZE = 16 };

struct ext_record {
	uint16_t type; /* enum ext_record_type: selects the member */
	union {
		struct {
			uint64_t node; /* of the receiver */
			uint32_t from, to;
		} range; /* EXT_ACK, EXT_NACK */
		uint8_t name[EXT_NAME_SIZE];
		struct {
			uint64_t node; /* of the receiver; 0: all */
			uint8_t phase; /* enum ext_phase */
			uint32_t walk;
			uint32_t n_entries;
		} mark;
		/* EXT_HELD: the oldest number that the sender holds. What was
		 * missed before it need not be asked for. */
		uint32_t oldest;
		/* EXT_TOLD: what was missed after this number of the sender's
		 * were signs of life, or entries that a bulk has repeated. */
		uint32_t told;
		/* EXT_ASK: this node is to acknowledge the message at once;
		 * EXT_WANT: it is to send the asking one a bulk. */
		uint64_t asked;
	};
};

struct ext_alive {
	uint8_t version;
	/* A copy of what is said on another link: it has that number, and shows
	 * only that this link, which the sender does not use, works. */
	bool is_copy;
	uint16_t capabilities; /* enum ext_capability */
	uint64_t node;         /* never 0 */
	struct rd records;     /* for ext_next(); empty if version is newer */
};

/* Reads what follows the header of an ALIVE. False if it is a plain one. */
NODISCARD bool ext_open(struct rd body, struct ext_alive *out);

/* Writes what an ALIVE has behind its header as a copy of it. */
void ext_copy(struct wr *w, struct rd body);

enum ext_step {
	EXT_RECORD,
	EXT_UNKNOWN, /* a record of a type we do not know was skipped */
	EXT_DAMAGED, /* the rest is not readable */
	EXT_END,
};
/* Takes the next record. *out is written on EXT_RECORD only. */
NODISCARD enum ext_step ext_next(struct rd *records, struct ext_record *out);

/* The stable name among the records, if it is there. */
NODISCARD bool ext_name(struct rd records, uint8_t name[EXT_NAME_SIZE]);

/* Appends the fixed part behind an ALIVE header, then records. */
void ext_begin(struct wr *w, uint16_t capabilities, uint64_t node);
void ext_add(struct wr *w, const struct ext_record *r);
/* Bytes that ext_add() will take for a record of this type. */
size_t ext_record_len(enum ext_record_type type);

#endif
