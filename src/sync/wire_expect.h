/* SPDX-License-Identifier: ISC */
/* wire_expect.h - attributes of expectation messages <-> struct expect, by one
 * table (PROTOCOL.md 2.6). */
#ifndef SYNC_WIRE_EXPECT_H
#define SYNC_WIRE_EXPECT_H

#include "base/buf.h"
#include "base/expect.h"
#include "base/util.h"
#include "sync/wire.h"
#include "sync/wire_flow.h"

/* Decodes the attributes of one expectation message (EXP_NEW, EXP_UPD and
 * EXP_DEL alike). Ports that were not sent are 0. VERDICT_OK or BAD_PAYLOAD;
 * *out is worthless on failure. */
NODISCARD enum verdict wire_expect_decode(struct rd attrs,
					  const struct wire_flow_opts *opts,
					  struct expect *out);

/* Appends the attributes of an expectation. Nothing may be appended to the
 * message after them: what has no attribute stands behind the last one. Sets
 * w->full if they do not fit. */
void wire_expect_encode(struct wr *w, const struct wire_flow_opts *opts,
			const struct expect *e);

#endif
