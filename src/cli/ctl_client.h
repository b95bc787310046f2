/* SPDX-License-Identifier: ISC */
/* ctl_client.h - sends one request to a daemon and copies its answer. */
#ifndef CLI_CTL_CLIENT_H
#define CLI_CTL_CLIENT_H

#include "base/buf.h"
#include "base/util.h"

enum { CTL_WHY_MAX = 512 }; /* room for any text of why */

struct ctl_client_opts {
	const char *path;
	int code;                /* enum ctl_code, a known one */
	int out_fd;              /* for the text of the answer */
	unsigned int silence_ms; /* see below; 0: 10 s */
	unsigned int mute_ms;    /* 0: 5 minutes */
};

/* Asks the daemon, waits for the end of the answer and writes it to out_fd as
 * it comes. Returns the exit status: what our own daemon said; of another
 * daemon, which cannot say it, 0, but 1 if it cannot know the request; and 1
 * for whatever went wrong on the way.
 * What there is to say about it is appended to why, without a newline. Raises
 * SIGPIPE where writing to out_fd does.
 *
 * Nothing is waited for that will not come. After silence_ms without a byte a
 * request that is answered at once has failed. With one that takes its time
 * (CTL_IS_LONG) the daemon is asked something else on a second connection,
 * again and again. A daemon of ours answers that whatever it is doing; one of
 * the conntrack-tools does one thing at a time: as long as its process is seen
 * to work it is waited for, and where the process cannot be seen, for
 * mute_ms. */
NODISCARD int ctl_client_run(const struct ctl_client_opts *opts,
			     struct wr *why);

#endif
