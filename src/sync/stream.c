/* SPDX-License-Identifier: ISC */
#include "sync/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/wire.h"

struct stream {
	size_t first, end;         /* of the bytes not taken yet */
	uint8_t bytes[UINT16_MAX]; /* the longest message */
};

struct stream *stream_new(void)
{
	return calloc(1, sizeof(struct stream));
}

void stream_free(struct stream *s)
{
	free(s);
}

void *stream_room(struct stream *s, size_t *n_bytes)
{
	memmove(s->bytes, s->bytes + s->first, s->end - s->first);
	s->end -= s->first;
	s->first = 0;
	*n_bytes = sizeof(s->bytes) - s->end;
	return s->bytes + s->end;
}

void stream_added(struct stream *s, size_t n)
{
	assert(n <= sizeof(s->bytes) - s->end);
	s->end += n;
}

enum stream_step stream_next(struct stream *s, struct rd *dgram)
{
	struct rd rest = { s->bytes + s->first, s->end - s->first };
	struct rd after = rest, header, fields;
	uint16_t type_and_flags, len;

	if (!rd_take(&after, WIRE_HEADER_LEN, &header))
		return STREAM_MORE;
	fields = header;
	if (!rd_be16(&fields, &type_and_flags) || !rd_be16(&fields, &len) ||
	    type_and_flags >> 12 != WIRE_VERSION || len < WIRE_HEADER_LEN) {
		*dgram = header;
		return STREAM_BROKEN;
	}
	if (!rd_take(&rest, len, dgram))
		return STREAM_MORE;
	s->first += len;
	return STREAM_MSG;
}
