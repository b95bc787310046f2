/* SPDX-License-Identifier: ISC */
/* order.h - the numbers of one peer's messages: which of them are taken, what
 * is to be acknowledged, and what was missed. */
#ifndef SYNC_ORDER_H
#define SYNC_ORDER_H

#include <stdbool.h>
#include <stdint.h>

/* Numbers in a row, both ends included; to is not before from. */
struct seq_run {
	uint32_t from, to;
};

enum { ORDER_RUNS = 16 };

/* A zeroed one has received nothing. */
struct order {
	bool is_set;    /* first and last are valid */
	uint32_t first; /* number of the first accepted message */
	uint32_t last;  /* number of the last accepted message */

	/* What came, in order; what lies between two runs was missed. Newest
	 * last, the oldest are forgotten. They are told with every
	 * acknowledgement, so that one that is lost is made up for by the
	 * next. */
	struct seq_run runs[ORDER_RUNS];
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

	/* Of order_judge(): */
	bool last_was_hello;    /* the last accepted message said HELLO */
	uint32_t hello_first;   /* first number of that run of HELLOs */
	uint32_t n_refused_row; /* messages in a row, with numbers in a row,
				 * that were not accepted */
	uint32_t refused_next;  /* number that would continue the row */
	bool has_wild;          /* wild is valid */
	uint32_t wild;       /* a number far ahead that nothing has confirmed */
	int64_t in_order_ms; /* when the last message was accepted */
};

/* A message, and what its place in the order depends on besides. */
struct order_msg {
	uint32_t seq;
	bool is_hello; /* it says HELLO */
	bool is_node;  /* the sender is a node of ours: its id is its life, and
			* HELLO does not begin another */
	/* Of a node of ours: */
	bool has_id;          /* the message says its id, */
	bool is_content;      /* and that it lacks no answer of ours */
	bool is_plain;        /* it is one that only a reference says */
	int64_t announced_ms; /* when the id was last said */
};

enum order_verdict {
	ORDER_NEXT,
	ORDER_GAP,     /* what lies between is missed */
	ORDER_LATE,    /* a duplicate, or overtaken: to be dropped */
	ORDER_WILD,    /* far ahead, not confirmed: to be dropped, and asked for
			* anew with the gap if it was right */
	ORDER_RESTART, /* the sender has started anew, or other numbers */
};

/* Says what becomes of a message. Nothing is taken by that: order_miss() and
 * order_take() follow, or a zeroed order in place of this one. */
enum order_verdict order_judge(struct order *o, const struct order_msg *m,
			       int64_t now_ms);

/* Message seq is accepted, and what lies between it and the last one was
 * missed. due_ms: when to ask for that. Returns how many were missed. Before
 * order_take(). */
uint32_t order_miss(struct order *o, uint32_t seq, int64_t due_ms);

/* A data message is accepted. True: as many as window have not been
 * acknowledged. Before order_take(). */
bool order_fills(struct order *o, uint32_t window);

/* The message is accepted. ack_due_ms: when it is to be acknowledged at the
 * latest, INT64_MAX: not for its own sake. */
void order_take(struct order *o, const struct order_msg *m, int64_t ack_due_ms,
		int64_t now_ms);

/* The sender said that it holds nothing before this number:
 * what was missed before it need not be asked for. What it holds though we
 * have it, or have asked for it, is acknowledged, or asked for, again, but not
 * within again_ms. */
void order_held(struct order *o, uint32_t oldest, int64_t again_ms,
		int64_t now_ms);

/* What is due at the earliest; INT64_MAX: nothing. */
int64_t order_due_ms(const struct order *o);

/* All runs were told. */
void order_acked(struct order *o, int64_t now_ms);
/* What was unasked is asked for. */
void order_asked(struct order *o, int64_t again_ms, int64_t now_ms);
/* The first run was told to one that keeps no account of what it hears twice:
 * all but the last one are forgotten when they were told once. */
void order_told(struct order *o, int64_t now_ms);

/* The same node was heard from another place, as if it were a second one, from
 * its number other->first on. */
void order_join(struct order *o, const struct order *other, int64_t now_ms);

#endif
