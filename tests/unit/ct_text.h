/* SPDX-License-Identifier: ISC */
/* ct_text.h - a flow in one line that a table of expectations can hold. */
#ifndef UNIT_CT_TEXT_H
#define UNIT_CT_TEXT_H

#include <stddef.h>

#include "base/flow.h"
#include "base/names.h"

/* Writes every field that f knows, in the order of struct flow, and a zero
 * byte. The kernel's id, counters and times vary: of those only the name is
 * written. */
void ct_text(const struct flow *f, const struct names *helpers, char *out,
	     size_t size);

/* The bytes of a hexadecimal text in a heap block of exactly that size, which
 * the caller frees. */
uint8_t *ct_unhex(const char *hex, size_t *n);

/* Golden messages come from a little-endian machine: turns the headers and
 * native-order values of one message into the order of this one. */
void ct_to_native(uint8_t *msg, size_t n);

#endif
