/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "netlink/ct_bpf.h"
#include "netlink/ct_internal.h"

/* Gives the kernel a socket filter. 0 or a negative errno value. */
static int filter_socket(struct ct_kernel *k, const struct ct_bpf_opts *o)
{
	struct sock_filter *insns = calloc(CT_BPF_MAX, sizeof(*insns));
	uint32_t n = insns ? ct_bpf_make(o, insns) : 0;
	int err = -ENOMEM;

	if (n > CT_BPF_MAX)
		err = -E2BIG;
	else if (n)
		err = nlsock_filter(&k->events.sock, insns + CT_BPF_MAX - n,
				    (uint16_t)n);
	if (o->filter)
		k->stats.n_filter_insns = n;
	free(insns);
	return err;
}

/* Where the kernel does not take the whole filter, it may take the rest. */
void ct_filter_attach(struct ct_kernel *k, uint32_t quiet_port)
{
	struct ct_bpf_opts o = { .filter = k->opts.event_filter,
				 .quiet_port = quiet_port };

	if (!k->events.sock.is_open)
		return;
	if (o.filter) {
		k->stats.filter_error = filter_socket(k, &o);
		if (!k->stats.filter_error)
			return;
	}
	o.filter = NULL;
	if (o.quiet_port != CT_BPF_NO_PORT)
		(void)!filter_socket(k, &o);
}
