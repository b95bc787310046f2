/* SPDX-License-Identifier: ISC */
/* kernel_ops.h - what commit, injection and flush can ask of the kernel's
 * conntrack table. Implemented by netlink/ct_kernel and by fakes in tests. */
#ifndef BASE_KERNEL_OPS_H
#define BASE_KERNEL_OPS_H

#include <stdint.h>

#include "base/flow.h"
#include "base/object.h"
#include "base/util.h"

struct expect;

/* A decoded object of either kind; borrowed for the duration of a call. */
struct object {
	enum object_kind kind;
	union {
		const struct flow *flow;
		const struct expect *expect;
	};
};

enum kernel_op {
	KERNEL_CREATE, /* exclusive: -EEXIST if there is one */
	KERNEL_UPDATE, /* -ENOENT if there is none; never NAT, master, helper;
			* of an expectation the timeout only */
	KERNEL_DELETE, /* by the original tuple and zone */
	KERNEL_GET,    /* the answer goes to kernel_done_fn as found */
};

/* Outcome of one submitted operation. cookie is the submitter's. error is 0 or
 * a negative errno value; successes of CREATE, UPDATE and DELETE are reported
 * too, once their batch has ended. found: the entry as the kernel has it, for
 * a successful GET only, borrowed. */
typedef void kernel_done_fn(void *ctx, enum kernel_op op, uint32_t cookie,
			    int error, const struct flow *found);

struct kernel_ops {
	void *self;
	/* Queues one operation. -EAGAIN: a batch is in flight and the next one
	 * is full, come back after the batch has ended; -EMSGSIZE: the object
	 * does not fit a batch; nothing was queued in both cases. The object is
	 * copied. */
	int (*submit)(void *self, enum kernel_op op,
		      const struct object *object, uint32_t cookie);
	/* Sends what is queued although the batch is not full. */
	void (*finish)(void *self);
	/* Collects the answers to what was sent, without waiting for the loop:
	 * they are there, as Linux works a batch off while it takes it. What
	 * the kernel has not taken stays under way. May be NULL. */
	void (*settle)(void *self);
};

#endif
