/* SPDX-License-Identifier: ISC */
/* random_flow.h - flows with any set of fields, for tests of codecs. */
#ifndef UNIT_RANDOM_FLOW_H
#define UNIT_RANDOM_FLOW_H

#include <stdint.h>

#include "base/flow.h"

/* The next number of a sequence that is the same in every run. *seed must not
 * be 0. */
uint64_t random_next(uint64_t *seed);

/* A flow of this family with these presence bits. Everything that no bit
 * stands for is 0, padding too: such flows can be compared by memcmp(). Parts
 * of the reply tuple are at times those of the inverse. */
void random_flow(struct flow *f, uint64_t *seed, enum family family,
		 uint64_t has);

#endif
