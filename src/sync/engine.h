/* SPDX-License-Identifier: ISC */
/* engine.h - a synchronisation mode without sockets and clock: it is told of
 * changes and of what arrived, and is asked for the next datagram. */
#ifndef SYNC_ENGINE_H
#define SYNC_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/kernel_ops.h"
#include "base/util.h"
#include "sync/roster.h"
#include "sync/wire.h"

struct engine;

/* Names a cached object; its counterpart as a value is struct object. */
struct ref {
	enum object_kind kind;
	uint32_t id;
};

enum ask {
	ASK_BULK,   /* send all we have (-B) */
	ASK_RESYNC, /* ask the peers for all they have (-n) */
};

enum fill {
	FILL_SOME, /* something was written; what is left waits for
		    * acknowledgements, or for due_ms() */
	FILL_FULL, /* send this one and call again */
	FILL_IDLE, /* nothing to send */
	FILL_WAIT, /* nothing written; more waits for acknowledgements */
};

/* For the log, so not every one of a flood; peer is NULL where the event is
 * nobody's. */
enum engine_event {
	ENGINE_PEER_FOUND,
	ENGINE_PEER_ANSWERED,
	ENGINE_PEER_RESTARTED,
	ENGINE_PEER_SILENT,
	ENGINE_PEER_DEAF, /* heard, but acknowledges nothing any more */
	ENGINE_PEER_RETURNED,
	ENGINE_PEER_ASKS_BULK,
	ENGINE_PEER_REFUSED,    /* the table of peers is full */
	ENGINE_PEER_NAME_TWICE, /* another live node says the same name */
	ENGINE_PEER_OTHER_MODE, /* it says what is nothing in our mode */
	ENGINE_NODE_ID_TWICE,   /* another one has our id: we take a new one */
	ENGINE_BULK_BEGINS,
	ENGINE_BULK_SENT,
	ENGINE_BULK_PROVEN,    /* the peer has all of it */
	ENGINE_PEER_LOSES,     /* messages of it are missed, not the first time
				* only: until ... */
	ENGINE_PEER_LOSES_NOT, /* ... none was for a while, and what was is
				* made up for, by one of our nodes */
	ENGINE_EVENT_N
};

/* What an engine does to the rest. Functions must not call the engine. */
struct engine_sink {
	void *ctx;
	/* A data message, in order, each once. VERDICT_OK, _BAD_PAYLOAD,
	 * _IGNORED or _NO_ROOM. */
	enum verdict (*data)(void *ctx, const struct peer *from,
			     const struct msg *m, int64_t now_ms);
	/* A bulk of this peer is complete: what it owns with an older
	 * generation than its present one is gone at its side. */
	void (*sweep)(void *ctx, const struct peer *from);
	void (*event)(void *ctx, enum engine_event what, const struct peer *p);
	/* What was taken for a node of its own, with this number and up to this
	 * generation, is peer p: what it has told is p's, as if told in p's
	 * present generation. May be NULL. */
	void (*merge)(void *ctx, uint8_t number, uint32_t generation,
		      const struct peer *p);
	/* Puts all that there is into the internal cache, which has it not, and
	 * touches it quietly; begins later, and ends with fetched() of the
	 * engine. NULL: the cache has all. */
	void (*fetch)(void *ctx);
	/* True if the cache has room for what it had to refuse. May be NULL. */
	bool (*has_room)(void *ctx);
};

struct engine_stats {
	uint64_t n_lost, n_before, n_foreign, n_refused;
	uint32_t n_dirty;       /* entries waiting to be sent */
	uint32_t n_outstanding; /* numbers not yet acknowledged */
	uint32_t n_peers_live;
	uint64_t n_no_memory; /* control messages lost to lack of memory */
	bool holds;           /* what is sent, until it is acknowledged */
};

/* Between this node and one peer. */
struct engine_peer_stats {
	uint32_t n_owed; /* messages that it has not acknowledged */
	uint32_t rtt_ms; /* until it acknowledges one; 0: not known */
};

/* One number that is not yet acknowledged. */
struct engine_held {
	uint32_t seq;
	bool is_control;
	uint8_t flags; /* of the control message */
};

/* A walk over them; zeroed at the start. */
struct engine_walk {
	bool is_started;
	uint32_t next;
};

/* Whether a change of an entry is to be told. */
enum touch {
	TOUCH_SEND,
	/* Not for its own sake: what a commit or a dump has made. A next life
	 * of what the peers know is told nevertheless, for they know its end,
	 * or will. */
	TOUCH_QUIET,
	/* It is as it was, and to be told if it has never been. */
	TOUCH_UNTOLD,
	/* To be told, and what was put is a part of what the peers know: as an
	 * update, unless it waits to be told as new. */
	TOUCH_CHANGE,
};

struct engine_ops {
	/* Whether the entry that was put or killed is to be told. That it was
	 * put, killed or removed the engine hears of the cache itself. */
	void (*touch)(struct engine *e, struct ref entry, enum touch how);
	void (*ask)(struct engine *e, enum ask what);
	/* The end of what fetch() of the sink began; is_complete: nothing was
	 * lost. NULL where the cache has all. */
	void (*fetched)(struct engine *e, bool is_complete);
	/* From now on it is sent from another place. */
	void (*link_changed)(struct engine *e);
	/* One message of a datagram from this place. */
	enum verdict (*receive)(struct engine *e, const struct peer_addr *from,
				const struct msg *m, int64_t now_ms);
	/* Writes messages to dgram, which is empty, up to room bytes. A message
	 * that is larger than the room goes alone, as far as dgram has space
	 * (the link's datagrams are larger than its room for that). */
	enum fill (*fill)(struct engine *e, struct wr *dgram, size_t room,
			  int64_t now_ms);
	/* When fill() will have something without a touch or receive. */
	int64_t (*due_ms)(struct engine *e);
	void (*stats)(struct engine *e, struct engine_stats *out);
	/* number: of a peer in the table. */
	void (*peer_stats)(struct engine *e, uint8_t number,
			   struct engine_peer_stats *out);
	/* The next number outstanding, oldest first; false: there is none. */
	bool (*held)(struct engine *e, struct engine_walk *walk,
		     struct engine_held *out);
	/* Of a node of ours its announced_ms tells when its last announcement
	 * came: node.c finds out by it which links work. */
	const struct roster *(*peers)(struct engine *e);
	void (*free)(struct engine *e);
	/* It is sent by a new connection: all that the one before has taken,
	 * and that nobody has acknowledged, may be lost. May be NULL. */
	void (*connected)(struct engine *e);
};

/* First member of each mode's own struct. */
struct engine {
	const struct engine_ops *ops;
};

#endif
