/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "netlink/ct_internal.h"

enum {
	OPS_MAX = 100,
	BATCH_BYTES = 48 * 1024, /* 100 requests of up to 490 bytes */
	SNDBUF = 4 * BATCH_BYTES,
	RCVBUF = 1024 * 1024,
	ANSWER_COST = 4096, /* room that the answer to a GET may take there */
	FIRST_DELAY_MS = 1,
	MAX_DELAY_MS = 50,
	LOST_MS = 1000, /* all answers are there after this, by far */
};

struct operation {
	uint32_t cookie;
	int error;
	uint8_t op; /* enum kernel_op */
	bool has_labels;
	bool is_done; /* reported */
};

/* Requests with consecutive numbers. Only the last one asks for an answer in
 * any case, which is the end mark; of the others the kernel reports failures
 * only. */
struct batch {
	struct wr w;
	size_t last;        /* offset of the last message */
	uint32_t first_seq; /* number of the first operation */
	unsigned int n, n_gets;
	bool is_closed; /* takes no more, although there are fewer than max */
	struct operation ops[OPS_MAX];
	uint8_t bytes[BATCH_BYTES];
};

enum writer_state {
	WRITER_IDLE,
	WRITER_UNSENT,    /* the kernel did not take the batch: timer */
	WRITER_SENT,      /* answers are on their way */
	WRITER_REPORTING, /* done() is being called */
};

struct ct_writer {
	struct ct_kernel *k;
	struct ct_origin who;
	struct nlsock sock;
	struct watch watch;
	struct timer timer;
	kernel_done_fn *done;
	void *ctx;
	struct kernel_ops ops;
	struct batch *filling;
	struct batch *flying; /* empty while idle */
	enum writer_state state;
	uint32_t next_seq;
	unsigned int max_gets;
	int64_t delay_ms;
	bool is_asker;     /* answers are collected at once */
	bool is_finishing; /* filling goes out although it is not full */
	bool is_lossy;     /* answers to flying were lost */
};

static void reset(struct batch *b)
{
	b->w = (struct wr){ b->bytes, sizeof(b->bytes), 0, false };
	b->n = b->n_gets = 0;
	b->is_closed = false;
}

static bool is_full(const struct ct_writer *w, const struct batch *b)
{
	return b->is_closed || b->n == OPS_MAX || b->n_gets >= w->max_gets;
}

static bool must_go(const struct ct_writer *w)
{
	return is_full(w, w->filling) || (w->is_finishing && w->filling->n);
}

static void send_flying(struct ct_writer *w)
{
	struct loop *loop = w->k->opts.loop;
	struct batch *b = w->flying;
	int64_t now_ms = loop_now_ms(loop);
	int err = nlsock_send(&w->sock, b->bytes, b->w.used);

	if (!w->is_asker &&
	    (err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM)) {
		w->state = WRITER_UNSENT;
		timer_set(loop, &w->timer, now_ms + w->delay_ms);
		w->delay_ms = 2 * w->delay_ms < MAX_DELAY_MS ? 2 * w->delay_ms
							     : MAX_DELAY_MS;
		return;
	}
	/* What cannot be sent at all fails as a whole, out of the loop. */
	for (unsigned int i = 0; err && i < b->n; i++)
		b->ops[i].error = err;
	w->state = WRITER_SENT;
	w->is_lossy = false;
	w->delay_ms = FIRST_DELAY_MS;
	timer_set(loop, &w->timer, now_ms + (err ? 0 : LOST_MS));
}

static void report(struct ct_writer *w, struct operation *op,
		   const struct flow *found)
{
	op->is_done = true;
	w->done(w->ctx, (enum kernel_op)op->op, op->cookie, op->error, found);
}

/* No failure was heard of those that are left: they have succeeded, unless
 * answers were lost or are missing. */
static void end_batch(struct ct_writer *w, bool has_end_mark)
{
	struct batch *b = w->flying;

	timer_cancel(w->k->opts.loop, &w->timer);
	w->state = WRITER_REPORTING;
	for (unsigned int i = 0; i < b->n; i++) {
		struct operation *op = &b->ops[i];

		if (op->is_done)
			continue;
		if (!op->error &&
		    (op->op == KERNEL_GET || w->is_lossy || !has_end_mark))
			op->error = -ENOBUFS;
		report(w, op, NULL);
	}
	reset(b);
	w->state = WRITER_IDLE;
}

/* The operation that a message answers, or NULL. */
static struct operation *answered(struct ct_writer *w, const struct nlmsg *msg)
{
	struct batch *b = w->flying;
	uint32_t i = msg->seq - b->first_seq;

	return i < b->n ? &b->ops[i] : NULL;
}

static void handle_verdict(struct operation *op, int err)
{
	/* All else of the update was done; the kernel has no labels as long as
	 * no rule uses them, and is silent about it when it creates. */
	if (err == -ENOSPC && op->op == KERNEL_UPDATE && op->has_labels)
		err = 0;
	op->error = err;
}

/* True if it was the end mark. */
static bool handle_message(struct ct_writer *w, const struct nlmsg *msg)
{
	struct ct_kernel *k = w->k;
	struct operation *op = answered(w, msg);
	uint8_t type;
	int err;

	if (!op || op->is_done) {
		/* a GET was answered before its acknowledgement */
		return op && op == &w->flying->ops[w->flying->n - 1];
	}
	if (msg->type == NLMSG_ERROR && nlmsg_error(msg, &err)) {
		handle_verdict(op, err);
		return op == &w->flying->ops[w->flying->n - 1];
	}
	if (op->op == KERNEL_GET && ct_is_conntrack(msg, &type) &&
	    type == IPCTNL_MSG_CT_NEW &&
	    ct_decode(&k->codec, msg->body, &k->flow))
		report(w, op, &k->flow);
	else if (op->op == KERNEL_GET && exp_is_expect(msg, &type) &&
		 type == IPCTNL_MSG_EXP_NEW)
		report(w, op, NULL);
	else
		k->stats.n_malformed++;
	return false;
}

/* Handles one datagram; true if the end mark was in it. */
static bool handle_datagram(struct ct_writer *w, unsigned int i)
{
	struct ct_kernel *k = w->k;
	struct nlmsg msg;
	struct rd d;
	bool is_end = false;
	int err = nlsock_batch_get(k->batch, i, &d);

	k->stats.n_foreign += err == -EPERM;
	if (err == -EMSGSIZE) {
		k->stats.n_malformed++;
		w->is_lossy = true;
	}
	if (err)
		return false;
	while (nlmsg_next(&d, &msg) == NLMSG_STEP_ITEM)
		is_end |= handle_message(w, &msg);
	return is_end;
}

/* The kernel has answered everything when it has taken a batch: what is not in
 * the queue now was lost. */
static void collect(struct ct_writer *w)
{
	struct ct_kernel *k = w->k;
	bool is_end = false;
	int n;

	assert(!k->is_receiving);
	k->is_receiving = true;
	do {
		n = nlsock_recv_batch(&w->sock, k->batch, CT_BATCH);
		for (int i = 0; i < n; i++)
			is_end |= handle_datagram(w, (unsigned int)i);
		if (n < 0 && n != -EAGAIN)
			w->is_lossy = true;
	} while ((n > 0 && !is_end) || n == -ENOBUFS);
	k->is_receiving = false;
	if (w->state == WRITER_SENT)
		end_batch(w, is_end);
}

/* Sends the batch that was being filled. */
static void launch(struct ct_writer *w)
{
	struct batch *b = w->filling;

	w->filling = w->flying;
	w->flying = b;
	w->is_finishing = false;
	nlmsg_add_flags(&b->w, b->last, NLM_F_ACK);
	send_flying(w);
	if (w->is_asker)
		collect(w);
}

static void collect_and_go_on(struct ct_writer *w)
{
	collect(w);
	if (w->state == WRITER_IDLE && must_go(w))
		launch(w);
}

static void on_readable(void *ctx, unsigned int events)
{
	(void)events;
	collect_and_go_on(ctx);
}

static void on_timer(void *ctx, int64_t now_ms)
{
	struct ct_writer *w = ctx;

	(void)now_ms;
	if (w->state == WRITER_UNSENT)
		send_flying(w);
	else
		collect_and_go_on(w);
}

static bool encode(struct ct_writer *w, enum kernel_op op,
		   const struct object *o)
{
	const struct ct_codec *c = &w->k->codec;
	struct wr *to = &w->filling->w;

	return o->kind == OBJECT_FLOW
		       ? ct_encode(c, op, o->flow, w->next_seq, to)
		       : exp_encode(c, op, o->expect, w->next_seq, to);
}

/* Appends one operation. False if it did not fit. */
static bool append(struct ct_writer *w, enum kernel_op op,
		   const struct object *o, uint32_t cookie)
{
	struct batch *b = w->filling;
	const size_t at = b->w.used;

	if (!encode(w, op, o) || b->w.full) {
		b->w.used = at;
		b->w.full = false;
		return false;
	}
	if (b->n == 0)
		b->first_seq = w->next_seq;
	w->next_seq++;
	b->last = at;
	b->n_gets += op == KERNEL_GET;
	b->ops[b->n++] = (struct operation){
		.cookie = cookie,
		.op = (uint8_t)op,
		.has_labels =
			o->kind == OBJECT_FLOW && o->flow->has & FLOW_LABELS,
	};
	return true;
}

/* Without a family there is no key, and a DELETE would empty the table. */
static bool has_family(const struct object *o)
{
	uint8_t family =
		o->kind == OBJECT_FLOW ? o->flow->family : o->expect->family;

	return family == FAMILY_IPV4 || family == FAMILY_IPV6;
}

static int submit(void *self, enum kernel_op op, const struct object *object,
		  uint32_t cookie)
{
	struct ct_writer *w = self;

	assert(!w->is_asker || (op == KERNEL_GET && !w->k->is_receiving));
	if (!has_family(object))
		return -EINVAL;
	if (is_full(w, w->filling))
		return -EAGAIN;
	if (!append(w, op, object, cookie)) {
		if (w->filling->n == 0)
			return -EMSGSIZE;
		w->filling->is_closed = true;
		if (w->state != WRITER_IDLE)
			return -EAGAIN;
		launch(w);
		if (!append(w, op, object, cookie))
			return -EMSGSIZE;
	}
	if (w->state == WRITER_IDLE && must_go(w))
		launch(w);
	return 0;
}

static void finish(void *self)
{
	struct ct_writer *w = self;

	w->is_finishing = w->filling->n > 0;
	if (w->state == WRITER_IDLE && must_go(w))
		launch(w);
}

static void settle(void *self)
{
	struct ct_writer *w = self;

	while (w->state == WRITER_SENT)
		collect_and_go_on(w);
}

static int open_socket(struct ct_writer *w)
{
	int err = nlsock_open(&w->sock, NETLINK_NETFILTER);
	uint32_t room;

	if (err)
		return err;
	if (nlsock_set_sndbuf(&w->sock, SNDBUF) < BATCH_BYTES)
		return -ENOBUFS;
	room = nlsock_set_rcvbuf(&w->sock, RCVBUF);
	w->max_gets = room / ANSWER_COST ? room / ANSWER_COST : 1;
	return watch_add(w->k->opts.loop, &w->watch, w->sock.fd, LOOP_READ,
			 on_readable, w);
}

/* Whether nobody wants to know of the entries that it makes, which are as many
 * as the peers have. */
static bool is_quiet(const struct ct_writer *w)
{
	return w->who.origin == ORIGIN_INJECT ||
	       (w->who.origin == ORIGIN_COMMIT && !w->k->opts.wants_commits);
}

int ct_writer_open(struct ct_kernel *k, enum flow_origin origin,
		   kernel_done_fn *done, void *ctx, struct ct_writer **out)
{
	struct ct_writer *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	*w = (struct ct_writer){ .k = k,
				 .who.origin = origin,
				 .done = done,
				 .ctx = ctx,
				 .ops = { w, submit, finish, settle },
				 .timer = { .fn = on_timer, .ctx = w },
				 .next_seq = 1,
				 .delay_ms = FIRST_DELAY_MS };
	w->filling = calloc(1, sizeof(*w->filling));
	w->flying = calloc(1, sizeof(*w->flying));
	err = w->filling && w->flying ? open_socket(w) : -ENOMEM;
	if (err) {
		ct_writer_close(w);
		return err;
	}
	reset(w->filling);
	reset(w->flying);
	w->who.port = w->sock.port;
	w->who.next = k->origins;
	k->origins = &w->who;
	*out = w;
	if (is_quiet(w))
		ct_filter_attach(k, w->sock.port);
	return 0;
}

int ct_asker_open(struct ct_kernel *k, kernel_done_fn *done, void *ctx,
		  struct ct_writer **out)
{
	int err = ct_writer_open(k, ORIGIN_OTHER, done, ctx, out);

	if (err == 0)
		(*out)->is_asker = true;
	return err;
}

void ct_writer_close(struct ct_writer *w)
{
	struct ct_origin **at;

	if (!w)
		return;
	assert(w->state != WRITER_REPORTING); /* not from done() */
	for (at = &w->k->origins; *at && *at != &w->who; at = &(*at)->next)
		;
	if (*at)
		*at = w->who.next;
	timer_cancel(w->k->opts.loop, &w->timer);
	watch_remove(w->k->opts.loop, &w->watch);
	nlsock_close(&w->sock);
	free(w->filling);
	free(w->flying);
	free(w);
}

const struct kernel_ops *ct_writer_ops(struct ct_writer *w)
{
	return &w->ops;
}
