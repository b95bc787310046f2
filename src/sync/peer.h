/* SPDX-License-Identifier: ISC */
/* peer.h - the other nodes: who they are, what we have heard of them, and
 * whether they answer. A peer is a node, not an address. */
#ifndef SYNC_PEER_H
#define SYNC_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/util.h"
#include "sync/ext.h"
#include "sync/order.h"

enum { PEER_MAX = 64, PEER_ADDR_MAX = 4, PEER_OLD_NODES = 8 };

/* Where a datagram came from. */
struct peer_addr {
	uint8_t link;   /* index in the linkset */
	uint8_t family; /* enum family */
	struct addr addr;
};

struct peer {
	bool is_used;
	uint8_t number; /* its bit in sets of peers; owner in the cache */

	/* identity */
	uint64_t node;         /* 0: a reference node, or not yet known */
	int64_t unbelieved_ms; /* when it last said one that is not believed
				* yet; 0: never */
	bool is_reference; /* it is: it says what no node of ours does, or has
			    * not said an id for long */
	uint64_t old_nodes[PEER_OLD_NODES]; /* earlier lives, newest first */
	uint64_t claimed_node; /* said to be its new life; 0: none */
	uint32_t claimed_seq;  /* the number it was last said under */
	int64_t claimed_since_ms, claimed_ms; /* first, and last */
	int64_t announced_ms;                 /* when node was last said */
	uint16_t capabilities;                /* enum ext_capability */
	bool has_name;
	uint8_t name[EXT_NAME_SIZE], said_name[EXT_NAME_SIZE]; /* last */
	struct peer_addr addrs[PEER_ADDR_MAX];
	uint8_t n_addrs;
	struct peer_addr announced_at; /* where node was last said */

	/* its life */
	int64_t found_ms, heard_ms;
	int64_t idle_ms;     /* a reference: it last had nothing to send and
			      * nothing to acknowledge */
	bool is_live;        /* heard lately, and not deaf to us */
	bool is_deaf;        /* heard, but acknowledges nothing */
	bool has_answered;   /* it acknowledged a number of our life, or a
			      * reference said HELLO_BACK */
	bool gave_up_hello;  /* it never answers: no HELLO because of it */
	uint32_t generation; /* advances with each life and bulk of it */

	struct order rx;
	bool needs_first_ack; /* numbers before its first ACK were not heard */

	/* what it owes us */
	uint32_t n_owed;     /* numbers held that it has not acknowledged */
	uint32_t oldest;     /* none of them is before it */
	bool keeps_waiting;  /* it was demanded something, and has not answered
			      * all, though that may be sent again just now */
	int64_t progress_ms; /* since then, or since it last acknowledged the
			      * oldest */
	uint32_t progress_seq; /* our next number then */
	int64_t acked_ms;      /* it last acknowledged any of them */
	bool has_acked;        /* acked_to is valid */
	uint32_t acked_to;     /* the last number that it has acknowledged */
	uint32_t rtt_ms;       /* smoothed, with its delay; 0: not known */
	uint32_t rtt_seq;      /* number that was last measured with */

	/* the bulk that it sends us */
	bool in_bulk;
	bool has_walk;   /* walk is valid */
	uint32_t walk;   /* number of the newest one that was marked */
	uint32_t n_told; /* data messages since its begin */
	/* A reference, which marks nothing: it was asked for all it has. It has
	 * sent all when it acknowledges proof_seq. */
	bool is_proving;
	uint32_t proof_seq;
	bool has_unsent_nack; /* what was missed is not yet asked for */
	bool is_proven;       /* it has; what is older goes once it is sure that
			       * it is a reference */
	bool forgets;         /* if it is a reference it may have forgotten what
			       * we missed */
	bool is_incomplete; /* some of what it told is lost for good, or had no
			     * place in the cache: it is to be asked for all */

	/* the bulk that we send it */
	uint32_t proved;     /* numbers before it are acknowledged by it */
	int64_t bulk_due_ms; /* not to be served before, lest requests storm */

	uint64_t n_lost, n_before, n_foreign;
};

struct peer_table {
	struct peer peers[PEER_MAX];
	uint64_t n_refused; /* datagrams of a 65th node */
};

static inline uint64_t peer_bit(const struct peer *p)
{
	return UINT64_C(1) << p->number;
}

/* It announced that it reads acknowledgements and marks in our records. */
static inline bool peer_reads_records(const struct peer *p)
{
	return p->node && (p->capabilities & EXT_CAP_ADDRESSED_ACK);
}

/* It announced that its updates leave out only what is gone. */
static inline bool peer_sends_whole_updates(const struct peer *p)
{
	return p->node && (p->capabilities & EXT_CAP_WHOLE_UPDATES);
}

/* The peer known at this place, or NULL. */
struct peer *peer_at(struct peer_table *t, const struct peer_addr *from);

/* The peer of this node id, or NULL. */
struct peer *peer_of_node(struct peer_table *t, uint64_t node);

/* The peer without a node id whose numbers seq continues (up to 4096 ahead of
 * the last one) on a link where it has no place: the same node. NULL: none. On
 * one link they are two, for a reference begins with the time of day. */
struct peer *peer_continued(struct peer_table *t, const struct peer_addr *from,
			    uint32_t seq);

/* A new peer at this place. When the table is full, one that is neither heard
 * nor live makes room: one that never answered, or else the one that has been
 * silent for longest. If there is none: NULL, counted. */
struct peer *peer_add(struct peer_table *t, const struct peer_addr *from,
		      int64_t now_ms);

bool peer_same_place(const struct peer_addr *a, const struct peer_addr *b);

/* Lets a peer be found at this place (which another one loses); the oldest
 * place goes if there are more than PEER_ADDR_MAX. */
void peer_add_addr(struct peer_table *t, struct peer *p,
		   const struct peer_addr *from);

/* The places of q are those of p now, older than its own, as far as there is
 * room; q has none any more. */
void peer_take_places(struct peer *p, struct peer *q);

/* It is not found at this place any more. */
void peer_forget_addr(struct peer *p, const struct peer_addr *from);

/* A new life of the peer under a node id (0: not known yet): its numbers and
 * all that was agreed with the old life is forgotten, the generation
 * advances. */
void peer_new_life(struct peer *p, uint64_t node);

/* True if node is an earlier life of p: a replayed or very late message. */
bool peer_is_old_node(const struct peer *p, uint64_t node);
/* It was not one of its lives. */
void peer_forget_old_node(struct peer *p, uint64_t node);

/* Set of the live peers that have answered: those we wait for. */
uint64_t peer_waited(const struct peer_table *t);

#endif
