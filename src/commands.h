/* SPDX-License-Identifier: ISC */
/* commands.h - what the commands that take time do: commit, the flushes, -R,
 * and the purge that -t schedules. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "base/util.h"
#include "cache/flow_cache.h"
#include "jobs.h"
#include "kernel_side.h"

struct commands_opts {
	struct loop *loop;
	struct jobs *jobs; /* the caller's, as all here */
	struct kernel_side *kernel;
	/* NULL if there is none, which is as an empty one */
	struct flow_cache *internal, *external;
	bool has_expectations;     /* ExpectationSync */
	uint32_t commit_timeout_s; /* 0: what is left of the sender's */
	uint32_t purge_timeout_s;
	/* The job that runs can go on. */
	void (*has_work)(void *ctx);
	void *ctx;
};

struct commands;

/* 0 or a negative errno value, logged. */
NODISCARD int commands_open(const struct commands_opts *opts,
			    struct commands **out);
/* Before the kernel side, and when no job is left to run. Accepts NULL. */
void commands_close(struct commands *c);

/* The request (enum ctl_code) of a client, who waits for its end. False: it is
 * none of these. */
NODISCARD bool commands_add(struct commands *c, int code, uint64_t client);

/* -t: a flush in PurgeTimeout seconds, for which nobody waits. While one is
 * scheduled nothing changes. */
void commands_schedule_purge(struct commands *c);

#endif
