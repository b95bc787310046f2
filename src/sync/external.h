/* SPDX-License-Identifier: ISC */
/* external.h - the external cache as the peers fill it: which message does
 * what (spec 5.5), and what a proven bulk takes away. */
#ifndef SYNC_EXTERNAL_H
#define SYNC_EXTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/flow_cache.h"
#include "sync/peer.h"
#include "sync/wire_flow.h"

/* A zeroed one with cache and wire set is ready. */
struct external {
	struct flow_cache *cache; /* the caller's */
	struct wire_flow_opts wire;
	struct wire_flow_stats wire_stats;
	const struct peer_table *peers; /* whose liveness protects entries */

	/* Sweeps: entries of an owner that are older than a generation go. */
	uint64_t sweeping;      /* owners of the running walk */
	uint64_t waiting;       /* owners of the next one */
	uint8_t keep[PEER_MAX]; /* generation that stays, by owner */
	uint32_t position;

	uint64_t n_swept;
	uint64_t n_not_owner; /* ends told by somebody else than a live owner */
	uint64_t n_expect;    /* messages on expectations: not kept here */
};

/* Applies a data message of a peer. VERDICT_OK, _BAD_PAYLOAD, or _IGNORED for
 * what is not kept. */
enum verdict external_data(struct external *x, const struct peer *from,
			   const struct msg *m, int64_t now_ms);

/* What this peer owns of an older generation than its present one goes, in
 * steps. */
void external_sweep(struct external *x, const struct peer *owner);

/* Does a bounded piece of the sweeps. True if more is left. */
bool external_step(struct external *x);

#endif
