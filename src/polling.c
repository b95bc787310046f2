/* SPDX-License-Identifier: ISC */
#include "polling.h"

/* Of the time that one took which has taken too long: so that other work gets
 * its share, whatever the size of the table. */
enum { REST = 4 };

void polling_begins(struct polling *p, int64_t now_ms)
{
	p->began_ms = now_ms;
}

int64_t polling_ended(struct polling *p, bool is_good, int64_t now_ms)
{
	int64_t due_ms = p->began_ms + p->period_ms;
	int64_t rested_ms = now_ms + (now_ms - p->began_ms) / REST;

	p->has_failed = !is_good;
	return due_ms > rested_ms ? due_ms : rested_ms;
}
