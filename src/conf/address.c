/* SPDX-License-Identifier: ISC */
#include "conf/address.h"

#include <string.h>

#include "conf/number.h"

enum { QUAD_TEXT_MAX = 64 };

void address_mask(struct addr *a, unsigned int prefix_len)
{
	for (unsigned int i = 0; i < sizeof(a->b); i++) {
		unsigned int bits = prefix_len > i * 8 ? prefix_len - i * 8 : 0;

		if (bits < 8)
			a->b[i] &= (uint8_t)(0xff00 >> bits);
	}
}

static int version(const struct rule *r)
{
	return r->family == FAMILY_IPV4 ? 4 : 6;
}

/* Copies a dotted quad without leading zeros and returns its length. *zeros:
 * something was left out; *octal: and who reads such a group as octal (the
 * reference does) sees another number. */
static size_t strip_zeros(const char *at, size_t len, char out[QUAD_TEXT_MAX],
			  bool *zeros, bool *octal)
{
	size_t used = 0, end;

	for (size_t i = 0; i < len; i = end) {
		size_t digit = i;

		for (end = i; end < len && at[end] != '.'; end++)
			;
		while (digit + 1 < end && at[digit] == '0')
			digit++;
		*zeros |= digit > i;
		*octal |= digit > i && (end - digit > 1 || at[digit] > '7');
		end += end < len; /* the dot */
		memcpy(out + used, at + digit, end - digit);
		used += end - digit;
	}
	return used;
}

static const char *hint(const struct rule *r, const char *at, size_t len)
{
	const char *colon = memchr(at, ':', len);
	struct addr other;

	if (memchr(at, '%', len))
		return ": a zone index is not supported, use Interface";
	if (r->family == FAMILY_IPV4 &&
	    addr_parse(FAMILY_IPV6, at, len, &other))
		return ", but an IPv6 address";
	if (r->family == FAMILY_IPV6 &&
	    addr_parse(FAMILY_IPV4, at, len, &other))
		return ", but an IPv4 address";
	if (r->family == FAMILY_IPV4 && colon &&
	    addr_parse(FAMILY_IPV4, at, (size_t)(colon - at), &other))
		return "; the port has an option of its own";
	return "";
}

/* Names and placeholders, which no address begins like. */
static bool looks_like_word(const struct token *t)
{
	for (size_t i = 0; i < t->len; i++) {
		char c = t->at[i];

		if (c == ':' || c == '/' || c == '%')
			return false;
		if (c != '.' && !(c >= '0' && c <= '9') &&
		    !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
			return true;
	}
	return false;
}

static const char *word_hint(const struct rule *r, const struct token *t)
{
	if (t->kind != TOKEN_WORD)
		return "";
	if (strstr(r->name, "interface"))
		return "; names are not looked up, that of the device goes "
		       "into Interface";
	return "; host names are not looked up";
}

/* Reads the address part of the token, len bytes of it. */
static bool read_addr(struct parser *p, const struct rule *r,
		      const struct token *t, size_t len, struct addr *out)
{
	char quad[QUAD_TEXT_MAX] = "", text[TOKEN_TEXT_SIZE];
	struct token part = *t;
	bool zeros = false, octal = false;
	const char *at = t->at;

	part.len = len;
	if (r->family == FAMILY_IPV4 && len < sizeof(quad)) {
		len = strip_zeros(at, len, quad, &zeros, &octal);
		at = quad;
	}
	if (!addr_parse((enum family)r->family, at, len, out)) {
		parser_error(p, token_pos(t), "address",
			     "%s is not an IPv%d address%s",
			     token_text(&part, text), version(r),
			     hint(r, at, len));
		return false;
	}
	if (octal)
		parser_error(p, token_pos(t), "address-octal",
			     "%s has leading zeros, which many programs read "
			     "as octal: write it without them",
			     token_text(&part, text));
	else if (zeros)
		parser_warn(p, token_pos(t), "address-zeros",
			    "%s has leading zeros", token_text(&part, text));
	return !octal;
}

static bool read_prefix(struct parser *p, const struct rule *r,
			const struct token *t, size_t slash, uint8_t *out)
{
	unsigned int max = r->family == FAMILY_IPV4 ? 32 : 128;
	const char *at = t->at + slash + 1;
	size_t len = t->len - slash - 1;
	char text[TOKEN_TEXT_SIZE];
	struct addr mask;
	uint64_t value = 0;
	const char *why = NULL;

	if (!len)
		why = "the prefix length is missing after '/'";
	else if (addr_parse(FAMILY_IPV4, at, len, &mask))
		why = "dotted masks are not supported, write /24 for "
		      "/255.255.255.0";
	else if (!number_digits(at, len, &value))
		why = "the prefix length is not a number";
	if (why)
		parser_error(p, token_pos(t), "prefix", "%s: %s",
			     token_text(t, text), why);
	else if (value > max)
		parser_error(p, token_pos(t), "prefix",
			     "%s: the prefix length is out of range (0-%u)",
			     token_text(t, text), max);
	else
		*out = (uint8_t)value;
	return !why && value <= max;
}

bool address_read(struct parser *p, const struct rule *r, const struct token *t,
		  struct addr *out, uint8_t *prefix_len)
{
	const char *slash = memchr(t->at, '/', t->len);
	size_t len = slash ? (size_t)(slash - t->at) : t->len;
	uint8_t prefix = r->family == FAMILY_IPV4 ? 32 : 128;
	struct addr addr = { { 0 } };
	char text[TOKEN_TEXT_SIZE];

	if (t->kind != TOKEN_WORD || looks_like_word(t))
		return parser_expected(p, t, "address", "an IPv%d address%s",
				       version(r), word_hint(r, t));
	if (slash && !prefix_len) {
		parser_error(p, token_pos(t), "address-prefix",
			     "%s: a prefix length is not allowed here",
			     token_text(t, text));
		return false;
	}
	if (!read_addr(p, r, t, len, &addr) ||
	    (slash && !read_prefix(p, r, t, len, &prefix)))
		return false;
	address_mask(&addr, prefix);
	*out = addr;
	if (prefix_len)
		*prefix_len = prefix;
	return true;
}
