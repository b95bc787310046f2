/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "netlink/ct_internal.h"

enum {
	DUMP_BUF = 32 * 1024, /* the kernel fills up to this much (6.18) */
	READS_PER_TURN = 2,   /* some 150 rows each */
	REQUEST_LEN = 64,
	TOMBS_MAX = 1 << 19, /* 8 MiB, while a dump runs */
	FIRST_DELAY_MS = 10,
	MAX_DELAY_MS = 1000,
	TRIES_MAX = 10, /* some 6 s */
};

static void stop(struct ct_kernel *k)
{
	struct ct_dump *d = &k->dump;

	timer_cancel(k->opts.loop, &d->retry);
	watch_remove(k->opts.loop, &d->watch);
	nlsock_close(&d->sock);
	ct_tombs_clear(&d->tombs);
}

static void end(struct ct_kernel *k, enum ct_dump_end how)
{
	ct_dump_close(k);
	k->sink.dump_end(k->sink.ctx, how);
}

/* Starts again, a little later, on another socket: what is left of the old
 * dump goes with it. */
static void again(struct ct_kernel *k)
{
	struct ct_dump *d = &k->dump;

	stop(k);
	d->n_tries++;
	timer_set(k->opts.loop, &d->retry,
		  loop_now_ms(k->opts.loop) + d->delay_ms);
	d->delay_ms *= 2;
	if (d->delay_ms > MAX_DELAY_MS)
		d->delay_ms = MAX_DELAY_MS;
}

/* Errors of a moment: another dump may succeed. */
static bool is_passing(int err)
{
	return err == -EAGAIN || err == -EINTR || err == -EBUSY ||
	       err == -ENOBUFS || err == -ENOMEM;
}

static void end_or_again(struct ct_kernel *k, int err)
{
	if (is_passing(err) && k->dump.n_tries < TRIES_MAX)
		again(k);
	else
		end(k, err ? CT_DUMP_FAILED : CT_DUMP_COMPLETE);
}

static void handle_row(struct ct_kernel *k, const struct nlmsg *msg)
{
	const struct flow *f = &k->flow;

	if (!ct_decode(&k->codec, msg->body, &k->flow)) {
		k->stats.n_malformed++;
		return;
	}
	/* A dying one's event may have been read before this dump began. */
	if ((f->has & FLOW_STATUS && f->status & STATUS_DYING) ||
	    ct_tombs_has(&k->dump.tombs, f))
		return;
	k->sink.dumped(k->sink.ctx, f, !k->dump.is_unsure);
}

/* A name for the life of an expectation. */
static struct flow life_of(const struct expect *e)
{
	return (struct flow){ .has = e->has & EXPECT_ID ? FLOW_ID : 0,
			      .l4proto = e->l4proto,
			      .zone = e->zone,
			      .orig = e->expected,
			      .id = e->id };
}

static void handle_expect_row(struct ct_kernel *k, const struct nlmsg *msg)
{
	struct flow life;

	if (!exp_decode(&k->codec, msg->body, &k->expect)) {
		k->stats.n_malformed++;
		return;
	}
	life = life_of(&k->expect);
	if (!ct_tombs_has(&k->dump.tombs, &life))
		k->sink.expect_dumped(k->sink.ctx, &k->expect,
				      !k->dump.is_unsure);
}

static void handle_any_row(struct ct_kernel *k, const struct nlmsg *msg)
{
	uint8_t type;

	if (k->dump.kind == OBJECT_FLOW && ct_is_conntrack(msg, &type) &&
	    type == IPCTNL_MSG_CT_NEW)
		handle_row(k, msg);
	else if (k->dump.kind == OBJECT_EXPECT && exp_is_expect(msg, &type) &&
		 type == IPCTNL_MSG_EXP_NEW)
		handle_expect_row(k, msg);
	else
		k->stats.n_dump_unknown++;
}

/* False if the dump is over, or another one is running. */
static bool handle_message(struct ct_kernel *k, const struct nlmsg *msg)
{
	int err = -EBADMSG;

	if (msg->seq != k->dump.seq)
		return true;
	if (msg->flags & NLM_F_DUMP_INTR && k->dump.n_tries < TRIES_MAX) {
		again(k);
		return false;
	}
	if (msg->type == NLMSG_DONE || msg->type == NLMSG_ERROR) {
		if (!nlmsg_error(msg, &err))
			k->stats.n_malformed++;
		end_or_again(k, err);
		return false;
	}
	handle_any_row(k, msg);
	return true;
}

/* Reads one datagram. False if there is none, or the dump is over. */
static bool read_rows(struct ct_kernel *k)
{
	struct ct_dump *d = &k->dump;
	const uint32_t seq = d->seq;
	struct nlmsg msg;
	struct rd rows;
	enum nlmsg_step step;
	int err = nlsock_recv(&d->sock, d->buf, DUMP_BUF, &rows);

	if (err == -EPERM) {
		k->stats.n_foreign++;
		return true;
	}
	if (err) {
		/* after an error the kernel does not go on by itself */
		if (err != -EAGAIN)
			end_or_again(k, err);
		return false;
	}
	while ((step = nlmsg_next(&rows, &msg)) == NLMSG_STEP_ITEM)
		if (!handle_message(k, &msg) || !d->is_running || d->seq != seq)
			return false;
	k->stats.n_malformed += step == NLMSG_STEP_MALFORMED;
	return true;
}

static void on_readable(void *ctx, unsigned int events)
{
	struct ct_kernel *k = ctx;

	(void)events;
	for (int i = 0; i < READS_PER_TURN && !k->dump.is_paused; i++)
		if (!read_rows(k))
			break;
}

static int start(struct ct_kernel *k)
{
	struct ct_dump *d = &k->dump;
	uint8_t request[REQUEST_LEN];
	struct wr w = { request, sizeof(request), 0, false };
	int err = nlsock_open(&d->sock, NETLINK_NETFILTER);

	d->is_unsure = false;
	if (err)
		return err;
	d->seq++;
	if (d->kind == OBJECT_FLOW)
		ct_encode_dump(d->seq, &w);
	else
		exp_encode_dump(d->seq, &w);
	err = nlsock_send(&d->sock, request, w.used);
	if (!err)
		err = watch_add(k->opts.loop, &d->watch, d->sock.fd,
				d->is_paused ? 0 : LOOP_READ, on_readable, k);
	if (err)
		nlsock_close(&d->sock);
	return err;
}

static void on_retry(void *ctx, int64_t now_ms)
{
	struct ct_kernel *k = ctx;
	int err = start(k);

	(void)now_ms;
	if (err)
		end_or_again(k, err);
}

int ct_kernel_dump(struct ct_kernel *k, enum object_kind kind)
{
	struct ct_dump *d = &k->dump;
	int err;

	if (d->is_running)
		return -EBUSY;
	d->retry = (struct timer){ .fn = on_retry, .ctx = k };
	d->kind = kind;
	d->tombs.max = TOMBS_MAX;
	d->delay_ms = FIRST_DELAY_MS;
	d->n_tries = 0;
	d->buf = calloc(1, DUMP_BUF);
	err = d->buf ? start(k) : -ENOMEM;
	d->is_running = true;
	if (err)
		ct_dump_close(k);
	return err;
}

/* The kernel goes on with a dump when it is read. */
void ct_kernel_dump_pause(struct ct_kernel *k, bool is_paused)
{
	struct ct_dump *d = &k->dump;

	if (!d->is_running || d->is_paused == is_paused)
		return;
	d->is_paused = is_paused;
	if (d->sock.is_open)
		watch_change(k->opts.loop, &d->watch,
			     is_paused ? 0 : LOOP_READ);
}

void ct_kernel_dump_stop(struct ct_kernel *k)
{
	ct_dump_close(k);
}

/* While it waits to start again, nothing needs remembering. */
static void remember(struct ct_dump *d, enum object_kind kind,
		     const struct flow *life)
{
	if (d->kind == kind && d->sock.is_open &&
	    !ct_tombs_add(&d->tombs, life))
		d->is_unsure = true;
}

void ct_dump_destroyed(struct ct_kernel *k, const struct flow *f)
{
	remember(&k->dump, OBJECT_FLOW, f);
}

void ct_dump_expect_destroyed(struct ct_kernel *k, const struct expect *e)
{
	const struct flow life = life_of(e);

	remember(&k->dump, OBJECT_EXPECT, &life);
}

void ct_dump_close(struct ct_kernel *k)
{
	stop(k);
	free(k->dump.buf);
	k->dump.buf = NULL;
	k->dump.is_running = k->dump.is_paused = false;
}
