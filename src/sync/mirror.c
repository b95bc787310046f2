/* SPDX-License-Identifier: ISC */
#include "sync/mirror.h"

#include <errno.h>
#include <string.h>

#include "cache/pack.h"

enum {
	SWEEP_STEP = 4096, /* ids in one piece of a sweep, or twice that */
	ASK_STEP = 100, /* questions in one piece: a batch of the kernel side */
	/* In a second: some 3 us for a question, 0.1 for a look. */
	DOUBTS_LEAST = 50,
	DOUBTS_MOST = 1000,
	SHIFTS_MOST = 100,
	LOOKS_MOST = 1000,
	LOOK_SLACK_S = 3, /* after a timeout has passed */
};

/* What the kernel never takes back in the life of an entry. */
#define STICKY (STATUS_EXPECTED | STATUS_SEEN_REPLY | STATUS_ASSURED)

/* What the peers are not told. */
#define NOT_SENT                                                            \
	(FLOW_ID | FLOW_SECMARK | FLOW_SECCTX | FLOW_TIMESTAMP_START |      \
	 FLOW_TIMESTAMP_STOP | FLOW_TCP_FLAGS_ORIG | FLOW_TCP_FLAGS_REPLY | \
	 FLOW_ZONE_REPLY)

/* What a row has that events have not: kept where it is known. */
#define ROWS_ONLY                                                           \
	((NOT_SENT & ~(FLOW_ID | FLOW_ZONE_REPLY)) | FLOW_TCP_WSCALE_ORIG | \
	 FLOW_TCP_WSCALE_REPLY)

/* What the kernel does not report of an offloaded flow. */
#define NOT_OF_OFFLOADED                                                 \
	(FLOW_TCP_STATE | FLOW_TCP_WSCALE_ORIG | FLOW_TCP_WSCALE_REPLY | \
	 FLOW_TCP_FLAGS_ORIG | FLOW_TCP_FLAGS_REPLY)

void mirror_init(struct mirror *m, const struct mirror_opts *o)
{
	*m = (struct mirror){ .o = *o, .doubts_per_s = DOUBTS_LEAST };
}

/* The head of a living flow, or NULL. */
static struct entry_head *living(const struct mirror *m, uint32_t id)
{
	struct entry_head *h = flow_cache_head(m->o.cache, id);

	return h && (h->state == ENTRY_NEW || h->state == ENTRY_ALIVE) &&
			       flow_cache_kind(m->o.cache, id) == OBJECT_FLOW
		       ? h
		       : NULL;
}

static void mark(struct mirror *m, unsigned int set, uint32_t id)
{
	flow_cache_mark(m->o.cache, set, id);
}

static void unmark(struct mirror *m, unsigned int set, uint32_t id)
{
	flow_cache_unmark(m->o.cache, set, id);
}

/* Something newer than the dump that is running was heard of the entry. */
static void met(struct mirror *m, uint32_t id)
{
	if (m->phase == MIRROR_ROWS || m->phase == MIRROR_SWEEP)
		mark(m, SET_MET, id);
}

/* Nobody asks for it any more. */
static void leave_sets(struct mirror *m, uint32_t id)
{
	unmark(m, SET_ASKED, id);
	unmark(m, SET_DOUBTED, id);
	unmark(m, SET_SHIFTED, id);
	unmark(m, SET_INJECTED, id);
	unmark(m, SET_FLUSHED, id);
}

void mirror_flushed(struct mirror *m, const struct flow *row)
{
	uint32_t id = flow_cache_find(m->o.cache, row);

	if (id == FLOW_CACHE_NO_ID)
		return;
	leave_sets(m, id);
	met(m, id);
	if (m->o.is_polled)
		mark(m, SET_FLUSHED, id);
}

static void end_entry(struct mirror *m, uint32_t id)
{
	leave_sets(m, id);
	flow_cache_kill(m->o.cache, id);
	m->o.touch(m->o.ctx, id, TOUCH_SEND);
}

/* ---- sequence numbers shifted by NAT helpers ---------------------------- */

/* The kernel tells in no event by how much a NAT helper shifts the sequence
 * numbers of a connection (PROTOCOL.md 5.6). It is asked when the status says
 * that there is a shift; when a related flow begins, for its announcement has
 * shifted those of its master; and once a second where a helper may shift at
 * any time. */
static bool may_shift(const struct flow *f)
{
	return f->l4proto == L4_TCP &&
	       ((f->has & FLOW_HELPER && flow_nat(f)) ||
		(f->has & FLOW_STATUS && f->status & STATUS_SEQ_ADJUST));
}

static void ask_for_shifts(struct mirror *m, enum flow_event type, uint32_t id,
			   const struct flow *f)
{
	if (may_shift(f))
		mark(m, SET_SHIFTED, id);
	if (type == FLOW_EVENT_NEW && flow_is_related(f) &&
	    f->master.l4proto == L4_TCP) {
		struct flow master = flow_master(f);

		id = flow_cache_find(m->o.cache, &master);
	} else if (!(f->has & FLOW_STATUS) ||
		   !(f->status & STATUS_SEQ_ADJUST) ||
		   f->has & FLOW_SEQADJ_ORIG) {
		return;
	}
	if (id != FLOW_CACHE_NO_ID)
		mark(m, SET_ASKED, id);
}

/* ---- events ------------------------------------------------------------- */

static void count_traffic(struct mirror *m, const struct flow *f)
{
	if (f->has & FLOW_COUNTERS_ORIG) {
		m->stats.traffic_bytes += f->counters_orig.bytes;
		m->stats.traffic_packets += f->counters_orig.packets;
	}
	if (f->has & FLOW_COUNTERS_REPLY) {
		m->stats.traffic_bytes += f->counters_reply.bytes;
		m->stats.traffic_packets += f->counters_reply.packets;
	}
}

static void on_destroy(struct mirror *m, enum flow_origin origin,
		       const struct flow *f)
{
	uint32_t id = flow_cache_find(m->o.cache, f);
	struct flow cached;

	if (id == FLOW_CACHE_NO_ID)
		return;
	met(m, id);
	flow_cache_get(m->o.cache, id, &cached);
	if (!flow_same_id(&cached, f)) {
		/* The end of an earlier life, told late (with reliable events);
		 * or of a later one, whose begin was not heard. */
		mark(m, SET_ASKED, id);
		return;
	}
	switch (origin) {
	case ORIGIN_OTHER:
		count_traffic(m, f);
		end_entry(m, id);
		break;
	case ORIGIN_FLUSH: /* the kernel is emptied, the caches are not */
		leave_sets(m, id);
		break;
	case ORIGIN_COMMIT: /* the new one follows; if not, this will tell */
		mark(m, SET_ASKED, id);
		break;
	case ORIGIN_INJECT: /* on_injected() */
	case ORIGIN_N:
		break;
	}
}

/* What a peer has told, put into the kernel by us: nobody is told, and what is
 * not cached, for it is not ours, stays so. What is ours goes along. For a
 * moment our kernel's own word is the newer one, whatever has come since. */
static void on_injected(struct mirror *m, enum flow_event type,
			const struct flow *f)
{
	uint32_t id = flow_cache_find(m->o.cache, f), changed_s;
	bool is_own;
	struct flow cached;

	if (id == FLOW_CACHE_NO_ID)
		return;
	flow_cache_get(m->o.cache, id, &cached);
	if (!flow_same_id(&cached, f))
		return;
	met(m, id);
	if (type == FLOW_EVENT_DESTROY) {
		flow_cache_remove(m->o.cache, id);
		return;
	}
	changed_s = flow_cache_head(m->o.cache, id)->changed_s;
	is_own = !flow_cache_is_marked(m->o.cache, SET_INJECTED, id) &&
		 m->now_s - changed_s <= MIRROR_OWN_S;
	if (flow_cache_put(m->o.cache, f, PUT_MERGE, m->now_s, &id) !=
	    PUT_CHANGED)
		return;
	if (is_own)
		flow_cache_head(m->o.cache, id)->changed_s = changed_s;
	else
		mark(m, SET_INJECTED, id);
}

/* An update tells what has changed, not master, labels and synproxy: an entry
 * that begins with one (the State filter, -f internal, a cache that was full, a
 * begin that was lost) is asked for. */
static void on_present(struct mirror *m, enum flow_event type,
		       enum flow_origin origin, const struct flow *f)
{
	bool is_new = type == FLOW_EVENT_NEW;
	enum touch how = origin == ORIGIN_OTHER ? TOUCH_SEND : TOUCH_QUIET;
	uint32_t id;

	switch (flow_cache_put(m->o.cache, f, is_new ? PUT_REPLACE : PUT_TOLD,
			       m->now_s, &id)) {
	case PUT_NEW:
		if (is_new)
			unmark(m, SET_ASKED, id);
		else
			mark(m, SET_ASKED, id);
		/* fall through */
	case PUT_CHANGED:
		m->o.touch(m->o.ctx, id, how);
		break;
	case PUT_SAME: /* a row was first, which was not told */
		if (flow_cache_is_marked(m->o.cache, SET_DOUBTED, id))
			m->o.touch(m->o.ctx, id, how);
		break;
	case PUT_OTHER: /* which of the two is there now? */
		met(m, id);
		mark(m, SET_ASKED, id);
		return;
	case PUT_NO_SPACE: /* both are counted by the cache */
	case PUT_NO_MEMORY:
		return;
	}
	met(m, id);
	unmark(m, SET_DOUBTED, id); /* what tells this will tell its end */
	unmark(m, SET_INJECTED, id);
	if (origin == ORIGIN_OTHER)
		ask_for_shifts(m, type, id, f);
}

void mirror_event(struct mirror *m, enum flow_event type,
		  enum flow_origin origin, const struct flow *f, uint32_t now_s)
{
	bool is_end = type == FLOW_EVENT_DESTROY;

	m->now_s = now_s;
	if (origin == ORIGIN_INJECT) {
		on_injected(m, type, f);
		return;
	}
	if (is_end ? !filter_accepts_end(m->o.filter, f)
		   : !filter_accepts(m->o.filter, f)) {
		m->stats.n_filtered++;
		return;
	}
	if (is_end)
		on_destroy(m, origin, f);
	else
		on_present(m, type, origin, f);
}

/* ---- rows and answers: an entry as a whole ------------------------------ */

/* Whether f, which is newer, is the same life of the entry as far as can be
 * seen: a life that begins at once may have the id of the one before. */
static bool is_same_life(const struct flow *cached, const struct flow *f)
{
	const uint64_t both = cached->has & f->has;

	return flow_same_id(cached, f) && flow_same_reply(cached, f) &&
	       !(both & FLOW_STATUS && cached->status & ~f->status & STICKY) &&
	       !(both & FLOW_TIMESTAMP_START &&
		 cached->start_ns != f->start_ns);
}

/* Makes a row of the kernel's table comparable with what is cached of the same
 * life. What it has not is gone, with these exceptions. */
static void liken(struct flow *row, const struct flow *cached)
{
	row->has &= ~(ROWS_ONLY & ~cached->has);
	/* the time that is left says nothing new: it begins again */
	if (cached->has & FLOW_TIMEOUT) {
		row->timeout_s = cached->timeout_s;
		row->has |= FLOW_TIMEOUT;
	}
	if (flow_is_offloaded(row)) {
		struct flow kept = *cached;

		kept.has &= ~row->has & NOT_OF_OFFLOADED;
		flow_merge(row, &kept);
	}
	/* a mark of 0 is reported or not */
	if (!(row->has & FLOW_MARK) && cached->has & FLOW_MARK) {
		row->mark = 0;
		row->has |= FLOW_MARK;
	}
	if (row->has & FLOW_MARK && !row->mark && !(cached->has & FLOW_MARK))
		row->has &= ~FLOW_MARK;
}

/* True if what the peers are told is the same. */
static bool is_told_same(const struct flow *a, const struct flow *b)
{
	uint8_t packed[2][PACK_MAX];
	struct flow sent[2] = { *a, *b };
	size_t len[2];

	for (int i = 0; i < 2; i++) {
		sent[i].has &= ~NOT_SENT;
		len[i] = pack_encode(&sent[i], packed[i]);
	}
	return len[0] == len[1] && memcmp(packed[0], packed[1], len[0]) == 0;
}

static bool has_run_out(const struct mirror *m, uint32_t id)
{
	const struct entry_head *h = living(m, id);
	struct flow f;

	if (!h)
		return false;
	flow_cache_get(m->o.cache, id, &f);
	return f.has & FLOW_TIMEOUT &&
	       (int64_t)m->now_s - h->changed_s >
		       (int64_t)f.timeout_s + LOOK_SLACK_S;
}

/* It has outlived its time, which begins again with what was heard now. An
 * entry within its time keeps changed_s: a commit compares it with the peer's
 * last word, and being seen is no change. */
static void count_anew(struct mirror *m, uint32_t id)
{
	if (has_run_out(m, id))
		flow_cache_head(m->o.cache, id)->changed_s = m->now_s;
}

/* The entry becomes what the kernel has: a row or an answer that is newer than
 * what is cached. What differs is told at once: its event, if there is one,
 * will find no difference. */
static void store_whole(struct mirror *m, uint32_t id,
			const struct flow *cached, const struct flow *f)
{
	bool is_same = is_same_life(cached, f);
	struct flow whole = *f;
	enum put_result result;

	if (is_same)
		liken(&whole, cached);
	result = flow_cache_put(m->o.cache, &whole,
				is_same ? PUT_CONTENT : PUT_REPLACE, m->now_s,
				&id);
	if (result == PUT_NEW || result == PUT_CHANGED)
		m->o.touch(m->o.ctx, id,
			   result == PUT_CHANGED && is_told_same(&whole, cached)
				   ? TOUCH_QUIET
				   : TOUCH_SEND);
	if (may_shift(&whole))
		mark(m, SET_SHIFTED, id);
	unmark(m, SET_FLUSHED, id);
	count_anew(m, id);
}

static void add_row(struct mirror *m, const struct flow *f, bool is_sure)
{
	uint32_t id;

	if (flow_cache_put(m->o.cache, f, PUT_REPLACE, m->now_s, &id) !=
	    PUT_NEW)
		return; /* counted by the cache */
	m->o.touch(m->o.ctx, id, m->new_how);
	met(m, id);
	/* A flow that began while nobody listened may never report its end
	 * (nf_conntrack_events=2). */
	if (!m->o.is_polled)
		mark(m, SET_DOUBTED, id);
	if (!is_sure)
		mark(m, SET_ASKED, id);
	if (may_shift(f))
		mark(m, SET_SHIFTED, id);
}

/* What was heard of the entry since the dump began may be newer than the row,
 * and may leave out what the row has: a change whose event was lost before. */
static void compare_row(struct mirror *m, uint32_t id,
			const struct flow *cached, const struct flow *f)
{
	struct flow row = *f;

	if (is_same_life(cached, f)) {
		liken(&row, cached);
		if (is_told_same(&row, cached))
			return;
	}
	mark(m, SET_ASKED, id);
}

void mirror_row(struct mirror *m, const struct flow *f, bool is_sure,
		uint32_t now_s)
{
	uint32_t id = flow_cache_find(m->o.cache, f);
	bool is_accepted = filter_accepts(m->o.filter, f);
	struct flow cached;

	m->now_s = now_s;
	if (id == FLOW_CACHE_NO_ID) {
		if (is_accepted)
			add_row(m, f, is_sure);
		return;
	}
	flow_cache_get(m->o.cache, id, &cached);
	if (!is_accepted && !flow_same_id(&cached, f))
		mark(m, SET_ASKED, id);
	else if (is_accepted && flow_cache_is_marked(m->o.cache, SET_MET, id))
		compare_row(m, id, &cached, f);
	else if (is_accepted)
		store_whole(m, id, &cached, f);
	met(m, id);
	/* An earlier dump (-R) may have found it without a word, though its
	 * begin was lost just now. */
	if (is_accepted && m->new_how == TOUCH_SEND &&
	    flow_cache_is_marked(m->o.cache, SET_DOUBTED, id))
		m->o.touch(m->o.ctx, id, TOUCH_UNTOLD);
}

static void on_gone(struct mirror *m, uint32_t id)
{
	m->n_doubted_gone += flow_cache_is_marked(m->o.cache, SET_DOUBTED, id);
	end_entry(m, id);
}

/* The question was not taken: asked again, but not at once. */
static void not_taken(struct mirror *m, uint32_t id)
{
	mark(m, SET_ASKED, id);
	m->is_paused = true;
	m->has_failed = true;
}

static bool is_passing(int error)
{
	return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM;
}

void mirror_answer(void *ctx, enum kernel_op op, uint32_t id, int error,
		   const struct flow *found)
{
	struct mirror *m = ctx;
	struct flow cached;
	bool is_there;

	(void)op;
	if (!living(m, id))
		return;
	if (is_passing(error)) {
		not_taken(m, id);
		return;
	}
	if (error == -ENOENT) {
		on_gone(m, id);
		return;
	}
	met(m, id);
	count_anew(m, id);
	if (error < 0 || !found)
		return;
	flow_cache_get(m->o.cache, id, &cached);
	/* A question by a tuple finds what has it in either direction, and what
	 * has it in another kind of zone: this one is not there. Nor is it if
	 * another life is, in a state that is filtered. */
	is_there = flow_same_key(&cached, found);
	if (is_there && filter_accepts(m->o.filter, found))
		store_whole(m, id, &cached, found);
	else if (!is_there || !flow_same_id(&cached, found))
		on_gone(m, id);
}

/* ---- questions ---------------------------------------------------------- */

static void ask(struct mirror *m, uint32_t id)
{
	const struct kernel_ops *k = m->o.kernel;
	struct object o = { .kind = OBJECT_FLOW };
	struct flow f;
	int err;

	unmark(m, SET_ASKED, id);
	flow_cache_get(m->o.cache, id, &f);
	o.flow = &f;
	err = k->submit(k->self, KERNEL_GET, &o, id);
	if (is_passing(err))
		not_taken(m, id);
}

/* All answers are in when this returns. */
static void finish(struct mirror *m)
{
	m->o.kernel->finish(m->o.kernel->self);
}

/* Of a dump all is answered when a round has met no failure. */
static void end_round(struct mirror *m)
{
	m->ask_position = FLOW_CACHE_NO_ID;
	if (m->phase == MIRROR_ASK && !m->has_failed)
		m->phase = MIRROR_SETTLED;
	m->has_failed = false;
}

static void ask_some(struct mirror *m)
{
	uint32_t id = m->ask_position;
	int n = 0;

	while (n < ASK_STEP && !m->is_paused) {
		id = flow_cache_next_marked(m->o.cache, SET_ASKED, id);
		if (id == FLOW_CACHE_NO_ID)
			break;
		m->ask_position = id;
		if (living(m, id)) {
			ask(m, id);
			n++;
		} else {
			unmark(m, SET_ASKED, id);
		}
	}
	finish(m);
	if (id == FLOW_CACHE_NO_ID)
		end_round(m);
}

/* Asks for up to max of a set, from where the last call ended, each once. Those
 * that do not belong there any more leave it. */
static void ask_set(struct mirror *m, unsigned int set, uint32_t *position,
		    int max, bool (*belongs)(const struct mirror *, uint32_t))
{
	const uint32_t start = *position;
	bool is_past_end = false;
	int n = 0;

	for (int visits = 0; visits < 4 * max && n < max && !m->is_paused;
	     visits++) {
		uint32_t id =
			flow_cache_next_marked(m->o.cache, set, *position);

		if (id == FLOW_CACHE_NO_ID && is_past_end)
			break;
		if (is_past_end && id > start)
			break;
		*position = id;
		if (id == FLOW_CACHE_NO_ID) {
			is_past_end = true;
		} else if (belongs(m, id)) {
			ask(m, id);
			n++;
		} else {
			unmark(m, set, id);
		}
	}
	finish(m);
}

static bool is_living(const struct mirror *m, uint32_t id)
{
	return living(m, id) != NULL;
}

static bool is_shifting(const struct mirror *m, uint32_t id)
{
	struct flow f;

	if (!living(m, id))
		return false;
	flow_cache_get(m->o.cache, id, &f);
	return may_shift(&f);
}

/* Of a million that may end untold few do, and none of those that began after
 * nf_conntrack_events was set. So few are asked for; where one has gone, twice
 * as many in the next second. */
static void ask_for_doubted(struct mirror *m)
{
	m->n_doubted_gone = 0;
	ask_set(m, SET_DOUBTED, &m->doubt_position, (int)m->doubts_per_s,
		is_living);
	if (m->n_doubted_gone > 0)
		m->doubts_per_s *= 2;
	else
		m->doubts_per_s /= 2;
	if (m->doubts_per_s > DOUBTS_MOST)
		m->doubts_per_s = DOUBTS_MOST;
	if (m->doubts_per_s < DOUBTS_LEAST)
		m->doubts_per_s = DOUBTS_LEAST;
}

/* What should never be needed: the kernel tells every end of a flow that it
 * told something of, and a dump finds what was lost. */
static void look_for_run_out(struct mirror *m)
{
	int n = 0;

	for (int i = 0; i < LOOKS_MOST && n < ASK_STEP && !m->is_paused; i++) {
		uint32_t id = ++m->look_position;

		if (!flow_cache_head(m->o.cache, id)) {
			m->look_position = FLOW_CACHE_NO_ID;
			break;
		}
		if (has_run_out(m, id)) {
			ask(m, id);
			n++;
		}
	}
	finish(m);
}

void mirror_second(struct mirror *m, uint32_t now_s)
{
	m->now_s = now_s;
	m->is_paused = false;
	if (!m->o.is_polled) {
		ask_set(m, SET_SHIFTED, &m->shift_position, SHIFTS_MOST,
			is_shifting);
		ask_for_doubted(m);
	}
	look_for_run_out(m);
}

/* ---- dumps -------------------------------------------------------------- */

void mirror_dump_begins(struct mirror *m, enum touch how)
{
	mirror_poll_begins(m);
	m->new_how = how;
	flow_cache_unmark_all(m->o.cache, SET_FLUSHED);
}

void mirror_poll_begins(struct mirror *m)
{
	m->phase = MIRROR_ROWS;
	m->new_how = TOUCH_SEND;
}

void mirror_dump_ends(struct mirror *m, bool is_complete)
{
	m->phase = is_complete ? MIRROR_SWEEP : MIRROR_SETTLED;
	m->sweep_position = FLOW_CACHE_NO_ID;
	if (!is_complete)
		flow_cache_unmark_all(m->o.cache, SET_MET);
}

bool mirror_is_settled(const struct mirror *m)
{
	return m->phase == MIRROR_SETTLED;
}

/* What the dump should have met and did not is gone, once the kernel has
 * confirmed it. */
static void sweep(struct mirror *m)
{
	for (uint32_t n = 0; n < SWEEP_STEP;) {
		uint32_t id = flow_cache_next(m->o.cache, m->sweep_position);

		n += id - m->sweep_position; /* free ids too */
		m->sweep_position = id;
		if (id == FLOW_CACHE_NO_ID) {
			flow_cache_unmark_all(m->o.cache, SET_MET);
			m->phase = MIRROR_ASK;
			m->ask_position = FLOW_CACHE_NO_ID;
			m->has_failed = false;
			return;
		}
		if (living(m, id) &&
		    !flow_cache_is_marked(m->o.cache, SET_MET, id) &&
		    !flow_cache_is_marked(m->o.cache, SET_FLUSHED, id))
			mark(m, SET_ASKED, id);
	}
}

bool mirror_has_work(const struct mirror *m)
{
	return m->phase == MIRROR_SWEEP ||
	       (!m->is_paused &&
		(m->phase == MIRROR_ASK ||
		 flow_cache_n_marked(m->o.cache, SET_ASKED) > 0));
}

void mirror_work(struct mirror *m, uint32_t now_s)
{
	m->now_s = now_s;
	if (m->phase == MIRROR_SWEEP)
		sweep(m);
	if (!m->is_paused)
		ask_some(m);
}
