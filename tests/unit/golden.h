/* SPDX-License-Identifier: ISC */
/* golden.h - captured messages of tests/golden, as hex digits in a file each.
 */
#ifndef UNIT_GOLDEN_H
#define UNIT_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

/* Reads SRCDIR/tests/golden/NAME.hex into a heap block of exactly *n bytes,
 * the caller's. NULL, and a line on stderr, if that fails. */
uint8_t *golden_read(const char *name, size_t *n);

/* A copy in a heap block of exactly n bytes, so that the sanitizer guards its
 * end; the caller's. */
uint8_t *golden_exact(const uint8_t *bytes, size_t n);

/* Calls fn for each .hex file of a folder of tests/golden, with its name as
 * golden_read() takes it. Returns how many there were. */
size_t golden_each(const char *folder, void (*fn)(const char *name, void *ctx),
		   void *ctx);

#endif
