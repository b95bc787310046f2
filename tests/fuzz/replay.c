/* SPDX-License-Identifier: ISC */
/* replay.c - main for a fuzz target without libFuzzer: runs it once over each
 * file of the directories and files named on the command line. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path, size_t size)
{
	uint8_t *data = calloc(1, size + !size);
	FILE *f = fopen(path, "rb");
	int err = 1;

	if (!data || !f || fread(data, 1, size, f) != size) {
		perror(path);
		goto out;
	}
	/* an exact-size block, so that the sanitizer guards its end */
	LLVMFuzzerTestOneInput(data, size);
	err = 0;
out:
	if (f)
		fclose(f);
	free(data);
	return err;
}

static int replay(const char *path, unsigned *n_files)
{
	struct stat st;
	struct dirent *e;
	char child[4096];
	DIR *dir;
	int err = 0;

	if (stat(path, &st)) {
		perror(path);
		return 1;
	}
	if (!S_ISDIR(st.st_mode)) {
		(*n_files)++;
		return replay_file(path, (size_t)st.st_size);
	}
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
		err |= replay(child, n_files);
	}
	if (dir)
		closedir(dir);
	return err;
}

int main(int argc, char **argv)
{
	unsigned n_files = 0;
	int err = 0;

	for (int i = 1; i < argc; i++)
		err |= replay(argv[i], &n_files);
	printf("%u inputs\n", n_files);
	return err || !n_files;
}
