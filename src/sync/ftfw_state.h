/* SPDX-License-Identifier: ISC */
/* ftfw_state.h - private to the files of the FT-FW engine: the parts that it is
 * put together from. ftfw.c calls ftfw_receive.c and ftfw_fill.c, that one
 * ftfw_control.c, all of them ftfw_lives.c, and all the parts. */
#ifndef SYNC_FTFW_STATE_H
#define SYNC_FTFW_STATE_H

#include "sync/bulk.h"
#include "sync/ftfw.h"
#include "sync/hello.h"
#include "sync/intake.h"
#include "sync/order.h"
#include "sync/outbox.h"

enum {
	FTFW_NACK_MS = 100,  /* a gap that an ALIVE shows may close by itself */
	FTFW_PROBE_MS = 200, /* between announcements while a node of ours owes
			      * an answer: they show a lost last message */
};

struct ftfw {
	struct engine base;
	struct ftfw_opts o;
	struct roster roster;
	struct order orders[PEER_MAX]; /* by number of the peer */
	struct intake intake;
	struct outbox outbox;
	struct bulk bulk;
	struct hello hello;
	int64_t started_ms, announced_ms;
	bool must_announce; /* before anything else is said */
	bool has_new_id;    /* another node had ours */
	int64_t new_id_ms;
	/* For due_ms(), which is not told the time: */
	int64_t called_ms; /* when something was last received or filled */
	bool is_scanning;  /* fill() stopped amid entries to skip */
	/* Numbers that were missed, refused, and not ours: */
	uint64_t n_lost, n_before, n_foreign;
	int64_t told_since_ms[ENGINE_EVENT_N];
	uint32_t n_told[ENGINE_EVENT_N];
};

static inline struct order *ftfw_order(struct ftfw *f, const struct peer *p)
{
	return &f->orders[p->number];
}

/* ftfw_receive.c */
enum verdict ftfw_receive(struct engine *e, const struct peer_addr *from,
			  const struct msg *m, int64_t now_ms);

/* ftfw_fill.c */
enum fill ftfw_fill(struct engine *e, struct wr *dgram, size_t room,
		    int64_t now_ms);
int64_t ftfw_due_ms(struct engine *e);

/* ---- ftfw_control.c: what is said besides entries ---- */

/* One call of fill(): the datagram, and what does not change in it. */
struct turn {
	struct wr *w;
	size_t room;     /* bytes of a datagram with several messages */
	uint64_t waited; /* peers whose acknowledgement we wait for */
	bool says_hello; /* in announcements */
	int64_t now_ms;
};

/* The number of the next message. */
static inline uint32_t ftfw_next(const struct ftfw *f)
{
	return f->outbox.ring.next;
}

/* Ends the message begun at offset and holds it under its number, to be
 * acknowledged by these peers. False: it did not fit, and is taken back. */
bool ftfw_end(struct ftfw *f, const struct turn *t, size_t offset,
	      struct ring_ref ref, uint64_t debtors);
/* A control message may take a slot: some are left to announcements. */
bool ftfw_has_slot(const struct ftfw *f);
/* Tells who we are. False: it did not fit. */
bool ftfw_announce(struct ftfw *f, const struct turn *t);
/* When that is due, as of now_ms. */
int64_t ftfw_announcement_due_ms(const struct ftfw *f, int64_t now_ms);
/* Answers, requests and marks, as far as they go, and what is due to be
 * announced. */
enum fill ftfw_fill_control(struct ftfw *f, const struct turn *t);

/* ---- ftfw_lives.c: what follows when somebody comes, returns or goes ---- */

/* Tells it, for the log: so many of a kind a minute. */
void ftfw_event(struct ftfw *f, enum engine_event what, const struct peer *p,
		int64_t now_ms);
/* The peer a message is from, found or added; NULL: refused or outdated. */
struct peer *ftfw_identify(struct ftfw *f, const struct peer_addr *from,
			   const struct msg *m, const struct ext_alive *ext,
			   int64_t now_ms);
/* Something acceptable came from p. */
void ftfw_heard(struct ftfw *f, struct peer *p, int64_t now_ms);
/* p acknowledged or missed a number of ours, or said HELLO_BACK, so it hears
 * us. from: the first number of the range, or NULL. */
void ftfw_answered(struct ftfw *f, struct peer *p, const uint32_t *from,
		   int64_t now_ms);
/* p has started anew. node: its new id, 0 if it has none. */
void ftfw_restarted(struct ftfw *f, struct peer *p, uint64_t node,
		    int64_t now_ms);
/* It says what only a reference says. */
void ftfw_is_reference(struct ftfw *f, struct peer *p);
/* Peers that fell silent or deaf; what makes no progress. */
void ftfw_check_lives(struct ftfw *f, int64_t now_ms);

#endif
