/* SPDX-License-Identifier: ISC */
#include "cli/counters.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* As columns of the table. */
enum { TOTAL = COUNTER_TOTAL, GAUGE = COUNTER_GAUGE };
enum {
	DAEMON = COUNTER_PER_DAEMON,
	CACHE = COUNTER_PER_CACHE,
	LINK = COUNTER_PER_LINK,
	PEER = COUNTER_PER_PEER,
	QUEUE = COUNTER_PER_QUEUE,
};

static const struct counter_row rows[] = {
#define COUNTER(id, name, kind, per, decimals, unit, owner, help) \
	[COUNTER_##id] = { kind, per, decimals },
#include "cli/counters.def"
};

/* One after the other, each with a zero byte: pointers to them would be the
 * better half of the table. */
static const char names[] =
#define COUNTER(id, name, kind, per, decimals, unit, owner, help) name "\0"
#include "cli/counters.def"
	;

/* Apart from the rows, for a small program leaves out what it does not tell. */
static const struct counter_about abouts[] = {
#define COUNTER(id, name, kind, per, decimals, unit, owner, help) \
	[COUNTER_##id] = { unit, owner, help },
#include "cli/counters.def"
};

static const struct counter_labels labels[] = {
	[COUNTER_PER_DAEMON] = { NULL, NULL },
	[COUNTER_PER_CACHE] = { "cache", NULL },
	[COUNTER_PER_LINK] = { "link", "device" },
	[COUNTER_PER_PEER] = { "peer", "address" },
	[COUNTER_PER_QUEUE] = { "queue", NULL },
};
_Static_assert(N_ELEMENTS(labels) == COUNTER_PER_N, "labels for each");

const struct counter_row *counter_row(enum counter id)
{
	assert(id < COUNTER_N);
	return &rows[id];
}

const char *counter_name(enum counter id)
{
	const char *name = names;

	assert(id < COUNTER_N);
	for (unsigned int i = 0; i < id; i++)
		name += strlen(name) + 1;
	return name;
}

const struct counter_about *counter_about(enum counter id)
{
	assert(id < COUNTER_N);
	return &abouts[id];
}

const struct counter_labels *counter_labels(enum counter_per per)
{
	assert(per < COUNTER_PER_N);
	return &labels[per];
}

void counted_set(struct counted *c, enum counter id, uint64_t value)
{
	assert(counter_row(id)->per == c->per);
	c->has[id] = true;
	c->values[id] = value;
}

uint64_t counted_get(const struct counted *c, enum counter id)
{
	return c ? c->values[id] : 0;
}

struct counter_set *counter_set_new(size_t size)
{
	struct counter_set *s =
		calloc(1, sizeof(*s) + size * sizeof(s->all[0]));

	if (s)
		s->size = size;
	return s;
}

static void copy(char *out, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len >= COUNTED_LABEL_SIZE)
		len = COUNTED_LABEL_SIZE - 1;
	memcpy(out, text ? text : "", len);
	out[len] = '\0';
}

struct counted *counter_set_add(struct counter_set *s, enum counter_per per,
				const char *label, const char *detail)
{
	struct counted *c = &s->all[s->n];

	assert(s->n < s->size);
	s->n++;
	c->per = per;
	copy(c->label, label);
	copy(c->detail, detail);
	return c;
}
