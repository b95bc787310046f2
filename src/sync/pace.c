/* SPDX-License-Identifier: ISC */
#include "sync/pace.h"

enum {
	/* A default socket buffer takes some 90 datagrams of 1500 bytes; a
	 * reference reads more than 100 entries in a millisecond. */
	RATE_MOST = 3000,
	RATE_LEAST = 256, /* 10,000 entries in some 6 s */
	SAVED_MS = 4,
};

void pace_init(struct pace *p, int64_t now_ms)
{
	*p = (struct pace){ .rate = RATE_MOST, .at_ms = now_ms };
}

bool pace_allows(struct pace *p, int64_t now_ms)
{
	int64_t most = SAVED_MS * (int64_t)p->rate;

	p->budget += (now_ms - p->at_ms) * p->rate;
	if (p->budget > most)
		p->budget = most;
	p->at_ms = now_ms;
	return p->budget > 0;
}

void pace_spent(struct pace *p, size_t bytes)
{
	p->budget -= (int64_t)bytes;
}

int64_t pace_due_ms(const struct pace *p)
{
	return p->budget > 0 ? p->at_ms : p->at_ms + 1 - p->budget / p->rate;
}

void pace_slower(struct pace *p)
{
	p->rate = p->rate / 2 < RATE_LEAST ? RATE_LEAST : p->rate / 2;
}

void pace_faster(struct pace *p)
{
	p->rate = p->rate * 2 > RATE_MOST ? RATE_MOST : p->rate * 2;
}
