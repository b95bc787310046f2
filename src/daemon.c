/* SPDX-License-Identifier: ISC */
/* The composition root: builds every object, connects them, runs the loop. */
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"
#include "conf_links.h"
#include "daemon_state.h"
#include "notify.h"
#include "privileges.h"
#include "sysctl.h"

enum {
	LOG_WAIT_FIRST_MS = 10, /* doubles while the log takes nothing */
	LOG_WAIT_MOST_MS = 1000,
};

static void on_work(void *ctx)
{
	struct daemon *d = ctx;
	bool more = node_work(d->node);

	flow_cache_step(d->internal);
	flow_cache_step(d->external_cache);
	more |= kernel_side_work(d);
	flush_side_work(d);
	more |= job_side_work(d);
	if (more)
		daemon_work_later(d);
}

void daemon_work_later(struct daemon *d)
{
	loop_defer(d->loop, &d->work);
}

static void on_log_timer(void *ctx, int64_t now_ms)
{
	struct daemon *d = ctx;
	int64_t wait_ms = d->log_wait_ms * 2;

	if (!log_flush()) {
		d->log_wait_ms = 0;
		return;
	}
	d->log_wait_ms =
		wait_ms < LOG_WAIT_MOST_MS ? wait_ms : LOG_WAIT_MOST_MS;
	timer_set(d->loop, &d->log_timer, now_ms + d->log_wait_ms);
}

/* What the log could not take at once is tried again. */
static void finish_log_later(struct daemon *d)
{
	if (timer_is_set(&d->log_timer) || !log_is_behind())
		return;
	d->log_wait_ms = LOG_WAIT_FIRST_MS;
	timer_set(d->loop, &d->log_timer,
		  loop_now_ms(d->loop) + d->log_wait_ms);
}

static void on_turn_end(void *ctx)
{
	struct daemon *d = ctx;

	links_pump(d->links);
	finish_log_later(d);
}

/* A file that cannot be opened is tried again every second: until then lines
 * go where nobody may look for them any more. */
static void reopen_log(struct daemon *d)
{
	bool was_told = d->is_log_old;
	int err;

	privileges_for_files(true);
	err = log_reopen();
	privileges_for_files(false);
	d->is_log_old = err < 0;
	if (err == 0)
		log_notice("log files reopened");
	else if (!was_told)
		log_error("can't open logfile `%s'. Reason: %s",
			  d->conf->general.log_file, strerror(-err));
}

static void on_signal(void *ctx, unsigned int number)
{
	struct daemon *d = ctx;

	if (number == SIGPIPE) /* a reader has left, which its writer notices */
		return;
	if (number == SIGHUP)
		reopen_log(d);
	else
		loop_stop(d->loop);
}

static int open_log(const struct conf_general *g)
{
	static const int facilities[] = {
		[CONF_SYSLOG_OFF] = -1,
		[CONF_SYSLOG_DAEMON] = LOG_DAEMON,
		[CONF_SYSLOG_LOCAL0] = LOG_LOCAL0,
		LOG_LOCAL1,
		LOG_LOCAL2,
		LOG_LOCAL3,
		LOG_LOCAL4,
		LOG_LOCAL5,
		LOG_LOCAL6,
		LOG_LOCAL7,
	};
	const struct log_opts o = {
		.file = g->log_file[0] ? g->log_file : NULL,
		.syslog_facility = facilities[g->syslog],
		.console = true, /* until the start has succeeded */
	};
	int err = log_open(&o);

	if (err < 0)
		log_error("can't open logfile `%s'. Reason: %s", g->log_file,
			  strerror(-err));
	return err;
}

static void on_second(void *ctx, int64_t now_ms)
{
	struct daemon *d = ctx;

	daemon_tell_losses(d);
	if (d->is_log_old)
		reopen_log(d);
	kernel_side_second(d);
	timer_set(d->loop, &d->second, now_ms + 1000);
}

/* Filters of the kernel's sockets are not in this version: it is done here. */
static void log_filter(const struct conf_filter *f)
{
	if (f->protocol != FILTER_NONE || f->address != FILTER_NONE ||
	    f->state != FILTER_NONE)
		log_notice("using user-space event filtering");
}

static void on_watchdog(void *ctx, int64_t now_ms)
{
	struct daemon *d = ctx;

	notify_watchdog();
	timer_set(d->loop, &d->watchdog, now_ms + d->watchdog_ms / 2);
}

static void start_watchdog(struct daemon *d)
{
	d->watchdog_ms = notify_watchdog_ms(d->process.first);
	if (d->watchdog_ms < 0)
		log_warn("failed to get watchdog details from systemd: %s",
			 strerror(EINVAL));
	if (d->watchdog_ms <= 0)
		return;
	d->watchdog = (struct timer){ .fn = on_watchdog, .ctx = d };
	timer_set(d->loop, &d->watchdog, loop_now_ms(d->loop));
}

static void fail(struct daemon *d)
{
	d->exit_status = 1;
	loop_stop(d->loop);
}

static void serve_from_now(struct daemon *d)
{
	int err = privileges_drop(d->conf, d->process.lock_path);

	if (err < 0)
		log_notice("privileges are kept: %s", strerror(-err));
	log_notice("initialization completed");
	log_notice(d->is_background ? "-- starting in daemon mode --"
				    : "-- starting in console mode --");
	if (d->is_background)
		log_console_off();
	if (chdir("/") < 0)
		log_notice("chdir: %s", strerror(errno));
	d->is_running = true;
	links_start(d->links);
	if (d->conf->sync.startup_resync) {
		log_notice("resync requested");
		node_ask(d->node, ASK_RESYNC);
	}
	daemon_work_later(d); /* commands wait for it */
	process_ready(&d->process);
	if (d->conf->general.systemd) {
		notify_ready();
		start_watchdog(d);
	}
}

/* An interface may come a moment after the start at boot. */
static void on_links(void *ctx)
{
	struct daemon *d = ctx;

	if (d->is_filled && !d->is_running)
		serve_from_now(d);
}

/* Without any there is nothing to serve, and a service manager will try again:
 * so late that its patience does not come to an end either. */
static void on_no_links(void *ctx)
{
	log_error("initialization failed");
	fail(ctx);
}

static int open_links(struct daemon *d)
{
	struct links_link links[CONF_LINKS_MAX];
	const struct links_opts o = {
		.loop = d->loop,
		.node = d->node,
		.links = links,
		.n_links = conf_links(d->conf, links),
		.ctx = d,
		.has_links = on_links,
		.has_no_links = on_no_links,
	};
	int err = links_open(&o, &d->links);

	if (err < 0)
		log_error("initialization failed");
	return err;
}

/* The order matters: nothing of another instance is touched before the lock
 * and the socket are ours; events are subscribed to before the dump; and
 * conntrack has no settings before its module is there, which the dump has made
 * sure of. */
static int open_all(struct daemon *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, 0 };
	int err = process_lock(&d->process, &d->conf->general);

	if (err < 0)
		return err;
	process_schedule(&d->conf->general);
	d->loop = loop_new();
	if (!d->loop)
		return -ENOMEM;
	d->started_ms = loop_now_ms(d->loop);
	d->work = (struct deferred){ .fn = on_work, .ctx = d };
	d->log_timer = (struct timer){ .fn = on_log_timer, .ctx = d };
	loop_set_turn_end(d->loop, on_turn_end, d);
	err = loop_signals(d->loop, signals, on_signal, d);
	if (err == 0)
		err = control_side_open(d);
	if (err == 0)
		process_claim_lock(&d->process);
	if (err == 0)
		err = daemon_build(d);
	if (err < 0)
		return err;
	err = open_links(d);
	if (err < 0)
		return err;
	log_filter(&d->conf->filter);
	err = kernel_side_open(d);
	if (err == 0)
		err = daemon_build_commit(d);
	if (err < 0)
		return err;
	sysctl_prepare(d->conf->general.hash_limit);
	d->second = (struct timer){ .fn = on_second, .ctx = d };
	timer_set(d->loop, &d->second, loop_now_ms(d->loop) + 1000);
	return 0;
}

/* The internal cache is filled (or never will be): ready, or the end. */
void daemon_started(struct daemon *d, int error)
{
	d->is_filled = error == 0;
	if (error < 0)
		fail(d);
	else if (d->exit_status) /* patience has ended in the same turn */
		return;
	else if (links_is_there(d->links) || !links_is_patient(d->links))
		serve_from_now(d);
}

/* How long the daemon kept others waiting, for whoever tunes it. */
static void log_turns(const struct loop_stats *s)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i + 1 < LOOP_STATS_N; i++) {
		n += s->turn_us[i];
		if (n * 1000 >= s->n_turns * 999)
			break;
	}
	log_info("%llu turns of the loop, 99.9 %% of them below %u us of CPU "
		 "time, the longest %llu us",
		 (unsigned long long)s->n_turns, 1u << i,
		 (unsigned long long)s->longest_turn_us);
}

static void close_all(struct daemon *d)
{
	if (d->loop) {
		timer_cancel(d->loop, &d->watchdog);
		timer_cancel(d->loop, &d->second);
		timer_cancel(d->loop, &d->log_timer);
		loop_defer_cancel(d->loop, &d->work);
		links_close(d->links);
		kernel_side_close(d);
	}
	privileges_for_files(true);
	job_side_close(d);
	/* Who asked for the end hears of it when a new one can start. */
	control_side_stop(d);
	process_unlock(&d->process);
	control_side_close(d);
	daemon_unbuild(d);
	loop_free(d->loop);
}

static int serve(struct daemon *d)
{
	int err = open_log(&d->conf->general);

	if (err == 0)
		err = open_all(d);
	if (err == 0)
		err = loop_run(d->loop);
	if (err < 0 || d->exit_status) {
		log_error("conntrackd cannot start, please review your "
			  "configuration");
		d->exit_status = 1;
	}
	if (d->is_running) {
		log_turns(loop_stats(d->loop));
		if (d->conf->general.systemd)
			notify_stopping();
	}
	close_all(d);
	if (d->is_running)
		log_notice("---- shutdown received ----");
	log_close();
	return d->exit_status;
}

int daemon_main(const struct conf *conf, bool is_background)
{
	struct daemon d = { .conf = conf, .is_background = is_background };

	process_init(&d.process);
	if (is_background && !process_detach(&d.process)) {
		log_error("can't go to the background: %s", strerror(errno));
		return 1;
	}
	return serve(&d);
}
