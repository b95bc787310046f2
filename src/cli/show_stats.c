/* SPDX-License-Identifier: ISC */
#include "cli/show_stats.h"

#include "cli/ctl_proto.h"

enum { MAX_BLOCKS = 6, NO_VALUE = 0, NARROW = 12, WIDE = 20 };

/* Text, and a number right-aligned behind it in so many columns. */
struct piece {
	const char *text;
	uint8_t width; /* NO_VALUE: the text alone */
	uint16_t at;   /* of a uint64_t in the values shown */
};

/* clang-format off */
#define AT(field) offsetof(struct stats_cache, field)
static const struct piece cache_pieces[] = {
	{ "current active connections:\t", NARROW, AT(n_active) },
	{ "\nconnections created:\t\t", NARROW, AT(n_created) },
	{ "\tfailed:\t", NARROW, AT(n_create_failed) },
	{ "\nconnections updated:\t\t", NARROW, AT(n_updated) },
	{ "\tfailed:\t", NARROW, AT(n_update_failed) },
	{ "\nconnections destroyed:\t\t", NARROW, AT(n_destroyed) },
	{ "\tfailed:\t", NARROW, AT(n_destroy_failed) },
	{ "\n\n", NO_VALUE, 0 },
};

static const struct piece bypass_pieces[] = {
	{ "internal bypass:\nconnections new:\t\t", NARROW, AT(n_created) },
	{ "\nconnections updated:\t\t", NARROW, AT(n_updated) },
	{ "\nconnections destroyed:\t\t", NARROW, AT(n_destroyed) },
	{ "\n\n", NO_VALUE, 0 },
};

static const struct piece inject_pieces[] = {
	{ "external inject:\nconnections created:\t\t", NARROW, AT(n_created) },
	{ "\tfailed:\t", NARROW, AT(n_create_failed) },
	{ "\nconnections updated:\t\t", NARROW, AT(n_updated) },
	{ "\tfailed:\t", NARROW, AT(n_update_failed) },
	{ "\nconnections destroyed:\t\t", NARROW, AT(n_destroyed) },
	{ "\tfailed:\t", NARROW, AT(n_destroy_failed) },
	{ "\n\n", NO_VALUE, 0 },
};

static const struct piece detail_pieces[] = {
	{ "\tactive objects:\t\t", NARROW, AT(n_entries) },
	{ "\n\tactive/total entries:\t\t", NARROW, AT(n_active) },
	{ "/", NARROW, AT(n_entries) },
	{ "\n\tcreation OK/failed:\t\t", NARROW, AT(n_created) },
	{ "/", NARROW, AT(n_create_failed) },
	{ "\n\t\tno memory available:\t", NARROW, AT(n_create_no_memory) },
	{ "\n\t\tno space left in cache:\t", NARROW, AT(n_create_no_space) },
	{ "\n\tupdate OK/failed:\t\t", NARROW, AT(n_updated) },
	{ "/", NARROW, AT(n_update_failed) },
	{ "\n\t\tentry not found:\t", NARROW, AT(n_update_not_found) },
	{ "\n\tdeletion created/failed:\t", NARROW, AT(n_destroyed) },
	{ "/", NARROW, AT(n_destroy_failed) },
	{ "\n\t\tentry not found:\t", NARROW, AT(n_destroy_not_found) },
	{ "\n\n", NO_VALUE, 0 },
};
#undef AT

#define AT(field) offsetof(struct stats_link, field)
static const struct piece link_pieces[] = {
	{ ":\n", WIDE, AT(bytes_sent) },
	{ " Bytes sent ", WIDE, AT(bytes_received) },
	{ " Bytes recv\n", WIDE, AT(n_sent) },
	{ " Pckts sent ", WIDE, AT(n_received) },
	{ " Pckts recv\n", WIDE, AT(n_send_errors) },
	{ " Error send ", WIDE, AT(n_receive_errors) },
	{ " Error recv\n", NO_VALUE, 0 },
};

static const struct piece refused_pieces[] = {
	{ "", WIDE, AT(n_refused) },
	{ " Refused recv\n", NO_VALUE, 0 },
};
#undef AT

#define AT(field) offsetof(struct stats, field)
static const struct piece traffic_pieces[] = {
	{ "traffic processed:\n", WIDE, AT(traffic_bytes) },
	{ " Bytes      ", WIDE, AT(traffic_packets) },
	{ " Pckts\n\n", NO_VALUE, 0 },
};

static const struct piece tracking_pieces[] = {
	{ "message tracking:\n", WIDE, AT(network.n_malformed) },
	{ " Malformed msgs ", WIDE, AT(network.n_lost) },
	{ " Lost msgs\n\n", NO_VALUE, 0 },
};

static const struct piece network_pieces[] = {
	{ "network statistics:\n\trecv:\n\t\tMalformed messages:\t", WIDE,
	  AT(network.n_malformed) },
	{ "\n\t\tWrong protocol version:\t", WIDE, AT(network.n_bad_version) },
	{ "\n\t\tMalformed header:\t", WIDE, AT(network.n_bad_header) },
	{ "\n\t\tMalformed payload:\t", WIDE, AT(network.n_bad_payload) },
	{ "\n\t\tBad message type:\t", WIDE, AT(network.n_bad_type) },
	{ "\n\t\tTruncated message:\t", WIDE, AT(network.n_truncated) },
	{ "\n\t\tBad message size:\t", WIDE, AT(network.n_bad_size) },
	{ "\n\tsend:\n\t\tMalformed messages:\t", WIDE,
	  AT(network.n_send_malformed) },
	{ "\n\nsequence tracking statistics:\n\trecv:\n\t\tPackets lost:\t\t",
	  WIDE, AT(network.n_lost) },
	{ "\n\t\tPackets before:\t\t", WIDE, AT(network.n_before) },
	{ "\n\n", NO_VALUE, 0 },
};

static const struct piece refused_network_pieces[] = {
	{ "refused datagrams:\n\trecv:\n\t\tNot from the peer:\t", WIDE,
	  AT(network.n_not_from_peer) },
	{ "\n\t\tToo many peers:\t\t", WIDE, AT(network.n_too_many_peers) },
	{ "\n\n", NO_VALUE, 0 },
};

static const struct piece runtime_pieces[] = {
	{ "\n\nnetlink stats:\n\tevents received:\t", WIDE,
	  AT(runtime.n_events) },
	{ "\n\tevents filtered:\t", WIDE, AT(runtime.n_filtered) },
	{ "\n\tevents unknown type:\t\t", NARROW, AT(runtime.n_event_unknown) },
	{ "\n\tcatch event failed:\t\t", NARROW, AT(runtime.n_event_failed) },
	{ "\n\tdump unknown type:\t\t", NARROW, AT(runtime.n_dump_unknown) },
	{ "\n\tnetlink overrun:\t\t", NARROW, AT(runtime.n_overrun) },
	{ "\n\tflush kernel table:\t\t", NARROW, AT(runtime.n_flush) },
	{ "\n\tresync with kernel table:\t", NARROW, AT(runtime.n_resync) },
	{ "\n\tcurrent buffer size (in bytes):\t", NARROW,
	  AT(runtime.buffer_size_bytes) },
	{ "\n\nruntime stats:\n\tchild process failed:\t\t", NARROW,
	  AT(runtime.n_child_failed) },
	{ "\n\t\tchild process segfault:\t", NARROW,
	  AT(runtime.n_child_segfault) },
	{ "\n\t\tchild process termsig:\t", NARROW,
	  AT(runtime.n_child_termsig) },
	{ "\n\tselect failed:\t\t\t", NARROW, AT(runtime.n_select_failed) },
	{ "\n\twait failed:\t\t\t", NARROW, AT(runtime.n_wait_failed) },
	{ "\n\tlocal read failed:\t\t", NARROW, AT(runtime.n_request_missing) },
	{ "\n\tlocal unknown request:\t\t", NARROW,
	  AT(runtime.n_request_unknown) },
	{ "\n\n", NO_VALUE, 0 },
};

static const struct piece nodes_pieces[] = {
	{ "allocated queue nodes:\t\t", NARROW, AT(n_queue_nodes) },
	{ "\n\n", NO_VALUE, 0 },
};
#undef AT

#define AT(field) offsetof(struct stats_queue, field)
static const struct piece queue_pieces[] = {
	{ ":\ncurrent elements:\t\t", NARROW, AT(n) },
	{ "\nmaximum elements:\t\t", NARROW, AT(max) },
	{ "\nnot enough space errors:\t", NARROW, AT(n_no_space) },
	{ "\n\n", NO_VALUE, 0 },
};
#undef AT
/* clang-format on */

static const char *const status_names[] = {
	[LINK_DOWN] = "DOWN",
	[LINK_NO_CARRIER] = "NO-CARRIER",
	[LINK_RUNNING] = "RUNNING",
};
_Static_assert(N_ELEMENTS(status_names) == LINK_RUNNING + 1,
	       "a name for each status");

static void show_pieces(const struct piece *p, size_t n, const void *values,
			struct wr *out)
{
	uint64_t value;

	for (; n > 0; p++, n--) {
		wr_printf(out, "%s", p->text);
		if (p->width == NO_VALUE)
			continue;
		memcpy(&value, (const uint8_t *)values + p->at, sizeof(value));
		wr_printf(out, "%*llu", p->width, (unsigned long long)value);
	}
}

#define SHOW(pieces, values, out) \
	show_pieces(pieces, N_ELEMENTS(pieces), values, out)

static void show_internal_of(const struct stats_cache *c, bool is_stats_mode,
			     struct wr *out)
{
	if (c->is_off) {
		SHOW(bypass_pieces, c, out);
		return;
	}
	wr_printf(out, is_stats_mode ? "cache stats:\n" : "cache internal:\n");
	SHOW(cache_pieces, c, out);
}

static void show_external_of(const struct stats_cache *c, struct wr *out)
{
	if (c->is_off) {
		SHOW(inject_pieces, c, out);
		return;
	}
	wr_printf(out, "cache external:\n");
	SHOW(cache_pieces, c, out);
}

static void show_internal(const struct stats *s, struct wr *out)
{
	show_internal_of(&s->internal, s->is_stats_mode, out);
}

static void show_external(const struct stats *s, struct wr *out)
{
	show_external_of(&s->external, out);
}

static void show_internal_expect(const struct stats *s, struct wr *out)
{
	show_internal_of(&s->internal_expect, false, out);
}

static void show_external_expect(const struct stats *s, struct wr *out)
{
	show_external_of(&s->external_expect, out);
}

static void show_internal_detail(const struct stats *s, struct wr *out)
{
	if (s->internal.is_off) {
		SHOW(bypass_pieces, &s->internal, out);
		return;
	}
	wr_printf(out, s->is_stats_mode ? "cache:stats" : "cache:internal");
	SHOW(detail_pieces, &s->internal, out);
}

static void show_external_detail(const struct stats *s, struct wr *out)
{
	if (s->external.is_off) {
		SHOW(inject_pieces, &s->external, out);
		return;
	}
	wr_printf(out, "cache:external");
	SHOW(detail_pieces, &s->external, out);
}

static void show_traffic(const struct stats *s, struct wr *out)
{
	SHOW(traffic_pieces, s, out);
}

static void show_tracking(const struct stats *s, struct wr *out)
{
	SHOW(tracking_pieces, s, out);
}

static void show_network(const struct stats *s, struct wr *out)
{
	SHOW(network_pieces, s, out);
}

static void show_refused(const struct stats *s, struct wr *out)
{
	if (s->network.n_not_from_peer || s->network.n_too_many_peers)
		SHOW(refused_network_pieces, s, out);
}

static const char *connected(bool is)
{
	return is ? "connected" : "disconnected";
}

static void show_active_link(const struct stats *s, struct wr *out)
{
	for (size_t i = 0; i < s->n_links; i++) {
		const struct stats_link *l = &s->links[i];

		if (!l->is_active)
			continue;
		wr_printf(out, "%s traffic (active device=%s)", l->kind,
			  l->device);
		if (l->is_stream)
			wr_printf(out, " server=%s client=%s",
				  connected(l->is_server_connected),
				  connected(l->is_client_connected));
		SHOW(link_pieces, l, out);
		wr_u8(out, '\n');
		return;
	}
}

static void show_links(const struct stats *s, struct wr *out)
{
	for (size_t i = 0; i < s->n_links; i++) {
		const struct stats_link *l = &s->links[i];

		wr_printf(out, "%s traffic device=%s status=%s role=%s",
			  l->kind, l->device, status_names[l->status],
			  l->is_active ? "ACTIVE" : "BACKUP");
		SHOW(link_pieces, l, out);
		if (l->n_refused)
			SHOW(refused_pieces, l, out);
		wr_u8(out, '\n');
	}
}

static void show_runtime(const struct stats *s, struct wr *out)
{
	uint64_t minutes = s->runtime.uptime_s / 60;
	uint64_t hours = minutes / 60 % 24;
	uint64_t days = minutes / 60 / 24;

	wr_printf(out, "daemon uptime: ");
	if (days)
		wr_printf(out, "%llu day%s ", (unsigned long long)days,
			  days > 1 ? "s" : "");
	if (hours)
		wr_printf(out, "%llu h ", (unsigned long long)hours);
	wr_printf(out, "%llu min", (unsigned long long)(minutes % 60));
	SHOW(runtime_pieces, s, out);
}

static void show_queues(const struct stats *s, struct wr *out)
{
	SHOW(nodes_pieces, s, out);
	for (size_t i = 0; i < s->n_queues; i++) {
		wr_printf(out, "queue %s", s->queues[i].name);
		SHOW(queue_pieces, &s->queues[i], out);
	}
}

typedef void block_fn(const struct stats *s, struct wr *out);

/* clang-format off */
static const struct {
	uint8_t code;
	bool is_stats_mode;
	block_fn *blocks[MAX_BLOCKS];
} answers[] = {
	{ CTL_STATS, false, { show_internal, show_external, show_traffic,
			      show_active_link, show_tracking } },
	{ CTL_STATS_EXPECT, false, { show_internal_expect, show_external_expect,
				     show_traffic, show_active_link,
				     show_tracking } },
	{ CTL_STATS_NETWORK, false, { show_network, show_active_link,
				      show_refused } },
	{ CTL_STATS_CACHE, false, { show_internal_detail,
				    show_external_detail } },
	{ CTL_STATS_RUNTIME, false, { show_runtime } },
	{ CTL_STATS_LINK, false, { show_links } },
	{ CTL_STATS_PROCESS, false, { NULL } }, /* we have no children */
	{ CTL_STATS_QUEUE, false, { show_queues } },

	{ CTL_STATS, true, { show_internal, show_traffic } },
	{ CTL_STATS_EXPECT, true, { NULL } },
	{ CTL_STATS_NETWORK, true, { NULL } },
	{ CTL_STATS_CACHE, true, { show_internal_detail } },
	{ CTL_STATS_RUNTIME, true, { show_runtime } },
	{ CTL_STATS_LINK, true, { NULL } },
	{ CTL_STATS_PROCESS, true, { NULL } },
	{ CTL_STATS_QUEUE, true, { NULL } },
};
/* clang-format on */

bool show_stats(int code, const struct stats *s, struct wr *out)
{
	for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
		if (answers[i].code != code ||
		    answers[i].is_stats_mode != s->is_stats_mode)
			continue;
		for (size_t b = 0; b < MAX_BLOCKS && answers[i].blocks[b]; b++)
			answers[i].blocks[b](s, out);
		return true;
	}
	return false;
}

void show_rsqueue_head(uint64_t n, struct wr *out)
{
	wr_printf(out, "resent queue (len=%llu)\n", (unsigned long long)n);
}

void show_rsqueue_flow(uint32_t seq, struct wr *out)
{
	wr_printf(out, "object -> seq:%u\n", seq);
}

void show_rsqueue_control(uint32_t seq, uint8_t flags, struct wr *out)
{
	wr_printf(out, "control -> seq:%u flags:%u\n", seq, flags);
}
