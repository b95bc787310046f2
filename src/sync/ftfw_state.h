/* SPDX-License-Identifier: ISC */
/* ftfw_state.h - private to the files of the FT-FW engine: its state, and what
 * one of them does for another. */
#ifndef SYNC_FTFW_STATE_H
#define SYNC_FTFW_STATE_H

#include "cache/queue.h"
#include "sync/ctl_pool.h"
#include "sync/ftfw.h"
#include "sync/ring.h"

enum {
	ALIVE_MS = 1000,   /* interval of announcements (spec 4.1) */
	PROBE_MS = 200,    /* the same while a node of ours owes an answer:
			    * it shows a lost last message */
	ACK_DATA_MS = 100, /* data is acknowledged after this at the latest */
	ACK_CONTROL_MS = 5000, /* a reference frees its ACKs and NACKs then */
	AGAIN_MS = 200,        /* a node of ours that still holds what we have
				* acknowledged or asked for hears it again */
	NACK_MS = 100,     /* a gap that an ALIVE shows may close by itself */
	SILENT_MS = 10000, /* a peer not heard for so long is not live */
	DEAF_MS = 10000,   /* nor is one that lets its oldest number wait */
	RESEND_MS = 3000,  /* held so long without progress: sent again; a
			    * reference acknowledges after 1 s. Longer where
			    * the way is, see ftfw_resend_ms() */
	RESEND_MOST_MS = 30000,
	HELLO_TRY_MS = 3000,    /* how long HELLO goes on for a later peer, */
	HELLO_PAUSE_MS = 60000, /* and how long it is not tried again then */
	HELLO_ECHO_MS = 5000, /* late copies of a HELLO are heard for so long */
	LIFE_MS = 1200,       /* two announcements; a life not heard for so long
			       * may be followed by the one that claims so */
	RESTART_MS = 3000,
	REF_WINDOW = 4096, /* messages that a reference may let come before it
			    * acknowledges (300 by default) */
	RESYNC_MS = 10000, /* between two requests of our own */
	EVENTS_MS = 60000,
	EVENTS_MOST = 100, /* of a kind that are told in EVENTS_MS */
};

/* Bits of entry_head.outbox. */
enum outbox_flag {
	OUTBOX_QUEUED = 1, /* it has changed, and waits to be sent */
	OUTBOX_KEPT = 2,   /* dead, its end is kept for a silent reference */
	OUTBOX_SENT = 4,   /* last_seq is a number of this life */
};

/* Bits of entry_head.bulk. */
enum bulk_flag {
	BULK_REPROVE = 1, /* a lost entry of the walk, to be proven again */
};

enum bulk_phase {
	BULK_IDLE,
	BULK_BEGIN, /* waits for begin marks to be acknowledged */
	BULK_WALK,
	BULK_PROVE, /* all was sent, receivers have not got all */
};

/* From one walk's number to the next: no wrong bit makes one of another. */
#define WALK_STEP 0x9e3779b1U

/* One walk over the internal cache, for all who asked before it began. */
struct bulk {
	enum bulk_phase phase;
	uint64_t wanted;    /* peers waiting for the next walk */
	bool is_forced;     /* -B: a walk at once, for all */
	bool is_scanning;   /* the last call stopped amid entries to skip */
	uint64_t receivers; /* our own nodes that were sent the begin mark */
	uint64_t begun;     /* those of them that acknowledged it */
	uint64_t ended;     /* those of them that were sent the end mark */
	uint64_t plain;     /* references that this walk is for */
	uint32_t walk;      /* number of the walk */
	uint8_t round;      /* advances when a walk starts; each walk leaves no
			     * living entry of an earlier round */
	uint32_t begin_seq; /* numbers since belong to the proof */
	uint32_t position;  /* id of the last entry looked at */
	uint32_t n_entries;
	uint32_t n_reprove;   /* lost entries waiting to be sent anew */
	uint32_t prove_until; /* numbers before it belong to the proof */
	int64_t phase_ms;     /* when this phase began */
	int64_t walk_ms;      /* when the walk began, and what it took */
	int64_t took_ms;
	int64_t pause_until_ms; /* what peers want waits for so long */
	/* Pacing, in messages not yet acknowledged. */
	uint32_t window, threshold;
	uint32_t shrunk_at; /* losses of numbers before it are one event */
};

struct ftfw {
	struct engine base;
	struct ftfw_opts o;
	struct ring ring;
	struct ctl_pool pool;
	/* Messages that must not be lost: */
	struct ctl_queue plain; /* NACK to a reference, RESYNC */
	struct ctl_queue marks; /* records of extended ALIVEs */
	struct queue dirty;     /* changed entries, each once */
	struct queue owed; /* dead ones a silent reference has not heard of */
	struct peer_table peers;
	struct bulk bulk;
	int64_t now_ms; /* of the call that is running */
	int64_t started_ms, announced_ms;
	bool must_announce; /* before anything else is said */
	bool ever_answered;
	bool has_new_id; /* another node had ours */
	int64_t new_id_ms;
	bool has_forgotten;     /* somebody, and what he told */
	bool owes_hello_back;   /* said with the next message, whatever it is */
	int64_t hello_since_ms; /* the last time that it was tried */
	bool has_tried_hello;
	bool was_asked_for_resync; /* by the user: as soon as it is heard */
	int64_t resync_ms; /* when it was last sent; of ourselves we ask every
			    * RESYNC_MS at most */
	bool has_resynced;
	/* As of the fill() that is running: */
	size_t room; /* bytes of a datagram with several messages */
	bool says_hello;
	int64_t said_hello_ms; /* when it was last said */
	uint64_t waited;       /* peers whose acknowledgement we wait for */
	uint32_t hello_end; /* behind the last HELLO: numbers before it may not
			     * have been heard, unnoticed */
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
	uint64_t n_no_memory;
	int64_t told_since_ms[ENGINE_EVENT_N];
	uint32_t n_told[ENGINE_EVENT_N];
};

/* ftfw.c: what is held under a number. */

/* Takes the next number for ref, to be acknowledged by these peers. */
void ftfw_hold(struct ftfw *f, struct ring_ref ref, uint64_t owed);
/* Frees a chain of control messages that is held under no number. */
void ftfw_drop(struct ftfw *f, struct ring_ref ref);
/* Peer p acknowledged number n. False: it did not owe it. */
bool ftfw_acked(struct ftfw *f, struct peer *p, uint32_t n);
/* The number needs no answer any more: frees a dead entry, a control chain. */
void ftfw_release(struct ftfw *f, uint32_t n);
/* Dead entries that nobody waits for go when the cache has little room left;
 * those that are owed to a silent reference too, and when there is none. */
void ftfw_spare_entries(struct ftfw *f);
/* The number was lost: what it holds will be sent anew under another one. */
void ftfw_send_again(struct ftfw *f, uint32_t n);
/* Nobody waits for peer p any more: what was owed to it alone is let go, or is
 * held for nobody, as before anybody was there, or is sent again. */
enum settle { SETTLE_LET_GO, SETTLE_HOLD, SETTLE_SEND_AGAIN };
void ftfw_settle(struct ftfw *f, struct peer *p, enum settle how);
/* Queues a control message. False: there is no memory, counted. */
NODISCARD bool ftfw_control(struct ftfw *f, const struct ctl *c);
/* How long p may take to hear an answer of ours before it hears it again. */
int64_t ftfw_again_ms(const struct peer *p);
/* How long an answer may take before what was sent is sent again. */
int64_t ftfw_resend_ms(const struct ftfw *f);
void ftfw_event(struct ftfw *f, enum engine_event what, const struct peer *p);

/* ftfw_rx.c */
enum verdict ftfw_receive(struct engine *e, const struct peer_addr *from,
			  const struct msg *m, int64_t now_ms);

/* ftfw_life.c: who is there. */

/* The peer a message is from, found or added; NULL: refused or outdated. */
struct peer *ftfw_identify(struct ftfw *f, const struct peer_addr *from,
			   const struct msg *m, const struct ext_alive *ext);
/* Something acceptable came from p. */
void ftfw_heard(struct ftfw *f, struct peer *p);
/* p acknowledged or missed a number of ours, or said HELLO_BACK, so it hears
 * us. from: the first number of the range, or NULL. */
void ftfw_answered(struct ftfw *f, struct peer *p, const uint32_t *from);
/* p has started anew. node: its new id, 0 if it has none. */
void ftfw_restarted(struct ftfw *f, struct peer *p, uint64_t node);
/* It is sure now that p is a reference. */
void ftfw_is_reference(struct ftfw *f, struct peer *p);
/* Peers that fell silent or deaf. */
void ftfw_check_lives(struct ftfw *f);

/* ftfw_tx.c */
enum fill ftfw_fill(struct engine *e, struct wr *dgram, size_t room,
		    int64_t now_ms);
int64_t ftfw_due_ms(struct engine *e);
/* Writes the message of an entry and holds it under its number. */
enum fill ftfw_send_entry(struct ftfw *f, struct wr *dgram, uint32_t id);

/* bulk.c */
void bulk_init(struct ftfw *f);
/* Asks for a walk; p: for this peer, once it hears us; NULL: for all. */
void bulk_want(struct ftfw *f, const struct peer *p);
/* Appends entries of the walk as far as the window allows. FILL_IDLE: none are
 * due; FILL_WAIT: acknowledgements are missing. */
enum fill bulk_fill(struct ftfw *f, struct wr *dgram);
/* Moves on from phase to phase as far as it goes. */
void bulk_progress(struct ftfw *f);
/* The number is lost: if it counts for the proof, so does what tells of the
 * entry in its place, be it sent already or not. */
void bulk_lost(struct ftfw *f, uint32_t n, struct entry_head *h);
/* The entry was sent under number n. */
void bulk_sent(struct ftfw *f, uint32_t n, struct entry_head *h);
/* The entry is removed for good. */
void bulk_forget(struct ftfw *f, struct entry_head *h);
/* p acknowledged a mark; is a mark that p has not acknowledged worth sending
 * again? */
void bulk_mark_acked(struct ftfw *f, const struct peer *p,
		     const struct ctl *mark);
bool bulk_mark_counts(const struct ftfw *f, const struct ctl *mark);
/* p acknowledged n_acked numbers, or lost some. */
void bulk_acked(struct ftfw *f, uint32_t n_acked);
void bulk_nacked(struct ftfw *f, uint32_t to);
/* p is gone, or starts anew: it is no receiver any more. */
void bulk_drop_peer(struct ftfw *f, const struct peer *p);

#endif
