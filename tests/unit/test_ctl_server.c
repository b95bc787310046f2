/* SPDX-License-Identifier: ISC */
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

#include "base/loop.h"
#include "cli/ctl_client.h"
#include "cli/ctl_proto.h"
#include "cli/ctl_server.h"
#include "cli/ctl_socket.h"

enum { TURN_MS = 5, LIMIT_MS = 10000, BIG_LINES = 40000 };

/* A daemon that serves in this process, and what it was asked. */
struct fixture {
	struct loop *loop;
	struct ctl_server *server;
	char dir[32];
	char path[64];
	struct timer wake;
	uint64_t client; /* of the last request */
	int code;
	unsigned int n_requests, n_ended;
	unsigned int n_lines; /* left to a walk */
};

static enum ctl_progress next_lines(void *ctx, struct wr *out)
{
	struct fixture *f = ctx;

	if (f->n_lines == 0)
		return CTL_DONE;
	wr_printf(out, "line %u of a long answer\n", f->n_lines--);
	return CTL_GO_ON;
}

static void end_lines(void *ctx)
{
	struct fixture *f = ctx;

	f->n_ended++;
}

/* -i is a long walk, -s a short one; -c waits; the rest is done at once. */
static void on_request(void *ctx, uint64_t client, int code)
{
	struct fixture *f = ctx;
	const struct ctl_source lines = { next_lines, end_lines, f };

	f->client = client;
	f->code = code;
	f->n_requests++;
	if (code == CTL_DUMP_INTERNAL || code == CTL_STATS) {
		f->n_lines = code == CTL_STATS ? 2 : BIG_LINES;
		ctl_server_answer(f->server, client, &lines);
	} else if (code == CTL_SEND_BULK) {
		ctl_server_finish(f->server, client, 1, "not in this mode");
	} else if (code != CTL_COMMIT) {
		ctl_server_finish(f->server, client, 0, NULL);
	}
}

static void on_wake(void *ctx, int64_t now_ms)
{
	struct fixture *f = ctx;

	(void)now_ms;
	loop_stop(f->loop);
}

/* Lets the daemon work for a moment. */
static void turn(struct fixture *f)
{
	timer_set(f->loop, &f->wake, loop_clock_ms(f->loop) + TURN_MS);
	assert_int_equal(loop_run(f->loop), 0);
}

static int open_server(struct fixture *f, unsigned int n_max,
		       unsigned int silence_ms)
{
	const struct ctl_server_opts opts = { .loop = f->loop,
					      .path = f->path,
					      .n_max = n_max,
					      .silence_ms = silence_ms,
					      .request = on_request,
					      .ctx = f };

	return ctl_server_open(&opts, &f->server);
}

static void setup(struct fixture *f)
{
	*f = (struct fixture){ .dir = "/tmp/ctl-XXXXXX" };
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	f->loop = loop_new();
	assert_non_null(f->loop);
	f->wake = (struct timer){ .fn = on_wake, .ctx = f };
}

static void teardown(struct fixture *f)
{
	ctl_server_close(f->server);
	loop_free(f->loop);
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(rmdir(f->dir), 0);
}

/* A client by hand. */
static int connect_raw(struct fixture *f)
{
	int fd = ctl_socket_connect(f->path, 0);

	assert_true(fd > 2);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void send_code(int fd, uint32_t code)
{
	assert_int_equal(write(fd, &code, sizeof(code)), sizeof(code));
}

/* Reads until end of file or an error, while the daemon works. Returns the
 * bytes read; the first size of them are kept. */
static size_t read_raw(struct fixture *f, int fd, char *out, size_t size)
{
	size_t n_read = 0;
	char buf[4096];

	for (int ms = 0; ms < LIMIT_MS; ms += TURN_MS) {
		ssize_t n;

		while ((n = read(fd, buf, sizeof(buf))) > 0) {
			for (ssize_t i = 0; i < n; i++, n_read++)
				if (n_read < size)
					out[n_read] = buf[i];
		}
		if (n == 0 || errno != EAGAIN) {
			close(fd);
			return n_read;
		}
		turn(f);
	}
	fail_msg("no end of file");
	return 0;
}

/* Our client in a process of its own; its exit status, its output and what it
 * has to say. */
struct run {
	int status;
	char out[256];
	size_t n_out;
	char why[CTL_WHY_MAX];
};

static pid_t start_client(struct fixture *f, int code, int out_fd, int why_fd)
{
	pid_t pid = fork();
	char why[CTL_WHY_MAX];
	struct wr w = { .buf = (uint8_t *)why, .size = sizeof(why) };
	int status;

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	status = ctl_client_run(&(struct ctl_client_opts){ .path = f->path,
							   .code = code,
							   .out_fd = out_fd },
				&w);
	if (write(why_fd, why, w.used) != (ssize_t)w.used)
		status = 99;
	_exit(status);
}

static struct run run_client(struct fixture *f, int code)
{
	struct run r = { 0 };
	int out[2], why[2], state;
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(why, O_CLOEXEC), 0);
	pid = start_client(f, code, out[1], why[1]);
	close(out[1]);
	close(why[1]);
	assert_int_equal(fcntl(out[0], F_SETFL, O_NONBLOCK), 0);
	r.n_out = read_raw(f, out[0], r.out, sizeof(r.out) - 1);
	assert_int_equal(waitpid(pid, &state, 0), pid);
	assert_true(WIFEXITED(state));
	r.status = WEXITSTATUS(state);
	assert_true(read(why[0], r.why, sizeof(r.why) - 1) >= 0);
	close(why[0]);
	return r;
}

static void test_a_plain_request_is_answered_until_end_of_file(void **state)
{
	struct fixture f;
	char out[64] = "";
	int fd;

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 0, 0), 0);
	fd = connect_raw(&f);
	send_code(fd, CTL_STATS);
	read_raw(&f, fd, out, sizeof(out) - 1);
	assert_string_equal(out, "line 2 of a long answer\n"
				 "line 1 of a long answer\n");
	assert_int_equal(f.code, CTL_STATS);
	assert_int_equal(f.n_ended, 1);
	teardown(&f);
}

static void test_our_client_hears_of_success_and_failure(void **state)
{
	struct fixture f;
	struct run r;

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 0, 0), 0);
	r = run_client(&f, CTL_STATS);
	assert_int_equal(r.status, 0);
	assert_string_equal(r.out, "line 2 of a long answer\n"
				   "line 1 of a long answer\n");
	assert_string_equal(r.why, "");
	r = run_client(&f, CTL_SEND_BULK);
	assert_int_equal(r.status, 1);
	assert_string_equal(r.out, "");
	assert_string_equal(r.why, "not in this mode");
	r = run_client(&f, CTL_DUMP_INTERNAL_XML);
	assert_int_equal(r.status, 1);
	assert_string_equal(r.why, "`-i -x' is not in this version yet");
	assert_int_equal(f.n_requests, 2);
	teardown(&f);
}

static void test_a_long_answer_arrives_whole(void **state)
{
	size_t want = 0;
	struct fixture f;
	struct run r;

	(void)state;
	for (int i = 1; i <= BIG_LINES; i++)
		want += (size_t)snprintf(NULL, 0, "line %d of a long answer\n",
					 i);
	setup(&f);
	assert_int_equal(open_server(&f, 0, 0), 0);
	r = run_client(&f, CTL_DUMP_INTERNAL);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.n_out, want);
	assert_int_equal(f.n_ended, 1);
	teardown(&f);
}

static void test_a_client_that_does_not_read_delays_nobody(void **state)
{
	struct fixture f;
	struct run r;
	int slow;

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 0, 0), 0);
	slow = connect_raw(&f);
	send_code(slow, CTL_DUMP_INTERNAL);
	turn(&f);
	assert_true(f.n_lines > 0); /* it is stuck */
	r = run_client(&f, CTL_SEND_BULK);
	assert_string_equal(r.why, "not in this mode");
	close(slow);
	turn(&f);
	assert_int_equal(f.n_ended, 1);
	teardown(&f);
}

static void test_a_command_holds_its_client_until_it_is_finished(void **state)
{
	static const char answer[] = "\0ctl1\n\0exit 3: half done\n";
	struct fixture f;
	char out[64];
	int fd;

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 0, 0), 0);
	fd = connect_raw(&f);
	send_code(fd, CTL_WITH_STATUS | CTL_COMMIT);
	turn(&f);
	turn(&f);
	assert_int_equal(f.code, CTL_COMMIT);
	assert_int_equal(read(fd, out, sizeof(out)), 6); /* the head */
	assert_int_equal(read(fd, out, sizeof(out)), -1);
	ctl_server_finish(f.server, f.client, 3, "half done");
	assert_int_equal(read_raw(&f, fd, out, sizeof(out)),
			 sizeof(answer) - 1 - 6);
	assert_memory_equal(out, answer + 6, sizeof(answer) - 1 - 6);
	teardown(&f);
}

static void test_a_client_that_dies_meanwhile_is_forgotten(void **state)
{
	struct fixture f;
	const struct ctl_source lines = { next_lines, end_lines, &f };
	int fd;

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 0, 0), 0);
	fd = connect_raw(&f);
	send_code(fd, CTL_COMMIT);
	turn(&f);
	close(fd);
	turn(&f);
	ctl_server_finish(f.server, f.client, 0, NULL);
	ctl_server_answer(f.server, f.client, &lines);
	assert_int_equal(f.n_ended, 1);
	/* one that leaves at once has its request done */
	fd = connect_raw(&f);
	send_code(fd, CTL_KILL);
	close(fd);
	turn(&f);
	assert_int_equal(f.code, CTL_KILL);
	teardown(&f);
}

static void test_requests_may_come_in_pieces(void **state)
{
	const uint32_t code = CTL_STATS;
	struct fixture f;
	char out[64] = "";
	int fd;

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 0, 0), 0);
	fd = connect_raw(&f);
	for (size_t i = 0; i < sizeof(code); i++) {
		assert_int_equal(f.n_requests, 0);
		assert_int_equal(write(fd, (const char *)&code + i, 1), 1);
		turn(&f);
	}
	/* who says no more may still hear */
	shutdown(fd, SHUT_WR);
	read_raw(&f, fd, out, sizeof(out) - 1);
	assert_int_equal(strlen(out), 48);
	teardown(&f);
}

static void test_what_is_no_request_ends_at_once(void **state)
{
	struct fixture f;
	char out[64];
	int fd;

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 0, 0), 0);
	fd = connect_raw(&f);
	send_code(fd, 27);
	assert_int_equal(read_raw(&f, fd, out, sizeof(out)), 0);
	fd = connect_raw(&f);
	send_code(fd, 0x1fff);
	assert_int_equal(read_raw(&f, fd, out, sizeof(out)), 0);
	fd = connect_raw(&f);
	assert_int_equal(write(fd, "\x15\0", 2), 2);
	shutdown(fd, SHUT_WR);
	assert_int_equal(read_raw(&f, fd, out, sizeof(out)), 0);
	assert_int_equal(f.n_requests, 0);
	assert_int_equal(ctl_server_stats(f.server)->n_unknown, 2);
	assert_int_equal(ctl_server_stats(f.server)->n_missing, 1);
	teardown(&f);
}

static void test_a_silent_client_is_dropped_after_its_time(void **state)
{
	struct fixture f;
	char out[64];
	int waiting, fd;

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 0, 30), 0);
	waiting = connect_raw(&f);
	send_code(waiting, CTL_COMMIT);
	fd = connect_raw(&f);
	assert_int_equal(read_raw(&f, fd, out, sizeof(out)), 0);
	assert_int_equal(ctl_server_stats(f.server)->n_silent, 1);
	/* who waits for an answer is not silent */
	assert_int_equal(read(waiting, out, 1), -1);
	assert_int_equal(errno, EAGAIN);
	close(waiting);
	teardown(&f);
}

static void test_silent_clients_make_room_for_others(void **state)
{
	struct fixture f;
	char out[64];
	int fds[4];

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 3, 0), 0);
	for (size_t i = 0; i < N_ELEMENTS(fds); i++)
		fds[i] = connect_raw(&f);
	assert_int_equal(read_raw(&f, fds[0], out, sizeof(out)), 0);
	assert_int_equal(ctl_server_stats(f.server)->n_crowded_out, 1);
	/* those who wait do not: the new one is refused */
	for (size_t i = 1; i < N_ELEMENTS(fds); i++)
		send_code(fds[i], CTL_COMMIT);
	turn(&f);
	fds[0] = connect_raw(&f);
	assert_int_equal(read_raw(&f, fds[0], out, sizeof(out)), 0);
	assert_int_equal(ctl_server_stats(f.server)->n_refused, 1);
	assert_int_equal(ctl_server_stats(f.server)->n_crowded_out, 1);
	for (size_t i = 1; i < N_ELEMENTS(fds); i++)
		close(fds[i]);
	teardown(&f);
}

static void test_the_socket_is_private_and_stale_ones_are_replaced(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct fixture f;
	struct stat st;
	int fd;

	(void)state;
	setup(&f);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(addr.sun_path, f.path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(open_server(&f, 0, 0), 0);
	assert_int_equal(stat(f.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	teardown(&f);
}

static void test_a_path_in_use_is_refused(void **state)
{
	struct ctl_server *first;
	struct fixture f;
	char dir[32];

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 0, 0), 0);
	first = f.server;
	assert_int_equal(open_server(&f, 0, 0), -EADDRINUSE);
	assert_ptr_equal(f.server, first);
	assert_int_equal(access(f.path, F_OK), 0);
	/* a file that is not ours stays when we end */
	assert_int_equal(unlink(f.path), 0);
	close(open(f.path, O_CREAT | O_WRONLY, 0600));
	ctl_server_stop(f.server);
	assert_int_equal(access(f.path, F_OK), 0);
	ctl_server_close(f.server);
	f.server = NULL;
	assert_int_equal(open_server(&f, 0, 0), -EEXIST);
	assert_int_equal(unlink(f.path), 0);
	strcpy(dir, f.dir);
	memset(f.path, 'a', sizeof(f.path));
	snprintf(f.path, sizeof(f.path), "%s/nodir/sock", dir);
	assert_int_equal(open_server(&f, 0, 0), -ENOENT);
	teardown(&f);
}

static void test_the_longest_path_is_107_bytes(void **state)
{
	char path[CTL_PATH_MAX + 2];

	(void)state;
	memset(path, 'a', sizeof(path));
	memcpy(path, "/tmp/", 5);
	path[CTL_PATH_MAX + 1] = '\0';
	assert_int_equal(ctl_socket_listen(path), -ENAMETOOLONG);
	assert_int_equal(ctl_socket_connect(path, 0), -ENAMETOOLONG);
	path[CTL_PATH_MAX] = '\0';
	assert_int_equal(ctl_socket_connect(path, 0), -ENOENT);
}

static void test_no_daemon_is_told_in_the_known_words(void **state)
{
	struct fixture f;
	struct run r;

	(void)state;
	setup(&f);
	r = run_client(&f, CTL_STATS);
	assert_int_equal(r.status, 1);
	assert_string_equal(r.why, "can't connect: is conntrackd running? "
				   "appropriate permissions?");
	teardown(&f);
}

/* A daemon of the reference: knows only plain codes. */
static void serve_plainly(struct fixture *f, const char *answer, size_t n,
			  unsigned int n_clients)
{
	int fd = ctl_socket_listen(f->path);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	if (fork() != 0) {
		close(fd);
		return;
	}
	for (; n_clients > 0; n_clients--) {
		int client = accept(fd, NULL, NULL);
		uint32_t code = 0;

		if (read(client, &code, sizeof(code)) == sizeof(code) &&
		    code == CTL_STATS && write(client, answer, n) < 0)
			_exit(1);
		close(client);
	}
	_exit(0);
}

static void test_a_daemon_without_status_is_asked_plainly(void **state)
{
	static const char answer[] = "any \0bytes\n\0exit 1\n";
	struct fixture f;
	struct run r;

	(void)state;
	setup(&f);
	serve_plainly(&f, answer, sizeof(answer), 5);
	r = run_client(&f, CTL_STATS);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.n_out, sizeof(answer));
	assert_memory_equal(r.out, answer, sizeof(answer));
	assert_string_equal(r.why, "");
	r = run_client(&f, CTL_COMMIT); /* answered with nothing: success */
	assert_int_equal(r.status, 0);
	/* but it cannot know this one, and is not asked again */
	r = run_client(&f, CTL_COUNTERS);
	assert_int_equal(r.status, 1);
	assert_string_equal(r.why, "this daemon does not know `-s counters'");
	assert_int_equal(wait(NULL) > 0, 1);
	unlink(f.path);
	teardown(&f);
}

static void test_an_answer_that_cannot_be_written_fails(void **state)
{
	static const struct {
		int out_fd; /* -1: /dev/full */
		const char *why;
	} cases[] = {
		{ -1, "can't write the answer: No space left on device" },
		{ 4000, "can't write the answer: Bad file descriptor" },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct fixture f;
		int out = cases[i].out_fd, why[2], status;
		char text[CTL_WHY_MAX] = "";
		pid_t pid;

		setup(&f);
		assert_int_equal(open_server(&f, 0, 0), 0);
		assert_int_equal(pipe2(why, O_CLOEXEC | O_NONBLOCK), 0);
		if (out < 0)
			out = open("/dev/full", O_WRONLY | O_CLOEXEC);
		pid = start_client(&f, CTL_STATS, out, why[1]);
		close(why[1]);
		if (cases[i].out_fd < 0)
			close(out);
		read_raw(&f, why[0], text, sizeof(text) - 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), 1);
		assert_string_equal(text, cases[i].why);
		teardown(&f);
	}
}

static void test_an_answer_that_breaks_off_fails(void **state)
{
	struct fixture f;
	int out[2], why[2], status;
	char text[CTL_WHY_MAX] = "";
	pid_t pid;

	(void)state;
	setup(&f);
	assert_int_equal(open_server(&f, 0, 0), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(why, O_CLOEXEC | O_NONBLOCK), 0);
	pid = start_client(&f, CTL_COMMIT, out[1], why[1]);
	close(out[0]);
	close(out[1]);
	close(why[1]);
	while (f.n_requests == 0)
		turn(&f);
	ctl_server_close(f.server); /* with its client still waiting */
	f.server = NULL;
	read_raw(&f, why[0], text, sizeof(text) - 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_string_equal(text, "the daemon ended before the answer did");
	teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_plain_request_is_answered_until_end_of_file),
		cmocka_unit_test(test_our_client_hears_of_success_and_failure),
		cmocka_unit_test(test_a_long_answer_arrives_whole),
		cmocka_unit_test(
			test_a_client_that_does_not_read_delays_nobody),
		cmocka_unit_test(
			test_a_command_holds_its_client_until_it_is_finished),
		cmocka_unit_test(
			test_a_client_that_dies_meanwhile_is_forgotten),
		cmocka_unit_test(test_requests_may_come_in_pieces),
		cmocka_unit_test(test_what_is_no_request_ends_at_once),
		cmocka_unit_test(
			test_a_silent_client_is_dropped_after_its_time),
		cmocka_unit_test(test_silent_clients_make_room_for_others),
		cmocka_unit_test(
			test_the_socket_is_private_and_stale_ones_are_replaced),
		cmocka_unit_test(test_a_path_in_use_is_refused),
		cmocka_unit_test(test_the_longest_path_is_107_bytes),
		cmocka_unit_test(test_no_daemon_is_told_in_the_known_words),
		cmocka_unit_test(test_a_daemon_without_status_is_asked_plainly),
		cmocka_unit_test(test_an_answer_that_cannot_be_written_fails),
		cmocka_unit_test(test_an_answer_that_breaks_off_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
