/* SPDX-License-Identifier: ISC */
/* The client against daemons that do not answer, or not yet: each is a process
 * of its own. What an answer means is in test_ctl_server.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/ctl_client.h"
#include "cli/ctl_proto.h"
#include "cli/ctl_socket.h"

/* MUTE_MS only where it counts: elsewhere it is the default, some minutes. */
enum { SILENCE_MS = 200, MUTE_MS = 600, LIMIT_MS = 60000 };

/* A daemon, and what our client got out of it. */
struct fixture {
	char dir[32];
	char path[64];
	pid_t pid;
	unsigned int mute_ms;
	int status;
	char why[CTL_WHY_MAX];
	int64_t took_ms;
};

typedef void daemon_fn(const struct fixture *f, int listener);

static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void setup(struct fixture *f)
{
	*f = (struct fixture){ .dir = "/tmp/ctl-XXXXXX" };
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
}

static void teardown(struct fixture *f)
{
	kill(f->pid, SIGKILL);
	(void)waitpid(f->pid, NULL, 0);
	(void)unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
}

/* Returns when it listens. in_background: as a daemon of the conntrack-tools,
 * the process that listens is not the one that goes on. */
static void start(struct fixture *f, daemon_fn *run, bool in_background)
{
	int ready[2], fd;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fd = ctl_socket_listen(f->path);
		if (fd < 0)
			_exit(1);
		pid = in_background ? fork() : 0;
		if (pid == 0) {
			pid = getpid();
			if (write(ready[1], &pid, sizeof(pid)) < 0)
				_exit(1);
			alarm(60);
			run(f, fd);
		}
		_exit(0);
	}
	assert_int_equal(read(ready[0], &f->pid, sizeof(f->pid)),
			 sizeof(f->pid));
	close(ready[0]);
	close(ready[1]);
	if (in_background)
		assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void ask(struct fixture *f, int code)
{
	struct wr w = { .buf = (uint8_t *)f->why, .size = sizeof(f->why) - 1 };
	const struct ctl_client_opts o = { .path = f->path,
					   .code = code,
					   .out_fd = STDOUT_FILENO,
					   .silence_ms = SILENCE_MS,
					   .mute_ms = f->mute_ms };
	int64_t since_ms = clock_ms();

	f->status = ctl_client_run(&o, &w);
	f->took_ms = clock_ms() - since_ms;
}

/* ---- daemons ---- */

/* The next client and its request. */
static int take(int listener, uint32_t *code)
{
	int fd;

	do {
		fd = accept(listener, NULL, NULL);
		if (fd < 0 && errno == EAGAIN) /* it does not block */
			usleep(1000);
	} while (fd < 0);
	if (read(fd, code, sizeof(*code)) != sizeof(*code))
		_exit(1);
	return fd;
}

static void answer(int fd, void (*part)(struct wr *out))
{
	uint8_t buf[CTL_TAIL_MAX];
	struct wr w = { .buf = buf, .size = sizeof(buf) };

	part(&w);
	if (write(fd, buf, w.used) != (ssize_t)w.used)
		_exit(1);
}

static void success(struct wr *out)
{
	ctl_answer_tail(0, "well", out);
}

static void hang(const struct fixture *f, int listener)
{
	(void)f;
	(void)listener;
	for (;;)
		pause();
}

static void be_stopped(const struct fixture *f, int listener)
{
	raise(SIGSTOP);
	hang(f, listener);
}

/* Ours, and what it does takes some time. */
static void work_and_answer(const struct fixture *f, int listener)
{
	uint32_t code;
	int fd = take(listener, &code);

	answer(fd, ctl_answer_head);
	for (int i = 0; i < 3; i++) /* others ask meanwhile */
		close(take(listener, &code));
	answer(fd, success);
	close(fd);
	hang(f, listener);
}

/* One of the conntrack-tools: busy, then it knows no answers with status. */
static void answer_plainly(const struct fixture *f, int listener)
{
	uint32_t code;

	for (;;)
		close(take(listener, &code));
	hang(f, listener);
}

static void burn(const struct fixture *f, int listener)
{
	int64_t end_ms = clock_ms() + 2 * MUTE_MS;

	while (clock_ms() < end_ms)
		;
	answer_plainly(f, listener);
}

static void sleep_and_answer(const struct fixture *f, int listener)
{
	usleep(3 * SILENCE_MS * 1000);
	answer_plainly(f, listener);
}

/* It takes no more requests, cleans up, and answers. */
static void end_slowly(const struct fixture *f, int listener)
{
	uint32_t code;
	int fd = take(listener, &code);

	answer(fd, ctl_answer_head);
	close(listener);
	(void)unlink(f->path);
	usleep(3 * SILENCE_MS * 1000);
	answer(fd, success);
}

/* ---- tests ---- */

static void test_what_is_answered_at_once_is_not_waited_for(void **state)
{
	static const int codes[] = { CTL_STATS, CTL_SEND_BULK, CTL_REQUEST_BULK,
				     CTL_RESET_TIMERS };
	struct fixture f;

	(void)state;
	setup(&f);
	start(&f, hang, false);
	for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
		ask(&f, codes[i]);
		assert_int_equal(f.status, 1);
		assert_string_equal(f.why, "the daemon does not answer");
		assert_true(f.took_ms >= SILENCE_MS && f.took_ms < LIMIT_MS);
	}
	teardown(&f);
}

static void test_a_daemon_that_hangs_is_found_out(void **state)
{
	static const int codes[] = { CTL_COMMIT,       CTL_RESYNC,
				     CTL_FLUSH_KERNEL, CTL_FLUSH_CACHES,
				     CTL_KILL,         CTL_DUMP_INTERNAL };
	struct fixture f;

	(void)state;
	setup(&f);
	start(&f, hang, false);
	for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
		ask(&f, codes[i]);
		assert_int_equal(f.status, 1);
		assert_string_equal(f.why, "the daemon does not answer");
		assert_true(f.took_ms < LIMIT_MS);
	}
	teardown(&f);
}

static void test_a_daemon_that_is_stopped_is_told_apart(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	start(&f, be_stopped, false);
	assert_int_equal(waitpid(f.pid, NULL, WUNTRACED), f.pid);
	ask(&f, CTL_STATS);
	assert_int_equal(f.status, 1);
	assert_non_null(strstr(f.why, "is stopped"));
	ask(&f, CTL_COMMIT);
	assert_int_equal(f.status, 1);
	assert_non_null(strstr(f.why, "is stopped"));
	teardown(&f);
}

static void test_a_daemon_that_answers_others_is_waited_for(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	start(&f, work_and_answer, false);
	ask(&f, CTL_COMMIT);
	assert_int_equal(f.status, 0);
	assert_string_equal(f.why, "well");
	assert_true(f.took_ms >= 3 * SILENCE_MS);
	teardown(&f);
}

static void test_a_daemon_that_is_busy_is_waited_for(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	f.mute_ms = MUTE_MS;
	start(&f, burn, false);
	ask(&f, CTL_COMMIT);
	assert_int_equal(f.status, 0);
	assert_true(f.took_ms > MUTE_MS);
	teardown(&f);
}

static void test_a_daemon_whose_process_is_unknown_has_its_time(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	start(&f, sleep_and_answer, true);
	ask(&f, CTL_COMMIT);
	assert_int_equal(f.status, 0);
	teardown(&f);
	setup(&f);
	f.mute_ms = MUTE_MS;
	start(&f, hang, true);
	ask(&f, CTL_COMMIT);
	assert_int_equal(f.status, 1);
	assert_true(f.took_ms >= MUTE_MS);
	teardown(&f);
}

static void test_a_daemon_that_ends_is_waited_for(void **state)
{
	struct fixture f;

	(void)state;
	setup(&f);
	start(&f, end_slowly, false);
	ask(&f, CTL_KILL);
	assert_int_equal(f.status, 0);
	teardown(&f);
}

static void test_a_queue_that_is_full_is_not_waited_for(void **state)
{
	int fds[256], n = 0;
	struct fixture f;

	(void)state;
	setup(&f);
	start(&f, hang, false);
	do
		fds[n] = ctl_socket_connect(f.path, 1);
	while (fds[n] >= 0 && ++n < (int)N_ELEMENTS(fds));
	assert_int_equal(fds[n], -EAGAIN);
	ask(&f, CTL_STATS);
	assert_int_equal(f.status, 1);
	assert_string_equal(f.why, "the daemon does not answer");
	ask(&f, CTL_COMMIT);
	assert_int_equal(f.status, 1);
	assert_string_equal(f.why, "the daemon does not answer");
	while (n > 0)
		close(fds[--n]);
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_what_is_answered_at_once_is_not_waited_for),
		cmocka_unit_test(test_a_daemon_that_hangs_is_found_out),
		cmocka_unit_test(test_a_daemon_that_is_stopped_is_told_apart),
		cmocka_unit_test(
			test_a_daemon_that_answers_others_is_waited_for),
		cmocka_unit_test(test_a_daemon_that_is_busy_is_waited_for),
		cmocka_unit_test(
			test_a_daemon_whose_process_is_unknown_has_its_time),
		cmocka_unit_test(test_a_daemon_that_ends_is_waited_for),
		cmocka_unit_test(test_a_queue_that_is_full_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
