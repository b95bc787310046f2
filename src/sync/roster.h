/* SPDX-License-Identifier: ISC */
/* roster.h - the other nodes: who they are, in which of their lives, where they
 * are, and whether they are heard and hear us. A peer is a node, not an
 * address. The roster says what has happened to whom; what follows from that is
 * for its user to do. */
#ifndef SYNC_ROSTER_H
#define SYNC_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/util.h"
#include "sync/ext.h"

enum { PEER_MAX = 64, PEER_ADDR_MAX = 4, PEER_OLD_NODES = 8 };

enum { ROSTER_SILENT_MS = 10000 }; /* a peer not heard for so long */

/* Where a datagram came from. */
struct peer_addr {
	uint8_t link;   /* index in the linkset */
	uint8_t family; /* enum family */
	struct addr addr;
};

/* To be read by all, written by the roster. */
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

	/* its numbers, which tell who it is at another place */
	bool has_seq; /* first_seq and last_seq are valid */
	uint32_t first_seq, last_seq;
	int64_t accepted_ms; /* when the last one was accepted */

	/* its life */
	int64_t found_ms, heard_ms;
	bool is_live;        /* heard lately, and not deaf to us */
	bool is_deaf;        /* heard, but acknowledges nothing */
	bool has_answered;   /* it has shown that it hears this life of ours */
	bool never_answers;  /* that was waited for in vain for long enough */
	uint32_t generation; /* advances with each life and bulk of it */
};

/* A zeroed one is empty. */
struct roster {
	struct peer peers[PEER_MAX]; /* by number */
	int n_places;                /* those from here on were never used */
	uint64_t n_refused;          /* datagrams of a 65th node */
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

/* Something is heard of it, whether it hears us or not. */
static inline bool peer_is_heard(const struct peer *p)
{
	return p->is_live || p->is_deaf;
}

/* The number of the next peer there is, in order of numbers; -1 begins, and
 * ends. */
int roster_next(const struct roster *r, int after);

/* Set of the live peers that have answered: those we wait for. */
uint64_t roster_waited(const struct roster *r);
/* Nobody is live. */
bool roster_is_alone(const struct roster *r);
/* Somebody is heard, and all who are know copies of announcements: a reference
 * would follow them to whichever link it takes one on. */
bool roster_takes_copies(const struct roster *r);
/* One without a node id has answered, and is not live now. */
bool roster_has_silent_reference(const struct roster *r);
/* The only live reference, and the only silent one. False: there are others,
 * or there is none of either. */
bool roster_reference_moved(struct roster *r, struct peer **live,
			    struct peer **silent);

/* ---- places ---- */

bool peer_same_place(const struct peer_addr *a, const struct peer_addr *b);

/* The peer known at this place, of this node id, or NULL. */
struct peer *roster_at(struct roster *r, const struct peer_addr *from);
struct peer *roster_of_node(struct roster *r, uint64_t node);

/* The peer without a node id whose numbers seq continues (up to 4096 ahead of
 * the last one) on a link where it has no place: the same node. NULL: none. On
 * one link they are two, for a reference begins with the time of day. */
struct peer *roster_continued(struct roster *r, const struct peer_addr *from,
			      uint32_t seq);

/* A new peer at this place. When the table is full, one that is not heard makes
 * room: one that never answered, or else the one that has been silent for
 * longest. If there is none: NULL, counted. */
struct peer *roster_add(struct roster *r, const struct peer_addr *from,
			int64_t now_ms);

/* Lets a peer be found at this place, which another one loses; the oldest
 * place goes if there are more than PEER_ADDR_MAX. */
void roster_add_place(struct roster *r, struct peer *p,
		      const struct peer_addr *from);

/* It is not found at this place any more. */
void roster_drop_place(struct peer *p, const struct peer_addr *from);

/* ---- who is it? ---- */

enum roster_answer {
	ROSTER_NOBODY,    /* outdated, not believed yet, or not told apart */
	ROSTER_REFUSED,   /* the table is full */
	ROSTER_KNOWN,     /* a peer, in the life that is known */
	ROSTER_FOUND,     /* a new peer; it has no id yet */
	ROSTER_NAMED,     /* it had no id, and says that of its present life */
	ROSTER_RESTARTED, /* its id is that of a new life, which
			   * roster_new_life() begins */
};

struct roster_found {
	enum roster_answer what;
	struct peer *peer; /* NULL: NOBODY, REFUSED */
	/* Another live node with the same name, or NULL. */
	const struct peer *namesake;
	/* A new peer has the name of one that is known. */
	bool has_rival;
	/* Peers of which a life was taken back: it was forged, or a replay. */
	uint64_t cleared;
};

/* Whom a message with this number is from. ext: what it says as an
 * announcement, or NULL. New ids are believed when it is safe to: a wrong, late
 * or forged one would cut us off from the real node. */
void roster_find(struct roster *r, const struct peer_addr *from, uint32_t seq,
		 const struct ext_alive *ext, int64_t now_ms,
		 struct roster_found *found);

/* The peer at this place, if it may be p itself, which announces itself there
 * for the first time: it has neither id nor name. NULL: none, or it is p. */
struct peer *roster_twin(struct roster *r, const struct peer *p,
			 const struct peer_addr *from);

/* seq is near its last number: up to 4096 before or after. */
bool peer_is_near(const struct peer *p, uint32_t seq);

/* p says its id, its capabilities and its name at this place. */
void roster_announced(struct peer *p, const struct peer_addr *from,
		      const struct ext_alive *ext, int64_t now_ms);

/* The id of its present life is known now. */
void roster_named(struct peer *p, uint64_t node);

/* It is a reference, to judge by what it says. True: that is new, and sure. */
bool roster_is_reference(struct peer *p);

/* ---- lives ---- */

/* A new life of the peer under a node id (0: not known yet): its numbers and
 * all that was agreed with the old life is forgotten, the generation
 * advances. */
void roster_new_life(struct peer *p, uint64_t node);

/* Its numbers start anew in the same life. */
void roster_renumbered(struct peer *p);

/* True if node is an earlier life of p: a replayed or very late message. */
bool peer_is_old_node(const struct peer *p, uint64_t node);

/* A message of it was accepted. True: it had been silent. */
bool roster_heard(struct peer *p, int64_t now_ms);
void roster_accepted(struct peer *p, uint32_t seq, int64_t now_ms);

/* It hears us. True: for the first time. It never will. */
bool roster_answered(struct peer *p);
void roster_never_answers(struct peer *p);

/* What it tells from now on is newer than all before. */
void roster_next_generation(struct peer *p);

/* It was silent, or deaf, and is not any more. */
void roster_returned(struct peer *p);
/* It is silent now, or deaf. */
void roster_silent(struct peer *p);
void roster_deaf(struct peer *p);

enum roster_lapse {
	LAPSE_NONE,
	LAPSE_SILENT,  /* it is not heard any more */
	LAPSE_UNKNOWN, /* nor was it for long enough to tell who it is: it is to
			* be forgotten */
	LAPSE_ID,      /* it says its id no more: another one, without an id, is
			* in its place */
};

/* What time has done to a peer that was heard; and whether it was heard for
 * long enough without an id to be a reference. */
enum roster_lapse roster_lapse(const struct peer *p, int64_t now_ms);
bool roster_lacks_id(const struct peer *p);

/* There is no such peer any more. */
void roster_forget(struct peer *p);

/* The numbers of q, which is p, go on from those of p. */
void roster_continue(struct peer *p, const struct peer *q);

/* q was p all the time: it is forgotten, its places are those of p, older than
 * its own, as far as there is room. */
void roster_merge(struct peer *p, struct peer *q);

#endif
