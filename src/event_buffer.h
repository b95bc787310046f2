/* SPDX-License-Identifier: ISC */
/* event_buffer.h - the receive buffer of the event socket: how large it is
 * made, and what the log says of it. */
#ifndef EVENT_BUFFER_H
#define EVENT_BUFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "netlink/ct_kernel.h"

/* To begin with and at most, as the file gives them. is_sized, is_limited: it
 * does; otherwise a share of the machine's memory is taken. 0 bytes: the
 * system's; at most 0: it does not grow. */
struct event_buffer_opts {
	bool is_sized, is_limited;
	uint32_t bytes, max_bytes;
};

/* What was logged. A zeroed one is ready. */
struct event_buffer {
	uint32_t bytes;
	bool has_warned; /* of lost events, since the last repair */
};

/* The sizes to ask for, as ct_kernel_opts has them. */
void event_buffer_choose(const struct event_buffer_opts *o, uint32_t *bytes,
			 uint32_t *max_bytes);

/* So many bytes were asked for, and this is what became of it. */
void event_buffer_made(struct event_buffer *b, uint32_t wanted,
		       const struct ct_kernel_stats *s);
/* Events were lost: one line until the repair, however often. */
void event_buffer_overrun(struct event_buffer *b,
			  const struct ct_kernel_stats *s);
void event_buffer_repaired(struct event_buffer *b);

#endif
