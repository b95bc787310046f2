/* SPDX-License-Identifier: ISC */
/* sim_net.h - the network between simulated nodes: datagrams on their way. */
#ifndef UNIT_SIM_NET_H
#define UNIT_SIM_NET_H

#include "sim.h"

struct sim_datagram {
	int64_t at_us;
	uint64_t order; /* of those that arrive at the same time */
	int from, to;
	uint32_t life; /* of the sender */
	uint8_t link;
	size_t len;
	uint8_t bytes[];
};

static inline int64_t sim_now_us(const struct sim *s)
{
	return s->now_ms * 1000 + s->now_us;
}

/* When the link of n takes its next datagram; not after now: at once. */
int64_t sim_net_free_us(const struct sim *s, const struct sim_node *n);

/* The datagram leaves node n on its link, to all who are not cut off. */
void sim_net_send(struct sim *s, struct sim_node *n, const uint8_t *bytes,
		  size_t len);

/* When the next datagram arrives; INT64_MAX: none is on its way. */
int64_t sim_net_next_us(const struct sim *s);

/* Takes the datagram off; the caller frees it. */
struct sim_datagram *sim_net_take(struct sim *s);

void sim_net_fini(struct sim *s);

#endif
