/* SPDX-License-Identifier: ISC */
/* conf_file.h - reads the configuration file and tells what is wrong with it:
 * with the language, with this machine, with this version. */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include <stdbool.h>

#include "base/util.h"
#include "conf/conf.h"

enum conf_purpose {
	/* all findings; what this machine or version lacks is an error */
	CONF_FOR_DAEMON,
	CONF_FOR_CHECK,  /* the same, but that is a warning */
	CONF_FOR_CLIENT, /* one line if there are errors, no warnings */
};

/* Reads the file into *out and prints the findings on stderr, as their place in
 * the file, with the line and a caret if stderr is a terminal. Returns the
 * number of errors, or -1 if the file could not be read (said on stderr). *out
 * is to be finished in any case. */
int conf_file_read(const char *path, enum conf_purpose purpose,
		   struct conf *out);

/* Prints the effective configuration on stdout. False: out of memory, or stdout
 * does not take it. */
NODISCARD bool conf_file_print(const struct conf *c);

#endif
