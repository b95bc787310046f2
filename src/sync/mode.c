/* SPDX-License-Identifier: ISC */
#include "sync/mode.h"

#include <string.h>

#include "sync/ftfw.h"

static struct lives_opts lives_of(const struct node_opts *opts,
				  const struct engine_sink *sink)
{
	struct lives_opts o = {
		.cache = opts->internal,
		.wire = opts->wire,
		.sink = *sink,
		.queue_size = opts->resend_queue_size,
		.first_seq = opts->first_seq,
		.node = opts->node_id,
	};

	memcpy(o.name, opts->name, sizeof(o.name));
	return o;
}

struct engine *mode_ftfw(const struct node_opts *opts,
			 const struct engine_sink *sink, int64_t now_ms)
{
	const struct lives_opts o = lives_of(opts, sink);

	return ftfw_new(&o, opts->ack_window, now_ms);
}
