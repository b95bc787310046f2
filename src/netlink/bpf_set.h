/* SPDX-License-Identifier: ISC */
/* bpf_set.h - whether a number or an address is in a set, as a tree of
 * comparisons: one instruction for a single one of its members, two for a
 * range, and a few for each sixteen of them. */
#ifndef NETLINK_BPF_SET_H
#define NETLINK_BPF_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/filter.h"
#include "base/util.h"
#include "netlink/bpf.h"

/* Goes to *hit if bit A is set: bit b % 8 of byte b / 8 of size bytes. */
void bpf_set_bits(struct bpf *b, const uint8_t *bits, size_t size,
		  uint32_t *hit, uint32_t *miss);

/* Networks of one family. A zeroed one has none. */
struct bpf_nets {
	struct filter_net *nets; /* sorted; none has another within it */
	size_t n;
	struct bpf_range *room; /* for ranges while code is written */
};

/* Takes those of this family, which have no bits after their prefixes. False:
 * no memory. */
NODISCARD bool bpf_nets_init(struct bpf_nets *s, uint8_t family,
			     const struct filter_net *nets, size_t n);
void bpf_nets_fini(struct bpf_nets *s);

/* Goes to *hit if an address is in one of them. Its first 32 bits are in A, the
 * others of an IPv6 address in M[1] to M[3]. */
void bpf_set_nets(struct bpf *b, const struct bpf_nets *s, uint32_t *hit,
		  uint32_t *miss);

#endif
