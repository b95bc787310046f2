/* SPDX-License-Identifier: ISC */
#include "losses.h"

#include "base/log.h"

enum { QUIET_MS = 60000 };

static uint64_t internal_full(const struct sources *s)
{
	return flow_cache_stats(s->internal)->n_create_no_space;
}

static uint64_t external_full(const struct sources *s)
{
	return flow_cache_stats(s->external)->n_create_no_space;
}

static uint64_t no_memory(const struct flow_cache *c)
{
	const struct store_stats *s = flow_cache_stats(c);

	return s->n_create_no_memory + s->n_update_failed;
}

static uint64_t internal_no_memory(const struct sources *s)
{
	return no_memory(s->internal);
}

static uint64_t external_no_memory(const struct sources *s)
{
	return no_memory(s->external);
}

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
