/* SPDX-License-Identifier: ISC */
#include "sync/kernel_flush.h"

#include <errno.h>
#include <stdlib.h>

void kernel_flush_fini(struct kernel_flush *f)
{
	free(f->rows);
	f->rows = NULL;
	f->n_rows = f->size = f->next = 0;
}

void kernel_flush_begin(struct kernel_flush *f)
{
	kernel_flush_fini(f);
	f->is_running = true;
	f->is_at_end = false;
	f->report = (struct kernel_flush_report){ 0 };
}

static void count_refused(struct kernel_flush *f, int error)
{
	f->report.n_refused++;
	f->report.refused_error = error;
}

/* The entry lives on in the internal cache, whether or not the event of its end
 * is heard. False: there is no room. */
static bool delete_row(struct kernel_flush *f,
		       const struct kernel_flush_row *row)
{
	const struct kernel_ops *ops = f->o.kernel;
	struct object o = { .kind = row->kind, .flow = &row->flow };
	int err;

	if (row->kind == OBJECT_EXPECT)
		o.expect = &row->expect;
	err = ops->submit(ops->self, KERNEL_DELETE, &o, 0);
	if (err == -EAGAIN)
		return false;
	if (err < 0) {
		count_refused(f, err);
		return true;
	}
	f->n_in_flight++;
	if (f->o.mirror && row->kind == OBJECT_FLOW)
		mirror_flushed(f->o.mirror, &row->flow);
	return true;
}

static void keep_row(struct kernel_flush *f, const struct kernel_flush_row *row)
{
	if (f->n_rows == f->size) {
		size_t size = f->size ? 2 * f->size : 256;
		struct kernel_flush_row *rows =
			realloc(f->rows, size * sizeof(*rows));

		if (!rows) {
			count_refused(f, -ENOMEM);
			return;
		}
		f->rows = rows;
		f->size = size;
	}
	f->rows[f->n_rows++] = *row;
}

static bool take_row(struct kernel_flush *f, const struct kernel_flush_row *row)
{
	if (!f->n_rows && delete_row(f, row))
		return true;
	keep_row(f, row);
	return false;
}

bool kernel_flush_row(struct kernel_flush *f, const struct flow *row)
{
	return !filter_accepts(f->o.filter, row) ||
	       take_row(f, &(struct kernel_flush_row){ .kind = OBJECT_FLOW,
						       .flow = *row });
}

bool kernel_flush_expect(struct kernel_flush *f, const struct expect *row)
{
	const struct flow master = expect_master(row);

	return !expect_filter_accepts(f->o.expect_filter, row) ||
	       !filter_accepts(f->o.filter, &master) ||
	       take_row(f, &(struct kernel_flush_row){ .kind = OBJECT_EXPECT,
						       .expect = *row });
}

void kernel_flush_rows_end(struct kernel_flush *f, int error)
{
	f->is_at_end = true;
	f->report.error = error;
}

void kernel_flush_stop(struct kernel_flush *f)
{
	f->next = f->n_rows = 0;
	f->is_at_end = true;
}

/* Deletes the rows that wait. False: there is still no room. */
static bool delete_rows(struct kernel_flush *f)
{
	for (; f->next < f->n_rows; f->next++)
		if (!delete_row(f, &f->rows[f->next]))
			return false;
	f->next = f->n_rows = 0;
	return true;
}

enum kernel_flush_state kernel_flush_step(struct kernel_flush *f)
{
	if (!f->is_running)
		return KERNEL_FLUSH_IDLE;
	if (!delete_rows(f))
		return KERNEL_FLUSH_WAITS;
	if (!f->is_at_end)
		return KERNEL_FLUSH_ROWS;
	f->o.kernel->finish(f->o.kernel->self);
	if (f->n_in_flight)
		return KERNEL_FLUSH_WAITS;
	f->is_running = false;
	return KERNEL_FLUSH_ENDED;
}

void kernel_flush_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		       const struct flow *found)
{
	struct kernel_flush *f = ctx;

	(void)op;
	(void)cookie;
	(void)found;
	f->n_in_flight--;
	if (error && error != -ENOENT)
		count_refused(f, error);
}
