/* SPDX-License-Identifier: ISC */
#include "cli/ctl_proto.h"

#include <assert.h>
#include <string.h>

enum { ANSWER_HEAD, ANSWER_BODY, ANSWER_TAIL, ANSWER_STRANGE };

/* A zero byte, so that it cannot be the text of any daemon's answer. */
static const uint8_t head[] = { 0, 'c', 't', 'l', '1', '\n' };

/* Requests of our own have the bit in their code: nobody who would have to be
 * asked without it knows them. */
static const struct ctl_row *find_row(uint32_t code, bool with_status)
{
	const struct ctl_row *row = ctl_row(code);

	if (!row && with_status)
		row = ctl_row(code & ~(uint32_t)CTL_WITH_STATUS);
	return row;
}

enum ctl_verdict ctl_request_read(struct ctl_request *q, struct rd *in,
				  const struct ctl_row **row, bool *with_status)
{
	const struct ctl_row *found;
	struct rd piece;
	uint32_t code;
	size_t n = CTL_REQUEST_SIZE - q->n_bytes;

	if (n > in->left)
		n = in->left;
	if (rd_take(in, n, &piece) && n) {
		memcpy(q->bytes + q->n_bytes, piece.at, n);
		q->n_bytes += (uint8_t)n;
	}
	if (q->n_bytes < CTL_REQUEST_SIZE)
		return CTL_MORE;
	memcpy(&code, q->bytes, sizeof(code));
	found = find_row(code, code & CTL_WITH_STATUS);
	if (!found)
		return CTL_UNKNOWN;
	*row = found;
	*with_status = code & CTL_WITH_STATUS;
	return CTL_KNOWN;
}

void ctl_answer_head(struct wr *out)
{
	wr_bytes(out, head, sizeof(head));
}

void ctl_answer_tail(int status, const char *reason, struct wr *out)
{
	size_t len = reason ? strlen(reason) : 0;

	assert(status >= 0 && status <= 255);
	wr_u8(out, 0);
	wr_printf(out, "exit %d%s", status, len ? ": " : "");
	for (size_t i = 0; i < len && i < CTL_REASON_MAX; i++) {
		uint8_t c = (uint8_t)reason[i];

		wr_u8(out, c < ' ' || c == 0x7f ? ' ' : c);
	}
	wr_u8(out, '\n');
}

/* Compares one byte of the head; what is no head is never shown. */
static uint8_t state_after_head(const struct ctl_answer *a, uint8_t byte)
{
	if (byte != head[a->n_bytes])
		return ANSWER_STRANGE;
	return a->n_bytes + 1 == sizeof(head) ? ANSWER_BODY : ANSWER_HEAD;
}

bool ctl_answer_text(struct ctl_answer *a, struct rd *in, struct rd *text)
{
	struct rd piece = { in->at, 0 };
	uint8_t byte;

	while (rd_u8(in, &byte)) {
		switch (a->state) {
		case ANSWER_HEAD:
			a->state = state_after_head(a, byte);
			piece = (struct rd){ in->at, 0 };
			break;
		case ANSWER_BODY:
			if (byte)
				piece.left++;
			else
				a->state = ANSWER_TAIL;
			break;
		case ANSWER_TAIL:
			if (!byte || a->n_tail == sizeof(a->tail))
				a->state = ANSWER_STRANGE;
			else
				a->tail[a->n_tail++] = (char)byte;
			break;
		}
		a->n_bytes++;
	}
	if (!piece.left)
		return false;
	*text = piece;
	return true;
}

/* Reads `exit N` at the start of a text that ends with a zero byte; NULL, or
 * what follows the number. */
static const char *read_status(const char *text, int *status)
{
	int value = 0;

	if (strncmp(text, "exit ", 5) != 0)
		return NULL;
	text += 5;
	if (*text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9' && value <= 255; text++)
		value = 10 * value + (*text - '0');
	if (value > 255)
		return NULL;
	*status = value;
	return text;
}

enum ctl_end ctl_answer_end(struct ctl_answer *a, int *status,
			    const char **reason)
{
	const char *rest;
	int value;

	if (!a->n_bytes)
		return CTL_END_EMPTY;
	if (a->state != ANSWER_TAIL || !a->n_tail ||
	    a->tail[a->n_tail - 1] != '\n')
		return CTL_END_CUT;
	a->tail[a->n_tail - 1] = '\0';
	rest = read_status(a->tail, &value);
	if (!rest || (*rest && strncmp(rest, ": ", 2) != 0))
		return CTL_END_CUT;
	*status = value;
	*reason = *rest ? rest + 2 : rest;
	return CTL_END_STATUS;
}
