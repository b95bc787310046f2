/* SPDX-License-Identifier: ISC */
/* polling.h - when the kernel's table is looked at in place of events. */
#ifndef POLLING_H
#define POLLING_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed but for period_ms: none has begun. */
struct polling {
	int64_t period_ms; /* PollSecs: from one begin to the next; 0: events
			    * are read, and nothing is polled */
	int64_t began_ms;
	bool has_failed; /* the last one */
};

/* One begins; the dump at the start is the first. */
void polling_begins(struct polling *p, int64_t now_ms);

/* It has ended; is_good: with success. When the next one begins: in time, or,
 * if that is past, after a rest. */
int64_t polling_ended(struct polling *p, bool is_good, int64_t now_ms);

#endif
