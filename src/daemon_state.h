/* SPDX-License-Identifier: ISC */
/* daemon_state.h - private to the daemon_*.c files: everything that lives as
 * long as the process, and what one of them does for another. */
#ifndef DAEMON_STATE_H
#define DAEMON_STATE_H

#include "base/filter.h"
#include "base/loop.h"
#include "base/names.h"
#include "cache/flow_cache.h"
#include "cli/ctl_server.h"
#include "cli/show_stats.h"
#include "conf/conf.h"
#include "links.h"
#include "netlink/ct_kernel.h"
#include "overrun.h"
#include "process.h"
#include "sync/commit.h"
#include "sync/mirror.h"
#include "sync/node.h"

enum {
	LOSSES_N = 8, /* rows of daemon_losses.c */
};

struct daemon;

/* What a dump of the kernel's table is for. */
enum dump_use {
	DUMP_NONE,
	DUMP_START,   /* fills the internal cache, nothing is sent */
	DUMP_REQUEST, /* -R: the same */
	DUMP_OVERRUN, /* events were lost: what differs is sent */
	DUMP_FLUSH,   /* -F, -t: each row is deleted from the kernel */
};

/* -F, -t: what a dump shows is deleted, no faster than the writer takes it. */
struct kernel_flush {
	bool is_running;   /* until the last answer is in */
	bool is_at_end;    /* no more rows come */
	struct flow *rows; /* that the writer had no room for */
	size_t n_rows, size, next;
	int error; /* of the dump */
	uint32_t n_refused;
	int refused_error; /* of the last one */
};

/* The internal cache against the kernel's table. */
struct kernel_side {
	struct ct_kernel *ct;
	struct ct_writer *commit_writer, *flush_writer, *asker;
	struct mirror mirror;
	enum dump_use dump;      /* until the mirror has settled */
	unsigned int dumps_next; /* bits of those asked for meanwhile */
	struct overrun overrun;
	struct timer overrun_timer;
	uint64_t n_refused; /* by the full cache, when a repair was asked for */
	struct kernel_flush flush;
	uint32_t buffer_bytes; /* of the event socket, as it was told */
	bool has_warned;       /* of lost events, since the last repair */
	uint64_t n_flushes, n_resyncs;
};

struct job;

/* The commands that take time: one runs, the others wait, oldest first. */
struct job_side {
	struct job *first;
	unsigned int n;
	bool is_started; /* the first one */
	/* a flush of caches: what is left of it */
	bool flushes_internal, flushes_external;
	uint32_t flush_position;
	int64_t commit_since_us;
	struct timer purge_timer; /* -t */
	bool is_purge_off;        /* the running purge is called off */
};

struct control_side {
	struct ctl_server *server;
	uint64_t kill_client; /* 0: none */
	struct job_side jobs;
};

/* What was said of one way to lose something. */
struct loss {
	uint64_t n_told;
	int64_t quiet_until_ms;
};

struct daemon {
	const struct conf *conf;
	bool is_background;
	struct process process;
	struct loop *loop;
	struct names *helpers, *contexts;
	struct filter *filter;
	struct flow_cache *internal, *external_cache;
	struct node *node;
	struct commit *commit;
	struct kernel_side kernel;
	struct links *links;
	struct control_side control;
	struct deferred work;   /* pieces of long walks */
	struct timer second;    /* comes every second */
	struct timer log_timer; /* lines wait for their reader */
	int64_t log_wait_ms;
	bool is_log_old; /* the file could not be opened anew */
	struct loss losses[LOSSES_N];
	struct timer watchdog;
	int64_t watchdog_ms; /* 0: none */
	int64_t started_ms;
	bool is_filled;  /* the internal cache, by the first dump */
	bool is_running; /* it serves */
	int exit_status;
};

/* Monotonic seconds, as the caches count them. */
static inline uint32_t daemon_now_s(const struct daemon *d)
{
	return (uint32_t)(loop_now_ms(d->loop) / 1000);
}

/* Has the pieces of work done until all are. */
void daemon_work_later(struct daemon *d);

/* daemon_build.c: what runs without I/O. 0 or a negative errno value, logged;
 * daemon_unbuild() in both cases. */
NODISCARD int daemon_build(struct daemon *d);
/* Once the kernel side is open. */
NODISCARD int daemon_build_commit(struct daemon *d);
void daemon_unbuild(struct daemon *d);

/* daemon.c: the first dump has ended. */
void daemon_started(struct daemon *d, int error);

/* daemon_kernel.c. Errors are logged where they happen. */
NODISCARD int kernel_side_open(struct daemon *d);
void kernel_side_close(struct daemon *d);
/* Entries that a dump does not meet are dead. One at a time: another one waits
 * for the end of the running one. The end, and failure, is told to
 * daemon_started() or job_side_dump_ended(). */
void kernel_side_dump(struct daemon *d, enum dump_use use);
/* Ends the dump of a flush, or takes it off those that wait; nobody is told. */
void kernel_side_stop_flush(struct daemon *d);
/* A piece of the walks that are under way; true: more can be done at once. */
bool kernel_side_work(struct daemon *d);
/* Once a second. */
void kernel_side_second(struct daemon *d);
/* The entry goes without a word to the peers. */
void kernel_side_forget_entry(struct daemon *d, uint32_t id);

/* daemon_flush.c. 0 or a negative errno value. */
NODISCARD int flush_side_open(struct daemon *d);
void flush_side_close(struct daemon *d);
/* Deletes all that passes the filter from the kernel's table; the end is told
 * to job_side_flush_ended(). */
void flush_side_start(struct daemon *d);
/* Ends it early; a batch or two of deletions may be under way. */
void flush_side_stop(struct daemon *d);
/* Of a dump for it: a row that the filter accepts (id: of the internal cache,
 * or FLOW_CACHE_NO_ID), and its end. */
void flush_side_row(struct daemon *d, uint32_t id, const struct flow *row);
void flush_side_dump_ended(struct daemon *d, int error);
void flush_side_work(struct daemon *d);

/* daemon_ctl.c */
NODISCARD int control_side_open(struct daemon *d);
/* No new clients, and the socket file is gone. */
void control_side_stop(struct daemon *d);
void control_side_close(struct daemon *d);
void control_side_finish(struct daemon *d, uint64_t client, int status,
			 const char *reason); /* client may be 0 */

/* daemon_jobs.c */
void job_side_open(struct daemon *d);
void job_side_close(struct daemon *d); /* whoever waits is cut off */
/* The request of a client that waits for the end: when those before it have
 * ended. */
void job_side_add(struct daemon *d, uint64_t client, int code);
/* -t: a flush in PurgeTimeout seconds, for which the client does not wait. */
void job_side_schedule_purge(struct daemon *d, uint64_t client);
/* A piece of the running one; true: more can be done at once. */
bool job_side_work(struct daemon *d);
void job_side_dump_ended(struct daemon *d, int error); /* DUMP_REQUEST */
void job_side_flush_ended(struct daemon *d, const struct kernel_flush *flush);
void job_side_commit_ended(void *ctx, const struct commit_report *report);

/* daemon_losses.c: tells what was refused since it last did. */
void daemon_tell_losses(struct daemon *d);

/* daemon_stats.c: the answer to a -s request, into out. False: not ours. */
bool daemon_show_stats(struct daemon *d, int code, struct wr *out);

#endif
