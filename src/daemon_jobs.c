/* SPDX-License-Identifier: ISC */
/* The commands that take time, one after the other in the order they came: what
 * one of them makes, no other takes away meanwhile. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/ctl_proto.h"
#include "daemon_state.h"

enum {
	JOBS_MAX = 128,    /* as many as clients */
	FLUSH_STEP = 4096, /* ids in one piece, or twice that */
};

struct job {
	struct job *next;
	const struct job_kind *kind;
	int code;        /* enum ctl_code, of the request or the purge */
	uint64_t client; /* 0: nobody waits */
};

struct job_kind {
	/* It may have ended when this returns. */
	void (*start)(struct daemon *d, const struct job *j);
	/* A piece of it; true: more can be done at once. NULL: others do it. */
	bool (*work)(struct daemon *d);
};

static const char *name_of(const struct job *j)
{
	return ctl_row((unsigned int)j->code)->option;
}

/* ---- the queue ---------------------------------------------------------- */

/* Whoever was interrupted while it waited does not want it any more. */
static bool is_wanted(const struct daemon *d, const struct job *j)
{
	return !j->client ||
	       ctl_server_has_client(d->control.server, j->client);
}

/* Those that nobody waits for must not be what keeps others out. */
static void drop_unwanted(struct daemon *d)
{
	struct job_side *s = &d->control.jobs;
	struct job **at = s->is_started ? &s->first->next : &s->first;

	while (*at) {
		struct job *j = *at;

		if (is_wanted(d, j)) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		s->n--;
		free(j);
	}
}

static void append(struct daemon *d, const struct job_kind *kind, int code,
		   uint64_t client)
{
	struct job_side *s = &d->control.jobs;
	struct job **end = &s->first;
	struct job *j;

	if (s->n == JOBS_MAX)
		drop_unwanted(d);
	j = s->n < JOBS_MAX ? calloc(1, sizeof(*j)) : NULL;
	if (!j) {
		const char *why = s->n < JOBS_MAX ? strerror(ENOMEM)
						  : "too many commands wait";

		log_error("`%s' is refused: %s",
			  ctl_row((unsigned int)code)->option, why);
		control_side_finish(d, client, 1, why);
		return;
	}
	*j = (struct job){ NULL, kind, code, client };
	if (s->first)
		log_notice("`%s' waits until `%s' has ended", name_of(j),
			   name_of(s->first));
	while (*end)
		end = &(*end)->next;
	*end = j;
	s->n++;
	daemon_work_later(d);
}

static void drop_first(struct job_side *s)
{
	struct job *j = s->first;

	s->first = j->next;
	s->n--;
	s->is_started = false;
	free(j);
}

/* The running one has ended. */
static void end_job(struct daemon *d, int status, const char *reason)
{
	struct job_side *s = &d->control.jobs;

	assert(s->first && s->is_started);
	control_side_finish(d, s->first->client, status, reason);
	drop_first(s);
	daemon_work_later(d);
}

bool job_side_work(struct daemon *d)
{
	struct job_side *s = &d->control.jobs;
	const struct job *j = s->first;

	if (!j || !d->is_running)
		return false;
	if (s->is_started)
		return j->kind->work && j->kind->work(d);
	if (!is_wanted(d, j)) {
		log_notice("`%s' is not carried out: its client has left",
			   name_of(j));
		drop_first(s);
		return true;
	}
	s->is_started = true;
	j->kind->start(d, j);
	return true;
}

/* ---- -c: commit --------------------------------------------------------- */

static const char *const op_names[] = {
	[KERNEL_CREATE] = "commit-create",
	[KERNEL_UPDATE] = "commit-update",
	[KERNEL_DELETE] = "commit-destroy",
	[KERNEL_GET] = "commit-get",
};

static void start_commit(struct daemon *d, const struct job *j)
{
	int err;

	log_notice("committing %s", j->code == CTL_COMMIT
					    ? "all external caches"
					    : "conntrack cache");
	d->control.jobs.commit_since_us = loop_clock_us();
	err = commit_start(d->commit);
	assert(err == 0); /* one job at a time */
}

static bool work_commit(struct daemon *d)
{
	return commit_step(d->commit, daemon_now_s(d));
}

static void log_commit(const struct commit_report *r, int64_t took_us)
{
	for (int i = 0; i < r->n_reasons; i++)
		log_error("%s: %s (%u entries)", op_names[r->reasons[i].op],
			  strerror(-r->reasons[i].error), r->reasons[i].n);
	log_notice("Committed %u new entries", r->n_committed);
	if (r->n_failed)
		log_notice("%u entries can't be committed", r->n_failed);
	if (r->n_newer)
		log_notice("%u entries give way to newer connections",
			   r->n_newer);
	log_notice("commit has taken %lld.%06lld seconds",
		   (long long)(took_us / 1000000),
		   (long long)(took_us % 1000000));
}

/* What the client says of entries that the kernel has refused. */
static void describe_failures(const struct commit_report *r, struct wr *out)
{
	wr_printf(out, "%u entries can't be committed", r->n_failed);
	for (int i = 0; i < r->n_reasons; i++)
		wr_printf(out, "%s %s: %s (%u)", i ? "," : ":",
			  op_names[r->reasons[i].op],
			  strerror(-r->reasons[i].error), r->reasons[i].n);
}

/* The commit has run to its end: that is success, whatever the kernel has
 * refused. Cluster managers do not fail over on anything else. */
void job_side_commit_ended(void *ctx, const struct commit_report *r)
{
	struct daemon *d = ctx;
	struct job_side *s = &d->control.jobs;
	char why[CTL_REASON_MAX + 1] = "";
	struct wr w = { .buf = (uint8_t *)why, .size = sizeof(why) - 1 };

	log_commit(r, loop_clock_us() - s->commit_since_us);
	if (r->n_failed)
		describe_failures(r, &w);
	end_job(d, 0, why);
}

/* ---- -f: the caches ----------------------------------------------------- */

static void flush_part(struct job_side *s, bool internal, bool external)
{
	s->flushes_internal = internal;
	s->flushes_external = external;
	s->flush_position = FLOW_CACHE_NO_ID;
}

static void start_cache_flush(struct daemon *d, const struct job *j)
{
	bool internal = j->code != CTL_FLUSH_EXTERNAL;
	bool external = j->code != CTL_FLUSH_INTERNAL;

	log_notice("flushing %s", internal && external ? "caches"
				  : internal           ? "internal cache"
						       : "external cache");
	flush_part(&d->control.jobs, internal, external);
}

/* Removes a piece of one cache. True: all of it is gone. */
static bool flush_piece(struct daemon *d, bool internal)
{
	struct flow_cache *c = internal ? d->internal : d->external_cache;
	struct job_side *s = &d->control.jobs;

	for (uint32_t n = 0; n < FLUSH_STEP;) {
		uint32_t before = s->flush_position;

		s->flush_position = flow_cache_next(c, s->flush_position);
		n += s->flush_position - before; /* free ids too */
		if (s->flush_position == FLOW_CACHE_NO_ID)
			return true;
		if (flow_cache_head(c, s->flush_position)->state == ENTRY_FREE)
			continue;
		if (internal)
			kernel_side_forget_entry(d, s->flush_position);
		else
			flow_cache_remove(c, s->flush_position);
	}
	return false;
}

static bool work_cache_flush(struct daemon *d)
{
	struct job_side *s = &d->control.jobs;

	if (s->flushes_internal)
		s->flushes_internal = !flush_piece(d, true);
	else if (s->flushes_external)
		s->flushes_external = !flush_piece(d, false);
	else
		end_job(d, 0, NULL);
	return true;
}

/* ---- -F: the kernel's table; -R ----------------------------------------- */

static void start_kernel_flush(struct daemon *d, const struct job *j)
{
	(void)j;
	log_notice("flushing kernel conntrack table");
	flush_side_start(d);
}

static void start_resync(struct daemon *d, const struct job *j)
{
	(void)j;
	log_notice("resync with master conntrack table");
	kernel_side_dump(d, DUMP_REQUEST);
}

void job_side_dump_ended(struct daemon *d, int error)
{
	end_job(d, error < 0, error < 0 ? "see the log" : NULL);
}

/* ---- -t: the purge ------------------------------------------------------ */

static void start_purge(struct daemon *d, const struct job *j)
{
	(void)j;
	log_notice("flushing kernel conntrack table (scheduled)");
	d->control.jobs.is_purge_off = false;
	flush_part(&d->control.jobs, false, false);
	flush_side_start(d);
}

/* The second half: the internal cache. */
static bool work_purge(struct daemon *d)
{
	return d->kernel.flush.is_running ? false : work_cache_flush(d);
}

static const struct job_kind commit_kind = { start_commit, work_commit };
static const struct job_kind cache_kind = { start_cache_flush,
					    work_cache_flush };
static const struct job_kind kernel_kind = { start_kernel_flush, NULL };
static const struct job_kind resync_kind = { start_resync, NULL };
static const struct job_kind purge_kind = { start_purge, work_purge };

void job_side_flush_ended(struct daemon *d, const struct kernel_flush *flush)
{
	struct job_side *s = &d->control.jobs;
	char why[CTL_REASON_MAX + 1] = "";
	struct wr w = { .buf = (uint8_t *)why, .size = sizeof(why) - 1 };

	if (flush->error)
		wr_printf(&w, "see the log");
	else if (flush->n_refused)
		wr_printf(&w, "%u entries can't be deleted: %s",
			  flush->n_refused, strerror(-flush->refused_error));
	if (flush->n_refused)
		log_error("%u entries can't be deleted: %s", flush->n_refused,
			  strerror(-flush->refused_error));
	if (s->first->kind == &purge_kind && !flush->error && !s->is_purge_off)
		flush_part(s, true, false);
	else
		end_job(d, flush->error != 0, why);
}

static void on_purge(void *ctx, int64_t now_ms)
{
	(void)now_ms;
	append(ctx, &purge_kind, CTL_RESET_TIMERS, 0);
}

void job_side_schedule_purge(struct daemon *d, uint64_t client)
{
	struct timer *t = &d->control.jobs.purge_timer;
	uint32_t after_s = d->conf->sync.purge_timeout_s;

	if (!timer_is_set(t)) {
		log_notice("flushing conntrack table in %u secs", after_s);
		timer_set(d->loop, t,
			  loop_now_ms(d->loop) + (int64_t)after_s * 1000);
	}
	control_side_finish(d, client, 0, NULL);
}

/* In whatever stage it is: not due yet, waiting, or under way. */
static void call_off_purge(struct daemon *d, const char *by)
{
	struct job_side *s = &d->control.jobs;
	struct job **at = &s->first;
	bool is_off = timer_is_set(&s->purge_timer);

	timer_cancel(d->loop, &s->purge_timer);
	if (s->is_started && s->first->kind == &purge_kind) {
		is_off = s->is_purge_off = true;
		flush_side_stop(d);
		flush_part(s, false, false);
	}
	if (s->is_started)
		at = &s->first->next;
	while (*at) {
		struct job *j = *at;

		if (j->kind != &purge_kind) {
			at = &j->next;
			continue;
		}
		*at = j->next;
		s->n--;
		free(j);
		is_off = true;
	}
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
	{ CTL_FLUSH_CACHES, &cache_kind, true },
	{ CTL_FLUSH_CACHES_CT, &cache_kind, true },
	{ CTL_FLUSH_INTERNAL, &cache_kind, true },
	{ CTL_FLUSH_EXTERNAL, &cache_kind, false },
	{ CTL_FLUSH_KERNEL, &kernel_kind, false },
	{ CTL_FLUSH_KERNEL_CT, &kernel_kind, false },
	{ CTL_RESYNC, &resync_kind, false },
	{ CTL_RESYNC_CT, &resync_kind, false },
};

void job_side_add(struct daemon *d, uint64_t client, int code)
{
	for (size_t i = 0; i < N_ELEMENTS(requests); i++) {
		if (requests[i].code != (enum ctl_code)code)
			continue;
		if (requests[i].calls_off_purge)
			call_off_purge(d, ctl_row((unsigned int)code)->option);
		append(d, requests[i].kind, code, client);
	}
}

void job_side_open(struct daemon *d)
{
	d->control.jobs.purge_timer =
		(struct timer){ .fn = on_purge, .ctx = d };
}

void job_side_close(struct daemon *d)
{
	struct job_side *s = &d->control.jobs;

	if (d->loop)
		timer_cancel(d->loop, &s->purge_timer);
	while (s->first)
		drop_first(s);
}
