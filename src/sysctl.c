/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define NETFILTER "/proc/sys/net/netfilter/"

/* False: errno tells why. */
static bool read_number(const char *path, long *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int err = n == 0 ? ENODATA : errno;

	if (fd >= 0)
		close(fd);
	errno = err;
	if (n <= 0)
		return false;
	text[n] = '\0';
	*out = strtol(text, NULL, 10);
	return true;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
	int err = n < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

/* With the default of 2, flows that begin while nobody listens never report
 * their end (Linux 5.19 and later). */
static void prepare_events(void)
{
	static const char path[] = NETFILTER "nf_conntrack_events";
	long value;
	int err;

	if (!read_number(path, &value)) {
		log_notice("nf_conntrack_events cannot be read: %s",
			   strerror(errno));
		return;
	}
	if (value == 1) {
		log_info("nf_conntrack_events is 1");
		return;
	}
	err = value == 2 ? write_text(path, "1") : -EPERM;
	if (err == 0)
		log_notice("nf_conntrack_events was %ld, set to 1", value);
	else if (value == 0)
		log_warn("nf_conntrack_events is 0: the kernel reports no "
			 "changes, nothing can be replicated");
	else
		log_warn("nf_conntrack_events is %ld and cannot be set to 1: "
			 "%s",
			 value, strerror(-err));
}

static void compare_limits(uint32_t hash_limit)
{
	long max;

	if (!read_number(NETFILTER "nf_conntrack_max", &max))
		log_notice("nf_conntrack_max cannot be read: %s",
			   strerror(errno));
	else if (max > (long)hash_limit)
		log_notice("nf_conntrack_max is %ld, but HashLimit %u: flows "
			   "beyond it will not be replicated",
			   max, hash_limit);
	else
		log_info("nf_conntrack_max is %ld, HashLimit %u", max,
			 hash_limit);
}

/* Only the initial user namespace's NET_ADMIN may go beyond rmem_max. */
static void tell_buffer_limit(void)
{
	const int bytes = 65536;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long max;

	if (fd < 0)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ==
	    0)
		goto out;
	if (read_number("/proc/sys/net/core/rmem_max", &max))
		log_notice("socket buffers cannot be forced, rmem_max is %ld",
			   max);
	else
		log_notice("socket buffers cannot be forced, rmem_max cannot "
			   "be read: %s",
			   strerror(errno));
out:
	close(fd);
}

void sysctl_prepare(uint32_t hash_limit, bool reads_events)
{
	static const char *const told[] = { "nf_conntrack_tcp_loose",
					    "nf_conntrack_tcp_be_liberal",
					    "nf_conntrack_acct",
					    "nf_conntrack_timestamp" };

	if (reads_events)
		prepare_events();
	compare_limits(hash_limit);
	tell_buffer_limit();
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		char path[128];
		long value;

		(void)snprintf(path, sizeof(path), NETFILTER "%s", told[i]);
		if (read_number(path, &value))
			log_info("%s is %ld", told[i], value);
	}
}
