/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "notify.h"

enum {
	DEFAULT_NICE = -10,
	PARENT_WAIT_MS = 1000, /* for its last message */
	LOCK_TRIES = 100,
};

/* ---- background --------------------------------------------------------- */

/* What takes no bytes and gives none; without /dev the root directory does. */
static int open_nothing(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

void process_init(struct process *p)
{
	int fd;

	*p = (struct process){ .first = getpid(),
			       .ready_fd = -1,
			       .lock_fd = -1 };
	/* What is opened gets the lowest number that is free. */
	do
		fd = open_nothing();
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* The parent's part of -d: a byte means ready, the end of the stream the end
 * of the child. */
static _Noreturn void wait_for_ready(int fd, pid_t child)
{
	int status;
	char ready;
	ssize_t n;

	do
		n = read(fd, &ready, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		notify_main_pid(child);
	else if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
		log_error("the daemon was ended by signal %d before it was "
			  "ready",
			  WTERMSIG(status));
	_exit(n == 1 ? 0 : 1);
}

bool process_detach(struct process *p)
{
	int fds[2];
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return false;
	child = fork();
	if (child < 0) {
		close(fds[0]);
		close(fds[1]);
		return false;
	}
	if (child > 0) {
		close(fds[1]);
		wait_for_ready(fds[0], child);
	}
	close(fds[0]);
	p->ready_fd = fds[1];
	(void)setsid();
	return true;
}

/* Output of libraries must not go to whatever gets these numbers next. */
static void release_terminal(void)
{
	int fd = open_nothing();

	for (int i = 0; fd >= 0 && i <= STDERR_FILENO; i++)
		(void)dup2(fd, i);
	if (fd > STDERR_FILENO)
		close(fd);
}

void process_ready(struct process *p)
{
	struct pollfd parent = { .fd = p->ready_fd, .events = POLLIN };
	const char ready = 'r';

	if (p->ready_fd < 0)
		return;
	release_terminal();
	/* A service manager believes us only when the parent has named us, so
	 * that must have left before anything else is sent. */
	if (send(p->ready_fd, &ready, 1, MSG_NOSIGNAL) == 1)
		(void)poll(&parent, 1, PARENT_WAIT_MS);
	close(p->ready_fd);
	p->ready_fd = -1;
}

/* ---- lock --------------------------------------------------------------- */

/* Whether there is a directory for the file, and not a read-only one. */
static bool has_dir(const char *path)
{
	char dir[PROCESS_PATH_MAX + 1];
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (!slash || slash == path)
		return true;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) &&
	       (access(dir, W_OK) == 0 || errno != EROFS);
}

/* Minimal systems have no /var/lock, containers a read-only one. */
static void choose_lock(struct process *p, const struct process_lock_opts *o)
{
	const char *slash = strrchr(o->socket_path, '/');

	(void)snprintf(p->lock_path, sizeof(p->lock_path), "%s", o->file);
	if (!o->is_default || has_dir(o->file) || !slash)
		return;
	(void)snprintf(p->lock_path, sizeof(p->lock_path),
		       "%.*s/conntrackd.lock", (int)(slash - o->socket_path),
		       o->socket_path);
	log_notice("no directory to write lockfile `%s' in, using `%s'",
		   o->file, p->lock_path);
}

static bool is_same_file(int fd, const char *path)
{
	struct stat open_one, named;

	return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 &&
	       open_one.st_dev == named.st_dev &&
	       open_one.st_ino == named.st_ino;
}

/* *made: the file was not there. -ESTALE: it has gone meanwhile. */
static int open_lock(const char *path, bool *made)
{
	const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	int fd = open(path, flags | O_CREAT | O_EXCL, 0600);

	*made = fd >= 0;
	if (fd < 0 && errno == EEXIST) {
		fd = open(path, flags);
		if (fd < 0 && errno == ENOENT)
			return -ESTALE;
	}
	if (fd < 0)
		return -errno;
	return fd;
}

/* Opens and locks the file; again if it was removed in between. */
static int lock_file(const char *path, bool *made)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		int fd = open_lock(path, made);
		int err;

		if (fd == -ESTALE)
			continue;
		if (fd < 0)
			return fd;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			err = -errno;
			close(fd);
			return err;
		}
		if (is_same_file(fd, path))
			return fd;
		close(fd);
	}
	return -EBUSY;
}

static void log_holder(const char *path)
{
	char pid[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, pid, sizeof(pid) - 1);

	if (fd >= 0)
		close(fd);
	pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
	log_error("lockfile `%s' is held, conntrackd is already running "
		  "(pid %s)",
		  path, pid[0] ? pid : "unknown");
}

int process_lock(struct process *p, const struct process_lock_opts *o)
{
	int fd;

	choose_lock(p, o);
	fd = lock_file(p->lock_path, &p->is_lock_ours);
	if (fd == -EWOULDBLOCK)
		log_holder(p->lock_path);
	else if (fd < 0)
		log_error("can't make lockfile `%s': %s", p->lock_path,
			  fd == -ELOOP ? "it is a symbolic link"
				       : strerror(-fd));
	if (fd < 0)
		return fd;
	p->lock_fd = fd;
	return 0;
}

void process_claim_lock(struct process *p)
{
	char pid[32];
	int n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());

	p->is_lock_ours = true;
	/* The pid is for people; the lock holds without it. */
	if (ftruncate(p->lock_fd, 0) < 0 ||
	    write(p->lock_fd, pid, (size_t)n) != n)
		log_notice("lockfile `%s': %s", p->lock_path, strerror(errno));
}

void process_unlock(struct process *p)
{
	if (p->lock_fd < 0)
		return;
	if (p->is_lock_ours && is_same_file(p->lock_fd, p->lock_path))
		(void)unlink(p->lock_path);
	close(p->lock_fd);
	p->lock_fd = -1;
}

/* ---- the rest ----------------------------------------------------------- */

void process_schedule(enum process_policy policy, uint32_t priority)
{
	const struct sched_param param = { .sched_priority = (int)priority };

	if (policy == PROCESS_NICE) {
		if (setpriority(PRIO_PROCESS, 0, DEFAULT_NICE) < 0)
			log_notice("nice %d: %s", DEFAULT_NICE,
				   strerror(errno));
		return;
	}
	/* The function of musl always fails with ENOSYS. */
	if (syscall(SYS_sched_setscheduler, 0,
		    policy == PROCESS_RR ? SCHED_RR : SCHED_FIFO, &param) < 0)
		log_notice("Scheduler %s, Priority %u: %s",
			   policy == PROCESS_RR ? "RR" : "FIFO", priority,
			   strerror(errno));
}

/* Kernels before 3.17, and filters of containers, have no getrandom(). */
static int random_of_device(void *out, size_t n)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, out, n);
	int err = got < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err == 0 && (size_t)got != n ? -EIO : err;
}

int process_random(void *out, size_t n)
{
	ssize_t got;

	do
		got = getrandom(out, n, 0);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)n ? 0 : random_of_device(out, n);
}

static void read_line(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

void process_host_id(char out[PROCESS_HOST_ID_SIZE])
{
	size_t n;

	read_line("/etc/machine-id", out, PROCESS_HOST_ID_SIZE / 2);
	n = strlen(out);
	if (gethostname(out + n, PROCESS_HOST_ID_SIZE - n) < 0)
		out[n] = '\0';
	out[PROCESS_HOST_ID_SIZE - 1] = '\0';
}
