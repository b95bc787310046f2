/* SPDX-License-Identifier: ISC */
#include "sync/node.h"

#include <stdlib.h>
#include <string.h>

#include "sync/external.h"

/* Header and fixed part, name and number held, and a question to each peer. */
enum {
	ANNOUNCEMENT_MAX = 1024,
	COPY_NEAR_MS = 500, /* a copy is of the announcement before it */
};

struct node {
	struct engine *engine;
	struct external external; /* unused if there is an inject */
	struct expiry expiry;     /* of external, if it has one */
	struct inject *inject;
	struct node_seal seal;
	void *ctx;
	void (*event)(void *ctx, enum engine_event what, const struct peer *p);
	void (*fetch)(void *ctx);
	void (*work)(void *ctx);
	uint64_t n_verdicts[VERDICT_N];
	uint64_t n_unopened;
	/* The last announcement; 0 bytes: there was none. */
	uint8_t announcement[ANNOUNCEMENT_MAX];
	size_t announcement_len;
	bool announces; /* it is in the datagram that was filled last */
	/* The first copy since the last announcement; by number of the peer. */
	int64_t copied_ms[PEER_MAX];
};

static void ask_for_work(const struct node *n)
{
	if (n->work)
		n->work(n->ctx);
}

/* ---- what the engine tells ---------------------------------------------- */

static enum verdict on_data(void *ctx, const struct peer *from,
			    const struct msg *m, int64_t now_ms)
{
	struct node *n = ctx;

	return n->inject ? inject_data(n->inject, from, m, now_ms)
			 : external_data(&n->external, from, m, now_ms);
}

/* What was put into the kernel ends there, by its own time. */
static void on_sweep(void *ctx, const struct peer *from)
{
	struct node *n = ctx;

	if (n->inject)
		return;
	external_sweep(&n->external, from);
	ask_for_work(n);
}

static void on_merge(void *ctx, uint8_t number, uint32_t generation,
		     const struct peer *p)
{
	struct node *n = ctx;

	if (n->inject)
		return;
	external_merge(&n->external, number, generation, p);
	ask_for_work(n);
}

static void on_fetch(void *ctx)
{
	const struct node *n = ctx;

	n->fetch(n->ctx);
}

static bool has_room(void *ctx)
{
	const struct node *n = ctx;

	return n->inject ? inject_has_room(n->inject)
			 : external_has_room(&n->external);
}

static void on_event(void *ctx, enum engine_event what, const struct peer *p)
{
	const struct node *n = ctx;

	if (n->event)
		n->event(n->ctx, what, p);
}

/* ---- life --------------------------------------------------------------- */

struct node *node_new(const struct node_opts *opts, node_engine_fn *engine,
		      int64_t now_ms)
{
	struct node *n = calloc(1, sizeof(*n));
	const struct engine_sink sink = {
		.ctx = n,
		.data = on_data,
		.sweep = on_sweep,
		.event = on_event,
		.merge = on_merge,
		.fetch = opts->fetch ? on_fetch : NULL,
		.has_room = has_room,
	};

	if (!n)
		return NULL;
	*n = (struct node){
		.external = { .cache = opts->external,
			      .wire = opts->wire,
			      .has_expectations = opts->has_expectations },
		.inject = opts->inject,
		.seal = opts->seal,
		.ctx = opts->ctx,
		.event = opts->event,
		.fetch = opts->fetch,
		.work = opts->work,
	};
	n->engine = engine(opts, &sink, now_ms);
	if (!n->engine) {
		free(n);
		return NULL;
	}
	n->external.peers = node_peers(n);
	if (opts->cache_timeout_s) {
		expiry_init(&n->expiry, opts->external, opts->cache_timeout_s);
		n->external.expiry = &n->expiry;
	}
	return n;
}

void node_free(struct node *n)
{
	if (!n)
		return;
	n->engine->ops->free(n->engine);
	if (n->external.expiry)
		expiry_fini(&n->expiry);
	free(n);
}

/* ---- datagrams ---------------------------------------------------------- */

static bool is_alive(const struct msg *m, struct ext_alive *out)
{
	return m->type == MSG_CTL && (m->flags & MSG_ALIVE) &&
	       ext_open(m->body, out);
}

/* A copy of what p announces came. True: p has announced nothing since long
 * before. One may overtake the announcement, also when all were held up. */
static bool is_missed(struct node *n, const struct peer *p, int64_t now_ms)
{
	int64_t *first_ms = &n->copied_ms[p->number];

	if (now_ms - p->announced_ms < COPY_NEAR_MS ||
	    *first_ms < p->announced_ms + COPY_NEAR_MS)
		*first_ms = now_ms;
	return now_ms - *first_ms >= NODE_MISSED_MS;
}

/* True for a copy of an announcement. What it shows it does of peers that are
 * heard only. */
static bool is_copy(struct node *n, const struct msg *m, int64_t now_ms,
		    struct node_heard *heard)
{
	const struct roster *r = node_peers(n);
	struct ext_alive ext;

	if (!is_alive(m, &ext) || !ext.is_copy)
		return false;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];

		if (p->node != ext.node || !peer_is_heard(p))
			continue;
		heard->is_copy = true;
		heard->is_missed |= is_missed(n, p, now_ms);
	}
	return true;
}

struct node_heard node_receive(struct node *n, const struct peer_addr *from,
			       struct rd dgram, int64_t now_ms)
{
	struct node_heard heard = { false };
	enum verdict v = VERDICT_OK;
	enum wire_step step;
	struct msg m;

	if (n->seal.open && !n->seal.open(n->seal.ctx, from, &dgram)) {
		n->n_unopened++;
		return heard;
	}
	while ((step = wire_next(&dgram, &m, &v)) != WIRE_END) {
		if (step == WIRE_MSG && is_copy(n, &m, now_ms, &heard))
			continue;
		if (step == WIRE_MSG)
			v = n->engine->ops->receive(n->engine, from, &m,
						    now_ms);
		n->n_verdicts[v]++;
		heard.is_accepted |= v == VERDICT_OK;
		if (step == WIRE_DROP)
			break;
	}
	ask_for_work(n);
	return heard;
}

/* Keeps the announcement in what was filled, whose messages have no faults. */
static void keep_announcement(struct node *n, const struct wr *dgram)
{
	struct rd rest = { dgram->buf, dgram->used };
	struct rd at = rest;
	uint8_t name[EXT_NAME_SIZE];
	struct ext_alive ext;
	enum verdict why;
	struct msg m;

	n->announces = false;
	for (; wire_next(&rest, &m, &why) == WIRE_MSG; at = rest) {
		size_t len = at.left - rest.left;

		if (len > sizeof(n->announcement) || !is_alive(&m, &ext) ||
		    !ext_name(ext.records, name))
			continue;
		memcpy(n->announcement, at.at, len);
		n->announcement_len = len;
		n->announces = true;
		return;
	}
}

/* The engine gets less of everything by what the seal will append. */
enum fill node_fill(struct node *n, struct wr *dgram, size_t room,
		    int64_t now_ms)
{
	size_t reserved = n->seal.reserved_bytes;
	struct wr w = *dgram;
	enum fill done;

	w.size -= reserved < w.size ? reserved : w.size;
	room -= reserved < room ? reserved : room;
	done = n->engine->ops->fill(n->engine, &w, room, now_ms);
	w.size = dgram->size;
	*dgram = w;
	keep_announcement(n, dgram);
	if (dgram->used && n->seal.seal)
		n->seal.seal(n->seal.ctx, dgram);
	return done;
}

bool node_announces(const struct node *n)
{
	return n->announces;
}

bool node_copy(struct node *n, struct wr *dgram)
{
	const struct rd kept = { n->announcement, n->announcement_len };

	if (!n->announcement_len || !roster_takes_copies(node_peers(n)))
		return false;
	wr_bytes(dgram, kept.at, WIRE_HEADER_LEN);
	ext_copy(dgram, (struct rd){ kept.at + WIRE_HEADER_LEN,
				     kept.left - WIRE_HEADER_LEN });
	if (n->seal.seal)
		n->seal.seal(n->seal.ctx, dgram);
	return true;
}

int64_t node_due_ms(struct node *n)
{
	return n->engine->ops->due_ms(n->engine);
}

/* ---- what happens here -------------------------------------------------- */

void node_touch(struct node *n, struct ref entry, enum touch how)
{
	n->engine->ops->touch(n->engine, entry, how);
}

void node_ask(struct node *n, enum ask what)
{
	n->engine->ops->ask(n->engine, what);
}

void node_fetched(struct node *n, bool is_complete)
{
	n->engine->ops->fetched(n->engine, is_complete);
}

void node_link_changed(struct node *n)
{
	n->engine->ops->link_changed(n->engine);
}

void node_second(struct node *n, int64_t now_ms)
{
	if (n->external.expiry &&
	    expiry_is_due(&n->expiry, (uint32_t)(now_ms / 1000)))
		ask_for_work(n);
}

void node_connected(struct node *n)
{
	if (n->engine->ops->connected)
		n->engine->ops->connected(n->engine);
}

bool node_work(struct node *n)
{
	bool more;

	if (n->inject)
		return false;
	more = n->external.expiry && expiry_step(&n->expiry);
	return external_step(&n->external) || more;
}

/* ---- how it is ---------------------------------------------------------- */

void node_stats(const struct node *n, struct node_stats *out)
{
	*out = (struct node_stats){
		.n_unopened = n->n_unopened,
		.n_swept = n->external.n_swept,
		.n_not_owner = n->external.n_not_owner,
		.n_expired = n->expiry.n_expired,
		.wire = n->inject ? inject_stats(n->inject)->wire
				  : n->external.wire_stats,
	};
	memcpy(out->n_verdicts, n->n_verdicts, sizeof(out->n_verdicts));
	n->engine->ops->stats(n->engine, &out->engine);
}

void node_peer_stats(const struct node *n, uint8_t number,
		     struct engine_peer_stats *out)
{
	n->engine->ops->peer_stats(n->engine, number, out);
}

bool node_held(struct node *n, struct engine_walk *walk,
	       struct engine_held *out)
{
	return n->engine->ops->held(n->engine, walk, out);
}

const struct roster *node_peers(struct node *n)
{
	return n->engine->ops->peers(n->engine);
}
