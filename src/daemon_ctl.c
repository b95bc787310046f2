/* SPDX-License-Identifier: ISC */
/* What the requests of the control socket do (cli spec 3). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/ctl_proto.h"
#include "cli/show_flow.h"
#include "daemon_state.h"

enum { FLUSH_STEP = 4096 }; /* entries removed in one piece */

static void finish(struct daemon *d, uint64_t *client, int status,
		   const char *reason)
{
	if (*client)
		ctl_server_finish(d->control.server, *client, status, reason);
	*client = 0;
}

/* ---- answers that are text ---------------------------------------------- */

struct dump {
	struct daemon *daemon;
	struct flow_cache *cache;
	unsigned int parts; /* enum show_part */
	uint32_t position;
};

static void show_entry(const struct dump *dump, const struct entry_head *h,
		       struct wr *out)
{
	struct daemon *d = dump->daemon;
	struct flow f;
	struct flow_view v = { .flow = &f, .parts = dump->parts };

	flow_cache_get(dump->cache, dump->position, &f);
	v.helper =
		f.has & FLOW_HELPER ? names_text(d->helpers, f.helper) : NULL;
	v.secctx =
		f.has & FLOW_SECCTX ? names_text(d->contexts, f.secctx) : NULL;
	v.wall_s = loop_wall_s(d->loop);
	v.age_s = daemon_now_s(d) - h->created_s;
	show_flow(&v, out);
	wr_u8(out, '\n');
}

static enum ctl_progress next_lines(void *ctx, struct wr *out)
{
	struct dump *dump = ctx;

	while (out->size - out->used > SHOW_FLOW_MAX) {
		const struct entry_head *h;

		dump->position = flow_cache_next(dump->cache, dump->position);
		if (dump->position == FLOW_CACHE_NO_ID)
			return CTL_DONE;
		h = flow_cache_head(dump->cache, dump->position);
		if (h->state == ENTRY_FREE)
			break; /* a long gap: go on in the next piece */
		if (h->state != ENTRY_DEAD)
			show_entry(dump, h, out);
	}
	return CTL_GO_ON;
}

static void dump_cache(struct daemon *d, uint64_t client, int code)
{
	bool is_internal = code == CTL_DUMP_INTERNAL;
	struct dump *dump = calloc(1, sizeof(*dump));
	struct ctl_source source = { next_lines, free, dump };

	if (!dump) {
		finish(d, &client, 1, strerror(ENOMEM));
		return;
	}
	*dump = (struct dump){
		.daemon = d,
		.cache = is_internal ? d->internal : d->external_cache,
		.parts = is_internal ? SHOW_INTERNAL : SHOW_EXTERNAL,
	};
	ctl_server_answer(d->control.server, client, &source);
}

struct text {
	size_t used;
	uint8_t bytes[SHOW_STATS_MAX];
};

static enum ctl_progress next_text(void *ctx, struct wr *out)
{
	const struct text *t = ctx;

	wr_bytes(out, t->bytes, t->used);
	return CTL_DONE;
}

_Static_assert((int)SHOW_STATS_MAX <= (int)CTL_ITEM_MAX, "in one piece");

static void show(struct daemon *d, uint64_t client, int code)
{
	struct text *t = calloc(1, sizeof(*t));
	struct ctl_source source = { next_text, free, t };
	struct wr out;

	if (!t) {
		finish(d, &client, 1, strerror(ENOMEM));
		return;
	}
	out = (struct wr){ .buf = t->bytes, .size = sizeof(t->bytes) };
	if (!daemon_show_stats(d, code, &out))
		out.used = 0;
	t->used = out.used;
	ctl_server_answer(d->control.server, client, &source);
}

/* -s rsqueue: what is outstanding, number by number. */
struct rsqueue {
	struct daemon *daemon;
	bool has_head;
	struct engine_walk walk;
};

static enum ctl_progress next_outstanding(void *ctx, struct wr *out)
{
	struct rsqueue *q = ctx;
	struct daemon *d = q->daemon;
	struct engine_held held;
	struct engine_stats s;

	if (!q->has_head) {
		d->engine->ops->stats(d->engine, &s);
		show_rsqueue_head(s.n_outstanding, out);
		q->has_head = true;
	}
	while (out->size - out->used > SHOW_FLOW_MAX) {
		if (!d->engine->ops->held(d->engine, &q->walk, &held))
			return CTL_DONE;
		if (held.is_control)
			show_rsqueue_control(held.seq, held.flags, out);
		else
			show_rsqueue_flow(held.seq, out);
	}
	return CTL_GO_ON;
}

static void show_rsqueue(struct daemon *d, uint64_t client, int code)
{
	struct rsqueue *q = calloc(1, sizeof(*q));
	struct ctl_source source = { next_outstanding, free, q };

	(void)code;
	if (!q) {
		finish(d, &client, 1, strerror(ENOMEM));
		return;
	}
	q->daemon = d;
	ctl_server_answer(d->control.server, client, &source);
}

/* ---- commit ------------------------------------------------------------- */

static void log_reasons(const struct commit_report *r)
{
	static const char *const names[] = {
		[KERNEL_CREATE] = "commit-create",
		[KERNEL_UPDATE] = "commit-update",
		[KERNEL_DELETE] = "commit-destroy",
		[KERNEL_GET] = "commit-get",
	};

	for (int i = 0; i < r->n_reasons; i++)
		log_error("%s: %s (%u entries)", names[r->reasons[i].op],
			  strerror(-r->reasons[i].error), r->reasons[i].n);
}

void control_side_commit_ended(void *ctx, const struct commit_report *r)
{
	struct daemon *d = ctx;
	int64_t took_us = loop_clock_us() - d->control.commit_since_us;

	log_reasons(r);
	log_notice("Committed %u new entries", r->n_committed);
	if (r->n_failed)
		log_notice("%u entries can't be committed", r->n_failed);
	if (r->n_newer)
		log_notice("%u entries give way to newer connections",
			   r->n_newer);
	log_notice("commit has taken %lld.%06lld seconds",
		   (long long)(took_us / 1000000),
		   (long long)(took_us % 1000000));
	finish(d, &d->control.commit_client, r->n_failed != 0,
	       r->n_failed ? "some entries can't be committed, see the log"
			   : NULL);
}

static void start_commit(struct daemon *d, uint64_t client, int code)
{
	timer_cancel(d->loop, &d->control.purge_timer);
	log_notice("committing %s", code == CTL_COMMIT ? "all external caches"
						       : "conntrack cache");
	if (commit_start(d->commit) < 0) {
		log_notice("commit already in progress, skipping");
		finish(d, &client, 1, "commit already in progress");
		return;
	}
	d->control.commit_client = client;
	d->control.commit_since_us = loop_clock_us();
	daemon_work_later(d);
}

/* ---- flushes ------------------------------------------------------------ */

static void start_cache_flush(struct daemon *d, uint64_t client, int code)
{
	bool internal = code != CTL_FLUSH_EXTERNAL;
	bool external = code != CTL_FLUSH_INTERNAL;
	struct flush_job *job = &d->control.flush;

	log_notice("flushing %s", internal && external ? "caches"
				  : internal           ? "internal cache"
						       : "external cache");
	if (external && commit_is_running(d->commit)) {
		log_error("ignoring flush command, commit still in progress");
		finish(d, &client, 1, "commit still in progress");
		return;
	}
	if (internal)
		timer_cancel(d->loop, &d->control.purge_timer);
	if (job->client) /* the running one is extended */
		finish(d, &job->client, 0, NULL);
	job->internal |= internal;
	job->external |= external;
	job->position = FLOW_CACHE_NO_ID;
	job->client = client;
	daemon_work_later(d);
}

/* Removes a piece of one cache. True: all of it is gone. */
static bool flush_piece(struct daemon *d, bool internal)
{
	struct flow_cache *c = internal ? d->internal : d->external_cache;
	struct flush_job *job = &d->control.flush;

	for (int i = 0; i < FLUSH_STEP; i++) {
		job->position = flow_cache_next(c, job->position);
		if (job->position == FLOW_CACHE_NO_ID)
			return true;
		if (flow_cache_head(c, job->position)->state == ENTRY_FREE)
			continue;
		if (internal)
			kernel_side_forget_entry(d, job->position);
		else
			flow_cache_remove(c, job->position);
	}
	return false;
}

/* True: there is more to do at once. */
static bool flush_caches(struct daemon *d)
{
	struct flush_job *job = &d->control.flush;

	if (job->internal) {
		job->internal = !flush_piece(d, true);
	} else if (job->external) {
		job->external = !flush_piece(d, false);
	} else {
		finish(d, &job->client, 0, NULL);
		return false;
	}
	return true;
}

bool control_side_work(struct daemon *d)
{
	const struct flush_job *job = &d->control.flush;

	return job->internal || job->external || job->client ? flush_caches(d)
							     : false;
}

static void start_kernel_flush(struct daemon *d, uint64_t client, int code)
{
	struct control_side *c = &d->control;

	(void)code;
	if (c->kernel_flush_client) {
		finish(d, &client, 1, "a flush is in progress");
		return;
	}
	log_notice("flushing kernel conntrack table");
	c->kernel_flush_client = client;
	kernel_side_flush(d);
	daemon_work_later(d);
}

void control_side_flush_ended(struct daemon *d)
{
	struct control_side *c = &d->control;

	finish(d, &c->kernel_flush_client, 0, NULL);
	if (c->is_purging) {
		c->is_purging = false;
		c->flush.internal = true;
		c->flush.position = FLOW_CACHE_NO_ID;
		daemon_work_later(d);
	}
}

static void on_purge(void *ctx, int64_t now_ms)
{
	struct daemon *d = ctx;

	(void)now_ms;
	log_notice("flushing kernel conntrack table (scheduled)");
	d->control.is_purging = true;
	kernel_side_flush(d);
}

static void schedule_purge(struct daemon *d, uint64_t client, int code)
{
	uint32_t after_s = d->conf->sync.purge_timeout_s;

	(void)code;
	if (!timer_is_set(&d->control.purge_timer)) {
		log_notice("flushing conntrack table in %u secs", after_s);
		timer_set(d->loop, &d->control.purge_timer,
			  loop_now_ms(d->loop) + (int64_t)after_s * 1000);
	}
	finish(d, &client, 0, NULL);
}

/* ---- the rest ----------------------------------------------------------- */

static void start_resync(struct daemon *d, uint64_t client, int code)
{
	struct control_side *c = &d->control;

	(void)code;
	log_notice("resync with master conntrack table");
	if (c->resync_client) {
		finish(d, &client, 1, "a resync is in progress");
		return;
	}
	c->resync_client = client;
	kernel_side_dump(d, DUMP_REQUEST);
}

void control_side_dump_ended(struct daemon *d, enum dump_use use, int error)
{
	switch (use) {
	case DUMP_START:
		daemon_started(d, error);
		break;
	case DUMP_REQUEST:
		finish(d, &d->control.resync_client, error < 0,
		       error < 0 ? "see the log" : NULL);
		break;
	case DUMP_FLUSH:
		d->control.is_purging = false; /* it has failed */
		finish(d, &d->control.kernel_flush_client, error < 0,
		       error < 0 ? "see the log" : NULL);
		break;
	case DUMP_OVERRUN:
	case DUMP_NONE:
		break;
	}
}

static void ask_peers(struct daemon *d, uint64_t client, int code)
{
	bool is_bulk = code == CTL_SEND_BULK;

	if (!is_bulk) /* of a bulk its begin tells */
		log_notice("resync requested");
	d->engine->ops->ask(d->engine, is_bulk ? ASK_BULK : ASK_RESYNC);
	finish(d, &client, 0, NULL);
}

/* The client hears the end when all is cleaned up. */
static void end_daemon(struct daemon *d, uint64_t client, int code)
{
	(void)code;
	d->control.kill_client = client;
	loop_stop(d->loop);
}

/* Requests without a row are about expectations, of which there are none, or
 * are answered by the server: not in this version yet. */
static const struct {
	enum ctl_code code;
	void (*serve)(struct daemon *d, uint64_t client, int code);
} rows[] = {
	{ CTL_DUMP_INTERNAL, dump_cache },
	{ CTL_DUMP_EXTERNAL, dump_cache },
	{ CTL_COMMIT, start_commit },
	{ CTL_COMMIT_CT, start_commit },
	{ CTL_FLUSH_CACHES, start_cache_flush },
	{ CTL_FLUSH_CACHES_CT, start_cache_flush },
	{ CTL_FLUSH_INTERNAL, start_cache_flush },
	{ CTL_FLUSH_EXTERNAL, start_cache_flush },
	{ CTL_FLUSH_KERNEL, start_kernel_flush },
	{ CTL_FLUSH_KERNEL_CT, start_kernel_flush },
	{ CTL_RESET_TIMERS, schedule_purge },
	{ CTL_RESYNC, start_resync },
	{ CTL_RESYNC_CT, start_resync },
	{ CTL_SEND_BULK, ask_peers },
	{ CTL_REQUEST_BULK, ask_peers },
	{ CTL_KILL, end_daemon },
	{ CTL_STATS_RSQUEUE, show_rsqueue },
	{ CTL_STATS, show },
	{ CTL_STATS_NETWORK, show },
	{ CTL_STATS_CACHE, show },
	{ CTL_STATS_RUNTIME, show },
	{ CTL_STATS_LINK, show },
	{ CTL_STATS_PROCESS, show },
	{ CTL_STATS_QUEUE, show },
};

static void on_request(void *ctx, uint64_t client, int code)
{
	struct daemon *d = ctx;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (rows[i].code == (enum ctl_code)code) {
			rows[i].serve(d, client, code);
			return;
		}
	finish(d, &client, 0, NULL);
}

int control_side_open(struct daemon *d)
{
	const struct ctl_server_opts opts = {
		.loop = d->loop,
		.path = d->conf->general.unix_path,
		.request = on_request,
		.ctx = d,
	};
	int err = ctl_server_open(&opts, &d->control.server);

	d->control.purge_timer = (struct timer){ .fn = on_purge, .ctx = d };
	if (err == -EADDRINUSE)
		log_error("%s: another conntrackd answers there", opts.path);
	else if (err < 0)
		log_error("can't open unix socket! %s: %s", opts.path,
			  err == -EEXIST ? "a file that is no socket is there"
					 : strerror(-err));
	return err;
}

void control_side_stop(struct daemon *d)
{
	if (!d->control.server)
		return;
	timer_cancel(d->loop, &d->control.purge_timer);
	ctl_server_stop(d->control.server);
}

void control_side_close(struct daemon *d)
{
	if (!d->control.server)
		return;
	finish(d, &d->control.kill_client, 0, NULL);
	ctl_server_close(d->control.server);
}
