/* SPDX-License-Identifier: ISC */
#include "conf/number.h"

#include <stdio.h>
#include <string.h>

#include "conf/kinds.h"

bool number_digits(const char *at, size_t len, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		if (value < UINT64_MAX / 100)
			value = value * 10 + (uint64_t)(at[i] - '0');
	}
	if (len)
		*out = value;
	return len > 0;
}

static size_t count_digits(const char *at, size_t len)
{
	size_t n = 0;

	while (n < len && at[n] >= '0' && at[n] <= '9')
		n++;
	return n;
}

static bool is_unit(const struct token *t)
{
	static const char *const units[] = { "k",  "m",   "g",   "kb",  "mb",
					     "gb", "kib", "mib", "gib", "b",
					     "s",  "sec", "ms",  "min", "h" };

	for (size_t i = 0; i < N_ELEMENTS(units); i++)
		if (token_is_nocase(t, units[i]))
			return true;
	return false;
}

/* Says why this is not a decimal number; returns false. */
static bool tell_no_number(struct parser *p, const struct frame *f,
			   const struct rule *r, const struct token *t)
{
	size_t n = t->kind == TOKEN_WORD ? count_digits(t->at, t->len) : 0;
	const struct token rest = { .at = t->at + n, .len = t->len - n };
	char text[TOKEN_TEXT_SIZE];

	if (t->kind == TOKEN_WORD && (t->at[0] == '-' || t->at[0] == '+'))
		return parser_expected(p, t, "number",
				       "an unsigned number for %s", r->name);
	if (!n)
		return parser_expected(p, t, "number", "a number for %s",
				       r->name);
	token_text(t, text);
	if (block_rule(f->block, &rest))
		parser_error(p, token_pos(t), "glued",
			     "%s is not a number: a blank is missing after its "
			     "digits",
			     text);
	else if (t->at[n] == '.' &&
		 count_digits(t->at + n + 1, t->len - n - 1) + n + 1 == t->len)
		parser_error(p, token_pos(t), "number",
			     "%s is not a whole number", text);
	else
		parser_error(p, token_pos(t), "number",
			     "%s is not a decimal number%s", text,
			     is_unit(&rest) ? ", it is written without a unit"
					    : "");
	return false;
}

static bool in_range(struct parser *p, const struct rule *r,
		     const struct token *t, uint64_t value)
{
	const char *noun = conf_kinds[r->kind].noun;
	char name[32];
	char text[TOKEN_TEXT_SIZE];

	if (value >= r->min && value <= r->max)
		return true;
	snprintf(name, sizeof(name), "range%s%s", r->range ? "-" : "",
		 r->range ? r->range : "");
	if (noun)
		parser_error(p, token_pos(t), name, "%s is not %s (%u-%u)",
			     token_text(t, text), noun, (unsigned int)r->min,
			     (unsigned int)r->max);
	else
		parser_error(p, token_pos(t), name,
			     "%s is out of range for %s (%u-%u)",
			     token_text(t, text), r->name, (unsigned int)r->min,
			     (unsigned int)r->max);
	return false;
}

bool number_read(struct parser *p, const struct frame *f, const struct rule *r,
		 const struct token *t, uint32_t *out)
{
	const char *note = conf_kinds[r->kind].zero_note;
	uint64_t value;

	if (t->kind != TOKEN_WORD || !number_digits(t->at, t->len, &value))
		return tell_no_number(p, f, r, t);
	if (!value && (r->flags & RULE_ZERO_IS_DEFAULT)) {
		parser_warn(p, token_pos(t), "zero",
			    "%s 0 means the default, %u%s", r->name,
			    (unsigned int)r->deflt, note ? note : "");
		value = r->deflt;
	}
	if (!in_range(p, r, t, value))
		return false;
	*out = (uint32_t)value;
	return true;
}
