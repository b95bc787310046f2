/* SPDX-License-Identifier: ISC */
#include "stats.h"

#include "cli/ctl_proto.h"
#include "cli/show_stats.h"

/* Only streams have such a queue; readers of -s queue know it in all modes. */
enum { ERROR_QUEUE_LEN = 128 };

static struct stats_cache of_cache(const struct flow_cache *c)
{
	const struct store_stats *s = flow_cache_stats(c);

	return (struct stats_cache){
		.n_active = s->n_active,
		.n_entries = s->n_entries,
		.n_created = s->n_created,
		.n_create_failed = s->n_create_no_space + s->n_create_no_memory,
		.n_create_no_memory = s->n_create_no_memory,
		.n_create_no_space = s->n_create_no_space,
		.n_updated = s->n_updated,
		.n_update_failed = s->n_update_failed,
		.n_destroyed = s->n_destroyed,
	};
}

static struct stats_link of_link(const struct sources *from, size_t index)
{
	const struct link *l = links_set(from->links)->links[index];
	const struct link_stats *s = link_stats(l);

	return (struct stats_link){
		.kind = link_kind_name(link_opts(l)->kind),
		.status = link_status(l),
		.device = link_opts(l)->interface,
		.is_active = index == (size_t)links_set(from->links)->current,
		.bytes_sent = s->n_bytes_sent,
		.bytes_received = s->n_bytes_recv,
		.n_sent = s->n_packets_sent,
		.n_received = s->n_packets_recv,
		.n_send_errors = s->n_send_errors,
		.n_receive_errors = s->n_recv_errors,
		.n_refused = s->n_refused,
	};
}

static struct stats_network of_network(const struct sources *from,
				       const struct node_stats *n)
{
	struct stats_network out = {
		.n_bad_version = n->n_verdicts[VERDICT_BAD_VERSION],
		.n_bad_header = n->n_verdicts[VERDICT_BAD_HEADER],
		.n_bad_payload = n->n_verdicts[VERDICT_BAD_PAYLOAD],
		.n_bad_type = n->n_verdicts[VERDICT_BAD_TYPE],
		.n_truncated = n->n_verdicts[VERDICT_TRUNCATED],
		.n_bad_size = n->n_verdicts[VERDICT_BAD_SIZE],
		.n_lost = n->engine.n_lost,
		.n_before = n->engine.n_before,
		.n_too_many_peers = n->engine.n_refused,
	};

	for (int v = 0; v < VERDICT_N; v++)
		if (verdict_is_malformed((enum verdict)v))
			out.n_malformed += n->n_verdicts[v];
	for (size_t i = 0; i < (size_t)links_set(from->links)->n_links; i++)
		out.n_not_from_peer +=
			link_stats(links_set(from->links)->links[i])->n_refused;
	return out;
}

static struct stats_runtime of_runtime(const struct sources *from)
{
	const struct kernel_side_stats kernel = kernel_side_stats(from->kernel);
	const struct ct_kernel_stats *k = kernel.table;
	const struct ctl_server_stats *c = ctl_server_stats(from->server);

	return (struct stats_runtime){
		.uptime_s = (uint64_t)((loop_now_ms(from->loop) -
					from->started_ms) /
				       1000),
		.n_events = k->n_events,
		.n_filtered = kernel.mirror->n_filtered,
		.n_event_unknown = k->n_events_unknown,
		.n_event_failed = k->n_event_errors,
		.n_dump_unknown = k->n_dump_unknown,
		.n_overrun = k->n_overruns,
		.n_flush = kernel.n_flushes,
		.n_resync = kernel.n_resyncs,
		.buffer_size_bytes = k->buffer_bytes,
		.n_select_failed = loop_stats(from->loop)->n_wait_failed,
		.n_request_missing = c->n_missing + c->n_silent,
		.n_request_unknown = c->n_unknown,
	};
}

bool stats_show(const struct sources *from, int code, struct wr *out)
{
	struct stats_link links[LINKSET_MAX];
	const struct kernel_side_stats kernel = kernel_side_stats(from->kernel);
	struct node_stats n;
	struct stats_queue queues[3];
	struct stats s = {
		.internal = of_cache(from->internal),
		.external = of_cache(from->external),
		.traffic_bytes = kernel.mirror->traffic_bytes,
		.traffic_packets = kernel.mirror->traffic_packets,
		.runtime = of_runtime(from),
		.links = links,
		.n_links = (size_t)links_set(from->links)->n_links,
		.queues = queues,
		.n_queues = N_ELEMENTS(queues),
	};

	node_stats(from->node, &n);
	s.network = of_network(from, &n);
	/* Entries wait in no queue of nodes: the figures are references. */
	queues[0] = (struct stats_queue){ "txqueue", n.engine.n_dirty,
					  INT32_MAX, n.engine.n_no_memory };
	queues[1] = (struct stats_queue){ "errorq", 0, ERROR_QUEUE_LEN, 0 };
	queues[2] = (struct stats_queue){ "rsqueue", n.engine.n_outstanding,
					  from->resend_queue_size, 0 };
	s.n_queue_nodes = n.engine.n_dirty + n.engine.n_outstanding;
	for (size_t i = 0; i < (size_t)links_set(from->links)->n_links; i++)
		links[i] = of_link(from, i);
	return show_stats(code, &s, out);
}
