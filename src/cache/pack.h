/* SPDX-License-Identifier: ISC */
/* pack.h - the packed form of a flow, as the caches keep it: the key first,
 * then a mask of what is known and those fields in order, by one table.
 *
 *	1  kind: family, which parts the key has
 *	1  protocol
 *	   both original addresses, 4 or 16 bytes each
 *	4  ports or GRE keys, if known
 *	4  ICMP id, type and code, if known
 *	2  zone, if not 0
 *	2  zone of the original direction, if known
 *	4  mask: the presence bits from FLOW_REPLY up
 *	   the fields, one behind the other
 *
 * Integers are in the byte order of this machine and not aligned. Two flows
 * with the same content have the same bytes. Counters and the use count are
 * left out (PROTOCOL.md 5.1). */
#ifndef CACHE_PACK_H
#define CACHE_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/flow.h"

enum {
	PACK_KEY_MAX = 46, /* longest key in bytes */
	PACK_MAX = 256,    /* no packed flow is longer */
};

/* What a packed flow never has. */
#define PACK_LEFT_OUT (FLOW_USE | FLOW_COUNTERS_ORIG | FLOW_COUNTERS_REPLY)

/* How the field of one presence bit is packed: size bytes at offset of struct
 * flow as they are, or by functions that return the bytes of the packed form.
 * A row without either stands for a bit of the key, or one left out. */
struct pack_row {
	uint16_t offset, size;
	size_t (*encode)(const struct flow *f, uint8_t *out);
	size_t (*decode)(const uint8_t *in, struct flow *f);
};

/* The row of a presence bit (enum flow_bit_number below FLOW_N_LAST). */
const struct pack_row *pack_row(unsigned int bit);

/* Writes the key alone and returns its length, which the first byte tells. */
size_t pack_key(const struct flow *f, uint8_t out[PACK_KEY_MAX]);

/* Length of the key that a packed flow begins with. */
size_t pack_key_len(const uint8_t *packed);

/* Writes the packed flow, its key first, and returns its length. */
size_t pack_encode(const struct flow *f, uint8_t out[PACK_MAX]);

/* Which bits from FLOW_REPLY up the packed flow has. */
uint64_t pack_has(const uint8_t *packed);

/* Reads what pack_encode() wrote and returns its length. Fields that are not
 * known are left as they were. */
size_t pack_decode(const uint8_t *packed, struct flow *out);

#endif
