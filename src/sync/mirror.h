/* SPDX-License-Identifier: ISC */
/* mirror.h - the internal cache as the mirror of the kernel's table. Events,
 * rows of dumps and answers to questions come here, some older than others;
 * what is newer counts, and where they leave a doubt the kernel is asked. */
#ifndef SYNC_MIRROR_H
#define SYNC_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/filter.h"
#include "base/kernel_ops.h"
#include "cache/flow_cache.h"
#include "netlink/ct_kernel.h"
#include "sync/engine.h"

/* The sets of the cache, which nobody else changes. */
enum mirror_set {
	SET_MET,     /* by the dump, or by an event or answer since it began */
	SET_ASKED,   /* to be asked for soon */
	SET_DOUBTED, /* known by a dump only: its end may never be told */
	SET_SHIFTED, /* a NAT helper may shift its numbers, which is not told */
	SET_INJECTED, /* its last change was a peer's message */
	SET_FLUSHED,  /* polled: our flush has deleted it, and it is not back */
};

/* What the kernel has told is newer than a message of a peer for so long, or up
 * to a second more: they have crossed. */
enum { MIRROR_OWN_S = 2 };

struct mirror_opts {
	struct flow_cache *cache;
	const struct filter *filter;
	bool is_polled; /* no events come: see mirror_poll_begins() */
	/* For questions, with the id of the entry as cookie. The answers go to
	 * mirror_answer(), those of a batch before the submit() or finish()
	 * that sends it returns (see ct_asker_open()). */
	const struct kernel_ops *kernel;
	/* Whether the entry that was put or killed is to be told. */
	void (*touch)(void *ctx, uint32_t id, enum touch how);
	void *ctx;
};

enum mirror_phase {
	MIRROR_SETTLED,
	MIRROR_ROWS,  /* a dump is running */
	MIRROR_SWEEP, /* what it has not met is looked for */
	MIRROR_ASK,   /* and asked for */
};

struct mirror_stats {
	uint64_t n_filtered;                     /* events */
	uint64_t traffic_bytes, traffic_packets; /* of flows that have ended */
};

struct mirror {
	struct mirror_opts o;
	uint32_t now_s; /* of the call that is running */
	enum mirror_phase phase;
	enum touch new_how; /* whether a flow that the dump finds is told */
	uint32_t sweep_position, ask_position, look_position;
	uint32_t doubt_position, shift_position;
	uint32_t doubts_per_s;
	uint32_t n_doubted_gone; /* of those asked in this second */
	/* The kernel takes no questions just now: until the next second. */
	bool is_paused;
	bool has_failed; /* a question of this round of MIRROR_ASK */
	struct mirror_stats stats;
};

void mirror_init(struct mirror *m, const struct mirror_opts *o);

/* An event, in the order in which they are read. now_s: monotonic seconds. */
void mirror_event(struct mirror *m, enum flow_event type,
		  enum flow_origin origin, const struct flow *f,
		  uint32_t now_s);

/* A dump is requested; how: whether flows that it finds are told. Changes and
 * ends always are. One at a time. */
void mirror_dump_begins(struct mirror *m, enum touch how);
/* The same, when dumps come in place of events (PollSecs): what is new is told,
 * and what was flushed lives on. */
void mirror_poll_begins(struct mirror *m);
/* A row of it, older than the events that were handled since. is_sure: none of
 * them was its end. */
void mirror_row(struct mirror *m, const struct flow *f, bool is_sure,
		uint32_t now_s);
/* Complete: what it has not met is asked for; settled when all is answered. */
void mirror_dump_ends(struct mirror *m, bool is_complete);
bool mirror_is_settled(const struct mirror *m);

/* Our own flush has deleted this row of the kernel's table: its entry lives on
 * here until its time is up, a dump does not find it (-R, and the repair of an
 * overrun: the peers are told then), or the kernel tells of it again. */
void mirror_flushed(struct mirror *m, const struct flow *row);

/* Whether mirror_work() has something to do at once; a piece of it. */
bool mirror_has_work(const struct mirror *m);
void mirror_work(struct mirror *m, uint32_t now_s);

/* Once a second: asks for some of those whose end or change may come untold.
 * Its cost does not grow with the table. */
void mirror_second(struct mirror *m, uint32_t now_s);

/* A kernel_done_fn with the mirror as its context. */
void mirror_answer(void *ctx, enum kernel_op op, uint32_t id, int error,
		   const struct flow *found);

#endif
