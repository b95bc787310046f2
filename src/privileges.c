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

#include "base/log.h"
#include "process.h"

static uint64_t bit(int capability)
{
	return UINT64_C(1) << capability;
}

static bool is_foreign(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_uid != geteuid();
}

/* Without DAC_OVERRIDE we could not remove the file. */
static bool is_in_foreign_hands(const char *path)
{
	char dir[PROCESS_PATH_MAX + 1];
	const char *slash = strrchr(path, '/');

	if (!slash)
		return false;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path + 1), path);
	return is_foreign(path) || is_foreign(dir);
}

/* Whoever rotates the log may give the next file to anybody: what it is now
 * does not tell. */
static bool needs_files_of_others(const struct privileges_opts *o)
{
	return is_in_foreign_hands(o->lock_path) ||
	       is_in_foreign_hands(o->socket_path) ||
	       (o->log_file[0] && !log_is_std_file(o->log_file));
}

/* Has effect all the time. */
static uint64_t always(const struct privileges_opts *o)
{
	/* Links are opened anew when their interface comes back. */
	return bit(CAP_NET_ADMIN) |
	       (o->binds_low_ports ? bit(CAP_NET_BIND_SERVICE) : 0);
}

struct capabilities {
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static int get(struct capabilities *c)
{
	c->head = (struct __user_cap_header_struct){
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	return syscall(SYS_capget, &c->head, c->data) < 0 ? -errno : 0;
}

static int set(struct capabilities *c)
{
	return syscall(SYS_capset, &c->head, c->data) < 0 ? -errno : 0;
}

int privileges_drop(const struct privileges_opts *o)
{
	const uint64_t effective = always(o);
	const uint64_t permitted =
		effective |
		(needs_files_of_others(o) ? bit(CAP_DAC_OVERRIDE) : 0);
	struct capabilities c;
	int err = get(&c);

	if (err < 0)
		return err;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		c.data[i].permitted &= (uint32_t)(permitted >> (32 * i));
		c.data[i].effective &= (uint32_t)(effective >> (32 * i));
		c.data[i].inheritable = 0;
	}
	err = set(&c);
	if (err == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		err = -errno;
	return err;
}

void privileges_for_files(bool on)
{
	struct capabilities c;

	if (get(&c) < 0)
		return;
	c.data[0].effective &= ~(uint32_t)bit(CAP_DAC_OVERRIDE);
	if (on)
		c.data[0].effective |=
			c.data[0].permitted & (uint32_t)bit(CAP_DAC_OVERRIDE);
	(void)set(&c);
}
