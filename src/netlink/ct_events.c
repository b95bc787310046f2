/* SPDX-License-Identifier: ISC */
#include <errno.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "netlink/ct_bpf.h"
#include "netlink/ct_internal.h"

/* Waking up costs more than copying: an event that is read alone takes 2.0 to
 * 2.5 us, one of a batch 1.1 us (measured). So when many come, reading waits a
 * moment for more. */
enum {
	FAST_PER_S = 2000,
	FAST_SPAN_MS = 10, /* how long events are counted */
	FAST_WAIT_MS = 1,
	EVENT_COST = 1024, /* bytes of the buffer that an event takes, about */
};

static void count_rate(struct ct_kernel *k, uint32_t n)
{
	struct ct_events *e = &k->events;
	int64_t span_ms = loop_now_ms(k->opts.loop) - e->since_ms;

	e->n += n;
	if (span_ms < FAST_SPAN_MS)
		return;
	e->is_fast = (int64_t)e->n * 1000 > FAST_PER_S * span_ms;
	e->n = 0;
	e->since_ms += span_ms;
}

/* The kernel had no room for events. Grows the buffer; where that fails, the
 * next overrun tries again. What is in the queue was told before; the kernel
 * puts nothing behind it until all is read (netlink_rcv_wake()). */
static void on_overrun(struct ct_kernel *k)
{
	struct nlsock *s = &k->events.sock;
	const uint32_t max = k->opts.buffer_max_bytes;
	uint32_t old = nlsock_rcvbuf(s);
	uint32_t wanted = old > max / 2 ? max : 2 * old;

	k->stats.n_overruns++;
	if (wanted > old)
		k->stats.buffer_bytes = nlsock_set_rcvbuf(s, wanted);
	k->stats.is_buffer_at_max = k->stats.buffer_bytes <= old;
	k->events.is_lossy = true;
}

/* All that came is read. Reliable events are not reported lost: the kernel
 * keeps ends until there is room, and other changes until the next one of the
 * same flow, which may be never. */
static void on_empty(struct ct_kernel *k)
{
	struct ct_events *e = &k->events;
	uint32_t n = k->opts.events_reliable ? nlsock_drops(&e->sock) : 0;

	if (n != e->n_drops)
		on_overrun(k);
	e->n_drops = n;
	if (e->is_lossy)
		k->sink.overrun(k->sink.ctx);
	e->is_lossy = false;
}

/* Who has the socket with this port. */
static enum flow_origin origin_of(const struct ct_kernel *k, uint32_t port)
{
	const struct ct_origin *o = k->origins;

	if (port == 0)
		return ORIGIN_OTHER;
	while (o && o->port != port)
		o = o->next;
	return o ? o->origin : ORIGIN_OTHER;
}

static void handle_event(struct ct_kernel *k, const struct nlmsg *msg,
			 enum flow_event type)
{
	if (!ct_decode(&k->codec, msg->body, &k->flow)) {
		k->stats.n_malformed++;
		return;
	}
	k->stats.n_events++;
	if (type == FLOW_EVENT_DESTROY)
		ct_dump_destroyed(k, &k->flow);
	k->sink.event(k->sink.ctx, type, origin_of(k, msg->port), &k->flow);
}

static void handle_expect_event(struct ct_kernel *k, const struct nlmsg *msg,
				enum flow_event type)
{
	if (!exp_decode(&k->codec, msg->body, &k->expect)) {
		k->stats.n_malformed++;
		return;
	}
	k->stats.n_events++;
	if (type == FLOW_EVENT_DESTROY)
		ct_dump_expect_destroyed(k, &k->expect);
	k->sink.expect_event(k->sink.ctx, type, origin_of(k, msg->port),
			     &k->expect);
}

static void handle_message(struct ct_kernel *k, const struct nlmsg *msg)
{
	const uint16_t new_flags = NLM_F_CREATE | NLM_F_EXCL;
	uint8_t type;
	bool is_ours = ct_is_conntrack(msg, &type);
	bool is_expect = exp_is_expect(msg, &type);

	if (is_expect && type == IPCTNL_MSG_EXP_DELETE)
		handle_expect_event(k, msg, FLOW_EVENT_DESTROY);
	else if (is_expect && type == IPCTNL_MSG_EXP_NEW)
		handle_expect_event(k, msg, FLOW_EVENT_NEW);
	else if (is_ours && type == IPCTNL_MSG_CT_DELETE)
		handle_event(k, msg, FLOW_EVENT_DESTROY);
	else if (is_ours && type == IPCTNL_MSG_CT_NEW)
		handle_event(k, msg,
			     msg->flags & new_flags ? FLOW_EVENT_NEW
						    : FLOW_EVENT_UPDATE);
	else
		k->stats.n_events_unknown++;
}

static void handle_datagram(struct ct_kernel *k, unsigned int i)
{
	struct nlmsg msg;
	struct rd d;
	enum nlmsg_step step;
	int err = nlsock_batch_get(k->batch, i, &d);

	k->stats.n_foreign += err == -EPERM;
	if (err == -EMSGSIZE) { /* an event is lost, whatever it was */
		k->stats.n_malformed++;
		k->events.is_lossy = true;
	}
	if (err)
		return;
	while ((step = nlmsg_next(&d, &msg)) == NLMSG_STEP_ITEM)
		handle_message(k, &msg);
	k->stats.n_malformed += step == NLMSG_STEP_MALFORMED;
}

/* Reads what is there, at most as much as one turn may take. Returns how many
 * events came; *is_empty: no more are there. */
static uint32_t drain(struct ct_kernel *k, bool *is_empty)
{
	const uint32_t max = k->opts.events_per_turn;
	uint32_t n_read = 0, n_failed = 0;

	*is_empty = false;
	while (n_read + n_failed < max && !*is_empty) {
		uint32_t wanted = max - n_read - n_failed;
		int n = nlsock_recv_batch(&k->events.sock, k->batch, wanted);

		k->is_receiving = true;
		for (int i = 0; i < n; i++)
			handle_datagram(k, (unsigned int)i);
		k->is_receiving = false;
		if (n >= 0) {
			n_read += (uint32_t)n;
			continue;
		}
		*is_empty = n == -EAGAIN;
		n_failed++;
		if (n == -ENOBUFS)
			on_overrun(k);
		else if (n == -EAGAIN)
			on_empty(k);
		else
			k->stats.n_event_errors++;
	}
	return n_read;
}

static void read_events(struct ct_kernel *k)
{
	struct ct_events *e = &k->events;
	bool is_empty;
	uint32_t n = drain(k, &is_empty);
	/* twice as many must find room meanwhile */
	bool is_roomy = k->stats.buffer_bytes / (2 * EVENT_COST) > n;

	count_rate(k, n);
	if (is_empty && is_roomy && e->is_fast) {
		watch_change(k->opts.loop, &e->watch, 0);
		timer_set(k->opts.loop, &e->timer,
			  loop_now_ms(k->opts.loop) + FAST_WAIT_MS);
	} else {
		timer_cancel(k->opts.loop, &e->timer);
		watch_change(k->opts.loop, &e->watch, LOOP_READ);
	}
}

static void on_readable(void *ctx, unsigned int events)
{
	(void)events; /* an overrun comes as an error, at once */
	read_events(ctx);
}

static void on_timer(void *ctx, int64_t now_ms)
{
	(void)now_ms;
	read_events(ctx);
}

static void size_buffer(struct ct_kernel *k)
{
	struct ct_kernel_opts *o = &k->opts;
	struct nlsock *s = &k->events.sock;

	if (o->buffer_bytes)
		(void)nlsock_set_rcvbuf(s, o->buffer_bytes);
	k->stats.buffer_bytes = nlsock_rcvbuf(s);
}

/* 0 or a negative errno value. */
static int subscribe(struct ct_kernel *k)
{
	/* there is no update of an expectation */
	static const int groups[] = { NFNLGRP_CONNTRACK_NEW,
				      NFNLGRP_CONNTRACK_UPDATE,
				      NFNLGRP_CONNTRACK_DESTROY,
				      NFNLGRP_CONNTRACK_EXP_NEW,
				      NFNLGRP_CONNTRACK_EXP_DESTROY };
	size_t n = k->opts.expectations ? N_ELEMENTS(groups) : 3;
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = nlsock_join(&k->events.sock, groups[i]);
	return err;
}

int ct_events_open(struct ct_kernel *k, const char **failed)
{
	static const int reliable[] = { NETLINK_BROADCAST_ERROR,
					NETLINK_NO_ENOBUFS };
	struct ct_events *e = &k->events;
	int err;

	*failed = "event socket";
	err = nlsock_open(&e->sock, NETLINK_NETFILTER);
	if (err)
		return err;
	size_buffer(k);
	ct_filter_attach(k, CT_BPF_NO_PORT);
	*failed = "reliable events";
	for (size_t i = 0;
	     k->opts.events_reliable && !err && i < N_ELEMENTS(reliable); i++)
		err = nlsock_enable(&e->sock, reliable[i]);
	if (err)
		return err;
	*failed = "subscription to conntrack events";
	err = subscribe(k);
	if (err)
		return err;
	*failed = "watch of the event socket";
	e->timer = (struct timer){ .fn = on_timer, .ctx = k };
	e->since_ms = loop_now_ms(k->opts.loop);
	return watch_add(k->opts.loop, &e->watch, e->sock.fd, LOOP_READ,
			 on_readable, k);
}

void ct_events_close(struct ct_kernel *k)
{
	timer_cancel(k->opts.loop, &k->events.timer);
	watch_remove(k->opts.loop, &k->events.watch);
	nlsock_close(&k->events.sock);
}
