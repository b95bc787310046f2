/* SPDX-License-Identifier: ISC */
/* pack_expect.h - the packed form of an expectation, beside those of flows
 * (cache/pack.h): the key first, then a mask of what is known and those fields.
 *
 *	1  kind: PACK_IS_EXPECT, family, which parts the key has
 *	1  protocol of the master
 *	1  protocol of what is expected
 *	   tuples of master, expected and mask: both addresses, 4 or 16 bytes
 *	   each, and ports (4)
 *	2  zone, if not 0
 *	1  the presence bits
 *	   the fields, one behind the other
 *
 * Integers are in the byte order of this machine and not aligned. Two
 * expectations with the same content have the same bytes. */
#ifndef CACHE_PACK_EXPECT_H
#define CACHE_PACK_EXPECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/expect.h"

enum {
	PACK_IS_EXPECT = 0x80, /* of the first byte; no packed flow has it */
	PACK_EXPECT_KEY_MAX = 113,
	PACK_EXPECT_MAX = 176, /* no packed expectation is longer */
};

/* Writes the key alone and returns its length, which the first byte tells. */
size_t pack_expect_key(const struct expect *e,
		       uint8_t out[PACK_EXPECT_KEY_MAX]);

/* Length of the key that a packed expectation begins with. */
size_t pack_expect_key_len(const uint8_t *packed);

/* Writes the packed expectation, its key first, and returns its length. */
size_t pack_expect_encode(const struct expect *e, uint8_t out[PACK_EXPECT_MAX]);

/* Reads what pack_expect_encode() wrote and returns its length. Fields that are
 * not known are 0. */
size_t pack_expect_decode(const uint8_t *packed, struct expect *out);

#endif
