/* SPDX-License-Identifier: ISC */
#include "alloc_fail.h"

/* Linked with --wrap=calloc,--wrap=realloc: the linker's names. */
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool armed;
static bool hit;
static size_t left;

static bool fails_now(void)
{
	if (!armed || left-- > 0)
		return false;
	armed = false;
	hit = true;
	return true;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails_now() ? NULL : __real_realloc(p, size);
}

void alloc_fail_after(size_t n)
{
	left = n;
	hit = false;
	armed = true;
}

bool alloc_fail_off(void)
{
	armed = false;
	return hit;
}
