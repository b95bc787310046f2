/* SPDX-License-Identifier: ISC */
/* node.h - this node among the others: an engine, the external cache as the
 * peers fill it, or what goes into the kernel at once in its place, and the
 * datagrams between them. It has no sockets and no
 * clock, so that the daemon, the simulator and the fuzzer run the same one. */
#ifndef SYNC_NODE_H
#define SYNC_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache/flow_cache.h"
#include "sync/engine.h"
#include "sync/inject.h"
#include "sync/wire_flow.h"

/* What is done to whole datagrams, such as proving who has sent them. A zeroed
 * one leaves them as they are. */
struct node_seal {
	void *ctx;
	/* Before messages are read. *dgram is what came, and becomes what is
	 * read; it may point to bytes of the seal's own, which are to live
	 * until the next call. False: refused, nothing of it is read. May be
	 * NULL. */
	bool (*open)(void *ctx, const struct peer_addr *from, struct rd *dgram);
	/* Before a datagram is sent: may change what dgram has, and append up
	 * to reserved_bytes, for which there is room. May be NULL. */
	void (*seal)(void *ctx, struct wr *dgram);
	size_t reserved_bytes; /* of every datagram */
};

struct node_opts {
	struct flow_cache *internal, *external; /* outlive the node */
	struct inject *inject; /* likewise; in place of external, or NULL */
	struct wire_flow_opts wire; /* how flows are encoded */
	/* Peers' expectations are kept; ours are told if there are any. */
	bool has_expectations;
	uint32_t resend_queue_size; /* messages that are not acknowledged */
	uint32_t ack_window;        /* messages received before an ACK */
	uint32_t refresh_s;       /* ALARM: an entry is told again within it */
	uint32_t cache_timeout_s; /* entries of peers go when they were not told
				   * for so long; 0: they do not, as in all
				   * modes but ALARM */
	uint32_t first_seq;       /* random */
	uint64_t node_id;         /* random, not 0: this life of ours */
	uint8_t name[EXT_NAME_SIZE]; /* the same over restarts */
	struct node_seal seal;
	/* All may be NULL, and must not call the node. */
	void *ctx;
	void (*event)(void *ctx, enum engine_event what, const struct peer *p);
	/* Puts all flows of the kernel into internal, which has those only that
	 * are still to be told: see engine_sink. NULL: it has all. */
	void (*fetch)(void *ctx);
	/* node_work() is due, now or soon: said with every datagram, when a
	 * walk begins, and when entries expire. */
	void (*work)(void *ctx);
};

/* Makes the engine of a mode: it sends what opts->internal has, and tells sink
 * (ftfw_new() and the like, by the functions of mode.h). NULL if there is no
 * memory. */
typedef struct engine *node_engine_fn(const struct node_opts *opts,
				      const struct engine_sink *sink,
				      int64_t now_ms);

struct node_stats {
	struct engine_stats engine;
	uint64_t n_verdicts[VERDICT_N]; /* messages, by what became of them */
	uint64_t n_unopened;            /* datagrams that the seal refused */
	uint64_t n_swept;               /* entries that a proven bulk lacked */
	uint64_t n_not_owner; /* ends told by another than the live owner */
	uint64_t n_expired;   /* entries that were not told for too long */
	struct wire_flow_stats wire; /* what was odd in messages */
};

struct node;

/* Copies opts. NULL if there is no memory. */
struct node *node_new(const struct node_opts *opts, node_engine_fn *engine,
		      int64_t now_ms);
void node_free(struct node *n); /* accepts NULL */

/* Copies have come for so long, of announcements that have not: three are
 * missed, for they are said every second at least. */
enum { NODE_MISSED_MS = 1900 };

/* What a datagram shows of the link that it came by. */
struct node_heard {
	bool is_accepted; /* a message was: the peer sends there */
	/* It has a copy of an announcement of a peer that is heard, which
	 * sends on another link; */
	bool is_copy;
	bool is_missed; /* from where nothing comes */
};

/* Handles the messages of a datagram from this place. Copies of announcements
 * are no messages: the engine does not see them. */
struct node_heard node_receive(struct node *n, const struct peer_addr *from,
			       struct rd dgram, int64_t now_ms);

/* Writes the next datagram to dgram, which is empty, of up to room bytes, or of
 * one larger message as far as dgram has space; what the seal appends is part
 * of both. */
enum fill node_fill(struct node *n, struct wr *dgram, size_t room,
		    int64_t now_ms);
/* Writes a copy of the last announcement to dgram, which is empty: for other
 * links than the one that is used. False: there was none, or somebody is heard
 * who does not know copies, or nobody. */
bool node_copy(struct node *n, struct wr *dgram);
/* The datagram that was filled last has an announcement. */
bool node_announces(const struct node *n);
/* When node_fill() will have something without anything else happening. */
int64_t node_due_ms(struct node *n);

/* Of an entry of the internal cache: engine.h. */
void node_touch(struct node *n, struct ref entry, enum touch how);
void node_ask(struct node *n, enum ask what);
/* The end of a fetch(); is_complete: nothing was lost. */
void node_fetched(struct node *n, bool is_complete);
/* From now on it sends from another place. */
void node_link_changed(struct node *n);
/* It sends by a new connection; what it sent by the one before may be lost. */
void node_connected(struct node *n);

/* To be called every second: what is due by time becomes work. */
void node_second(struct node *n, int64_t now_ms);

/* A bounded piece of the walks over the external cache, if there is one, and of
 * what has expired there. True if more is left. */
bool node_work(struct node *n);

void node_stats(const struct node *n, struct node_stats *out);
/* number: of a peer in the table. */
void node_peer_stats(const struct node *n, uint8_t number,
		     struct engine_peer_stats *out);
/* The next number outstanding, oldest first; false: there is none. walk is
 * zeroed at the start. */
bool node_held(struct node *n, struct engine_walk *walk,
	       struct engine_held *out);
const struct roster *node_peers(struct node *n);

#endif
