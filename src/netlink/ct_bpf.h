/* SPDX-License-Identifier: ISC */
/* ct_bpf.h - the socket filter of the event socket: a program of classic BPF
 * that gives the verdict of struct filter on every event, in the kernel, before
 * it is queued. */
#ifndef NETLINK_CT_BPF_H
#define NETLINK_CT_BPF_H

#include <stdint.h>

#include <linux/filter.h>

#include "base/filter.h"

enum { CT_BPF_MAX = 4096 }; /* instructions that the kernel takes */

#define CT_BPF_NO_PORT UINT32_MAX /* no socket has this netlink port */

struct ct_bpf_opts {
	/* What filter_accepts() refuses, or filter_accepts_end() of an event
	 * that is an end, does not pass. NULL: all passes. */
	const struct filter *filter;
	/* Of what was caused from this port the begin of a flow does not pass;
	 * all else of it does, past the filter. */
	uint32_t quiet_port;
};

/* Writes the program to the end of insns. Returns how many instructions it has,
 * which does not depend on the port; 0: there is no memory; more than
 * CT_BPF_MAX: it is too long, insns is worthless. Messages that are no events
 * of conntrack entries, or could not be decoded, pass, or do as it happens. */
uint32_t ct_bpf_make(const struct ct_bpf_opts *o,
		     struct sock_filter insns[CT_BPF_MAX]);

#endif
