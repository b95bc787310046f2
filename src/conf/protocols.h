/* SPDX-License-Identifier: ISC */
/* protocols.h - names of layer 4 protocols, from our own table: /etc/protocols
 * differs between systems, and may be missing. */
#ifndef CONF_PROTOCOLS_H
#define CONF_PROTOCOLS_H

#include <stddef.h>

/* The number of a name or alias in any case, -1 if it is unknown. *use: the
 * name to write instead of one that common databases do not have, or NULL. */
int protocols_number(const char *name, size_t len, const char **use);

/* The name that was probably meant; NULL: none is near. */
const char *protocols_nearest(const char *name, size_t len);

/* The name to write for a number; NULL: it has none. */
const char *protocols_name(unsigned int number);

#endif
