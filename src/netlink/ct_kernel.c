/* SPDX-License-Identifier: ISC */
#include "netlink/ct_kernel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "netlink/ct_internal.h"

int ct_kernel_open(const struct ct_kernel_opts *opts, struct ct_kernel **out,
		   const char **failed)
{
	struct ct_kernel *k = calloc(1, sizeof(*k));
	int err = -ENOMEM;

	*failed = "memory";
	if (!k)
		return err;
	k->opts = *opts;
	k->sink = *opts->sink;
	k->codec = (struct ct_codec){
		.helpers = opts->helpers,
		.contexts = opts->contexts,
		.functions = opts->functions,
		.tcp_window_tracking = opts->tcp_window_tracking,
	};
	k->batch = nlsock_batch_new(CT_BATCH, CT_DATAGRAM);
	if (k->batch)
		err = opts->subscribes ? ct_events_open(k, failed) : 0;
	if (err) {
		ct_kernel_close(k);
		return err;
	}
	*out = k;
	return 0;
}

void ct_kernel_close(struct ct_kernel *k)
{
	if (!k)
		return;
	assert(!k->origins); /* writers are closed before */
	ct_dump_close(k);
	ct_events_close(k);
	nlsock_batch_free(k->batch);
	free(k);
}

const struct ct_kernel_stats *ct_kernel_stats(const struct ct_kernel *k)
{
	return &k->stats;
}
