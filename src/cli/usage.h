/* SPDX-License-Identifier: ISC */
/* usage.h - the texts of -h and -v. */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

#include "base/buf.h"

enum { USAGE_MAX = 4096 }; /* room for either text */

/* Every option of args_rows() and ctl_rows(), and what of them this version
 * cannot do; program is how we were called, config the default configuration
 * file. */
void usage_text(const char *program, const char *config, struct wr *out);

void version_text(struct wr *out);

#endif
