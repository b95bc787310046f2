/* SPDX-License-Identifier: ISC */
/* proto.h - names of IP protocols, a table of our own: /etc/protocols may be
 * missing, and differs from system to system. */
#ifndef BASE_PROTO_H
#define BASE_PROTO_H

#include <stddef.h>
#include <stdint.h>

/* The number of a protocol by its name or an alias, len bytes, without regard
 * to case; -1 if there is none. Digits are no name. */
int proto_number(const char *name, size_t len);

/* The usual name, as /etc/protocols has it; NULL if number has none. */
const char *proto_name(uint8_t number);

#endif
