/* SPDX-License-Identifier: ISC */
#include "conf/kinds.h"

#include <string.h>

#include "conf/address.h"
#include "conf/number.h"
#include "conf/terms.h"
#include "conf/words.h"

static bool read_u32(struct parser *p, struct frame *f, const struct rule *r,
		     const struct token *t)
{
	uint32_t value;

	if (!number_read(p, f, r, t, &value))
		return false;
	if (!(r->flags & RULE_IGNORED))
		memcpy((char *)f->base + r->at, &value, sizeof(value));
	return true;
}

static uint32_t u32_at(const void *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void default_u32(const struct rule *r, void *at)
{
	uint32_t value = r->flags & RULE_UNSET ? CONF_UNSET : r->deflt;

	memcpy(at, &value, sizeof(value));
}

static bool is_unset_u32(const struct rule *r, const void *at)
{
	if (r->flags & RULE_UNSET)
		return u32_at(at) == CONF_UNSET;
	return (r->flags & (RULE_OMIT_ZERO | RULE_IGNORED)) && !u32_at(at);
}

static void print_u32(struct wr *w, const void *at)
{
	wr_printf(w, "%u", (unsigned int)u32_at(at));
}

static bool read_port(struct parser *p, struct frame *f, const struct rule *r,
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

static uint16_t port_at(const void *at)
{
	uint16_t port;

	memcpy(&port, at, sizeof(port));
	return port;
}

static bool is_unset_port(const struct rule *r, const void *at)
{
	(void)r;
	return !port_at(at);
}

static void print_port(struct wr *w, const void *at)
{
	wr_printf(w, "%u", port_at(at));
}

static bool read_bool(struct parser *p, struct frame *f, const struct rule *r,
		      const struct token *t)
{
	bool value;

	if (!term_bool(t, &value))
		return parser_expected(p, t, "word-bool",
				       "yes or no (or on, off)");
	if (!(r->flags & RULE_IGNORED))
		memcpy((char *)f->base + r->at, &value, sizeof(value));
	return true;
}

static void default_bool(const struct rule *r, void *at)
{
	bool value = r->deflt != 0;

	memcpy(at, &value, sizeof(value));
}

static void print_bool(struct wr *w, const void *at)
{
	wr_printf(w, "%s", *(const bool *)at ? "yes" : "no");
}

static bool is_never_unset(const struct rule *r, const void *at)
{
	(void)r;
	(void)at;
	return false;
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

static bool read_path(struct parser *p, struct frame *f, const struct rule *r,
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
	token_copy((char *)f->base + r->at, r->max + 1, t);
	return true;
}

static void default_path(const struct rule *r, void *at)
{
	if (r->text) /* an alias has none */
		memcpy(at, r->text, strlen(r->text) + 1);
}

static bool is_unset_text(const struct rule *r, const void *at)
{
	(void)r;
	return !*(const char *)at;
}

static void print_text(struct wr *w, const void *at)
{
	wr_printf(w, "%s", (const char *)at);
}

static bool read_log(struct parser *p, struct frame *f, const struct rule *r,
		     const struct token *t)
{
	char *path = (char *)f->base + r->at;
	bool on;

	if (term_bool(t, &on)) {
		size_t len = on ? strlen(r->text) : 0;

		memcpy(path, r->text, len);
		path[len] = '\0';
		return true;
	}
	if (t->kind == TOKEN_PATH)
		return read_path(p, f, r, t);
	return parser_expected(p, t, "path", "yes, no or an absolute path");
}

static void print_log(struct wr *w, const void *at)
{
	wr_printf(w, "%s", *(const char *)at ? (const char *)at : "no");
}

static bool read_syslog(struct parser *p, struct frame *f, const struct rule *r,
			const struct token *t)
{
	uint8_t *out = (uint8_t *)f->base + r->at;
	struct nearest near;
	char text[TOKEN_TEXT_SIZE];
	bool on;

	if (term_bool(t, &on)) {
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

static void print_syslog(struct wr *w, const void *at)
{
	wr_printf(w, "%s",
		  conf_syslog_name((enum conf_syslog) * (const uint8_t *)at));
}

static bool read_resync(struct parser *p, struct frame *f, const struct rule *r,
			const struct token *t)
{
	uint32_t seconds;
	bool on;

	if (!term_bool(t, &on)) {
		if (t->at[0] < '0' || t->at[0] > '9')
			return parser_expected(p, t, "number",
					       "yes, no or seconds");
		return read_u32(p, f, r, t);
	}
	seconds = on ? r->deflt : 0;
	memcpy((char *)f->base + r->at, &seconds, sizeof(seconds));
	return true;
}

static bool is_unset_resync(const struct rule *r, const void *at)
{
	(void)r;
	return u32_at(at) == CONF_UNSET;
}

static void print_resync(struct wr *w, const void *at)
{
	if (u32_at(at))
		print_u32(w, at);
	else
		wr_printf(w, "no");
}

static bool read_sched(struct parser *p, struct frame *f, const struct rule *r,
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

static bool is_unset_sched(const struct rule *r, const void *at)
{
	(void)r;
	return *(const uint8_t *)at == CONF_SCHED_NONE;
}

static void print_sched(struct wr *w, const void *at)
{
	wr_printf(w, "%s",
		  *(const uint8_t *)at == CONF_SCHED_RR ? "RR" : "FIFO");
}

static bool read_ifname(struct parser *p, struct frame *f, const struct rule *r,
			const struct token *t)
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
	token_copy((char *)f->base + r->at, CONF_IFNAME_MAX + 1, t);
	return true;
}

static bool read_addr(struct parser *p, struct frame *f, const struct rule *r,
		      const struct token *t)
{
	struct conf_addr a = { .family = r->family };

	if (!address_read(p, r, t, &a.addr, NULL))
		return false;
	if (!(r->flags & RULE_IGNORED))
		memcpy((char *)f->base + r->at, &a, sizeof(a));
	return true;
}

static bool is_unset_addr(const struct rule *r, const void *at)
{
	const struct conf_addr *a = at;

	return a->family != r->family;
}

static void print_addr(struct wr *w, const void *at)
{
	const struct conf_addr *a = at;
	char text[ADDR_TEXT_SIZE];

	wr_printf(w, "%s", addr_text((enum family)a->family, &a->addr, text));
}

static bool read_net(struct parser *p, struct frame *f, const struct rule *r,
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

static const struct conf_source *source_of(const struct conf_link *link,
					   const struct conf_addr *a)
{
	for (size_t i = 0; i < link->n_sources; i++)
		if (link->sources[i].addr.family == a->family &&
		    addr_equal(&link->sources[i].addr.addr, &a->addr))
			return &link->sources[i];
	return NULL;
}

/* The last one is where messages go, as with the reference; the peer may send
 * from them all. */
static bool read_peer(struct parser *p, struct frame *f, const struct rule *r,
		      const struct token *t)
{
	struct conf_link *link = f->base;
	struct conf_addr a = { .family = r->family };
	const struct conf_source *known;

	if (!address_read(p, r, t, &a.addr, NULL))
		return false;
	known = source_of(link, &a);
	if (known) {
		parser_warn(p, token_pos(t), "duplicate",
			    "the peer has this address already, by that at "
			    "%u:%u",
			    (unsigned int)known->at.line,
			    (unsigned int)known->at.col);
		return true;
	}
	if (link->n_sources == CONF_SOURCES_MAX) {
		parser_error(p, token_pos(t), "peer-count",
			     "more than %d addresses of one peer",
			     CONF_SOURCES_MAX);
		return false;
	}
	link->sources[link->n_sources++] =
		(struct conf_source){ a, token_pos(t) };
	link->dest = a;
	return true;
}

static bool read_signed(struct parser *p, struct frame *f, const struct rule *r,
			const struct token *t)
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

static bool read_word(struct parser *p, struct frame *f, const struct rule *r,
		      const struct token *t)
{
	(void)f;
	if (t->kind != TOKEN_WORD)
		return parser_expected(p, t, "word", "a word for %s", r->name);
	return true;
}

/* clang-format off */
const struct kind conf_kinds[] = {
	[RULE_U32] = {
		"number", LEX_NUMBER, sizeof(uint32_t), .is_single = true,
		.is_ranged = true, .read = read_u32,
		.set_default = default_u32, .is_unset = is_unset_u32,
		.print = print_u32,
	},
	[RULE_PORT] = {
		"number", LEX_NUMBER, sizeof(uint16_t), .is_single = true,
		.is_ranged = true, .noun = "a port number", .read = read_port,
		.is_unset = is_unset_port, .print = print_port,
	},
	[RULE_BOOL] = {
		"yes|no", LEX_WORD, sizeof(bool), .is_single = true,
		.read = read_bool, .set_default = default_bool,
		.is_unset = is_never_unset, .print = print_bool,
	},
	[RULE_PATH] = {
		"path", LEX_VALUE, .is_single = true, .read = read_path,
		.set_default = default_path, .is_unset = is_unset_text,
		.print = print_text,
	},
	[RULE_LOG] = {
		"yes|no|path", LEX_VALUE, .is_single = true, .read = read_log,
		.is_unset = is_never_unset, .print = print_log,
	},
	[RULE_SYSLOG] = {
		"yes|no|facility", LEX_WORD, sizeof(uint8_t),
		.is_single = true, .read = read_syslog,
		.is_unset = is_never_unset, .print = print_syslog,
	},
	[RULE_RESYNC] = {
		"yes|no|seconds", LEX_NUMBER, sizeof(uint32_t),
		.is_single = true, .is_ranged = true,
		.zero_note = "; write no to switch it off",
		.read = read_resync, .set_default = default_u32,
		.is_unset = is_unset_resync, .print = print_resync,
	},
	[RULE_SCHED] = {
		"RR|FIFO", LEX_WORD, sizeof(uint8_t), .is_single = true,
		.read = read_sched, .is_unset = is_unset_sched,
		.print = print_sched,
	},
	[RULE_IFNAME] = {
		"interface", LEX_WORD, .is_single = true, .read = read_ifname,
		.is_unset = is_unset_text, .print = print_text,
	},
	[RULE_ADDR] = {
		"address", LEX_ADDR, sizeof(struct conf_addr),
		.is_single = true, .read = read_addr,
		.is_unset = is_unset_addr, .print = print_addr,
	},
	[RULE_PEER] = {
		"address", LEX_ADDR, sizeof(struct conf_addr),
		.read = read_peer, .is_unset = is_unset_addr,
		.print = print_addr,
	},
	/* what follows has no value, or is written by others */
	[RULE_NET] = { "network", LEX_ADDR, .read = read_net },
	[RULE_BLOCK] = { "block", LEX_WORD, .read = NULL },
	[RULE_SIGNED] = { "number", LEX_NUMBER, .read = read_signed },
	[RULE_WORD] = { "word", LEX_WORD, .read = read_word },
	[RULE_FLAG] = { "", LEX_WORD, .read = NULL },
};
/* clang-format on */
_Static_assert(N_ELEMENTS(conf_kinds) == RULE_KINDS, "a row for each kind");
