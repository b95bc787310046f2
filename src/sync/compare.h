/* SPDX-License-Identifier: ISC */
/* compare.h - what the kernel has, against what a peer has told: which of both
 * is to be there. No state, no kernel. */
#ifndef SYNC_COMPARE_H
#define SYNC_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/flow_cache.h"

/* What has made it so. But for a commit it is a message of a peer that has just
 * come: this kernel may know better, by the rules of ARCHITECTURE.md 3. */
enum wanted_by {
	WANTED_BY_COMMIT,
	WANTED_BY_NEW,
	WANTED_BY_UPDATE,
	WANTED_GONE, /* by DEL: it is not to be there */
};

/* What is to be in the kernel. */
struct wanted {
	struct flow flow; /* with a timeout, unless it is WANTED_GONE */
	uint32_t told_s;  /* the peer's last word on it, monotonic seconds */
	bool has_master;  /* its master is known elsewhere: it can be had */
	uint8_t by;       /* enum wanted_by */
};

/* An entry of the kernel's. */
struct there {
	struct flow flow;
	int64_t age_s; /* how long it had been so when this became known */
};

enum comparison {
	COMPARE_UPDATE,       /* it is the same connection */
	COMPARE_UPDATE_NEWER, /* likewise, and it has gone on here since */
	COMPARE_REPLACE,      /* it gives way */
	COMPARE_NEXT_LIFE,    /* it is newer than what was told, and stays */
	COMPARE_ANOTHER,      /* it only has a tuple in common, and stays */
	COMPARE_END,          /* it is what is to go */
};

/* internal: the mirror's cache, or NULL; known: its entry of the flow that is
 * there, or FLOW_CACHE_NO_ID. */
enum comparison compare_flows(const struct wanted *wanted,
			      const struct there *there,
			      struct flow_cache *internal, uint32_t known);

/* The update that makes what is there what is wanted, as far as the kernel
 * takes it; is_newer: without what has happened there since. */
void compare_update(const struct wanted *wanted, const struct there *there,
		    bool is_newer, struct flow *out);

#endif
