/* SPDX-License-Identifier: ISC */
/* pump.h - sends what the node has on the current link of a set, and shows on
 * the others that they work. */
#ifndef PUMP_H
#define PUMP_H

#include "base/loop.h"
#include "sync/linkset.h"
#include "sync/node.h"

struct pump;

/* Borrows all of them; the links are those that the set has at each call. NULL
 * if there is no memory. */
struct pump *pump_new(struct loop *loop, struct node *node,
		      const struct linkset *set);
void pump_free(struct pump *p); /* accepts NULL */

/* Sends, as far as the current link takes it, and wakes the loop when there
 * will be more. A datagram that the link does not take is kept. */
void pump_run(struct pump *p);

#endif
