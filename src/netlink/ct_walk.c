/* SPDX-License-Identifier: ISC */
#include "netlink/ct_walk.h"

#include <errno.h>
#include <stdlib.h>

#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "netlink/ct_internal.h"

enum {
	WALK_BUF = 32 * 1024, /* the kernel fills up to this much (6.18) */
	REQUEST_LEN = 64,
	SEQ = 1,
};

struct ct_walk {
	struct nlsock sock;
	struct ct_codec codec;
	bool is_at_end;
	struct rd rows; /* of buf: not read yet */
	uint8_t buf[WALK_BUF];
};

int ct_walk_open(const struct ct_kernel *k, struct ct_walk **out)
{
	struct ct_walk *w = calloc(1, sizeof(*w));
	uint8_t request[REQUEST_LEN];
	struct wr r = { request, sizeof(request), 0, false };
	int err;

	if (!w)
		return -ENOMEM;
	w->codec = k->codec;
	ct_encode_dump(SEQ, &r);
	err = nlsock_open(&w->sock, NETLINK_NETFILTER);
	if (err == 0)
		err = nlsock_send(&w->sock, request, r.used);
	if (err == 0)
		*out = w;
	else
		ct_walk_close(w);
	return err;
}

void ct_walk_close(struct ct_walk *w)
{
	if (!w)
		return;
	nlsock_close(&w->sock);
	free(w);
}

/* 1: *out is written; 0: it was another message, maybe the end; or a negative
 * errno value. */
static int read_message(struct ct_walk *w, const struct nlmsg *msg,
			struct flow *out)
{
	uint8_t type;
	int err = 0;

	if (msg->type == NLMSG_DONE || msg->type == NLMSG_ERROR) {
		if (!nlmsg_error(msg, &err))
			err = -EBADMSG;
		w->is_at_end = err == 0;
		return err;
	}
	return ct_is_conntrack(msg, &type) && type == IPCTNL_MSG_CT_NEW &&
	       ct_decode(&w->codec, msg->body, out);
}

/* The kernel makes the next piece while this one is read, so there always is
 * one before the end. */
static int read_more(struct ct_walk *w)
{
	int err = nlsock_recv(&w->sock, w->buf, sizeof(w->buf), &w->rows);

	return err == -EAGAIN ? -EIO : err == -EPERM ? 0 : err;
}

int ct_walk_next(struct ct_walk *w, struct flow *out)
{
	struct nlmsg msg;
	int got = 0;

	while (got == 0 && !w->is_at_end)
		if (nlmsg_next(&w->rows, &msg) == NLMSG_STEP_ITEM)
			got = read_message(w, &msg, out);
		else
			got = read_more(w);
	return got;
}
