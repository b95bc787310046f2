/* SPDX-License-Identifier: ISC */
/* intake.h - what the peers tell us, as a whole: the bulks they send, when all
 * was told and what is older may go, and whether some of it is lost for good,
 * so that it is to be asked for anew. */
#ifndef SYNC_INTAKE_H
#define SYNC_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "sync/ext.h"
#include "sync/roster.h"

/* A zeroed one has been told nothing. */
struct intake {
	bool has_forgotten;  /* somebody, and what he told */
	bool is_asked_for;   /* by the user: all is to be asked for */
	bool has_asked;      /* asked_ms is valid */
	int64_t asked_ms;    /* when all was last asked for */
	uint64_t incomplete; /* peers: some of what they told is lost for good,
			      * or had no place in the cache */
	struct intake_peer {
		bool in_bulk;
		bool has_walk;   /* walk is valid */
		uint32_t walk;   /* number of the newest one that was marked */
		uint32_t n_told; /* data messages since its begin */
		bool has_told;   /* any since it was found */
		/* A reference, which marks nothing: it was asked for all it
		 * has. It has sent all when it acknowledges proof_seq. */
		bool is_proving;
		uint32_t proof_seq;
		bool has_unsent_nack; /* what was missed is not yet asked for */
		bool is_proven; /* it has; what is older goes once it is sure
				 * that it is a reference */
		bool forgets;   /* if it is a reference it may have forgotten
				 * what we missed */
	} peers[PEER_MAX];      /* by number */
};

/* p is a new peer under its number; p has begun a new life. */
void intake_new_peer(struct intake *k, const struct peer *p);
void intake_new_life(struct intake *k, const struct peer *p);
/* It is a node of ours, or silent. */
void intake_named(struct intake *k, const struct peer *p);
void intake_silent(struct intake *k, const struct peer *p);
/* It is a reference. True: sweep what it told before its present generation. */
NODISCARD bool intake_is_reference(struct intake *k, const struct peer *p);
/* It is forgotten. True: with what it told since it was found. */
NODISCARD bool intake_forgotten(struct intake *k, const struct roster *r,
				const struct peer *p);

/* What q has told is p's. */
void intake_merged(struct intake *k, const struct peer *p,
		   const struct peer *q);

/* A data message of it was taken. False: there was no room for it. */
void intake_told(struct intake *k, const struct peer *p, bool is_kept);

/* Some of what it told is lost for good. */
void intake_incomplete(struct intake *k, const struct peer *p);

/* Numbers of it are missed, and it holds none of them: nor is the bulk that it
 * is sending complete. */
void intake_gap(struct intake *k, const struct peer *p);
/* Between the marks of one, and none of it was missed. */
bool intake_is_in_bulk(const struct intake *k, const struct peer *p);
bool intake_is_incomplete(const struct intake *k, const struct peer *p);
/* It tells all, from the begin of a bulk on. */
void intake_told_anew(struct intake *k, const struct peer *p);

enum intake_step {
	INTAKE_NONE,
	INTAKE_BEGINS, /* of a bulk: what is told from now on is newer */
	INTAKE_ENDS,   /* all was told: sweep what is older */
};
/* A bulk mark of one of our nodes. */
enum intake_step intake_mark(struct intake *k, const struct peer *p,
			     enum ext_phase phase, uint32_t walk,
			     uint32_t n_entries);

/* ---- a reference, which marks nothing ---- */

/* What was missed of it is to be asked for; that was sent under number seq. */
void intake_nack_queued(struct intake *k, const struct peer *p);
void intake_nack_sent(struct intake *k, const struct peer *p, uint32_t seq);

/* Numbers were missed which it may have forgotten, if it is a reference. */
void intake_missed(struct intake *k, const struct peer *p);

/* It acknowledges a range of ours, and nothing before is missed but what is
 * asked for. True: sweep what it told before its present generation. */
NODISCARD bool intake_acked(struct intake *k, const struct peer *p,
			    uint32_t from, uint32_t to);

/* ---- asking for all ---- */

/* The user wants it. */
void intake_ask(struct intake *k, const struct roster *r);

/* By the user; for the sake of a live peer that is incomplete, which of
 * ourselves is done every 10 s at most, and the caller asks for only if the
 * cache has room. */
bool intake_is_asked_for(const struct intake *k);
bool intake_wants_all(const struct intake *k, const struct roster *r,
		      int64_t now_ms);

/* All was asked for; peer p will hear it, sent under number seq. True: what it
 * tells from now on is newer. */
void intake_asked(struct intake *k, int64_t now_ms);
NODISCARD bool intake_hears(struct intake *k, const struct peer *p,
			    uint32_t seq);

#endif
