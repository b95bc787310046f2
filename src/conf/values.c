/* SPDX-License-Identifier: ISC */
#include "conf/values.h"

#include <string.h>

#include "conf/address.h"
#include "conf/given.h"
#include "conf/number.h"
#include "conf/words.h"

bool value_is_bool(const struct token *t, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "yes", true },
		      { "on", true },
		      { "no", false },
		      { "off", false } };

	for (size_t i = 0; t->kind == TOKEN_WORD && i < N_ELEMENTS(words); i++)
		if (token_is_nocase(t, words[i].word)) {
			*out = words[i].value;
			return true;
		}
	return false;
}

void value_copy(char *out, size_t size, const struct token *t)
{
	size_t n = t->len < size ? t->len : size - 1;

	memcpy(out, t->at, n);
	out[n] = '\0';
}

static bool store_u32(struct parser *p, struct frame *f, const struct rule *r,
		      const struct token *t)
{
	uint32_t value;

	if (!number_read(p, f, r, t, &value))
		return false;
	if (!(r->flags & RULE_IGNORED))
		memcpy((char *)f->base + r->at, &value, sizeof(value));
	return true;
}

static bool store_port(struct parser *p, struct frame *f, const struct rule *r,
		       const struct token *t)
{
	uint32_t value;
	uint16_t port;

	if (!number_read(p, f, r, t, &value))
		return false;
	port = (uint16_t)value;
	memcpy((char *)f->base + r->at, &port, sizeof(port));
	return true;
}

static bool store_bool(struct parser *p, struct frame *f, const struct rule *r,
		       const struct token *t)
{
	bool value;

	if (!value_is_bool(t, &value))
		return parser_expected(p, t, "word-bool",
				       "yes or no (or on, off)");
	if (!(r->flags & RULE_IGNORED))
		memcpy((char *)f->base + r->at, &value, sizeof(value));
	return true;
}

/* Tells of the first byte that no path should hold. */
static bool path_is_clean(struct parser *p, const struct token *t)
{
	for (size_t i = 0; i < t->len; i++) {
		unsigned char c = (unsigned char)t->at[i];
		struct conf_pos at = { t->line, (uint32_t)(t->col + i), 1 };

		if (c == 0)
			parser_error(p, at, "nul", "NUL byte in a path");
		else if (c < ' ' || c == 0x7f)
			parser_error(p, at, "control",
				     "control byte 0x%02X in a path", c);
		else
			continue;
		return false;
	}
	return true;
}

/* To the reference a path ends at a blank or LF only. Where it has a longer
 * path than we have, what follows may look strange to us because of that. */
static void remember_path_end(struct parser *p, const struct token *t)
{
	const char *end = t->at + t->len;
	const char *text_end = p->lx.text + p->lx.len;
	bool crlf = text_end - end >= 2 && end[0] == '\r' && end[1] == '\n';

	p->path_line = t->line;
	if (t->at[t->len - 1] == '}')
		p->brace_path = token_pos(t);
	if (end == text_end || *end == ' ' || *end == '\n' || crlf)
		return;
	p->tab_path_line = t->line;
	if (p->lx.cr_lines)
		p->tab_path_brace = true; /* all that follows is its path */
}

static bool store_path(struct parser *p, struct frame *f, const struct rule *r,
		       const struct token *t)
{
	if (t->kind != TOKEN_PATH)
		return parser_expected(p, t, "path", "an absolute path for %s",
				       r->name);
	remember_path_end(p, t);
	if (!path_is_clean(p, t))
		return false;
	if (t->len > r->max) {
		parser_error(p, token_pos(t), "length-path",
			     "the path of %s is longer than %u characters",
			     r->name, (unsigned int)r->max);
		return false;
	}
	value_copy((char *)f->base + r->at, r->max + 1, t);
	return true;
}

static bool store_log(struct parser *p, struct frame *f, const struct rule *r,
		      const struct token *t)
{
	char *path = (char *)f->base + r->at;
	bool on;

	if (value_is_bool(t, &on)) {
		size_t len = on ? strlen(r->text) : 0;

		memcpy(path, r->text, len);
		path[len] = '\0';
		return true;
	}
	if (t->kind == TOKEN_PATH)
		return store_path(p, f, r, t);
	return parser_expected(p, t, "path", "yes, no or an absolute path");
}

static bool store_syslog(struct parser *p, struct frame *f,
			 const struct rule *r, const struct token *t)
{
	uint8_t *out = (uint8_t *)f->base + r->at;
	struct nearest near;
	char text[TOKEN_TEXT_SIZE];
	bool on;

	if (value_is_bool(t, &on)) {
		*out = on ? CONF_SYSLOG_DAEMON : CONF_SYSLOG_OFF;
		return true;
	}
	if (t->kind != TOKEN_WORD || !word_is_name(t))
		return parser_expected(p, t, "word-facility",
				       "yes, no, daemon or local0 to local7");
	nearest_init(&near, t->at, t->len);
	for (int s = CONF_SYSLOG_DAEMON; s <= CONF_SYSLOG_LOCAL7; s++) {
		const char *name = conf_syslog_name((enum conf_syslog)s);

		if (token_is(t, name)) {
			*out = (uint8_t)s;
			return true;
		}
		nearest_try(&near, name);
	}
	parser_warn(p, token_pos(t), "facility",
		    "%s is not a facility (daemon, local0 to local7), "
		    "ignored%s%s%s",
		    token_text(t, text), near.best ? "; did you mean " : "",
		    near.best ? near.best : "", near.best ? "?" : "");
	return true;
}

static bool store_resync(struct parser *p, struct frame *f,
			 const struct rule *r, const struct token *t)
{
	uint32_t seconds;
	bool on;

	if (!value_is_bool(t, &on)) {
		if (t->at[0] < '0' || t->at[0] > '9')
			return parser_expected(p, t, "number",
					       "yes, no or seconds");
		return store_u32(p, f, r, t);
	}
	seconds = on ? r->deflt : 0;
	memcpy((char *)f->base + r->at, &seconds, sizeof(seconds));
	return true;
}

static bool store_sched(struct parser *p, struct frame *f, const struct rule *r,
			const struct token *t)
{
	uint8_t *out = (uint8_t *)f->base + r->at;

	if (token_is_nocase(t, "RR"))
		*out = CONF_SCHED_RR;
	else if (token_is_nocase(t, "FIFO"))
		*out = CONF_SCHED_FIFO;
	else
		return parser_expected(p, t, "scheduler", "RR or FIFO");
	return true;
}

static bool store_ifname(struct parser *p, struct frame *f,
			 const struct rule *r, const struct token *t)
{
	char text[TOKEN_TEXT_SIZE];
	struct addr ignored;

	if (t->kind != TOKEN_WORD ||
	    addr_parse(FAMILY_IPV4, t->at, t->len, &ignored))
		return parser_expected(p, t, "interface",
				       "the name of an interface");
	if (t->len > CONF_IFNAME_MAX || token_is(t, ".") || token_is(t, "..")) {
		parser_error(p, token_pos(t), "interface",
			     "%s cannot be an interface: such a name has at "
			     "most %d characters",
			     token_text(t, text), CONF_IFNAME_MAX);
		return false;
	}
	value_copy((char *)f->base + r->at, CONF_IFNAME_MAX + 1, t);
	return true;
}

static bool store_addr(struct parser *p, struct frame *f, const struct rule *r,
		       const struct token *t)
{
	struct conf_addr a = { .family = r->family };

	if (!address_read(p, r, t, &a.addr, NULL))
		return false;
	if (!(r->flags & RULE_IGNORED))
		memcpy((char *)f->base + r->at, &a, sizeof(a));
	return true;
}

static bool store_net(struct parser *p, struct frame *f, const struct rule *r,
		      const struct token *t)
{
	struct conf_filter *filter = f->base;
	struct conf_net net = { .net.family = r->family, .at = token_pos(t) };
	struct conf_net *nets;

	if (!address_read(p, r, t, &net.net.addr, &net.net.prefix_len))
		return false;
	if (!net.net.prefix_len)
		parser_warn(p, token_pos(t), "prefix-zero",
			    "this matches every IPv%d flow",
			    r->family == FAMILY_IPV4 ? 4 : 6);
	nets = parser_grow(p, filter->nets, filter->n_nets, sizeof(*nets));
	if (!nets)
		return false;
	filter->nets = nets;
	nets[filter->n_nets++] = net;
	return true;
}

static bool store_signed(struct parser *p, struct frame *f,
			 const struct rule *r, const struct token *t)
{
	size_t sign = t->len && (t->at[0] == '-' || t->at[0] == '+');

	(void)f;
	for (size_t i = sign; i < t->len; i++)
		if (t->at[i] < '0' || t->at[i] > '9')
			return parser_expected(p, t, "number",
					       "a number for %s", r->name);
	if (t->len == sign)
		return parser_expected(p, t, "number", "a number for %s",
				       r->name);
	return true;
}

static bool store_word(struct parser *p, struct frame *f, const struct rule *r,
		       const struct token *t)
{
	(void)f;
	if (t->kind != TOKEN_WORD)
		return parser_expected(p, t, "word", "a word for %s", r->name);
	return true;
}

struct kind {
	const char *type;
	enum lex_class class;
	bool (*store)(struct parser *p, struct frame *f, const struct rule *r,
		      const struct token *t);
};

static const struct kind kinds[] = {
	[RULE_U32] = { "number", LEX_NUMBER, store_u32 },
	[RULE_PORT] = { "number", LEX_NUMBER, store_port },
	[RULE_BOOL] = { "yes|no", LEX_WORD, store_bool },
	[RULE_PATH] = { "path", LEX_VALUE, store_path },
	[RULE_LOG] = { "yes|no|path", LEX_VALUE, store_log },
	[RULE_SYSLOG] = { "yes|no|facility", LEX_WORD, store_syslog },
	[RULE_RESYNC] = { "yes|no|seconds", LEX_NUMBER, store_resync },
	[RULE_SCHED] = { "RR|FIFO", LEX_WORD, store_sched },
	[RULE_IFNAME] = { "interface", LEX_WORD, store_ifname },
	[RULE_ADDR] = { "address", LEX_ADDR, store_addr },
	[RULE_NET] = { "network", LEX_ADDR, store_net },
	[RULE_BLOCK] = { "block", LEX_WORD, NULL },
	[RULE_SIGNED] = { "number", LEX_NUMBER, store_signed },
	[RULE_WORD] = { "word", LEX_WORD, store_word },
	[RULE_FLAG] = { "", LEX_WORD, NULL },
};
_Static_assert(N_ELEMENTS(kinds) == RULE_KINDS, "a row for each rule_kind");

const char *value_type(enum rule_kind kind)
{
	return kinds[kind].type;
}

/* An option's name at the begin of a line means that the value is missing,
 * although it might be the name of an interface. */
static bool is_next_clause(const struct frame *f, const struct token *t)
{
	return t->first && t->kind == TOKEN_WORD && block_rule(f->block, t);
}

bool value_read(struct parser *p, struct frame *f, const struct rule *r,
		const struct token *keyword)
{
	const struct kind *kind = &kinds[r->kind];
	bool keep =
		(r->flags & RULE_FIRST_COUNTS) && frame_pos(f, r->name).at.line;
	uint32_t first = 0;
	struct token t;

	if (r->kind == RULE_FLAG) {
		given_add(p, f, r, keyword, NULL);
		return true;
	}
	t = parser_peek(p, kind->class);
	given_add(p, f, r, keyword, &t);
	if (t.kind == TOKEN_END || t.kind == TOKEN_OPEN ||
	    t.kind == TOKEN_CLOSE || is_next_clause(f, &t))
		return parser_expected(p, &t, "value", "a value for %s (%s)",
				       r->name, kind->type);
	if (keep)
		memcpy(&first, (char *)f->base + r->at, sizeof(first));
	if (!kind->store(p, f, r, &t))
		return false;
	if (keep)
		memcpy((char *)f->base + r->at, &first, sizeof(first));
	(void)parser_take(p, kind->class);
	p->single = t.kind == TOKEN_PATH ? NULL : r->name;
	return true;
}
