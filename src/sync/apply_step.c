/* SPDX-License-Identifier: ISC */
#include "sync/apply_step.h"

#include <errno.h>
#include <stdint.h>

/* What the kernel answers, as far as it makes a difference. */
enum answer {
	ANSWER_OTHER,
	ANSWER_OK,
	ANSWER_EXISTS,  /* one of the tuples is another entry's */
	ANSWER_LOST,    /* it may have been done or not */
	ANSWER_LACKS,   /* no such helper */
	ANSWER_MISSING, /* no such entry; creating: no such master */
	ANSWER_BUSY,    /* the status takes back what the kernel has seen */
	ANSWER_ENDING,  /* the entry is on its way out */
	ANSWER_N
};

/* What follows from an answer. Whatever is left out fails. A creation that has
 * gone without something is tried as a whole once something else was in its
 * way, for then the kernel is not what it was. Questions from here are counted.
 */
static const uint8_t next_steps[STEP_N][ANSWER_N] = {
	[STEP_CREATE] = { [ANSWER_OK] = STEP_SUCCEED,
			  [ANSWER_EXISTS] = STEP_LOOK,
			  [ANSWER_LOST] = STEP_LOOK,
			  [ANSWER_LACKS] = STEP_PLAIN,
			  [ANSWER_MISSING] = STEP_ORPHAN },
	[STEP_PLAIN] = { [ANSWER_OK] = STEP_SUCCEED,
			 [ANSWER_EXISTS] = STEP_LOOK,
			 [ANSWER_LOST] = STEP_LOOK,
			 [ANSWER_MISSING] = STEP_BARE },
	[STEP_ORPHAN] = { [ANSWER_OK] = STEP_SUCCEED,
			  [ANSWER_EXISTS] = STEP_LOOK,
			  [ANSWER_LOST] = STEP_LOOK,
			  [ANSWER_LACKS] = STEP_BARE },
	[STEP_BARE] = { [ANSWER_OK] = STEP_SUCCEED,
			[ANSWER_EXISTS] = STEP_LOOK,
			[ANSWER_LOST] = STEP_LOOK },
	[STEP_LOOK] = { [ANSWER_OK] = STEP_COMPARE,
			[ANSWER_LOST] = STEP_LOOK,
			[ANSWER_MISSING] = STEP_LOOK_REPLY },
	[STEP_LOOK_REPLY] = { [ANSWER_OK] = STEP_COMPARE,
			      [ANSWER_LOST] = STEP_LOOK,
			      /* what was in the way has gone */
			      [ANSWER_MISSING] = STEP_CREATE },
	[STEP_UPDATE] = { [ANSWER_OK] = STEP_SUCCEED,
			  [ANSWER_LOST] = STEP_LOOK,
			  [ANSWER_MISSING] = STEP_CREATE,
			  [ANSWER_BUSY] = STEP_LOOK,
			  [ANSWER_ENDING] = STEP_CREATE },
	[STEP_SEEK] = { [ANSWER_OK] = STEP_COMPARE,
			[ANSWER_LOST] = STEP_SEEK,
			[ANSWER_MISSING] = STEP_CREATE },
	[STEP_SEEK_END] = { [ANSWER_OK] = STEP_COMPARE,
			    [ANSWER_LOST] = STEP_SEEK_END,
			    [ANSWER_MISSING] = STEP_SUCCEED },
	[STEP_END] = { [ANSWER_OK] = STEP_SUCCEED,
		       [ANSWER_LOST] = STEP_SEEK_END,
		       [ANSWER_MISSING] = STEP_SUCCEED },
};

static enum answer answer_of(int error)
{
	switch (-error) {
	case 0:
		return ANSWER_OK;
	case EEXIST:
		return ANSWER_EXISTS;
	case ENOBUFS:
		return ANSWER_LOST;
	case EOPNOTSUPP:
		return ANSWER_LACKS;
	case ENOENT:
		return ANSWER_MISSING;
	case EBUSY:
		return ANSWER_BUSY;
	case ETIME:
		return ANSWER_ENDING;
	default:
		return ANSWER_OTHER;
	}
}

enum step apply_next_step(enum step step, int error)
{
	return (enum step)next_steps[step][answer_of(error)];
}
