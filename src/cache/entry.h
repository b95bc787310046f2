/* SPDX-License-Identifier: ISC */
/* entry.h - the head of a cached entry: 32 bytes, addressed by an id. */
#ifndef CACHE_ENTRY_H
#define CACHE_ENTRY_H

#include <stdint.h>

/* What has happened to an entry since it was made; decides the type of the
 * message that tells of it (spec 5.3). */
enum entry_state {
	ENTRY_FREE,  /* no such entry */
	ENTRY_NEW,   /* added, unchanged since */
	ENTRY_ALIVE, /* changed at least once */
	ENTRY_DEAD,  /* gone, kept until its end is told; not found by key */
};

/* Bits of entry_head.flags; their meaning is the user's. */
enum entry_flag {
	ENTRY_QUEUED = 0x01,  /* in one of the queues of the user */
	ENTRY_REPROVE = 0x08, /* lost entry of a bulk, to be proven again */
	ENTRY_SENT = 0x20,    /* last_seq is a number of this life */
	ENTRY_OWED = 0x80,    /* dead, its end is owed to a silent peer */
};

/* 32 bytes. Everything but next, body and state may be read and written by
 * the user of the cache through flow_cache_head(). */
struct entry_head {
	uint32_t next;   /* the cache's: hash chain, see cache/table.h */
	uint32_t body;   /* the cache's: reference of the packed body */
	uint32_t q_prev; /* the user's queue links (see cache/queue.h) */
	uint32_t q_next;
	union {
		uint32_t last_seq; /* internal: number it was last sent under */
		uint32_t
			generation; /* external: of its owner when last heard */
	};
	uint32_t created_s; /* monotonic seconds; the shown age */
	uint32_t changed_s; /* last change of content, monotonic seconds */
	uint8_t state;      /* the cache's: enum entry_state */
	uint8_t flags;      /* enum entry_flag */
	uint8_t owner;      /* external: number of the peer that sent it */
	uint8_t round;      /* internal: of the bulk it was last sent in */
};

_Static_assert(sizeof(struct entry_head) == 32, "half a cache line");

#endif
