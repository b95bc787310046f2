/* SPDX-License-Identifier: ISC */
/* apply_step.h - what is done to bring one flow into the kernel, or out of it,
 * as a table: from a step and the kernel's answer to the next step. */
#ifndef SYNC_APPLY_STEP_H
#define SYNC_APPLY_STEP_H

/* How far a flow has come. */
enum step {
	STEP_FAIL,       /* no way is left */
	STEP_SUCCEED,    /* it is in the kernel */
	STEP_CREATE,     /* as it is */
	STEP_PLAIN,      /* create: the kernel lacks the helper, go without */
	STEP_ORPHAN,     /* create: the master has ended, go without */
	STEP_BARE,       /* create: without both */
	STEP_LOOK,       /* get what has the original tuple */
	STEP_LOOK_REPLY, /* nothing has: get what has the reply tuple */
	STEP_COMPARE,    /* with what is there, which decides what is next */
	STEP_UPDATE,     /* what is there has the same translation, master */
	STEP_SEEK,       /* the same question, before anything is made */
	STEP_SEEK_END,   /* or ended */
	STEP_END,        /* delete what is there */
	STEP_N
};

/* What follows from an answer to this step (0 or a negative errno value).
 * STEP_COMPARE has none. */
enum step apply_next_step(enum step step, int error);

#endif
