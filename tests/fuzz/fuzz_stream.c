/* SPDX-License-Identifier: ISC */
/* fuzz_stream.c - bytes of a connection, cut anywhere, are to a node the same
 * messages as all of them at once. The first byte says how they are cut. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sync/mode.h"
#include "sync/node.h"
#include "sync/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_MS = 1000, N_FLOWS = 64 };

/* A connection, and the node that reads it. */
struct reader {
	struct stream *stream;
	struct flow_cache *internal, *external;
	struct node *node;
	enum stream_step end;
	size_t n_bytes;
};

static void open_reader(struct reader *r)
{
	const struct flow_cache_opts cache = { .first_size = 16,
					       .limit = N_FLOWS };
	struct node_opts o = {
		.internal = flow_cache_new(&cache),
		.external = flow_cache_new(&cache),
		.resend_queue_size = 1,
		.ack_window = 4,
		.node_id = 1,
		.name = { 1 },
	};

	*r = (struct reader){ .stream = stream_new(),
			      .internal = o.internal,
			      .external = o.external,
			      .end = STREAM_MORE };
	if (!r->stream || !o.internal || !o.external)
		abort();
	r->node = node_new(&o, mode_ftfw, NOW_MS);
	if (!r->node)
		abort();
}

static void close_reader(struct reader *r)
{
	node_free(r->node);
	flow_cache_free(r->internal);
	flow_cache_free(r->external);
	stream_free(r->stream);
}

static void hand_on(struct reader *r, struct rd dgram)
{
	const struct peer_addr from = { .family = FAMILY_IPV4,
					.addr = { { 10, 0, 0, 2 } } };

	assert(dgram.left >= WIRE_HEADER_LEN);
	r->n_bytes += dgram.left;
	if (node_receive(r->node, &from, dgram, NOW_MS).is_accepted)
		assert(r->end == STREAM_MSG);
}

static void feed(struct reader *r, struct rd piece)
{
	struct rd dgram;

	while (piece.left > 0 && r->end == STREAM_MORE) {
		size_t room;
		void *to = stream_room(r->stream, &room);
		size_t n = piece.left < room ? piece.left : room;

		assert(n > 0);
		if (!rd_bytes(&piece, to, n))
			abort();
		stream_added(r->stream, n);
		while ((r->end = stream_next(r->stream, &dgram)) == STREAM_MSG)
			hand_on(r, dgram);
		if (r->end == STREAM_BROKEN)
			hand_on(r, dgram);
	}
}

static void read_in_pieces(struct reader *r, const uint8_t *data, size_t size,
			   size_t most)
{
	open_reader(r);
	for (size_t at = 0; at < size;) {
		size_t n = 1 + (data[at] * most) / 256; /* of itself */

		n = n < size - at ? n : size - at;
		feed(r, (struct rd){ data + at, n });
		at += n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader cut, whole;
	struct node_stats of_cut, of_whole;

	if (size == 0)
		return 0;
	read_in_pieces(&cut, data + 1, size - 1, 1 + data[0]);
	read_in_pieces(&whole, data + 1, size - 1, 256 * size);
	node_stats(cut.node, &of_cut);
	node_stats(whole.node, &of_whole);
	assert(cut.n_bytes == whole.n_bytes && cut.end == whole.end);
	assert(memcmp(of_cut.n_verdicts, of_whole.n_verdicts,
		      sizeof(of_cut.n_verdicts)) == 0);
	assert(flow_cache_stats(cut.external)->n_active ==
	       flow_cache_stats(whole.external)->n_active);
	close_reader(&cut);
	close_reader(&whole);
	return 0;
}
