/* SPDX-License-Identifier: ISC */
/* show_counters.h - the answer to -s counters: a walk over the table of
 * counters, one line for each value. */
#ifndef CLI_SHOW_COUNTERS_H
#define CLI_SHOW_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "cli/counters.h"

enum { SHOW_COUNTER_MAX = 512 }; /* room for any line */

/* Where the walk is; zeroed at the start. */
struct counter_walk {
	unsigned int row; /* of the table */
	size_t subject;   /* of the set */
};

/* Appends the next line, `name{label="value",...} number`, without newlines or
 * quotes from labels. False, and nothing written, when all are. */
NODISCARD bool show_counters_next(const struct counter_set *s,
				  struct counter_walk *walk, struct wr *out);

#endif
