/* SPDX-License-Identifier: ISC */
/* stream.h - whole messages out of a channel that cuts them anywhere
 * (PROTOCOL.md 1.3, stream channel). One for each connection: what is left of
 * one that ended belongs to no other. Pure: the caller reads the socket. */
#ifndef SYNC_STREAM_H
#define SYNC_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"

enum stream_step {
	STREAM_MSG,    /* *dgram is one message, for wire_next() */
	STREAM_MORE,   /* the rest is no whole message yet */
	STREAM_BROKEN, /* what should be a header is none: where the next
			* message begins cannot be known, close the connection.
			* *dgram is that header, for wire_next() to count */
};

struct stream;

/* Empty; NULL without memory. */
struct stream *stream_new(void);
void stream_free(struct stream *s); /* accepts NULL */

/* Where the next bytes are to be read to, and how many fit: at least one after
 * STREAM_MORE. Moves what is left of a message to the front, so that earlier
 * results of stream_next() are no longer valid. */
void *stream_room(struct stream *s, size_t *n_bytes);
/* n bytes, at most those of stream_room(), have been written there. */
void stream_added(struct stream *s, size_t n);

/* Takes the message at the front off; *dgram borrows it. To be called after
 * each read until there is none: what is wrong in one does not reach the next,
 * however the channel cuts them. */
NODISCARD enum stream_step stream_next(struct stream *s, struct rd *dgram);

#endif
