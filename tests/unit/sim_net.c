/* SPDX-License-Identifier: ISC */
#include "sim_net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	WIRE_US = 100, /* the least a datagram is on its way */
	HEADERS = 46,  /* Ethernet, IPv4, UDP: bytes that a link carries too */
};

static bool chance(struct sim *s, unsigned int percent)
{
	return percent && sim_random(s, 100) < percent;
}

/* ---- the heap ----------------------------------------------------------- */

static bool is_earlier(const struct sim_datagram *a,
		       const struct sim_datagram *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void grow(struct sim *s)
{
	size_t size = s->in_flight_size ? 2 * s->in_flight_size : 256;
	struct sim_datagram **heap =
		malloc(size * sizeof(struct sim_datagram *));

	assert(heap);
	if (s->n_in_flight)
		memcpy(heap, s->in_flight,
		       s->n_in_flight * sizeof(struct sim_datagram *));
	free(s->in_flight);
	s->in_flight = heap;
	s->in_flight_size = size;
}

static void push(struct sim *s, struct sim_datagram *d)
{
	struct sim_datagram **heap;
	size_t i = s->n_in_flight;

	if (i == s->in_flight_size)
		grow(s);
	heap = s->in_flight;
	s->n_in_flight++;
	for (; i && is_earlier(d, heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = d;
}

struct sim_datagram *sim_net_take(struct sim *s)
{
	struct sim_datagram **heap = s->in_flight;
	struct sim_datagram *first = heap[0], *d = heap[--s->n_in_flight];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < s->n_in_flight) {
		if (child + 1 < s->n_in_flight &&
		    is_earlier(heap[child + 1], heap[child]))
			child++;
		if (!is_earlier(heap[child], d))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = d;
	return first;
}

int64_t sim_net_next_us(const struct sim *s)
{
	return s->n_in_flight ? s->in_flight[0]->at_us : INT64_MAX;
}

void sim_net_fini(struct sim *s)
{
	while (s->n_in_flight)
		free(s->in_flight[--s->n_in_flight]);
	free(s->in_flight);
	s->in_flight = NULL;
	s->in_flight_size = 0;
}

/* ---- sending ------------------------------------------------------------ */

int64_t sim_net_free_us(const struct sim *s, const struct sim_node *n)
{
	if (!s->faults.bytes_per_s)
		return 0;
	return n->free_us - s->faults.queue_ms * 1000;
}

static void flip_a_bit(struct sim *s, struct sim_datagram *d)
{
	uint64_t bit = sim_random(s, d->len * 8);

	d->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

static void post(struct sim *s, const struct sim_node *n, int to,
		 int64_t left_us, const uint8_t *bytes, size_t len)
{
	const struct sim_faults *f = &s->faults;
	struct sim_datagram *d = malloc(sizeof(*d) + len);

	assert(d);
	*d = (struct sim_datagram){
		.at_us = left_us + WIRE_US + f->delay_ms * 1000,
		.order = s->n_posted++,
		.from = n->number,
		.to = to,
		.life = n->n_lives,
		.link = n->link,
		.len = len,
	};
	if (chance(s, f->reorder))
		d->at_us += 1000 +
			    (int64_t)sim_random(
				    s, (uint64_t)f->delay_spread_ms * 1000 + 1);
	memcpy(d->bytes, bytes, len);
	if (chance(s, f->bit_error))
		flip_a_bit(s, d);
	push(s, d);
}

/* When the datagram has left; -1: it was lost before. */
static int64_t leaves_us(struct sim *s, struct sim_node *n, size_t len)
{
	const struct sim_faults *f = &s->faults;
	int64_t now_us = sim_now_us(s);

	if (!f->bytes_per_s)
		return now_us;
	if (f->drops_overflow && sim_net_free_us(s, n) > now_us)
		return -1;
	if (n->free_us < now_us)
		n->free_us = now_us;
	n->free_us += (int64_t)(len + HEADERS) * 1000000 / f->bytes_per_s;
	return n->free_us;
}

static bool is_reached(const struct sim *s, const struct sim_node *n, int to)
{
	return to != n->number && !s->is_cut[n->number] && !s->is_cut[to] &&
	       !s->is_cut_way[n->number][to] &&
	       !s->nodes[to].is_link_down[n->link];
}

void sim_net_send(struct sim *s, struct sim_node *n, const uint8_t *bytes,
		  size_t len)
{
	int64_t left_us = leaves_us(s, n, len);

	n->n_sent++;
	s->n_sent++;
	n->n_bytes_sent += len;
	if (s->tap)
		s->tap(s->tap_ctx, n->number, bytes, len);
	if (s->watch && s->watch->sent)
		s->watch->sent(s->watch->ctx, n->number, bytes, len);
	if (left_us < 0 || n->is_link_down[n->link] ||
	    (s->sent_most && s->n_sent > s->sent_most))
		return;
	for (int to = 0; to < s->n_nodes; to++) {
		if (!is_reached(s, n, to) || chance(s, s->faults.loss))
			continue;
		post(s, n, to, left_us, bytes, len);
		if (chance(s, s->faults.duplicate))
			post(s, n, to, left_us, bytes, len);
	}
}
