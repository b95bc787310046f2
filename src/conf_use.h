/* SPDX-License-Identifier: ISC */
/* conf_use.h - what of a valid configuration cannot be had: not on this
 * machine, or not in this version. */
#ifndef CONF_USE_H
#define CONF_USE_H

#include <stdbool.h>

#include "conf/conf.h"

/* Reports options whose behaviour comes with a later version: what can be done
 * without as warnings, what cannot with this severity; and that a daemon has
 * nothing to do. Returns the number of errors. */
int conf_use_version(const struct conf *c, enum conf_severity severity,
		     conf_diag_fn *fn, void *ctx);

/* Reports directories that do not exist, with this severity, and interfaces as
 * warnings: the daemon waits for them. Returns the number of errors. */
int conf_use_machine(const struct conf *c, enum conf_severity severity,
		     conf_diag_fn *fn, void *ctx);

#endif
