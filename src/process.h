/* SPDX-License-Identifier: ISC */
/* process.h - the daemon as a process: going to the background, the lock that
 * keeps a second instance out, scheduling, random bytes. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

enum {
	PROCESS_HOST_ID_SIZE = 130,
	PROCESS_PATH_MAX = 256, /* bytes without the 0 */
};

struct process {
	pid_t first;  /* whom the service manager has started */
	int ready_fd; /* -d: to the parent, which waits; else -1 */
	int lock_fd;
	bool is_lock_ours; /* the file was made or taken over by us */
	char lock_path[PROCESS_PATH_MAX + 1];
};

/* In the foreground, without a lock. Opens what is closed of the descriptors 0
 * to 2, so that no file of ours becomes the place of messages. */
void process_init(struct process *p);

/* Goes on in a child of its own session. The parent does not return: it waits
 * for process_ready() and exits 0, or for the end of the child and exits 1.
 * Until then the child has the terminal, for its errors. False: no child could
 * be made, errno tells why. */
NODISCARD bool process_detach(struct process *p);

/* The daemon serves: lets the parent of -d go, and the terminal. Returns when
 * the parent has told the service manager of us (or after a second). */
void process_ready(struct process *p);

struct process_lock_opts {
	const char *file;        /* up to PROCESS_PATH_MAX bytes */
	bool is_default;         /* nobody has asked for just this file */
	const char *socket_path; /* of the control socket */
};

/* Takes the kernel's lock on the file. What is in a file that was there before
 * stays: a reference holds no lock, so the file may be that of a living one.
 * Where the directory of the default file is missing or read-only, that of the
 * control socket is used. Errors are logged. 0; -EWOULDBLOCK: another instance
 * holds it; or another negative errno value. */
NODISCARD int process_lock(struct process *p,
			   const struct process_lock_opts *o);

/* Nobody else lives here, for the control socket is ours: takes over a file
 * without a living holder, and writes our pid into it. */
void process_claim_lock(struct process *p);

/* Removes the lock file, if it is ours, and lets go of it. */
void process_unlock(struct process *p);

enum process_policy { PROCESS_NICE, PROCESS_RR, PROCESS_FIFO };

/* PROCESS_NICE: nice -10, without priority. What the system refuses is a
 * notice. */
void process_schedule(enum process_policy policy, uint32_t priority);

/* Random bytes. 0 or a negative errno value. */
NODISCARD int process_random(void *out, size_t n);

/* What tells this machine from others and stays the same: the machine id, as
 * far as there is one, and the host name, for machines of one image. Ends with
 * a zero byte. */
void process_host_id(char out[PROCESS_HOST_ID_SIZE]);

#endif
