/* SPDX-License-Identifier: ISC */
/* stats.h - the values of all counters, gathered from their owners, and what
 * else -s shows. */
#ifndef STATS_H
#define STATS_H

#include "base/buf.h"
#include "cli/counters.h"
#include "sources.h"

/* The values as of now; free() is their end. NULL if there is no memory. */
struct counter_set *stats_gather(const struct sources *from);

/* The answer to a -s request (enum ctl_code) from such a set, into out. False:
 * it is none of show_stats(). */
NODISCARD bool stats_show(const struct sources *from,
			  const struct counter_set *set, int code,
			  struct wr *out);

#endif
