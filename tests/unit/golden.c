/* SPDX-License-Identifier: ISC */
#define _FILE_OFFSET_BITS 64 /* readdir() of a 32-bit program */
#define _POSIX_C_SOURCE   200809L
#include "golden.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef SRCDIR
#define SRCDIR "."
#endif

enum { SIZE_MAX_HEX = 65536 };

uint8_t *golden_exact(const uint8_t *bytes, size_t n)
{
	uint8_t *exact = malloc(n + !n);

	if (exact && n)
		memcpy(exact, bytes, n);
	return exact;
}

uint8_t *golden_read(const char *name, size_t *n)
{
	static uint8_t bytes[SIZE_MAX_HEX];
	char path[512];
	unsigned int byte;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/golden/%s.hex", SRCDIR, name);
	f = fopen(path, "r");
	if (!f) {
		perror(path);
		return NULL;
	}
	*n = 0;
	while (*n < sizeof(bytes) && fscanf(f, "%2x", &byte) == 1)
		bytes[(*n)++] = (uint8_t)byte;
	fclose(f);
	return golden_exact(bytes, *n);
}

size_t golden_each(const char *folder, void (*fn)(const char *name, void *ctx),
		   void *ctx)
{
	char path[512], name[512];
	struct dirent *e;
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/tests/golden/%s", SRCDIR, folder);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		size_t len = strlen(e->d_name);

		if (len < 4 || strcmp(e->d_name + len - 4, ".hex") != 0)
			continue;
		snprintf(name, sizeof(name), "%s/%.*s", folder, (int)len - 4,
			 e->d_name);
		fn(name, ctx);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}
