/* SPDX-License-Identifier: ISC */
/* fuzz_control.c - both readers of the control socket: of a request, and of
 * an answer with status. The first byte says in how large pieces the rest
 * comes. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_request(const uint8_t *data, size_t size, size_t piece)
{
	struct ctl_request q = { 0 };
	const struct ctl_row *row = NULL;
	enum ctl_verdict verdict = CTL_MORE;
	bool with_status;
	size_t n_read = 0;

	while (n_read < size && verdict == CTL_MORE) {
		size_t n = size - n_read < piece ? size - n_read : piece;
		struct rd in = { data + n_read, n };

		verdict = ctl_request_read(&q, &in, &row, &with_status);
		n_read += n - in.left;
		assert(n_read <= CTL_REQUEST_SIZE);
		assert((n_read == CTL_REQUEST_SIZE) == (verdict != CTL_MORE));
	}
	assert((verdict == CTL_KNOWN) == (row != NULL));
	if (row)
		assert(ctl_row(row->code) == row);
}

static void read_answer(const uint8_t *data, size_t size, size_t piece)
{
	struct ctl_answer a = { 0 };
	const char *reason = NULL;
	int status = -1;

	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		struct rd in = { data + at, n }, text;

		while (ctl_answer_text(&a, &in, &text)) {
			assert(text.left > 0 && text.at >= data + at &&
			       text.at + text.left <= data + at + n);
			assert(!memchr(text.at, 0, text.left));
		}
		assert(in.left == 0);
	}
	switch (ctl_answer_end(&a, &status, &reason)) {
	case CTL_END_STATUS:
		assert(status >= 0 && status <= 255);
		assert(strlen(reason) < CTL_TAIL_MAX);
		break;
	case CTL_END_EMPTY:
		assert(size == 0);
		break;
	case CTL_END_CUT:
		assert(status == -1 && !reason);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	read_request(data + 1, size - 1, 1 + data[0] % 16);
	read_answer(data + 1, size - 1, 1 + data[0] % 16);
	return 0;
}
