/* SPDX-License-Identifier: ISC */
#include "sync/expect_mirror.h"

#include <errno.h>

enum {
	SWEEP_STEP = 4096, /* ids in one piece of a sweep, or twice that */
	FIRST_SIZE = 64,   /* buckets of those that wait */
	SLACK_S = 2,       /* a timeout that differs by more was set anew */
	LATE_S = 5,        /* events of what has run out come before that */
};

int expect_mirror_init(struct expect_mirror *m,
		       const struct expect_mirror_opts *o)
{
	const struct flow_cache_opts waiting = {
		.first_size = FIRST_SIZE, .limit = EXPECT_MIRROR_WAITING_MAX
	};

	*m = (struct expect_mirror){ .o = *o };
	m->waiting = flow_cache_new(&waiting);
	return m->waiting ? 0 : -ENOMEM;
}

void expect_mirror_fini(struct expect_mirror *m)
{
	flow_cache_free(m->waiting);
	m->waiting = NULL;
}

/* Something newer than the dump that is running was heard of it. */
static void met(struct expect_mirror *m, uint32_t id)
{
	if (m->phase != EXPECT_MIRROR_SETTLED)
		flow_cache_mark(m->o.cache, SET_MET, id);
}

/* ---- zones -------------------------------------------------------------- */

static void note_zone(struct expect_mirror *m, uint16_t zone)
{
	m->zones[zone / 64] |= UINT64_C(1) << zone % 64;
}

/* The next zone after this one, 0 being the first; false: there is none. */
static bool next_zone(const struct expect_mirror *m, uint16_t *zone)
{
	uint32_t next = *zone + 1U;
	uint64_t left;

	for (; next < EXPECT_MIRROR_ZONES; next = (next | 63) + 1) {
		left = m->zones[next / 64] & ~((UINT64_C(1) << next % 64) - 1);
		if (!left)
			continue;
		*zone = (uint16_t)((next & ~63U) +
				   (uint32_t)__builtin_ctzll(left));
		return true;
	}
	return false;
}

/* The flow that has announced it, in the zone of e. */
static uint32_t master_in_zone(const struct expect_mirror *m,
			       const struct expect *e)
{
	struct flow master = expect_master(e);
	uint32_t id = flow_cache_find(m->o.cache, &master);

	if (id != FLOW_CACHE_NO_ID || !e->zone)
		return id;
	master.zone = 0; /* of the original direction only? */
	master.zone_orig = e->zone;
	master.has |= FLOW_ZONE_ORIG;
	return flow_cache_find(m->o.cache, &master);
}

static bool has_helper(const struct expect_mirror *m, uint32_t id)
{
	struct flow f;

	flow_cache_get(m->o.cache, id, &f);
	return f.has & FLOW_HELPER;
}

/* Looks for its master, whose zone it gets. Of several with the same addresses
 * it is the one that has a helper. */
static bool find_master(const struct expect_mirror *m, struct expect *e)
{
	struct expect in_zone = *e;
	bool is_found = false;

	if (m->o.is_bypassed) {
		const struct flow master = expect_master(e);

		return filter_accepts(m->o.masters, &master);
	}
	do {
		uint32_t id = master_in_zone(m, &in_zone);

		if (id == FLOW_CACHE_NO_ID)
			continue;
		if (!is_found || has_helper(m, id))
			e->zone = in_zone.zone;
		if (has_helper(m, id))
			return true;
		is_found = true;
	} while (next_zone(m, &in_zone.zone));
	return is_found;
}

static bool is_same_life(const struct expect *a, const struct expect *b)
{
	return !(a->has & b->has & EXPECT_ID) || a->id == b->id;
}

/* Looks for what is cached of it, in any zone: of several it is the one with
 * its id. */
static uint32_t find(const struct expect_mirror *m, const struct expect *e)
{
	uint32_t found = FLOW_CACHE_NO_ID;
	struct expect in_zone = *e, cached;

	do {
		uint32_t id = expect_cache_find(m->o.cache, &in_zone);

		if (id == FLOW_CACHE_NO_ID)
			continue;
		expect_cache_get(m->o.cache, id, &cached);
		if (is_same_life(&cached, e))
			return id;
		if (found == FLOW_CACHE_NO_ID)
			found = id;
	} while (next_zone(m, &in_zone.zone));
	return found;
}

/* Linux 6.1 may tell late of one that has run out, though it is not shown any
 * more. */
static void note_due(struct expect_mirror *m, const struct expect *e)
{
	uint32_t due_s = m->now_s + e->timeout_s + LATE_S;

	if (e->has & EXPECT_TIMEOUT && (!m->due_s || due_s < m->due_s))
		m->due_s = due_s;
}

/* The begin of a life, whose master is there. False: there is no room or
 * memory, which the cache has counted. */
static bool add(struct expect_mirror *m, const struct expect *e, enum touch how)
{
	uint32_t id;

	if (expect_cache_put(m->o.cache, e, STORE_REPLACE, m->now_s, &id) !=
	    PUT_NEW) {
		m->has_missed |= how == TOUCH_QUIET;
		return false;
	}
	met(m, id);
	note_due(m, e);
	m->o.touch(m->o.ctx, id, how);
	return true;
}

/* ---- those that wait for their masters ---------------------------------- */

static void let_wait(struct expect_mirror *m, const struct expect *e,
		     enum touch how)
{
	uint32_t id;

	if (expect_cache_put(m->waiting, e, STORE_REPLACE, m->now_s, &id) ==
	    PUT_NEW)
		flow_cache_head(m->waiting, id)->owner = (uint8_t)how;
	else
		m->stats.n_no_master++;
}

static bool is_any_waiting(const struct expect_mirror *m)
{
	return flow_cache_n_entries(m->waiting) > 0;
}

/* Takes one up whose master has come. False: it has not. */
static bool take_up(struct expect_mirror *m, uint32_t id)
{
	enum touch how = (enum touch)flow_cache_head(m->waiting, id)->owner;
	struct expect e;

	expect_cache_get(m->waiting, id, &e);
	if (!find_master(m, &e))
		return false;
	flow_cache_remove(m->waiting, id);
	(void)add(m, &e, how);
	return true;
}

/* Takes up all whose masters have come. Of the others those that have waited
 * for too long are refused, if is_second. */
static void look_for_masters(struct expect_mirror *m, bool is_second)
{
	uint32_t id = FLOW_CACHE_NO_ID;

	m->may_be_there = false;
	while ((id = flow_cache_next(m->waiting, id)) != FLOW_CACHE_NO_ID) {
		const struct entry_head *h = flow_cache_head(m->waiting, id);

		if (h->state == ENTRY_FREE || take_up(m, id) || !is_second ||
		    m->now_s - h->created_s <= EXPECT_MIRROR_WAIT_S)
			continue;
		flow_cache_remove(m->waiting, id);
		m->stats.n_no_master++;
	}
}

/* ---- events ------------------------------------------------------------- */

/* What a peer has told, put into the kernel by us: nobody is told, and what is
 * not cached, for it is not ours, stays so. What is ours goes along. */
static void on_injected(struct expect_mirror *m, enum flow_event type,
			const struct expect *e)
{
	uint32_t id = find(m, e);
	struct expect cached, whole = *e;

	if (id == FLOW_CACHE_NO_ID)
		return;
	met(m, id);
	if (type == FLOW_EVENT_DESTROY) {
		flow_cache_remove(m->o.cache, id);
		return;
	}
	expect_cache_get(m->o.cache, id, &cached);
	whole.zone = cached.zone;
	(void)expect_cache_put(m->o.cache, &whole, STORE_CHANGE, m->now_s, &id);
}

static void end_entry(struct expect_mirror *m, uint32_t id)
{
	flow_cache_kill(m->o.cache, id);
	m->o.touch(m->o.ctx, id, TOUCH_SEND);
}

/* It lives on, and no event will end it: a dump does when its time is up. */
static void note_flushed(struct expect_mirror *m, uint32_t id,
			 const struct expect *cached)
{
	uint32_t until_s =
		flow_cache_head(m->o.cache, id)->changed_s +
		(cached->has & EXPECT_TIMEOUT ? cached->timeout_s : 0);

	if (until_s > m->flushed_until_s)
		m->flushed_until_s = until_s;
}

static void on_destroy(struct expect_mirror *m, enum flow_origin origin,
		       const struct expect *e)
{
	uint32_t id = expect_cache_find(m->waiting, e);
	struct expect cached;

	if (id != FLOW_CACHE_NO_ID)
		flow_cache_remove(m->waiting, id);
	id = find(m, e);
	if (id == FLOW_CACHE_NO_ID)
		return;
	met(m, id);
	expect_cache_get(m->o.cache, id, &cached);
	switch (origin) {
	case ORIGIN_OTHER:
		if (is_same_life(&cached, e))
			end_entry(m, id);
		else /* of an earlier life, or of one not heard of */
			m->is_in_doubt = true;
		break;
	case ORIGIN_COMMIT: /* the new one follows; if not, the dump tells */
		m->is_in_doubt = true;
		break;
	case ORIGIN_FLUSH: /* the kernel is emptied, the caches are not */
		note_flushed(m, id, &cached);
		break;
	case ORIGIN_INJECT: /* on_injected() */
	case ORIGIN_N:
		break;
	}
}

/* It is told though nothing of it waits: the peers may know it. */
static bool tell_end(struct expect_mirror *m, const struct expect *e)
{
	uint32_t id = expect_cache_find(m->o.cache, e);

	if (id == FLOW_CACHE_NO_ID &&
	    expect_cache_put(m->o.cache, e, STORE_REPLACE, m->now_s, &id) !=
		    PUT_NEW)
		return false;
	end_entry(m, id);
	return true;
}

/* What we have caused ourselves is not told. */
static void pass_on(struct expect_mirror *m, enum flow_event type,
		    enum flow_origin origin, const struct expect *e)
{
	struct expect known = *e;

	if (origin != ORIGIN_OTHER)
		return;
	if (!find_master(m, &known))
		m->stats.n_no_master++;
	else if (type == FLOW_EVENT_DESTROY)
		m->stats.n_destroyed += tell_end(m, e);
	else
		m->stats.n_new += add(m, e, TOUCH_SEND);
}

static void on_new(struct expect_mirror *m, enum flow_origin origin,
		   const struct expect *e)
{
	enum touch how = origin == ORIGIN_OTHER ? TOUCH_SEND : TOUCH_QUIET;
	struct expect known = *e;

	if (find_master(m, &known))
		(void)add(m, &known, how);
	else
		let_wait(m, e, how);
}

void expect_mirror_event(struct expect_mirror *m, enum flow_event type,
			 enum flow_origin origin, const struct expect *e,
			 uint32_t now_s)
{
	m->now_s = now_s;
	if (!expect_filter_accepts(&m->o.filter, e))
		m->stats.n_filtered++;
	else if (m->o.is_bypassed)
		pass_on(m, type, origin, e);
	else if (origin == ORIGIN_INJECT)
		on_injected(m, type, e);
	else if (type == FLOW_EVENT_DESTROY)
		on_destroy(m, origin, e);
	else
		on_new(m, origin, e);
}

void expect_mirror_flow_came(struct expect_mirror *m, const struct flow *f)
{
	m->may_be_there = true;
	note_zone(m, f->has & FLOW_ZONE_ORIG ? f->zone_orig : f->zone);
}

/* ---- dumps -------------------------------------------------------------- */

void expect_mirror_dump_begins(struct expect_mirror *m, enum touch how)
{
	m->phase = EXPECT_MIRROR_ROWS;
	m->new_how = how;
	m->is_in_doubt = false;
	m->due_s = m->flushed_until_s = 0;
	m->has_missed = false;
}

/* The time that is left says nothing new, unless it was set anew. */
static void liken(const struct expect_mirror *m, struct expect *row,
		  const struct expect *cached, uint32_t changed_s)
{
	int64_t left = (int64_t)cached->timeout_s - (m->now_s - changed_s);

	if (!(row->has & cached->has & EXPECT_TIMEOUT))
		return;
	if (row->timeout_s <= left + SLACK_S &&
	    row->timeout_s + SLACK_S >= left)
		row->timeout_s = cached->timeout_s;
}

static void compare_row(struct expect_mirror *m, uint32_t id,
			const struct expect *e)
{
	struct expect row = *e, cached;
	enum put_result result;
	bool is_same;

	expect_cache_get(m->o.cache, id, &cached);
	row.zone = cached.zone;
	note_due(m, e);
	is_same = is_same_life(&cached, e);
	liken(m, &row, &cached, flow_cache_head(m->o.cache, id)->changed_s);
	result = expect_cache_put(m->o.cache, &row,
				  is_same ? STORE_CHANGE : STORE_REPLACE,
				  m->now_s, &id);
	if (result == PUT_NEW || result == PUT_CHANGED)
		m->o.touch(m->o.ctx, id, TOUCH_SEND);
	else if (m->new_how == TOUCH_SEND)
		/* one of -R may have found it without a word */
		m->o.touch(m->o.ctx, id, TOUCH_UNTOLD);
	flow_cache_mark(m->o.cache, SET_MET, id);
}

/* What is not sure has ended, or another one has begun in its place, of which
 * an event has told. */
void expect_mirror_row(struct expect_mirror *m, const struct expect *e,
		       bool is_sure, uint32_t now_s)
{
	uint32_t id = find(m, e);
	struct expect known = *e;

	m->now_s = now_s;
	if (!is_sure || !expect_filter_accepts(&m->o.filter, e))
		return;
	if (id == FLOW_CACHE_NO_ID && find_master(m, &known))
		(void)add(m, &known, m->new_how);
	else if (m->o.is_bypassed)
		return; /* what waits is as new */
	else if (id != FLOW_CACHE_NO_ID &&
		 !flow_cache_is_marked(m->o.cache, SET_MET, id))
		compare_row(m, id, e);
}

void expect_mirror_dump_ends(struct expect_mirror *m, bool is_complete)
{
	m->phase = is_complete && !m->o.is_bypassed ? EXPECT_MIRROR_SWEEP
						    : EXPECT_MIRROR_SETTLED;
	m->sweep_position = FLOW_CACHE_NO_ID;
	m->has_missed |= !is_complete;
	if (m->phase == EXPECT_MIRROR_SETTLED)
		flow_cache_unmark_all(m->o.cache, SET_MET);
}

bool expect_mirror_is_settled(const struct expect_mirror *m)
{
	return m->phase == EXPECT_MIRROR_SETTLED;
}

static bool is_to_end(const struct expect_mirror *m, uint32_t id)
{
	const struct entry_head *h = flow_cache_head(m->o.cache, id);

	return (h->state == ENTRY_NEW || h->state == ENTRY_ALIVE) &&
	       flow_cache_kind(m->o.cache, id) == OBJECT_EXPECT &&
	       !flow_cache_is_marked(m->o.cache, SET_MET, id);
}

static void sweep(struct expect_mirror *m)
{
	for (uint32_t n = 0; n < SWEEP_STEP;) {
		uint32_t id = flow_cache_next(m->o.cache, m->sweep_position);

		n += id - m->sweep_position; /* free ids too */
		m->sweep_position = id;
		if (id == FLOW_CACHE_NO_ID) {
			flow_cache_unmark_all(m->o.cache, SET_MET);
			m->phase = EXPECT_MIRROR_SETTLED;
			return;
		}
		if (is_to_end(m, id))
			end_entry(m, id);
	}
}

bool expect_mirror_wants_dump(struct expect_mirror *m)
{
	bool wants = m->is_in_doubt && expect_mirror_is_settled(m);

	if (wants)
		m->is_in_doubt = false;
	return wants;
}

/* ---- what comes again and again ------------------------------------------ */

bool expect_mirror_has_work(const struct expect_mirror *m)
{
	return m->phase == EXPECT_MIRROR_SWEEP ||
	       (m->may_be_there && is_any_waiting(m));
}

void expect_mirror_work(struct expect_mirror *m, uint32_t now_s)
{
	m->now_s = now_s;
	if (m->phase == EXPECT_MIRROR_SWEEP)
		sweep(m);
	if (m->may_be_there)
		look_for_masters(m, false);
}

void expect_mirror_second(struct expect_mirror *m, uint32_t now_s)
{
	uint32_t due_s = m->flushed_until_s ? m->flushed_until_s : m->due_s;

	m->now_s = now_s;
	if (is_any_waiting(m))
		look_for_masters(m, true);
	m->is_in_doubt |= due_s && now_s > due_s && !m->o.is_bypassed;
}
