/* SPDX-License-Identifier: ISC */
/* bulk.h - the bulk: one walk over the internal cache behind all fresh changes,
 * paced by acknowledgements, for all peers that asked before it began. To our
 * own nodes it begins and ends with a mark, and the end is said only when the
 * receiver has got every entry. It hands out what is to be sent next, and is
 * told what became of that. */
#ifndef SYNC_BULK_H
#define SYNC_BULK_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/flow_cache.h"
#include "sync/engine.h"
#include "sync/ring.h"
#include "sync/roster.h"

/* Bits of entry_head.bulk. */
enum bulk_flag {
	BULK_REPROVE = 1, /* a lost entry of the walk, to be proven again */
};

/* What a walk says to one of our nodes. */
struct bulk_mark {
	enum ext_phase phase;
	uint32_t walk;
	uint32_t n_entries;
};

/* Neither function calls the bulk. */
struct bulk_sink {
	void *ctx;
	/* To be sent to p, until it is acknowledged. False: there is no memory;
	 * it is tried again. */
	bool (*mark)(void *ctx, const struct peer *p,
		     const struct bulk_mark *mark);
	/* ENGINE_BULK_*. */
	void (*event)(void *ctx, enum engine_event what, const struct peer *p,
		      int64_t now_ms);
	/* A walk begins: what it is to meet is put into the cache from now on,
	 * until bulk_fetched(). NULL: it is there. */
	void (*fetch)(void *ctx);
};

struct bulk_opts {
	struct flow_cache *cache;    /* internal; outlives the bulk */
	const struct roster *roster; /* the same */
	const struct ring *ring;     /* the same: what is not acknowledged */
	enum ext_capability marks;   /* of peers that read marks */
	struct bulk_sink sink;
};

enum bulk_phase {
	BULK_IDLE,
	BULK_BEGIN, /* waits for begin marks to be acknowledged */
	BULK_WALK,
	BULK_PROVE, /* all was sent, receivers have not got all */
};

struct bulk {
	struct bulk_opts o;
	enum bulk_phase phase;
	uint64_t wanted;    /* peers waiting for the next walk */
	bool is_forced;     /* -B: a walk at once, for all */
	uint64_t receivers; /* our own nodes that were sent the begin mark */
	uint64_t begun;     /* those of them that acknowledged it */
	uint64_t ended;     /* those that were sent the end mark */
	uint64_t plain;     /* references that this walk is for */
	uint32_t walk;      /* number of the walk */
	uint8_t round;      /* advances when a walk starts; each walk leaves no
			     * living entry of an earlier round */
	uint32_t begin_seq; /* numbers since belong to the proof */
	uint32_t position;  /* id of the last entry looked at */
	uint32_t n_entries;
	bool is_fetching;     /* more will be put into the cache */
	uint32_t n_reprove;   /* lost entries waiting to be sent anew */
	uint32_t prove_until; /* numbers before it belong to the proof */
	int64_t phase_ms;     /* when this phase began */
	int64_t walk_ms;      /* when the walk began, and what it took */
	int64_t took_ms;
	int64_t pause_until_ms; /* what peers want waits for so long */
	/* Pacing, in messages not yet acknowledged. */
	uint32_t window, threshold;
	uint32_t shrunk_at; /* losses of numbers before it are one event */
	struct bulk_peer {
		uint32_t proved; /* numbers before it are acknowledged by it */
		int64_t due_ms;  /* not to be served before, lest requests
				  * storm */
	} peers[PEER_MAX];       /* by number */
};

void bulk_init(struct bulk *b, const struct bulk_opts *o);

/* p is gone, or is about to begin a new life: it is no receiver any more. */
void bulk_drop_peer(struct bulk *b, const struct peer *p);
/* p is a new peer under its number, or has begun a new life: nothing is known
 * of it. */
void bulk_new_life(struct bulk *b, const struct peer *p);

/* Asks for a walk, for this peer, once it hears us; for all. */
void bulk_want(struct bulk *b, const struct peer *p);
void bulk_want_all(struct bulk *b);

/* Moves on from phase to phase as far as it goes. resend_ms: how long an
 * answer may take. */
void bulk_progress(struct bulk *b, int64_t resend_ms, int64_t now_ms);

enum bulk_step {
	BULK_NONE,  /* nothing is to be sent now */
	BULK_SEND,  /* this entry */
	BULK_PAUSE, /* nothing until acknowledgements have come */
	BULK_LATER, /* it has passed over many entries, and goes on when it is
		     * asked again */
	BULK_END,   /* the walk has come to its end: bulk_walked() follows */
};
/* The entry of the walk to be sent next. is_waited: somebody will acknowledge
 * it. *n_skipped: 0 at the start of a piece of work. *id is written on
 * BULK_SEND; it is handed out until bulk_took() says that it was sent. */
enum bulk_step bulk_next(struct bulk *b, bool is_waited, uint32_t *n_skipped,
			 uint32_t *id);
void bulk_took(struct bulk *b, uint32_t id);
/* All that there is was put into the cache. Otherwise the walk ends without its
 * mark, for what it lacks would be taken for gone, and is tried again. */
void bulk_fetched(struct bulk *b, bool is_complete);
/* It walks, and bulk_next() may have something to say. */
bool bulk_has_entries(const struct bulk *b);
/* All of the walk was sent; its receivers may have got all. */
void bulk_walked(struct bulk *b, int64_t resend_ms, int64_t now_ms);
/* It is for references too: they may have missed that it began, so all is told
 * as new. */
bool bulk_tells_as_new(const struct bulk *b);

/* An entry was sent under number n; what told of it under number n was lost: if
 * that counts for the proof, so does what tells of it in its place, be it sent
 * already or not; it is removed for good. */
void bulk_sent(struct bulk *b, uint32_t n, struct entry_head *h);
void bulk_lost(struct bulk *b, uint32_t n, struct entry_head *h);
void bulk_forget(struct bulk *b, struct entry_head *h);

/* p acknowledged a mark; is a mark that was lost worth sending again? */
void bulk_mark_acked(struct bulk *b, const struct peer *p,
		     const struct bulk_mark *mark);
bool bulk_mark_counts(const struct bulk *b, const struct bulk_mark *mark);

/* A peer acknowledged n_acked numbers; missed some up to this one. */
void bulk_acked(struct bulk *b, uint32_t n_acked);
void bulk_nacked(struct bulk *b, uint32_t to);

#endif
