/* SPDX-License-Identifier: ISC */
/* wire_flow.h - attributes of conntrack messages <-> struct flow, by one
 * table (PROTOCOL.md 2.2 to 2.4). */
#ifndef SYNC_WIRE_FLOW_H
#define SYNC_WIRE_FLOW_H

#include "base/buf.h"
#include "base/flow.h"
#include "base/names.h"
#include "sync/wire.h"

struct wire_flow_opts {
	struct names *helpers;   /* may be NULL: helper names are not carried */
	struct names *functions; /* of expectations; may be NULL likewise */
	bool send_wscale;        /* TCPWindowTracking on */
	bool send_timeout;       /* no CommitTimeout here (PROTOCOL.md 2.3) */
};

struct wire_flow_stats {
	uint64_t n_labels_cut; /* label bits beyond the kernel's 128 */
	uint64_t n_labels_odd; /* label attributes ignored for their size */
};

/* Decodes the attributes of one conntrack message. NAT attributes become the
 * reply tuple: it is present (FLOW_REPLY) only if a NAT attribute was. Port
 * attributes of value 0 on ICMP are ignored. VERDICT_OK or BAD_PAYLOAD;
 * *out is worthless on failure. stats may be NULL. */
NODISCARD enum verdict wire_flow_decode(struct rd attrs,
					const struct wire_flow_opts *opts,
					struct flow *out,
					struct wire_flow_stats *stats);

/* Appends the attributes of a flow in the order of PROTOCOL.md 2.3. Sets
 * w->full if they do not fit. */
void wire_flow_encode(struct wr *w, const struct wire_flow_opts *opts,
		      const struct flow *f);

#endif
