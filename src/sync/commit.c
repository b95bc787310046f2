/* SPDX-License-Identifier: ISC */
#include "sync/commit.h"

#include <errno.h>
#include <stdlib.h>

#include "sync/apply.h"

enum {
	COMMIT_STEP = 1024,     /* ids looked at in one step, or some more */
	TIMEOUT_OVERDUE_S = 60, /* the sender's has passed */
	TIMEOUT_CLOSE_S = 10,   /* of the kernel, for a connection reset */
};

struct commit {
	struct commit_opts o;
	struct apply *apply;
	bool is_running;
	bool related;   /* second pass */
	bool is_at_end; /* of this pass: only answers are missing */
	uint32_t position;
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

bool commit_is_running(const struct commit *c)
{
	return c->is_running;
}

int commit_start(struct commit *c)
{
	if (c->is_running)
		return -EBUSY;
	c->is_running = true;
	c->related = false;
	c->is_at_end = false;
	c->position = FLOW_CACHE_NO_ID;
	c->report = (struct commit_report){ 0 };
	return 0;
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
	item.has_master = c->related && has_master(c, &f);
	flow_cache_mark(c->o.external, SET_UNDER_WAY, id);
	apply_put(c->apply, &item, now_s);
}

/* Takes up the next entries of this pass. */
static void walk(struct commit *c, uint32_t now_s)
{
	struct flow_cache *x = c->o.external;
	uint32_t n = 0;

	while (n < COMMIT_STEP && !c->is_at_end && apply_has_room(c->apply)) {
		uint32_t id = flow_cache_next(x, c->position);

		n += id - c->position; /* free ids too */
		c->position = id;
		c->is_at_end = id == FLOW_CACHE_NO_ID;
		if (c->is_at_end)
			break;
		if (flow_cache_head(x, id)->state != ENTRY_FREE &&
		    flow_cache_is_related(x, id) == c->related)
			take_up(c, id, now_s);
	}
}

static void end(struct commit *c)
{
	c->is_running = false;
	c->o.ended(c->o.ctx, &c->report);
}

bool commit_step(struct commit *c, uint32_t now_s)
{
	if (!c->is_running)
		return false;
	if (!apply_resume(c->apply))
		return false;
	walk(c, now_s);
	if (!apply_has_room(c->apply))
		return false;
	if (!c->is_at_end)
		return true;
	/* The masters must be in the kernel before what is related to them. */
	apply_finish(c->apply);
	if (!apply_is_idle(c->apply))
		return false;
	if (c->related) {
		end(c);
		return false;
	}
	c->related = true;
	c->is_at_end = false;
	return true;
}

void commit_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		 const struct flow *found)
{
	struct commit *c = ctx;

	apply_done(c->apply, op, cookie, error, found);
}
