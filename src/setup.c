/* SPDX-License-Identifier: ISC */
#include "setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/hash.h"
#include "sync/mode.h"

enum {
	FIRST_FREE_PORT = 1024,
	ERROR_QUEUE_LEN = 128, /* where nothing is said */
	/* The same. A reference that is asked for all it has sends it at once:
	 * 100,000 entries are 7,000 datagrams, each 2,304 bytes to the kernel,
	 * which takes the double of what is asked for. Only what waits uses
	 * memory. */
	RECV_BUFFER_BYTES = 8 << 20,
};

_Static_assert((int)PROCESS_PATH_MAX == (int)CONF_PATH_MAX, "paths fit");
_Static_assert((int)CONF_SOURCES_MAX <= (int)LINK_SOURCES_MAX, "as many");
_Static_assert((int)CONF_HELPER_NAME_MAX == (int)EXPECT_FILTER_NAME_MAX,
	       "names of helpers fit");
_Static_assert((int)CONF_LINKS_MAX <= (int)LINKSET_MAX, "a set takes all");

/* ---- the process --------------------------------------------------------- */

static struct log_opts log_of(const struct conf_general *g)
{
	static const int facilities[] = {
		[CONF_SYSLOG_OFF] = -1,
		[CONF_SYSLOG_DAEMON] = LOG_DAEMON,
		[CONF_SYSLOG_LOCAL0] = LOG_LOCAL0,
		LOG_LOCAL1,
		LOG_LOCAL2,
		LOG_LOCAL3,
		LOG_LOCAL4,
		LOG_LOCAL5,
		LOG_LOCAL6,
		LOG_LOCAL7,
	};

	return (struct log_opts){
		.file = g->log_file[0] ? g->log_file : NULL,
		.syslog_facility = facilities[g->syslog],
		.console = true, /* until the start has succeeded */
	};
}

static struct process_lock_opts lock_of(const struct conf_general *g)
{
	return (struct process_lock_opts){
		.file = g->lock_file,
		.is_default = strcmp(g->lock_file, CONF_DEFAULT_LOCK) == 0,
		.socket_path = g->unix_path,
	};
}

static enum process_policy policy_of(const struct conf_general *g)
{
	static const enum process_policy policies[] = {
		[CONF_SCHED_NONE] = PROCESS_NICE,
		[CONF_SCHED_RR] = PROCESS_RR,
		[CONF_SCHED_FIFO] = PROCESS_FIFO,
	};

	return policies[g->sched];
}

static struct privileges_opts privileges_of(const struct conf *c)
{
	struct privileges_opts o = {
		.log_file = c->general.log_file,
		.socket_path = c->general.unix_path,
	};

	for (size_t i = 0; i < c->sync.n_links; i++)
		o.binds_low_ports |= c->sync.links[i].port < FIRST_FREE_PORT;
	return o;
}

/* ---- what is replicated -------------------------------------------------- */

/* Our own traffic with an address of the peer, as the conntrack table shows
 * it. */
static struct filter_link own_traffic(const struct conf_link *l,
				      const struct conf_addr *peer)
{
	bool is_group = l->kind == CONF_MULTICAST;
	struct filter_link o = {
		.family = l->family,
		.l4proto = l->kind == CONF_TCP ? L4_TCP : L4_UDP,
		.port = l->port,
		.remote = peer->addr,
		.has_remote = true,
	};

	if (!is_group) {
		o.local = l->local.addr;
		o.has_local = l->local.family != FAMILY_NONE;
	}
	return o;
}

static void read_own_traffic(const struct conf_link *l, struct setup *out)
{
	struct filter_link *next = &out->own_traffic[out->n_own_traffic];

	if (l->kind == CONF_MULTICAST)
		*next++ = own_traffic(l, &l->group);
	for (size_t i = 0; i < l->n_sources; i++)
		*next++ = own_traffic(l, &l->sources[i].addr);
	out->n_own_traffic = (size_t)(next - out->own_traffic);
}

static int read_filter(const struct conf *c, struct setup *out)
{
	const struct conf_filter *f = &c->filter;
	struct filter_opts *o = &out->daemon.filter;

	*o = (struct filter_opts){
		.protocol = f->protocol,
		.address = f->address,
		.state = f->state,
		.tcp_states = f->tcp_states,
		.links = out->own_traffic,
		.n_links = out->n_own_traffic,
		.n_nets = f->n_nets,
	};
	memcpy(o->protocols, f->protocols, sizeof(o->protocols));
	if (!f->n_nets)
		return 0;
	out->nets = calloc(f->n_nets, sizeof(*out->nets));
	if (!out->nets)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_nets; i++)
		out->nets[i] = f->nets[i].net;
	o->nets = out->nets;
	return 0;
}

/* NetlinkOverrunResync as struct overrun has it. */
static int64_t overrun_ms_of(const struct conf_general *g)
{
	if (g->overrun_resync_s == CONF_UNSET)
		return 0;
	return g->overrun_resync_s ? (int64_t)g->overrun_resync_s * 1000 : -1;
}

static struct kernel_side_opts kernel_of(const struct conf *c)
{
	const struct conf_general *g = &c->general;

	return (struct kernel_side_opts){
		.buffer = { .is_sized = g->netlink_buffer_bytes != CONF_UNSET,
			    .is_limited =
				    g->netlink_buffer_max_bytes != CONF_UNSET,
			    .bytes = g->netlink_buffer_bytes,
			    .max_bytes = g->netlink_buffer_max_bytes },
		.events_per_turn = g->event_iteration_limit,
		.events_reliable = g->events_reliable,
		.filters_in_kernel = c->filter.from_kernelspace,
		.tcp_window_tracking = c->sync.tcp_window_tracking,
		/* what a poll shows is compared with the cache */
		.is_bypassed = c->sync.disable_internal_cache && !g->poll_s,
		.poll_s = g->poll_s,
		.overrun_fixed_ms = overrun_ms_of(g),
		.has_expectations = c->sync.expect_sync != CONF_EXPECT_OFF,
		.expect_filter = { .names = c->sync.expect_names,
				   .n_names = c->sync.n_expect_names },
	};
}

/* ---- to whom ------------------------------------------------------------- */

/* The same at every start of this daemon, however its links are edited, and
 * another one for every other daemon: two on one machine cannot have the same
 * control socket. */
static void stable_name(const char *socket_path, uint8_t out[EXT_NAME_SIZE])
{
	static const uint64_t keys[2][2] = { { 1, 0 }, { 2, 0 } };
	uint8_t text[PROCESS_HOST_ID_SIZE + CONF_SOCKET_PATH_MAX];
	struct wr w = { .buf = text, .size = sizeof(text) };
	char host[PROCESS_HOST_ID_SIZE];

	process_host_id(host);
	wr_bytes(&w, host, strlen(host));
	wr_bytes(&w, socket_path, strlen(socket_path));
	for (int i = 0; i < 2; i++) {
		uint64_t h = hash_bytes(keys[i], text, w.used);

		memcpy(out + sizeof(h) * (size_t)i, &h, sizeof(h));
	}
}

static struct node_opts node_of(const struct conf *c)
{
	const struct conf_sync *s = &c->sync;
	struct node_opts o = {
		.wire = { .send_wscale = s->tcp_window_tracking,
			  .send_timeout = s->commit_timeout_s == 0 },
		.has_expectations = s->expect_sync != CONF_EXPECT_OFF,
		.resend_queue_size = s->resend_queue_size,
		.ack_window = s->ack_window_size,
	};

	if (s->mode == CONF_ALARM) {
		o.refresh_s = s->refresh_s;
		o.cache_timeout_s = s->cache_timeout_s;
	}
	stable_name(c->general.unix_path, o.name);
	return o;
}

static node_engine_fn *engine_of(const struct conf_sync *s)
{
	static node_engine_fn *const modes[] = {
		[CONF_FTFW] = mode_ftfw,
		[CONF_NOTRACK] = mode_notrack,
		[CONF_ALARM] = mode_alarm,
	};

	return modes[s->mode];
}

static struct link_opts link_of(const struct conf_link *c,
				uint32_t reads_per_turn)
{
	static const enum link_kind kinds[] = { [CONF_MULTICAST] = LINK_MCAST,
						[CONF_UDP] = LINK_UDP,
						[CONF_TCP] = LINK_TCP };
	struct link_opts o = {
		.kind = kinds[c->kind],
		.family = (enum family)c->family,
		.port = c->port,
		.send_buffer_bytes = c->snd_buffer,
		.recv_buffer_bytes = c->rcv_buffer,
		.checksum = c->checksum,
		.reads_per_turn = reads_per_turn,
	};

	memcpy(o.interface, c->interface, sizeof(o.interface));
	if (c->kind != CONF_TCP && !o.recv_buffer_bytes)
		o.recv_buffer_bytes = RECV_BUFFER_BYTES;
	if (c->kind == CONF_MULTICAST) {
		o.group_or_local = c->group.addr;
		o.interface_addr = c->local.addr;
		o.has_interface_addr = c->local.family != FAMILY_NONE;
	} else {
		o.group_or_local = c->local.addr;
		o.remote = c->dest.addr;
		for (size_t i = 0; i < c->n_sources; i++)
			o.sources[o.n_sources++] = c->sources[i].addr.addr;
	}
	return o;
}

static void read_links(const struct conf *c, struct setup *out)
{
	out->daemon.error_queue_len = ERROR_QUEUE_LEN;
	for (size_t i = 0; i < c->sync.n_links; i++) {
		const struct conf_link *l = &c->sync.links[i];

		out->links[i] = (struct links_link){
			.link = link_of(l, c->general.event_iteration_limit),
			.is_default = l->is_default,
		};
		read_own_traffic(l, out);
		if (l->kind == CONF_TCP) /* one for all: the last */
			out->daemon.error_queue_len = l->error_queue_len;
	}
	out->daemon.links.links = out->links;
	out->daemon.links.n_links = c->sync.n_links;
}

int setup_read(const struct conf *conf, bool is_background, struct setup *out)
{
	const struct conf_general *g = &conf->general;

	*out = (struct setup){ 0 };
	out->daemon = (struct daemon_opts){
		.is_background = is_background,
		.has_manager = g->systemd,
		.asks_at_start = conf->sync.startup_resync,
		/* A reference tells all at each poll, and so does not ask. In
		 * other modes this is told in any case. */
		.tells_at_start = g->poll_s && conf->sync.mode == CONF_NOTRACK,
		.has_no_mode = !conf_find_given(conf, "Sync", "Mode", -1),
		.injects = conf->sync.disable_external_cache,
		.log = log_of(g),
		.lock = lock_of(g),
		.policy = policy_of(g),
		.priority = g->sched_priority,
		.privileges = privileges_of(conf),
		.socket_path = g->unix_path,
		.cache = { .first_size = g->hash_size, .limit = g->hash_limit },
		.node = node_of(conf),
		.engine = engine_of(&conf->sync),
		.kernel = kernel_of(conf),
		.commands = { .commit_timeout_s = conf->sync.commit_timeout_s,
			      .purge_timeout_s = conf->sync.purge_timeout_s },
	};
	read_links(conf, out);
	return read_filter(conf, out);
}

void setup_fini(struct setup *s)
{
	free(s->nets);
}
