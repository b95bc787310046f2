/* SPDX-License-Identifier: ISC */
/* tlv.h - walks the attributes of one sync message, and writes them
 * (PROTOCOL.md 2.1); copies nothing. */
#ifndef SYNC_TLV_H
#define SYNC_TLV_H

#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"

struct tlv {
	uint16_t type;
	struct rd body; /* payload; borrowed from the message */
};

enum tlv_step { TLV_ITEM, TLV_END, TLV_MALFORMED };

/* Takes the next attribute off msg. *out is written on TLV_ITEM only. */
NODISCARD enum tlv_step tlv_next(struct rd *msg, struct tlv *out);

/* Writes the header of an attribute whose payload has len bytes, at most
 * 65531; the caller writes those, then tlv_pad(). */
void tlv_header(struct wr *w, uint16_t type, size_t len);

/* Fills up behind a payload of len bytes. */
void tlv_pad(struct wr *w, size_t len);

#endif
