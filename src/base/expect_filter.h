/* SPDX-License-Identifier: ISC */
/* expect_filter.h - which expectations are replicated: those of every helper,
 * or of some (ExpectationSync). */
#ifndef BASE_EXPECT_FILTER_H
#define BASE_EXPECT_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/expect.h"
#include "base/names.h"

enum { EXPECT_FILTER_NAME_MAX = 16 }; /* so many characters of a name count */

struct expect_filter {
	const struct names *helpers; /* of the expectations; the caller's */
	/* What the name of a helper may begin with, in any case; the caller's.
	 * None: it may be any, and none at all. */
	char (*names)[EXPECT_FILTER_NAME_MAX + 1];
	size_t n_names;
};

bool expect_filter_accepts(const struct expect_filter *f,
			   const struct expect *e);

#endif
