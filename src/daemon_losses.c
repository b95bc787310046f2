/* SPDX-License-Identifier: ISC */
/* What had to be refused for lack of room or memory: said at once, then once a
 * minute at most. */
#include "base/log.h"
#include "daemon_state.h"

enum { QUIET_MS = 60000 };

static uint64_t internal_full(const struct daemon *d)
{
	return flow_cache_stats(d->internal)->n_create_no_space;
}

static uint64_t external_full(const struct daemon *d)
{
	return flow_cache_stats(d->external_cache)->n_create_no_space;
}

static uint64_t no_memory(const struct flow_cache *c)
{
	const struct flow_cache_stats *s = flow_cache_stats(c);

	return s->n_create_no_memory + s->n_update_failed;
}

static uint64_t internal_no_memory(const struct daemon *d)
{
	return no_memory(d->internal);
}

static uint64_t external_no_memory(const struct daemon *d)
{
	return no_memory(d->external_cache);
}

static uint64_t control_no_memory(const struct daemon *d)
{
	struct node_stats s;

	node_stats(d->node, &s);
	return s.engine.n_no_memory;
}

static uint64_t helpers_refused(const struct daemon *d)
{
	return names_refused(d->helpers);
}

static uint64_t contexts_refused(const struct daemon *d)
{
	return names_refused(d->contexts);
}

static uint64_t clients_refused(const struct daemon *d)
{
	const struct ctl_server_stats *s = ctl_server_stats(d->control.server);

	return s->n_refused + s->n_failed;
}

/* A line is `WHAT: N LOST`. */
static const struct {
	uint64_t (*count)(const struct daemon *d);
	const char *what, *lost;
} losses[] = {
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
_Static_assert(N_ELEMENTS(losses) == LOSSES_N, "a state for each");

void daemon_tell_losses(struct daemon *d)
{
	int64_t now_ms = loop_now_ms(d->loop);

	for (size_t i = 0; i < N_ELEMENTS(losses); i++) {
		struct loss *l = &d->losses[i];
		uint64_t n = losses[i].count(d);

		if (n == l->n_told || now_ms < l->quiet_until_ms)
			continue;
		log_warn("%s: %llu %s", losses[i].what,
			 (unsigned long long)(n - l->n_told), losses[i].lost);
		l->n_told = n;
		l->quiet_until_ms = now_ms + QUIET_MS;
	}
}
