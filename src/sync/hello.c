/* SPDX-License-Identifier: ISC */
#include "sync/hello.h"

#include "sync/seq.h"

enum {
	TRY_MS = 3000,    /* how long it goes on for a later peer, */
	PAUSE_MS = 60000, /* and how long it is not tried again then */
	ECHO_MS = 5000,   /* late copies are heard for so long */
};

void hello_init(struct hello *h, uint32_t first_seq)
{
	*h = (struct hello){ .first_seq = first_seq, .end = first_seq };
}

/* A reference that has not answered, or does not any more. */
static bool is_for(const struct peer *p)
{
	if (!p->is_reference)
		return false;
	return p->is_live ? !p->has_answered && !p->never_answers : p->is_deaf;
}

/* It is in every announcement until somebody has answered. For one that comes
 * later, or gets deaf, it is tried for a while only, and not again soon: a
 * reference empties its resend queue, whoever it is for. Other messages do
 * without: a reference takes them in order after the announcement that it
 * heard, and with HELLO in any order. */
bool hello_is_due(struct hello *h, const struct roster *r, int64_t now_ms)
{
	int64_t since_ms = now_ms - h->tried_ms;
	bool is_wanted = false;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		is_wanted |= is_for(&r->peers[i]);
	if (is_wanted && (!h->has_tried || since_ms >= PAUSE_MS)) {
		h->has_tried = true;
		h->tried_ms = now_ms;
		since_ms = 0;
	}
	return !h->ever_answered || (is_wanted && since_ms < TRY_MS);
}

void hello_said(struct hello *h, uint32_t next, int64_t now_ms)
{
	h->end = next;
	h->said_ms = now_ms;
}

bool hello_was_said(const struct hello *h)
{
	return h->end != h->first_seq;
}

void hello_give_up(const struct hello *h, struct roster *r, int64_t now_ms)
{
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		struct peer *p = &r->peers[i];

		if (is_for(p) && p->is_live && now_ms - p->found_ms > TRY_MS &&
		    (!h->ever_answered || (h->tried_ms >= p->found_ms &&
					   now_ms - h->tried_ms >= TRY_MS)))
			roster_never_answers(p);
	}
}

bool hello_may_reach(const struct hello *h, bool has_acked, uint32_t acked_to,
		     int64_t now_ms)
{
	int64_t since_ms = now_ms - h->said_ms;
	bool is_acked = has_acked && !seq_before(acked_to, h->end - 1);

	if (!hello_was_said(h))
		return false;
	return since_ms < ECHO_MS || (!is_acked && since_ms < PAUSE_MS);
}
