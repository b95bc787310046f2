/* SPDX-License-Identifier: ISC */
/* show_flow.h - a flow as the plain line of dumps and logs. */
#ifndef CLI_SHOW_FLOW_H
#define CLI_SHOW_FLOW_H

#include <stdint.h>

#include "base/buf.h"
#include "base/flow.h"

/* Parts of a line that are not wanted everywhere. */
enum show_part {
	SHOW_REPLY = 0x01,    /* the reply tuple; shows NAT */
	SHOW_COUNTERS = 0x02, /* packets and bytes behind each tuple */
	SHOW_TIMEOUT = 0x04,
	SHOW_USE = 0x08,
	SHOW_EXPIRES = 0x10, /* [expires in Ns] */
	SHOW_AGE = 0x20,     /* [active since Ns] */

	SHOW_INTERNAL = SHOW_REPLY | SHOW_AGE,
	SHOW_EXTERNAL = SHOW_AGE, /* the peer does not send the reply tuple */
	SHOW_KERNEL = SHOW_REPLY | SHOW_TIMEOUT | SHOW_USE,
	SHOW_LOG = SHOW_REPLY | SHOW_COUNTERS,
};

enum { SHOW_FLOW_MAX = 1280 }; /* bytes of the longest line */

struct flow_view {
	const struct flow *flow;
	unsigned int parts; /* enum show_part */
	const char *helper; /* text of flow->helper, if it is known */
	const char *secctx; /* text of flow->secctx, if it is known */
	int64_t wall_s;     /* now; for flows with a start stamp */
	uint32_t age_s;     /* SHOW_AGE */
	uint32_t expires_s; /* SHOW_EXPIRES */
};

/* Appends the line, without a newline. Texts that others may have chosen are
 * cut at 255 bytes, and what could break a line or forge a field becomes '?'.
 */
void show_flow(const struct flow_view *v, struct wr *out);

/* Parts of lines: " src=A dst=B" with a prefix to both, and what tuples of this
 * protocol have besides; " label=text", text as above. */
void show_tuple(const char *prefix, enum family family, uint8_t l4proto,
		const struct tuple *t, struct wr *out);
void show_text(const char *label, const char *text, struct wr *out);

#endif
