/* SPDX-License-Identifier: ISC */
/* overrun.h - when a dump repairs what was lost with events. */
#ifndef OVERRUN_H
#define OVERRUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"

enum {
	OVERRUN_SETTLE_MS = 250,  /* without a loss: it has ended */
	OVERRUN_FIRST_MS = 1000,  /* the first repair does not wait longer */
	OVERRUN_MOST_MS = 30000,  /* nor any other, though losses go on */
	OVERRUN_CALM_MS = 120000, /* without a loss: the next is a first one */
};

struct overrun {
	int64_t fixed_ms;    /* NetlinkOverrunResync: after the first loss; 0:
			      * as above; -1: never */
	int64_t interval_ms; /* from one repair to the next */
	int64_t first_ms;    /* of the losses that no repair has followed; while
			      * one is under way: of those since it began */
	int64_t repaired_ms;
	bool is_waiting;   /* there were such losses */
	bool is_repairing; /* a dump is under way */
};

void overrun_init(struct overrun *o, int64_t fixed_ms);

/* Something was lost. When its repair is due, from now on; TIMER_NEVER: not at
 * all, or after the one that is under way. */
int64_t overrun_lost(struct overrun *o, int64_t now_ms);

/* The repair begins. */
void overrun_begins(struct overrun *o);

/* It has ended; is_good: with success. When the next one is due. */
int64_t overrun_ended(struct overrun *o, bool is_good, int64_t now_ms);

#endif
