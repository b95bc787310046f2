/* SPDX-License-Identifier: ISC */
/* trace.h - what happens in a run, for a reader. An out of NULL: nothing. */
#ifndef SOAK_TRACE_H
#define SOAK_TRACE_H

#include "scenario.h"

struct trace {
	FILE *out;
	bool has_datagrams;
	const struct sim *sim;
};

/* Makes watch print events of the engines, and datagrams if they are wanted. */
void trace_watch(struct trace *t, struct sim_watch *watch);
void trace_note(FILE *out, const struct sim *s, const char *text);
void trace_step(FILE *out, const struct sim *s, int number,
		const struct step *t);
/* The state of the nodes, a line each. */
void trace_nodes(FILE *out, struct sim *s);

#endif
