/* SPDX-License-Identifier: ISC */
#include "sync/tlv.h"

#include <assert.h>

enum { TLV_HDR_LEN = 4, TLV_ALIGN = 4 };

enum tlv_step tlv_next(struct rd *msg, struct tlv *out)
{
	struct tlv item;
	struct rd padding;
	uint16_t len; /* header and payload, without padding */

	/* up to 4 stray bytes are no attribute (PROTOCOL.md 2.4) */
	if (msg->left <= TLV_HDR_LEN) {
		msg->left = 0;
		return TLV_END;
	}
	if (!rd_be16(msg, &len) || !rd_be16(msg, &item.type))
		return TLV_MALFORMED;
	if (len < TLV_HDR_LEN || !rd_take(msg, len - TLV_HDR_LEN, &item.body))
		return TLV_MALFORMED;
	/* The last attribute may end with the message, unpadded. */
	if (!rd_take(msg, -len & (TLV_ALIGN - 1), &padding))
		msg->left = 0;
	*out = item;
	return TLV_ITEM;
}

void tlv_header(struct wr *w, uint16_t type, size_t len)
{
	assert(len <= UINT16_MAX - TLV_HDR_LEN);
	wr_be16(w, (uint16_t)(TLV_HDR_LEN + len));
	wr_be16(w, type);
}

void tlv_pad(struct wr *w, size_t len)
{
	wr_zeros(w, -len & (TLV_ALIGN - 1));
}
