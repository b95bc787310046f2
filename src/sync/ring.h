/* SPDX-License-Identifier: ISC */
/* ring.h - what we have sent and is not yet acknowledged: one slot a number,
 * holding a 32-bit reference and the set of peers that owe an acknowledgement.
 */
#ifndef SYNC_RING_H
#define SYNC_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

enum ring_kind {
	RING_NONE, /* nothing is held under this number */
	RING_FLOW, /* id of an entry of the internal flow cache */
	RING_CTL,  /* first element of a chain in the control pool */
};

struct ring_ref {
	enum ring_kind kind;
	uint32_t id; /* below 2^28 */
};

/* Opaque but for the numbers: held are first..next - 1. */
struct ring {
	uint32_t first;    /* oldest number that holds something, or next */
	uint32_t next;     /* number of the next message */
	uint32_t mask;     /* slots - 1 */
	uint32_t *refs;    /* kind in the high 4 bits */
	uint64_t *debtors; /* bit p: peer p has not acknowledged this number */
};

/* slots: rounded up to a power of two, at least 4096. first: number of the
 * first message. 0 or -ENOMEM. */
NODISCARD int ring_init(struct ring *r, uint32_t slots, uint32_t first);
void ring_fini(struct ring *r); /* accepts a zeroed one */

/* Numbers between the oldest held and the next one: they need slots. */
static inline uint32_t ring_used(const struct ring *r)
{
	return r->next - r->first;
}

static inline uint32_t ring_free(const struct ring *r)
{
	return r->mask + 1 - ring_used(r);
}

/* Takes the next number for what ref names; there must be a free slot, unless
 * neither this nor any other number holds something. debtors: the peers
 * that are to acknowledge it. */
uint32_t ring_push(struct ring *r, struct ring_ref ref, uint64_t debtors);

/* What a number holds; RING_NONE for numbers outside first..next - 1. */
struct ring_ref ring_at(const struct ring *r, uint32_t n);
uint64_t ring_debtors(const struct ring *r, uint32_t n);
void ring_set_debtors(struct ring *r, uint32_t n, uint64_t debtors);

/* Empties a held slot; first moves on over empty slots. */
void ring_clear(struct ring *r, uint32_t n);

/* Cuts from..to (to not before from) to the numbers held. False: none are. */
NODISCARD bool ring_clip(const struct ring *r, uint32_t *from, uint32_t *to);

#endif
