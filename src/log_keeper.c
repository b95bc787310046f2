/* SPDX-License-Identifier: ISC */
#include "log_keeper.h"

#include <string.h>

#include "base/log.h"
#include "privileges.h"

enum {
	WAIT_FIRST_MS = 10, /* doubles while the log takes nothing */
	WAIT_MOST_MS = 1000,
};

static void on_timer(void *ctx, int64_t now_ms)
{
	struct log_keeper *k = ctx;

	if (!log_flush()) {
		k->wait_ms = 0;
		return;
	}
	k->wait_ms *= 2;
	if (k->wait_ms > WAIT_MOST_MS)
		k->wait_ms = WAIT_MOST_MS;
	timer_set(k->loop, &k->timer, now_ms + k->wait_ms);
}

void log_keeper_init(struct log_keeper *k, struct loop *loop, const char *file)
{
	*k = (struct log_keeper){
		.loop = loop,
		.file = file,
		.timer = { .fn = on_timer, .ctx = k },
	};
}

void log_keeper_fini(struct log_keeper *k)
{
	if (k->loop)
		timer_cancel(k->loop, &k->timer);
}

void log_keeper_turn(struct log_keeper *k)
{
	if (timer_is_set(&k->timer) || !log_is_behind())
		return;
	k->wait_ms = WAIT_FIRST_MS;
	timer_set(k->loop, &k->timer, loop_now_ms(k->loop) + k->wait_ms);
}

void log_keeper_reopen(struct log_keeper *k)
{
	bool was_told = k->is_old;
	int err;

	privileges_for_files(true);
	err = log_reopen();
	privileges_for_files(false);
	k->is_old = err < 0;
	if (err == 0)
		log_notice("log files reopened");
	else if (!was_told)
		log_error("can't open logfile `%s'. Reason: %s", k->file,
			  strerror(-err));
}

void log_keeper_second(struct log_keeper *k)
{
	if (k->is_old)
		log_keeper_reopen(k);
}
