/* SPDX-License-Identifier: ISC */
#include "sync/commit.h"

#include <errno.h>
#include <stdlib.h>

#include "sync/apply.h"
#include "sync/expect_apply.h"

enum {
	COMMIT_STEP = 1024,     /* ids looked at in one step, or some more */
	TIMEOUT_OVERDUE_S = 60, /* the sender's has passed */
	TIMEOUT_CLOSE_S = 10,   /* of the kernel, for a connection reset */
};

enum pass {
	PASS_NONE, /* nothing is running */
	PASS_MASTERS,
	PASS_RELATED,
	PASS_EXPECT,
};

struct commit {
	struct commit_opts o;
	struct apply *apply;
	struct expect_apply expect;
	enum pass pass;
	bool is_at_end; /* of this pass: only answers are missing */
	uint32_t position;
	uint32_t now_s; /* of the call that is running */
	struct commit_report report;
};

static void count_failure(struct commit_report *r, enum kernel_op op, int error)
{
	int i = 0;

	r->n_failed++;
	while (i < r->n_reasons &&
	       (r->reasons[i].op != op || r->reasons[i].error != error))
		i++;
	if (i == COMMIT_REASONS)
		return;
	if (i == r->n_reasons)
		r->reasons[r->n_reasons++] =
			(struct commit_reason){ .op = op, .error = error };
	r->reasons[i].n++;
}

/* ---- flows --------------------------------------------------------------- */

/* The mark leaves an entry that is removed: its id may be another's now. */
static bool is_wanted(void *ctx, uint32_t id)
{
	const struct commit *c = ctx;

	return flow_cache_is_marked(c->o.external, SET_UNDER_WAY, id);
}

static void on_end(void *ctx, uint32_t id, const struct apply_end *end)
{
	struct commit *c = ctx;

	if (end->result == APPLY_UNWANTED)
		return;
	flow_cache_unmark(c->o.external, SET_UNDER_WAY, id);
	if (end->result == APPLY_COMMITTED)
		c->report.n_committed++;
	else if (end->result == APPLY_NEWER)
		c->report.n_newer++;
	else
		count_failure(&c->report, end->op, end->error);
}

uint32_t commit_timeout_s(uint32_t configured_s, bool has_timeout,
			  uint32_t received_s, int64_t age_s)
{
	int64_t left = (int64_t)received_s - age_s;

	if (configured_s)
		return configured_s;
	/* The kernel refuses an entry without a timeout. */
	if (!has_timeout || left < 0)
		return TIMEOUT_OVERDUE_S;
	if (left == 0)
		return received_s ? received_s : TIMEOUT_OVERDUE_S;
	return (uint32_t)left;
}

/* The timeout of an entry in the kernel. What has been reset has not more to
 * live than the kernel would have given it, whatever CommitTimeout says. */
static uint32_t timeout_of(const struct commit *c, const struct flow *f,
			   int64_t age_s)
{
	uint32_t timeout_s = commit_timeout_s(
		c->o.timeout_s, f->has & FLOW_TIMEOUT, f->timeout_s, age_s);

	if (f->has & FLOW_TCP_STATE && f->tcp_state == TCP_STATE_CLOSE &&
	    timeout_s > TIMEOUT_CLOSE_S - age_s)
		return age_s < TIMEOUT_CLOSE_S
			       ? (uint32_t)(TIMEOUT_CLOSE_S - age_s)
			       : 1;
	return timeout_s;
}

static bool has_master(const struct commit *c, const struct flow *f)
{
	struct flow master = flow_master(f);

	return flow_cache_find(c->o.external, &master) != FLOW_CACHE_NO_ID;
}

static void take_up(struct commit *c, uint32_t id, uint32_t now_s)
{
	const struct entry_head *h = flow_cache_head(c->o.external, id);
	struct flow f;
	struct apply_item item = { .flow = &f,
				   .told_s = h->changed_s,
				   .cookie = id };

	flow_cache_get(c->o.external, id, &f);
	f.timeout_s = timeout_of(c, &f, (int64_t)now_s - h->changed_s);
	f.has |= FLOW_TIMEOUT;
	item.has_master = c->pass == PASS_RELATED && has_master(c, &f);
	flow_cache_mark(c->o.external, SET_UNDER_WAY, id);
	apply_put(c->apply, &item, now_s);
}

/* ---- expectations -------------------------------------------------------- */

static void get_expect(void *ctx, uint32_t id, struct expect *out)
{
	const struct commit *c = ctx;
	int64_t age_s = (int64_t)c->now_s -
			flow_cache_head(c->o.external, id)->changed_s;

	expect_cache_get(c->o.external, id, out);
	out->timeout_s =
		commit_timeout_s(c->o.timeout_s, out->has & EXPECT_TIMEOUT,
				 out->timeout_s, age_s);
	out->has |= EXPECT_TIMEOUT;
}

static void on_expect_ended(void *ctx, uint32_t id, int error)
{
	struct commit *c = ctx;

	(void)id;
	if (error)
		count_failure(&c->report, KERNEL_CREATE, error);
	else
		c->report.n_committed++;
}

/* ---- the walk ------------------------------------------------------------ */

static bool is_of_pass(const struct commit *c, uint32_t id)
{
	const struct flow_cache *x = c->o.external;

	if (flow_cache_kind(x, id) == OBJECT_EXPECT)
		return c->pass == PASS_EXPECT;
	return c->pass ==
	       (flow_cache_is_related(x, id) ? PASS_RELATED : PASS_MASTERS);
}

/* False: there is no room for more; it was not taken up if it is an
 * expectation. */
static bool take(struct commit *c, uint32_t id)
{
	if (c->pass == PASS_EXPECT)
		return expect_apply_put(&c->expect, id);
	take_up(c, id, c->now_s);
	return true;
}

static bool has_room(const struct commit *c)
{
	return c->pass == PASS_EXPECT || apply_has_room(c->apply);
}

/* Takes up the next entries of this pass. False: there is no more room. */
static bool walk(struct commit *c)
{
	struct flow_cache *x = c->o.external;
	uint32_t n = 0;

	while (n < COMMIT_STEP && !c->is_at_end && has_room(c)) {
		uint32_t id = flow_cache_next(x, c->position);

		c->is_at_end = id == FLOW_CACHE_NO_ID;
		if (c->is_at_end)
			break;
		if (flow_cache_head(x, id)->state != ENTRY_FREE &&
		    is_of_pass(c, id) && !take(c, id))
			return false;
		n += id - c->position; /* free ids too */
		c->position = id;
	}
	return has_room(c);
}

static bool resume(struct commit *c)
{
	return c->pass == PASS_EXPECT ? expect_apply_resume(&c->expect)
				      : apply_resume(c->apply);
}

static bool is_idle(const struct commit *c)
{
	return apply_is_idle(c->apply) && expect_apply_is_idle(&c->expect);
}

static void start_pass(struct commit *c, enum pass pass)
{
	c->pass = pass;
	c->is_at_end = false;
	c->position = FLOW_CACHE_NO_ID;
}

static void end(struct commit *c)
{
	const struct commit_report report = c->report;

	c->pass = PASS_NONE;
	c->o.ended(c->o.ctx, &report);
}

bool commit_is_running(const struct commit *c)
{
	return c->pass != PASS_NONE;
}

bool commit_step(struct commit *c, uint32_t now_s)
{
	c->now_s = now_s;
	if (!commit_is_running(c))
		return false;
	if (!resume(c) || !walk(c))
		return false;
	if (!c->is_at_end)
		return true;
	/* The masters must be in the kernel before what is related to them. */
	apply_finish(c->apply);
	if (!is_idle(c))
		return false;
	if (c->pass != PASS_MASTERS) {
		end(c);
		return false;
	}
	start_pass(c, PASS_RELATED);
	return true;
}

void commit_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		 const struct flow *found)
{
	struct commit *c = ctx;

	if (c->pass == PASS_EXPECT)
		expect_apply_done(&c->expect, op, cookie, error);
	else
		apply_done(c->apply, op, cookie, error, found);
}

/* ---- start and end ------------------------------------------------------- */

int commit_start(struct commit *c, enum object_kind kind)
{
	if (commit_is_running(c))
		return -EBUSY;
	start_pass(c, kind == OBJECT_FLOW ? PASS_MASTERS : PASS_EXPECT);
	c->report = (struct commit_report){ 0 };
	return 0;
}

struct commit *commit_new(const struct commit_opts *opts)
{
	struct commit *c = calloc(1, sizeof(*c));
	const struct apply_opts o = { .internal = opts->internal,
				      .kernel = opts->kernel,
				      .is_wanted = is_wanted,
				      .ended = on_end,
				      .ctx = c };

	if (!c)
		return NULL;
	c->o = *opts;
	c->expect.o = (struct expect_apply_opts){
		.cache = opts->external,
		.kernel = opts->kernel,
		.get = get_expect,
		.ended = on_expect_ended,
		.ctx = c,
	};
	c->apply = apply_new(&o);
	if (!c->apply) {
		free(c);
		return NULL;
	}
	return c;
}

void commit_free(struct commit *c)
{
	if (!c)
		return;
	apply_free(c->apply);
	free(c);
}
