/* SPDX-License-Identifier: ISC */
/* lives.h - the other nodes and what this one has for them: the parts that an
 * engine with peers is put together from, and what follows in them when
 * somebody comes, starts anew, returns or goes. */
#ifndef SYNC_LIVES_H
#define SYNC_LIVES_H

#include "sync/bulk.h"
#include "sync/intake.h"
#include "sync/message.h"
#include "sync/order.h"
#include "sync/outbox.h"
#include "sync/wire_flow.h"

/* What an engine with peers is told. */
struct lives_opts {
	struct flow_cache *cache;   /* internal; outlives it */
	struct wire_flow_opts wire; /* how entries are encoded */
	struct engine_sink sink;
	uint32_t queue_size; /* numbers held, and ends kept for a silent peer */
	uint32_t first_seq;  /* random */
	uint64_t node;       /* random, not 0: this life of ours */
	/* Of the mode: a peer that says it too reads our marks. */
	enum ext_capability mode;
	uint8_t name[EXT_NAME_SIZE]; /* the same over restarts */
};

/* The parts are to be used by the engine; the rest is read only. */
struct lives {
	struct lives_opts o;
	struct roster roster;
	struct order orders[PEER_MAX]; /* by number of the peer */
	struct intake intake;
	struct outbox outbox;
	struct bulk bulk;
	uint64_t joined;    /* peers that were found to be another one as well,
			     * until the engine clears it */
	bool must_announce; /* before anything else is said; the engine's */
	bool has_new_id;    /* another node had ours */
	int64_t new_id_ms;
	uint64_t n_lost, n_before; /* numbers missed, refused: the engine's */
	int64_t told_since_ms[ENGINE_EVENT_N];
	uint32_t n_told[ENGINE_EVENT_N];
};

static inline struct order *lives_order(struct lives *l, const struct peer *p)
{
	return &l->orders[p->number];
}

/* It must not move until lives_fini(). 0 or -ENOMEM. */
NODISCARD int lives_init(struct lives *l, const struct lives_opts *o,
			 int64_t now_ms);
void lives_fini(struct lives *l);

/* False: what was told is not kept, and a bulk is fetched. */
static inline bool lives_has_cache(const struct lives *l)
{
	return !l->o.sink.fetch;
}

/* As whom we announce ourselves. Updates of the kernel have what has changed:
 * whole they become in a cache. */
static inline struct message_self lives_self(const struct lives *l)
{
	unsigned int all = l->o.mode | EXT_CAP_COPIES;

	if (lives_has_cache(l))
		all |= EXT_CAP_WHOLE_UPDATES;
	return (struct message_self){ l->o.node, (uint16_t)all };
}

/* What is known here; the rest is zeroed. */
void lives_stats(const struct lives *l, struct engine_stats *out);

/* Tells it, for the log: so many of a kind a minute. */
void lives_event(struct lives *l, enum engine_event what, const struct peer *p,
		 int64_t now_ms);
/* False: it does not say who its sender is. */
NODISCARD bool lives_announcement(const struct msg *m, struct ext_alive *out);
/* The peer a message is from, found or added; NULL: refused or outdated. ext:
 * what it says as an announcement, or NULL. */
struct peer *lives_identify(struct lives *l, const struct peer_addr *from,
			    const struct msg *m, const struct ext_alive *ext,
			    int64_t now_ms);
/* Something acceptable came from p. */
void lives_heard(struct lives *l, struct peer *p, int64_t now_ms);
/* p was silent or deaf, and is not any more. */
void lives_returned(struct lives *l, struct peer *p, int64_t now_ms);
/* p has started anew. node: its new id, 0 if it has none. */
void lives_restarted(struct lives *l, struct peer *p, uint64_t node,
		     int64_t now_ms);
/* The numbers of p start anew. Its life goes on if it says the same id (ext is
 * not NULL), and what was taken for it under other numbers was not; without one
 * it is a reference now. */
void lives_renumbered(struct lives *l, struct peer *p,
		      const struct ext_alive *ext, int64_t now_ms);
/* p has a mark, or has been sent one that nobody acknowledges. */
void lives_mark_acked(struct lives *l, const struct peer *p,
		      const struct ctl *c);
/* It says what only a reference says. */
void lives_is_reference(struct lives *l, struct peer *p);
/* Peers that fell silent or deaf; what makes no progress. */
void lives_check(struct lives *l, int64_t now_ms);

#endif
