/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FIRST_FREE_PORT = 1024 };

static uint64_t bit(int capability)
{
	return UINT64_C(1) << capability;
}

static bool is_foreign(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_uid != geteuid();
}

/* Without DAC_OVERRIDE we could not remove or reopen the file. */
static bool is_in_foreign_hands(const char *path)
{
	char dir[CONF_PATH_MAX + 1];
	const char *slash = strrchr(path, '/');

	if (!slash)
		return false;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path + 1), path);
	return is_foreign(path) || is_foreign(dir);
}

static uint64_t needed(const struct conf *c, const char *lock_path)
{
	uint64_t set = bit(CAP_NET_ADMIN);

	if (is_in_foreign_hands(lock_path) ||
	    is_in_foreign_hands(c->general.unix_path) ||
	    is_in_foreign_hands(c->general.log_file))
		set |= bit(CAP_DAC_OVERRIDE);
	/* Links are opened anew when their interface comes back. */
	for (size_t i = 0; i < c->sync.n_links; i++)
		if (c->sync.links[i].port < FIRST_FREE_PORT)
			set |= bit(CAP_NET_BIND_SERVICE);
	return set;
}

int privileges_drop(const struct conf *conf, const char *lock_path)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const uint64_t keep = needed(conf, lock_path);

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		const uint32_t mask = (uint32_t)(keep >> (32 * i));

		data[i].permitted &= mask;
		data[i].effective &= mask;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
