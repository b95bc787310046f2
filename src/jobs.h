/* SPDX-License-Identifier: ISC */
/* jobs.h - the commands that take time, one after the other in the order they
 * came: what one of them makes, no other takes away meanwhile. */
#ifndef JOBS_H
#define JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

enum { JOBS_MAX = 128 }; /* that wait or run: as many as clients */

/* What a job does. Its end is told by jobs_end(), maybe from inside of these.
 */
struct job_kind {
	void (*start)(void *ctx, int code);
	/* A piece of it; true: more can be done at once. NULL: nothing, others
	 * do it. */
	bool (*work)(void *ctx);
};

struct jobs_opts {
	/* Whether a client still waits. */
	bool (*is_wanted)(void *ctx, uint64_t client);
	/* It is answered: status 0 to 255; reason may be NULL. */
	void (*answer)(void *ctx, uint64_t client, int status,
		       const char *reason);
	/* jobs_work() has something to do. */
	void (*has_work)(void *ctx);
	void *ctx;
};

struct job;

/* A zeroed one with o set is empty. */
struct jobs {
	struct jobs_opts o;
	struct job *first; /* the one that runs, or is the next to */
	unsigned int n;
	bool is_started; /* the first one */
};

/* Appends one. ctx and code are what its kind is called with; name: as the log
 * has it, static; client: who waits for the end, 0: nobody. If there is no
 * room, after those have gone that nobody waits for, or no memory, the client
 * is told so, exit 1. */
void jobs_add(struct jobs *j, const struct job_kind *kind, void *ctx, int code,
	      const char *name, uint64_t client);

/* The kind of the one that runs; NULL: none. */
const struct job_kind *jobs_running(const struct jobs *j);

/* The one that runs has ended: whoever waits hears of it. */
void jobs_end(struct jobs *j, int status, const char *reason);

/* Takes those of a kind that do not run yet out of the queue. True if there
 * were any. */
bool jobs_drop(struct jobs *j, const struct job_kind *kind);

/* Starts the next one, or does a piece of the one that runs; true: more can be
 * done at once. */
bool jobs_work(struct jobs *j);

/* Forgets all; nobody is told. */
void jobs_fini(struct jobs *j);

#endif
