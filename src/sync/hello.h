/* SPDX-License-Identifier: ISC */
/* hello.h - when we say HELLO, and what that does to references: one that knows
 * higher numbers of an earlier life of ours is deaf without it, and every one
 * empties its resend queue at each that it hears. */
#ifndef SYNC_HELLO_H
#define SYNC_HELLO_H

#include <stdbool.h>
#include <stdint.h>

#include "sync/roster.h"

struct hello {
	uint32_t first_seq; /* number of our first message */
	uint32_t end; /* behind the last HELLO: numbers before it may not have
		       * been heard, unnoticed */
	int64_t said_ms;    /* when it was last said */
	bool ever_answered; /* somebody has heard us */
	bool has_tried;     /* tried_ms is valid */
	int64_t tried_ms;   /* when it was last tried for a later peer */
	bool must_answer;   /* a HELLO was heard: HELLO_BACK is to be said */
};

void hello_init(struct hello *h, uint32_t first_seq);

/* Whether announcements say it now. */
bool hello_is_due(struct hello *h, const struct roster *r, int64_t now_ms);

/* It was said under the number before next. */
void hello_said(struct hello *h, uint32_t next, int64_t now_ms);
bool hello_was_said(const struct hello *h);

/* Those for whom it was tried for long enough never answer. */
void hello_give_up(const struct hello *h, struct roster *r, int64_t now_ms);

/* A reference that has heard ours forgets what it might be asked for. It may
 * still hear one that it has not acknowledged. has_acked: acked_to is the last
 * number of ours that it has. */
bool hello_may_reach(const struct hello *h, bool has_acked, uint32_t acked_to,
		     int64_t now_ms);

#endif
