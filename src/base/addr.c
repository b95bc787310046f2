/* SPDX-License-Identifier: ISC */
#include "base/addr.h"

#include <limits.h>
#include <string.h>

enum { N_WORDS = 8, QUAD_LEN = 4 };

size_t addr_size(enum family family)
{
	switch (family) {
	case FAMILY_IPV4:
		return 4;
	case FAMILY_IPV6:
		return 16;
	case FAMILY_NONE:
		break;
	}
	return 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool addr_in_prefix(const struct addr *a, const struct addr *net,
		    unsigned int prefix_len)
{
	size_t n = prefix_len / 8;
	unsigned int bits = prefix_len % 8; /* of the byte after the first n */

	if (memcmp(a->b, net->b, n) != 0)
		return false;
	return bits == 0 || (a->b[n] ^ net->b[n]) >> (8 - bits) == 0;
}

bool addr_is_multicast(enum family family, const struct addr *a)
{
	switch (family) {
	case FAMILY_IPV4:
		return a->b[0] >> 4 == 0xe;
	case FAMILY_IPV6:
		return a->b[0] == 0xff;
	case FAMILY_NONE:
		break;
	}
	return false;
}

static char *put_number(char *at, unsigned int value, unsigned int base)
{
	char digits[5]; /* 65535, ffff */
	size_t n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value > 0);
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

static char *put_quad(char *at, const uint8_t *b)
{
	for (size_t i = 0; i < QUAD_LEN; i++) {
		if (i > 0)
			*at++ = '.';
		at = put_number(at, b[i], 10);
	}
	return at;
}

/* The first of the longest runs of two and more zero words. */
static void longest_zeros(const unsigned int *words, size_t *from, size_t *n)
{
	size_t run = 0;

	*from = N_WORDS;
	*n = 1;
	for (size_t i = 0; i < N_WORDS; i++) {
		run = words[i] == 0 ? run + 1 : 0;
		if (run > *n) {
			*n = run;
			*from = i + 1 - run;
		}
	}
}

static char *put_ipv6(char *at, const uint8_t *b)
{
	unsigned int words[N_WORDS];
	size_t from, n, end = N_WORDS;

	for (size_t i = 0; i < N_WORDS; i++)
		words[i] = (unsigned int)b[2 * i] << 8 | b[2 * i + 1];
	longest_zeros(words, &from, &n);
	/* ::ffff:192.0.2.1 and ::192.0.2.1, as glibc's inet_ntop has them */
	if (from == 0 && (n == 6 || (n == 5 && words[5] == 0xffff)))
		end = 6;
	for (size_t i = 0; i < end; i++) {
		if (i == from) {
			*at++ = ':';
			*at++ = ':';
			i += n - 1;
			continue;
		}
		if (i > 0 && at[-1] != ':')
			*at++ = ':';
		at = put_number(at, words[i], 16);
	}
	if (end == N_WORDS)
		return at;
	if (at[-1] != ':')
		*at++ = ':';
	return put_quad(at, b + 12);
}

const char *addr_text(enum family family, const struct addr *a,
		      char out[ADDR_TEXT_SIZE])
{
	char *end = out;

	if (family == FAMILY_IPV4)
		end = put_quad(out, a->b);
	else if (family == FAMILY_IPV6)
		end = put_ipv6(out, a->b);
	*end = '\0';
	return out;
}

static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return UINT_MAX;
}

/* Reads up to max_digits digits of a base; false if there is none, more, or a
 * decimal number with a leading zero (which some read as octal). */
static bool take_number(const char **at, const char *end, unsigned int base,
			size_t max_digits, unsigned int *out)
{
	const char *start = *at;
	unsigned int value = 0;

	for (; *at < end && digit_value(**at) < base; (*at)++) {
		if ((size_t)(*at - start) == max_digits)
			return false;
		value = value * base + digit_value(**at);
	}
	if (*at == start || (base == 10 && *start == '0' && *at - start > 1))
		return false;
	*out = value;
	return true;
}

static bool take_quad(const char *at, const char *end, uint8_t *out)
{
	unsigned int value;

	for (size_t i = 0; i < QUAD_LEN; i++) {
		if (i > 0 && (at == end || *at++ != '.'))
			return false;
		if (!take_number(&at, end, 10, 3, &value) || value > 255)
			return false;
		out[i] = (uint8_t)value;
	}
	return at == end;
}

/* One group of an IPv6 address, or the quad at its end. Returns the bytes
 * written to out, 0 if there is neither. */
static size_t take_group(const char **at, const char *end, size_t room,
			 uint8_t *out)
{
	const char *start = *at;
	unsigned int value;

	if (take_number(at, end, 16, 4, &value) &&
	    (*at == end || **at == ':') && room >= 2) {
		out[0] = (uint8_t)(value >> 8);
		out[1] = (uint8_t)value;
		return 2;
	}
	*at = end;
	if (room >= QUAD_LEN && take_quad(start, end, out))
		return QUAD_LEN;
	return 0;
}

static bool take_ipv6(const char *at, const char *end, uint8_t out[16])
{
	uint8_t b[16];
	size_t n = 0, gap = sizeof(b) + 1; /* place of "::" */

	if (end - at >= 2 && at[0] == ':' && at[1] == ':') {
		gap = 0;
		at += 2;
	}
	while (at < end) {
		size_t len = take_group(&at, end, sizeof(b) - n, b + n);

		n += len;
		if (len == 0)
			return false;
		if (at == end)
			break;
		at++; /* a colon: another, or a group, has to follow */
		if (at == end)
			return false;
		if (*at == ':') {
			if (gap <= sizeof(b))
				return false;
			gap = n;
			at++;
		}
	}
	if (gap > sizeof(b) ? n != sizeof(b) : n > sizeof(b) - 2)
		return false;
	if (gap > n)
		gap = n;
	memset(out, 0, sizeof(b));
	memcpy(out, b, gap);
	memcpy(out + sizeof(b) - (n - gap), b + gap, n - gap);
	return true;
}

bool addr_parse(enum family family, const char *text, size_t len,
		struct addr *out)
{
	struct addr a = { { 0 } };
	bool is_valid = false;

	if (family == FAMILY_IPV4)
		is_valid = take_quad(text, text + len, a.b);
	else if (family == FAMILY_IPV6)
		is_valid = take_ipv6(text, text + len, a.b);
	if (is_valid)
		*out = a;
	return is_valid;
}
