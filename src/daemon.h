/* SPDX-License-Identifier: ISC */
/* daemon.h - the daemon as a whole: the composition root. It builds every part,
 * connects them, and runs the loop. */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/filter.h"
#include "base/log.h"
#include "cache/flow_cache.h"
#include "commands.h"
#include "kernel_side.h"
#include "links.h"
#include "privileges.h"
#include "process.h"
#include "sync/node.h"

/* What each part is to be told, without what only other parts know. Strings and
 * arrays are the caller's. */
struct daemon_opts {
	bool is_background;  /* in a child: the first process ends when it
			      * serves */
	bool has_manager;    /* a service manager is to be told */
	bool asks_at_start;  /* the peers for all they have */
	bool tells_at_start; /* them all that there is */
	bool has_no_mode;    /* the file names none */
	bool injects;        /* there is no external cache */
	struct log_opts log;
	struct process_lock_opts lock;
	enum process_policy policy;
	uint32_t priority; /* of a policy other than nice */
	struct privileges_opts privileges;
	const char *socket_path;
	struct filter_opts filter;
	struct flow_cache_opts cache; /* both; the key is chosen here */
	/* Of the node but for its caches, id and first number. */
	struct node_opts node;
	node_engine_fn *engine; /* its mode */
	struct kernel_side_opts kernel;
	struct links_opts links;
	struct commands_opts commands;
	uint32_t error_queue_len; /* shown, for readers of -s queue */
};

/* Runs the daemon until it is told to end: logs, locks, sockets, everything.
 * Returns the exit status of the process. */
int daemon_main(const struct daemon_opts *opts);

#endif
