/* SPDX-License-Identifier: ISC */
/* tracker.h - the numbers we have received from one peer: in which order they
 * came, what is to be acknowledged, and what was missed (spec 4.3). */
#ifndef SYNC_TRACKER_H
#define SYNC_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers in a row, both ends included; to is not before from. */
struct seq_run {
	uint32_t from, to;
};

enum { TRACKER_RUNS = 16 };

/* A zeroed one has received nothing. */
struct tracker {
	bool is_set;    /* first and last are valid */
	uint32_t first; /* number of the first accepted message */
	uint32_t last;  /* number of the last accepted message */

	/* What came, in order; what lies between two runs was missed. Newest
	 * last, the oldest are forgotten. They are told with every
	 * acknowledgement, so that one that is lost is made up for by the
	 * next. */
	struct seq_run runs[TRACKER_RUNS];
	uint8_t n_runs;
	bool is_ack_due; /* ack_due_ms is valid */
	int64_t ack_due_ms;
	int64_t acked_ms;   /* when it was last acknowledged */
	uint32_t n_unacked; /* data messages since */

	/* What was missed and is not yet asked for, in one piece. */
	bool is_ask_due; /* unasked and ask_due_ms are valid */
	struct seq_run unasked;
	int64_t ask_due_ms;
	/* All that was missed and may still be held for us, in one piece; not
	 * asked for again before reask_ms. */
	bool has_gap;
	struct seq_run gap;
	int64_t reask_ms, reask_interval_ms;

	bool last_was_hello;    /* the last accepted message said HELLO */
	uint32_t hello_first;   /* first number of that run of HELLOs */
	uint32_t n_refused_row; /* messages in a row, with numbers in a row,
				 * that were not accepted */
	uint32_t refused_next;  /* number that would continue the row */
	bool has_wild;          /* wild is valid */
	uint32_t wild;       /* a number far ahead that nothing has confirmed */
	int64_t in_order_ms; /* when the last message was accepted */
};

/* Message seq is accepted, and what lies between it and the last one was
 * missed. due_ms: when to ask for that. Returns how many were missed. Before
 * tracker_take(). */
uint32_t tracker_miss(struct tracker *t, uint32_t seq, int64_t due_ms);

/* Message seq is accepted. ack_due_ms: when it is to be acknowledged at the
 * latest, INT64_MAX: not for its own sake. */
void tracker_take(struct tracker *t, uint32_t seq, int64_t ack_due_ms,
		  int64_t now_ms);

/* The sender said, in message seq, that it holds nothing before this number:
 * what was missed before it need not be asked for. What it holds though we
 * have it, or have asked for it, is acknowledged, or asked for, again, but not
 * within again_ms. */
void tracker_held(struct tracker *t, uint32_t oldest, int64_t again_ms,
		  int64_t now_ms);

/* What is due at the earliest; INT64_MAX: nothing. */
int64_t tracker_due_ms(const struct tracker *t);

/* All runs were told. */
void tracker_acked(struct tracker *t, int64_t now_ms);
/* What was unasked is asked for. */
void tracker_asked(struct tracker *t, int64_t again_ms, int64_t now_ms);
/* The first run was told to one that keeps no account of what it hears twice:
 * all but the last one are forgotten when they were told once. */
void tracker_told(struct tracker *t, int64_t now_ms);

/* The same node was heard from another place, as if it were a second one, from
 * its number other->first on. */
void tracker_join(struct tracker *t, const struct tracker *other,
		  int64_t now_ms);

#endif
