/* SPDX-License-Identifier: ISC */
#include "losses.h"

#include "base/log.h"

enum { QUIET_MS = 60000 };

static uint64_t full(const struct flow_cache *c)
{
	return flow_cache_stats_of(c, OBJECT_FLOW)->n_create_no_space +
	       flow_cache_stats_of(c, OBJECT_EXPECT)->n_create_no_space;
}

static uint64_t internal_full(const struct sources *s)
{
	return full(s->internal);
}

static uint64_t external_full(const struct sources *s)
{
	return s->external ? full(s->external) : 0;
}

static uint64_t no_memory(const struct flow_cache *c)
{
	const struct store_stats *flows = flow_cache_stats(c);
	const struct store_stats *expectations =
		flow_cache_stats_of(c, OBJECT_EXPECT);

	return flows->n_create_no_memory + flows->n_update_failed +
	       expectations->n_create_no_memory + expectations->n_update_failed;
}

static uint64_t internal_no_memory(const struct sources *s)
{
	return no_memory(s->internal);
}

static uint64_t external_no_memory(const struct sources *s)
{
	return s->external ? no_memory(s->external) : 0;
}

/* Of what peers tell, directly put into the kernel. */
#define INJECT_COUNT(name, member)                                      \
	static uint64_t name(const struct sources *s)                   \
	{                                                               \
		return s->inject ? inject_stats(s->inject)->member : 0; \
	}
INJECT_COUNT(inject_full, n_full)
INJECT_COUNT(inject_taken, n_taken)
INJECT_COUNT(inject_other, n_other)
INJECT_COUNT(inject_stuck, n_stuck)
INJECT_COUNT(inject_without_helper, n_without_helper)
INJECT_COUNT(inject_without_master, n_without_master)

static uint64_t control_no_memory(const struct sources *s)
{
	struct node_stats n;

	node_stats(s->node, &n);
	return n.engine.n_no_memory;
}

static uint64_t helpers_refused(const struct sources *s)
{
	return names_refused(s->helpers);
}

static uint64_t contexts_refused(const struct sources *s)
{
	return names_refused(s->contexts);
}

static uint64_t clients_refused(const struct sources *s)
{
	const struct ctl_server_stats *c = ctl_server_stats(s->server);

	return c->n_refused + c->n_failed;
}

/* A line is `WHAT: N LOST`. */
static const struct {
	uint64_t (*count)(const struct sources *s);
	const char *what, *lost;
} rows[] = {
	{ internal_full, "cache internal is full (HashLimit)",
	  "new flows were refused" },
	{ external_full, "cache external is full (HashLimit)",
	  "new flows were refused" },
	{ internal_no_memory, "no memory for cache internal",
	  "flows or changes of flows were lost" },
	{ external_no_memory, "no memory for cache external",
	  "flows or changes of flows were lost" },
	{ inject_full, "the kernel's table is full (nf_conntrack_max)",
	  "flows of peers were refused" },
	{ inject_taken, "other entries have their addresses and ports",
	  "flows of peers were refused" },
	{ inject_other, "the kernel takes no such entries",
	  "flows of peers or changes of them were refused" },
	{ inject_stuck, "the kernel takes nothing just now",
	  "messages of peers were refused" },
	{ inject_without_helper, "helpers that this kernel has not",
	  "flows of peers go without" },
	{ inject_without_master, "masters that are not here",
	  "flows of peers go without" },
	{ control_no_memory, "no memory for control messages",
	  "were not sent" },
	{ helpers_refused, "names of helpers are too many or too long",
	  "flows go without" },
	{ contexts_refused, "security contexts are too many or too long",
	  "flows go without" },
	{ clients_refused, "control socket", "clients were refused" },
};
_Static_assert(N_ELEMENTS(rows) == LOSSES_N, "a state for each");

void losses_tell(struct losses *l, const struct sources *from, int64_t now_ms)
{
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct loss *loss = &l->of[i];
		uint64_t n = rows[i].count(from);

		if (n == loss->n_told || now_ms < loss->quiet_until_ms)
			continue;
		log_warn("%s: %llu %s", rows[i].what,
			 (unsigned long long)(n - loss->n_told), rows[i].lost);
		loss->n_told = n;
		loss->quiet_until_ms = now_ms + QUIET_MS;
	}
}
