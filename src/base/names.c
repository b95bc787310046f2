/* SPDX-License-Identifier: ISC */
#include "base/names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct name {
	char *text; /* len bytes and a zero byte */
	size_t len;
};

struct names {
	size_t max_len;
	size_t max_names;
	size_t n;
	size_t room;        /* elements of the two arrays */
	struct name *by_id; /* [id - 1] */
	uint16_t *sorted;   /* ids in the order of compare() */
	uint64_t n_refused;
};

enum { FIRST_ROOM = 16 };

struct names *names_new(uint16_t max_names, size_t max_len)
{
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->max_names = max_names;
	n->max_len = max_len;
	return n;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++)
		free(n->by_id[i].text);
	free(n->by_id);
	free(n->sorted);
	free(n);
}

static int compare(const struct name *a, const char *text, size_t len)
{
	int order = memcmp(a->text, text, a->len < len ? a->len : len);

	if (order == 0 && a->len != len)
		order = a->len < len ? -1 : 1;
	return order;
}

/* The place in sorted of the first name that is not below text. A binary
 * search, not a hash: peers choose the texts. */
static size_t lower_bound(const struct names *n, const char *text, size_t len)
{
	size_t low = 0, high = n->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(&n->by_id[n->sorted[mid] - 1], text, len) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool grow(struct names *n)
{
	size_t room = n->room ? 2 * n->room : FIRST_ROOM;
	struct name *by_id;
	uint16_t *sorted;

	if (n->n < n->room)
		return true;
	by_id = realloc(n->by_id, room * sizeof(*by_id));
	if (!by_id)
		return false;
	n->by_id = by_id;
	sorted = realloc(n->sorted, room * sizeof(*sorted));
	if (!sorted)
		return false;
	n->sorted = sorted;
	n->room = room;
	return true;
}

static uint16_t add(struct names *n, size_t place, const char *text, size_t len)
{
	uint16_t id = (uint16_t)(n->n + 1);
	char *copy;

	if (n->n == n->max_names || !grow(n))
		return 0;
	copy = calloc(1, len + 1);
	if (!copy)
		return 0;
	memcpy(copy, text, len);
	memmove(n->sorted + place + 1, n->sorted + place,
		(n->n - place) * sizeof(*n->sorted));
	n->sorted[place] = id;
	n->by_id[n->n].text = copy;
	n->by_id[n->n].len = len;
	n->n++;
	return id;
}

uint16_t names_intern(struct names *n, const char *text, size_t len)
{
	uint16_t id = 0;

	if (len > 0 && len <= n->max_len) {
		size_t place = lower_bound(n, text, len);

		if (place < n->n) {
			id = n->sorted[place];
			if (compare(&n->by_id[id - 1], text, len) != 0)
				id = 0;
		}
		if (id == 0)
			id = add(n, place, text, len);
	}
	n->n_refused += id == 0;
	return id;
}

const char *names_text(const struct names *n, uint16_t id)
{
	return id == 0 || id > n->n ? "" : n->by_id[id - 1].text;
}

uint64_t names_refused(const struct names *n)
{
	return n->n_refused;
}
