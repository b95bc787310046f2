/* SPDX-License-Identifier: ISC */
/* ct_kernel.h - the kernel's conntrack table: events, dumps, look-ups and
 * changes in batches, on sockets of their own. */
#ifndef NETLINK_CT_KERNEL_H
#define NETLINK_CT_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/expect.h"
#include "base/filter.h"
#include "base/flow.h"
#include "base/kernel_ops.h"
#include "base/loop.h"
#include "base/names.h"

struct ct_kernel;

enum flow_event { FLOW_EVENT_NEW, FLOW_EVENT_UPDATE, FLOW_EVENT_DESTROY };

/* Who caused an event: told by the netlink port in it (PROTOCOL.md 5.2). */
enum flow_origin {
	ORIGIN_OTHER, /* traffic, an administrator, another program */
	ORIGIN_COMMIT,
	ORIGIN_FLUSH,
	ORIGIN_INJECT,
	ORIGIN_N
};

enum ct_dump_end {
	CT_DUMP_COMPLETE,
	CT_DUMP_FAILED, /* an error that will not go away by itself */
};

/* Where decoded flows and expectations go. All are called from the loop. */
struct flow_sink {
	void *ctx;
	void (*event)(void *ctx, enum flow_event type, enum flow_origin origin,
		      const struct flow *f);
	/* NEW and DESTROY only. An expectation that is fulfilled, runs out or
	 * loses its master is destroyed: told before the flow that fulfils it,
	 * and after the end of the master. The zone is not told, and taken to
	 * be 0 (PROTOCOL.md 5.9). With opts.expectations only. */
	void (*expect_event)(void *ctx, enum flow_event type,
			     enum flow_origin origin, const struct expect *e);
	/* One row of the running dump, as it was some time since the dump
	 * started; what has ended since is left out already, if is_sure. An
	 * interrupted dump (NLM_F_DUMP_INTR) starts again by itself: rows may
	 * come twice. */
	void (*dumped)(void *ctx, const struct flow *f, bool is_sure);
	void (*expect_dumped)(void *ctx, const struct expect *e, bool is_sure);
	void (*dump_end)(void *ctx, enum ct_dump_end end);
	/* Events were lost, and all that came before has been handled, so that
	 * a dump from now on is newer. The buffer has grown if it may. */
	void (*overrun)(void *ctx);
};

struct ct_kernel_opts {
	struct loop *loop;
	struct names *helpers;   /* may be NULL: helper names are dropped */
	struct names *contexts;  /* may be NULL likewise */
	struct names *functions; /* of expectations; may be NULL likewise */
	const struct flow_sink *sink; /* copied */
	bool subscribes;              /* to events; what follows is on these */
	uint32_t buffer_bytes;        /* to begin with; 0: the system's */
	uint32_t buffer_max_bytes;    /* NetlinkBufferSizeMaxGrowth */
	uint32_t events_per_turn;     /* EventIterationLimit; not 0 */
	bool events_reliable;
	bool expectations; /* events of these too */
	/* What it refuses of events the kernel keeps back, if it can: see
	 * stats. NULL: nothing. */
	const struct filter *event_filter;
	bool wants_commits;       /* hears of what ORIGIN_COMMIT creates */
	bool tcp_window_tracking; /* TCPWindowTracking: see ct_codec.h */
};

struct ct_kernel_stats {
	uint64_t n_events, n_events_unknown, n_event_errors;
	uint64_t n_dump_unknown;
	uint64_t n_overruns;
	uint64_t n_malformed;  /* kernel messages we could not decode */
	uint64_t n_foreign;    /* messages that are not from the kernel */
	uint32_t buffer_bytes; /* effective size as of now; 0: no events */
	bool is_buffer_at_max; /* a wish to grow was refused */
	/* Why the kernel does not filter events, as a negative errno value (0:
	 * it does), and how many instructions that takes. */
	int filter_error;
	uint32_t n_filter_insns;
};

/* Opens the sockets and subscribes to conntrack events, if it shall; nothing is
 * delivered before the loop runs. *failed names the step that failed, for the
 * log. 0 or a negative errno value. */
NODISCARD int ct_kernel_open(const struct ct_kernel_opts *opts,
			     struct ct_kernel **out, const char **failed);
void ct_kernel_close(struct ct_kernel *k); /* accepts NULL */

/* Starts a dump of the whole table of flows, or of that of expectations, in the
 * background, on its own socket, read in steps. -EBUSY if one of either kind is
 * running, or another negative errno value. */
NODISCARD int ct_kernel_dump(struct ct_kernel *k, enum object_kind kind);
/* Rows that are under way still come after this, one datagram at most (some
 * 150); may be called from sink.dumped. No effect without a dump. */
void ct_kernel_dump_pause(struct ct_kernel *k, bool is_paused);
/* Ends the dump, if there is one, without a call of sink.dump_end. Not from
 * inside the sink. */
void ct_kernel_dump_stop(struct ct_kernel *k);

const struct ct_kernel_stats *ct_kernel_stats(const struct ct_kernel *k);

/* A writer: its own socket, thus its own origin, and batches in flight one at
 * a time. done: see kernel_ops.h; done may submit. Operations keep their
 * order. For expectations see exp_codec.h; found is always NULL for them, a GET
 * tells whether it is there. What each error means: PROTOCOL.md 5.9. */
struct ct_writer;
NODISCARD int ct_writer_open(struct ct_kernel *k, enum flow_origin origin,
			     kernel_done_fn *done, void *ctx,
			     struct ct_writer **out);

/* The same for questions (KERNEL_GET) that are answered at once: Linux works a
 * batch off while it takes it, and done is called for all of it before the
 * submit() or finish() that sent it returns. So an answer is newer than every
 * event that was handled before, and no event is handled in between. What
 * cannot be sent just now is answered -EAGAIN, -ENOBUFS or -ENOMEM. Neither
 * done nor a flow_sink may submit. */
NODISCARD int ct_asker_open(struct ct_kernel *k, kernel_done_fn *done,
			    void *ctx, struct ct_writer **out);
void ct_writer_close(struct ct_writer *w); /* accepts NULL */
const struct kernel_ops *ct_writer_ops(struct ct_writer *w);

#endif
