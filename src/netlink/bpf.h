/* SPDX-License-Identifier: ISC */
/* bpf.h - programs of classic BPF, written from their end to their begin: so
 * every place that a jump can go to, which is always forward, is there already.
 * A place is its distance from the end, in instructions; place n is what was
 * written last. Where a conditional jump does not reach as far (255), an
 * unconditional one is put behind it. */
#ifndef NETLINK_BPF_H
#define NETLINK_BPF_H

#include <stdint.h>

#include <linux/filter.h>

struct bpf {
	struct sock_filter *insns; /* room for size, filled from the end */
	uint32_t size;
	uint32_t n; /* written; above size: what did not fit is counted only */
};

/* One that does not jump, or returns. */
void bpf_op(struct bpf *b, uint16_t code, uint32_t k);

/* A comparison of A with k (BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET). Places that
 * are too far are changed to nearer ones, from where they are reached. */
void bpf_if(struct bpf *b, uint16_t comparison, uint32_t k, uint32_t *yes,
	    uint32_t *no);

/* What is written before this goes on there. */
void bpf_go(struct bpf *b, uint32_t to);

#endif
