/* SPDX-License-Identifier: ISC */
/* entry.h - the head of a cached entry: 32 bytes, addressed by an id. */
#ifndef CACHE_ENTRY_H
#define CACHE_ENTRY_H

#include <stdint.h>

/* What has happened to an entry since it was made; decides the type of the
 * message that tells of it (PROTOCOL.md 4.1). */
enum entry_state {
	ENTRY_FREE,  /* no such entry */
	ENTRY_NEW,   /* added, unchanged since */
	ENTRY_ALIVE, /* changed at least once */
	ENTRY_DEAD,  /* gone, kept until its end is told; not found by key */
};

/* 32 bytes. Everything but next, body and state may be read and written by
 * the users of the cache through flow_cache_head(). Each byte and word of
 * theirs belongs to one module, whose header says what its bits mean. */
struct entry_head {
	uint32_t next;   /* the cache's: hash chain, see cache/table.h */
	uint32_t body;   /* the cache's: reference of the packed body */
	uint32_t q_prev; /* the user's queue links (see cache/queue.h) */
	uint32_t q_next;
	union {
		uint32_t last_seq; /* internal, outbox: the number it was last
				    * sent under */
		uint32_t due_tick; /* internal, wheel: when it is told again */
		uint32_t
			generation; /* external: of its owner when last heard */
		uint32_t told_s;    /* external, expiry: it was last told,
				     * monotonic seconds */
	};
	uint32_t created_s; /* monotonic seconds; the shown age */
	uint32_t changed_s; /* last change of content, monotonic seconds */
	uint8_t state;      /* the cache's: enum entry_state */
	union {
		struct {                /* internal */
			uint8_t outbox; /* enum outbox_flag */
			uint8_t bulk;   /* enum bulk_flag */
			uint8_t round;  /* bulk: when it was last sent */
		};
		uint8_t alarm; /* internal: enum alarm_flag */
		uint8_t owner; /* external: number of the peer that sent it */
	};
};

_Static_assert(sizeof(struct entry_head) == 32, "half a cache line");

#endif
