/* SPDX-License-Identifier: ISC */
/* expect_text.h - expectations for tests: as text, so that a case is one
 * literal and equal ones have equal texts; and with any set of fields. */
#ifndef UNIT_EXPECT_TEXT_H
#define UNIT_EXPECT_TEXT_H

#include <stdint.h>

#include "base/expect.h"
#include "base/names.h"

enum { EXPECT_TEXT_SIZE = 512 };

/* "proto 6 A:1>B:2 mask M:0>M:65535 master 6 A:1>B:2", then what is known.
 * Returns out. */
const char *expect_text(const struct expect *e, const struct names *helpers,
			const struct names *functions,
			char out[EXPECT_TEXT_SIZE]);

/* An expectation of this family with these EXPECT_* bits; the ids of names are
 * 1 to 4. Everything that no bit stands for is 0. */
void random_expect(struct expect *e, uint64_t *seed, enum family family,
		   uint32_t has);

#endif
