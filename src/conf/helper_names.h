/* SPDX-License-Identifier: ISC */
/* helper_names.h - names of connection tracking helpers, as they stand in the
 * list of ExpectationSync. */
#ifndef CONF_HELPER_NAMES_H
#define CONF_HELPER_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* True for a helper of the kernel or of the conntrack-tools, in any case: its
 * name, a beginning of it (which stands for all that begin so), or its name
 * with a port, as the kernel names one on a port that is not the usual:
 * sip-5061. */
bool helper_name_is_known(const char *at, size_t len);

/* What to write in place of a word that lists have, but which no helper has
 * as its name (h323, nfs, sqlnet); NULL: it is none of these. */
const char *helper_name_instead(const char *at, size_t len);

/* The known name that was probably meant; NULL: none is near. */
const char *helper_name_nearest(const char *at, size_t len);

#endif
