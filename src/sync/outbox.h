/* SPDX-License-Identifier: ISC */
/* outbox.h - what is to be told and was told: entries that have changed,
 * control messages, and all that was sent until it is acknowledged. It knows by
 * number who owes an acknowledgement for what, and what must be sent again. */
#ifndef SYNC_OUTBOX_H
#define SYNC_OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/queue.h"
#include "sync/ctl_pool.h"
#include "sync/engine.h"
#include "sync/ring.h"
#include "sync/roster.h"

/* Bits of entry_head.outbox. */
enum outbox_flag {
	OUTBOX_QUEUED = 1, /* it has changed, and waits to be sent */
	OUTBOX_KEPT = 2,   /* dead, its end is kept for a silent reference */
	OUTBOX_SENT = 4,   /* last_seq is a number of this life */
	OUTBOX_OWED = 8,   /* what was new in it is not acknowledged by all */
};

/* All who are waited for have heard how it is. */
static inline bool outbox_peers_know(const struct entry_head *h)
{
	return !(h->outbox & (OUTBOX_QUEUED | OUTBOX_OWED));
}

enum {
	OUTBOX_RESEND_MS = 3000, /* held so long without progress: sent again; a
				  * reference acknowledges after 1 s. Longer
				  * where the way is: outbox_resend_ms() */
	OUTBOX_RESEND_MOST_MS = 30000,
};

/* Whom it tells what becomes of what it holds. None of them calls the
 * outbox. */
struct outbox_sink {
	void *ctx;
	/* What told of this entry under number n was lost. */
	void (*lost)(void *ctx, uint32_t n, struct entry_head *h);
	/* The entry is about to be removed for good. */
	void (*removed)(void *ctx, struct entry_head *h);
	/* Peer p acknowledged a mark. */
	void (*mark_acked)(void *ctx, const struct peer *p,
			   const struct ctl *mark);
	/* Is a mark that was lost worth sending again? */
	bool (*mark_counts)(void *ctx, const struct ctl *mark);
};

struct outbox_opts {
	struct flow_cache *cache;    /* internal; outlives the outbox */
	const struct roster *roster; /* the same */
	struct outbox_sink sink;
	uint32_t size;      /* numbers held, and ends kept; see ring_init() */
	uint32_t first_seq; /* number of the first message */
};

/* What a peer owes us. */
struct outbox_peer {
	uint32_t n_debts;    /* numbers held that it has not acknowledged */
	uint32_t oldest;     /* none of them is before it */
	bool keeps_waiting;  /* it was demanded something, and has not answered
			      * all, though that may be sent again just now */
	int64_t progress_ms; /* since then, or since it last acknowledged the
			      * oldest */
	uint32_t progress_seq; /* our next number then */
	int64_t acked_ms;      /* it last acknowledged any of them */
	bool needs_first_ack;  /* numbers before its first ACK were not heard */
	bool has_acked;        /* acked_to is valid */
	uint32_t acked_to;     /* the last number that it has acknowledged */
	uint32_t rtt_ms;       /* smoothed, with its delay; 0: not known */
	uint32_t rtt_seq;      /* number that was last measured with */
	int64_t idle_ms;       /* a reference: it last had nothing to send and
				* nothing to acknowledge */
};

struct outbox {
	struct outbox_opts o;
	struct store_observer observer; /* of the cache */
	struct ring ring;
	struct ctl_pool pool;
	/* Messages that must not be lost: */
	struct ctl_queue plain; /* NACK to a reference, RESYNC */
	struct ctl_queue marks; /* records of extended ALIVEs */
	struct queue dirty;     /* changed entries, each once */
	struct queue kept; /* dead ones a silent reference has not heard of */
	struct outbox_peer peers[PEER_MAX]; /* by number */
	/* The oldest number held, since when it is that, and the next one then:
	 * what was sent before. */
	uint32_t stuck_at, stuck_until;
	int64_t stuck_since_ms;
	uint8_t backoff; /* resends without an answer since the last */
	/* A number whose acknowledgement shows how long the way is. */
	bool is_timing;
	uint32_t timed_seq;
	int64_t timed_ms;
	/* Numbers that acknowledgements may still make us look at now. */
	int64_t looks_ms;
	uint32_t n_looks;
	uint64_t n_no_memory; /* control messages lost to lack of memory */
};

/* From here on it hears of every put, kill and remove in the cache, until
 * outbox_fini(); it must not move. 0 or -ENOMEM. */
NODISCARD int outbox_init(struct outbox *b, const struct outbox_opts *o,
			  int64_t now_ms);
void outbox_fini(struct outbox *b);

/* p is a new peer under its number, which owes nothing; p begins a new life,
 * when it was settled. */
void outbox_new_peer(struct outbox *b, const struct peer *p, int64_t now_ms);
void outbox_new_life(struct outbox *b, const struct peer *p);

/* ---- entries and control messages ---- */

/* Whether the entry that was put is to be told. An end, and a next life of what
 * the peers know, is told in any case. Ids that are not in use are ignored. */
void outbox_touch(struct outbox *b, uint32_t id, enum touch how);

/* It is told as new when it is sent next: the peers may know something else
 * under its addresses and ports. */
void outbox_tell_as_new(struct entry_head *h);

/* It was sent under number n, and waits no more. */
void outbox_sent(struct outbox *b, uint32_t n, uint32_t id);

/* Queues a control message. False: there is no memory, counted. */
NODISCARD bool outbox_control(struct outbox *b, const struct ctl *c);

/* Ends that were kept for a silent reference are due. */
void outbox_send_kept(struct outbox *b);

/* Dead entries that nobody waits for go when the cache has little room left;
 * those that are kept for a silent reference too, and when there is none. */
void outbox_spare_entries(struct outbox *b);

/* ---- numbers ---- */

/* Takes the next number for ref, to be acknowledged by these peers; there must
 * be a free slot, see ring_push(). What waits for nobody, though others are
 * waited for, is not held. */
void outbox_hold(struct outbox *b, struct ring_ref ref, uint64_t debtors,
		 uint64_t waited, int64_t now_ms);

/* The number needs no answer any more: frees a dead entry, a control chain. */
void outbox_release(struct outbox *b, uint32_t n);

/* While nobody is waited for, the oldest numbers go. */
void outbox_make_room(struct outbox *b, uint64_t waited);

/* An entry may take a slot: a quarter of them is for control messages. */
bool outbox_has_room(const struct outbox *b);

/* False: the range ends where no number of ours is. It may begin long before
 * the oldest one that is held, for nobody acknowledges announcements. */
bool outbox_is_ours(const struct outbox *b, uint32_t from, uint32_t to);

/* Peer p acknowledged a range of ours. Returns how many numbers it owed us. */
uint32_t outbox_acked(struct outbox *b, const struct peer *p, uint32_t from,
		      uint32_t to, int64_t now_ms);

/* How long p may take to hear an answer of ours before it hears it again. */
int64_t outbox_again_ms(const struct outbox *b, const struct peer *p);

/* How long an answer may take before what was sent is sent again. */
int64_t outbox_resend_ms(const struct outbox *b);

/* p said that it has nothing to send and nothing to acknowledge. */
void outbox_idle(struct outbox *b, const struct peer *p, int64_t now_ms);

/* p was silent or deaf until now, or never answered: it has time again. */
void outbox_patience(struct outbox *b, const struct peer *p, int64_t now_ms);

/* p is heard, but acknowledges nothing any more. */
bool outbox_is_deaf(struct outbox *b, const struct peer *p, int64_t now_ms);

/* ---- what is sent again, under other numbers; outbox_lost.c ---- */

/* The number was lost. */
void outbox_send_again(struct outbox *b, uint32_t n);

/* Peer p missed what it owes of a range of ours that is held. */
void outbox_lost(struct outbox *b, const struct peer *p, uint32_t from,
		 uint32_t to, int64_t now_ms);

/* All numbers before end; all that was sent while nobody was waited for, and
 * so would be acknowledged by nobody. */
void outbox_lost_before(struct outbox *b, uint32_t end);
void outbox_lost_unwaited(struct outbox *b);
/* All that somebody owes an acknowledgement for. */
void outbox_lost_all(struct outbox *b);

/* p acknowledges, or misses, the range that begins at from: if it is the first
 * of its life, what it owes before that is lost. */
void outbox_first_ack(struct outbox *b, const struct peer *p, uint32_t from);

/* Nobody waits for peer p any more: what it alone owes is let go, or is held
 * for nobody, as before anybody was there, or is sent again. True: a request
 * was among it, which p may not have heard. */
enum settle { SETTLE_LET_GO, SETTLE_HOLD, SETTLE_SEND_AGAIN };
bool outbox_settle(struct outbox *b, const struct peer *p, enum settle how);

/* Requests for what was lost can be lost too, and the requests for those: if
 * the oldest number makes no progress, what is as old goes out again unasked.
 */
void outbox_resend_stuck(struct outbox *b, int64_t now_ms);

/* ---- between the two files of the outbox ---- */

/* The entry waits to be sent, once. */
void outbox_queue(struct outbox *b, uint32_t id);
/* These peers owe nothing for number n any more. */
void outbox_absolve(struct outbox *b, uint32_t n, uint64_t peers);
/* Answers that set work off are limited: all numbers are looked at twice in a
 * millisecond at most. False: it is to be left out, and will be sent again. */
bool outbox_may_look(struct outbox *b, int64_t now_ms);
/* True if the entry is still what was sent under number n. */
bool outbox_is_latest(const struct entry_head *h, uint32_t n);

#endif
