/* SPDX-License-Identifier: ISC */
/* ct_tombs.h - remembers lives of entries while a dump runs: those that were
 * destroyed, so that rows read later do not bring them back; or those that a
 * row may be too old for. */
#ifndef NETLINK_CT_TOMBS_H
#define NETLINK_CT_TOMBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flow.h"
#include "base/util.h"

/* A zeroed one is empty and has room for max; it grows as it is filled. */
struct ct_tombs {
	uint64_t *slots;  /* 0: free */
	uint32_t n_slots; /* a power of two */
	uint32_t n;
	uint32_t max;
};

/* Remembers this life of an entry. False if there are max, or if there is no
 * memory: then it is not in the set, though those before are. */
NODISCARD bool ct_tombs_add(struct ct_tombs *t, const struct flow *f);
bool ct_tombs_has(const struct ct_tombs *t, const struct flow *f);

/* Forgets all and frees the memory; max stays. */
void ct_tombs_clear(struct ct_tombs *t);

#endif
