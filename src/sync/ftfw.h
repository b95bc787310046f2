/* SPDX-License-Identifier: ISC */
/* ftfw.h - the FT-FW mode: every message is numbered, acknowledged and sent
 * anew when it was lost: to one reference node, or to many nodes of our own. */
#ifndef SYNC_FTFW_H
#define SYNC_FTFW_H

#include <stdint.h>

#include "cache/flow_cache.h"
#include "sync/engine.h"
#include "sync/wire_flow.h"

struct ftfw_opts {
	struct flow_cache *cache;   /* internal; outlives the engine */
	struct wire_flow_opts wire; /* how entries are encoded */
	struct engine_sink sink;
	uint32_t resend_queue_size; /* slots, and ends kept for a silent peer */
	uint32_t ack_window;        /* messages received before an ACK */
	uint32_t first_seq;         /* random */
	uint64_t node;              /* random, not 0: this life of ours */
	uint8_t name[EXT_NAME_SIZE]; /* the same over restarts */
};

/* NULL if there is no memory. */
struct engine *ftfw_new(const struct ftfw_opts *opts, int64_t now_ms);

#endif
