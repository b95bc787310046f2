/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow_text.h"

struct addr addr_of(enum family family, const char *text)
{
	struct addr a;

	if (!addr_parse(family, text, strlen(text), &a))
		fail_msg("no address: %s", text);
	return a;
}

enum family family_of(const char *text)
{
	return strchr(text, ':') ? FAMILY_IPV6 : FAMILY_IPV4;
}

struct flow flow_of(uint8_t l4proto, const char *src, const char *dst)
{
	enum family family = family_of(src);
	struct flow f = {
		.has = FLOW_PORTS,
		.family = (uint8_t)family,
		.l4proto = l4proto,
		.orig = { .src = addr_of(family, src),
			  .dst = addr_of(family, dst),
			  .sport = 40000,
			  .dport = 80 },
	};

	f.reply = flow_inverse(&f);
	f.has |= FLOW_REPLY;
	return f;
}
