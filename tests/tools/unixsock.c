/* SPDX-License-Identifier: ISC */
/* unixsock.c - clients of the control socket that conntrackd's own is not.
 *
 *	unixsock silent PATH              connects, sends nothing, waits
 *	unixsock half PATH                sends half a request and leaves
 *	unixsock slow PATH CODE           sends CODE, reads one byte a second
 *	unixsock ask PATH CODE            sends CODE, prints the answer
 *	unixsock notify PATH              a service manager: prints each
 *	                                  datagram that comes, on a line
 *
 * Prints `connected` on stderr; ends at end of file or when killed. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) >= sizeof(sa.sun_path))
		return -1;
	memcpy(sa.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return -1;
	fprintf(stderr, "connected\n");
	return fd;
}

/* Stands for the service manager: until it is killed. */
static int listen_to(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char buf[4096];
	ssize_t n;

	if (strlen(path) >= sizeof(sa.sun_path))
		return 1;
	memcpy(sa.sun_path, path, strlen(path));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return 1;
	fprintf(stderr, "connected\n");
	while ((n = recv(fd, buf, sizeof(buf), 0)) >= 0) {
		printf("%.*s\n", (int)n, buf);
		fflush(stdout);
	}
	return 1;
}

int main(int argc, char **argv)
{
	int is_slow = argc == 4 && strcmp(argv[1], "slow") == 0;
	int code = argc == 4 ? (int)strtol(argv[3], NULL, 0) : 0;
	size_t piece = is_slow ? 1 : 4096;
	char buf[4096];
	ssize_t n;
	int fd;

	if (argc == 3 && strcmp(argv[1], "notify") == 0)
		return listen_to(argv[2]);
	if (argc < 3) {
		fprintf(stderr,
			"usage: unixsock silent|half PATH, or slow|ask PATH "
			"CODE\n");
		return 2;
	}
	fd = connect_to(argv[2]);
	if (fd < 0) {
		perror(argv[2]);
		return 1;
	}
	if (argc == 3 && strcmp(argv[1], "half") == 0)
		return write(fd, &code, 2) != 2;
	if (argc == 4 && write(fd, &code, sizeof(code)) != sizeof(code))
		return 1;
	while ((n = read(fd, buf, piece)) > 0) {
		if (!is_slow)
			fwrite(buf, 1, (size_t)n, stdout);
		else
			sleep(1);
	}
	return 0;
}
