/* SPDX-License-Identifier: ISC */
/* play.h - plays a scenario and judges how it ends. */
#ifndef SOAK_PLAY_H
#define SOAK_PLAY_H

#include "judge.h"
#include "scenario.h"

struct play_opts {
	node_engine_fn *mode; /* of all nodes but references */
	FILE *trace;        /* steps and engine events go there; may be NULL */
	bool has_datagrams; /* in the trace too */
	/* Flows that differ by what is nobody's fault, by cause; may be NULL.
	 */
	uint32_t *n_excused; /* CAUSE_N of them */
};

/* True if, once the links are whole and traffic has stopped, every cache is
 * right within a minute (longer where delay or loss go on), stays so, the nodes
 * fall silent but for signs of life, and nothing is left over. Otherwise why
 * says what is wrong; its first word is the class. */
bool play(const struct scenario *c, const struct play_opts *o,
	  char why[WHY_SIZE]);

#endif
