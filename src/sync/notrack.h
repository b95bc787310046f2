/* SPDX-License-Identifier: ISC */
/* notrack.h - the NOTRACK mode: what is sent is forgotten, nobody acknowledges
 * it. Nodes of our own see by the numbers that they miss something, and are
 * told all in a bulk. */
#ifndef SYNC_NOTRACK_H
#define SYNC_NOTRACK_H

#include "sync/lives.h"

/* queue_size of the options counts for nothing. NULL if there is no memory. */
struct engine *notrack_new(const struct lives_opts *opts, int64_t now_ms);

#endif
