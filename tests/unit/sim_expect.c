/* SPDX-License-Identifier: ISC */
#include "sim_expect.h"

#include <string.h>

enum { ONE_IN = 4, TIMEOUT_S = 300 };

bool sim_expect_value(const struct sim_flow *k, uint32_t number,
		      const struct flow *flow, struct expect *out)
{
	if (number % ONE_IN != 1 ||
	    (flow->l4proto != L4_TCP && flow->l4proto != L4_UDP))
		return false;
	*out = (struct expect){
		.has = EXPECT_TIMEOUT | EXPECT_FLAGS | EXPECT_CLASS,
		.family = flow->family,
		.master_l4proto = flow->l4proto,
		.l4proto = L4_TCP,
		.zone = flow->zone,
		.master = flow->orig,
		.expected = { .src = flow->orig.dst,
			      .dst = flow->orig.src,
			      .dport = (uint16_t)number },
		.mask = { .dport = UINT16_MAX },
		.timeout_s = TIMEOUT_S,
		.flags = k->mark & EXPECT_FLAG_INACTIVE,
		.class = k->mark,
	};
	return true;
}

const char *sim_expect_difference(const struct expect *a,
				  const struct expect *b)
{
	if (!expect_same_key(a, b))
		return "key";
	if (a->has != b->has)
		return "what is known";
	if (a->timeout_s != b->timeout_s)
		return "timeout";
	if (a->flags != b->flags)
		return "flags";
	return a->class == b->class ? NULL : "class";
}

uint32_t sim_expect_count(struct flow_cache *c, uint64_t is_down)
{
	uint32_t id = FLOW_CACHE_NO_ID, n = 0;

	while ((id = flow_cache_next(c, id)) != FLOW_CACHE_NO_ID) {
		struct flow master;
		struct expect e;
		int machine;

		if (flow_cache_head(c, id)->state == ENTRY_FREE ||
		    flow_cache_kind(c, id) != OBJECT_EXPECT)
			continue;
		expect_cache_get(c, id, &e);
		master = expect_master(&e);
		machine = sim_flow_machine(&master);
		n += machine < 0 || !(is_down >> machine & 1);
	}
	return n;
}
