/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "cli/ctl_server.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/ctl_proto.h"
#include "cli/ctl_socket.h"

enum {
	BUFFER_SIZE = 16384,   /* of one client */
	MAX_CALLS = 256,       /* of a source, in one turn of the loop */
	MAX_ACCEPTS = 16,      /* in one turn */
	ACCEPT_PAUSE_MS = 100, /* when descriptors have run out */
};

enum client_state {
	CLIENT_READS,   /* the request is not complete */
	CLIENT_WAITS,   /* for ctl_server_answer() or _finish() */
	CLIENT_ANSWERS, /* the source has more */
	CLIENT_ENDS,    /* what is in the buffer is all */
	CLIENT_GONE,
};

struct client {
	struct client *next;
	struct ctl_server *server;
	uint64_t id;
	int fd;
	enum client_state state;
	bool with_status;
	struct ctl_request request;
	struct watch watch;
	struct timer silence; /* CLIENT_READS */
	int64_t progress_ms;  /* when the client last took something */
	struct ctl_source source;
	uint8_t *buf; /* from the request on */
	size_t at, used;
};

struct ctl_server {
	struct loop *loop;
	ctl_request_fn *request;
	void *ctx;
	unsigned int n_max, silence_ms;
	int fd; /* -1: stopped */
	dev_t dev;
	ino_t ino;
	struct watch watch;
	struct timer pause;
	struct deferred reap;
	struct client *clients; /* oldest first */
	unsigned int n_clients;
	struct client *gone; /* to be freed after this turn */
	uint64_t last_id;
	struct ctl_server_stats stats;
	char path[CTL_PATH_MAX + 1];
};

/* ---- clients: life ---- */

static void end_source(struct client *c)
{
	void (*end)(void *ctx) = c->source.end;

	c->source.end = NULL;
	c->source.next = NULL;
	if (end)
		end(c->source.ctx);
}

static void free_list(struct client **list)
{
	while (*list) {
		struct client *c = *list;

		*list = c->next;
		free(c->buf);
		free(c);
	}
}

static void reap(void *ctx)
{
	struct ctl_server *s = ctx;

	free_list(&s->gone);
}

/* The memory stays until the end of the turn: callers still look at it. */
static void drop(struct client *c)
{
	struct ctl_server *s = c->server;
	struct client **at = &s->clients;

	if (c->state == CLIENT_GONE)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->next = s->gone;
	s->gone = c;
	s->n_clients--;
	c->state = CLIENT_GONE;
	timer_cancel(s->loop, &c->silence);
	watch_remove(s->loop, &c->watch);
	close(c->fd);
	end_source(c);
	loop_defer(s->loop, &s->reap);
}

static struct client *find(const struct ctl_server *s, uint64_t id)
{
	struct client *c = s->clients;

	while (c && c->id != id)
		c = c->next;
	return c;
}

/* ---- clients: answer ---- */

static void append_tail(struct client *c, int status, const char *reason)
{
	struct wr w = { .buf = c->buf, .size = BUFFER_SIZE, .used = c->used };

	if (c->with_status)
		ctl_answer_tail(status, reason, &w);
	assert(!w.full);
	c->used = w.used;
	c->state = CLIENT_ENDS;
}

/* Asks the source until the buffer has no room for another piece. */
static void fill(struct client *c)
{
	struct wr w = { .buf = c->buf, .size = BUFFER_SIZE - CTL_TAIL_MAX };
	enum ctl_progress progress = CTL_GO_ON;

	for (int n = 0; n < MAX_CALLS && progress == CTL_GO_ON &&
			w.size - w.used >= CTL_ITEM_MAX;
	     n++)
		progress = c->source.next(c->source.ctx, &w);
	assert(!w.full);
	c->at = 0;
	c->used = w.used;
	if (progress == CTL_GO_ON)
		return;
	end_source(c);
	append_tail(c, progress == CTL_FAILED,
		    progress == CTL_FAILED ? "see the log" : NULL);
}

/* Sends what the client takes without waiting; false if it has left. */
static bool send_some(struct client *c)
{
	ssize_t n;

	if (c->at == c->used)
		return true;
	n = send(c->fd, c->buf + c->at, c->used - c->at,
		 MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->at += (size_t)n;
	if (n > 0)
		c->progress_ms = loop_now_ms(c->server->loop);
	return true;
}

/* One bounded step of an answer; the loop calls again when there is room. */
static void step(struct client *c)
{
	bool is_empty;

	if (c->at == c->used && c->state == CLIENT_ANSWERS)
		fill(c);
	if (!send_some(c)) {
		drop(c);
		return;
	}
	is_empty = c->at == c->used;
	if (is_empty && c->state == CLIENT_ENDS)
		drop(c);
	else
		watch_change(c->server->loop, &c->watch,
			     is_empty && c->state == CLIENT_WAITS ? 0
								  : LOOP_WRITE);
}

void ctl_server_answer(struct ctl_server *s, uint64_t client,
		       const struct ctl_source *source)
{
	struct client *c = find(s, client);

	if (!c) {
		if (source->end)
			source->end(source->ctx);
		return;
	}
	assert(c->state == CLIENT_WAITS);
	c->source = *source;
	c->state = CLIENT_ANSWERS;
	step(c);
}

void ctl_server_finish(struct ctl_server *s, uint64_t client, int status,
		       const char *reason)
{
	struct client *c = find(s, client);

	if (!c)
		return;
	assert(c->state == CLIENT_WAITS);
	append_tail(c, status, reason);
	step(c);
}

/* ---- clients: request ---- */

static void refuse_unbuilt(struct client *c, const struct ctl_row *row)
{
	char reason[64];
	struct wr w = { .buf = (uint8_t *)reason, .size = sizeof(reason) };

	wr_printf(&w, "`%s' is not in this version yet", row->option);
	wr_u8(&w, 0);
	assert(!w.full);
	ctl_server_finish(c->server, c->id, 1, reason);
}

static void start(struct client *c, const struct ctl_row *row, bool with_status)
{
	struct ctl_server *s = c->server;
	struct wr w = { .size = BUFFER_SIZE };

	s->stats.n_requests++;
	timer_cancel(s->loop, &c->silence);
	c->buf = w.buf = calloc(1, BUFFER_SIZE);
	if (!c->buf) {
		s->stats.n_failed++;
		drop(c);
		return;
	}
	c->state = CLIENT_WAITS;
	c->with_status = with_status;
	if (with_status)
		ctl_answer_head(&w);
	c->used = w.used;
	step(c);
	if (c->state == CLIENT_GONE)
		return;
	if (ctl_row_is_built(row))
		s->request(s->ctx, c->id, row->code);
	else
		refuse_unbuilt(c, row);
}

/* Bytes behind the request are not read; the close then resets them, as the
 * reference does. */
static void read_request(struct client *c)
{
	struct ctl_server *s = c->server;
	uint8_t bytes[CTL_REQUEST_SIZE];
	ssize_t n = recv(c->fd, bytes, sizeof(bytes) - c->request.n_bytes,
			 MSG_DONTWAIT);
	struct rd in = { bytes, n > 0 ? (size_t)n : 0 };
	const struct ctl_row *row;
	bool with_status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		s->stats.n_missing++;
		drop(c);
		return;
	}
	switch (ctl_request_read(&c->request, &in, &row, &with_status)) {
	case CTL_MORE:
		break;
	case CTL_UNKNOWN:
		s->stats.n_unknown++;
		drop(c);
		break;
	case CTL_KNOWN:
		start(c, row, with_status);
		break;
	}
}

static void on_client(void *ctx, unsigned int events)
{
	struct client *c = ctx;

	if (c->state == CLIENT_READS)
		read_request(c);
	else if (events & LOOP_ERROR)
		drop(c); /* what it asked for goes on without it */
	else if (events & LOOP_WRITE)
		step(c);
}

static void on_silence(void *ctx, int64_t now_ms)
{
	struct client *c = ctx;

	(void)now_ms;
	c->server->stats.n_silent++;
	drop(c);
}

/* ---- listener ---- */

/* The oldest client without a request; otherwise the reader that has taken
 * nothing for the longest time, if that is long enough. */
static bool make_room(struct ctl_server *s)
{
	int64_t longest = loop_now_ms(s->loop) - CTL_STALL_MS;
	struct client *victim = NULL;

	for (struct client *c = s->clients; c; c = c->next) {
		if (c->state == CLIENT_READS) {
			victim = c;
			break;
		}
		if (c->state != CLIENT_WAITS && c->progress_ms <= longest) {
			victim = c;
			longest = c->progress_ms;
		}
	}
	if (!victim)
		return false;
	s->stats.n_crowded_out++;
	drop(victim);
	return true;
}

static void add_client(struct ctl_server *s, int fd)
{
	struct client **end = &s->clients;
	struct client *c;

	if (s->n_clients >= s->n_max && !make_room(s)) {
		s->stats.n_refused++;
		close(fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c || watch_add(s->loop, &c->watch, fd, LOOP_READ, on_client, c)) {
		s->stats.n_failed++;
		free(c);
		close(fd);
		return;
	}
	c->server = s;
	c->fd = fd;
	c->id = ++s->last_id;
	c->progress_ms = loop_now_ms(s->loop);
	c->silence = (struct timer){ .fn = on_silence, .ctx = c };
	timer_set(s->loop, &c->silence, c->progress_ms + s->silence_ms);
	while (*end)
		end = &(*end)->next;
	*end = c;
	s->n_clients++;
}

static void on_pause(void *ctx, int64_t now_ms)
{
	struct ctl_server *s = ctx;

	(void)now_ms;
	watch_change(s->loop, &s->watch, LOOP_READ);
}

static void on_connect(void *ctx, unsigned int events)
{
	struct ctl_server *s = ctx;

	(void)events;
	for (int n = 0; n < MAX_ACCEPTS; n++) {
		int fd = accept4(s->fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			add_client(s, fd);
			continue;
		}
		if (errno == ECONNABORTED || errno == EINTR)
			continue;
		if (errno != EAGAIN) { /* it stays readable: wait by timer */
			s->stats.n_failed++;
			watch_change(s->loop, &s->watch, 0);
			timer_set(s->loop, &s->pause,
				  loop_now_ms(s->loop) + ACCEPT_PAUSE_MS);
		}
		return;
	}
}

int ctl_server_open(const struct ctl_server_opts *opts, struct ctl_server **out)
{
	struct ctl_server *s = calloc(1, sizeof(*s));
	struct stat st = { 0 };
	int err;

	if (!s)
		return -ENOMEM;
	s->loop = opts->loop;
	s->request = opts->request;
	s->ctx = opts->ctx;
	s->n_max = opts->n_max ? opts->n_max : CTL_DEFAULT_CLIENTS;
	s->silence_ms =
		opts->silence_ms ? opts->silence_ms : CTL_DEFAULT_SILENCE_MS;
	s->pause = (struct timer){ .fn = on_pause, .ctx = s };
	s->reap = (struct deferred){ .fn = reap, .ctx = s };
	s->fd = ctl_socket_listen(opts->path);
	if (s->fd < 0) {
		err = s->fd;
		free(s);
		return err;
	}
	memcpy(s->path, opts->path, strlen(opts->path) + 1);
	(void)lstat(s->path, &st);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	err = watch_add(s->loop, &s->watch, s->fd, LOOP_READ, on_connect, s);
	if (err < 0)
		ctl_server_close(s);
	else
		*out = s;
	return err;
}

void ctl_server_stop(struct ctl_server *s)
{
	struct stat st;

	if (s->fd < 0)
		return;
	timer_cancel(s->loop, &s->pause);
	watch_remove(s->loop, &s->watch);
	/* the file may be that of a later daemon */
	if (lstat(s->path, &st) == 0 && st.st_dev == s->dev &&
	    st.st_ino == s->ino)
		unlink(s->path);
	close(s->fd);
	s->fd = -1;
}

void ctl_server_close(struct ctl_server *s)
{
	if (!s)
		return;
	ctl_server_stop(s);
	while (s->clients)
		drop(s->clients);
	loop_defer_cancel(s->loop, &s->reap);
	free_list(&s->gone);
	free(s);
}

bool ctl_server_has_client(const struct ctl_server *s, uint64_t client)
{
	return find(s, client) != NULL;
}

const struct ctl_server_stats *ctl_server_stats(const struct ctl_server *s)
{
	return &s->stats;
}
