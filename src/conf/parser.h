/* SPDX-License-Identifier: ISC */
/* parser.h - what all who read a part of the file have in common: the next
 * token, findings, room for lists, and how to go on after a mistake. */
#ifndef CONF_PARSER_H
#define CONF_PARSER_H

#include "conf/diag.h"
#include "conf/rules.h"

/* Where an option of a block stands; line 0: it does not. */
struct option_pos {
	struct conf_pos at, value;
};

/* An open block. */
struct frame {
	struct frame *up; /* NULL: the file itself */
	const struct block *block;
	void *base;              /* the object it fills */
	struct token keyword;    /* General, Multicast, ... */
	struct token open;       /* its '{' */
	int link;                /* index of the link it belongs to, -1 */
	unsigned int depth;      /* blocks around it */
	unsigned int n_errors;   /* told before it */
	bool is_guest;           /* stands for the home of a misplaced option */
	bool is_loose;           /* a brace of it was told: no '}' is due */
	bool is_extra;           /* that it is there was told: no repetitions */
	bool has_unknown;        /* what does not belong here was told */
	struct conf_pos earlier; /* the same keyword before; line 0: none */
	/* by index of the rule; blocks of one object have it in the parser */
	struct option_pos own_pos[RULES_MAX];
};

enum { MODE_UNKNOWN = 1 << 8 };

enum filter_set { SET_PROTOCOL, SET_ADDRESS, SET_STATE, FILTER_SETS };

struct parser {
	struct lexer lx;
	struct diags diags;
	struct conf *conf;
	struct frame *top;    /* innermost open block */
	struct frame *unwind; /* not NULL: close blocks until this is on top */
	bool is_quiet;        /* the option's name was only guessed */
	int err;              /* -ENOMEM, or 0 */
	const char *single;   /* option whose value was taken just now */
	uint32_t path_line;   /* the last path stands on it */
	uint32_t tab_path_line;     /* a path on it ended at a tab or CR */
	bool tab_path_brace;        /* and a '}' followed it */
	struct conf_pos brace_path; /* last path that has a '}' at its end */
	unsigned int modes;         /* bit m: enum conf_mode; or MODE_UNKNOWN */
	bool has_link;              /* a link block was seen, good or bad */
	bool has_section;           /* Sync, Stats or Helper was seen */
	bool is_cut;                /* a block could not be read as one */
	bool has_unknown[BLOCKS];   /* in any block of the kind */
	unsigned int n_assumed;     /* '}' that were told to be missing */
	const struct block *closed; /* the last section that came to its end */
	struct token closed_keyword, closed_by; /* its name and '}' */
	/* the first '}' that stands under the keyword of another block than
	 * the one that it closes; close.line 0: none */
	struct odd_close {
		const char *block; /* that it closes */
		struct conf_pos open, close;
	} odd_close;
	struct option_pos pos[BLOCKS][RULES_MAX]; /* where options stand last */
	struct conf_pos mode_at[CONF_MODES];      /* line 0: not given */
	struct conf_pos set_at[FILTER_SETS];      /* the same */
	uint8_t sync_checksum; /* legacy clause: 0 absent, 1 off, 2 on */
	/* objects of blocks that have no place: a fifth link, a bad Type */
	struct conf_link spare_link;
	struct conf_helper_type spare_type;
	struct conf_helper_type ignored_type; /* of a second Policy */
};

/* Looks at the next token; junk before it is reported and skipped. */
struct token parser_peek(struct parser *p, enum lex_class class);
struct token parser_take(struct parser *p, enum lex_class class);

struct conf_pos token_pos(const struct token *t);

PRINTF_LIKE(4, 5)
void parser_error(struct parser *p, struct conf_pos at, const char *name,
		  const char *fmt, ...);
PRINTF_LIKE(4, 5)
void parser_warn(struct parser *p, struct conf_pos at, const char *name,
		 const char *fmt, ...);

/* Reports `found T, expected WHAT`. Returns false. */
PRINTF_LIKE(4, 5)
bool parser_expected(struct parser *p, const struct token *t, const char *name,
		     const char *fmt, ...);

/* Says which byte a TOKEN_JUNK is, and what to write in its place. */
void parser_report_junk(struct parser *p, const struct token *t);

/* How a token is named in messages: 'text', end of the file, ... */
enum { TOKEN_TEXT_SIZE = DIAG_QUOTE_SIZE + 2 };
const char *token_text(const struct token *t, char out[TOKEN_TEXT_SIZE]);

/* True if nothing in the block was an error: what it lacks is not what was
 * told already. */
bool frame_is_clean(const struct parser *p, const struct frame *f);

/* True if something may be missing in blocks of this kind only because it was
 * not understood there, or in what is around it. */
bool parser_is_unsure(const struct parser *p, enum block_id id);

/* Where the option stands last in this block, of which there may be several
 * (base NO_BASE); line 0 if it does not. */
struct option_pos frame_pos(const struct frame *f, const char *option);

/* Makes room for one more item. Returns the array, which may have moved, or
 * NULL: p->err is set and the old array is as it was. */
void *parser_grow(struct parser *p, void *items, size_t n, size_t item_size);

/* Skips to the next clause of the open block. */
void parser_recover(struct parser *p);

#endif
