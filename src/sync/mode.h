/* SPDX-License-Identifier: ISC */
/* mode.h - the synchronisation modes, each as the function that makes its
 * engine for a node. */
#ifndef SYNC_MODE_H
#define SYNC_MODE_H

#include "sync/node.h"

/* FT-FW: what is sent is held until it is acknowledged. */
struct engine *mode_ftfw(const struct node_opts *opts,
			 const struct engine_sink *sink, int64_t now_ms);

/* NOTRACK: nobody is waited for. */
struct engine *mode_notrack(const struct node_opts *opts,
			    const struct engine_sink *sink, int64_t now_ms);

/* ALARM: what is told is told again within RefreshTime, for ever. */
struct engine *mode_alarm(const struct node_opts *opts,
			  const struct engine_sink *sink, int64_t now_ms);

#endif
