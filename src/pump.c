/* SPDX-License-Identifier: ISC */
#include "pump.h"

#include <errno.h>
#include <stdlib.h>

enum {
	SENDS_PER_TURN = 64, /* datagrams, before others get their turn */
	WAIT_FIRST_MS = 1,   /* after ENOBUFS; doubles */
	WAIT_MOST_MS = 50,
	SEARCH_MS = 3000, /* on a link while nobody is heard */
	COPY_MAX = 4096,  /* bytes, those of a seal included */
	/* Copies come after what they are of, or what was sent would seem to
	 * be missed; */
	COPY_LATER_MS = 100,
	COPY_MS = 1000, /* and also while the current link takes nothing */
};

struct pump {
	struct loop *loop;
	struct node *node;
	const struct linkset *set;
	uint8_t *dgram; /* LINK_DATAGRAM_MAX, one that the link did not take */
	size_t dgram_len;     /* 0: none is kept */
	struct timer wait;    /* after ENOBUFS */
	int64_t wait_ms;      /* how long the last one was, 0: none */
	struct timer due;     /* of the node */
	struct deferred more; /* its share of a turn is used up */
	int64_t heard_ms;     /* when somebody was heard, or it began */
	struct timer copy;    /* copies are to be sent */
	int64_t copied_ms;    /* when they were */
};

static int64_t now_ms_of(const struct pump *p)
{
	return loop_now_ms(p->loop);
}

static struct link *current(const struct pump *p)
{
	return p->set->links[p->set->current];
}

/* The link that the datagram goes by: the current one. While nobody is heard an
 * announcement looks for others on all links by turns, for the current one may
 * be up and carry nothing. */
static struct link *way_of(struct pump *p)
{
	if (!roster_is_alone(node_peers(p->node)) || !p->heard_ms)
		p->heard_ms = now_ms_of(p);
	if (!node_announces(p->node))
		return current(p);
	return p->set->links[linkset_search(
		p->set, (uint32_t)((now_ms_of(p) - p->heard_ms) / SEARCH_MS))];
}

/* What a link does not take is not missed. */
static void send_copies(struct pump *p)
{
	uint8_t bytes[COPY_MAX];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };

	p->copied_ms = now_ms_of(p);
	if (p->set->n_links == 1 || !node_copy(p->node, &w))
		return;
	for (int i = 0; i < p->set->n_links; i++) {
		struct link *l = p->set->links[i];
		int err = 0;

		if (i != p->set->current && link_is_usable(l))
			err = link_send(l, bytes, w.used);
		(void)err;
	}
}

/* Sends or keeps the datagram. False: the link takes no more for now. */
static bool send_datagram(struct pump *p)
{
	int err = link_send(way_of(p), p->dgram, p->dgram_len);

	if (err == -EAGAIN)
		return false;
	if (err == -ENOBUFS) {
		/* The socket is writable at once again, so wait by time. */
		p->wait_ms = p->wait_ms ? p->wait_ms * 2 : WAIT_FIRST_MS;
		if (p->wait_ms > WAIT_MOST_MS)
			p->wait_ms = WAIT_MOST_MS;
		timer_set(p->loop, &p->wait, now_ms_of(p) + p->wait_ms);
		return false;
	}
	/* Other errors are counted by the link; what was in it is missed by
	 * the peers like any loss. */
	p->dgram_len = 0;
	p->wait_ms = 0;
	if (node_announces(p->node) && !timer_is_set(&p->copy))
		timer_set(p->loop, &p->copy, now_ms_of(p) + COPY_LATER_MS);
	return true;
}

static enum fill fill_datagram(struct pump *p)
{
	struct wr w = { .buf = p->dgram, .size = LINK_DATAGRAM_MAX };
	enum fill done = node_fill(p->node, &w, link_payload_max(current(p)),
				   now_ms_of(p));

	p->dgram_len = w.used;
	return done;
}

/* Runs at the end of every turn, so waking up is enough. */
static void on_wake(void *ctx, int64_t now_ms)
{
	(void)ctx;
	(void)now_ms;
}

static void on_copy(void *ctx, int64_t now_ms)
{
	(void)now_ms;
	send_copies(ctx);
}

static void on_more(void *ctx)
{
	(void)ctx;
}

struct pump *pump_new(struct loop *loop, struct node *node,
		      const struct linkset *set)
{
	struct pump *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	*p = (struct pump){
		.loop = loop,
		.node = node,
		.set = set,
		.dgram = calloc(1, LINK_DATAGRAM_MAX),
		.wait = { .fn = on_wake, .ctx = p },
		.due = { .fn = on_wake, .ctx = p },
		.copy = { .fn = on_copy, .ctx = p },
		.more = { .fn = on_more, .ctx = p },
	};
	if (p->dgram)
		return p;
	free(p);
	return NULL;
}

void pump_free(struct pump *p)
{
	if (!p)
		return;
	timer_cancel(p->loop, &p->wait);
	timer_cancel(p->loop, &p->due);
	timer_cancel(p->loop, &p->copy);
	loop_defer_cancel(p->loop, &p->more);
	free(p->dgram);
	free(p);
}

void pump_run(struct pump *p)
{
	enum fill done = FILL_FULL;
	int n = 0;

	if (p->dgram_len && now_ms_of(p) - p->copied_ms >= COPY_MS)
		send_copies(p);
	if (timer_is_set(&p->wait) || (p->dgram_len && !send_datagram(p)))
		return;
	while (done == FILL_FULL && n++ < SENDS_PER_TURN) {
		done = fill_datagram(p);
		if (p->dgram_len && !send_datagram(p))
			return;
	}
	if (done == FILL_FULL)
		loop_defer(p->loop, &p->more);
	timer_set(p->loop, &p->due, node_due_ms(p->node));
}
