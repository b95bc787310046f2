/* SPDX-License-Identifier: ISC */
/* address.h - addresses and networks as text, and what they are mistaken
 * for. */
#ifndef CONF_ADDRESS_H
#define CONF_ADDRESS_H

#include "conf/parser.h"

/* Reads t as an address of the rule's family. prefix_len NULL: no /length may
 * follow; otherwise it may, and bits of the host are cleared. The outputs are
 * written on true; false: told. */
NODISCARD bool address_read(struct parser *p, const struct rule *r,
			    const struct token *t, struct addr *out,
			    uint8_t *prefix_len);

/* Clears what follows the first prefix_len bits. */
void address_mask(struct addr *a, unsigned int prefix_len);

#endif
