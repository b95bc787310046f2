/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void send_text(const char *text)
{
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
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, text, strlen(text), MSG_NOSIGNAL,
		     (const struct sockaddr *)&to, to_len);
	close(fd);
}

void notify_ready(void)
{
	send_text("READY=1");
}

void notify_stopping(void)
{
	send_text("STOPPING=1");
}

void notify_watchdog(void)
{
	send_text("WATCHDOG=1");
}

void notify_main_pid(pid_t pid)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "MAINPID=%ld", (long)pid);
	send_text(text);
}

int64_t notify_watchdog_ms(pid_t first)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	unsigned long long value;
	char *end;

	if (!usec || (pid && strtol(pid, NULL, 10) != (long)first))
		return 0;
	value = strtoull(usec, &end, 10);
	if (end == usec || *end || value < 2000 || value > INT64_MAX / 2)
		return -1;
	return (int64_t)(value / 1000);
}
