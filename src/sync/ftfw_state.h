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
	SILENT_MS = 10000,     /* a peer not heard for so long is not live */
	DEAF_MS = 10000,       /* nor is one that acknowledges nothing */
	RESEND_MS = 3000,      /* held so long without progress: sent again; a
				* reference acknowledges after 1 s */
	HELLO_TRY_MS = 3000,   /* how long HELLO goes on for a later peer */
	RESTART_MS = 3000,     /* nothing in order for so long, and ... */
	RESTART_ROW = 8,       /* ... so many late ones in a row: restarted */
	REF_WINDOW = 4096, /* messages that a reference may let come before it
			    * acknowledges (300 by default) */
	EVENTS_MS = 60000,
	EVENTS_MOST = 100, /* of a kind that are told in EVENTS_MS */
};

enum bulk_phase {
	BULK_IDLE,
	BULK_BEGIN, /* the begin marks are not all acknowledged */
	BULK_WALK,
	BULK_PROVE, /* all was sent, receivers have not got all */
};

/* One walk over the internal cache, for all who asked before it began. */
struct bulk {
	enum bulk_phase phase;
	uint64_t wanted;    /* peers waiting for the next walk */
	bool is_forced;     /* a walk was asked for although nobody is there */
	bool is_scanning;   /* the last call stopped amid entries to skip */
	uint64_t receivers; /* our own nodes that get the marks */
	uint32_t walk;      /* number of the walk */
	uint8_t round;      /* advances when a walk starts; each walk leaves no
			     * living entry of an earlier round */
	uint32_t begin_seq; /* numbers since belong to the proof */
	uint32_t position;  /* id of the last entry looked at */
	uint32_t n_entries;
	uint32_t n_reprove;   /* lost entries waiting to be sent anew */
	uint32_t prove_until; /* numbers before it belong to the proof */
	/* Pacing, in messages not yet acknowledged. */
	uint32_t window, threshold;
	uint32_t shrunk_at; /* losses of numbers before it are one event */
};

struct ftfw {
	struct engine base;
	struct ftfw_opts o;
	struct ring ring;
	struct ctl_pool pool;
	struct ctl_queue plain;     /* ACK, NACK, RESYNC as the spec has them */
	struct ctl_queue addressed; /* records of extended ALIVEs */
	uint32_t n_resync_wanted;   /* RESYNCs that wait for a peer */
	struct queue dirty;         /* changed entries, each once */
	struct queue owed; /* dead ones a silent reference has not heard of */
	struct peer_table peers;
	struct peer *last_peer; /* where the last message came from */
	struct bulk bulk;
	int64_t now_ms; /* of the call that is running */
	int64_t announced_ms;
	bool has_announced, has_repeated;
	bool ever_answered;
	bool owes_hello_back; /* said with the next message, whatever it is */
	/* As of the fill() that is running: */
	size_t room; /* bytes of a datagram with several messages */
	bool says_hello;
	uint64_t waited;    /* peers whose acknowledgement we wait for */
	uint32_t hello_end; /* numbers before it may have been sent as HELLO */
	/* The oldest number held, since when it is that, and the next one then:
	 * what was sent before. */
	uint32_t stuck_at, stuck_until;
	int64_t stuck_since_ms;
	uint64_t n_no_memory;
	int64_t told_since_ms[ENGINE_EVENT_N];
	uint32_t n_told[ENGINE_EVENT_N];
};

/* ftfw.c: what is held under a number. */

/* The number needs no answer any more: frees a dead entry, a control chain. */
void ftfw_release(struct ftfw *f, uint32_t n);
/* Dead entries that nobody waits for go when the cache has little room left;
 * those that are owed to a silent reference too, and when there is none. */
void ftfw_spare_entries(struct ftfw *f);
/* The number was lost: what it holds will be sent anew under another one. */
void ftfw_send_again(struct ftfw *f, uint32_t n);
/* Nobody waits for peer p any more; lost: what was owed to it is sent again. */
void ftfw_settle(struct ftfw *f, const struct peer *p, bool lost);
/* Queues a control message; counts it when there is no memory. */
void ftfw_control(struct ftfw *f, const struct ctl *c);
/* Acknowledges what has come from p. */
void ftfw_acknowledge(struct ftfw *f, struct peer *p);
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
/* p acknowledged or missed a number of ours, so it hears us; from: the first
 * number of the range. */
void ftfw_answered(struct ftfw *f, struct peer *p, uint32_t from);
/* p has started anew. node: its new id, 0 if it has none. */
void ftfw_restarted(struct ftfw *f, struct peer *p, uint64_t node);
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
/* The number is lost: if it counts for the proof, so will its successor. */
void bulk_lost(struct ftfw *f, uint32_t n, struct entry_head *h);
/* The entry was sent under number n. */
void bulk_sent(struct ftfw *f, uint32_t n, struct entry_head *h);
/* The entry is removed for good. */
void bulk_forget(struct ftfw *f, struct entry_head *h);
void bulk_mark_acked(struct ftfw *f, struct peer *p, const struct ctl *mark);
/* p acknowledged n_acked numbers, or lost some. */
void bulk_acked(struct ftfw *f, uint32_t n_acked);
void bulk_nacked(struct ftfw *f, uint32_t to);
/* p is gone, or starts anew: it is no receiver any more. */
void bulk_drop_peer(struct ftfw *f, struct peer *p);

#endif
