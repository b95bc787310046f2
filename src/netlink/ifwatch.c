/* SPDX-License-Identifier: ISC */
#include "netlink/ifwatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "netlink/iflink.h"
#include "netlink/nlsock.h"

enum {
	BUF_SIZE = 32 * 1024, /* the largest part of a dump */
	READS_PER_TURN = 16,
	REQUEST_LEN = 64,
	FIRST_DELAY_MS = 10,
	MAX_DELAY_MS = 1000,
};

struct state {
	uint32_t index;
	uint32_t mtu;
	enum ifwatch_status status;
};

struct watched {
	char name[IFLINK_NAME_SIZE];
	struct state state;
	bool is_known;     /* state was reported */
	bool is_confirmed; /* by the dump that runs, or by an event since */
};

struct ifwatch {
	struct loop *loop;
	ifwatch_fn *fn;
	void *ctx;
	struct nlsock sock;
	struct watch watch;
	struct timer dump_timer; /* set: a dump will be asked for */
	int64_t delay_ms;
	uint32_t seq; /* of the dump that runs; others are stale */
	bool is_dumping;
	struct watched *all;
	size_t n;
	uint8_t buf[BUF_SIZE];
};

static void learn(struct ifwatch *w, struct watched *e, struct state now)
{
	const struct state old = e->state;

	e->is_confirmed = true;
	if (e->is_known && old.index == now.index && old.mtu == now.mtu &&
	    old.status == now.status)
		return;
	e->is_known = true;
	e->state = now;
	w->fn(w->ctx, e->name, now.index, now.status, now.mtu);
}

static struct state state_of(const struct iflink *link)
{
	return (struct state){
		.index = link->index,
		.mtu = link->mtu,
		.status = link->is_running ? IFWATCH_RUNNING
			  : link->is_up    ? IFWATCH_NO_CARRIER
					   : IFWATCH_DOWN,
	};
}

/* Losses first: an interface may have taken the name of another. */
static void handle_link(struct ifwatch *w, const struct nlmsg *msg,
			const struct iflink *link)
{
	for (size_t i = 0; i < w->n; i++) {
		struct watched *e = &w->all[i];

		if (e->state.index == link->index && e->is_known &&
		    (link->is_gone || !iflink_has_name(msg, e->name)))
			learn(w, e, (struct state){ 0 });
	}
	for (size_t i = 0; i < w->n && !link->is_gone; i++)
		if (iflink_has_name(msg, w->all[i].name))
			learn(w, &w->all[i], state_of(link));
}

/* Asks for a dump, a little later: what comes until then is covered by it. */
static void want_dump(struct ifwatch *w)
{
	w->is_dumping = false;
	if (!timer_is_set(&w->dump_timer))
		timer_set(w->loop, &w->dump_timer,
			  loop_now_ms(w->loop) + w->delay_ms);
}

static void want_dump_again(struct ifwatch *w)
{
	want_dump(w);
	w->delay_ms =
		2 * w->delay_ms < MAX_DELAY_MS ? 2 * w->delay_ms : MAX_DELAY_MS;
}

static void on_dump_timer(void *ctx, int64_t now_ms)
{
	struct ifwatch *w = ctx;
	uint8_t request[REQUEST_LEN];
	struct wr out = { request, sizeof(request), 0, false };

	(void)now_ms;
	for (size_t i = 0; i < w->n; i++)
		w->all[i].is_confirmed = false;
	iflink_encode_dump(++w->seq, &out);
	w->is_dumping = nlsock_send(&w->sock, request, out.used) == 0;
	if (!w->is_dumping)
		want_dump_again(w);
}

static void end_dump(struct ifwatch *w)
{
	w->is_dumping = false;
	w->delay_ms = FIRST_DELAY_MS;
	for (size_t i = 0; i < w->n; i++)
		if (!w->all[i].is_confirmed)
			learn(w, &w->all[i], (struct state){ 0 });
}

static void handle_message(struct ifwatch *w, const struct nlmsg *msg)
{
	struct iflink link;
	bool is_current = w->is_dumping && msg->seq == w->seq;
	int err = -EBADMSG;

	if (msg->type == NLMSG_DONE || msg->type == NLMSG_ERROR) {
		if (!is_current)
			return;
		if (nlmsg_error(msg, &err) && err == 0)
			end_dump(w);
		else
			want_dump_again(w);
		return;
	}
	if (is_current && msg->flags & NLM_F_DUMP_INTR)
		want_dump_again(w);
	if (iflink_decode(msg, &link))
		handle_link(w, msg, &link);
}

static void on_readable(void *ctx, unsigned int events)
{
	struct ifwatch *w = ctx;
	struct nlmsg msg;
	struct rd d;
	int err = 0;

	(void)events;
	for (int i = 0; i < READS_PER_TURN && err != -EAGAIN; i++) {
		err = nlsock_recv(&w->sock, w->buf, sizeof(w->buf), &d);
		if (err == -EPERM || err == -EAGAIN)
			continue;
		if (err) { /* something was lost */
			want_dump_again(w);
			continue;
		}
		while (nlmsg_next(&d, &msg) == NLMSG_STEP_ITEM)
			handle_message(w, &msg);
	}
}

int ifwatch_open(struct loop *loop, ifwatch_fn *fn, void *ctx,
		 struct ifwatch **out)
{
	struct ifwatch *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->loop = loop;
	w->fn = fn;
	w->ctx = ctx;
	w->delay_ms = FIRST_DELAY_MS;
	w->dump_timer = (struct timer){ .fn = on_dump_timer, .ctx = w };
	err = nlsock_open(&w->sock, NETLINK_ROUTE);
	if (!err)
		err = nlsock_join(&w->sock, RTNLGRP_LINK);
	if (!err)
		err = watch_add(loop, &w->watch, w->sock.fd, LOOP_READ,
				on_readable, w);
	if (err) {
		ifwatch_close(w);
		return err;
	}
	*out = w;
	return 0;
}

void ifwatch_close(struct ifwatch *w)
{
	if (!w)
		return;
	timer_cancel(w->loop, &w->dump_timer);
	watch_remove(w->loop, &w->watch);
	nlsock_close(&w->sock);
	free(w->all);
	free(w);
}

int ifwatch_add(struct ifwatch *w, const char *name)
{
	const size_t len = strlen(name);
	struct watched *all;

	if (len >= IFLINK_NAME_SIZE)
		return -ENAMETOOLONG;
	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(w->all[i].name, name))
			return 0;
	all = realloc(w->all, (w->n + 1) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	w->all = all;
	all[w->n] = (struct watched){ 0 };
	memcpy(all[w->n].name, name, len);
	w->n++;
	want_dump(w);
	return 0;
}
