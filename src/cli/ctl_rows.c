/* SPDX-License-Identifier: ISC */
#include "cli/ctl_rows.h"

#include <string.h>

/* As columns of the table. */
enum {
	BUILT = CTL_IS_BUILT,
	LONG = CTL_IS_LONG,
	STRICT = CTL_IS_STRICT,
	INDIRECT = CTL_IS_INDIRECT,
};

/* A request that has a row of its own above, typed otherwise. */
#define ALIAS(typed, of, why)                                     \
	{                                                         \
		.option = (typed), .code = (of), .warning = (why) \
	}

/* clang-format off */
static const struct ctl_row rows[] = {
	{ "-c", CTL_COMMIT, 0, BUILT | LONG,
	  "commit the peers' entries to the kernel, and wait", NULL },
	{ "-c ct", CTL_COMMIT_CT, 0, BUILT | LONG, NULL, NULL },
	{ "-c expect", CTL_COMMIT_EXPECT, 0, BUILT | LONG, NULL, NULL },

	{ "-i", CTL_DUMP_INTERNAL, CTL_DUMP_INTERNAL_XML, BUILT | LONG,
	  "list the internal cache: this firewall's entries", NULL },
	ALIAS("-i ct", CTL_DUMP_INTERNAL, NULL),
	{ "-i expect", CTL_DUMP_INTERNAL_EXPECT,
	  CTL_DUMP_INTERNAL_EXPECT_XML, BUILT | LONG, NULL, NULL },

	{ "-e", CTL_DUMP_EXTERNAL, CTL_DUMP_EXTERNAL_XML, BUILT | LONG,
	  "list the external cache: the peers' entries", NULL },
	ALIAS("-e ct", CTL_DUMP_EXTERNAL, NULL),
	{ "-e expect", CTL_DUMP_EXTERNAL_EXPECT,
	  CTL_DUMP_EXTERNAL_EXPECT_XML, BUILT | LONG, NULL, NULL },

	{ "-f", CTL_FLUSH_CACHES, 0, BUILT | LONG | STRICT,
	  "empty both caches or one; the kernel keeps its own", NULL },
	{ "-f internal", CTL_FLUSH_INTERNAL, 0, BUILT | LONG, NULL, NULL },
	{ "-f external", CTL_FLUSH_EXTERNAL, 0, BUILT | LONG, NULL, NULL },

	{ "-F", CTL_FLUSH_KERNEL, 0, BUILT | LONG,
	  "empty the kernel's table; the caches keep theirs", NULL },
	{ "-F ct", CTL_FLUSH_KERNEL_CT, 0, BUILT | LONG, NULL, NULL },
	{ "-F expect", CTL_FLUSH_KERNEL_EXPECT, 0, BUILT | LONG, NULL, NULL },

	{ "-R", CTL_RESYNC, 0, BUILT | LONG,
	  "fill the internal cache from the kernel anew", NULL },
	{ "-R ct", CTL_RESYNC_CT, 0, BUILT | LONG, NULL, NULL },
	{ "-R expect", CTL_RESYNC_EXPECT, 0, BUILT | LONG, NULL, NULL },

	{ "-B", CTL_SEND_BULK, 0, BUILT,
	  "send the whole internal cache to the peers", NULL },
	{ "-n", CTL_REQUEST_BULK, 0, BUILT,
	  "ask the peers to send theirs", NULL },
	{ "-t", CTL_RESET_TIMERS, 0, BUILT,
	  "empty the kernel's table in PurgeTimeout seconds", NULL },
	{ "-k", CTL_KILL, 0, BUILT | LONG,
	  "end the daemon, and wait until it is gone", NULL },

	/* New words go behind these: `-s r` must stay `-s runtime`. */
	{ "-s", CTL_STATS, 0, BUILT | STRICT,
	  "show statistics, in general or of one part", NULL },
	{ "-s network", CTL_STATS_NETWORK, 0, BUILT, NULL, NULL },
	{ "-s cache", CTL_STATS_CACHE, 0, BUILT, NULL, NULL },
	{ "-s runtime", CTL_STATS_RUNTIME, 0, BUILT, NULL, NULL },
	{ "-s link", CTL_STATS_LINK, 0, BUILT, NULL, NULL },
	ALIAS("-s multicast", CTL_STATS_LINK,
	  "use `link' instead of `multicast' as parameter."),
	{ "-s rsqueue", CTL_STATS_RSQUEUE, 0, BUILT, NULL, NULL },
	{ "-s process", CTL_STATS_PROCESS, 0, BUILT, NULL, NULL },
	{ "-s queue", CTL_STATS_QUEUE, 0, BUILT, NULL, NULL },
	ALIAS("-s ct", CTL_STATS, NULL),
	{ "-s expect", CTL_STATS_EXPECT, 0, BUILT, NULL, NULL },
	{ "-s counters", CTL_COUNTERS, 0, BUILT, NULL, NULL },

	/* What -x makes of others, and one that no option sends. */
	{ "-i -x", CTL_DUMP_INTERNAL_XML, 0, LONG | INDIRECT, NULL, NULL },
	{ "-e -x", CTL_DUMP_EXTERNAL_XML, 0, LONG | INDIRECT, NULL, NULL },
	{ "-i expect -x", CTL_DUMP_INTERNAL_EXPECT_XML,
	  0, LONG | INDIRECT, NULL, NULL },
	{ "-e expect -x", CTL_DUMP_EXTERNAL_EXPECT_XML,
	  0, LONG | INDIRECT, NULL, NULL },
	{ "-f", CTL_FLUSH_CACHES_CT, 0, BUILT | LONG | INDIRECT, NULL, NULL },
};
/* clang-format on */
#undef ALIAS

const struct ctl_row *ctl_rows(size_t *n)
{
	*n = N_ELEMENTS(rows);
	return rows;
}

const struct ctl_row *ctl_row(unsigned int code)
{
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}

const struct ctl_row *ctl_row_typed(char letter)
{
	for (size_t i = 0; letter && i < N_ELEMENTS(rows); i++)
		if (ctl_row_letter(&rows[i]) == letter &&
		    !ctl_row_word(&rows[i]))
			return &rows[i];
	return NULL;
}

const struct ctl_row *ctl_row_with_word(char letter, const char *beginning)
{
	size_t len = strlen(beginning);

	for (size_t i = 0; letter && i < N_ELEMENTS(rows); i++) {
		const char *word = ctl_row_word(&rows[i]);

		if (ctl_row_letter(&rows[i]) == letter && word &&
		    !strncmp(word, beginning, len))
			return &rows[i];
	}
	return NULL;
}
