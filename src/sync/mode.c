/* SPDX-License-Identifier: ISC */
#include "sync/mode.h"

#include <string.h>

#include "sync/ftfw.h"

struct engine *mode_ftfw(const struct node_opts *opts,
			 const struct engine_sink *sink, int64_t now_ms)
{
	struct ftfw_opts o = {
		.cache = opts->internal,
		.wire = opts->wire,
		.sink = *sink,
		.resend_queue_size = opts->resend_queue_size,
		.ack_window = opts->ack_window,
		.first_seq = opts->first_seq,
		.node = opts->node_id,
	};

	memcpy(o.name, opts->name, sizeof(o.name));
	return ftfw_new(&o, now_ms);
}
