/* SPDX-License-Identifier: ISC */
/* log_keeper.h - what a log needs while the daemon runs: lines that its reader
 * did not take at once are written later, a rotated file is opened anew. */
#ifndef LOG_KEEPER_H
#define LOG_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct log_keeper {
	struct loop *loop;
	const char *file;   /* the caller's; "" if there is none */
	struct timer timer; /* lines wait for their reader */
	int64_t wait_ms;
	bool is_old; /* the file could not be opened anew */
};

void log_keeper_init(struct log_keeper *k, struct loop *loop, const char *file);
void log_keeper_fini(struct log_keeper *k); /* accepts a zeroed one */

/* At the end of each turn of the loop. */
void log_keeper_turn(struct log_keeper *k);
/* Opens the file anew, whoever owns it now: where that was kept of root's
 * rights. */
void log_keeper_reopen(struct log_keeper *k);
/* Once a second: tries again what has failed, for until then lines go where
 * nobody may look for them any more. */
void log_keeper_second(struct log_keeper *k);

#endif
