/* SPDX-License-Identifier: ISC */
/* buf.h - read and write cursors over bytes that somebody else owns. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

/* Read cursor. It borrows the bytes and never writes them. */
struct rd {
	const uint8_t *at;
	size_t left; /* bytes from at to the end */
};

/* Write cursor. Writing past size sets full and writes nothing; look at full
 * once, at the end. */
struct wr {
	uint8_t *buf;
	size_t size; /* bytes that buf has */
	size_t used; /* bytes written so far */
	bool full;   /* something did not fit: the content is worthless */
};

/* Every read passes through here, the only place that moves a cursor.
 * On false nothing has moved and *out is untouched. */
NODISCARD static inline bool rd_take(struct rd *r, size_t n, struct rd *out)
{
	if (n > r->left)
		return false;
	*out = (struct rd){ r->at, n };
	r->at += n;
	r->left -= n;
	return true;
}

/* Skips n bytes; false (and nothing moved) if there are fewer. */
NODISCARD static inline bool rd_skip(struct rd *r, size_t n)
{
	struct rd skipped;

	return rd_take(r, n, &skipped);
}

/* Copies the next n bytes to out. */
NODISCARD static inline bool rd_bytes(struct rd *r, void *out, size_t n)
{
	struct rd body;

	if (!rd_take(r, n, &body))
		return false;
	memcpy(out, body.at, n);
	return true;
}

NODISCARD static inline bool rd_u8(struct rd *r, uint8_t *out)
{
	return rd_bytes(r, out, sizeof(*out));
}

/* The integers below are unaligned; _be is network order, the others are in
 * the byte order of this machine. */
NODISCARD static inline bool rd_u16(struct rd *r, uint16_t *out)
{
	return rd_bytes(r, out, sizeof(*out));
}

NODISCARD static inline bool rd_u32(struct rd *r, uint32_t *out)
{
	return rd_bytes(r, out, sizeof(*out));
}

NODISCARD static inline bool rd_be16(struct rd *r, uint16_t *out)
{
	struct rd b;

	if (!rd_take(r, 2, &b))
		return false;
	*out = (uint16_t)(b.at[0] << 8 | b.at[1]);
	return true;
}

NODISCARD static inline bool rd_be32(struct rd *r, uint32_t *out)
{
	struct rd b;

	if (!rd_take(r, 4, &b))
		return false;
	*out = (uint32_t)b.at[0] << 24 | (uint32_t)b.at[1] << 16 |
	       (uint32_t)b.at[2] << 8 | b.at[3];
	return true;
}

NODISCARD static inline bool rd_be64(struct rd *r, uint64_t *out)
{
	struct rd b;
	uint32_t high = 0, low = 0;

	if (!rd_take(r, 8, &b) || !rd_be32(&b, &high) || !rd_be32(&b, &low))
		return false;
	*out = (uint64_t)high << 32 | low;
	return true;
}

/* Gives n bytes to be filled in by the caller; NULL, and full set, if they do
 * not fit. */
NODISCARD static inline uint8_t *wr_reserve(struct wr *w, size_t n)
{
	uint8_t *at;

	if (w->full || n > w->size - w->used) {
		w->full = true;
		return NULL;
	}
	at = w->buf + w->used;
	w->used += n;
	return at;
}

static inline void wr_bytes(struct wr *w, const void *bytes, size_t n)
{
	uint8_t *at = wr_reserve(w, n);

	if (at && n)
		memcpy(at, bytes, n);
}

static inline void wr_zeros(struct wr *w, size_t n)
{
	uint8_t *at = wr_reserve(w, n);

	if (at && n)
		memset(at, 0, n);
}

static inline void wr_u8(struct wr *w, uint8_t value)
{
	wr_bytes(w, &value, sizeof(value));
}

static inline void wr_u16(struct wr *w, uint16_t value)
{
	wr_bytes(w, &value, sizeof(value));
}

static inline void wr_u32(struct wr *w, uint32_t value)
{
	wr_bytes(w, &value, sizeof(value));
}

static inline void wr_be16(struct wr *w, uint16_t value)
{
	const uint8_t b[2] = { (uint8_t)(value >> 8), (uint8_t)value };

	wr_bytes(w, b, sizeof(b));
}

static inline void wr_be32(struct wr *w, uint32_t value)
{
	const uint8_t b[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16),
			       (uint8_t)(value >> 8), (uint8_t)value };

	wr_bytes(w, b, sizeof(b));
}

static inline void wr_be64(struct wr *w, uint64_t value)
{
	wr_be32(w, (uint32_t)(value >> 32));
	wr_be32(w, (uint32_t)value);
}

/* Overwrites two bytes at an offset that was reserved before (lengths). */
static inline void wr_patch_be16(struct wr *w, size_t offset, uint16_t value)
{
	if (!w->full) {
		w->buf[offset] = (uint8_t)(value >> 8);
		w->buf[offset + 1] = (uint8_t)value;
	}
}

/* Appends formatted text without the final zero byte. */
PRINTF_LIKE(2, 3)
static inline void wr_printf(struct wr *w, const char *fmt, ...)
{
	size_t room = w->full ? 0 : w->size - w->used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room ? (char *)w->buf + w->used : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room) /* the zero byte needs room too */
		w->full = true;
	else
		w->used += (size_t)n;
}

#endif
