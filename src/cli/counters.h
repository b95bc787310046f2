/* SPDX-License-Identifier: ISC */
/* counters.h - every number that the daemon counts or measures, as one table;
 * and sets of their values, for whoever writes them out. */
#ifndef CLI_COUNTERS_H
#define CLI_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/* COUNTER_UPTIME and so on, in the order of the table (counters.def). */
enum counter {
#define COUNTER(id, name, kind, per, decimals, unit, owner, help) COUNTER_##id,
#include "cli/counters.def"
	COUNTER_N
};

enum counter_kind {
	COUNTER_TOTAL, /* since the start; it never falls */
	COUNTER_GAUGE, /* as of now */
};

/* What there is one value for each of. */
enum counter_per {
	COUNTER_PER_DAEMON,
	COUNTER_PER_CACHE,
	COUNTER_PER_LINK,
	COUNTER_PER_PEER,
	COUNTER_PER_QUEUE,
	COUNTER_PER_N
};

#define COUNTER_PREFIX                                        \
	"conntrackd_" /* of every name, for the world outside \
		       */

struct counter_row {
	uint8_t kind;     /* enum counter_kind */
	uint8_t per;      /* enum counter_per */
	uint8_t decimals; /* values are in units of 10^-decimals */
};

const struct counter_row *counter_row(enum counter id);

/* Without the prefix, and as Prometheus wants it: a total ends with _total;
 * before that, or at the end, is the base unit (bytes, seconds), if any. */
const char *counter_name(enum counter id);

struct counter_about {
	const char *unit;
	const char *owner; /* the module that counts it */
	const char *help;  /* one sentence */
};

const struct counter_about *counter_about(enum counter id);

/* The names of the labels that tell the subjects of one kind apart, and more
 * about them; NULL: there is none. */
struct counter_labels {
	const char *label, *detail;
};
const struct counter_labels *counter_labels(enum counter_per per);

enum { COUNTED_LABEL_SIZE = 64 }; /* with a zero byte */

/* The values of one subject. Those of other kinds of subjects are unused. */
struct counted {
	enum counter_per per;
	char label[COUNTED_LABEL_SIZE], detail[COUNTED_LABEL_SIZE];
	bool has[COUNTER_N];
	uint64_t values[COUNTER_N];
};

/* The counter must be one of c's kind of subject. */
void counted_set(struct counted *c, enum counter id, uint64_t value);
/* 0 if it was not set, or if c is NULL. */
uint64_t counted_get(const struct counted *c, enum counter id);

/* All that was counted, at one moment. */
struct counter_set {
	size_t n, size;
	struct counted all[];
};

/* An empty one with room for so many subjects, or NULL if there is no memory;
 * free() is its end. */
struct counter_set *counter_set_new(size_t size);

/* A subject without values; there must be room for it. Texts are copied, cut
 * where they are too long; NULL is "". */
struct counted *counter_set_add(struct counter_set *s, enum counter_per per,
				const char *label, const char *detail);

#endif
