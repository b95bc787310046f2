/* SPDX-License-Identifier: ISC */
/* ftfw_state.h - private to the files of the FT-FW engine: the parts that it is
 * put together from. ftfw.c calls ftfw_receive.c and ftfw_fill.c, that one
 * ftfw_control.c, and all of them lives.c and the parts. */
#ifndef SYNC_FTFW_STATE_H
#define SYNC_FTFW_STATE_H

#include "sync/ftfw.h"
#include "sync/hello.h"
#include "sync/lives.h"

enum {
	FTFW_NACK_MS = 100,  /* a gap that an ALIVE shows may close by itself */
	FTFW_PROBE_MS = 200, /* between announcements while a node of ours owes
			      * an answer: they show a lost last message */
};

struct ftfw {
	struct engine base;
	struct lives l;
	uint32_t ack_window; /* messages received before an ACK */
	struct hello hello;
	int64_t started_ms, announced_ms;
	/* For due_ms(), which is not told the time: */
	int64_t called_ms;  /* when something was last received or filled */
	bool is_scanning;   /* fill() stopped amid entries to skip */
	uint64_t n_foreign; /* ranges that are not ours */
};

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
	return f->l.outbox.ring.next;
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

#endif
