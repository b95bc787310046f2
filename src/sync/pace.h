/* SPDX-License-Identifier: ISC */
/* pace.h - how fast something may be sent that nobody acknowledges: so many
 * bytes in a millisecond, saved for a few of them only, so that what the
 * receiver does in between does not overrun its socket. */
#ifndef SYNC_PACE_H
#define SYNC_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pace {
	uint32_t rate;  /* bytes in a millisecond */
	int64_t budget; /* bytes; negative after a datagram that was begun */
	int64_t at_ms;  /* when the budget was that */
};

void pace_init(struct pace *p, int64_t now_ms);

/* A datagram may be begun; the whole of it may be filled then. */
bool pace_allows(struct pace *p, int64_t now_ms);
void pace_spent(struct pace *p, size_t bytes);
/* When pace_allows() again. */
int64_t pace_due_ms(const struct pace *p);

/* What was sent was lost, or arrived: half as fast from now on, or twice,
 * within bounds. */
void pace_slower(struct pace *p);
void pace_faster(struct pace *p);

#endif
