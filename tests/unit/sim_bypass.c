/* SPDX-License-Identifier: ISC */
#include "sim_bypass.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* Nothing is newer than what was told. */
static int submit(void *self, enum kernel_op op, const struct object *object,
		  uint32_t cookie)
{
	struct sim_bypass *s = self;

	(void)op;
	(void)object;
	assert(s->n_asked < BYPASS_ASK_STEP);
	s->asked[s->n_asked++] = cookie;
	return 0;
}

static void finish(void *self)
{
	struct sim_bypass *s = self;

	for (int i = 0; i < s->n_asked; i++)
		bypass_answer(&s->b, KERNEL_GET, s->asked[i], -ENOENT, NULL);
	s->n_asked = 0;
}

/* The dump takes no time, so it never waits. */
static void has_room(void *ctx)
{
	(void)ctx;
}

static void on_touch(void *ctx, uint32_t id, enum touch how)
{
	const struct sim_bypass *s = ctx;

	s->touch(s->ctx, id, how);
}

struct sim_bypass *
sim_bypass_new(struct flow_cache *untold, const struct filter *filter,
	       void (*touch)(void *ctx, uint32_t id, enum touch how), void *ctx)
{
	struct sim_bypass *s = calloc(1, sizeof(*s));
	struct bypass_opts o = {
		.untold = untold,
		.filter = filter,
		.touch = on_touch,
		.has_room = has_room,
		.ctx = s,
	};

	if (!s)
		return NULL;
	s->touch = touch;
	s->ctx = ctx;
	s->ops = (struct kernel_ops){ .self = s,
				      .submit = submit,
				      .finish = finish };
	o.kernel = &s->ops;
	bypass_init(&s->b, &o);
	return s;
}

void sim_bypass_free(struct sim_bypass *s)
{
	if (!s)
		return;
	bypass_fini(&s->b);
	free(s);
}
