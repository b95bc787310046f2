/* SPDX-License-Identifier: ISC */
/* link_impl.h - inside of a link, for link.c and the kinds of link. */
#ifndef SYNC_LINK_IMPL_H
#define SYNC_LINK_IMPL_H

#include "sync/link.h"
#include "sync/link_sock.h"

struct link_socks {
	int send_fd, recv_fd; /* -1: none */
	unsigned int index;   /* of the interface they were made for; 0: none */
	union sock_addr to;   /* where send_fd sends */
};

enum link_judgement { JUDGED_PEER, JUDGED_OTHER, JUDGED_OWN };

/* One row for each kind of link. */
struct link_ops {
	/* Opens both sockets on interface index. On failure *failed names the
	 * step, and what was opened is left in *s for the caller to close. */
	int (*open)(const struct link_opts *opts, unsigned int index,
		    struct link_socks *s, const char **failed);
	/* Makes the kernel's side of the link good again after the interface
	 * changed; NULL: nothing to do. */
	int (*renew)(const struct link_opts *opts, const struct link_socks *s);
	/* Whose datagram is this, that came in by interface in_index (0: not
	 * known)? */
	enum link_judgement (*judge)(const struct link_opts *opts,
				     const struct link_socks *s,
				     const union sock_addr *from,
				     unsigned int in_index);
};

extern const struct link_ops link_mcast_ops;
extern const struct link_ops link_udp_ops;

#endif
