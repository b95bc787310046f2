/* SPDX-License-Identifier: ISC */
/* show_expect.h - an expectation as the plain line of dumps. */
#ifndef CLI_SHOW_EXPECT_H
#define CLI_SHOW_EXPECT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/expect.h"
#include "cli/show_flow.h"

struct expect_view {
	const struct expect *expect;
	unsigned int parts; /* enum show_part: SHOW_AGE, SHOW_EXPIRES */
	const char *helper; /* text of expect->helper; NULL: not known */
	uint32_t age_s;     /* SHOW_AGE */
	uint32_t expires_s; /* SHOW_EXPIRES */
};

/* Appends the line, of less than SHOW_FLOW_MAX bytes, without a newline. What
 * could break it or forge a field becomes '?'. */
void show_expect(const struct expect_view *v, struct wr *out);

#endif
