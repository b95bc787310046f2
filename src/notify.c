/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "notify.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static void send_text(const char *text, int flags)
{
	const struct timeval limit = { .tv_sec = 1 };
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	socklen_t to_len;
	int fd;

	if (!len || len >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0'; /* the abstract name space */
	to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL | flags,
		     (const struct sockaddr *)&to, to_len);
	close(fd);
}

void notify_off(void)
{
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
}

void notify_ready(void)
{
	send_text("READY=1", 0);
}

void notify_stopping(void)
{
	send_text("STOPPING=1", 0);
}

void notify_watchdog(void)
{
	send_text("WATCHDOG=1", MSG_DONTWAIT);
}

void notify_main_pid(pid_t pid)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "MAINPID=%ld", (long)pid);
	send_text(text, 0);
}

static bool is_number(const char *text, long long *out)
{
	char *end;

	*out = strtoll(text, &end, 10);
	return end != text && !*end && *out > 0;
}

int64_t notify_watchdog_ms(pid_t first)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	long long value;

	if (!usec)
		return 0;
	if (pid && !is_number(pid, &value))
		return -1;
	if (pid && value != first)
		return 0;
	/* Half of it has to be a millisecond at least. */
	return is_number(usec, &value) && value >= 2000 ? value / 1000 : -1;
}
