/* SPDX-License-Identifier: ISC */
/* names.h - a bounded table that gives short texts (helper names, security
 * contexts) a 16-bit id, so that a flow can carry them without a pointer. */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct names;

/* NULL if there is no memory. max_names: at most 65535; max_len: longest text
 * in bytes. */
struct names *names_new(uint16_t max_names, size_t max_len);
void names_free(struct names *n); /* accepts NULL */

/* The id (1 and up) of these len bytes, which become known if they were not.
 * 0 if len is 0 or above max_len, the table is full, or there is no memory;
 * the failure is counted. */
uint16_t names_intern(struct names *n, const char *text, size_t len);

/* The text of an id, ending with a zero byte; "" for 0 and unknown ids. Lives
 * as long as the table. */
const char *names_text(const struct names *n, uint16_t id);

/* How often names_intern() had to refuse a text. */
uint64_t names_refused(const struct names *n);

#endif
