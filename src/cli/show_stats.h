/* SPDX-License-Identifier: ISC */
/* show_stats.h - the answers to -s in the layouts of the reference: values of
 * counters to text, by tables. */
#ifndef CLI_SHOW_STATS_H
#define CLI_SHOW_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"
#include "cli/counters.h"
#include "sync/link.h"

/* One cache. With is_off the entries are not kept: what is counted instead are
 * messages sent (internal) or, by the daemon's own counters, operations of the
 * kernel (external). */
struct stats_cache {
	bool is_off;
	const struct counted *counted;
};

struct stats_link {
	const char *kind; /* link_kind_name() */
	enum link_status status;
	const char *device;
	bool is_active;           /* used for sending */
	bool is_stream;           /* TCP: the next two are known */
	bool is_server_connected; /* the peer is connected to us */
	bool is_client_connected; /* we are connected to the peer */
	const struct counted *counted;
};

/* What the answers are made of. Where counted is NULL all values are 0. */
struct stats {
	bool is_stats_mode; /* no peers: the internal cache, and traffic */
	const struct counted *daemon;
	struct stats_cache internal, external;
	struct stats_cache internal_expect, external_expect;
	const struct stats_link *links; /* in order of the configuration */
	size_t n_links;
	const struct counted *const *queues; /* newest first */
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
