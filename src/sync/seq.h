/* SPDX-License-Identifier: ISC */
/* seq.h - comparison of 32-bit sequence numbers that wrap. */
#ifndef SYNC_SEQ_H
#define SYNC_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* a comes before b: less than half the number space away. */
static inline bool seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_after(uint32_t a, uint32_t b)
{
	return seq_before(b, a);
}

/* n lies in from..to, both included; to is not before from. */
static inline bool seq_within(uint32_t n, uint32_t from, uint32_t to)
{
	return n - from <= to - from;
}

#endif
