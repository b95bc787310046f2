/* SPDX-License-Identifier: ISC */
#include "cli/show_stats.h"

#include "cli/ctl_rows.h"

enum { MAX_BLOCKS = 6, NO_VALUE = 0, NARROW = 12, WIDE = 20 };
/* What readers of the reference's layout look for, and cannot happen here. */
enum { ALWAYS_0 = COUNTER_N };

/* Text, and a number right-aligned behind it in so many columns. */
struct piece {
	const char *text;
	uint8_t width;   /* NO_VALUE: the text alone */
	uint8_t counter; /* enum counter, or ALWAYS_0 */
};
_Static_assert(COUNTER_N < 256, "a counter in a byte");

/* clang-format off */
static const struct piece cache_pieces[] = {
	{ "current active connections:\t", NARROW, COUNTER_CACHE_ACTIVE },
	{ "\nconnections created:\t\t", NARROW, COUNTER_CACHE_CREATED },
	{ "\tfailed:\t", NARROW, COUNTER_CACHE_CREATE_FAILED },
	{ "\nconnections updated:\t\t", NARROW, COUNTER_CACHE_UPDATED },
	{ "\tfailed:\t", NARROW, COUNTER_CACHE_UPDATE_FAILED },
	{ "\nconnections destroyed:\t\t", NARROW, COUNTER_CACHE_DESTROYED },
	{ "\tfailed:\t", NARROW, ALWAYS_0 },
	{ "\n\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece bypass_pieces[] = {
	{ "internal bypass:\nconnections new:\t\t", NARROW, COUNTER_CACHE_CREATED },
	{ "\nconnections updated:\t\t", NARROW, COUNTER_CACHE_UPDATED },
	{ "\nconnections destroyed:\t\t", NARROW, COUNTER_CACHE_DESTROYED },
	{ "\n\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece inject_pieces[] = {
	{ "external inject:\nconnections created:\t\t", NARROW, COUNTER_INJECT_CREATED },
	{ "\tfailed:\t", NARROW, COUNTER_INJECT_CREATE_FAILED },
	{ "\nconnections updated:\t\t", NARROW, COUNTER_INJECT_UPDATED },
	{ "\tfailed:\t", NARROW, COUNTER_INJECT_UPDATE_FAILED },
	{ "\nconnections destroyed:\t\t", NARROW, COUNTER_INJECT_DESTROYED },
	{ "\tfailed:\t", NARROW, COUNTER_INJECT_DESTROY_FAILED },
	{ "\n\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece detail_pieces[] = {
	{ "\tactive objects:\t\t", NARROW, COUNTER_CACHE_ENTRIES },
	{ "\n\tactive/total entries:\t\t", NARROW, COUNTER_CACHE_ACTIVE },
	{ "/", NARROW, COUNTER_CACHE_ENTRIES },
	{ "\n\tcreation OK/failed:\t\t", NARROW, COUNTER_CACHE_CREATED },
	{ "/", NARROW, COUNTER_CACHE_CREATE_FAILED },
	{ "\n\t\tno memory available:\t", NARROW, COUNTER_CACHE_NO_MEMORY },
	{ "\n\t\tno space left in cache:\t", NARROW, COUNTER_CACHE_NO_SPACE },
	{ "\n\tupdate OK/failed:\t\t", NARROW, COUNTER_CACHE_UPDATED },
	{ "/", NARROW, COUNTER_CACHE_UPDATE_FAILED },
	{ "\n\t\tentry not found:\t", NARROW, ALWAYS_0 },
	{ "\n\tdeletion created/failed:\t", NARROW, COUNTER_CACHE_DESTROYED },
	{ "/", NARROW, ALWAYS_0 },
	{ "\n\t\tentry not found:\t", NARROW, ALWAYS_0 },
	{ "\n\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece link_pieces[] = {
	{ ":\n", WIDE, COUNTER_LINK_SENT_BYTES },
	{ " Bytes sent ", WIDE, COUNTER_LINK_RECEIVED_BYTES },
	{ " Bytes recv\n", WIDE, COUNTER_LINK_SENT },
	{ " Pckts sent ", WIDE, COUNTER_LINK_RECEIVED },
	{ " Pckts recv\n", WIDE, COUNTER_LINK_SEND_ERRORS },
	{ " Error send ", WIDE, COUNTER_LINK_RECEIVE_ERRORS },
	{ " Error recv\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece refused_pieces[] = {
	{ "", WIDE, COUNTER_LINK_REFUSED },
	{ " Refused recv\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece traffic_pieces[] = {
	{ "traffic processed:\n", WIDE, COUNTER_TRAFFIC_BYTES },
	{ " Bytes      ", WIDE, COUNTER_TRAFFIC_PACKETS },
	{ " Pckts\n\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece tracking_pieces[] = {
	{ "message tracking:\n", WIDE, COUNTER_MESSAGES_MALFORMED },
	{ " Malformed msgs ", WIDE, COUNTER_MESSAGES_LOST },
	{ " Lost msgs\n\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece network_pieces[] = {
	{ "network statistics:\n\trecv:\n\t\tMalformed messages:\t", WIDE,
	  COUNTER_MESSAGES_MALFORMED },
	{ "\n\t\tWrong protocol version:\t", WIDE, COUNTER_MESSAGES_BAD_VERSION },
	{ "\n\t\tMalformed header:\t", WIDE, COUNTER_MESSAGES_BAD_HEADER },
	{ "\n\t\tMalformed payload:\t", WIDE, COUNTER_MESSAGES_BAD_PAYLOAD },
	{ "\n\t\tBad message type:\t", WIDE, COUNTER_MESSAGES_BAD_TYPE },
	{ "\n\t\tTruncated message:\t", WIDE, COUNTER_MESSAGES_TRUNCATED },
	{ "\n\t\tBad message size:\t", WIDE, COUNTER_MESSAGES_BAD_SIZE },
	{ "\n\tsend:\n\t\tMalformed messages:\t", WIDE,
	  ALWAYS_0 },
	{ "\n\nsequence tracking statistics:\n\trecv:\n\t\tPackets lost:\t\t",
	  WIDE, COUNTER_MESSAGES_LOST },
	{ "\n\t\tPackets before:\t\t", WIDE, COUNTER_MESSAGES_BEFORE },
	{ "\n\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece refused_network_pieces[] = {
	{ "refused datagrams:\n\trecv:\n\t\tNot from the peer:\t", WIDE,
	  COUNTER_NOT_FROM_PEER },
	{ "\n\t\tToo many peers:\t\t", WIDE, COUNTER_TOO_MANY_PEERS },
	{ "\n\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece runtime_pieces[] = {
	{ "\n\nnetlink stats:\n\tevents received:\t", WIDE,
	  COUNTER_EVENTS },
	{ "\n\tevents filtered:\t", WIDE, COUNTER_EVENTS_FILTERED },
	{ "\n\tevents unknown type:\t\t", NARROW, COUNTER_EVENTS_UNKNOWN },
	{ "\n\tcatch event failed:\t\t", NARROW, COUNTER_EVENT_ERRORS },
	{ "\n\tdump unknown type:\t\t", NARROW, COUNTER_DUMP_UNKNOWN },
	{ "\n\tnetlink overrun:\t\t", NARROW, COUNTER_OVERRUNS },
	{ "\n\tflush kernel table:\t\t", NARROW, COUNTER_FLUSHES },
	{ "\n\tresync with kernel table:\t", NARROW, COUNTER_RESYNCS },
	{ "\n\tcurrent buffer size (in bytes):\t", NARROW,
	  COUNTER_KERNEL_BUFFER },
	{ "\n\nruntime stats:\n\tchild process failed:\t\t", NARROW,
	  ALWAYS_0 },
	{ "\n\t\tchild process segfault:\t", NARROW,
	  ALWAYS_0 },
	{ "\n\t\tchild process termsig:\t", NARROW,
	  ALWAYS_0 },
	{ "\n\tselect failed:\t\t\t", NARROW, COUNTER_LOOP_WAIT_FAILED },
	{ "\n\twait failed:\t\t\t", NARROW, ALWAYS_0 },
	{ "\n\tlocal read failed:\t\t", NARROW, COUNTER_REQUESTS_MISSING },
	{ "\n\tlocal unknown request:\t\t", NARROW,
	  COUNTER_REQUESTS_UNKNOWN },
	{ "\n\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece nodes_pieces[] = {
	{ "allocated queue nodes:\t\t", NARROW, COUNTER_QUEUE_NODES },
	{ "\n\n", NO_VALUE, ALWAYS_0 },
};

static const struct piece queue_pieces[] = {
	{ ":\ncurrent elements:\t\t", NARROW, COUNTER_QUEUE_ELEMENTS },
	{ "\nmaximum elements:\t\t", NARROW, COUNTER_QUEUE_MAX },
	{ "\nnot enough space errors:\t", NARROW, COUNTER_QUEUE_NO_SPACE },
	{ "\n\n", NO_VALUE, ALWAYS_0 },
};
/* clang-format on */

static const char *const status_names[] = {
	[LINK_DOWN] = "DOWN",
	[LINK_NO_CARRIER] = "NO-CARRIER",
	[LINK_RUNNING] = "RUNNING",
};
_Static_assert(N_ELEMENTS(status_names) == LINK_RUNNING + 1,
	       "a name for each status");

static void show_pieces(const struct piece *p, size_t n,
			const struct counted *values, struct wr *out)
{
	for (; n > 0; p++, n--) {
		uint64_t value = 0;

		wr_printf(out, "%s", p->text);
		if (p->width == NO_VALUE)
			continue;
		if (p->counter != ALWAYS_0)
			value = counted_get(values, (enum counter)p->counter);
		wr_printf(out, "%*llu", p->width, (unsigned long long)value);
	}
}

#define SHOW(pieces, values, out) \
	show_pieces(pieces, N_ELEMENTS(pieces), values, out)

static void show_internal_of(const struct stats_cache *c, bool is_stats_mode,
			     struct wr *out)
{
	if (c->is_off) {
		SHOW(bypass_pieces, c->counted, out);
		return;
	}
	wr_printf(out, is_stats_mode ? "cache stats:\n" : "cache internal:\n");
	SHOW(cache_pieces, c->counted, out);
}

static void show_external_of(const struct stats_cache *c, struct wr *out)
{
	if (c->is_off) {
		SHOW(inject_pieces, c->counted, out);
		return;
	}
	wr_printf(out, "cache external:\n");
	SHOW(cache_pieces, c->counted, out);
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
		SHOW(bypass_pieces, s->internal.counted, out);
		return;
	}
	wr_printf(out, s->is_stats_mode ? "cache:stats" : "cache:internal");
	SHOW(detail_pieces, s->internal.counted, out);
}

static void show_external_detail(const struct stats *s, struct wr *out)
{
	if (s->external.is_off) {
		SHOW(inject_pieces, s->external.counted, out);
		return;
	}
	wr_printf(out, "cache:external");
	SHOW(detail_pieces, s->external.counted, out);
}

static void show_traffic(const struct stats *s, struct wr *out)
{
	SHOW(traffic_pieces, s->daemon, out);
}

static void show_tracking(const struct stats *s, struct wr *out)
{
	SHOW(tracking_pieces, s->daemon, out);
}

static void show_network(const struct stats *s, struct wr *out)
{
	SHOW(network_pieces, s->daemon, out);
}

static void show_refused(const struct stats *s, struct wr *out)
{
	if (counted_get(s->daemon, COUNTER_NOT_FROM_PEER) ||
	    counted_get(s->daemon, COUNTER_TOO_MANY_PEERS))
		SHOW(refused_network_pieces, s->daemon, out);
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
		SHOW(link_pieces, l->counted, out);
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
		SHOW(link_pieces, l->counted, out);
		if (counted_get(l->counted, COUNTER_LINK_REFUSED))
			SHOW(refused_pieces, l->counted, out);
		wr_u8(out, '\n');
	}
}

static void show_runtime(const struct stats *s, struct wr *out)
{
	uint64_t minutes = counted_get(s->daemon, COUNTER_UPTIME) / 60;
	uint64_t hours = minutes / 60 % 24;
	uint64_t days = minutes / 60 / 24;

	wr_printf(out, "daemon uptime: ");
	if (days)
		wr_printf(out, "%llu day%s ", (unsigned long long)days,
			  days > 1 ? "s" : "");
	if (hours)
		wr_printf(out, "%llu h ", (unsigned long long)hours);
	wr_printf(out, "%llu min", (unsigned long long)(minutes % 60));
	SHOW(runtime_pieces, s->daemon, out);
}

static void show_queues(const struct stats *s, struct wr *out)
{
	SHOW(nodes_pieces, s->daemon, out);
	for (size_t i = 0; i < s->n_queues; i++) {
		wr_printf(out, "queue %s", s->queues[i]->label);
		SHOW(queue_pieces, s->queues[i], out);
	}
}

typedef void block_fn(const struct stats *s, struct wr *out);

/* clang-format off */
static const struct {
	uint16_t code; /* enum ctl_code */
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
