/* SPDX-License-Identifier: ISC */
/* link_dgram.h - links over datagram sockets, and where multicast and UDP
 * differ. */
#ifndef SYNC_LINK_DGRAM_H
#define SYNC_LINK_DGRAM_H

#include "sync/link.h"
#include "sync/link_sock.h"

struct dgram_socks {
	int send_fd, recv_fd; /* -1: none */
	unsigned int index;   /* of the interface they were made for; 0: none */
	union sock_addr to;   /* where send_fd sends */
};

enum dgram_judgement { JUDGED_PEER, JUDGED_OTHER, JUDGED_OWN };

struct dgram_ops {
	/* Opens both sockets on interface index. On failure *failed names the
	 * step, and what was opened is left in *s for the caller to close. */
	int (*open)(const struct link_opts *opts, unsigned int index,
		    struct dgram_socks *s, const char **failed);
	/* The contract of struct link_ops; NULL: nothing to do. */
	int (*renew)(const struct link_opts *opts, const struct dgram_socks *s,
		     const char **failed);
	/* Whose datagram is this, that came in by interface in_index (0: not
	 * known)? */
	enum dgram_judgement (*judge)(const struct link_opts *opts,
				      const struct dgram_socks *s,
				      const union sock_addr *from,
				      unsigned int in_index);
};

extern const struct dgram_ops link_mcast_ops;
extern const struct dgram_ops link_udp_ops;

#endif
