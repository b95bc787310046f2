/* SPDX-License-Identifier: ISC */
#include "conf/words.h"

#include <string.h>

#include "conf/rules.h"
#include "conf/terms.h"

enum { HEX_GROUP_MAX = 4 };

static bool is_option(const struct token *t)
{
	for (size_t i = 0; i < BLOCKS; i++) {
		const struct rule *r = block_rule(conf_blocks[i], t);

		if (r && !(r->flags & RULE_LEGACY))
			return true;
	}
	return false;
}

/* Words inside of clauses. */
static bool is_inner_word(const struct token *t)
{
	static const char *const words[] = { "Default",   "From",
					     "Userspace", "Kernelspace",
					     "Accept",    "Ignore",
					     "for" };

	for (size_t i = 0; i < N_ELEMENTS(words); i++)
		if (token_is(t, words[i]))
			return true;
	return false;
}

bool word_is_reserved(const struct token *t)
{
	enum conf_mode mode;
	unsigned int state;
	const char *old;
	bool on;

	return is_option(t) || is_inner_word(t) || term_bool(t, &on) ||
	       term_state(t, &state) || term_mode(t, &mode, &old);
}

static bool is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool word_has_form_of_name(const struct token *t)
{
	if (!t->len || !is_letter(t->at[0]))
		return false;
	for (size_t i = 1; i < t->len; i++)
		if (!is_letter(t->at[i]) && !is_digit(t->at[i]) &&
		    t->at[i] != '.' && t->at[i] != '-' && t->at[i] != '_')
			return false;
	return true;
}

static bool is_hex_group(const struct token *t)
{
	for (size_t i = 0; i < t->len; i++)
		if (!is_digit(t->at[i]) &&
		    ((t->at[i] | 0x20) < 'a' || (t->at[i] | 0x20) > 'f'))
			return false;
	return t->len <= HEX_GROUP_MAX;
}

bool word_is_name(const struct token *t)
{
	return word_has_form_of_name(t) && !word_is_reserved(t) &&
	       !is_hex_group(t);
}
