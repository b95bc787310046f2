/* SPDX-License-Identifier: ISC */
#include "commands.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "cli/ctl_proto.h"
#include "sync/commit.h"

enum { FLUSH_STEP = 4096 }; /* ids in one piece, or twice that */

struct commands {
	struct commands_opts o;
	struct ct_writer *writer; /* of the commit */
	struct commit *commit;    /* NULL: there is no external cache */
	int64_t commit_since_us;
	enum object_kind commit_kind; /* what is committed just now, */
	bool commits_more;            /* and expectations after it */
	bool commits_one_kind;        /* that is all */
	/* What the client hears of a commit. */
	char commit_why[CTL_REASON_MAX + 1];
	struct wr commit_why_at;
	/* a flush of caches: what is left of it */
	bool flushes_internal, flushes_external;
	uint32_t flush_position;
	struct timer purge_timer; /* -t */
	bool is_purge_off;        /* the running purge is called off */
	bool is_purging;          /* its first half: the kernel's table */
};

/* As it is typed. */
static const char *name_of(int code)
{
	return ctl_row((unsigned int)code)->option;
}

static uint32_t now_s(const struct commands *c)
{
	return (uint32_t)(loop_now_ms(c->o.loop) / 1000);
}

/* ---- -c: commit --------------------------------------------------------- */

static const char *const op_names[] = {
	[KERNEL_CREATE] = "commit-create",
	[KERNEL_UPDATE] = "commit-update",
	[KERNEL_DELETE] = "commit-destroy",
	[KERNEL_GET] = "commit-get",
};

static void commit_one_kind(struct commands *c, enum object_kind kind)
{
	int err;

	c->commit_kind = kind;
	c->commit_since_us = loop_clock_us();
	err = commit_start(c->commit, kind);
	assert(err == 0); /* one job at a time */
}

static void start_commit(void *ctx, int code)
{
	struct commands *c = ctx;

	log_notice("committing %s", code == CTL_COMMIT ? "all external caches"
				    : code == CTL_COMMIT_CT
					    ? "conntrack cache"
					    : "expectation cache");
	if (!c->commit) {
		jobs_end(c->o.jobs, 0, NULL);
		return;
	}
	c->commit_why_at = (struct wr){ .buf = (uint8_t *)c->commit_why,
					.size = sizeof(c->commit_why) - 1 };
	memset(c->commit_why, 0, sizeof(c->commit_why));
	c->commits_more = code == CTL_COMMIT && c->o.has_expectations;
	c->commits_one_kind = code != CTL_COMMIT;
	commit_one_kind(c, code == CTL_COMMIT_EXPECT ? OBJECT_EXPECT
						     : OBJECT_FLOW);
}

static bool work_commit(void *ctx)
{
	struct commands *c = ctx;

	return commit_step(c->commit, now_s(c));
}

static void on_committed(void *ctx, enum kernel_op op, uint32_t cookie,
			 int error, const struct flow *found)
{
	struct commands *c = ctx;

	commit_done(c->commit, op, cookie, error, found);
	c->o.has_work(c->o.ctx);
}

/* As the log calls them. */
static const char *const kind_names[] = {
	[OBJECT_FLOW] = "entries",
	[OBJECT_EXPECT] = "expectations",
};

static void log_commit(const struct commit_report *r, const char *what,
		       int64_t took_us)
{
	for (int i = 0; i < r->n_reasons; i++)
		log_error("%s: %s (%u %s)", op_names[r->reasons[i].op],
			  strerror(-r->reasons[i].error), r->reasons[i].n,
			  what);
	log_notice("Committed %u new %s", r->n_committed, what);
	if (r->n_failed)
		log_notice("%u %s can't be committed", r->n_failed, what);
	if (r->n_newer)
		log_notice("%u %s give way to newer connections", r->n_newer,
			   what);
	log_notice("commit has taken %lld.%06lld seconds",
		   (long long)(took_us / 1000000),
		   (long long)(took_us % 1000000));
}

/* What the client says of entries that the kernel has refused. */
static void describe_failures(const struct commit_report *r, const char *what,
			      struct wr *out)
{
	wr_printf(out, "%s%u %s can't be committed", out->used ? "; " : "",
		  r->n_failed, what);
	for (int i = 0; i < r->n_reasons; i++)
		wr_printf(out, "%s %s: %s (%u)", i ? "," : ":",
			  op_names[r->reasons[i].op],
			  strerror(-r->reasons[i].error), r->reasons[i].n);
}

/* The commit has run to its end: that is success, whatever the kernel has
 * refused. Cluster managers do not fail over on anything else. Only where
 * expectations alone were asked for, and there are some, none is none. */
static void on_commit_ended(void *ctx, const struct commit_report *r)
{
	struct commands *c = ctx;
	const char *what = kind_names[c->commit_kind];
	bool has_failed = c->commits_one_kind && r->n_failed &&
			  !r->n_committed && c->commit_kind == OBJECT_EXPECT;

	log_commit(r, what, loop_clock_us() - c->commit_since_us);
	if (r->n_failed)
		describe_failures(r, what, &c->commit_why_at);
	if (c->commits_more) {
		c->commits_more = false;
		commit_one_kind(c, OBJECT_EXPECT);
		c->o.has_work(c->o.ctx);
	} else {
		jobs_end(c->o.jobs, has_failed, c->commit_why);
	}
}

/* ---- -f: the caches ----------------------------------------------------- */

static void flush_part(struct commands *c, bool internal, bool external)
{
	c->flushes_internal = internal && c->o.internal;
	c->flushes_external = external && c->o.external;
	c->flush_position = FLOW_CACHE_NO_ID;
}

static void start_cache_flush(void *ctx, int code)
{
	bool internal = code != CTL_FLUSH_EXTERNAL;
	bool external = code != CTL_FLUSH_INTERNAL;

	log_notice("flushing %s", internal && external ? "caches"
				  : internal           ? "internal cache"
						       : "external cache");
	flush_part(ctx, internal, external);
}

/* Removes a piece of a cache; the peers are not told. True: all of it is
 * gone. */
static bool flush_piece(struct commands *c, struct flow_cache *cache)
{
	for (uint32_t n = 0; n < FLUSH_STEP;) {
		uint32_t before = c->flush_position;

		c->flush_position = flow_cache_next(cache, before);
		n += c->flush_position - before; /* free ids too */
		if (c->flush_position == FLOW_CACHE_NO_ID)
			return true;
		if (flow_cache_head(cache, c->flush_position)->state ==
		    ENTRY_FREE)
			continue;
		flow_cache_remove(cache, c->flush_position);
	}
	return false;
}

static bool work_cache_flush(void *ctx)
{
	struct commands *c = ctx;

	if (c->flushes_internal)
		c->flushes_internal = !flush_piece(c, c->o.internal);
	else if (c->flushes_external)
		c->flushes_external = !flush_piece(c, c->o.external);
	else
		jobs_end(c->o.jobs, 0, NULL);
	return true;
}

/* ---- -R ------------------------------------------------------------------ */

static void on_resynced(void *ctx, int error)
{
	struct commands *c = ctx;

	jobs_end(c->o.jobs, error < 0, error < 0 ? "see the log" : NULL);
}

/* What a request is about. */
static unsigned int kinds_of(const struct commands *c, int code)
{
	unsigned int kinds =
		KERNEL_KIND(OBJECT_FLOW) | KERNEL_KIND(OBJECT_EXPECT);

	if (code == CTL_RESYNC_CT || code == CTL_FLUSH_KERNEL_CT)
		kinds = KERNEL_KIND(OBJECT_FLOW);
	else if (code == CTL_RESYNC_EXPECT || code == CTL_FLUSH_KERNEL_EXPECT)
		kinds = KERNEL_KIND(OBJECT_EXPECT);
	return c->o.has_expectations ? kinds : kinds & KERNEL_KIND(OBJECT_FLOW);
}

static void start_resync(void *ctx, int code)
{
	static const char why[] = "resync is unsupported in this mode";
	struct commands *c = ctx;
	unsigned int kinds = kinds_of(c, code);

	if (c->o.internal) {
		if (kinds & KERNEL_KIND(OBJECT_FLOW))
			log_notice("resync with master conntrack table");
		if (kinds & KERNEL_KIND(OBJECT_EXPECT))
			log_notice("resync with master expect table");
		kernel_side_resync(c->o.kernel, kinds, on_resynced, c);
		return;
	}
	/* success, as with the reference: scripts of failovers run it */
	log_notice("%s", why);
	jobs_end(c->o.jobs, 0, why);
}

/* ---- -F: the kernel's table; -t: the same, and the internal cache ---------
 */

/* Of a flush: logs what was refused, and says it to the client. */
static void describe_flush(const struct kernel_flush_report *r, struct wr *out)
{
	if (r->error)
		wr_printf(out, "see the log");
	else if (r->n_refused)
		wr_printf(out, "%u entries can't be deleted: %s", r->n_refused,
			  strerror(-r->refused_error));
	if (r->n_refused)
		log_error("%u entries can't be deleted: %s", r->n_refused,
			  strerror(-r->refused_error));
}

static void on_flushed(void *ctx, const struct kernel_flush_report *r)
{
	struct commands *c = ctx;
	char why[CTL_REASON_MAX + 1] = "";
	struct wr w = { .buf = (uint8_t *)why, .size = sizeof(why) - 1 };

	describe_flush(r, &w);
	if (c->is_purging && !r->error && !c->is_purge_off)
		flush_part(c, true, false);
	else
		jobs_end(c->o.jobs, r->error != 0, why);
	c->is_purging = false;
}

static void start_kernel_flush(void *ctx, int code)
{
	struct commands *c = ctx;
	unsigned int kinds = kinds_of(c, code);
	bool has_flows = kinds & KERNEL_KIND(OBJECT_FLOW);

	if (has_flows)
		log_notice("flushing kernel conntrack table");
	if (kinds & KERNEL_KIND(OBJECT_EXPECT))
		log_notice("flushing kernel expect table");
	/* with the flows their expectations go */
	kernel_side_flush(c->o.kernel, has_flows ? OBJECT_FLOW : OBJECT_EXPECT,
			  on_flushed, c);
}

static void start_purge(void *ctx, int code)
{
	struct commands *c = ctx;

	(void)code;
	log_notice("flushing kernel conntrack table (scheduled)");
	c->is_purge_off = false;
	c->is_purging = true;
	flush_part(c, false, false);
	kernel_side_flush(c->o.kernel, OBJECT_FLOW, on_flushed, c);
}

/* The second half: the internal cache. */
static bool work_purge(void *ctx)
{
	const struct commands *c = ctx;

	return c->is_purging ? false : work_cache_flush(ctx);
}

static const struct job_kind commit_kind = { start_commit, work_commit };
static const struct job_kind cache_kind = { start_cache_flush,
					    work_cache_flush };
static const struct job_kind kernel_kind = { start_kernel_flush, NULL };
static const struct job_kind resync_kind = { start_resync, NULL };
static const struct job_kind purge_kind = { start_purge, work_purge };

static void on_purge_due(void *ctx, int64_t now_ms)
{
	struct commands *c = ctx;

	(void)now_ms;
	jobs_add(c->o.jobs, &purge_kind, c, CTL_RESET_TIMERS,
		 name_of(CTL_RESET_TIMERS), 0);
}

void commands_schedule_purge(struct commands *c)
{
	uint32_t after_s = c->o.purge_timeout_s;

	if (timer_is_set(&c->purge_timer))
		return;
	log_notice("flushing conntrack table in %u secs", after_s);
	timer_set(c->o.loop, &c->purge_timer,
		  loop_now_ms(c->o.loop) + (int64_t)after_s * 1000);
}

/* In whatever stage it is: not due yet, waiting, or under way. */
static void call_off_purge(struct commands *c, const char *by)
{
	bool is_off = timer_is_set(&c->purge_timer);

	timer_cancel(c->o.loop, &c->purge_timer);
	if (jobs_running(c->o.jobs) == &purge_kind) {
		is_off = c->is_purge_off = true;
		flush_part(c, false, false);
		if (c->is_purging)
			kernel_side_stop_flush(c->o.kernel);
	}
	is_off |= jobs_drop(c->o.jobs, &purge_kind);
	if (is_off)
		log_notice("`-t' is called off by `%s'", by);
}

/* ---- requests ----------------------------------------------------------- */

static const struct {
	enum ctl_code code;
	const struct job_kind *kind;
	bool calls_off_purge;
} requests[] = {
	{ CTL_COMMIT, &commit_kind, true },
	{ CTL_COMMIT_CT, &commit_kind, true },
	{ CTL_COMMIT_EXPECT, &commit_kind, true },
	{ CTL_FLUSH_CACHES, &cache_kind, true },
	{ CTL_FLUSH_CACHES_CT, &cache_kind, true },
	{ CTL_FLUSH_INTERNAL, &cache_kind, true },
	{ CTL_FLUSH_EXTERNAL, &cache_kind, false },
	{ CTL_FLUSH_KERNEL, &kernel_kind, false },
	{ CTL_FLUSH_KERNEL_CT, &kernel_kind, false },
	{ CTL_FLUSH_KERNEL_EXPECT, &kernel_kind, false },
	{ CTL_RESYNC, &resync_kind, false },
	{ CTL_RESYNC_CT, &resync_kind, false },
	{ CTL_RESYNC_EXPECT, &resync_kind, false },
};

bool commands_add(struct commands *c, int code, uint64_t client)
{
	for (size_t i = 0; i < N_ELEMENTS(requests); i++) {
		if (requests[i].code != (enum ctl_code)code)
			continue;
		if (requests[i].calls_off_purge)
			call_off_purge(c, name_of(code));
		jobs_add(c->o.jobs, requests[i].kind, c, code, name_of(code),
			 client);
		return true;
	}
	return false;
}

/* ---- start and end ------------------------------------------------------- */

static int build(struct commands *c)
{
	struct commit_opts commit = {
		.external = c->o.external,
		.internal = c->o.internal,
		.timeout_s = c->o.commit_timeout_s,
		.ended = on_commit_ended,
		.ctx = c,
	};
	int err;

	if (!c->o.external)
		return 0;
	err = ct_writer_open(kernel_side_table(c->o.kernel), ORIGIN_COMMIT,
			     on_committed, c, &c->writer);
	if (err < 0)
		return err;
	commit.kernel = ct_writer_ops(c->writer);
	c->commit = commit_new(&commit);
	return c->commit ? 0 : -ENOMEM;
}

int commands_open(const struct commands_opts *opts, struct commands **out)
{
	struct commands *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (c) {
		c->o = *opts;
		c->purge_timer = (struct timer){ .fn = on_purge_due, .ctx = c };
		err = build(c);
	}
	if (err == 0)
		*out = c;
	else
		commands_close(c);
	if (err < 0)
		log_error("can't make ready for commits: %s", strerror(-err));
	return err;
}

void commands_close(struct commands *c)
{
	if (!c)
		return;
	timer_cancel(c->o.loop, &c->purge_timer);
	ct_writer_close(c->writer);
	commit_free(c->commit);
	free(c);
}
