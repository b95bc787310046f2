/* SPDX-License-Identifier: ISC */
/* sim_reference.h - a model of a reference node in FT-FW mode, as PROTOCOL.md 3
 * describes it: one tracker, one window, one resend queue for all peers. It
 * knows what became of all it told, and so whose fault a difference is. */
#ifndef UNIT_SIM_REFERENCE_H
#define UNIT_SIM_REFERENCE_H

#include "base/buf.h"
#include "cache/flow_cache.h"
#include "sim_kernel.h"

struct sim_reference;

struct sim_reference_opts {
	uint32_t ack_window, resend_queue_size;
	uint32_t first_seq;              /* its clock in seconds */
	bool asks;                       /* StartupResync */
	const struct sim_kernel *kernel; /* outlives it; found by a dump */
	int machine;                     /* of the kernel's flows */
	struct names *helpers;
	/* Called for each datagram that it sends. */
	void (*send)(void *ctx, const uint8_t *bytes, size_t len);
	void *ctx;
};

struct sim_reference *sim_reference_new(const struct sim_reference_opts *o,
					int64_t now_ms);
void sim_reference_free(struct sim_reference *r);

/* The kernel has told of a flow, which is as the kernel has it now. */
void sim_reference_begin(struct sim_reference *r, uint32_t number);
void sim_reference_update(struct sim_reference *r, uint32_t number);
void sim_reference_end(struct sim_reference *r, uint32_t number);

/* -B, -n. */
void sim_reference_bulk(struct sim_reference *r);
void sim_reference_resync(struct sim_reference *r);

/* life: of the sender, counted; it does not know that, but it tells what is
 * late. True if a message was accepted. */
bool sim_reference_receive(struct sim_reference *r, uint32_t life,
			   struct rd datagram);
/* A turn of its loop: timers, then all that is queued is sent. */
void sim_reference_turn(struct sim_reference *r, int64_t now_ms);
/* When it needs one. */
int64_t sim_reference_due_ms(const struct sim_reference *r);

/* Its external cache. */
struct flow_cache *sim_reference_external(struct sim_reference *r);

/* What became of the newest that there is to tell of a flow of its own. */
enum sim_fate {
	FATE_UNTOLD,  /* found by a dump, or not at all; never sent since */
	FATE_HELD,    /* queued, or sent and held until it is acknowledged */
	FATE_ACKED,   /* sent, and acknowledged */
	FATE_EMPTIED, /* sent, and let go at a HELLO before it was */
	FATE_DROPPED, /* sent, and let go because the queue was full */
};
enum sim_fate sim_reference_fate(const struct sim_reference *r,
				 uint32_t number);
/* The last it heard of a flow of another machine came in a message that was
 * older than others: one with HELLO is always taken, and what follows it in
 * order after that. */
bool sim_reference_heard_late(const struct sim_reference *r, uint32_t number);

struct sim_reference_stats {
	uint64_t n_sent; /* datagrams */
	uint64_t n_lost, n_before, n_malformed;
	uint64_t n_emptied; /* messages let go at a HELLO */
	uint64_t n_dropped;
	uint64_t n_resyncs; /* that it was asked for */
	uint32_t n_held, n_queued;
};
struct sim_reference_stats sim_reference_stats(const struct sim_reference *r);

#endif
