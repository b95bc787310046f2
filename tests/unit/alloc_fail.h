/* SPDX-License-Identifier: ISC */
/* alloc_fail.h - makes calloc and realloc of the code under test fail once.
 *
 *	for (size_t n = 0;; n++) {
 *		alloc_fail_after(n);
 *		err = thing_new(&thing);
 *		if (!alloc_fail_off())
 *			break; // it needs no more than n allocations
 *		assert_int_equal(err, -ENOMEM);
 *	}
 */
#ifndef UNIT_ALLOC_FAIL_H
#define UNIT_ALLOC_FAIL_H

#include <stdbool.h>
#include <stddef.h>

/* Lets n allocations succeed and fails the one after them, that one only. */
void alloc_fail_after(size_t n);

/* Ends it; true if an allocation was made to fail since alloc_fail_after(). */
bool alloc_fail_off(void);

#endif
