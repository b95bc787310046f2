/* SPDX-License-Identifier: ISC */
/* kernel_flush.h - one of the kernel's tables, flows or expectations, emptied
 * by what a dump of it shows: each row is deleted, that life and no other, no
 * faster than the kernel takes it. What the filters refuse stays. The caches
 * are not emptied. */
#ifndef SYNC_KERNEL_FLUSH_H
#define SYNC_KERNEL_FLUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/expect_filter.h"
#include "base/filter.h"
#include "base/kernel_ops.h"
#include "sync/mirror.h"

struct kernel_flush_opts {
	const struct filter *filter;
	const struct expect_filter *expect_filter;
	/* Is told of what was deleted: nobody asks for that any more. NULL:
	 * there is no internal cache. */
	struct mirror *mirror;
	/* Whose answers go to kernel_flush_done(). */
	const struct kernel_ops *kernel;
};

struct kernel_flush_report {
	int error; /* of the dump: 0 or a negative errno value */
	uint32_t n_refused;
	int refused_error; /* negative errno value of the last one */
};

/* A row of a table. */
struct kernel_flush_row {
	enum object_kind kind;
	union {
		struct flow flow;
		struct expect expect;
	};
};

/* A zeroed one with o set is idle. */
struct kernel_flush {
	struct kernel_flush_opts o;
	bool is_running; /* until the last answer is in */
	bool is_at_end;  /* no more rows come */
	/* Those that the kernel side had no room for. */
	struct kernel_flush_row *rows;
	size_t n_rows, size, next;
	uint32_t n_in_flight;
	struct kernel_flush_report report;
};

/* Frees what it keeps. Accepts a zeroed one. */
void kernel_flush_fini(struct kernel_flush *f);

/* A dump has been asked for. */
void kernel_flush_begin(struct kernel_flush *f);

/* A row of it. False: it is kept, for the kernel side has no room; no more rows
 * are wanted until kernel_flush_step() says so. Those that come nevertheless
 * are kept too. */
bool kernel_flush_row(struct kernel_flush *f, const struct flow *row);
bool kernel_flush_expect(struct kernel_flush *f, const struct expect *row);

/* The dump has ended, with 0 or a negative errno value. */
void kernel_flush_rows_end(struct kernel_flush *f, int error);

/* What waits is not deleted any more, and no rows come: ends when the answers
 * to what is under way are in. */
void kernel_flush_stop(struct kernel_flush *f);

enum kernel_flush_state {
	KERNEL_FLUSH_IDLE,  /* nothing runs */
	KERNEL_FLUSH_WAITS, /* for answers of the kernel */
	KERNEL_FLUSH_ROWS,  /* for rows */
	KERNEL_FLUSH_ENDED, /* with this call: the report is complete */
};
/* Goes on as far as it can: after every answer, and after the end of rows. */
enum kernel_flush_state kernel_flush_step(struct kernel_flush *f);

/* A kernel_done_fn with the flush as its context. */
void kernel_flush_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		       const struct flow *found);

#endif
