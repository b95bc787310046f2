/* SPDX-License-Identifier: ISC */
/* Lines are looked at where they arrive: in a file, in pipes and sockets that
 * stand for stdout and stderr, and at a socket that stands for syslog's. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "base/log.h"

static const struct log_opts nothing = { .syslog_facility = -1 };

/* stdout and stderr while they are pipes; the text that came. */
struct console {
	int saved[2], pipe[2][2];
	char text[2][8192];
};

static void console_begin(struct console *c)
{
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		c->saved[i] = dup(i + 1);
		assert_int_equal(pipe2(c->pipe[i], O_NONBLOCK), 0);
		dup2(c->pipe[i][1], i + 1);
	}
}

static void console_end(struct console *c)
{
	for (int i = 0; i < 2; i++) {
		ssize_t n;

		dup2(c->saved[i], i + 1);
		n = read(c->pipe[i][0], c->text[i], sizeof(c->text[i]) - 1);
		c->text[i][n > 0 ? n : 0] = '\0';
		close(c->saved[i]);
		close(c->pipe[i][0]);
		close(c->pipe[i][1]);
	}
}

static void read_file(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, out, size - 1);
	assert_true(n >= 0);
	out[n] = '\0';
	close(fd);
}

static void temp_dir(char path[64], char dir[32])
{
	snprintf(dir, 32, "/tmp/test_log.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, 64, "%s/log", dir);
}

/* `[Tue Nov 24 04:15:03 2026] (pid=PID) ` and the rest */
static void assert_line(const char *line, const char *rest)
{
	char expected[4096];

	assert_int_equal(line[0], '[');
	assert_int_equal(line[4], ' ');
	assert_int_equal(line[14], ':');
	assert_int_equal(line[25], ']');
	snprintf(expected, sizeof(expected), " (pid=%ld) %s", (long)getpid(),
		 rest);
	assert_string_equal(line + 26, expected);
}

static void test_lines_go_to_the_console_until_the_log_is_open(void **state)
{
	static struct console c;

	(void)state;
	console_begin(&c);
	errno = 4711;
	log_notice("hello %d", 5);
	log_error("alas");
	console_end(&c);
	assert_int_equal(errno, 4711);
	assert_line(c.text[0], "[notice] hello 5\n");
	assert_line(c.text[1], "[ERROR] alas\n");
}

static void test_the_console_takes_each_level_on_its_stream(void **state)
{
	static struct console c;
	struct log_opts opts = nothing;

	(void)state;
	opts.console = true;
	console_begin(&c);
	assert_int_equal(log_open(&opts), 0);
	log_info("one");
	log_warn("two");
	log_console_off();
	log_info("unseen");
	log_error("unseen");
	console_end(&c);
	log_close();
	assert_line(c.text[0], "[info] one\n");
	assert_line(c.text[1], "[warning] two\n");
}

static void test_the_file_is_private_and_appended_to(void **state)
{
	char path[64], dir[32], text[512];
	struct log_opts opts = nothing;
	struct stat st;
	mode_t mask = umask(0);

	(void)state;
	temp_dir(path, dir);
	opts.file = path;
	assert_int_equal(log_open(&opts), 0);
	umask(mask);
	log_notice("one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(log_open(&opts), 0);
	log_info("two");
	log_close();
	read_file(path, text, sizeof(text));
	assert_line(strchr(text, '\n') + 1, "[info] two\n");
	strchr(text, '\n')[1] = '\0';
	assert_line(text, "[notice] one\n");
	unlink(path);
	rmdir(dir);
}

static void test_reopening_follows_a_rotated_file(void **state)
{
	char path[64], dir[32], text[512], old[80];
	struct log_opts opts = nothing;

	(void)state;
	temp_dir(path, dir);
	opts.file = path;
	assert_int_equal(log_open(&opts), 0);
	snprintf(old, sizeof(old), "%s.1", path);
	rename(path, old);
	log_info("old");
	assert_int_equal(log_reopen(), 0);
	log_info("new");
	read_file(old, text, sizeof(text));
	assert_line(text, "[info] old\n");
	read_file(path, text, sizeof(text));
	assert_line(text, "[info] new\n");
	unlink(old);
	unlink(path);
	rmdir(dir);
	assert_int_equal(log_reopen(), -ENOENT);
	log_info("into a file without a name"); /* does no harm */
	log_close();
	assert_int_equal(log_reopen(), 0);
}

static void test_a_failed_open_leaves_the_log_as_it_was(void **state)
{
	char path[64], dir[32], text[512];
	struct log_opts opts = nothing;

	(void)state;
	temp_dir(path, dir);
	opts.file = path;
	assert_int_equal(log_open(&opts), 0);
	opts.file = "/nonexistent/log";
	assert_int_equal(log_open(&opts), -ENOENT);
	alloc_fail_after(0);
	assert_int_equal(log_open(&opts), -ENOMEM);
	assert_true(alloc_fail_off());
	log_info("still here");
	log_close();
	read_file(path, text, sizeof(text));
	assert_line(text, "[info] still here\n");
	unlink(path);
	rmdir(dir);
}

static void test_stdout_as_the_file_silences_the_console(void **state)
{
	static struct console c;
	struct log_opts opts = nothing;

	(void)state;
	opts.file = "/dev/stdout";
	opts.console = true;
	console_begin(&c);
	assert_int_equal(log_open(&opts), 0);
	log_error("once");
	assert_int_equal(log_reopen(), 0);
	log_close();
	console_end(&c);
	assert_line(c.text[0], "[ERROR] once\n");
	assert_string_equal(c.text[1], "");
}

/* ---- who takes nothing stops nobody ------------------------------------- */

enum { MANY = 3000, LIMIT_S = 60 };

/* Numbered lines, more than any buffer takes. */
static void log_many(void)
{
	alarm(LIMIT_S); /* a write that waits never returns */
	for (int i = 0; i < MANY; i++)
		log_info("%0100d", i);
	alarm(0);
}

/* What has arrived so far: numbered lines in order, and lines that tell how
 * many are missing between them. */
struct arrived {
	const char *name;
	int next; /* number of the line that must be next */
	int n_told;
};

/* What follows the date, the pid and the level. */
static const char *text_of(const char *line)
{
	static const char *const marks[] = { ") [info] ", ") [warning] ",
					     "]: " };

	for (size_t i = 0; i < N_ELEMENTS(marks); i++) {
		const char *mark = strstr(line, marks[i]);

		if (mark)
			return mark + strlen(marks[i]);
	}
	fail_msg("not a line of the log: %s", line);
	return NULL;
}

static void take_line(struct arrived *a, const char *line)
{
	static const char lost[] = " lines were lost";
	const char *text = text_of(line);
	size_t name_len = strlen(a->name);
	char expected[256], *end;
	long n_lost;

	if (strncmp(text, a->name, name_len) == 0) {
		assert_memory_equal(text + name_len, ": ", 2);
		n_lost = strtol(text + name_len + 2, &end, 10);
		assert_string_equal(end, lost);
		assert_true(n_lost > 0);
		a->next += (int)n_lost;
		a->n_told++;
		return;
	}
	snprintf(expected, sizeof(expected), "%0100d", a->next++);
	assert_string_equal(text, expected);
}

/* Reads all that is there; lines end with end. */
static void take_bytes(struct arrived *a, int fd, char end)
{
	static char text[1 << 20];
	size_t used = 0;
	ssize_t n;
	char *at = text, *stop;

	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	for (; (stop = memchr(at, end, used - (size_t)(at - text)));
	     at = stop + 1) {
		*stop = '\0';
		take_line(a, at);
	}
	assert_int_equal(at - text, used); /* no piece of a line */
}

static void take_datagrams(struct arrived *a, int fd)
{
	char text[4096];
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[n] = '\0';
		take_line(a, text);
	}
}

/* Until nothing is behind. */
#define TAKE_ALL(take)                                                \
	do {                                                          \
		bool is_behind;                                       \
                                                                      \
		do {                                                  \
			take;                                         \
			is_behind = log_flush();                      \
			assert_int_equal(is_behind, log_is_behind()); \
		} while (is_behind);                                  \
		take;                                                 \
	} while (0)

static void assert_all_arrived(const struct arrived *a)
{
	assert_int_equal(a->next, MANY);
	assert_true(a->n_told > 0);
}

static void test_a_named_pipe_that_is_full_stops_nobody(void **state)
{
	struct arrived a = { .name = "log file" };
	char path[64], dir[32];
	struct log_opts opts = nothing;
	int fd;

	(void)state;
	temp_dir(path, dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	opts.file = path;
	assert_int_equal(log_open(&opts), -ENXIO); /* and does not wait */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(log_open(&opts), 0);
	assert_false(log_is_behind());
	log_many();
	assert_true(log_is_behind());
	TAKE_ALL(take_bytes(&a, fd, '\n'));
	assert_all_arrived(&a);
	log_close();
	close(fd);
	unlink(path);
	rmdir(dir);
}

/* fds[0] is read, fds[1] is stdout, on which writes wait. */
static void try_stdout(int fds[2], const struct log_opts *opts,
		       struct arrived *a)
{
	int saved = dup(1), flags;

	fflush(stdout);
	dup2(fds[1], 1);
	close(fds[1]);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	flags = fcntl(1, F_GETFL);
	assert_int_equal(log_open(opts), 0);
	log_many();
	TAKE_ALL(take_bytes(a, fds[0], '\n'));
	/* others who have it see no change */
	assert_int_equal(fcntl(1, F_GETFL), flags);
	assert_false(flags & O_NONBLOCK);
	log_close();
	dup2(saved, 1);
	close(saved);
	/* nothing of it is left open here */
	assert_int_equal(read(fds[0], &flags, sizeof(flags)), 0);
	close(fds[0]);
	assert_all_arrived(a);
}

static void test_a_full_pipe_as_stdout_stops_nobody(void **state)
{
	struct arrived a = { .name = "standard output" },
		       b = { .name = "log file" };
	struct log_opts opts = nothing;
	int fds[2];

	(void)state;
	opts.console = true;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	try_stdout(fds, &opts, &a);
	opts.file = "/dev/stdout";
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	try_stdout(fds, &opts, &b);
}

/* A service manager's journal is one. */
static void test_a_full_socket_as_stdout_stops_nobody(void **state)
{
	struct arrived a = { .name = "standard output" };
	struct log_opts opts = nothing;
	int fds[2];

	(void)state;
	opts.console = true;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	try_stdout(fds, &opts, &a);
}

static int listen_at(const char *path, int type)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static struct log_opts syslog_opts(const char *path)
{
	return (struct log_opts){ .syslog_facility = 3 << 3,
				  .syslog_path = path };
}

static void test_a_hung_syslog_stops_nobody(void **state)
{
	struct arrived a = { .name = "syslog" };
	char path[64], dir[32];
	struct log_opts opts = syslog_opts(path);
	int fd;

	(void)state;
	temp_dir(path, dir);
	fd = listen_at(path, SOCK_DGRAM);
	assert_int_equal(log_open(&opts), 0);
	log_many();
	TAKE_ALL(take_datagrams(&a, fd));
	assert_all_arrived(&a);
	log_close();
	close(fd);
	unlink(path);
	rmdir(dir);
}

/* `<29>Nov 24 04:15:03 conntrack-tools[PID]: text` */
static void assert_record(const char *record, const char *rest)
{
	char expected[256];

	snprintf(expected, sizeof(expected), " conntrack-tools[%ld]: %s",
		 (long)getpid(), rest);
	assert_memory_equal(record, "<29>", 4);
	assert_int_equal(record[7], ' ');
	assert_int_equal(record[10], ' ');
	assert_int_equal(record[13], ':');
	assert_int_equal(record[16], ':');
	assert_string_equal(record + 19, expected);
}

static void assert_datagram(int fd, const char *rest)
{
	char text[4096];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	assert_true(n > 0);
	text[n] = '\0';
	assert_record(text, rest);
}

static void test_syslog_may_come_late_and_be_made_anew(void **state)
{
	char path[64], dir[32];
	struct log_opts opts = syslog_opts(path);
	int old, new;

	(void)state;
	temp_dir(path, dir);
	assert_int_equal(log_open(&opts), 0);
	log_notice("one");
	assert_true(log_is_behind());
	old = listen_at(path, SOCK_DGRAM);
	assert_false(log_flush());
	assert_datagram(old, "syslog: No such file or directory: lines wait "
			     "until it answers");
	assert_datagram(old, "one");
	/* a second one while the first is still there, and full */
	while (!log_is_behind())
		log_notice("two");
	new = listen_at(path, SOCK_DGRAM);
	assert_false(log_flush());
	assert_datagram(new, "two");
	close(new);
	log_notice("three");
	new = listen_at(path, SOCK_DGRAM);
	log_notice("four");
	assert_datagram(new, "three");
	assert_datagram(new, "four");
	log_close();
	close(old);
	close(new);
	unlink(path);
	rmdir(dir);
}

static void test_an_old_syslog_takes_a_stream_of_records(void **state)
{
	struct arrived a = { .name = "syslog" };
	char path[64], dir[32], text[512];
	struct log_opts opts = syslog_opts(path);
	int listener, fd;
	ssize_t n;

	(void)state;
	temp_dir(path, dir);
	listener = listen_at(path, SOCK_STREAM);
	assert_int_equal(log_open(&opts), 0);
	log_notice("one");
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	n = read(fd, text, sizeof(text));
	assert_true(n > 0 && text[n - 1] == '\0');
	assert_record(text, "one");
	log_many();
	TAKE_ALL(take_bytes(&a, fd, '\0'));
	assert_all_arrived(&a);
	close(fd);
	log_notice("two");
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	n = read(fd, text, sizeof(text));
	assert_true(n > 0 && text[n - 1] == '\0');
	assert_record(text, "two");
	log_close();
	close(fd);
	close(listener);
	unlink(path);
	rmdir(dir);
}

static void test_what_is_held_goes_into_the_file_that_is_opened(void **state)
{
	struct arrived a = { .name = "log file" };
	char path[64], dir[32], old[80];
	struct log_opts opts = nothing;
	int fd, n_first;

	(void)state;
	temp_dir(path, dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	opts.file = path;
	assert_int_equal(log_open(&opts), 0);
	log_many();
	snprintf(old, sizeof(old), "%s.1", path);
	rename(path, old);
	assert_int_equal(log_reopen(), 0);
	assert_false(log_flush());
	take_bytes(&a, fd, '\n');
	n_first = a.next;
	assert_true(n_first > 0 && n_first < MANY);
	close(fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	take_bytes(&a, fd, '\n');
	assert_all_arrived(&a);
	log_close();
	close(fd);
	unlink(old);
	unlink(path);
	rmdir(dir);
}

/* R: it runs, S: it waits, Z: it has ended, ... */
static char state_of(pid_t pid)
{
	char path[32], text[256];
	const char *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	read_file(path, text, sizeof(text));
	end = strrchr(text, ')');
	assert_non_null(end);
	return end[2];
}

/* A reader who comes a moment later still gets the last words. */
static void test_closing_waits_a_moment_for_who_is_slow(void **state)
{
	struct arrived a = { .name = "log file" };
	char path[64], dir[32];
	struct log_opts opts = nothing;
	int fd, count[2], n = 0, status;
	pid_t child;

	(void)state;
	temp_dir(path, dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(pipe2(count, O_CLOEXEC), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	opts.file = path;
	assert_int_equal(log_open(&opts), 0);
	child = fork();
	if (child == 0) {
		alarm(LIMIT_S);
		while (!log_is_behind())
			log_info("%0100d", n++);
		n = write(count[1], &n, sizeof(n)) == sizeof(n);
		log_close();
		_exit(!n);
	}
	log_close();
	assert_int_equal(read(count[0], &n, sizeof(n)), sizeof(n));
	while (!strchr("SZ", state_of(child)))
		;
	while (waitpid(child, &status, WNOHANG) == 0)
		take_bytes(&a, fd, '\n');
	take_bytes(&a, fd, '\n');
	assert_int_equal(status, 0);
	assert_int_equal(a.next, n);
	close(count[0]);
	close(count[1]);
	close(fd);
	unlink(path);
	rmdir(dir);
}

static void test_control_characters_cannot_forge_a_line(void **state)
{
	static struct console c;

	(void)state;
	console_begin(&c);
	log_info("name %s", "a\n[forged]\x1b[31m\x7f");
	console_end(&c);
	assert_line(c.text[0], "[info] name a?[forged]?[31m?\n");
}

static void test_a_long_line_is_cut_and_says_so(void **state)
{
	static struct console c;
	size_t len;

	(void)state;
	console_begin(&c);
	log_info("%02500d", 1);
	log_info("%02000d", 1);
	console_end(&c);
	len = strcspn(c.text[0], "\n");
	assert_memory_equal(c.text[0] + len - 5, "00...", 5);
	/* the second one just fits */
	assert_int_equal(strlen(c.text[0]), 2 * (len + 1));
	assert_string_equal(c.text[0] + 2 * len - 1, "01\n");
}

static void test_syslog_alone_prints_nothing(void **state)
{
	static struct console c;
	struct log_opts opts = { .syslog_facility = 3 << 3 };

	(void)state;
	console_begin(&c);
	assert_int_equal(log_open(&opts), 0);
	log_info("test of conntrackd's log");
	log_close();
	console_end(&c);
	assert_string_equal(c.text[0], "");
	assert_string_equal(c.text[1], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_lines_go_to_the_console_until_the_log_is_open),
		cmocka_unit_test(
			test_the_console_takes_each_level_on_its_stream),
		cmocka_unit_test(test_the_file_is_private_and_appended_to),
		cmocka_unit_test(test_reopening_follows_a_rotated_file),
		cmocka_unit_test(test_a_failed_open_leaves_the_log_as_it_was),
		cmocka_unit_test(test_stdout_as_the_file_silences_the_console),
		cmocka_unit_test(test_a_named_pipe_that_is_full_stops_nobody),
		cmocka_unit_test(test_a_full_pipe_as_stdout_stops_nobody),
		cmocka_unit_test(test_a_full_socket_as_stdout_stops_nobody),
		cmocka_unit_test(test_a_hung_syslog_stops_nobody),
		cmocka_unit_test(test_syslog_may_come_late_and_be_made_anew),
		cmocka_unit_test(test_an_old_syslog_takes_a_stream_of_records),
		cmocka_unit_test(
			test_what_is_held_goes_into_the_file_that_is_opened),
		cmocka_unit_test(test_closing_waits_a_moment_for_who_is_slow),
		cmocka_unit_test(test_control_characters_cannot_forge_a_line),
		cmocka_unit_test(test_a_long_line_is_cut_and_says_so),
		cmocka_unit_test(test_syslog_alone_prints_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
