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

enum { PEER_MAX = 64, PEER_ADDR_MAX = 4, PEER_OLD_NODES = 8 };

/* Where a datagram came from. */
struct peer_addr {
	uint8_t link;   /* index in the linkset */
	uint8_t family; /* enum family */
	struct addr addr;
};

/* Numbers we have received from one peer (spec 4.3). */
struct tracker {
	bool is_set;          /* last is valid */
	uint32_t last;        /* number of the last accepted message */
	bool ack_pending;     /* ack_from is valid */
	uint32_t ack_from;    /* first number not yet acknowledged */
	uint32_t n_unacked;   /* counted messages since ack_from */
	int64_t ack_due_ms;   /* when to acknowledge at the latest */
	bool last_was_hello;  /* the last accepted message said HELLO */
	uint32_t hello_first; /* first number of that run of HELLOs */
	uint32_t n_late_row; /* late messages in a row, none in order between */
	uint32_t late_next;  /* number that would continue the row */
	bool has_wild;       /* wild is valid */
	uint32_t wild;       /* a number far ahead that nothing has confirmed */
	int64_t in_order_ms; /* when the last message was accepted */
};

struct peer {
	bool is_used;
	uint8_t number; /* its bit in sets of peers; owner in the cache */

	/* identity */
	uint64_t node; /* 0: a reference node, or not yet known */
	uint64_t old_nodes[PEER_OLD_NODES]; /* earlier lives, newest first */
	uint64_t claimed_node; /* said to be its new life, once; 0: none */
	uint32_t claimed_seq;  /* the number it was said under */
	int64_t claimed_since_ms;
	int64_t announced_ms;  /* when node was last said */
	uint16_t capabilities; /* enum ext_capability */
	bool has_name;
	uint8_t name[EXT_NAME_SIZE];
	struct peer_addr addrs[PEER_ADDR_MAX];
	uint8_t n_addrs;

	/* its life */
	int64_t found_ms, heard_ms;
	int64_t answered_ms;   /* it last acknowledged or missed a number, or
				* had none to acknowledge */
	uint32_t answered_seq; /* our next number then */
	int64_t idle_ms;       /* a reference: it last had nothing to send and
				* nothing to acknowledge */
	bool is_live;          /* heard lately, and not deaf to us */
	bool is_deaf;          /* heard, but acknowledges nothing */
	bool has_answered;     /* it acknowledged a number of our life */
	int64_t back_ms;       /* it said HELLO_BACK; 0: never */
	bool gave_up_hello;    /* it never answers: no HELLO because of it */
	uint8_t generation;    /* advances with each life and bulk of it */

	struct tracker rx;
	bool needs_first_ack; /* numbers before its first ACK were not heard */

	/* the bulk that it sends us */
	bool in_bulk;
	uint32_t bulk_walk;
	/* the bulk that we send it */
	bool begin_acked;
	bool end_sent;
	uint32_t proved; /* numbers before it are acknowledged by this peer */

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
 * the last one), or NULL: the same node on another link. */
struct peer *peer_continued(struct peer_table *t, uint32_t seq);

/* A new peer at this place. When the table is full, a peer that is not live
 * and owns nothing worth keeping (it never answered) makes room; if there is
 * none: NULL, counted. */
struct peer *peer_add(struct peer_table *t, const struct peer_addr *from,
		      int64_t now_ms);

/* Lets a peer be found at this place (which another one loses); the oldest
 * place goes if there are more than PEER_ADDR_MAX. */
void peer_add_addr(struct peer_table *t, struct peer *p,
		   const struct peer_addr *from);

/* A new life of the peer under a node id (0: not known yet): the tracker and
 * all that was agreed with the old life is forgotten, the generation
 * advances. */
void peer_new_life(struct peer *p, uint64_t node);

/* True if node is an earlier life of p: a replayed or very late message. */
bool peer_is_old_node(const struct peer *p, uint64_t node);

/* Set of the live peers that have answered: those we wait for. */
uint64_t peer_waited(const struct peer_table *t);

#endif
