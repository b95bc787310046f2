/* SPDX-License-Identifier: ISC */
/* From the configuration to the objects that run without I/O. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "daemon_state.h"
#include "process.h"
#include "sync/mode.h"

enum {
	HELPER_NAMES = 1024, /* different ones at a time */
	HELPER_NAME_LEN = 15,
	CONTEXTS = 4096,
	CONTEXT_LEN = 255,
};

static uint8_t transport(enum conf_link_kind kind)
{
	return kind == CONF_TCP ? L4_TCP : L4_UDP;
}

/* Our own traffic, as the conntrack table shows it: one for each link. */
static size_t filter_links(const struct conf_sync *s, struct filter_link *out)
{
	for (size_t i = 0; i < s->n_links; i++) {
		const struct conf_link *l = &s->links[i];
		bool is_group = l->kind == CONF_MULTICAST;

		out[i] = (struct filter_link){
			.family = l->family,
			.l4proto = transport(l->kind),
			.port = l->port,
			.remote = is_group ? l->group.addr : l->dest.addr,
			.has_remote = true,
		};
		if (is_group)
			continue;
		out[i].local = l->local.addr;
		out[i].has_local = l->local.family != FAMILY_NONE;
	}
	return s->n_links;
}

static int build_filter(struct daemon *d)
{
	const struct conf_filter *c = &d->conf->filter;
	struct filter_link links[CONF_LINKS_MAX];
	struct filter_net *nets = NULL;
	struct filter_opts o = {
		.protocol = c->protocol,
		.address = c->address,
		.state = c->state,
		.tcp_states = c->tcp_states,
		.links = links,
		.n_links = filter_links(&d->conf->sync, links),
		.n_nets = c->n_nets,
	};

	memcpy(o.protocols, c->protocols, sizeof(o.protocols));
	if (c->n_nets) {
		nets = calloc(c->n_nets, sizeof(*nets));
		if (!nets)
			return -ENOMEM;
		for (size_t i = 0; i < c->n_nets; i++)
			nets[i] = c->nets[i].net;
	}
	o.nets = nets;
	d->filter = filter_new(&o);
	free(nets);
	return d->filter ? 0 : -ENOMEM;
}

static int build_caches(struct daemon *d)
{
	struct flow_cache_opts o = { .first_size = d->conf->general.hash_size,
				     .limit = d->conf->general.hash_limit };
	int err = process_random(o.hash_key, sizeof(o.hash_key));

	if (err < 0)
		return err;
	d->helpers = names_new(HELPER_NAMES, HELPER_NAME_LEN);
	d->contexts = names_new(CONTEXTS, CONTEXT_LEN);
	d->internal = flow_cache_new(&o);
	d->external_cache = flow_cache_new(&o);
	return d->helpers && d->contexts && d->internal && d->external_cache
		       ? 0
		       : -ENOMEM;
}

/* The same at every start of this daemon, however its links are edited, and
 * another one for every other daemon: two on one machine cannot have the same
 * control socket. */
static void stable_name(const struct daemon *d, uint8_t out[EXT_NAME_SIZE])
{
	static const uint64_t keys[2][2] = { { 1, 0 }, { 2, 0 } };
	const char *path = d->conf->general.unix_path;
	uint8_t text[PROCESS_HOST_ID_SIZE + CONF_SOCKET_PATH_MAX];
	struct wr w = { .buf = text, .size = sizeof(text) };
	char host[PROCESS_HOST_ID_SIZE];

	process_host_id(host);
	wr_bytes(&w, host, strlen(host));
	wr_bytes(&w, path, strlen(path));
	for (int i = 0; i < 2; i++) {
		uint64_t h = hash_bytes(keys[i], text, w.used);

		memcpy(out + sizeof(h) * (size_t)i, &h, sizeof(h));
	}
}

static const char *peer_text(const struct peer *p, char out[ADDR_TEXT_SIZE])
{
	const struct peer_addr *a;

	snprintf(out, ADDR_TEXT_SIZE, "that was replaced");
	if (!p || !p->n_addrs) /* another one is at its place */
		return out;
	a = &p->addrs[p->n_addrs - 1];
	return addr_text(a->family, &a->addr, out);
}

static void on_event(void *ctx, enum engine_event what, const struct peer *p)
{
	char text[ADDR_TEXT_SIZE];

	(void)ctx;
	peer_text(p, text);
	switch (what) {
	case ENGINE_PEER_FOUND:
		log_notice("peer %s: heard for the first time", text);
		break;
	case ENGINE_PEER_ANSWERED:
		log_notice("peer %s: hears us", text);
		break;
	case ENGINE_PEER_RESTARTED:
		log_notice("peer %s: has started anew", text);
		break;
	case ENGINE_PEER_SILENT:
		log_warn("peer %s: is silent", text);
		break;
	case ENGINE_PEER_DEAF:
		log_warn("peer %s: is heard, but acknowledges nothing", text);
		break;
	case ENGINE_PEER_RETURNED:
		log_notice("peer %s: is back", text);
		break;
	case ENGINE_PEER_ASKS_BULK:
		log_notice("resync requested by other node");
		break;
	case ENGINE_PEER_REFUSED:
		log_warn("a peer is refused: %d are known already", PEER_MAX);
		break;
	case ENGINE_PEER_NAME_TWICE:
		log_warn("peer %s: two nodes have one machine id and host name",
			 text);
		break;
	case ENGINE_NODE_ID_TWICE:
		log_warn("another node has the id of this one, as a copy of a "
			 "running machine has: from now on this is a new one");
		break;
	case ENGINE_BULK_BEGINS:
		log_notice("sending bulk update");
		break;
	case ENGINE_BULK_SENT:
		break;
	case ENGINE_BULK_PROVEN:
		log_notice("peer %s: has all of the bulk update", text);
		break;
	case ENGINE_EVENT_N:
		break;
	}
}

static void on_work_wanted(void *ctx)
{
	daemon_work_later(ctx);
}

static int build_node(struct daemon *d)
{
	const struct conf_sync *s = &d->conf->sync;
	struct node_opts o = {
		.internal = d->internal,
		.external = d->external_cache,
		.wire = { .helpers = d->helpers,
			  .send_wscale = s->tcp_window_tracking,
			  .send_timeout = s->commit_timeout_s == 0 },
		.resend_queue_size = s->resend_queue_size,
		.ack_window = s->ack_window_size,
		.ctx = d,
		.event = on_event,
		.work = on_work_wanted,
	};
	int err = process_random(&o.first_seq, sizeof(o.first_seq));

	if (err == 0)
		err = process_random(&o.node_id, sizeof(o.node_id));
	if (err < 0)
		return err;
	o.node_id += o.node_id == 0; /* 0 is no node */
	stable_name(d, o.name);
	d->node = node_new(&o, mode_ftfw, loop_now_ms(d->loop));
	return d->node ? 0 : -ENOMEM;
}

int daemon_build_commit(struct daemon *d)
{
	const struct commit_opts o = {
		.external = d->external_cache,
		.internal = d->internal,
		.kernel = ct_writer_ops(d->kernel.commit_writer),
		.timeout_s = d->conf->sync.commit_timeout_s,
		.ended = job_side_commit_ended,
		.ctx = d,
	};

	d->commit = commit_new(&o);
	return d->commit ? 0 : -ENOMEM;
}

int daemon_build(struct daemon *d)
{
	int err = build_filter(d);

	if (err == 0)
		err = build_caches(d);
	if (err == 0)
		err = build_node(d);
	if (err < 0)
		log_error("can't start: %s", strerror(-err));
	return err;
}

void daemon_unbuild(struct daemon *d)
{
	commit_free(d->commit);
	node_free(d->node);
	flow_cache_free(d->internal);
	flow_cache_free(d->external_cache);
	names_free(d->helpers);
	names_free(d->contexts);
	filter_free(d->filter);
}
