/* SPDX-License-Identifier: ISC */
/* notrack_state.h - private to the files of the NOTRACK engine. notrack.c calls
 * notrack_receive.c and notrack_fill.c, both of them notrack_losses.c, and all
 * of them lives.c and the parts. */
#ifndef SYNC_NOTRACK_STATE_H
#define SYNC_NOTRACK_STATE_H

#include "sync/notrack.h"
#include "sync/pace.h"

/* A walk waits so long for its begin to be sent, which is as good as
 * acknowledged then. */
enum { NOTRACK_MARK_MS = 1000 };

struct notrack {
	struct engine base;
	struct lives l;
	uint32_t told;     /* last number of ours that was no sign of life */
	struct pace pace;  /* of bulks */
	int64_t walked_ms; /* when the last one had been sent */
	bool has_walked;
	struct notrack_losses {
		uint64_t node;  /* the life of the peer that this is about */
		bool is_losing; /* as the log has it */
		bool is_whole;  /* but for what had no room */
		bool has_gap; /* what was missed after gap_from is not known */
		uint32_t gap_from;
		int64_t lost_ms;     /* last */
		int64_t ask_ms;      /* it is not asked for all before */
		int64_t interval_ms; /* between two requests; 0: it loses
					nothing */
	} losses[PEER_MAX];          /* by number of the peer */
	int64_t started_ms, announced_ms;
	/* For due_ms(), which is not told the time: */
	int64_t called_ms; /* when something was last received or filled */
	bool is_scanning;  /* fill() stopped amid entries to skip */
};

/* notrack_receive.c */
enum verdict notrack_receive(struct engine *e, const struct peer_addr *from,
			     const struct msg *m, int64_t now_ms);

/* notrack_fill.c */
enum fill notrack_fill(struct engine *e, struct wr *dgram, size_t room,
		       int64_t now_ms);
int64_t notrack_due_ms(struct engine *e);

/* ---- notrack_losses.c: what was missed of others, and makes up for it ---- */

/* p was heard: of a life that is new to us we lack all. */
void notrack_note_life(struct notrack *t, const struct peer *p, int64_t now_ms);
/* Messages of p after this number are missed. What was in them its next
 * announcement shows: the last number that told something new. */
void notrack_gap(struct notrack *t, const struct peer *p, uint32_t last,
		 int64_t now_ms);
void notrack_told(struct notrack *t, const struct peer *p, uint32_t told,
		  int64_t now_ms);
/* If another one was found to be p: nobody knows what the two have missed. */
void notrack_joined(struct notrack *t, const struct peer *p, int64_t now_ms);
/* A bulk of p has ended, and all of it was heard. */
void notrack_repaired(struct notrack *t, const struct peer *p);
/* When p is to be asked for all; INT64_MAX: it is not. */
int64_t notrack_want_due_ms(const struct notrack *t, const struct peer *p);
/* It was asked. */
void notrack_wanted(struct notrack *t, const struct peer *p, int64_t now_ms);
/* Lives that ended unheard; tells who loses nothing any more. */
void notrack_check_losses(struct notrack *t, int64_t now_ms);

#endif
