/* SPDX-License-Identifier: ISC */
/* external.h - the external cache as the peers fill it: which message does
 * what, and what a proven bulk takes away. */
#ifndef SYNC_EXTERNAL_H
#define SYNC_EXTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/flow_cache.h"
#include "sync/expiry.h"
#include "sync/roster.h"
#include "sync/wire_flow.h"

/* A zeroed one with cache and wire set is ready. */
struct external {
	struct flow_cache *cache; /* the caller's */
	struct wire_flow_opts wire;
	bool has_expectations; /* false: what is told of them is ignored */
	struct wire_flow_stats wire_stats;
	const struct roster *peers; /* whose liveness protects entries */
	/* NULL: entries stay until their end is told, or they are swept. With
	 * it, nothing is swept or merged. */
	struct expiry *expiry;

	/* Walks over the cache, in steps: entries of an owner that are older
	 * than a generation go; those of an owner that was merged into another
	 * one get the new one. */
	uint64_t sweeping, merging;  /* owners of the running walk */
	uint64_t to_sweep, to_merge; /* owners of the next one */
	uint32_t keep[PEER_MAX];     /* generation that stays, by owner */
	struct external_merge {
		uint8_t owner;       /* the new one */
		uint32_t until;      /* up to this generation of the old one */
		uint32_t generation; /* of the new one */
	} merges[PEER_MAX];          /* by old owner */
	uint32_t position;

	uint64_t n_swept;
	uint64_t n_not_owner; /* ends told by somebody else than a live owner */
};

/* Applies a data message of a peer. VERDICT_OK, _BAD_PAYLOAD, _NO_ROOM, or
 * _IGNORED for what is not kept. */
enum verdict external_data(struct external *x, const struct peer *from,
			   const struct msg *m, int64_t now_ms);

/* What this peer owns of an older generation than its present one goes, in
 * steps. */
void external_sweep(struct external *x, const struct peer *owner);

/* What owner number had told up to this generation is p's, as told in its
 * present generation. */
void external_merge(struct external *x, uint8_t number, uint32_t generation,
		    const struct peer *p);

/* True unless the cache is nearly full: it may take what it refused. */
bool external_has_room(const struct external *x);

/* Does a bounded piece of the walks. True if more is left. */
bool external_step(struct external *x);

#endif
