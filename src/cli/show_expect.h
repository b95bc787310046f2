/* SPDX-License-Identifier: ISC */
/* show_expect.h - an expectation as the plain line of dumps. */
#ifndef CLI_SHOW_EXPECT_H
#define CLI_SHOW_EXPECT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/expect.h"
#include "cli/show_flow.h"

enum { SHOW_EXPECT_MAX = 1024 }; /* bytes of the longest line */

struct expect_view {
	const struct expect *expect;
	unsigned int parts; /* of enum show_part: SHOW_EXPIRES, SHOW_AGE */
	const char *helper; /* text of expect->helper, if it is known */
	uint32_t age_s;     /* SHOW_AGE */
	uint32_t expires_s; /* SHOW_EXPIRES */
};

/* Appends the line, without a newline. NAT and function are not in it, as with
 * the reference. The helper's name is shown as show_flow() does it. */
void show_expect(const struct expect_view *v, struct wr *out);

#endif
