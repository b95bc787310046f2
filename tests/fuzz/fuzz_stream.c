/* SPDX-License-Identifier: ISC */
/* fuzz_stream.c - bytes of a connection, cut anywhere, give the same messages
 * as all of them at once. The first byte says how they are cut. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sync/stream.h"
#include "sync/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out: a sum over the messages that depends on their order. */
struct seen {
	uint64_t sum;
	size_t n_bytes;
	enum stream_step end;
};

static void look_at(struct seen *seen, struct rd dgram)
{
	enum verdict why = VERDICT_OK;
	enum wire_step step;
	struct msg m;

	assert(dgram.left >= WIRE_HEADER_LEN);
	seen->n_bytes += dgram.left;
	step = wire_next(&dgram, &m, &why);
	assert(step != WIRE_END && dgram.left == 0);
	assert(seen->end == STREAM_MSG || verdict_is_malformed(why));
	seen->sum = seen->sum * 31 + why;
	if (step == WIRE_MSG)
		seen->sum = seen->sum * 31 + m.seq + m.body.left;
}

static void feed(struct stream *s, struct rd piece, struct seen *seen)
{
	struct rd dgram;

	while (piece.left > 0 && seen->end == STREAM_MORE) {
		size_t room;
		void *to = stream_room(s, &room);
		size_t n = piece.left < room ? piece.left : room;

		assert(n > 0);
		if (!rd_bytes(&piece, to, n))
			abort();
		stream_added(s, n);
		while ((seen->end = stream_next(s, &dgram)) == STREAM_MSG)
			look_at(seen, dgram);
		if (seen->end == STREAM_BROKEN)
			look_at(seen, dgram);
	}
}

static struct seen read_in_pieces(const uint8_t *data, size_t size, size_t most)
{
	struct seen seen = { 0, 0, STREAM_MORE };
	struct stream *s = stream_new();

	assert(s);
	for (size_t at = 0; at < size;) {
		size_t n = 1 + (data[at] * most) / 256; /* of itself */

		n = n < size - at ? n : size - at;
		feed(s, (struct rd){ data + at, n }, &seen);
		at += n;
	}
	stream_free(s);
	return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen cut, whole;

	if (size == 0)
		return 0;
	cut = read_in_pieces(data + 1, size - 1, 1 + data[0]);
	whole = read_in_pieces(data + 1, size - 1, 256 * size);
	assert(cut.n_bytes == whole.n_bytes && cut.sum == whole.sum &&
	       cut.end == whole.end);
	return 0;
}
