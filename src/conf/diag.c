/* SPDX-License-Identifier: ISC */
#include "conf/diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_SIZE = 512, QUOTE_HEAD = 28, QUOTE_TAIL = 8, WORD_MAX = 40 };

enum { KEPT_MAX = 2 * (CONF_FINDINGS_MAX + 1) };

struct kept_diag {
	struct conf_diag diag;
	bool is_limit; /* says that there are more */
	size_t index;  /* in order of detection */
	char name[32];
	char text[TEXT_SIZE];
};

static void tell(const struct diags *d, const struct conf_diag *diag)
{
	if (d->fn)
		d->fn(d->ctx, diag);
}

static void keep(struct diags *d, const struct conf_diag *diag, bool is_limit)
{
	struct kept_diag *k;

	if (!d->kept)
		d->kept = calloc(KEPT_MAX, sizeof(*d->kept));
	if (!d->kept) {
		tell(d, diag);
		return;
	}
	k = &d->kept[d->n_kept];
	k->diag = *diag;
	k->is_limit = is_limit;
	k->index = d->n_kept++;
	snprintf(k->name, sizeof(k->name), "%s", diag->name);
	snprintf(k->text, sizeof(k->text), "%s", diag->text);
}

void diag_keep(struct diags *d, const struct conf_diag *diag)
{
	struct conf_diag copy = *diag;
	bool is_limit = ++d->n[copy.severity] > CONF_FINDINGS_MAX;

	if (d->n[copy.severity] > CONF_FINDINGS_MAX + 1)
		return;
	if (is_limit) {
		copy.name = "limit";
		copy.text = copy.severity == CONF_ERROR
				    ? "too many errors, others are not shown"
				    : "too many warnings, others are not shown";
	}
	copy.line = copy.line ? copy.line : 1;
	copy.col = copy.col ? copy.col : 1;
	keep(d, &copy, is_limit);
}

void diag_report(struct diags *d, enum conf_severity severity,
		 struct conf_pos at, const char *name, const char *fmt,
		 va_list ap)
{
	char text[TEXT_SIZE];
	const struct conf_diag diag = {
		.severity = severity,
		.line = at.line,
		.col = at.col,
		.len = at.len,
		.name = name,
		.text = text,
	};

	vsnprintf(text, sizeof(text), fmt, ap);
	diag_keep(d, &diag);
}

static int compare(const void *a, const void *b)
{
	const struct kept_diag *x = a, *y = b;

	if (x->is_limit != y->is_limit)
		return x->is_limit ? 1 : -1;
	if (x->diag.line != y->diag.line)
		return x->diag.line < y->diag.line ? -1 : 1;
	if (x->diag.col != y->diag.col)
		return x->diag.col < y->diag.col ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

void diag_flush(struct diags *d)
{
	if (d->n_kept)
		qsort(d->kept, d->n_kept, sizeof(*d->kept), compare);
	for (size_t i = 0; i < d->n_kept; i++) {
		d->kept[i].diag.name = d->kept[i].name;
		d->kept[i].diag.text = d->kept[i].text;
		tell(d, &d->kept[i].diag);
	}
	free(d->kept);
	d->kept = NULL;
	d->n_kept = 0;
}

/* Room for 4 bytes and a zero byte is left. Returns the bytes written. */
static size_t quote_byte(unsigned char c, char *out)
{
	if (c >= ' ' && c < 0x7f) {
		*out = (char)c;
		return 1;
	}
	return (size_t)snprintf(out, 5, "\\x%02X", c);
}

const char *diag_quote(const char *at, size_t len, char out[DIAG_QUOTE_SIZE])
{
	const size_t room = DIAG_QUOTE_SIZE - 5;
	bool whole = len <= QUOTE_HEAD + QUOTE_TAIL + 3;
	size_t head = whole ? len : QUOTE_HEAD;
	size_t used = 0;

	for (size_t i = 0; i < head && used < room; i++)
		used += quote_byte((unsigned char)at[i], out + used);
	if (!whole && used < room - 3) {
		memcpy(out + used, "...", 3);
		used += 3;
	}
	for (size_t i = len - QUOTE_TAIL; !whole && i < len && used < room; i++)
		used += quote_byte((unsigned char)at[i], out + used);
	out[used] = '\0';
	return out;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int m = a < b ? a : b;

	return m < c ? m : c;
}

/* Insertions, deletions, changes and swaps of neighbours that make b of a,
 * letter case apart. Both have at most WORD_MAX bytes. */
static unsigned int distance(const char *a, size_t a_len, const char *b,
			     size_t b_len)
{
	unsigned int row[3][WORD_MAX + 1];
	unsigned int *before = row[0], *last = row[1], *now = row[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = (unsigned int)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned int *free_row = before;

		now[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_len; j++) {
			char x = lower(a[i - 1]), y = lower(b[j - 1]);

			now[j] = min3(last[j] + 1, now[j - 1] + 1,
				      last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b[j - 2]) &&
			    y == lower(a[i - 2]) && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		before = last;
		last = now;
		now = free_row;
	}
	return last[b_len];
}

void nearest_init(struct nearest *n, const char *word, size_t len)
{
	*n = (struct nearest){ .word = word, .len = len };
	n->distance = (unsigned int)(len / 3 < 3 ? len / 3 + 1 : 4);
}

void nearest_try(struct nearest *n, const char *candidate)
{
	size_t len = strlen(candidate);
	unsigned int d;

	if (!n->len || n->len > WORD_MAX || len > WORD_MAX)
		return;
	if (n->len >= 4 && n->len < len &&
	    !strncasecmp(n->word, candidate, n->len))
		d = 1;
	else
		d = distance(n->word, n->len, candidate, len);
	if (d < n->distance) {
		n->distance = d;
		n->best = candidate;
	}
}
