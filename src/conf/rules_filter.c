/* SPDX-License-Identifier: ISC */
/* rules_filter.c - Filter with its three sets, and the clauses that were
 * written in its place before it existed. */
#include "conf/given.h"
#include "conf/number.h"
#include "conf/parser.h"
#include "conf/protocols.h"
#include "conf/terms.h"
#include "conf/unknown.h"
#include "conf/words.h"

static enum filter_set set_of(enum block_id id)
{
	if (id == BLOCK_PROTOCOL || id == BLOCK_OLD_PROTOCOL)
		return SET_PROTOCOL;
	return id == BLOCK_STATE ? SET_STATE : SET_ADDRESS;
}

static enum filter_action *action_of(struct conf_filter *filter,
				     enum filter_set set)
{
	if (set == SET_PROTOCOL)
		return &filter->protocol;
	return set == SET_STATE ? &filter->state : &filter->address;
}

/* Sets of one kind are united, and the last action holds for all of it. */
static void set_action(struct parser *p, const struct frame *f,
		       enum filter_set set, enum filter_action action)
{
	static const char *const names[] = {
		[SET_PROTOCOL] = "a Protocol set",
		[SET_ADDRESS] = "an Address set",
		[SET_STATE] = "a State set",
	};
	enum filter_action *old = action_of(&p->conf->filter, set);
	struct conf_pos at = token_pos(&f->keyword), first = p->set_at[set];

	if (*old != FILTER_NONE && *old != action && !f->is_extra)
		parser_warn(p, at, "combination",
			    "%s with another action than that at %u:%u: both "
			    "are one set, and %s holds for all of it",
			    names[set], (unsigned int)first.line,
			    (unsigned int)first.col,
			    action == FILTER_ACCEPT ? "Accept" : "Ignore");
	else
		given_again(p, f, at, first, names[set], READ_AS_ONE);
	*old = action;
	p->set_at[set] = at;
	p->conf->filter.present = true;
}

static enum enter_result enter_set(struct parser *p, struct frame *f,
				   const struct token *keyword,
				   const struct block **block, void **base)
{
	struct token t = parser_peek(p, LEX_WORD);
	enum filter_action action = FILTER_IGNORE;

	(void)keyword;
	(void)block;
	(void)base;
	if (token_is(&t, "Accept"))
		action = FILTER_ACCEPT;
	else if (!token_is(&t, "Ignore"))
		parser_expected(p, &t, "action", "Accept or Ignore%s",
				token_is_nocase(&t, "accept") ||
						token_is_nocase(&t, "ignore")
					? " with a capital letter"
					: "");
	if (t.kind == TOKEN_WORD)
		(void)parser_take(p, LEX_WORD);
	set_action(p, f, set_of(f->block->id), action);
	return ENTER_BLOCK;
}

enum enter_result filter_enter_old(struct parser *p, struct frame *f,
				   const struct token *keyword,
				   const struct block **block, void **base)
{
	(void)keyword;
	(void)block;
	(void)base;
	set_action(p, f, set_of(f->block->id), FILTER_IGNORE);
	return ENTER_BLOCK;
}

/* Takes From Userspace, From Kernelspace, or nothing. *kernel is written where
 * it says so; false: told, and no '{' is to be expected. */
static bool read_from(struct parser *p, bool *kernel)
{
	struct token t = parser_peek(p, LEX_WORD);

	if (t.kind != TOKEN_WORD)
		return true;
	if (!token_is_nocase(&t, "From"))
		return parser_expected(p, &t, "word", "'From' or '{'");
	if (!token_is(&t, "From"))
		parser_warn(p, token_pos(&t), "deprecated",
			    "'from' is written From");
	(void)parser_take(p, LEX_WORD);
	t = parser_peek(p, LEX_WORD);
	*kernel = token_is_nocase(&t, "Kernelspace");
	if (!token_is(&t, "Kernelspace") && !token_is(&t, "Userspace"))
		parser_expected(p, &t, "word", "Userspace or Kernelspace");
	if (t.kind == TOKEN_WORD)
		(void)parser_take(p, LEX_WORD);
	return true;
}

/* Without From it is From Userspace, also after a Filter From Kernelspace. */
enum enter_result filter_enter(struct parser *p, struct frame *f,
			       const struct token *keyword,
			       const struct block **block, void **base)
{
	struct conf_filter *filter = &p->conf->filter;
	const char *what = READ_AS_ONE;
	bool kernel = false;

	(void)block;
	(void)base;
	if (!read_from(p, &kernel))
		return ENTER_FAILED;
	if (kernel != filter->from_kernelspace)
		what = kernel ? READ_AS_ONE ", all From Kernelspace"
			      : READ_AS_ONE ", all From Userspace";
	given_again(p, f, token_pos(keyword), f->earlier, "Filter", what);
	filter->from_kernelspace = kernel;
	filter->present = true;
	return ENTER_BLOCK;
}

static void add_protocol(struct conf_filter *filter, unsigned int proto)
{
	filter->protocols[proto / 8] |= (uint8_t)(1u << proto % 8);
}

static void protocol_unknown(struct parser *p, struct frame *f,
			     const struct token *t)
{
	const char *near = protocols_nearest(t->at, t->len);
	char text[TOKEN_TEXT_SIZE];

	if (!word_is_name(t)) {
		unknown_report_item(p, f, t, "word-protocol");
		return;
	}
	parser_warn(p, token_pos(t), "protocol",
		    "unknown protocol %s, ignored%s%s%s", token_text(t, text),
		    near ? "; did you mean " : "", near ? near : "",
		    near ? "?" : "");
}

static const char *number_name(uint64_t number)
{
	return number <= UINT8_MAX ? protocols_name((unsigned int)number)
				   : NULL;
}

static void protocol_item(struct parser *p, struct frame *f)
{
	struct token t = parser_take(p, LEX_VALUE);
	bool is_old = f->block->id == BLOCK_OLD_PROTOCOL;
	char text[TOKEN_TEXT_SIZE];
	uint64_t number;
	const char *use;
	int known;

	if (number_digits(t.at, t.len, &number)) {
		if (!is_old)
			parser_expected(
				p, &t, "number", "a protocol name%s%s%s",
				number_name(number) ? " (this is " : "",
				number_name(number) ? number_name(number) : "",
				number_name(number) ? ")" : "");
		else if (number > UINT8_MAX)
			parser_error(p, token_pos(&t), "range-protocol",
				     "protocol numbers are 0 to 255");
		else
			add_protocol(f->base, (unsigned int)number);
		return;
	}
	known = protocols_number(t.at, t.len, &use);
	if (known < 0) {
		protocol_unknown(p, f, &t);
		return;
	}
	if (use)
		parser_warn(p, token_pos(&t), "protocol", "%s is written %s",
			    token_text(&t, text), use);
	add_protocol(f->base, (unsigned int)known);
}

static bool set_is_empty(const struct frame *f)
{
	const struct conf_filter *filter = f->base;

	switch (set_of(f->block->id)) {
	case SET_PROTOCOL:
		for (size_t i = 0; i < sizeof(filter->protocols); i++)
			if (filter->protocols[i])
				return false;
		return true;
	case SET_STATE:
		return !filter->tcp_states;
	case SET_ADDRESS:
	case FILTER_SETS:
		break;
	}
	return !filter->n_nets;
}

static void close_set(struct parser *p, struct frame *f)
{
	enum filter_action action = *action_of(f->base, set_of(f->block->id));

	if (!set_is_empty(f) || !frame_is_clean(p, f))
		return;
	parser_warn(p, token_pos(&f->keyword), "empty-set",
		    action == FILTER_ACCEPT
			    ? "an empty %s set with Accept lets no flow pass"
			    : "an empty %s set has no effect",
		    f->block->name);
}

static void state_unknown(struct parser *p, const struct token *t)
{
	char text[TOKEN_TEXT_SIZE];
	struct nearest near;

	nearest_init(&near, t->at, t->len);
	term_nearest_state(&near);
	token_text(t, text);
	if (token_is(t, "SYN_SENT2"))
		near.best = "LISTEN";
	if (near.best)
		parser_error(p, token_pos(t), "state",
			     "unknown TCP state %s, did you mean %s?", text,
			     near.best);
	else
		parser_error(p, token_pos(t), "state",
			     "unknown TCP state %s, expected a state or "
			     "'for TCP'",
			     text);
}

/* Reads `state... for TCP`; *states grows. False: told. */
static bool read_states(struct parser *p, uint16_t *states)
{
	unsigned int n_errors = p->diags.n[CONF_ERROR];
	struct token t;

	for (;;) {
		unsigned int state;

		t = parser_peek(p, LEX_WORD);
		if (t.kind != TOKEN_WORD)
			return parser_expected(p, &t, "state",
					       "a TCP state or 'for TCP'");
		if (token_is(&t, "for"))
			break;
		if (term_state(&t, &state))
			*states |= (uint16_t)(1u << state);
		else
			state_unknown(p, &t);
		(void)parser_take(p, LEX_WORD);
	}
	if (!*states && p->diags.n[CONF_ERROR] == n_errors)
		parser_warn(p, token_pos(&t), "empty-set",
			    "no state before "
			    "'for TCP'");
	(void)parser_take(p, LEX_WORD);
	t = parser_peek(p, LEX_WORD);
	if (!token_is(&t, "TCP"))
		parser_expected(p, &t, "word", "TCP");
	if (t.kind == TOKEN_WORD)
		(void)parser_take(p, LEX_WORD);
	return true;
}

static void state_item(struct parser *p, struct frame *f)
{
	struct conf_filter *filter = f->base;

	if (!read_states(p, &filter->tcp_states))
		parser_recover(p);
}

/* Sync { Replicate ESTABLISHED TIME_WAIT for TCP }, until 1.4.4 */
enum enter_result filter_enter_replicate(struct parser *p, struct frame *f,
					 const struct token *keyword,
					 const struct block **block,
					 void **base)
{
	(void)keyword;
	(void)block;
	(void)base;
	set_action(p, f, SET_STATE, FILTER_ACCEPT);
	return read_states(p, &p->conf->filter.tcp_states) ? ENTER_DONE
							   : ENTER_FAILED;
}

static const struct rule address_rules[] = {
	{ "IPv4_address", RULE_NET, .family = FAMILY_IPV4 },
	{ "IPv6_address", RULE_NET, .family = FAMILY_IPV6 },
};

static const struct rule filter_rules[] = {
	{ "Protocol", RULE_BLOCK, .block = &conf_block_protocol,
	  .enter = enter_set },
	{ "Address", RULE_BLOCK, .block = &conf_block_address,
	  .enter = enter_set },
	{ "State", RULE_BLOCK, .block = &conf_block_state, .enter = enter_set },
};

const struct block conf_block_filter = {
	.id = BLOCK_FILTER,
	.name = "Filter",
	RULES(filter_rules),
	.base = offsetof(struct conf, filter),
};

const struct block conf_block_protocol = {
	.id = BLOCK_PROTOCOL,
	.name = "Protocol",
	.base = offsetof(struct conf, filter),
	.items = "a protocol name",
	.item = protocol_item,
	.close = close_set,
};

const struct block conf_block_address = {
	.id = BLOCK_ADDRESS,
	.name = "Address",
	RULES(address_rules),
	.base = offsetof(struct conf, filter),
	.close = close_set,
};

const struct block conf_block_state = {
	.id = BLOCK_STATE,
	.name = "State",
	.base = offsetof(struct conf, filter),
	.items = "a TCP state, 'for TCP'",
	.item = state_item,
	.close = close_set,
};

const struct block conf_block_old_traffic = {
	.id = BLOCK_OLD_TRAFFIC,
	.name = "IgnoreTrafficFor",
	RULES(address_rules),
	.base = offsetof(struct conf, filter),
	.close = close_set,
};

const struct block conf_block_old_protocol = {
	.id = BLOCK_OLD_PROTOCOL,
	.name = "IgnoreProtocol",
	.base = offsetof(struct conf, filter),
	.items = "a protocol name or number",
	.item = protocol_item,
	.close = close_set,
};
