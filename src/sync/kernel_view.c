/* SPDX-License-Identifier: ISC */
#include "sync/kernel_view.h"

/* ---- start and end ------------------------------------------------------- */

static void build_mirror(struct kernel_view *v)
{
	const struct mirror_opts o = {
		.cache = v->o.internal,
		.filter = v->o.filter,
		.is_polled = v->o.is_polled,
		.kernel = v->o.kernel,
		.touch = v->o.touch,
		.ctx = v->o.ctx,
	};

	mirror_init(&v->mirror, &o);
}

static void build_bypass(struct kernel_view *v)
{
	const struct bypass_opts o = {
		.untold = v->o.internal,
		.filter = v->o.filter,
		.kernel = v->o.kernel,
		.events_reliable = v->o.events_reliable,
		.touch = v->o.touch,
		.has_room = v->o.has_room,
		.ctx = v->o.ctx,
	};

	bypass_init(&v->bypass, &o);
}

int kernel_view_init(struct kernel_view *v, const struct kernel_view_opts *o)
{
	const struct expect_mirror_opts expect = {
		.cache = o->internal,
		.is_bypassed = o->is_bypassed,
		.masters = o->filter,
		.filter = o->expect_filter,
		.touch = o->touch,
		.ctx = o->ctx,
	};
	int err = 0;

	*v = (struct kernel_view){ .o = *o, .injected.flows = o->injected };
	if (o->has_expectations)
		err = expect_mirror_init(&v->expect, &expect);
	if (err < 0)
		return err;
	if (o->is_bypassed)
		build_bypass(v);
	else
		build_mirror(v);
	return 0;
}

void kernel_view_fini(struct kernel_view *v)
{
	bypass_fini(&v->bypass);
	expect_mirror_fini(&v->expect);
}

/* ---- events ------------------------------------------------------------- */

void kernel_view_event(struct kernel_view *v, enum flow_event type,
		       enum flow_origin origin, const struct flow *f,
		       uint32_t now_s)
{
	if (v->o.is_bypassed)
		bypass_event(&v->bypass, type, origin, f, now_s);
	else
		mirror_event(&v->mirror, type, origin, f, now_s);
	if (v->o.has_expectations && type != FLOW_EVENT_DESTROY)
		expect_mirror_flow_came(&v->expect, f);
}

void kernel_view_expect_event(struct kernel_view *v, enum flow_event type,
			      enum flow_origin origin, const struct expect *e,
			      uint32_t now_s)
{
	expect_mirror_event(&v->expect, type, origin, e, now_s);
}

static bool is_known(const struct kernel_view *v, const struct flow *f)
{
	return flow_cache_find(v->o.internal, f) != FLOW_CACHE_NO_ID;
}

void kernel_view_injected(struct kernel_view *v, enum kernel_op op,
			  const struct flow *f, uint32_t now_s)
{
	bool is_end = op == KERNEL_DELETE;

	if (!is_known(v, f) || is_end)
		injected_done(&v->injected, op, f, now_s);
	mirror_event(&v->mirror,
		     is_end ? FLOW_EVENT_DESTROY : FLOW_EVENT_UPDATE,
		     ORIGIN_INJECT, f, now_s);
}

/* ---- dumps -------------------------------------------------------------- */

void kernel_view_dump_begins(struct kernel_view *v, enum object_kind kind,
			     enum view_dump dump)
{
	enum touch how = dump == VIEW_TELL || dump == VIEW_POLL ? TOUCH_SEND
								: TOUCH_QUIET;

	v->kind = kind;
	v->dump = dump;
	if (kind == OBJECT_EXPECT) {
		expect_mirror_dump_begins(&v->expect, how);
	} else if (v->o.is_bypassed) {
		bypass_dump_begins(&v->bypass);
	} else if (dump != VIEW_POLL) {
		mirror_dump_begins(&v->mirror, how);
	} else {
		mirror_poll_begins(&v->mirror);
		if (v->o.injected)
			injected_poll_begins(&v->injected);
	}
}

/* What peers have told is not ours, unless all that a dump shows is taken for
 * it. Whose it is that is under way just now, the next poll tells. */
static bool is_injected(struct kernel_view *v, const struct flow *f,
			uint32_t now_s)
{
	if (!v->o.injected)
		return false;
	if (v->dump == VIEW_POLL)
		return injected_has_row(&v->injected, f, now_s) ||
		       (v->o.is_under_way(v->o.ctx, f) && !is_known(v, f));
	injected_forget(&v->injected, f);
	return false;
}

bool kernel_view_row(struct kernel_view *v, const struct flow *f, bool is_sure,
		     uint32_t now_s)
{
	if (v->o.is_bypassed) {
		bypass_row(&v->bypass, f, is_sure, now_s);
		return bypass_has_room(&v->bypass);
	}
	if (!is_injected(v, f, now_s))
		mirror_row(&v->mirror, f, is_sure, now_s);
	if (v->o.has_expectations)
		expect_mirror_flow_came(&v->expect, f);
	return true;
}

bool kernel_view_expect_row(struct kernel_view *v, const struct expect *e,
			    bool is_sure, uint32_t now_s)
{
	expect_mirror_row(&v->expect, e, is_sure, now_s);
	return kernel_view_has_room(v);
}

bool kernel_view_has_room(const struct kernel_view *v)
{
	return !v->o.is_bypassed || bypass_has_room(&v->bypass);
}

void kernel_view_dump_ends(struct kernel_view *v, bool is_complete)
{
	if (v->kind == OBJECT_EXPECT)
		expect_mirror_dump_ends(&v->expect, is_complete);
	else if (v->o.is_bypassed)
		bypass_dump_ends(&v->bypass, is_complete);
	else
		mirror_dump_ends(&v->mirror, is_complete);
	if (v->kind == OBJECT_FLOW && v->dump == VIEW_POLL && v->o.injected)
		injected_poll_ends(&v->injected, is_complete);
}

bool kernel_view_is_settled(const struct kernel_view *v)
{
	if (injected_has_work(&v->injected))
		return false;
	if (v->kind == OBJECT_EXPECT)
		return expect_mirror_is_settled(&v->expect);
	return v->o.is_bypassed ? bypass_is_settled(&v->bypass)
				: mirror_is_settled(&v->mirror);
}

bool kernel_view_has_missed(const struct kernel_view *v)
{
	return bypass_has_missed(&v->bypass) || v->expect.has_missed;
}

bool kernel_view_wants_expectations(struct kernel_view *v)
{
	return v->o.has_expectations && expect_mirror_wants_dump(&v->expect);
}

/* ---- what comes again and again ------------------------------------------ */

struct mirror *kernel_view_mirror(struct kernel_view *v)
{
	return v->o.is_bypassed ? NULL : &v->mirror;
}

bool kernel_view_has_work(const struct kernel_view *v)
{
	if (injected_has_work(&v->injected) ||
	    (v->o.has_expectations && expect_mirror_has_work(&v->expect)))
		return true;
	return v->o.is_bypassed ? bypass_has_work(&v->bypass)
				: mirror_has_work(&v->mirror);
}

void kernel_view_work(struct kernel_view *v, uint32_t now_s)
{
	injected_work(&v->injected);
	if (v->o.is_bypassed && bypass_has_work(&v->bypass))
		bypass_work(&v->bypass, now_s);
	else if (!v->o.is_bypassed && mirror_has_work(&v->mirror))
		mirror_work(&v->mirror, now_s);
	if (v->o.has_expectations)
		expect_mirror_work(&v->expect, now_s);
}

void kernel_view_second(struct kernel_view *v, uint32_t now_s)
{
	if (v->o.is_bypassed)
		bypass_second(&v->bypass);
	else
		mirror_second(&v->mirror, now_s);
	if (v->o.has_expectations)
		expect_mirror_second(&v->expect, now_s);
}

void kernel_view_answer(void *ctx, enum kernel_op op, uint32_t cookie,
			int error, const struct flow *found)
{
	struct kernel_view *v = ctx;

	if (v->o.is_bypassed)
		bypass_answer(&v->bypass, op, cookie, error, found);
	else
		mirror_answer(&v->mirror, op, cookie, error, found);
}
