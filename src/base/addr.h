/* SPDX-License-Identifier: ISC */
/* addr.h - IPv4 and IPv6 addresses as bytes, without a socket in sight. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

/* Values as in the kernel's AF_INET and AF_INET6: they stand on netlink and in
 * XML dumps. */
enum family { FAMILY_NONE = 0, FAMILY_IPV4 = 2, FAMILY_IPV6 = 10 };

/* Network order; an IPv4 address is in the first 4 bytes, the rest is 0. */
struct addr {
	uint8_t b[16];
};

enum { ADDR_TEXT_SIZE = 46 }; /* longest text form and a zero byte */

/* Bytes that an address of this family has: 4, 16, or 0. */
size_t addr_size(enum family family);

bool addr_equal(const struct addr *a, const struct addr *b);

/* True if the first prefix_len bits are equal. prefix_len is at most
 * 8 * addr_size(). */
bool addr_in_prefix(const struct addr *a, const struct addr *net,
		    unsigned int prefix_len);

/* True for 224.0.0.0/4 and ff00::/8. */
bool addr_is_multicast(enum family family, const struct addr *a);

/* Writes the canonical text (RFC 5952, as glibc's inet_ntop does) and a zero
 * byte; an unknown family gives "". Returns out. */
const char *addr_text(enum family family, const struct addr *a,
		      char out[ADDR_TEXT_SIZE]);

/* Reads a dotted quad (no octal, no short forms) or an IPv6 address with an
 * optional embedded quad. text need not end with a zero byte. On false *out is
 * untouched. */
NODISCARD bool addr_parse(enum family family, const char *text, size_t len,
			  struct addr *out);

#endif
