/* SPDX-License-Identifier: ISC */
#include "sync/inject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sync/apply.h"
#include "sync/wire_expect.h"

enum {
	MARKS = 1 << 16, /* bits: many more than flows under way */
	AWAITED = 1 << 12,
	FIRST_SIZE = 64, /* buckets */
	/* What a sender with CommitTimeout does not tell: an open connection is
	 * idle for days, others have what most of Linux's have at most. */
	OPEN_S = 432000,
	OTHER_S = 180,
};

struct inject {
	struct inject_opts o;
	struct kernel_ops kernel;
	struct apply *apply;
	uint64_t n_answers;
	uint32_t now_s; /* of the call that is running */
	/* Hashes of the keys of what is under way. A wrong hit costs a batch
	 * that is not full. */
	uint64_t marks[MARKS / 64];
	/* Flows whose masters are not there. */
	struct flow_cache *waiting;
	uint64_t awaited[AWAITED / 64]; /* hashes of their masters' addresses */
	bool may_be_there;              /* one of these has come */
	struct inject_expect expect;
	struct inject_stats stats;
};

/* ---- hashes -------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t value)
{
	h = (h ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t hash_addrs(const struct flow *f)
{
	uint64_t words[4], h = f->l4proto;

	memcpy(words, &f->orig.src, 16);
	memcpy(words + 2, &f->orig.dst, 16);
	for (int i = 0; i < 4; i++)
		h = mix(h, words[i]);
	return h;
}

static uint64_t hash_key(const struct flow *f)
{
	return mix(hash_addrs(f), (uint64_t)f->orig.sport << 32 |
					  (uint64_t)f->orig.dport << 16 |
					  f->orig.icmp_id);
}

static bool has_bit(const uint64_t *bits, uint64_t n_bits, uint64_t h)
{
	h %= n_bits;
	return bits[h / 64] >> (h % 64) & 1;
}

static void set_bit(uint64_t *bits, uint64_t n_bits, uint64_t h)
{
	h %= n_bits;
	bits[h / 64] |= UINT64_C(1) << (h % 64);
}

/* ---- what has ended ------------------------------------------------------ */

static void count_failure(struct inject_stats *s, const struct apply_end *end)
{
	switch (end->op) {
	case KERNEL_CREATE:
		s->n_create_failed++;
		break;
	case KERNEL_UPDATE:
	case KERNEL_GET:
		s->n_update_failed++;
		break;
	case KERNEL_DELETE:
		s->n_destroy_failed++;
		break;
	}
	if (end->error == -ENOMEM)
		s->n_full++;
	else if (end->error == -EEXIST)
		s->n_taken++;
	else
		s->n_other++;
}

static void count_success(struct inject_stats *s, const struct apply_end *end)
{
	s->n_created += end->op == KERNEL_CREATE;
	s->n_updated += end->op == KERNEL_UPDATE;
	s->n_destroyed += end->op == KERNEL_DELETE;
	s->n_without_helper += end->lacks_helper;
	s->n_without_master += end->lacks_master;
}

/* False: there is no memory. */
static bool let_wait(struct inject *x, const struct flow *f)
{
	struct flow master = flow_master(f);
	uint32_t id;

	switch (flow_cache_put(x->waiting, f, PUT_REPLACE, x->now_s, &id)) {
	case PUT_NEW:
	case PUT_CHANGED:
	case PUT_SAME:
		set_bit(x->awaited, AWAITED, hash_addrs(&master));
		return true;
	case PUT_OTHER:
	case PUT_NO_SPACE:
	case PUT_NO_MEMORY:
		break;
	}
	return false;
}

/* id: of what has waited; FLOW_CACHE_NO_ID: a message. */
static void on_end(void *ctx, uint32_t id, const struct apply_end *end)
{
	const struct apply_end no_memory = { .result = APPLY_FAILED,
					     .op = KERNEL_CREATE,
					     .error = -ENOBUFS };
	struct inject *x = ctx;

	if (id != FLOW_CACHE_NO_ID && end->result != APPLY_NO_MASTER)
		flow_cache_remove(x->waiting, id);
	switch (end->result) {
	case APPLY_COMMITTED:
		count_success(&x->stats, end);
		if (x->o.injected)
			x->o.injected(x->o.ctx, end->op, end->flow);
		break;
	case APPLY_FAILED:
		count_failure(&x->stats, end);
		break;
	case APPLY_NEWER:
		x->stats.n_newer++;
		break;
	case APPLY_NO_MASTER:
		if (id == FLOW_CACHE_NO_ID && !let_wait(x, end->flow))
			count_failure(&x->stats, &no_memory);
		break;
	case APPLY_ABSENT:
	case APPLY_UNWANTED:
		break;
	}
}

/* What a later message changes is not called off: it waits. */
static bool is_wanted(void *ctx, uint32_t id)
{
	(void)ctx;
	(void)id;
	return true;
}

void inject_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		 const struct flow *found)
{
	struct inject *x = ctx;

	x->n_answers++;
	if (cookie < APPLY_SLOTS)
		apply_done(x->apply, op, cookie, error, found);
	else
		inject_expect_done(&x->expect, op, cookie, error);
}

/* ---- what is under way --------------------------------------------------- */

static bool is_idle(const struct inject *x)
{
	return apply_is_idle(x->apply) && inject_expect_is_idle(&x->expect);
}

/* Sees it through. False: the kernel takes nothing just now. */
static bool drain(struct inject *x)
{
	uint64_t before;

	do {
		before = x->n_answers;
		(void)apply_resume(x->apply);
		inject_expect_resume(&x->expect);
		apply_finish(x->apply);
		if (x->kernel.settle)
			x->kernel.settle(x->kernel.self);
	} while (!is_idle(x) && x->n_answers != before);
	if (!is_idle(x))
		return false;
	memset(x->marks, 0, sizeof(x->marks));
	return true;
}

/* Masters are in the kernel before what is related to them is put. */
static bool must_drain(const struct inject *x, const struct flow *f, uint64_t h)
{
	struct flow master;

	if (!apply_has_room(x->apply) || has_bit(x->marks, MARKS, h))
		return true;
	if (!flow_is_related(f))
		return false;
	master = flow_master(f);
	return has_bit(x->marks, MARKS, hash_key(&master));
}

static bool put(struct inject *x, const struct apply_item *item)
{
	uint64_t h = hash_key(item->flow);

	if (must_drain(x, item->flow, h))
		(void)drain(x);
	if (must_drain(x, item->flow, h))
		return false;
	set_bit(x->marks, MARKS, h);
	apply_put(x->apply, item, x->now_s);
	return true;
}

/* ---- messages ------------------------------------------------------------ */

static void give_timeout(struct flow *f)
{
	bool is_open = f->has & FLOW_TCP_STATE &&
		       f->tcp_state == TCP_STATE_ESTABLISHED;

	if (!(f->has & FLOW_TIMEOUT))
		f->timeout_s = is_open ? OPEN_S : OTHER_S;
	f->has |= FLOW_TIMEOUT;
}

static bool is_any_waiting(const struct inject *x)
{
	return flow_cache_stats(x->waiting)->n_active > 0;
}

/* Another message on a flow that waits. True: it goes on waiting. */
static bool take_to_waiting(struct inject *x, const struct peer *from,
			    enum msg_type type, const struct flow *f)
{
	enum put_mode mode =
		peer_sends_whole_updates(from) ? PUT_CONTENT : PUT_MERGE;
	uint32_t id = flow_cache_find(x->waiting, f);

	if (id == FLOW_CACHE_NO_ID)
		return false;
	if (type == MSG_CT_DEL || !flow_is_related(f)) {
		flow_cache_remove(x->waiting, id);
		return false;
	}
	switch (flow_cache_put(x->waiting, f,
			       type == MSG_CT_NEW ? PUT_REPLACE : mode,
			       x->now_s, &id)) {
	case PUT_NEW:
	case PUT_CHANGED:
	case PUT_SAME:
		return true;
	case PUT_OTHER:
	case PUT_NO_SPACE:
	case PUT_NO_MEMORY:
		break;
	}
	flow_cache_remove(x->waiting, id);
	return false;
}

static enum wanted_by by_of(enum msg_type type)
{
	return type == MSG_CT_DEL   ? WANTED_GONE
	       : type == MSG_CT_NEW ? WANTED_BY_NEW
				    : WANTED_BY_UPDATE;
}

static bool take(struct inject *x, const struct peer *from, enum msg_type type,
		 struct flow *f)
{
	const struct apply_item item = {
		.flow = f,
		.told_s = x->now_s,
		/* for which there is room, whatever is under way */
		.waits = flow_cache_stats(x->waiting)->n_active + APPLY_SLOTS <=
			 INJECT_WAITING_MAX,
		.by = (uint8_t)by_of(type),
		.cookie = FLOW_CACHE_NO_ID,
	};

	if (type != MSG_CT_DEL)
		give_timeout(f);
	if (is_any_waiting(x)) {
		if (has_bit(x->marks, MARKS, hash_key(f)) && !drain(x))
			return false;
		if (take_to_waiting(x, from, type, f))
			return true;
	}
	x->may_be_there |= type != MSG_CT_DEL &&
			   has_bit(x->awaited, AWAITED, hash_addrs(f));
	return put(x, &item);
}

/* Its master is in the kernel before it is put. */
static bool take_expect(struct inject *x, enum msg_type type,
			const struct expect *e)
{
	bool (*tell)(struct inject_expect *, const struct expect *, uint32_t) =
		type == MSG_EXP_DEL ? inject_expect_end : inject_expect_put;
	const struct flow master = expect_master(e);

	set_bit(x->awaited, AWAITED, hash_addrs(&master));
	if (has_bit(x->marks, MARKS, hash_key(&master)) && !drain(x))
		return false;
	return tell(&x->expect, e, x->now_s) ||
	       (drain(x) && tell(&x->expect, e, x->now_s));
}

static enum verdict hear(struct inject *x, const struct peer *from,
			 const struct msg *m, bool *is_taken)
{
	enum msg_type type = (enum msg_type)m->type;
	struct expect e;
	struct flow f;
	enum verdict v;

	if (type <= MSG_CT_DEL) {
		v = wire_flow_decode(m->body, &x->o.wire, &f, &x->stats.wire);
		*is_taken = v == VERDICT_OK && take(x, from, type, &f);
	} else {
		v = wire_expect_decode(m->body, &x->o.wire, &e);
		*is_taken = v == VERDICT_OK && take_expect(x, type, &e);
	}
	return v;
}

enum verdict inject_data(struct inject *x, const struct peer *from,
			 const struct msg *m, int64_t now_ms)
{
	bool is_taken;
	enum verdict v;

	if (m->type > MSG_CT_DEL && !x->o.has_expectations)
		return VERDICT_IGNORED;
	x->now_s = (uint32_t)(now_ms / 1000);
	v = hear(x, from, m, &is_taken);
	if (v != VERDICT_OK || is_taken)
		return v;
	x->stats.n_stuck++;
	return VERDICT_NO_ROOM;
}

/* ---- masters that come later --------------------------------------------- */

/* Tries those that wait; who has waited for long goes without a master. */
static void try_waiting(struct inject *x, bool only_overdue)
{
	uint32_t id = FLOW_CACHE_NO_ID;
	struct flow f;

	while ((id = flow_cache_next(x->waiting, id)) != FLOW_CACHE_NO_ID) {
		const struct entry_head *h = flow_cache_head(x->waiting, id);
		struct apply_item item = { .flow = &f,
					   .told_s = x->now_s,
					   .by = WANTED_BY_NEW,
					   .cookie = id };

		if (h->state == ENTRY_FREE)
			continue;
		item.waits = x->now_s - h->created_s <= INJECT_WAIT_S;
		if (only_overdue && item.waits)
			continue;
		flow_cache_get(x->waiting, id, &f);
		if (!put(x, &item))
			return;
	}
	(void)drain(x);
}

static void try_expectations(struct inject *x)
{
	while (!inject_expect_try(&x->expect, x->now_s) && drain(x))
		;
	(void)drain(x);
}

void inject_turn(struct inject *x, int64_t now_ms)
{
	x->now_s = (uint32_t)(now_ms / 1000);
	if (!is_idle(x) && !drain(x))
		return;
	if (x->may_be_there) {
		try_waiting(x, false);
		try_expectations(x);
	}
	x->may_be_there = false;
	if (!is_any_waiting(x) && !x->expect.has_orphans)
		memset(x->awaited, 0, sizeof(x->awaited));
}

void inject_second(struct inject *x, int64_t now_ms)
{
	x->now_s = (uint32_t)(now_ms / 1000);
	if (is_any_waiting(x))
		try_waiting(x, true);
	try_expectations(x);
}

bool inject_is_under_way(const struct inject *x, const struct flow *f)
{
	return has_bit(x->marks, MARKS, hash_key(f));
}

bool inject_has_room(const struct inject *x)
{
	return apply_has_room(x->apply);
}

const struct inject_stats *inject_stats(const struct inject *x)
{
	return &x->stats;
}

const struct inject_expect_stats *
inject_stats_of_expectations(const struct inject *x)
{
	return &x->expect.stats;
}

/* ---- start and end ------------------------------------------------------- */

struct inject *inject_new(const struct inject_opts *opts)
{
	const struct flow_cache_opts waiting = { .first_size = FIRST_SIZE,
						 .limit = INJECT_WAITING_MAX };
	struct inject *x = calloc(1, sizeof(*x));
	const struct apply_opts o = { .internal = opts->internal,
				      .kernel = x ? &x->kernel : NULL,
				      .is_wanted = is_wanted,
				      .ended = on_end,
				      .ctx = x };
	const struct inject_expect_opts expect = {
		.internal = opts->internal,
		.kernel = o.kernel,
		.first_cookie = APPLY_SLOTS,
	};

	if (!x)
		return NULL;
	x->o = *opts;
	x->apply = apply_new(&o);
	x->waiting = flow_cache_new(&waiting);
	if (x->apply && x->waiting &&
	    inject_expect_init(&x->expect, &expect) == 0)
		return x;
	inject_free(x);
	return NULL;
}

void inject_free(struct inject *x)
{
	if (!x)
		return;
	apply_free(x->apply);
	flow_cache_free(x->waiting);
	inject_expect_fini(&x->expect);
	free(x);
}

void inject_connect(struct inject *x, const struct kernel_ops *kernel)
{
	x->kernel = *kernel;
}
