/* SPDX-License-Identifier: ISC */
/* idle.h - idle clusters on links that lose. */
#ifndef SOAK_IDLE_H
#define SOAK_IDLE_H

#include "play.h"

/* True if 2 to 8 idle nodes on a link that loses up to 30 % of all datagrams
 * send at most 5 datagrams a second each, lose no entry, and have all of each
 * other's once the link is good. */
bool play_idle(uint64_t seed, const struct play_opts *o, char why[WHY_SIZE]);

#endif
