/* SPDX-License-Identifier: ISC */
/* shrink.h - leaves out of a scenario what its failure does not need. */
#ifndef SOAK_SHRINK_H
#define SOAK_SHRINK_H

#include "play.h"

/* *c fails for why; what is left of it fails in the same class, for what is
 * then in why. */
void shrink(struct scenario *c, const struct play_opts *o, char why[WHY_SIZE]);

#endif
