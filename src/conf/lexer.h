/* SPDX-License-Identifier: ISC */
/* lexer.h - cuts the text of a configuration file into tokens. What a token
 * is depends on what the parser waits for: a path, an address, a word. */
#ifndef CONF_LEXER_H
#define CONF_LEXER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest run of these bytes is one token. */
enum lex_class {
	LEX_WORD,   /* letters, digits, '.', '_', '-' */
	LEX_NUMBER, /* those and '+', so that a sign or unit stays with it */
	LEX_ADDR,   /* those of a word, ':', '/', '%' */
	LEX_VALUE,  /* word, ':', '/', '+'; what begins with '/' is a path */
};

enum token_kind {
	TOKEN_END,   /* of the text; len 0 */
	TOKEN_OPEN,  /* { */
	TOKEN_CLOSE, /* } */
	TOKEN_WORD,  /* a run of the class asked for */
	TOKEN_PATH,  /* '/' and all up to a blank, line end or '"' */
	TOKEN_CHAR,  /* one other printable byte */
	TOKEN_JUNK,  /* zero bytes, bytes from 0x80 on, or control bytes */
};

struct token {
	enum token_kind kind;
	const char *at; /* borrowed from the text */
	size_t len;
	uint32_t line, col; /* from 1, in bytes */
	bool first;         /* first token of its line */
};

struct lexer {
	const char *text;
	size_t len, pos;
	size_t line_start; /* offset of the first byte of this line */
	uint32_t line;
	bool cr_lines;      /* no LF in the text: CR ends a line */
	bool at_line_start; /* no token was on this line yet */
};

/* Borrows the text. A UTF-8 byte order mark is skipped. */
void lexer_init(struct lexer *lx, const char *text, size_t len);

/* Takes the next token. Copy the lexer before it to look ahead. */
struct token lexer_next(struct lexer *lx, enum lex_class class);

/* True if the token is exactly this word. */
bool token_is(const struct token *t, const char *word);

/* The same without regard to the case of ASCII letters. */
bool token_is_nocase(const struct token *t, const char *word);

/* Copies a token as a text that ends with a zero byte. size is at least
 * t->len + 1. */
void token_copy(char *out, size_t size, const struct token *t);

#endif
