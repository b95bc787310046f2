/* SPDX-License-Identifier: ISC */
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control.h"
#include "jobs.h"
#include "log_keeper.h"
#include "losses.h"
#include "notify.h"
#include "peer_log.h"
#include "sysctl.h"

enum {
	HELPER_NAMES = 1024, /* different ones at a time */
	HELPER_NAME_LEN = 15,
	CONTEXTS = 4096,
	CONTEXT_LEN = 255,
	FUNCTIONS = 256, /* that expectations have, as HELPER_NAMES */
	FUNCTION_LEN = 63,
};

/* Everything that lives as long as the process. Only this file knows it. */
struct daemon {
	struct daemon_opts o;
	struct process process;
	struct loop *loop;
	struct log_keeper log_keeper;
	struct names *helpers, *contexts, *functions;
	struct filter *filter;
	struct flow_cache *internal, *external; /* external: or NULL, */
	struct inject *inject;                  /* and then this */
	struct flow_cache *injected; /* what it has put there, if it polls */
	struct ct_writer *inject_writer;
	struct node *node;
	struct links *links;
	struct kernel_side *kernel;
	struct jobs jobs;
	struct commands *commands;
	struct control *control;
	struct sources sources;
	struct losses losses;
	struct deferred work; /* pieces of long walks */
	struct timer second;  /* comes every second */
	struct timer watchdog;
	int64_t watchdog_ms; /* 0: none */
	bool is_filled;      /* the internal cache, by the first dump */
	bool is_running;     /* it serves */
	int exit_status;
};

/* ---- what comes again and again ------------------------------------------ */

static void work_later(void *ctx)
{
	struct daemon *d = ctx;

	loop_defer(d->loop, &d->work);
}

static void on_work(void *ctx)
{
	struct daemon *d = ctx;
	bool more = node_work(d->node);

	flow_cache_step(d->internal);
	if (d->external)
		flow_cache_step(d->external);
	if (d->injected)
		flow_cache_step(d->injected);
	more |= kernel_side_work(d->kernel);
	if (d->is_running)
		more |= jobs_work(&d->jobs);
	if (more)
		work_later(d);
}

static void on_turn_end(void *ctx)
{
	struct daemon *d = ctx;

	if (d->inject)
		inject_turn(d->inject, loop_now_ms(d->loop));
	links_pump(d->links);
	log_keeper_turn(&d->log_keeper);
}

static void on_second(void *ctx, int64_t now_ms)
{
	struct daemon *d = ctx;

	losses_tell(&d->losses, &d->sources, now_ms);
	log_keeper_second(&d->log_keeper);
	if (d->inject)
		inject_second(d->inject, now_ms);
	kernel_side_second(d->kernel);
	node_second(d->node, now_ms);
	timer_set(d->loop, &d->second, now_ms + 1000);
}

static void on_signal(void *ctx, unsigned int number)
{
	struct daemon *d = ctx;

	if (number == SIGPIPE) /* a reader has left, which its writer notices */
		return;
	if (number == SIGHUP)
		log_keeper_reopen(&d->log_keeper);
	else
		loop_stop(d->loop);
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

/* ---- from the start to serving ------------------------------------------- */

static void fail(struct daemon *d)
{
	d->exit_status = 1;
	loop_stop(d->loop);
}

static void drop_privileges(struct daemon *d)
{
	int err;

	d->o.privileges.lock_path = d->process.lock_path;
	err = privileges_drop(&d->o.privileges);
	if (err < 0)
		log_notice("privileges are kept: %s", strerror(-err));
}

static void serve_from_now(struct daemon *d)
{
	drop_privileges(d);
	log_notice("initialization completed");
	log_notice(d->o.is_background ? "-- starting in daemon mode --"
				      : "-- starting in console mode --");
	if (d->o.is_background)
		log_console_off();
	if (chdir("/") < 0)
		log_notice("chdir: %s", strerror(errno));
	d->is_running = true;
	links_start(d->links);
	if (d->o.asks_at_start) {
		log_notice("resync requested");
		node_ask(d->node, ASK_RESYNC);
	}
	if (d->o.tells_at_start)
		node_ask(d->node, ASK_BULK);
	work_later(d); /* commands wait for it */
	process_ready(&d->process);
	if (d->o.has_manager) {
		notify_ready();
		start_watchdog(d);
	}
}

/* The internal cache is filled, or never will be: ready, or the end. */
static void on_filled(void *ctx, int error)
{
	struct daemon *d = ctx;

	d->is_filled = error == 0;
	if (error < 0)
		fail(d);
	else if (d->exit_status) /* patience has ended in the same turn */
		return;
	else if (links_is_there(d->links) || !links_is_patient(d->links))
		serve_from_now(d);
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

/* ---- how the parts are connected ------------------------------------------
 */

static void on_touch(void *ctx, uint32_t id, enum touch how)
{
	struct daemon *d = ctx;

	node_touch(d->node,
		   (struct ref){ flow_cache_kind(d->internal, id), id }, how);
}

static void on_fetch(void *ctx)
{
	struct daemon *d = ctx;

	kernel_side_fetch(d->kernel);
}

static void on_bulk_wanted(void *ctx)
{
	struct daemon *d = ctx;

	node_ask(d->node, ASK_BULK);
}

static void on_fetched(void *ctx, bool is_complete)
{
	struct daemon *d = ctx;

	node_fetched(d->node, is_complete);
}

/* Where events are read, these tell. */
static void on_injected(void *ctx, enum kernel_op op, const struct flow *f)
{
	struct daemon *d = ctx;

	kernel_side_injected(d->kernel, op, f);
}

static bool is_under_way(void *ctx, const struct flow *f)
{
	struct daemon *d = ctx;

	return inject_is_under_way(d->inject, f);
}

static bool is_client_there(void *ctx, uint64_t client)
{
	struct daemon *d = ctx;

	return ctl_server_has_client(control_server(d->control), client);
}

static void answer_client(void *ctx, uint64_t client, int status,
			  const char *reason)
{
	struct daemon *d = ctx;

	ctl_server_finish(control_server(d->control), client, status, reason);
}

static void on_node_event(void *ctx, enum engine_event what,
			  const struct peer *p)
{
	(void)ctx;
	peer_log(what, p);
}

/* ---- building ------------------------------------------------------------ */

static int build_caches(struct daemon *d)
{
	struct flow_cache_opts *o = &d->o.cache;
	int err = process_random(o->hash_key, sizeof(o->hash_key));

	if (err < 0)
		return err;
	d->filter = filter_new(&d->o.filter);
	d->helpers = names_new(HELPER_NAMES, HELPER_NAME_LEN);
	d->contexts = names_new(CONTEXTS, CONTEXT_LEN);
	d->functions = names_new(FUNCTIONS, FUNCTION_LEN);
	d->internal = flow_cache_new(o);
	if (!d->o.injects)
		d->external = flow_cache_new(o);
	return d->filter && d->helpers && d->contexts && d->functions &&
			       d->internal && (d->external || d->o.injects)
		       ? 0
		       : -ENOMEM;
}

/* What peers tell goes into the kernel instead of a cache; the way there is
 * opened later, before anything can come. */
static int build_inject(struct daemon *d)
{
	const bool polls = d->o.kernel.poll_s != 0;
	const struct inject_opts o = {
		.internal = d->o.kernel.is_bypassed ? NULL : d->internal,
		.wire = d->o.node.wire,
		.has_expectations = d->o.node.has_expectations,
		.injected = polls ? on_injected : NULL,
		.ctx = d,
	};

	d->inject = inject_new(&o);
	if (polls)
		d->injected = flow_cache_new(&d->o.cache);
	return d->inject && (d->injected || !polls) ? 0 : -ENOMEM;
}

static int build_node(struct daemon *d)
{
	struct node_opts *o = &d->o.node;
	int err = process_random(&o->first_seq, sizeof(o->first_seq));

	if (err == 0)
		err = process_random(&o->node_id, sizeof(o->node_id));
	if (err < 0)
		return err;
	o->node_id += o->node_id == 0; /* 0 is no node */
	o->internal = d->internal;
	o->external = d->external;
	o->wire.helpers = d->helpers;
	o->wire.functions = d->functions;
	if (d->o.injects)
		err = build_inject(d);
	if (err < 0)
		return err;
	o->inject = d->inject;
	o->ctx = d;
	o->event = on_node_event;
	o->fetch = d->o.kernel.is_bypassed ? on_fetch : NULL;
	o->work = work_later;
	d->node = node_new(o, d->o.engine, loop_now_ms(d->loop));
	return d->node ? 0 : -ENOMEM;
}

static int build(struct daemon *d)
{
	int err = build_caches(d);

	if (err == 0)
		err = build_node(d);
	if (err < 0)
		log_error("can't start: %s", strerror(-err));
	return err;
}

static int open_links(struct daemon *d)
{
	struct links_opts *o = &d->o.links;
	int err;

	o->loop = d->loop;
	o->node = d->node;
	o->node_id = d->o.node.node_id;
	o->has_links = on_links;
	o->has_no_links = on_no_links;
	o->ctx = d;
	err = links_open(o, &d->links);
	if (err < 0)
		log_error("initialization failed");
	return err;
}

static int open_kernel(struct daemon *d)
{
	struct kernel_side_opts *o = &d->o.kernel;

	o->loop = d->loop;
	o->internal = d->internal;
	o->injected = d->injected;
	o->is_under_way = is_under_way;
	o->filter = d->filter;
	o->helpers = d->helpers;
	o->contexts = d->contexts;
	o->functions = d->functions;
	o->expect_filter.helpers = d->helpers;
	o->touch = on_touch;
	o->has_work = work_later;
	o->want_bulk = on_bulk_wanted;
	o->fetched = on_fetched;
	o->filled = on_filled;
	o->ctx = d;
	return kernel_side_open(o, &d->kernel);
}

static int open_inject(struct daemon *d)
{
	int err = ct_writer_open(kernel_side_table(d->kernel), ORIGIN_INJECT,
				 inject_done, d->inject, &d->inject_writer);

	if (err < 0)
		log_error("can't open netlink handler: %s", strerror(-err));
	else
		inject_connect(d->inject, ct_writer_ops(d->inject_writer));
	return err;
}

static int open_commands(struct daemon *d)
{
	struct commands_opts *o = &d->o.commands;

	d->jobs.o = (struct jobs_opts){
		.is_wanted = is_client_there,
		.answer = answer_client,
		.has_work = work_later,
		.ctx = d,
	};
	o->loop = d->loop;
	o->jobs = &d->jobs;
	o->kernel = d->kernel;
	o->internal = d->o.kernel.is_bypassed ? NULL : d->internal;
	o->external = d->external;
	o->has_expectations = d->o.kernel.has_expectations;
	o->has_work = work_later;
	o->ctx = d;
	return commands_open(o, &d->commands);
}

static void connect_control(struct daemon *d)
{
	const struct control_parts parts = {
		.commands = d->commands,
		.node = d->node,
		.sources = &d->sources,
		.has_expectations = d->o.kernel.has_expectations,
		.cache_timeout_s = d->o.node.cache_timeout_s,
		.internal = d->internal,
		.external = d->external,
		.table = d->o.kernel.is_bypassed ? kernel_side_table(d->kernel)
						 : NULL,
	};

	d->sources = (struct sources){
		.loop = d->loop,
		.started_ms = loop_now_ms(d->loop),
		.internal = d->internal,
		.external = d->external,
		.inject = d->inject,
		.helpers = d->helpers,
		.contexts = d->contexts,
		.functions = d->functions,
		.kernel = d->kernel,
		.links = d->links,
		.node = d->node,
		.server = control_server(d->control),
		.resend_queue_size = d->o.node.resend_queue_size,
		.error_queue_len = d->o.error_queue_len,
	};
	control_serve(d->control, &parts);
}

static void log_choices(const struct daemon_opts *o)
{
	if (o->has_no_mode)
		log_warn("No synchronization mode specified. "
			 "Defaulting to FT-FW mode.");
	if (o->kernel.is_bypassed)
		log_notice("disabling internal cache");
	if (o->injects)
		log_notice("disabling external cache");
	if (o->kernel.poll_s)
		log_notice("running in polling mode");
}

static int open_loop(struct daemon *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, 0 };

	d->loop = loop_new();
	if (!d->loop)
		return -ENOMEM;
	d->work = (struct deferred){ .fn = on_work, .ctx = d };
	d->second = (struct timer){ .fn = on_second, .ctx = d };
	log_keeper_init(&d->log_keeper, d->loop, d->o.log.file);
	loop_set_turn_end(d->loop, on_turn_end, d);
	return loop_signals(d->loop, signals, on_signal, d);
}

/* The order matters: nothing of another instance is touched before the lock
 * and the socket are ours; events are subscribed to before the dump; and
 * conntrack has no settings before its module is there, which the dump has made
 * sure of. */
static int open_all(struct daemon *d)
{
	int err = process_lock(&d->process, &d->o.lock);

	if (err < 0)
		return err;
	process_schedule(d->o.policy, d->o.priority);
	err = open_loop(d);
	if (err == 0)
		err = control_open(d->loop, d->o.socket_path, &d->control);
	if (err < 0)
		return err;
	process_claim_lock(&d->process);
	err = build(d);
	if (err == 0)
		err = open_links(d);
	if (err < 0)
		return err;
	log_choices(&d->o);
	err = open_kernel(d);
	if (err == 0 && d->inject)
		err = open_inject(d);
	if (err == 0)
		err = open_commands(d);
	if (err < 0)
		return err;
	connect_control(d);
	sysctl_prepare(d->o.cache.limit, d->o.kernel.poll_s == 0);
	timer_set(d->loop, &d->second, loop_now_ms(d->loop) + 1000);
	return 0;
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

static void close_loop_users(struct daemon *d)
{
	if (!d->loop)
		return;
	timer_cancel(d->loop, &d->watchdog);
	timer_cancel(d->loop, &d->second);
	loop_defer_cancel(d->loop, &d->work);
	log_keeper_fini(&d->log_keeper);
	jobs_fini(&d->jobs);
	links_close(d->links);
	commands_close(d->commands);
	ct_writer_close(d->inject_writer);
	kernel_side_close(d->kernel);
}

static void close_all(struct daemon *d)
{
	close_loop_users(d);
	privileges_for_files(true);
	/* Who asked for the end hears of it when a new one can start. */
	control_stop(d->control);
	process_unlock(&d->process);
	control_close(d->control);
	node_free(d->node);
	inject_free(d->inject);
	flow_cache_free(d->internal);
	flow_cache_free(d->external);
	flow_cache_free(d->injected);
	names_free(d->helpers);
	names_free(d->contexts);
	names_free(d->functions);
	filter_free(d->filter);
	loop_free(d->loop);
}

static int open_log(const struct log_opts *o)
{
	int err = log_open(o);

	if (err < 0)
		log_error("can't open logfile `%s'. Reason: %s",
			  o->file ? o->file : "", strerror(-err));
	return err;
}

static int serve(struct daemon *d)
{
	int err = open_log(&d->o.log);

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
		if (d->o.has_manager)
			notify_stopping();
	}
	close_all(d);
	if (d->is_running)
		log_notice("---- shutdown received ----");
	log_close();
	return d->exit_status;
}

int daemon_main(const struct daemon_opts *opts)
{
	struct daemon d = { .o = *opts };

	process_init(&d.process);
	if (d.o.is_background && !process_detach(&d.process)) {
		log_error("can't go to the background: %s", strerror(errno));
		return 1;
	}
	return serve(&d);
}
