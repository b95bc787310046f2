/* SPDX-License-Identifier: ISC */
/* judge.h - what a pair with a reference knows of each other, and whose fault
 * it is where that is wrong. */
#ifndef SOAK_JUDGE_H
#define SOAK_JUDGE_H

#include "sim.h"

enum { WHY_SIZE = 200 };

enum cause {
	CAUSE_OURS, /* we did not tell, or not ask, though we could */
	/* Flows of the reference that we know wrong: */
	CAUSE_DROPPED, /* its queue was full */
	CAUSE_MERGED,  /* the next life was told as an update of the former */
	CAUSE_EARLIER, /* told before we heard it, and we did not ask */
	/* Flows of ours that the reference knows wrong: */
	CAUSE_LATE,   /* it took an old message with HELLO */
	CAUSE_NOBODY, /* ended while we were down: nobody knows it any more */
	CAUSE_ALONE,  /* ended before it heard us, more than the ring holds */
	CAUSE_N
};

const char *cause_name(enum cause c);

struct judge_opts {
	int ours, reference; /* nodes, both up */
	uint32_t n_flows;    /* of each */
	bool asked;          /* ours, when it started */
};

/* False if a difference is our fault; why says which. *n: how many differ by
 * cause. */
bool judge(struct sim *s, const struct judge_opts *o, uint32_t n[CAUSE_N],
	   char why[WHY_SIZE]);

#endif
