/* SPDX-License-Identifier: ISC */
/* link_impl.h - inside of a link: what all kinds have, and what each kind does
 * in its own way. */
#ifndef SYNC_LINK_IMPL_H
#define SYNC_LINK_IMPL_H

#include "sync/link.h"

struct link_ops;

/* First member of each kind's own struct. */
struct link {
	const struct link_ops *ops;
	struct link_opts opts;
	struct loop *loop;
	struct link_sink sink;
	struct link_stats stats;
	enum link_status status;
	unsigned int index, mtu; /* of the interface; 0: there is none */
	/* The interface that its sockets were made for; 0: it has none. Written
	 * by open() and close(). */
	unsigned int opened_index;
	bool needs_renewal; /* maybe: see renew() */
};

/* One for each way of carrying bytes. What arrives goes from the kind's own
 * watches straight to the sink. */
struct link_ops {
	/* Zeroed, but for the common part. NULL if there is no memory. */
	struct link *(*new)(void);
	/* Frees what close() has left. */
	void (*free)(struct link *l);
	/* Opens and watches sockets on interface l->index, in place of those it
	 * has. 0 or a negative errno value, *failed names the step. */
	int (*open)(struct link *l, const char **failed);
	/* Accepts one that is not open. */
	void (*close)(struct link *l);
	/* Makes the kernel's side of the link good again after the interface
	 * was down or changed. 0, or a negative errno value as above. */
	int (*renew)(struct link *l, const char **failed);
	/* The contract of link_send(); it is open. Counts. */
	int (*send)(struct link *l, const void *dgram, size_t len);
	/* Bytes of a packet that are not ours to fill. */
	size_t (*headers)(const struct link *l);
	/* What link_buffer_note() tells. */
	void (*buffers)(struct link *l, uint32_t *send_bytes,
			uint32_t *recv_bytes);
	/* What link_connections() tells; NULL: it has none. */
	void (*connections)(struct link *l, bool *is_server, bool *is_client);
};

/* Multicast and UDP. */
extern const struct link_ops link_dgram_ops;
extern const struct link_ops link_tcp_ops;

#endif
