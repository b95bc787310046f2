/* SPDX-License-Identifier: ISC */
#include "event_buffer.h"

#include <unistd.h>

#include "base/log.h"

/* A share of this machine's memory, in bytes. */
static uint32_t share_of_memory(unsigned int divisor, uint32_t most)
{
	int64_t pages = sysconf(_SC_PHYS_PAGES);
	int64_t bytes = pages * sysconf(_SC_PAGESIZE) / divisor;

	return bytes > most ? most : bytes < 0 ? 0 : (uint32_t)bytes;
}

/* The event buffer to begin with, and how large it may grow; 0: the system's,
 * and not at all. An event takes some 1,100 bytes of it. What the file does not
 * say: 64 MiB hold one second of 60,000 new flows, in which the daemon may get
 * no processor, or 1,000 on the smallest router; 1 GiB a million. Memory is
 * used only for what waits. As in the reference a size above its limit is none;
 * without a limit it is taken, and stays. */
void event_buffer_choose(const struct event_buffer_opts *o, uint32_t *bytes,
			 uint32_t *max_bytes)
{
	uint32_t size = o->bytes;
	uint32_t max = o->is_limited ? o->max_bytes : 0;

	if (!o->is_sized) {
		size = share_of_memory(64, 64U << 20);
		if (!o->is_limited)
			max = share_of_memory(16, 1U << 30);
		else if (size > max)
			size = max;
	} else if (max && size > max) {
		size = 0;
	}
	*bytes = size;
	*max_bytes = max;
}

void event_buffer_made(struct event_buffer *b, uint32_t wanted,
		       const struct ct_kernel_stats *s)
{
	b->bytes = s->buffer_bytes;
	if (!wanted)
		log_notice("NetlinkBufferSize is either not set or is greater "
			   "than NetlinkBufferSizeMaxGrowth. Using current "
			   "system buffer size");
	log_notice("netlink event socket buffer size has been set to %u bytes",
		   b->bytes);
}

void event_buffer_overrun(struct event_buffer *b,
			  const struct ct_kernel_stats *s)
{
	if (s->buffer_bytes > b->bytes)
		log_notice("netlink event socket buffer size has been doubled "
			   "to %u bytes",
			   s->buffer_bytes);
	else if (s->is_buffer_at_max && !b->has_warned)
		log_warn("netlink event socket buffer size cannot be doubled "
			 "further since it will exceed "
			 "NetlinkBufferSizeMaxGrowth. We are likely to be "
			 "losing events, this may lead to unsynchronized "
			 "replicas. Please, consider increasing "
			 "NetlinkBufferSize and NetlinkBufferSizeMaxGrowth");
	b->bytes = s->buffer_bytes;
	b->has_warned = s->is_buffer_at_max;
}

void event_buffer_repaired(struct event_buffer *b)
{
	b->has_warned = false;
}
