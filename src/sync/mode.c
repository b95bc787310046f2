/* SPDX-License-Identifier: ISC */
#include "sync/mode.h"

#include <string.h>

#include "sync/alarm.h"
#include "sync/ftfw.h"
#include "sync/notrack.h"

static struct lives_opts lives_of(const struct node_opts *opts,
				  const struct engine_sink *sink,
				  enum ext_capability mode)
{
	struct lives_opts o = {
		.cache = opts->internal,
		.wire = opts->wire,
		.sink = *sink,
		.queue_size = opts->resend_queue_size,
		.first_seq = opts->first_seq,
		.node = opts->node_id,
		.mode = mode,
	};

	memcpy(o.name, opts->name, sizeof(o.name));
	return o;
}

struct engine *mode_ftfw(const struct node_opts *opts,
			 const struct engine_sink *sink, int64_t now_ms)
{
	const struct lives_opts o = lives_of(opts, sink, EXT_CAP_ADDRESSED_ACK);

	return ftfw_new(&o, opts->ack_window, now_ms);
}

/* Nothing is held. */
struct engine *mode_notrack(const struct node_opts *opts,
			    const struct engine_sink *sink, int64_t now_ms)
{
	struct lives_opts o = lives_of(opts, sink, EXT_CAP_WANTS);

	o.queue_size = 0;
	return notrack_new(&o, now_ms);
}

struct engine *mode_alarm(const struct node_opts *opts,
			  const struct engine_sink *sink, int64_t now_ms)
{
	struct alarm_opts o = {
		.cache = opts->internal,
		.wire = opts->wire,
		.sink = *sink,
		.refresh_s = opts->refresh_s,
		.cache_timeout_s = opts->cache_timeout_s,
		.first_seq = opts->first_seq,
		.node = opts->node_id,
	};

	memcpy(o.name, opts->name, sizeof(o.name));
	return alarm_new(&o, now_ms);
}
