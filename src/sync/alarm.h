/* SPDX-License-Identifier: ISC */
/* alarm.h - the ALARM mode: nothing is acknowledged or asked for, every entry
 * is told again and again, and lives at the peers as long as it is told. */
#ifndef SYNC_ALARM_H
#define SYNC_ALARM_H

#include <stdint.h>

#include "cache/flow_cache.h"
#include "sync/engine.h"
#include "sync/wire_flow.h"

/* Bits of entry_head.alarm. */
enum alarm_flag {
	ALARM_QUEUED = 1, /* it waits to be sent; otherwise, in the wheel, to be
			   * told again */
	ALARM_TOLD = 2,   /* it was sent in this life */
};

struct alarm_opts {
	struct flow_cache *cache;   /* internal, empty; outlives the engine */
	struct wire_flow_opts wire; /* how entries are encoded */
	struct engine_sink sink;
	uint32_t refresh_s; /* RefreshTime, not 0: an entry is told again after
			     * 1 s to that, and 0.2 to 1 s more */
	uint32_t cache_timeout_s;    /* CacheTimeout: who was silent for so long
				      * owns nothing any more */
	uint32_t first_seq;          /* random */
	uint64_t node;               /* random, not 0: this life of ours */
	uint8_t name[EXT_NAME_SIZE]; /* the same over restarts */
};

/* NULL if there is no memory. */
struct engine *alarm_new(const struct alarm_opts *opts, int64_t now_ms);

#endif
