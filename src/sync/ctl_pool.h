/* SPDX-License-Identifier: ISC */
/* ctl_pool.h - control messages that wait to be sent or acknowledged: they are
 * referenced by id like cache entries, so a lost one can be sent anew. */
#ifndef SYNC_CTL_POOL_H
#define SYNC_CTL_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

enum ctl_kind { CTL_NACK, CTL_RESYNC, CTL_MARK };

struct ctl {
	uint32_t next;     /* next of the chain or queue; 0: last */
	uint8_t kind;      /* enum ctl_kind */
	uint8_t peer;      /* number of the receiver; NACK, MARK */
	uint8_t phase;     /* MARK: enum ext_phase */
	uint32_t from, to; /* NACK: the range; MARK: walk, entries */
	uint64_t node;     /* MARK: this life of the receiver */
};

/* A zeroed one is empty and valid. Ids are 1 and up. */
struct ctl_pool {
	struct ctl *all;
	uint32_t n_all;      /* elements that all has, [0] is unused */
	uint32_t first_free; /* 0: none */
};

/* First in, first out, through the next links. A zeroed one is empty. */
struct ctl_queue {
	uint32_t first, last;
	uint32_t n;
};

void ctl_pool_fini(struct ctl_pool *p);

/* A new element, a copy of c. 0 if there is no memory. */
NODISCARD uint32_t ctl_add(struct ctl_pool *p, const struct ctl *c);

/* Valid until the next ctl_add(). */
struct ctl *ctl_at(const struct ctl_pool *p, uint32_t id);

/* Frees an element and all that follow it. */
void ctl_free_chain(struct ctl_pool *p, uint32_t first);

/* Appends a chain, or takes the first element off (0: empty). */
void ctl_queue_append(struct ctl_queue *q, struct ctl_pool *p, uint32_t first);
uint32_t ctl_queue_pop(struct ctl_queue *q, struct ctl_pool *p);

#endif
