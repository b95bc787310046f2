/* SPDX-License-Identifier: ISC */
/* losses.h - what had to be refused for lack of room or memory: said at once,
 * then once a minute at most. */
#ifndef LOSSES_H
#define LOSSES_H

#include <stdint.h>

#include "sources.h"

enum { LOSSES_N = 14 }; /* ways to lose something */

/* Zeroed: nothing was told yet. */
struct losses {
	struct loss {
		uint64_t n_told;
		int64_t quiet_until_ms;
	} of[LOSSES_N];
};

/* Once a second: tells what was refused since it was last told. */
void losses_tell(struct losses *l, const struct sources *from, int64_t now_ms);

#endif
