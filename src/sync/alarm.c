/* SPDX-License-Identifier: ISC */
#include "sync/alarm.h"

#include <assert.h>
#include <stdlib.h>

#include "sync/alarm_state.h"
#include "sync/message.h"

enum {
	ALIVE_MS = 1000,     /* interval of announcements */
	MORE_LEAST_MS = 200, /* what is added to the seconds that are drawn */
	MORE_MOST_MS = 1000,
};

static const uint64_t spread = 0x9e3779b97f4a7c15; /* odd */

static struct alarm *alarm_of(struct engine *e)
{
	return CONTAINER_OF(e, struct alarm, base);
}

/* ---- where entries are -------------------------------------------------- */

/* 0 to below - 1. */
static uint32_t draw(struct alarm *a, uint32_t below)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return (uint32_t)((a->random >> 32) * below >> 32);
}

/* Each time anew, so that what came at once is not repeated at once for ever.
 * The fractions of a reference are five; no peer can tell. */
static void tell_again_later(struct alarm *a, uint32_t id, int64_t now_ms)
{
	int64_t wait_ms = (INT64_C(1) + draw(a, a->o.refresh_s)) * 1000;

	wait_ms += MORE_LEAST_MS + draw(a, MORE_MOST_MS - MORE_LEAST_MS + 1);
	wheel_add(&a->wheel, id, now_ms + wait_ms);
}

static void take_out(struct alarm *a, uint32_t id)
{
	struct entry_head *h = flow_cache_head(a->o.cache, id);

	if (h->alarm & ALARM_QUEUED)
		queue_remove(&a->dirty, a->o.cache, id);
	else
		wheel_remove(&a->wheel, id);
	h->alarm &= (uint8_t)~ALARM_QUEUED;
}

static void send_soon(struct alarm *a, uint32_t id)
{
	struct entry_head *h = flow_cache_head(a->o.cache, id);

	if (h->alarm & ALARM_QUEUED)
		return;
	wheel_remove(&a->wheel, id);
	queue_push(&a->dirty, a->o.cache, id);
	h->alarm |= ALARM_QUEUED;
}

/* What was told was another life: whoever knows it is told of this one. */
static void begin_anew(struct alarm *a, uint32_t id)
{
	struct entry_head *h = flow_cache_head(a->o.cache, id);

	if (h->alarm & ALARM_TOLD)
		send_soon(a, id);
	h->alarm &= (uint8_t)~ALARM_TOLD;
}

static void on_stored(void *ctx, uint32_t id, enum store_event event)
{
	struct alarm *a = ctx;

	switch (event) {
	case STORE_NEW:
		tell_again_later(a, id, a->called_ms);
		break;
	case STORE_REVIVED:
	case STORE_REPLACED:
		begin_anew(a, id);
		break;
	case STORE_KILLED:
		send_soon(a, id);
		break;
	case STORE_REMOVING:
		take_out(a, id);
		break;
	case STORE_CHANGED:
	case STORE_SAME:
		break;
	}
}

static void alarm_touch(struct engine *e, struct ref entry, enum touch how)
{
	struct alarm *a = alarm_of(e);
	const struct entry_head *h = flow_cache_head(a->o.cache, entry.id);

	if (!h || h->state == ENTRY_FREE || how == TOUCH_QUIET ||
	    (how == TOUCH_UNTOLD && (h->alarm & ALARM_TOLD)))
		return;
	send_soon(a, entry.id);
}

/* ---- sending ------------------------------------------------------------ */

/* One call of fill(): the datagram, and what does not change in it. */
struct turn {
	struct wr *w;
	size_t room; /* bytes of a datagram with several messages */
	int64_t now_ms;
};

/* Ends the message begun at offset. False: it did not fit, and is taken
 * back. */
static bool end(struct alarm *a, const struct turn *t, size_t offset)
{
	if (!wire_end(t->w, offset))
		return false;
	if (offset && t->w->used > t->room) {
		t->w->used = offset;
		return false;
	}
	a->next_seq++;
	return true;
}

/* A reference ignores it; nodes of ours know us by it. Nothing is held. */
static bool announce(struct alarm *a, const struct turn *t)
{
	const struct message_self self = { a->o.node, EXT_CAP_WHOLE_UPDATES |
							      EXT_CAP_COPIES };
	size_t offset = message_alive(t->w, a->next_seq, 0, &self, a->next_seq);

	message_add_name(t->w, a->o.name);
	if (!end(a, t, offset))
		return false;
	a->announced_ms = t->now_ms;
	a->must_announce = false;
	return true;
}

static bool send_entry(struct alarm *a, const struct turn *t, uint32_t id)
{
	struct entry_head *h = flow_cache_head(a->o.cache, id);
	const struct message_entry what = { id, (enum entry_state)h->state,
					    h->alarm & ALARM_TOLD };
	size_t offset =
		message_entry(t->w, a->next_seq, &a->o.wire, a->o.cache, &what);

	if (!end(a, t, offset))
		return false;
	if (h->state == ENTRY_DEAD) {
		flow_cache_remove(a->o.cache, id);
		return true;
	}
	take_out(a, id);
	h->alarm |= ALARM_TOLD;
	tell_again_later(a, id, t->now_ms);
	return true;
}

static int64_t announcement_due_ms(const struct alarm *a)
{
	return a->must_announce ? a->called_ms : a->announced_ms + ALIVE_MS;
}

/* False: the datagram is full. */
static bool fill_all(struct alarm *a, const struct turn *t)
{
	uint32_t id;

	if (t->now_ms >= announcement_due_ms(a)) {
		alarm_check_peers(a, t->now_ms);
		if (!announce(a, t))
			return false;
	}
	while ((id = a->dirty.first) != FLOW_CACHE_NO_ID)
		if (!send_entry(a, t, id))
			return false;
	while ((id = wheel_due(&a->wheel, t->now_ms)) != FLOW_CACHE_NO_ID)
		if (!send_entry(a, t, id))
			return false;
	return true;
}

static enum fill alarm_fill(struct engine *e, struct wr *w, size_t room,
			    int64_t now_ms)
{
	struct alarm *a = alarm_of(e);
	const struct turn t = { .w = w, .room = room, .now_ms = now_ms };

	a->called_ms = now_ms;
	if (!fill_all(a, &t))
		return FILL_FULL;
	return w->used ? FILL_SOME : FILL_IDLE;
}

static int64_t alarm_due_ms(struct engine *e)
{
	struct alarm *a = alarm_of(e);

	return wheel_next_ms(&a->wheel, announcement_due_ms(a));
}

static void alarm_link_changed(struct engine *e)
{
	alarm_of(e)->must_announce = true;
}

/* There are no requests: what is lost is told again in any case. */
static void alarm_ask(struct engine *e, enum ask what)
{
	(void)e;
	(void)what;
}

/* ---- receiving ---------------------------------------------------------- */

static bool is_announcement(const struct msg *m, struct ext_alive *out)
{
	return m->type == MSG_CTL && m->flags == MSG_ALIVE &&
	       ext_open(m->body, out);
}

/* With any flag it is nothing for this mode, whatever its type (PROTOCOL.md
 * 3.4); but nodes of ours are known by their announcements. Nobody in this mode
 * says anything else. */
static enum verdict take_flagged(struct alarm *a, const struct peer_addr *from,
				 const struct msg *m, int64_t now_ms)
{
	struct ext_alive ext;
	struct peer *p;

	if (!is_announcement(m, &ext)) {
		alarm_tell_other_mode(a, from, now_ms);
		return VERDICT_IGNORED;
	}
	p = alarm_identify(a, from, m, &ext, now_ms);
	if (!p)
		return VERDICT_IGNORED;
	alarm_heard(a, p, m, now_ms);
	return VERDICT_OK;
}

static enum verdict alarm_receive(struct engine *e,
				  const struct peer_addr *from,
				  const struct msg *m, int64_t now_ms)
{
	struct alarm *a = alarm_of(e);
	enum verdict v;
	struct peer *p;

	a->called_ms = now_ms;
	if (m->flags)
		return take_flagged(a, from, m, now_ms);
	if (m->type > MSG_EXP_DEL)
		return VERDICT_BAD_TYPE;
	p = alarm_identify(a, from, m, NULL, now_ms);
	if (!p)
		return VERDICT_IGNORED;
	v = a->o.sink.data(a->o.sink.ctx, p, m, now_ms);
	alarm_heard(a, p, m, now_ms);
	return v;
}

/* ---- the rest ----------------------------------------------------------- */

static void alarm_stats(struct engine *e, struct engine_stats *out)
{
	const struct alarm *a = alarm_of(e);
	const struct roster *r = &a->roster;

	*out = (struct engine_stats){ .n_refused = r->n_refused,
				      .n_dirty = a->dirty.n };
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		out->n_peers_live += r->peers[i].is_live;
}

static void alarm_peer_stats(struct engine *e, uint8_t number,
			     struct engine_peer_stats *out)
{
	(void)e;
	(void)number;
	*out = (struct engine_peer_stats){ 0 };
}

static bool alarm_held(struct engine *e, struct engine_walk *walk,
		       struct engine_held *out)
{
	(void)e;
	(void)walk;
	(void)out;
	return false;
}

static const struct roster *alarm_peers(struct engine *e)
{
	return &alarm_of(e)->roster;
}

static void alarm_free(struct engine *e)
{
	struct alarm *a = alarm_of(e);

	flow_cache_unobserve(a->o.cache, &a->observer);
	free(a);
}

static const struct engine_ops alarm_ops = {
	.touch = alarm_touch,
	.ask = alarm_ask,
	.link_changed = alarm_link_changed,
	.connected = alarm_link_changed,
	.receive = alarm_receive,
	.fill = alarm_fill,
	.due_ms = alarm_due_ms,
	.stats = alarm_stats,
	.peer_stats = alarm_peer_stats,
	.held = alarm_held,
	.peers = alarm_peers,
	.free = alarm_free,
};

struct engine *alarm_new(const struct alarm_opts *opts, int64_t now_ms)
{
	struct alarm *a = calloc(1, sizeof(*a));

	assert(opts->node != 0 && opts->refresh_s != 0);
	if (!a)
		return NULL;
	a->base.ops = &alarm_ops;
	a->o = *opts;
	a->random = opts->node * spread; /* never 0 */
	a->next_seq = opts->first_seq;
	a->called_ms = now_ms;
	a->must_announce = true; /* a node's first message tells who it is */
	wheel_init(&a->wheel, opts->cache,
		   (int64_t)opts->refresh_s * 1000 + MORE_MOST_MS, now_ms);
	a->observer = (struct store_observer){ on_stored, a };
	flow_cache_observe(opts->cache, &a->observer);
	return &a->base;
}
