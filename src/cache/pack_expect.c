/* SPDX-License-Identifier: ISC */
#include "cache/pack_expect.h"

#include <string.h>

#include "base/util.h"

/* Bits of the first byte. */
enum {
	KIND_IPV4 = 0x01,
	KIND_IPV6 = 0x02,
	KIND_ZONE = 0x04,
};

enum {
	N_TUPLES = 3,        /* of the key */
	PORTS_BYTES = 4,     /* sport and dport, which are neighbours */
	PROTOCOLS_BYTES = 3, /* with the first byte */
};

_Static_assert(offsetof(struct tuple, dport) ==
		       offsetof(struct tuple, sport) + 2,
	       "copied as one");

static size_t copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return n;
}

static size_t put_tuple(uint8_t *out, const struct tuple *t, size_t n_addr)
{
	size_t n = copy(out, &t->src, n_addr);

	n += copy(out + n, &t->dst, n_addr);
	return n + copy(out + n, &t->sport, PORTS_BYTES);
}

static size_t get_tuple(const uint8_t *in, struct tuple *t, size_t n_addr)
{
	size_t n = copy(&t->src, in, n_addr);

	n += copy(&t->dst, in + n, n_addr);
	return n + copy(&t->sport, in + n, PORTS_BYTES);
}

static uint8_t kind_of(const struct expect *e)
{
	return (uint8_t)(PACK_IS_EXPECT |
			 (e->family == FAMILY_IPV4   ? KIND_IPV4
			  : e->family == FAMILY_IPV6 ? KIND_IPV6
						     : 0) |
			 (e->zone ? KIND_ZONE : 0));
}

static enum family family_of(uint8_t kind)
{
	return kind & KIND_IPV4   ? FAMILY_IPV4
	       : kind & KIND_IPV6 ? FAMILY_IPV6
				  : FAMILY_NONE;
}

size_t pack_expect_key_len(const uint8_t *packed)
{
	size_t n_addr = addr_size(family_of(packed[0]));

	return PROTOCOLS_BYTES + N_TUPLES * (2 * n_addr + PORTS_BYTES) +
	       (packed[0] & KIND_ZONE ? 2 : 0);
}

size_t pack_expect_key(const struct expect *e, uint8_t out[PACK_EXPECT_KEY_MAX])
{
	size_t n_addr = addr_size((enum family)e->family), n = PROTOCOLS_BYTES;

	out[0] = kind_of(e);
	out[1] = e->master_l4proto;
	out[2] = e->l4proto;
	n += put_tuple(out + n, &e->master, n_addr);
	n += put_tuple(out + n, &e->expected, n_addr);
	n += put_tuple(out + n, &e->mask, n_addr);
	if (e->zone)
		n += copy(out + n, &e->zone, sizeof(e->zone));
	return n;
}

static size_t get_key(const uint8_t *in, struct expect *e)
{
	size_t n_addr = addr_size(family_of(in[0])), n = PROTOCOLS_BYTES;

	*e = (struct expect){ .family = (uint8_t)family_of(in[0]),
			      .master_l4proto = in[1],
			      .l4proto = in[2] };
	n += get_tuple(in + n, &e->master, n_addr);
	n += get_tuple(in + n, &e->expected, n_addr);
	n += get_tuple(in + n, &e->mask, n_addr);
	if (in[0] & KIND_ZONE)
		n += copy(&e->zone, in + n, sizeof(e->zone));
	return n;
}

/* Fields by the number of their presence bit; those without size are NAT. */
#define AT(field)                                           \
	{                                                   \
		offsetof(struct expect, field),             \
			sizeof(((struct expect *)0)->field) \
	}
static const struct {
	uint8_t offset, size;
} fields[] = {
	AT(timeout_s), AT(flags),    AT(class), { 0, 0 },
	AT(helper),    AT(function), AT(id),
};
#undef AT

_Static_assert(EXPECT_NAT == 1 << 3 && EXPECT_ID == 1 << 6, "in this order");
_Static_assert(sizeof(struct expect) < 256, "offsets in a byte");

static size_t put_nat(uint8_t *out, const struct expect *e)
{
	size_t n = put_tuple(out, &e->nat, addr_size((enum family)e->family));

	out[n++] = e->nat_l4proto;
	out[n++] = e->nat_dir;
	return n;
}

static size_t get_nat(const uint8_t *in, struct expect *e)
{
	size_t n = get_tuple(in, &e->nat, addr_size((enum family)e->family));

	e->nat_l4proto = in[n++];
	e->nat_dir = in[n++];
	return n;
}

size_t pack_expect_encode(const struct expect *e, uint8_t out[PACK_EXPECT_MAX])
{
	size_t n = pack_expect_key(e, out);

	out[n++] = (uint8_t)e->has;
	for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
		if (!(e->has >> i & 1))
			continue;
		n += fields[i].size
			     ? copy(out + n, (const char *)e + fields[i].offset,
				    fields[i].size)
			     : put_nat(out + n, e);
	}
	return n;
}

size_t pack_expect_decode(const uint8_t *packed, struct expect *out)
{
	size_t n = get_key(packed, out);

	out->has = packed[n++];
	for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
		if (!(out->has >> i & 1))
			continue;
		n += fields[i].size ? copy((char *)out + fields[i].offset,
					   packed + n, fields[i].size)
				    : get_nat(packed + n, out);
	}
	return n;
}
