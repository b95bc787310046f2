/* SPDX-License-Identifier: ISC */
#include "control.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cache/expect_cache.h"
#include "cli/ctl_proto.h"
#include "cli/show_counters.h"
#include "cli/show_expect.h"
#include "cli/show_flow.h"
#include "cli/show_stats.h"
#include "netlink/ct_walk.h"
#include "stats.h"
#include "sync/expiry.h"

struct control {
	struct loop *loop;
	struct ctl_server *server;
	struct control_parts parts;
	uint64_t kill_client; /* 0: none */
};

static void finish(struct control *c, uint64_t client, int status,
		   const char *reason)
{
	if (client)
		ctl_server_finish(c->server, client, status, reason);
}

static void lack_memory(struct control *c, uint64_t client)
{
	finish(c, client, 1, strerror(ENOMEM));
}

/* ---- answers that are text ---------------------------------------------- */

struct dump {
	struct control *control;
	struct flow_cache *cache;
	enum object_kind kind; /* of the entries that are shown */
	unsigned int parts;    /* enum show_part */
	uint32_t position;
};

/* The view has all but what the flow names and the time. */
static void show_line(const struct control *c, struct flow_view *v,
		      struct wr *out)
{
	const struct sources *from = c->parts.sources;
	const struct flow *f = v->flow;

	v->helper = f->has & FLOW_HELPER ? names_text(from->helpers, f->helper)
					 : NULL;
	v->secctx = f->has & FLOW_SECCTX ? names_text(from->contexts, f->secctx)
					 : NULL;
	v->wall_s = loop_wall_s(c->loop);
	show_flow(v, out);
	wr_u8(out, '\n');
}

static void show_flow_entry(const struct dump *dump, const struct entry_head *h,
			    struct wr *out)
{
	const struct control *c = dump->control;
	uint32_t now_s = (uint32_t)(loop_now_ms(c->loop) / 1000);
	struct flow f;
	struct flow_view v = { .flow = &f,
			       .parts = dump->parts,
			       .age_s = now_s - h->created_s };

	flow_cache_get(dump->cache, dump->position, &f);
	if (dump->parts & SHOW_EXPIRES)
		v.expires_s = expiry_left_s(h, c->parts.cache_timeout_s, now_s);
	show_line(c, &v, out);
}

static void show_expect_entry(const struct dump *dump,
			      const struct entry_head *h, struct wr *out)
{
	const struct control *c = dump->control;
	uint32_t now_s = (uint32_t)(loop_now_ms(c->loop) / 1000);
	struct expect e;
	struct expect_view v = { .expect = &e,
				 .parts = dump->parts,
				 .age_s = now_s - h->created_s };

	expect_cache_get(dump->cache, dump->position, &e);
	v.helper = e.has & EXPECT_HELPER
			   ? names_text(c->parts.sources->helpers, e.helper)
			   : NULL;
	if (dump->parts & SHOW_EXPIRES)
		v.expires_s = expiry_left_s(h, c->parts.cache_timeout_s, now_s);
	show_expect(&v, out);
	wr_u8(out, '\n');
}

static void show_entry(const struct dump *dump, const struct entry_head *h,
		       struct wr *out)
{
	if (h->state == ENTRY_DEAD ||
	    flow_cache_kind(dump->cache, dump->position) != dump->kind)
		return;
	if (dump->kind == OBJECT_FLOW)
		show_flow_entry(dump, h, out);
	else
		show_expect_entry(dump, h, out);
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
		show_entry(dump, h, out);
	}
	return CTL_GO_ON;
}

/* -i without an internal cache: the kernel's table. */
struct listed_table {
	struct control *control;
	struct ct_walk *walk;
};

static void log_no_table(int err)
{
	log_error("can't get kernel conntrack table: %s", strerror(-err));
}

static enum ctl_progress next_rows(void *ctx, struct wr *out)
{
	struct listed_table *t = ctx;

	while (out->size - out->used > SHOW_FLOW_MAX) {
		struct flow f;
		int got = ct_walk_next(t->walk, &f);

		if (got < 0)
			log_no_table(got);
		if (got <= 0)
			return got < 0 ? CTL_FAILED : CTL_DONE;
		show_line(
			t->control,
			&(struct flow_view){ .flow = &f, .parts = SHOW_KERNEL },
			out);
	}
	return CTL_GO_ON;
}

static void end_table(void *ctx)
{
	struct listed_table *t = ctx;

	ct_walk_close(t->walk);
	free(t);
}

static void dump_table(struct control *c, uint64_t client)
{
	struct listed_table *t = calloc(1, sizeof(*t));
	struct ctl_source source = { next_rows, end_table, t };
	int err = t ? ct_walk_open(c->parts.table, &t->walk) : -ENOMEM;

	if (err < 0) {
		free(t);
		log_no_table(err);
		finish(c, client, 1, strerror(-err));
		return;
	}
	t->control = c;
	ctl_server_answer(c->server, client, &source);
}

static void dump_cache(struct control *c, uint64_t client, int code)
{
	bool is_internal =
		code == CTL_DUMP_INTERNAL || code == CTL_DUMP_INTERNAL_EXPECT;
	bool is_expect = code == CTL_DUMP_INTERNAL_EXPECT ||
			 code == CTL_DUMP_EXTERNAL_EXPECT;
	bool expires = !is_internal && c->parts.cache_timeout_s;
	struct dump *dump = calloc(1, sizeof(*dump));
	struct ctl_source source = { next_lines, free, dump };

	if (!is_internal && !c->parts.external) { /* PROTOCOL.md 5.7 */
		free(dump);
		finish(c, client, 0, NULL);
		return;
	}
	if (!dump) {
		lack_memory(c, client);
		return;
	}
	*dump = (struct dump){
		.control = c,
		.cache = is_internal ? c->parts.internal : c->parts.external,
		.kind = is_expect ? OBJECT_EXPECT : OBJECT_FLOW,
		.parts = (is_internal ? SHOW_INTERNAL : SHOW_EXTERNAL) |
			 (expires ? SHOW_EXPIRES : 0),
	};
	ctl_server_answer(c->server, client, &source);
}

static void dump_internal(struct control *c, uint64_t client, int code)
{
	if (c->parts.table)
		dump_table(c, client);
	else
		dump_cache(c, client, code);
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

static void show(struct control *c, uint64_t client, int code)
{
	struct text *t = calloc(1, sizeof(*t));
	struct ctl_source source = { next_text, free, t };
	struct counter_set *set = stats_gather(c->parts.sources);
	struct wr out;

	if (!t || !set) {
		free(t);
		free(set);
		lack_memory(c, client);
		return;
	}
	out = (struct wr){ .buf = t->bytes, .size = sizeof(t->bytes) };
	if (!stats_show(c->parts.sources, set, code, &out))
		out.used = 0;
	free(set);
	t->used = out.used;
	ctl_server_answer(c->server, client, &source);
}

/* -s counters: the values as of the request, line by line. */
struct listing {
	struct counter_set *set;
	struct counter_walk walk;
};

static enum ctl_progress next_counters(void *ctx, struct wr *out)
{
	struct listing *l = ctx;

	while (out->size - out->used > SHOW_COUNTER_MAX)
		if (!show_counters_next(l->set, &l->walk, out))
			return CTL_DONE;
	return CTL_GO_ON;
}

static void end_listing(void *ctx)
{
	struct listing *l = ctx;

	free(l->set);
	free(l);
}

static void show_counters(struct control *c, uint64_t client, int code)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct ctl_source source = { next_counters, end_listing, l };

	(void)code;
	if (l)
		l->set = stats_gather(c->parts.sources);
	if (!l || !l->set) {
		free(l);
		lack_memory(c, client);
		return;
	}
	ctl_server_answer(c->server, client, &source);
}

/* -s rsqueue: what is outstanding, number by number. */
struct rsqueue {
	struct control *control;
	bool has_head;
	struct engine_walk walk;
};

static enum ctl_progress next_outstanding(void *ctx, struct wr *out)
{
	struct rsqueue *q = ctx;
	struct node *node = q->control->parts.node;
	struct engine_held held;
	struct node_stats s;

	if (!q->has_head) {
		node_stats(node, &s);
		if (!s.engine.holds)
			return CTL_DONE;
		show_rsqueue_head(s.engine.n_outstanding, out);
		q->has_head = true;
	}
	while (out->size - out->used > SHOW_FLOW_MAX) {
		if (!node_held(node, &q->walk, &held))
			return CTL_DONE;
		if (held.is_control)
			show_rsqueue_control(held.seq, held.flags, out);
		else
			show_rsqueue_flow(held.seq, out);
	}
	return CTL_GO_ON;
}

static void show_rsqueue(struct control *c, uint64_t client, int code)
{
	struct rsqueue *q = calloc(1, sizeof(*q));
	struct ctl_source source = { next_outstanding, free, q };

	(void)code;
	if (!q) {
		lack_memory(c, client);
		return;
	}
	q->control = c;
	ctl_server_answer(c->server, client, &source);
}

/* ---- commands ----------------------------------------------------------- */

static void run_command(struct control *c, uint64_t client, int code)
{
	if (!commands_add(c->parts.commands, code, client))
		finish(c, client, 1, "this daemon has no such command");
}

static void schedule_purge(struct control *c, uint64_t client, int code)
{
	(void)code;
	commands_schedule_purge(c->parts.commands);
	finish(c, client, 0, NULL);
}

static void ask_peers(struct control *c, uint64_t client, int code)
{
	bool is_bulk = code == CTL_SEND_BULK;

	if (!is_bulk) /* of a bulk its begin tells */
		log_notice("resync requested");
	node_ask(c->parts.node, is_bulk ? ASK_BULK : ASK_RESYNC);
	finish(c, client, 0, NULL);
}

/* The client hears the end when all is cleaned up. */
static void end_daemon(struct control *c, uint64_t client, int code)
{
	(void)code;
	finish(c, c->kill_client, 0, NULL);
	c->kill_client = client;
	loop_stop(c->loop);
}

typedef void serve_fn(struct control *c, uint64_t client, int code);

/* Where no expectations are replicated there is nothing to be done with them,
 * which is success, as with the reference: scripts of failovers run it. */
static void need_expectations(struct control *c, uint64_t client, int code,
			      serve_fn *serve)
{
	if (c->parts.has_expectations)
		serve(c, client, code);
	else
		finish(c, client, 0, NULL);
}

static void dump_expect(struct control *c, uint64_t client, int code)
{
	need_expectations(c, client, code, dump_cache);
}

static void run_expect(struct control *c, uint64_t client, int code)
{
	need_expectations(c, client, code, run_command);
}

static void show_expect_stats(struct control *c, uint64_t client, int code)
{
	need_expectations(c, client, code, show);
}

/* Without a default: a request that nobody serves is a warning. NULL: one that
 * is not built, which the server refuses. */
static serve_fn *server_of(enum ctl_code code)
{
	switch (code) {
	case CTL_DUMP_INTERNAL:
		return dump_internal;
	case CTL_DUMP_EXTERNAL:
		return dump_cache;
	case CTL_DUMP_INTERNAL_EXPECT:
	case CTL_DUMP_EXTERNAL_EXPECT:
		return dump_expect;
	case CTL_COMMIT:
	case CTL_COMMIT_CT:
	case CTL_FLUSH_CACHES:
	case CTL_FLUSH_CACHES_CT:
	case CTL_FLUSH_INTERNAL:
	case CTL_FLUSH_EXTERNAL:
	case CTL_FLUSH_KERNEL:
	case CTL_FLUSH_KERNEL_CT:
	case CTL_RESYNC:
	case CTL_RESYNC_CT:
		return run_command;
	case CTL_COMMIT_EXPECT:
	case CTL_FLUSH_KERNEL_EXPECT:
	case CTL_RESYNC_EXPECT:
		return run_expect;
	case CTL_STATS_EXPECT:
		return show_expect_stats;
	case CTL_RESET_TIMERS:
		return schedule_purge;
	case CTL_SEND_BULK:
	case CTL_REQUEST_BULK:
		return ask_peers;
	case CTL_KILL:
		return end_daemon;
	case CTL_STATS_RSQUEUE:
		return show_rsqueue;
	case CTL_COUNTERS:
		return show_counters;
	case CTL_STATS:
	case CTL_STATS_NETWORK:
	case CTL_STATS_CACHE:
	case CTL_STATS_RUNTIME:
	case CTL_STATS_LINK:
	case CTL_STATS_PROCESS:
	case CTL_STATS_QUEUE:
		return show;
	case CTL_DUMP_INTERNAL_XML:
	case CTL_DUMP_EXTERNAL_XML:
	case CTL_DUMP_INTERNAL_EXPECT_XML:
	case CTL_DUMP_EXTERNAL_EXPECT_XML:
		break;
	}
	return NULL;
}

static void on_request(void *ctx, uint64_t client, int code)
{
	serve_fn *serve = server_of((enum ctl_code)code);

	assert(serve);
	serve(ctx, client, code);
}

/* ---- start and end ------------------------------------------------------- */

int control_open(struct loop *loop, const char *path, struct control **out)
{
	struct control *c = calloc(1, sizeof(*c));
	const struct ctl_server_opts opts = {
		.loop = loop,
		.path = path,
		.request = on_request,
		.ctx = c,
	};
	int err = c ? ctl_server_open(&opts, &c->server) : -ENOMEM;

	if (err == 0) {
		c->loop = loop;
		*out = c;
		return 0;
	}
	free(c);
	if (err == -EADDRINUSE)
		log_error("%s: another conntrackd answers there", path);
	else
		log_error("can't open unix socket! %s: %s", path,
			  err == -EEXIST ? "a file that is no socket is there"
					 : strerror(-err));
	return err;
}

void control_serve(struct control *c, const struct control_parts *parts)
{
	c->parts = *parts;
}

struct ctl_server *control_server(struct control *c)
{
	return c->server;
}

void control_stop(struct control *c)
{
	if (c)
		ctl_server_stop(c->server);
}

void control_close(struct control *c)
{
	if (!c)
		return;
	finish(c, c->kill_client, 0, NULL);
	ctl_server_close(c->server);
	free(c);
}
