/* SPDX-License-Identifier: ISC */
/* rules_helper.c - Helper: user-space helpers, which are checked, but which
 * this program does not have. */
#include <stdio.h>
#include <string.h>

#include "base/flow.h"
#include "conf/given.h"
#include "conf/parser.h"

static const struct known {
	const char *name;
	bool tcp, udp;
	uint32_t expect_max, expect_timeout_s;
} helpers[] = {
	{ "amanda", false, true, 3, 180 }, { "dhcpv6", false, true, 1, 300 },
	{ "ftp", true, false, 1, 300 },    { "mdns", false, true, 8, 30 },
	{ "rpc", true, true, 1, 300 },     { "sane", true, false, 1, 300 },
	{ "slp", false, true, 8, 16 },     { "ssdp", true, true, 8, 300 },
	{ "tftp", false, true, 1, 300 },   { "tns", true, false, 1, 300 },
};

enum enter_result helper_enter(struct parser *p, struct frame *f,
			       const struct token *keyword,
			       const struct block **block, void **base)
{
	(void)f;
	(void)block;
	(void)base;
	p->has_section = true;
	if (!p->conf->helper.present)
		p->conf->helper.at = token_pos(keyword);
	p->conf->helper.present = true;
	return ENTER_BLOCK;
}

static const struct known *find_helper(const struct token *t)
{
	for (size_t i = 0; i < N_ELEMENTS(helpers); i++)
		if (token_is(t, helpers[i].name))
			return &helpers[i];
	return NULL;
}

static void helper_unknown(struct parser *p, const struct token *t)
{
	char text[TOKEN_TEXT_SIZE], list[128];
	size_t used = 0;

	for (size_t i = 0; i < N_ELEMENTS(helpers); i++) {
		int n = snprintf(list + used, sizeof(list) - used, " %s",
				 helpers[i].name);

		if (n > 0 && (size_t)n < sizeof(list) - used)
			used += (size_t)n;
	}
	parser_error(p, token_pos(t), "helper",
		     "unknown helper %s, known are%s", token_text(t, text),
		     list);
}

/* Takes the next word of `Type NAME L3 L4`. False: told, nothing is taken. */
static bool take_word(struct parser *p, const char *what, struct token *t)
{
	*t = parser_peek(p, LEX_WORD);
	if (t->kind != TOKEN_WORD)
		return parser_expected(p, t, "helper", "%s", what);
	(void)parser_take(p, LEX_WORD);
	return true;
}

static void read_l3(struct parser *p, struct conf_helper_type *type,
		    const struct token *t)
{
	if (token_is(t, "inet"))
		type->family = FAMILY_IPV4;
	else if (token_is(t, "inet6"))
		type->family = FAMILY_IPV6;
	else
		parser_expected(p, t, "helper", "inet or inet6");
}

static void read_l4(struct parser *p, struct conf_helper_type *type,
		    const struct known *known, const struct token *t)
{
	if (token_is(t, "tcp"))
		type->l4proto = L4_TCP;
	else if (token_is(t, "udp"))
		type->l4proto = L4_UDP;
	else
		parser_expected(p, t, "helper", "tcp or udp%s",
				token_is_nocase(t, "tcp") ||
						token_is_nocase(t, "udp")
					? " in small letters"
					: "");
	if (!known || (type->l4proto == L4_TCP ? known->tcp : known->udp) ||
	    !type->l4proto)
		return;
	parser_error(p, type->at, "helper",
		     "helper %s has no %.*s variant, only %s", known->name,
		     (int)t->len, t->at, known->tcp ? "tcp" : "udp");
	type->l4proto = 0;
}

static enum enter_result enter_type(struct parser *p, struct frame *f,
				    const struct token *keyword,
				    const struct block **block, void **base)
{
	struct conf_helper_type *type = &p->spare_type;
	const struct known *known;
	struct token t;

	(void)f;
	(void)block;
	*type = (struct conf_helper_type){ 0 };
	*base = type;
	if (!take_word(p, "the name of a helper", &t))
		return ENTER_FAILED;
	type->at = token_pos(&t);
	known = find_helper(&t);
	if (known) {
		type->name = known->name;
		type->expect_max = known->expect_max;
		type->expect_timeout_s = known->expect_timeout_s;
	} else {
		helper_unknown(p, &t);
	}
	if (!take_word(p, "inet or inet6", &t))
		return ENTER_FAILED;
	read_l3(p, type, &t);
	if (!take_word(p, "tcp or udp", &t))
		return ENTER_FAILED;
	read_l4(p, type, known, &t);
	type->at = token_pos(keyword);
	return ENTER_BLOCK;
}

static void warn_unsupported(struct parser *p,
			     const struct conf_helper_type *type)
{
	static const struct {
		const char *name, *instead;
	} rows[] = {
		{ "amanda", "the kernel's amanda helper (nft ct helper)" },
		{ "ftp", "the kernel's ftp helper (nft ct helper)" },
		{ "sane", "the kernel's sane helper (nft ct helper)" },
		{ "tftp", "the kernel's tftp helper (nft ct helper)" },
	};
	const char *instead = "rules that accept the traffic, or another "
			      "program for this protocol";

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (!strcmp(rows[i].name, type->name))
			instead = rows[i].instead;
	parser_warn(p, type->at, "helper-unsupported",
		    "user-space helpers are not supported, %s does nothing; "
		    "use %s",
		    type->name, instead);
}

static void close_type(struct parser *p, struct frame *f)
{
	struct conf_helper *helper = &p->conf->helper;
	struct conf_helper_type *type = f->base, *types;
	struct option_pos queue = frame_pos(f, "QueueNum");

	if (!type->name || !type->family || !type->l4proto)
		return;
	type->queue_at = queue.value;
	if (!queue.at.line && !f->has_unknown)
		parser_warn(p, type->at, "missing-queue",
			    "Type %s has no QueueNum, queue 0 is meant",
			    type->name);
	warn_unsupported(p, type);
	types = parser_grow(p, helper->types, helper->n_types, sizeof(*types));
	if (!types)
		return;
	helper->types = types;
	types[helper->n_types++] = *type;
}

/* The first one counts, as in the reference; likewise QueueNum, QueueLen. */
static enum enter_result enter_policy(struct parser *p, struct frame *f,
				      const struct token *keyword,
				      const struct block **block, void **base)
{
	struct conf_helper_type *type = *base;
	char text[TOKEN_TEXT_SIZE];
	struct token t;

	(void)block;
	if (!take_word(p, "the name of a policy", &t))
		return ENTER_FAILED;
	if (t.len > CONF_HELPER_NAME_MAX)
		parser_error(p, token_pos(&t), "length-policy",
			     "%s is longer than the name of a policy can be "
			     "(%d characters)",
			     token_text(&t, text), CONF_HELPER_NAME_MAX);
	else if (type->name && !token_is(&t, type->name))
		parser_error(p, token_pos(&t), "helper",
			     "helper %s has no policy %s, only one of its own "
			     "name",
			     type->name, token_text(&t, text));
	if (type->has_policy) {
		given_again(p, f, token_pos(keyword), f->earlier, "Policy",
			    "counts");
		p->ignored_type = *type;
		*base = &p->ignored_type;
	}
	type->has_policy = true;
	return ENTER_BLOCK;
}

static void close_policy(struct parser *p, struct frame *f)
{
	if (!f->has_unknown && !frame_pos(f, "ExpectMax").at.line &&
	    !frame_pos(f, "ExpectTimeout").at.line)
		parser_error(p, token_pos(&f->keyword), "policy",
			     "Policy sets neither ExpectMax nor "
			     "ExpectTimeout");
}

static void close_helper(struct parser *p, struct frame *f)
{
	if (!p->conf->helper.n_types && frame_is_clean(p, f))
		parser_warn(p, token_pos(&f->keyword), "empty-helper",
			    "Helper has no Type that could be used");
}

#define AT(field) .at = offsetof(struct conf_helper_type, field)
/* clang-format off */
static const struct rule policy_rules[] = {
	{ "ExpectMax", RULE_U32, AT(expect_max), 0, INT32_MAX,
	  .range = "policy" },
	{ "ExpectTimeout", RULE_U32, AT(expect_timeout_s), 0, INT32_MAX,
	  .range = "policy" },
};

static const struct rule type_rules[] = {
	{ "QueueNum", RULE_U32, AT(queue_num), 0, UINT16_MAX,
	  .flags = RULE_FIRST_COUNTS, .range = "queue" },
	{ "QueueLen", RULE_U32, AT(queue_len), 0, INT32_MAX,
	  .flags = RULE_FIRST_COUNTS | RULE_OMIT_ZERO, .range = "queue" },
	{ "Policy", RULE_BLOCK, .block = &conf_block_policy,
	  .enter = enter_policy },
};

static const struct rule helper_rules[] = {
	{ "Setup", RULE_BOOL, .at = offsetof(struct conf_helper, setup) },
	{ "Type", RULE_BLOCK, .block = &conf_block_type, .enter = enter_type },
};
/* clang-format on */
#undef AT

const struct block conf_block_helper = {
	.id = BLOCK_HELPER,
	.name = "Helper",
	RULES(helper_rules),
	.base = offsetof(struct conf, helper),
	.close = close_helper,
};

const struct block conf_block_type = {
	.id = BLOCK_TYPE,
	.name = "Type",
	RULES(type_rules),
	.base = NO_BASE,
	.close = close_type,
};

const struct block conf_block_policy = {
	.id = BLOCK_POLICY,
	.name = "Policy",
	RULES(policy_rules),
	.base = NO_BASE,
	.close = close_policy,
};
