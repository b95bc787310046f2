/* SPDX-License-Identifier: ISC */
/* random_expect.h - expectations with any set of fields, for tests of codecs.
 */
#ifndef UNIT_RANDOM_EXPECT_H
#define UNIT_RANDOM_EXPECT_H

#include <stdint.h>

#include "base/expect.h"

enum { RANDOM_EXPECT_ALL = 2 * EXPECT_ID - 1 }; /* all presence bits */

/* An expectation of this family with these presence bits, by the sequence of
 * random_next(). Everything that no bit stands for is 0, padding too: such ones
 * can be compared by memcmp(). Protocols are those with ports, ids of names
 * below n_names, of which there is at least one. */
void random_expect(struct expect *e, uint64_t *seed, enum family family,
		   uint32_t has, uint16_t n_names);

#endif
