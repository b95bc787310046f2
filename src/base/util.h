/* SPDX-License-Identifier: ISC */
/* util.h - the few macros that the whole project uses. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>

/* The caller must look at the result. */
#define NODISCARD __attribute__((warn_unused_result))

/* Checks a printf-like function: index of the format, of the first value. */
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/* Number of elements of an array (not of a pointer). */
#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

/* The object that embeds the member at ptr. */
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
