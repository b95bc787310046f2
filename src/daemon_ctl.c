/* SPDX-License-Identifier: ISC */
/* What the requests of the control socket do (cli spec 3). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/ctl_proto.h"
#include "cli/show_flow.h"
#include "daemon_state.h"

void control_side_finish(struct daemon *d, uint64_t client, int status,
			 const char *reason)
{
	if (client)
		ctl_server_finish(d->control.server, client, status, reason);
}

static void lack_memory(struct daemon *d, uint64_t client)
{
	control_side_finish(d, client, 1, strerror(ENOMEM));
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
		lack_memory(d, client);
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
		lack_memory(d, client);
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
	struct node_stats s;

	if (!q->has_head) {
		node_stats(d->node, &s);
		show_rsqueue_head(s.engine.n_outstanding, out);
		q->has_head = true;
	}
	while (out->size - out->used > SHOW_FLOW_MAX) {
		if (!node_held(d->node, &q->walk, &held))
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
		lack_memory(d, client);
		return;
	}
	q->daemon = d;
	ctl_server_answer(d->control.server, client, &source);
}

/* ---- commands ----------------------------------------------------------- */

static void schedule_purge(struct daemon *d, uint64_t client, int code)
{
	(void)code;
	job_side_schedule_purge(d, client);
}

static void ask_peers(struct daemon *d, uint64_t client, int code)
{
	bool is_bulk = code == CTL_SEND_BULK;

	if (!is_bulk) /* of a bulk its begin tells */
		log_notice("resync requested");
	node_ask(d->node, is_bulk ? ASK_BULK : ASK_RESYNC);
	control_side_finish(d, client, 0, NULL);
}

/* The client hears the end when all is cleaned up. */
static void end_daemon(struct daemon *d, uint64_t client, int code)
{
	(void)code;
	control_side_finish(d, d->control.kill_client, 0, NULL);
	d->control.kill_client = client;
	loop_stop(d->loop);
}

/* Requests without a row are about expectations, of which there are none. */
static const struct {
	enum ctl_code code;
	void (*serve)(struct daemon *d, uint64_t client, int code);
} rows[] = {
	{ CTL_DUMP_INTERNAL, dump_cache },
	{ CTL_DUMP_EXTERNAL, dump_cache },
	{ CTL_COMMIT, job_side_add },
	{ CTL_COMMIT_CT, job_side_add },
	{ CTL_FLUSH_CACHES, job_side_add },
	{ CTL_FLUSH_CACHES_CT, job_side_add },
	{ CTL_FLUSH_INTERNAL, job_side_add },
	{ CTL_FLUSH_EXTERNAL, job_side_add },
	{ CTL_FLUSH_KERNEL, job_side_add },
	{ CTL_FLUSH_KERNEL_CT, job_side_add },
	{ CTL_RESET_TIMERS, schedule_purge },
	{ CTL_RESYNC, job_side_add },
	{ CTL_RESYNC_CT, job_side_add },
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
	control_side_finish(d, client, 0, NULL);
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

	job_side_open(d);
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
	ctl_server_stop(d->control.server);
}

void control_side_close(struct daemon *d)
{
	if (!d->control.server)
		return;
	control_side_finish(d, d->control.kill_client, 0, NULL);
	ctl_server_close(d->control.server);
}
