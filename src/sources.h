/* SPDX-License-Identifier: ISC */
/* sources.h - the parts of the daemon that count something, for whoever shows
 * or tells what they have counted. */
#ifndef SOURCES_H
#define SOURCES_H

#include <stdint.h>

#include "base/loop.h"
#include "base/names.h"
#include "cache/flow_cache.h"
#include "cli/ctl_server.h"
#include "kernel_side.h"
#include "links.h"
#include "sync/node.h"

/* All borrowed. */
struct sources {
	const struct loop *loop;
	int64_t started_ms;
	const struct flow_cache *internal, *external; /* external: or NULL, */
	const struct inject *inject;                  /* and then this */
	const struct names *helpers, *contexts, *functions;
	const struct kernel_side *kernel;
	const struct links *links;
	struct node *node;
	const struct ctl_server *server;
	uint32_t resend_queue_size, error_queue_len;
};

#endif
