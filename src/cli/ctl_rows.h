/* SPDX-License-Identifier: ISC */
/* ctl_rows.h - every request that a client can make of the daemon, as one
 * table: how it is typed, its code, and what both ends must know of it. */
#ifndef CLI_CTL_ROWS_H
#define CLI_CTL_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/* What travels over the control socket. The codes below CTL_OWN_FIRST are the
 * reference's; a daemon that does not know one answers nothing. CT is conntrack
 * entries, EXPECT is expectations, neither is both. */
enum ctl_code {
	CTL_FLUSH_KERNEL_CT = 0,
	CTL_RESYNC_CT = 1,
	CTL_DUMP_INTERNAL = 16,
	CTL_DUMP_EXTERNAL = 17,
	CTL_COMMIT_CT = 18,
	CTL_FLUSH_CACHES_CT = 19, /* no option sends it */
	CTL_KILL = 20,
	CTL_STATS = 21,
	CTL_SEND_BULK = 22,
	CTL_REQUEST_BULK = 23,
	CTL_DUMP_INTERNAL_XML = 24,
	CTL_DUMP_EXTERNAL_XML = 25,
	CTL_RESET_TIMERS = 26,
	CTL_STATS_NETWORK = 28,
	CTL_STATS_CACHE = 29,
	CTL_STATS_RUNTIME = 30,
	CTL_STATS_LINK = 31,
	CTL_STATS_RSQUEUE = 32,
	CTL_FLUSH_INTERNAL = 33,
	CTL_FLUSH_EXTERNAL = 34,
	CTL_STATS_PROCESS = 35,
	CTL_STATS_QUEUE = 36,
	CTL_STATS_EXPECT = 37,
	CTL_FLUSH_KERNEL_EXPECT = 38,
	CTL_RESYNC_EXPECT = 39,
	CTL_DUMP_INTERNAL_EXPECT = 40,
	CTL_DUMP_EXTERNAL_EXPECT = 41,
	CTL_COMMIT_EXPECT = 42,
	CTL_FLUSH_KERNEL = 43,
	CTL_RESYNC = 44,
	CTL_FLUSH_CACHES = 45,
	CTL_COMMIT = 46,
	CTL_DUMP_INTERNAL_EXPECT_XML = 47,
	CTL_DUMP_EXTERNAL_EXPECT_XML = 48,

	CTL_COUNTERS = 0x1100,
};

enum {
	CTL_OWN_FIRST = 0x1100, /* to 0x1fff: requests of our own */
};

/* What holds of a request. */
enum ctl_trait {
	/* Otherwise the answer is "not in this version yet". */
	CTL_IS_BUILT = 0x01,
	/* It may take its time; others are answered at once. */
	CTL_IS_LONG = 0x02,
	/* A word behind the letter that is none of its words is an error;
	 * otherwise it is left to be read as the next option. */
	CTL_IS_STRICT = 0x04,
	/* No option asks for it by itself: -x makes it of another request. */
	CTL_IS_INDIRECT = 0x08,
};

struct ctl_row {
	const char *option; /* as it is typed: `-F ct` */
	uint16_t code;      /* enum ctl_code */
	uint16_t xml;     /* the same request with XML as its answer; 0: none */
	uint8_t is;       /* enum ctl_trait */
	const char *help; /* for -h; with a letter alone only */
	const char *warning; /* for the client: it works, but; NULL: none */
};

/* All rows, in the order of -h. The words of a letter follow the letter alone,
 * in the order in which they are matched. A request that can be typed in
 * several ways has a row for each, of which the first one is its own; the
 * others have option, code and warning only. */
const struct ctl_row *ctl_rows(size_t *n);

/* The own row of a request, or NULL if it is none. */
const struct ctl_row *ctl_row(unsigned int code);

/* What an option asks for: the letter alone, or with the first of its words
 * that begins so ("" is the first one). NULL: there is none. */
const struct ctl_row *ctl_row_typed(char letter);
const struct ctl_row *ctl_row_with_word(char letter, const char *beginning);

/* The letter of the option; 0 if none asks for it by itself. */
static inline char ctl_row_letter(const struct ctl_row *r)
{
	return r->is & CTL_IS_INDIRECT ? '\0' : r->option[1];
}

/* The word behind the letter; NULL: the letter stands alone. */
static inline const char *ctl_row_word(const struct ctl_row *r)
{
	return r->option[2] ? r->option + 3 : NULL;
}

static inline bool ctl_row_is_built(const struct ctl_row *r)
{
	return r->is & CTL_IS_BUILT;
}

static inline bool ctl_row_is_long(const struct ctl_row *r)
{
	return r->is & CTL_IS_LONG;
}

/* The reference does not know it, nor any older version of ours. */
static inline bool ctl_row_is_own(const struct ctl_row *r)
{
	return r->code >= CTL_OWN_FIRST;
}

#endif
