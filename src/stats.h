/* SPDX-License-Identifier: ISC */
/* stats.h - the values of the -s answers, gathered from the parts. */
#ifndef STATS_H
#define STATS_H

#include "base/buf.h"
#include "sources.h"

/* Appends the answer to a -s request (enum ctl_code). False, and nothing
 * written, if it is none of those that are made of values. */
NODISCARD bool stats_show(const struct sources *from, int code, struct wr *out);

#endif
