/* SPDX-License-Identifier: ISC */
/* filter.h - which flows are replicated: the sets of the Filter section, and
 * the daemon's own traffic, which never is (design: "own traffic"). */
#ifndef BASE_FILTER_H
#define BASE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/flow.h"
#include "base/util.h"

struct filter_net {
	uint8_t family;
	uint8_t prefix_len; /* at most 8 * addr_size(family) */
	struct addr addr;   /* bits after the prefix do not count */
};

/* A dedicated link as the conntrack table shows it. Its own traffic has its
 * protocol, its port at either end, and runs between local and remote, in
 * either direction. An end that is not known matches any address, but one has
 * to be known. So does the local end of a multicast link: the datagrams of the
 * peers come from their addresses to the group. */
struct filter_link {
	uint8_t family;
	uint8_t l4proto; /* L4_UDP or L4_TCP */
	uint16_t port;   /* Port or Group, at either end */
	struct addr local;
	struct addr remote; /* destination or group */
	bool has_local;
	bool has_remote;
};

enum filter_action { FILTER_NONE, FILTER_ACCEPT, FILTER_IGNORE };

struct filter_opts {
	enum filter_action protocol; /* FILTER_NONE: this set is not given */
	uint8_t protocols[32];       /* bit p % 8 of byte p / 8 */
	enum filter_action address;
	const struct filter_net *nets; /* copied */
	size_t n_nets;
	enum filter_action state;
	uint16_t tcp_states;             /* bit s: enum flow_tcp_state */
	const struct filter_link *links; /* copied */
	size_t n_links;
};

struct filter;

/* NULL if there is no memory. */
struct filter *filter_new(const struct filter_opts *opts);
void filter_free(struct filter *f); /* accepts NULL */

/* The sets as they were given, for who has to tell them to somebody else; they
 * live as long as f. nets: each family by itself, by prefix length, then
 * address; no bits after the prefix. links: those that can have traffic; the
 * local end of a multicast link is not known. */
const struct filter_opts *filter_sets(const struct filter *f);

/* True if the flow is replicated: it has a family, is not the daemon's own nor
 * what lost a clash (Linux keeps a packet that came at the same moment as the
 * first of its flow as an entry of its own, for a second, with the original
 * tuple of that flow: IPS_NAT_CLASH), and passes every given set
 * (PROTOCOL.md 5.3, user-space meaning): its protocol; its original or reply
 * source address, each family judged by its own nets; the state of a TCP flow
 * where it is known. An address is found by one binary search for each prefix
 * length that occurs, not by a walk over the nets. */
bool filter_accepts(const struct filter *f, const struct flow *flow);

/* The same without the State set: the end of a flow is never filtered by the
 * state it ended in (PROTOCOL.md 5.3). */
bool filter_accepts_end(const struct filter *f, const struct flow *flow);

#endif
