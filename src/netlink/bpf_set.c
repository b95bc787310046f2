/* SPDX-License-Identifier: ISC */
#include "netlink/bpf_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum {
	WORDS = 4,
	WORD_BITS = 32,
	LEAF = 16, /* so many ranges are compared one after the other */
	BITS_MOST = 256,
};

/* Numbers of one word, both ends included. All of them are in the set, or,
 * where n is not 0, those whose next word is in one of n networks. */
struct bpf_range {
	uint32_t lo, hi;
	const struct filter_net *nets;
	size_t n;
};

/* What all parts of one tree share. */
struct tree {
	struct bpf *b;
	uint32_t *hit, *miss;
	uint32_t word; /* which one is looked at */
};

static void write_level(const struct tree *t, const struct filter_net *nets,
			size_t n, struct bpf_range *room);

/* The next words of the ranges that have any; places: where they begin. */
static void write_below(const struct tree *t, const struct bpf_range *r,
			size_t n, struct bpf_range *room, uint32_t *places)
{
	struct tree below = *t;

	below.word++;
	for (size_t i = 0; i < n; i++) {
		if (!r[i].n)
			continue;
		write_level(&below, r[i].nets, r[i].n, room);
		bpf_op(t->b, BPF_LD | BPF_MEM, below.word);
		places[i] = t->b->n;
	}
}

static void write_range(const struct tree *t, const struct bpf_range *r,
			uint32_t *hit, uint32_t *miss)
{
	uint32_t above;

	if (r->lo == r->hi) {
		bpf_if(t->b, BPF_JEQ, r->lo, hit, miss);
		return;
	}
	if (r->lo == 0 && r->hi == UINT32_MAX) {
		bpf_go(t->b, *hit);
		return;
	}
	if (r->hi != UINT32_MAX) {
		bpf_if(t->b, BPF_JGT, r->hi, miss, hit);
		above = t->b->n;
		hit = &above;
	}
	if (r->lo != 0)
		bpf_if(t->b, BPF_JGE, r->lo, hit, miss);
}

static void write_leaf(const struct tree *t, const struct bpf_range *r,
		       size_t n, struct bpf_range *room)
{
	uint32_t places[LEAF] = { 0 }, *miss = t->miss, next;

	write_below(t, r, n, room, places);
	if (!n)
		bpf_go(t->b, *miss);
	for (size_t i = n; i-- > 0;) {
		write_range(t, &r[i], r[i].n ? &places[i] : t->hit, miss);
		next = t->b->n;
		miss = &next;
	}
}

/* Ranges that lie in ascending order, apart from each other. */
static void write_ranges(const struct tree *t, const struct bpf_range *r,
			 size_t n, struct bpf_range *room)
{
	uint32_t upper, lower;

	if (n <= LEAF) {
		write_leaf(t, r, n, room);
		return;
	}
	write_ranges(t, r + n / 2, n - n / 2, room);
	upper = t->b->n;
	write_ranges(t, r, n / 2, room);
	lower = t->b->n;
	bpf_if(t->b, BPF_JGE, r[n / 2].lo, &upper, &lower);
}

/* ---- numbers ------------------------------------------------------------- */

void bpf_set_bits(struct bpf *b, const uint8_t *bits, size_t size,
		  uint32_t *hit, uint32_t *miss)
{
	struct bpf_range ranges[BITS_MOST / 2];
	struct tree t = { .b = b };
	bool was_set = false;
	size_t n = 0;

	t.hit = hit;
	t.miss = miss;
	for (uint32_t i = 0; i < 8 * size && i < BITS_MOST; i++) {
		bool is_set = bits[i / 8] >> i % 8 & 1;

		if (is_set && !was_set)
			ranges[n++] = (struct bpf_range){ .lo = i };
		if (is_set)
			ranges[n - 1].hi = i;
		was_set = is_set;
	}
	write_ranges(&t, ranges, n, NULL);
}

/* ---- networks ------------------------------------------------------------ */

static uint32_t word_of(const struct filter_net *net, uint32_t word)
{
	struct rd r = { net->addr.b + sizeof(word) * word, sizeof(word) };
	uint32_t value = 0;

	(void)!rd_be32(&r, &value);
	return value;
}

/* The range of the first of some networks, in this word. */
static struct bpf_range first_range(const struct filter_net *nets, size_t n,
				    uint32_t word)
{
	uint32_t lo = word_of(nets, word), end = (word + 1) * WORD_BITS;
	struct bpf_range r = { .lo = lo, .hi = lo };

	if (nets->prefix_len <= end) {
		r.hi |= (uint32_t)((UINT64_C(1) << (end - nets->prefix_len)) -
				   1);
		return r;
	}
	r.nets = nets;
	while (r.n < n && word_of(&nets[r.n], word) == lo)
		r.n++;
	return r;
}

static void write_level(const struct tree *t, const struct filter_net *nets,
			size_t n, struct bpf_range *room)
{
	size_t n_ranges = 0;

	for (size_t i = 0; i < n;) {
		struct bpf_range r = first_range(&nets[i], n - i, t->word);
		struct bpf_range *last = &room[n_ranges ? n_ranges - 1 : 0];

		i += r.n ? r.n : 1;
		if (n_ranges && !r.n && !last->n && last->hi + 1 == r.lo)
			last->hi = r.hi;
		else
			room[n_ranges++] = r;
	}
	write_ranges(t, room, n_ranges, room + n_ranges);
}

void bpf_set_nets(struct bpf *b, const struct bpf_nets *s, uint32_t *hit,
		  uint32_t *miss)
{
	struct tree t = { .b = b };

	t.hit = hit;
	t.miss = miss;
	write_level(&t, s->nets, s->n, s->room);
}

static int compare(const void *left, const void *right)
{
	const struct filter_net *a = left, *b = right;
	int by_addr = memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));

	return by_addr ? by_addr : (int)a->prefix_len - (int)b->prefix_len;
}

/* Sorted, one that has others within it comes right before them. */
static void drop_inner(struct bpf_nets *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct filter_net *net = &s->nets[i];

		if (n == 0 || !addr_in_prefix(&net->addr, &s->nets[n - 1].addr,
					      s->nets[n - 1].prefix_len))
			s->nets[n++] = *net;
	}
	s->n = n;
}

bool bpf_nets_init(struct bpf_nets *s, uint8_t family,
		   const struct filter_net *nets, size_t n)
{
	*s = (struct bpf_nets){
		.nets = calloc(n + 1, sizeof(*s->nets)),
		.room = calloc(n + 1, WORDS * sizeof(*s->room)),
	};
	if (!s->nets || !s->room) {
		bpf_nets_fini(s);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (nets[i].family == family)
			s->nets[s->n++] = nets[i];
	qsort(s->nets, s->n, sizeof(*s->nets), compare);
	drop_inner(s);
	return true;
}

void bpf_nets_fini(struct bpf_nets *s)
{
	free(s->nets);
	free(s->room);
	*s = (struct bpf_nets){ 0 };
}
