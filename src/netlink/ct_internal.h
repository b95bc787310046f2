/* SPDX-License-Identifier: ISC */
/* ct_internal.h - the parts of a ct_kernel, for the files that make it up. */
#ifndef NETLINK_CT_INTERNAL_H
#define NETLINK_CT_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/expect.h"
#include "netlink/ct_codec.h"
#include "netlink/ct_kernel.h"
#include "netlink/ct_tombs.h"
#include "netlink/exp_codec.h"
#include "netlink/nlmsg.h"
#include "netlink/nlsock.h"

enum {
	CT_BATCH = 64,      /* datagrams of one receive call */
	CT_DATAGRAM = 2048, /* an event or an answer: some 200 to 700 bytes */
};

/* A socket that changes the table: part of its writer. */
struct ct_origin {
	struct ct_origin *next;
	uint32_t port;
	enum flow_origin origin;
};

/* The subscription to events. */
struct ct_events {
	struct nlsock sock;
	struct watch watch;
	struct timer timer; /* set: reading waits for more to come */
	int64_t since_ms;   /* start of the span in which n is counted */
	uint32_t n;
	bool is_fast;  /* so many events came that waiting a little pays */
	bool is_lossy; /* events were lost, the older ones are not all read */
	uint32_t n_drops; /* of the socket, as far as they are known */
};

/* The running dump; its socket and memory live as long as it does. */
struct ct_dump {
	struct nlsock sock;
	struct watch watch;
	struct timer retry;
	uint8_t *buf;
	struct ct_tombs tombs;
	uint32_t seq;
	int64_t delay_ms; /* before it starts again, if it must */
	int n_tries;
	enum object_kind kind; /* what is dumped */
	bool is_unsure;        /* not all that has ended since is in tombs */
	bool is_running, is_paused;
};

struct ct_kernel {
	struct ct_kernel_opts opts;
	struct flow_sink sink;
	struct ct_codec codec;
	struct ct_kernel_stats stats;
	struct ct_events events;
	struct ct_dump dump;
	struct ct_origin *origins;  /* list: who can cause events of ours */
	struct nlsock_batch *batch; /* of whoever receives just now, */
	bool is_receiving;          /* if somebody does */
	struct flow flow;           /* the one that is being handled, */
	struct expect expect;       /* or this */
};

/* 0 or a negative errno value, and then *failed names the step. */
NODISCARD int ct_events_open(struct ct_kernel *k, const char **failed);
void ct_events_close(struct ct_kernel *k);

/* Gives the event socket its filter, in place of the one before: what
 * ct_kernel_opts asks for, as far as the kernel takes it, and nothing of what
 * the writer with this port (CT_BPF_NO_PORT: none) creates. */
void ct_filter_attach(struct ct_kernel *k, uint32_t quiet_port);

/* Ends a running dump without telling the sink. */
void ct_dump_close(struct ct_kernel *k);
/* An event said that this entry, or this expectation, is gone. */
void ct_dump_destroyed(struct ct_kernel *k, const struct flow *f);
void ct_dump_expect_destroyed(struct ct_kernel *k, const struct expect *e);

#endif
