/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "cli/ctl_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/ctl_proto.h"

enum { BACKLOG = 100 };

static int set_path(struct sockaddr_un *addr, const char *path)
{
	size_t len = strlen(path);

	if (len == 0)
		return -ENOENT;
	if (len > CTL_PATH_MAX)
		return -ENAMETOOLONG;
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	memcpy(addr->sun_path, path, len);
	return 0;
}

/* flags: SOCK_NONBLOCK or 0 */
static int new_socket(int flags)
{
	int low = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	int fd;

	if (low < 0)
		return -errno;
	if (low > STDERR_FILENO)
		return low;
	fd = fcntl(low, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0)
		fd = -errno;
	close(low);
	return fd;
}

/* A connected descriptor, or a negative errno value. limit_ms: 0 is none. */
static int connect_to(const struct sockaddr_un *addr, int flags,
		      unsigned int limit_ms)
{
	const struct timeval limit = { limit_ms / 1000,
				       (suseconds_t)(limit_ms % 1000) * 1000 };
	int fd = new_socket(flags);
	int err;

	if (fd < 0)
		return fd;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int bind_to(int fd, const struct sockaddr_un *addr)
{
	return bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0
		       ? -errno
		       : 0;
}

/* 0 if the file was a socket without a listener, or a symbolic link that leads
 * to none, and is gone now. */
static int remove_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd = connect_to(addr, SOCK_NONBLOCK, 0);

	if (fd >= 0)
		close(fd);
	/* busy with others, or of another type: somebody is there */
	if (fd >= 0 || fd == -EAGAIN || fd == -EPROTOTYPE)
		return -EADDRINUSE;
	/* ENOENT: it has gone meanwhile, or it is a link to nothing */
	if (fd != -ECONNREFUSED && fd != -ENOENT)
		return fd;
	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode) && !S_ISLNK(st.st_mode))
		return -EEXIST;
	return unlink(addr->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

int ctl_socket_connect(const char *path, unsigned int limit_ms)
{
	struct sockaddr_un addr;
	int err = set_path(&addr, path);

	return err < 0 ? err : connect_to(&addr, 0, limit_ms);
}

int ctl_socket_listen(const char *path)
{
	struct sockaddr_un addr;
	int err = set_path(&addr, path);
	int fd;

	if (err < 0)
		return err;
	fd = new_socket(SOCK_NONBLOCK);
	if (fd < 0)
		return fd;
	/* Linux gives the mode of the socket to the file that bind() makes. */
	err = fchmod(fd, 0600) < 0 ? -errno : bind_to(fd, &addr);
	if (err == -EADDRINUSE) {
		err = remove_stale(&addr);
		if (err == 0)
			err = bind_to(fd, &addr);
	}
	if (err == 0 && listen(fd, BACKLOG) < 0) {
		err = -errno;
		unlink(addr.sun_path);
	}
	if (err == 0)
		return fd;
	close(fd);
	return err;
}
