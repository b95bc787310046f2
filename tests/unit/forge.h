/* SPDX-License-Identifier: ISC */
/* forge.h - datagrams of our own making, said by anybody to a node of the
 * simulation; and a way that is open in one direction only. */
#ifndef UNIT_FORGE_H
#define UNIT_FORGE_H

#include "sim.h"
#include "sync/ext.h"

enum { FORGE_STRANGER = SIM_NODES_MAX }; /* a place that is no node's */

struct forged {
	uint8_t bytes[65507];
	struct wr w;
};

/* An empty datagram, the same one each time. */
struct forged *forge_open(void);
/* Append a message. */
void forge_alive(struct forged *d, uint32_t seq);
void forge_range(struct forged *d, uint8_t flags, uint32_t seq, uint32_t from,
		 uint32_t to);
/* An ALIVE of this node id; its name is made of that, unless the first record
 * is one. */
void forge_announcement(struct forged *d, uint32_t seq, uint64_t node,
			const struct ext_record *records, int n);
void forge_say(struct sim *s, int from, int to, const struct forged *d);

/* A tap that carries what one node sends to another one, while both are cut off
 * in the simulation. */
struct forge_way {
	struct sim *s;
	int from, to;
	int as; /* the place it seems to come from */
	bool is_open;
	bool is_both_ways;
	int n_lost; /* datagrams of from that are lost first */
};

void forge_carry(void *ctx, int from, const uint8_t *bytes, size_t len);

/* Of a node: entries of others; bulks that it began. */
uint32_t forge_n_external(const struct sim *s, int node);
struct engine_stats forge_stats(const struct sim *s, int node);

#endif
