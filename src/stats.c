/* SPDX-License-Identifier: ISC */
#include "stats.h"

#include <stdio.h>
#include <string.h>

#include "cli/show_stats.h"

enum {
	LONG_TURN = 15, /* of loop_stats.turn_us: 2^14 us or more */
	N_CACHES = 4,   /* of flows and of expectations */
	N_QUEUES = 3,
	/* The daemon comes first, then the caches, and so on. */
	FIRST_CACHE = 1,
	FIRST_EXPECT = FIRST_CACHE + 2,
	FIRST_QUEUE = FIRST_CACHE + N_CACHES,
	FIRST_LINK = FIRST_QUEUE + N_QUEUES,
};

/* Where a counter is in the struct of its owner. */
struct field {
	uint8_t counter; /* enum counter */
	uint8_t size;    /* of the number: 1, 4 or 8 bytes */
	uint16_t at;
};
_Static_assert(COUNTER_N < 256, "a counter in a byte");

#define FIELD(id, type, member)                            \
	{                                                  \
		COUNTER_##id, sizeof(((type *)0)->member), \
			offsetof(type, member)             \
	}
static const struct field loop_fields[] = {
	FIELD(LOOP_TURNS, struct loop_stats, n_turns),
	FIELD(LOOP_LONGEST_TURN, struct loop_stats, longest_turn_us),
	FIELD(LOOP_WAIT_FAILED, struct loop_stats, n_wait_failed),
};

static const struct field kernel_fields[] = {
	FIELD(EVENTS, struct ct_kernel_stats, n_events),
	FIELD(EVENTS_UNKNOWN, struct ct_kernel_stats, n_events_unknown),
	FIELD(EVENT_ERRORS, struct ct_kernel_stats, n_event_errors),
	FIELD(OVERRUNS, struct ct_kernel_stats, n_overruns),
	FIELD(DUMP_UNKNOWN, struct ct_kernel_stats, n_dump_unknown),
	FIELD(KERNEL_MALFORMED, struct ct_kernel_stats, n_malformed),
	FIELD(KERNEL_FOREIGN, struct ct_kernel_stats, n_foreign),
	FIELD(KERNEL_BUFFER, struct ct_kernel_stats, buffer_bytes),
	FIELD(KERNEL_BUFFER_AT_MAX, struct ct_kernel_stats, is_buffer_at_max),
};

static const struct field kernel_side_fields[] = {
	FIELD(FLUSHES, struct kernel_side_stats, n_flushes),
	FIELD(RESYNCS, struct kernel_side_stats, n_resyncs),
	FIELD(POLLS, struct kernel_side_stats, n_polls),
};

static const struct field mirror_fields[] = {
	FIELD(EVENTS_FILTERED, struct mirror_stats, n_filtered),
	FIELD(TRAFFIC_BYTES, struct mirror_stats, traffic_bytes),
	FIELD(TRAFFIC_PACKETS, struct mirror_stats, traffic_packets),
};

static const struct field node_fields[] = {
	FIELD(MESSAGES_OK, struct node_stats, n_verdicts[VERDICT_OK]),
	FIELD(MESSAGES_BAD_VERSION, struct node_stats,
	      n_verdicts[VERDICT_BAD_VERSION]),
	FIELD(MESSAGES_BAD_HEADER, struct node_stats,
	      n_verdicts[VERDICT_BAD_HEADER]),
	FIELD(MESSAGES_BAD_PAYLOAD, struct node_stats,
	      n_verdicts[VERDICT_BAD_PAYLOAD]),
	FIELD(MESSAGES_BAD_TYPE, struct node_stats,
	      n_verdicts[VERDICT_BAD_TYPE]),
	FIELD(MESSAGES_TRUNCATED, struct node_stats,
	      n_verdicts[VERDICT_TRUNCATED]),
	FIELD(MESSAGES_BAD_SIZE, struct node_stats,
	      n_verdicts[VERDICT_BAD_SIZE]),
	FIELD(MESSAGES_IGNORED, struct node_stats, n_verdicts[VERDICT_IGNORED]),
	FIELD(MESSAGES_NO_ROOM, struct node_stats, n_verdicts[VERDICT_NO_ROOM]),
	FIELD(ENTRIES_SWEPT, struct node_stats, n_swept),
	FIELD(ENTRIES_EXPIRED, struct node_stats, n_expired),
	FIELD(ENDS_NOT_OWNER, struct node_stats, n_not_owner),
	FIELD(LABELS_CUT, struct node_stats, wire.n_labels_cut),
	FIELD(LABELS_ODD, struct node_stats, wire.n_labels_odd),
};

static const struct field engine_fields[] = {
	FIELD(MESSAGES_LOST, struct engine_stats, n_lost),
	FIELD(MESSAGES_BEFORE, struct engine_stats, n_before),
	FIELD(RANGES_FOREIGN, struct engine_stats, n_foreign),
	FIELD(TOO_MANY_PEERS, struct engine_stats, n_refused),
	FIELD(PEERS_LIVE, struct engine_stats, n_peers_live),
	FIELD(ENTRIES_DIRTY, struct engine_stats, n_dirty),
	FIELD(NUMBERS_OUTSTANDING, struct engine_stats, n_outstanding),
	FIELD(CONTROL_NO_MEMORY, struct engine_stats, n_no_memory),
};

static const struct field inject_fields[] = {
	FIELD(INJECT_CREATED, struct inject_stats, n_created),
	FIELD(INJECT_UPDATED, struct inject_stats, n_updated),
	FIELD(INJECT_DESTROYED, struct inject_stats, n_destroyed),
	FIELD(INJECT_CREATE_FAILED, struct inject_stats, n_create_failed),
	FIELD(INJECT_UPDATE_FAILED, struct inject_stats, n_update_failed),
	FIELD(INJECT_DESTROY_FAILED, struct inject_stats, n_destroy_failed),
	FIELD(INJECT_FULL, struct inject_stats, n_full),
	FIELD(INJECT_TAKEN, struct inject_stats, n_taken),
	FIELD(INJECT_OTHER, struct inject_stats, n_other),
	FIELD(INJECT_STUCK, struct inject_stats, n_stuck),
	FIELD(INJECT_NEWER, struct inject_stats, n_newer),
	FIELD(INJECT_WITHOUT_HELPER, struct inject_stats, n_without_helper),
	FIELD(INJECT_WITHOUT_MASTER, struct inject_stats, n_without_master),
};

static const struct field expect_fields[] = {
	FIELD(EXPECT_FILTERED, struct expect_mirror_stats, n_filtered),
	FIELD(EXPECT_NO_MASTER, struct expect_mirror_stats, n_no_master),
};

static const struct field inject_expect_fields[] = {
	FIELD(INJECT_EXPECT_CREATED, struct inject_expect_stats, n_created),
	FIELD(INJECT_EXPECT_CREATE_FAILED, struct inject_expect_stats,
	      n_create_failed),
	FIELD(INJECT_EXPECT_NO_MASTER, struct inject_expect_stats, n_no_master),
	FIELD(INJECT_EXPECT_DESTROYED, struct inject_expect_stats, n_destroyed),
	FIELD(INJECT_EXPECT_DESTROY_FAILED, struct inject_expect_stats,
	      n_destroy_failed),
	FIELD(INJECT_EXPECT_OWN, struct inject_expect_stats, n_own),
};

/* -s expect: in the places of those of flows. */
static const struct field shown_inject_fields[] = {
	FIELD(INJECT_CREATED, struct inject_expect_stats, n_created),
	FIELD(INJECT_CREATE_FAILED, struct inject_expect_stats,
	      n_create_failed),
	FIELD(INJECT_DESTROYED, struct inject_expect_stats, n_destroyed),
	FIELD(INJECT_DESTROY_FAILED, struct inject_expect_stats,
	      n_destroy_failed),
};

static const struct field control_fields[] = {
	FIELD(REQUESTS, struct ctl_server_stats, n_requests),
	FIELD(REQUESTS_UNKNOWN, struct ctl_server_stats, n_unknown),
	FIELD(CLIENTS_SILENT, struct ctl_server_stats, n_silent),
	FIELD(CLIENTS_CROWDED_OUT, struct ctl_server_stats, n_crowded_out),
	FIELD(CLIENTS_REFUSED, struct ctl_server_stats, n_refused),
	FIELD(CLIENTS_FAILED, struct ctl_server_stats, n_failed),
};

static const struct field cache_fields[] = {
	FIELD(CACHE_ACTIVE, struct store_stats, n_active),
	FIELD(CACHE_ENTRIES, struct store_stats, n_entries),
	FIELD(CACHE_MEMORY, struct store_stats, memory_bytes),
	FIELD(CACHE_CREATED, struct store_stats, n_created),
	FIELD(CACHE_NO_SPACE, struct store_stats, n_create_no_space),
	FIELD(CACHE_NO_MEMORY, struct store_stats, n_create_no_memory),
	FIELD(CACHE_UPDATED, struct store_stats, n_updated),
	FIELD(CACHE_UPDATE_FAILED, struct store_stats, n_update_failed),
	FIELD(CACHE_DESTROYED, struct store_stats, n_destroyed),
};

static const struct field link_fields[] = {
	FIELD(LINK_SENT_BYTES, struct link_stats, n_bytes_sent),
	FIELD(LINK_RECEIVED_BYTES, struct link_stats, n_bytes_recv),
	FIELD(LINK_SENT, struct link_stats, n_packets_sent),
	FIELD(LINK_RECEIVED, struct link_stats, n_packets_recv),
	FIELD(LINK_SEND_ERRORS, struct link_stats, n_send_errors),
	FIELD(LINK_RECEIVE_ERRORS, struct link_stats, n_recv_errors),
	FIELD(LINK_REFUSED, struct link_stats, n_refused),
};

static const struct field peer_fields[] = {
	FIELD(PEER_OWED, struct engine_peer_stats, n_owed),
	FIELD(PEER_RTT, struct engine_peer_stats, rtt_ms),
};
#undef FIELD

static void gather(const struct field *f, size_t n, const void *owner,
		   struct counted *c)
{
	for (; n > 0; f++, n--) {
		const uint8_t *at = (const uint8_t *)owner + f->at;
		uint64_t value = *at;
		uint32_t word;

		if (f->size == sizeof(word)) {
			memcpy(&word, at, sizeof(word));
			value = word;
		} else if (f->size == sizeof(value)) {
			memcpy(&value, at, sizeof(value));
		}
		counted_set(c, (enum counter)f->counter, value);
	}
}

#define GATHER(fields, owner, c) gather(fields, N_ELEMENTS(fields), owner, c)

/* ---- of the daemon ------------------------------------------------------ */

static void gather_loop(const struct sources *from, struct counted *c)
{
	const struct loop_stats *s = loop_stats(from->loop);
	uint64_t n_long = 0;

	GATHER(loop_fields, s, c);
	for (int i = LONG_TURN; i < LOOP_STATS_N; i++)
		n_long += s->turn_us[i];
	counted_set(c, COUNTER_LOOP_LONG_TURNS, n_long);
	counted_set(c, COUNTER_UPTIME,
		    (uint64_t)(loop_now_ms(from->loop) - from->started_ms) /
			    1000);
}

static void gather_kernel(const struct kernel_side_stats *s, struct counted *c)
{
	GATHER(kernel_fields, s->table, c);
	GATHER(kernel_side_fields, s, c);
	GATHER(mirror_fields, s->mirror, c);
	GATHER(expect_fields, s->expect, c);
	if (s->bypass)
		counted_set(c, COUNTER_EVENTS_FILTERED, s->bypass->n_filtered);
}

static void gather_node(const struct node_stats *s, struct counted *c)
{
	uint64_t n_malformed = 0;

	GATHER(node_fields, s, c);
	for (int v = 0; v < VERDICT_N; v++)
		if (verdict_is_malformed((enum verdict)v))
			n_malformed += s->n_verdicts[v];
	counted_set(c, COUNTER_MESSAGES_MALFORMED, n_malformed);
}

static void gather_links(const struct linkset *s, struct counted *c)
{
	uint64_t n_refused = 0;

	for (int i = 0; i < s->n_links; i++)
		n_refused += link_stats(s->links[i])->n_refused;
	counted_set(c, COUNTER_NOT_FROM_PEER, n_refused);
}

static void gather_engine(const struct engine_stats *e, struct counted *c)
{
	GATHER(engine_fields, e, c);
	/* Entries wait in no queue of nodes: the figure is of references. */
	counted_set(c, COUNTER_QUEUE_NODES,
		    (uint64_t)e->n_dirty + e->n_outstanding);
}

static void gather_control(const struct ctl_server_stats *s, struct counted *c)
{
	GATHER(control_fields, s, c);
	counted_set(c, COUNTER_REQUESTS_MISSING, s->n_missing + s->n_silent);
}

static void gather_daemon(const struct sources *from,
			  const struct node_stats *node, struct counted *c)
{
	const struct kernel_side_stats kernel = kernel_side_stats(from->kernel);

	gather_loop(from, c);
	gather_kernel(&kernel, c);
	gather_links(links_set(from->links), c);
	gather_node(node, c);
	gather_engine(&node->engine, c);
	if (from->inject) {
		GATHER(inject_fields, inject_stats(from->inject), c);
		GATHER(inject_expect_fields,
		       inject_stats_of_expectations(from->inject), c);
	}
	counted_set(c, COUNTER_HELPERS_REFUSED, names_refused(from->helpers));
	counted_set(c, COUNTER_CONTEXTS_REFUSED, names_refused(from->contexts));
	counted_set(c, COUNTER_FUNCTIONS_REFUSED,
		    names_refused(from->functions));
	gather_control(ctl_server_stats(from->server), c);
}

/* ---- of its parts ------------------------------------------------------- */

/* cache: NULL if there is none, of which nothing is counted. */
static void add_cache(struct counter_set *set, const char *name,
		      const struct flow_cache *cache, enum object_kind kind)
{
	struct counted *c = counter_set_add(set, COUNTER_PER_CACHE, name, NULL);
	const struct store_stats *s;

	if (!cache)
		return;
	s = flow_cache_stats_of(cache, kind);
	GATHER(cache_fields, s, c);
	counted_set(c, COUNTER_CACHE_CREATE_FAILED,
		    s->n_create_no_space + s->n_create_no_memory);
}

/* Without an internal cache: what was passed on, not how. */
static void count_bypass(const struct kernel_side_stats *s, struct counted *c,
			 struct counted *expect)
{
	if (!s->bypass)
		return;
	counted_set(c, COUNTER_CACHE_CREATED, s->bypass->n_new);
	counted_set(c, COUNTER_CACHE_UPDATED, s->bypass->n_updated);
	counted_set(c, COUNTER_CACHE_DESTROYED, s->bypass->n_destroyed);
	counted_set(expect, COUNTER_CACHE_CREATED, s->expect->n_new);
	counted_set(expect, COUNTER_CACHE_DESTROYED, s->expect->n_destroyed);
}

static void add_queue(struct counter_set *set, const char *name, uint64_t n,
		      uint64_t max, uint64_t n_no_space)
{
	struct counted *c = counter_set_add(set, COUNTER_PER_QUEUE, name, NULL);

	counted_set(c, COUNTER_QUEUE_ELEMENTS, n);
	counted_set(c, COUNTER_QUEUE_MAX, max);
	counted_set(c, COUNTER_QUEUE_NO_SPACE, n_no_space);
}

static void add_link(struct counter_set *set, const struct linkset *links,
		     int index)
{
	const struct link *l = links->links[index];
	struct counted *c;
	char number[16];

	snprintf(number, sizeof(number), "%d", index);
	c = counter_set_add(set, COUNTER_PER_LINK, number,
			    link_opts(l)->interface);
	GATHER(link_fields, link_stats(l), c);
	counted_set(c, COUNTER_LINK_ACTIVE, index == links->current);
	counted_set(c, COUNTER_LINK_RUNNING, link_status(l) == LINK_RUNNING);
}

static void add_peer(struct counter_set *set, const struct node *node,
		     const struct peer *p)
{
	char number[16], address[ADDR_TEXT_SIZE] = "";
	struct engine_peer_stats stats;
	struct counted *c;

	node_peer_stats(node, p->number, &stats);
	snprintf(number, sizeof(number), "%u", p->number);
	if (p->n_addrs)
		addr_text(p->addrs[0].family, &p->addrs[0].addr, address);
	c = counter_set_add(set, COUNTER_PER_PEER, number, address);
	GATHER(peer_fields, &stats, c);
	counted_set(c, COUNTER_PEER_LIVE, p->is_live);
}

static size_t count_peers(const struct roster *r)
{
	size_t n = 0;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		n++;
	return n;
}

struct counter_set *stats_gather(const struct sources *from)
{
	const struct roster *peers = node_peers(from->node);
	const struct linkset *links = links_set(from->links);
	struct counter_set *s = counter_set_new(
		FIRST_LINK + (size_t)links->n_links + count_peers(peers));
	struct kernel_side_stats kernel;
	struct node_stats node;

	if (!s)
		return NULL;
	node_stats(from->node, &node);
	gather_daemon(from, &node,
		      counter_set_add(s, COUNTER_PER_DAEMON, NULL, NULL));
	add_cache(s, "internal", from->internal, OBJECT_FLOW);
	add_cache(s, "external", from->external, OBJECT_FLOW);
	add_cache(s, "internal_expect", from->internal, OBJECT_EXPECT);
	add_cache(s, "external_expect", from->external, OBJECT_EXPECT);
	kernel = kernel_side_stats(from->kernel);
	count_bypass(&kernel, &s->all[FIRST_CACHE], &s->all[FIRST_EXPECT]);
	add_queue(s, "txqueue", node.engine.n_dirty, INT32_MAX,
		  node.engine.n_no_memory);
	/* What has changed waits in its cache; readers of -s queue know this
	 * one all the same. */
	add_queue(s, "errorq", 0, from->error_queue_len, 0);
	add_queue(s, "rsqueue", node.engine.n_outstanding,
		  from->resend_queue_size, 0);
	for (int i = 0; i < links->n_links; i++)
		add_link(s, links, i);
	for (int i = roster_next(peers, -1); i >= 0; i = roster_next(peers, i))
		add_peer(s, from->node, &peers->peers[i]);
	return s;
}

/* ---- the answers -------------------------------------------------------- */

static struct stats_link of_link(const struct linkset *links, int index)
{
	struct link *l = links->links[index];
	struct stats_link out = {
		.kind = link_kind_name(link_opts(l)->kind),
		.status = link_status(l),
		.device = link_opts(l)->interface,
		.is_active = index == links->current,
	};

	out.is_stream = link_connections(l, &out.is_server_connected,
					 &out.is_client_connected);
	return out;
}

bool stats_show(const struct sources *from, const struct counter_set *set,
		int code, struct wr *out)
{
	const struct linkset *set_of_links = links_set(from->links);
	struct stats_link links[LINKSET_MAX];
	const struct counted *queues[N_QUEUES];
	struct counted injected = { .per = COUNTER_PER_DAEMON };
	struct node_stats node;
	struct stats s = {
		.daemon = &set->all[0],
		.internal = { .counted = &set->all[FIRST_CACHE],
			      .is_off =
				      kernel_side_stats(from->kernel).bypass },
		.external = { .is_off = !from->external,
			      .counted = from->external
						 ? &set->all[FIRST_CACHE + 1]
						 : &set->all[0] },
		.internal_expect = { .counted = &set->all[FIRST_EXPECT],
				     .is_off = kernel_side_stats(from->kernel)
						       .bypass },
		.external_expect = { .is_off = !from->external,
				     .counted =
					     from->external
						     ? &set->all[FIRST_EXPECT +
								 1]
						     : &injected },
		.links = links,
		.n_links = (size_t)set_of_links->n_links,
		.queues = queues,
		.n_queues = N_QUEUES,
	};

	if (from->inject)
		GATHER(shown_inject_fields,
		       inject_stats_of_expectations(from->inject), &injected);
	node_stats(from->node, &node);
	if (!node.engine.holds) /* the last one is the resend queue */
		s.n_queues--;
	for (int i = 0; i < N_QUEUES; i++)
		queues[i] = &set->all[FIRST_QUEUE + i];
	for (int i = 0; i < set_of_links->n_links; i++) {
		links[i] = of_link(set_of_links, i);
		links[i].counted = &set->all[FIRST_LINK + i];
	}
	return show_stats(code, &s, out);
}
