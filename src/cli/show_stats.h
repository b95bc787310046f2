/* SPDX-License-Identifier: ISC */
/* show_stats.h - the answers to -s: plain values to text, by tables. */
#ifndef CLI_SHOW_STATS_H
#define CLI_SHOW_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"
#include "sync/link.h"

/* One cache. With is_off the entries are not kept: what is shown instead are
 * messages sent (internal) or operations of the kernel (external), with the
 * same three counters. */
struct stats_cache {
	bool is_off;
	uint64_t n_active;                   /* entries that are not dead */
	uint64_t n_entries;                  /* dead ones included */
	uint64_t n_created, n_create_failed; /* for whatever reason */
	uint64_t n_create_no_memory, n_create_no_space;
	uint64_t n_updated, n_update_failed, n_update_not_found;
	uint64_t n_destroyed, n_destroy_failed, n_destroy_not_found;
};

struct stats_link {
	const char *kind; /* link_kind_name() */
	enum link_status status;
	const char *device;
	bool is_active;           /* used for sending */
	bool is_stream;           /* TCP: the next two are known */
	bool is_server_connected; /* the peer is connected to us */
	bool is_client_connected; /* we are connected to the peer */
	uint64_t bytes_sent, bytes_received;
	uint64_t n_sent, n_received; /* datagrams, or calls on a stream */
	uint64_t n_send_errors, n_receive_errors;
	uint64_t n_refused; /* datagrams of others than the peer */
};

/* Messages that were thrown away, by reason, and sequence numbers. */
struct stats_network {
	uint64_t n_malformed; /* all of them */
	uint64_t n_bad_version, n_bad_header, n_bad_payload, n_bad_type;
	uint64_t n_truncated, n_bad_size;
	uint64_t n_send_malformed;
	uint64_t n_lost, n_before;
	/* Valid, but nobody's who is waited for: shown where there are any, so
	 * that the usual answer is that of the reference. */
	uint64_t n_not_from_peer, n_too_many_peers;
};

struct stats_runtime {
	uint64_t uptime_s;
	uint64_t n_events, n_filtered, n_event_unknown, n_event_failed;
	uint64_t n_dump_unknown, n_overrun, n_flush, n_resync;
	uint64_t buffer_size_bytes;
	uint64_t n_child_failed, n_child_segfault, n_child_termsig;
	uint64_t n_select_failed, n_wait_failed;
	uint64_t n_request_missing, n_request_unknown;
};

struct stats_queue {
	const char *name;
	uint64_t n, max, n_no_space;
};

struct stats {
	bool is_stats_mode; /* no peers: the internal cache, and traffic */
	struct stats_cache internal, external;
	struct stats_cache internal_expect, external_expect;
	uint64_t traffic_bytes, traffic_packets; /* of destroyed flows */
	struct stats_network network;
	struct stats_runtime runtime;
	uint64_t n_queue_nodes;
	const struct stats_link *links; /* in order of the configuration */
	size_t n_links;
	const struct stats_queue *queues; /* newest first */
	size_t n_queues;
};

enum { SHOW_STATS_MAX = 4096 }; /* room for any answer with up to 8 links */

/* Appends the answer to the request (enum ctl_code). False, and nothing
 * written, if the code is none of those that are shown from these values. */
NODISCARD bool show_stats(int code, const struct stats *s, struct wr *out);

/* -s rsqueue is a walk: its head, and one line for each number outstanding;
 * flags are those of a control message, ignored for a flow. */
void show_rsqueue_head(uint64_t n, struct wr *out);
void show_rsqueue_flow(uint32_t seq, struct wr *out);
void show_rsqueue_control(uint32_t seq, uint8_t flags, struct wr *out);

#endif
