/* SPDX-License-Identifier: ISC */
#include "overrun.h"

void overrun_init(struct overrun *o, int64_t fixed_ms)
{
	*o = (struct overrun){ .fixed_ms = fixed_ms };
}

static int64_t due(const struct overrun *o, int64_t now_ms)
{
	int64_t earliest = o->interval_ms ? o->repaired_ms + o->interval_ms : 0;
	int64_t latest = o->first_ms + OVERRUN_FIRST_MS;
	int64_t settled = now_ms + OVERRUN_SETTLE_MS;

	if (o->fixed_ms)
		return o->first_ms + o->fixed_ms;
	if (latest < earliest)
		latest = earliest;
	return settled < earliest ? earliest
	       : settled > latest ? latest
				  : settled;
}

int64_t overrun_lost(struct overrun *o, int64_t now_ms)
{
	if (o->fixed_ms < 0)
		return TIMER_NEVER;
	if (!o->is_waiting) {
		o->is_waiting = true;
		o->first_ms = now_ms;
		if (now_ms - o->repaired_ms > OVERRUN_CALM_MS)
			o->interval_ms = 0;
	}
	return o->is_repairing ? TIMER_NEVER : due(o, now_ms);
}

void overrun_begins(struct overrun *o)
{
	o->is_repairing = true;
	o->is_waiting = false;
}

int64_t overrun_ended(struct overrun *o, bool is_good, int64_t now_ms)
{
	o->is_repairing = false;
	o->repaired_ms = now_ms;
	o->interval_ms = o->interval_ms ? 2 * o->interval_ms : OVERRUN_FIRST_MS;
	if (o->interval_ms > OVERRUN_MOST_MS)
		o->interval_ms = OVERRUN_MOST_MS;
	if (!is_good) {
		o->is_waiting = true;
		o->first_ms = now_ms;
	}
	return o->is_waiting ? due(o, now_ms) : TIMER_NEVER;
}
