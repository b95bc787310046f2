/* SPDX-License-Identifier: ISC */
/* linkset.h - the one to four links of a node: which one is current. It
 * looks at the status of its links, and is told of messages. */
#ifndef SYNC_LINKSET_H
#define SYNC_LINKSET_H

#include <stdbool.h>
#include <stdint.h>

#include "sync/link.h"

enum { LINKSET_MAX = 4 };

struct linkset {
	struct link *links[LINKSET_MAX]; /* owned by whoever opened them */
	int n_links;
	int current;              /* index; -1 only if there are no links */
	int64_t patient_until_ms; /* links may take so long to come up */
	bool was_usable;          /* one was, since the start */
	bool is_lost;             /* LINKSET_LOST was said, and none is back */
	/* What had been sent to the link before may still arrive, and does not
	 * lead back until then. */
	int previous;
	int64_t settled_ms;
	uint32_t settle_ms;
	/* The last switch for silence, and how long another one has to wait
	 * from then; 0: there was none. */
	int64_t missed_ms, missed_wait_ms;
};

/* The first current link is the last one marked default, else the first.
 * settle_ms: how long the link that was left does not lead back. Two nodes that
 * change places, each to the other's link, come together again if that is not
 * the same for both. */
void linkset_init(struct linkset *s, int64_t patient_until_ms,
		  uint32_t settle_ms);
void linkset_add(struct linkset *s, struct link *l, bool is_default);

enum linkset_change {
	LINKSET_SAME,
	LINKSET_SWITCHED, /* another one is current */
	LINKSET_RETURNED, /* the current one, after LINKSET_LOST */
	LINKSET_LOST,     /* none is usable any more, or came up in time */
};
/* After the state of a link changed, and when patience is over: if the current
 * one is not usable, the first other that is becomes current. */
enum linkset_change linkset_update(struct linkset *s, int64_t now_ms);
/* A message that the engine accepted arrived on this link: the peer sends
 * there, so do we; but not away from a usable link to one that is not any more.
 * True if that changed the current link. */
bool linkset_heard(struct linkset *s, int index, int64_t now_ms);
/* This link carries copies of what a peer says, and the one that it is said on
 * has carried nothing for a while: this one becomes current, if it is usable.
 * So does the peer's, which hears us there. Where no link is good to everyone
 * that goes round, but less and less often. True if that changed the current
 * link. */
bool linkset_missed(struct linkset *s, int index, int64_t now_ms);
/* Where to look for others while nobody is heard: the link that is so many
 * steps behind the current one, or that itself if it is not usable. */
int linkset_search(const struct linkset *s, uint32_t step);

#endif
