/* SPDX-License-Identifier: ISC */
/* Lines are looked at where they arrive: in a file, and in pipes that stand
 * for stdout and stderr. */
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
#include <sys/stat.h>
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
	log_console(false);
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

static void test_lost_lines_are_counted_and_told(void **state)
{
	char path[64], dir[32], drain[4096], text[512];
	struct log_opts opts = nothing;
	int fd, n_lost = 0;
	ssize_t n;

	(void)state;
	temp_dir(path, dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	opts.file = path;
	assert_int_equal(log_open(&opts), -ENXIO); /* and does not wait */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(fcntl(fd, F_SETPIPE_SZ, 4096), 4096);
	assert_int_equal(log_open(&opts), 0);
	for (int i = 0; i < 100; i++) /* more than the pipe takes */
		log_info("%0100d", i);
	while ((n = read(fd, drain, sizeof(drain))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			n_lost += drain[i] == '\n';
	}
	n_lost = 100 - n_lost;
	assert_true(n_lost > 0);
	log_info("again");
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	snprintf(drain, sizeof(drain),
		 "[warning] log file: %d lines were lost\n", n_lost);
	assert_line(strchr(text, '\n') + 1, "[info] again\n");
	strchr(text, '\n')[1] = '\0';
	assert_line(text, drain);
	log_close();
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
		cmocka_unit_test(test_lost_lines_are_counted_and_told),
		cmocka_unit_test(test_control_characters_cannot_forge_a_line),
		cmocka_unit_test(test_a_long_line_is_cut_and_says_so),
		cmocka_unit_test(test_syslog_alone_prints_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
