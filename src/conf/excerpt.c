/* SPDX-License-Identifier: ISC */
#include "conf/excerpt.h"

#include <string.h>

#include "conf/lexer.h"

enum {
	TAB_WIDTH = 8,
	WIDTH = 72,         /* columns shown */
	CARET_AT_MOST = 60, /* of these, before the caret */
	FIRST_HIGH = 0xa0,  /* below are the control codes C1 */
};

#define MARGIN "    "

struct line {
	const char *at;
	size_t len; /* without its end */
};

/* Line number n, from 1; the empty line behind the last if there are fewer. */
static struct line find_line(const char *text, size_t len, uint32_t n)
{
	struct lexer lx;
	struct line line;
	const char *end;
	char ends_line;

	lexer_init(&lx, text, len); /* knows marks and line ends */
	ends_line = lx.cr_lines ? '\r' : '\n';
	line = (struct line){ text + lx.pos, len - lx.pos };
	for (;;) {
		end = line.len ? memchr(line.at, ends_line, line.len) : NULL;
		if (n <= 1)
			break;
		if (!end)
			return (struct line){ text + len, 0 };
		line.len -= (size_t)(end + 1 - line.at);
		line.at = end + 1;
		n--;
	}
	if (end)
		line.len = (size_t)(end - line.at);
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool continues(const struct line *l, size_t i)
{
	return i < l->len && ((unsigned char)l->at[i] & 0xc0) == 0x80;
}

/* The bytes of the character at i; *is_shown: a terminal only shows it. */
static size_t char_len(const struct line *l, size_t i, bool *is_shown)
{
	unsigned char c = (unsigned char)l->at[i];
	size_t n = c < 0xc2   ? 1
		   : c < 0xe0 ? 2
		   : c < 0xf0 ? 3
		   : c < 0xf5 ? 4
			      : 1;

	for (size_t k = 1; k < n; k++)
		if (!continues(l, i + k))
			n = 1;
	*is_shown =
		n > 1 ? c != 0xc2 || (unsigned char)l->at[i + 1] >= FIRST_HIGH
		      : c >= ' ' && c < 0x7f;
	return n;
}

/* Goes through the line and writes what falls into the columns from..from +
 * WIDTH. Returns the column of byte `stop`, or that behind the line. */
static size_t walk(const struct line *l, size_t stop, size_t from,
		   struct wr *out)
{
	size_t col = 0, found = SIZE_MAX;

	for (size_t i = 0, n; i < l->len; i += n) {
		bool is_shown;
		size_t next = col + 1;

		n = char_len(l, i, &is_shown);
		if (stop < i + n && found == SIZE_MAX)
			found = col;
		if (l->at[i] == '\t')
			next = (col / TAB_WIDTH + 1) * TAB_WIDTH;
		for (; col < next; col++) {
			if (!out || col < from || col >= from + WIDTH)
				continue;
			if (l->at[i] == '\t')
				wr_u8(out, ' ');
			else if (is_shown)
				wr_bytes(out, l->at + i, n);
			else
				wr_u8(out, '?');
		}
	}
	return found == SIZE_MAX ? col : found;
}

void excerpt(const char *text, size_t len, const struct conf_pos *at,
	     struct wr *out)
{
	struct line l = find_line(text, len, at->line);
	size_t stop = at->col ? at->col - 1 : 0;
	size_t caret = walk(&l, stop, 0, NULL);
	size_t from = caret > CARET_AT_MOST ? caret - CARET_AT_MOST : 0;

	wr_bytes(out, MARGIN, sizeof(MARGIN) - 1);
	(void)walk(&l, stop, from, out);
	wr_bytes(out, "\n" MARGIN, sizeof(MARGIN));
	for (size_t col = from; col < caret; col++)
		wr_u8(out, ' ');
	wr_bytes(out, "^\n", 2);
}
