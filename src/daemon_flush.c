/* SPDX-License-Identifier: ISC */
/* The kernel's table is emptied: what a dump shows is deleted, row by row, and
 * no faster than the kernel takes it. */
#include <errno.h>
#include <stdlib.h>

#include "daemon_state.h"

/* That life of the entry only. id: of the internal cache, if it has it. The
 * caches are not emptied, whether or not the event of its end is heard: nobody
 * asks for it any more from now on. When the answer comes the id may be that of
 * another entry. */
static int delete_row(struct daemon *d, uint32_t id, const struct flow *row)
{
	const struct kernel_ops *ops = ct_writer_ops(d->kernel.flush_writer);
	const struct object o = { .kind = OBJECT_FLOW, .flow = row };
	int err = ops->submit(ops->self, KERNEL_DELETE, &o, 0);

	if (err == 0)
		mirror_flushed(&d->kernel.mirror, id);
	return err;
}

static void count_refused(struct kernel_flush *f, int error)
{
	f->n_refused++;
	f->refused_error = error;
}

/* Keeps a row until the writer has room. */
static void keep_row(struct kernel_flush *f, const struct flow *row)
{
	if (f->n_rows == f->size) {
		size_t size = f->size ? 2 * f->size : 256;
		struct flow *rows = realloc(f->rows, size * sizeof(*rows));

		if (!rows) {
			count_refused(f, -ENOMEM);
			return;
		}
		f->rows = rows;
		f->size = size;
	}
	f->rows[f->n_rows++] = *row;
}

void flush_side_row(struct daemon *d, uint32_t id, const struct flow *row)
{
	struct kernel_flush *f = &d->kernel.flush;
	int err = f->n_rows ? -EAGAIN : delete_row(d, id, row);

	if (err == -EAGAIN) {
		keep_row(f, row);
		ct_kernel_dump_pause(d->kernel.ct, true);
	} else if (err < 0) {
		count_refused(f, err);
	}
}

void flush_side_dump_ended(struct daemon *d, int error)
{
	d->kernel.flush.is_at_end = true;
	d->kernel.flush.error = error;
	daemon_work_later(d);
}

static void on_deleted(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		       const struct flow *found)
{
	struct daemon *d = ctx;

	(void)op;
	(void)cookie;
	(void)found;
	if (error && error != -ENOENT)
		count_refused(&d->kernel.flush, error);
	daemon_work_later(d);
}

/* Submits the rows that wait. False: the writer has no room. */
static bool submit_rows(struct daemon *d)
{
	struct kernel_flush *f = &d->kernel.flush;

	for (; f->next < f->n_rows; f->next++) {
		const struct flow *row = &f->rows[f->next];
		int err = delete_row(d, flow_cache_find(d->internal, row), row);

		if (err == -EAGAIN)
			return false;
		if (err < 0)
			count_refused(f, err);
	}
	f->next = f->n_rows = 0;
	return true;
}

void flush_side_work(struct daemon *d)
{
	struct kernel_flush *f = &d->kernel.flush;
	const struct kernel_ops *ops = ct_writer_ops(d->kernel.flush_writer);

	if (!f->is_running || !submit_rows(d))
		return;
	ct_kernel_dump_pause(d->kernel.ct, false);
	if (!f->is_at_end)
		return;
	ops->finish(ops->self);
	if (ct_writer_is_busy(d->kernel.flush_writer))
		return;
	f->is_running = false;
	job_side_flush_ended(d, f);
}

void flush_side_start(struct daemon *d)
{
	struct kernel_flush *f = &d->kernel.flush;

	d->kernel.n_flushes++;
	free(f->rows);
	*f = (struct kernel_flush){ .is_running = true };
	kernel_side_dump(d, DUMP_FLUSH);
}

void flush_side_stop(struct daemon *d)
{
	struct kernel_flush *f = &d->kernel.flush;

	if (!f->is_running)
		return;
	f->next = f->n_rows = 0;
	if (f->is_at_end)
		return;
	kernel_side_stop_flush(d);
	flush_side_dump_ended(d, 0);
}

int flush_side_open(struct daemon *d)
{
	return ct_writer_open(d->kernel.ct, ORIGIN_FLUSH, on_deleted, d,
			      &d->kernel.flush_writer);
}

void flush_side_close(struct daemon *d)
{
	ct_writer_close(d->kernel.flush_writer);
	free(d->kernel.flush.rows);
}
