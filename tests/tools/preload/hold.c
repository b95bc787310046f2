/* SPDX-License-Identifier: ISC */
/* hold.c - preloaded into a daemon, holds it at a request to conntrack.
 *
 * HOLD names a directory. Where the file `get` (for a question) or `dump` is
 * there, the next such request makes it `before`, and is sent when that is
 * removed; then it makes `after`, and the daemon goes on when that is. */
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void path_of(char path[256], const char *name)
{
	snprintf(path, 256, "%s/%s", getenv("HOLD"), name);
}

static void wait_for_removal(const char *name)
{
	char path[256];

	path_of(path, name);
	while (access(path, F_OK) == 0)
		usleep(5000);
}

static bool is_held(const void *bytes, size_t n, const struct sockaddr *to)
{
	struct nlmsghdr h;
	char armed[256], before[256];

	if (!getenv("HOLD") || !to || to->sa_family != AF_NETLINK ||
	    n < sizeof(h))
		return false;
	memcpy(&h, bytes, sizeof(h));
	if (h.nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET))
		return false;
	path_of(armed,
		(h.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP ? "dump" : "get");
	path_of(before, "before");
	return rename(armed, before) == 0;
}

ssize_t sendto(int fd, const void *bytes, size_t n, int flags,
	       const struct sockaddr *to, socklen_t len)
{
	bool held = is_held(bytes, n, to);
	char after[256];
	ssize_t sent;

	if (held)
		wait_for_removal("before");
	sent = syscall(SYS_sendto, fd, bytes, n, flags, to, len);
	if (held) {
		path_of(after, "after");
		close(open(after, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
		wait_for_removal("after");
	}
	return sent;
}
