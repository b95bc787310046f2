/* SPDX-License-Identifier: ISC */
/* link.h - one dedicated link: a way to the other nodes. Implemented by
 * link_mcast and link_udp. */
#ifndef SYNC_LINK_H
#define SYNC_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/util.h"

enum link_kind { LINK_MCAST, LINK_UDP, LINK_TCP };

enum link_status { LINK_DOWN, LINK_NO_CARRIER, LINK_RUNNING };

struct link_opts {
	enum link_kind kind;
	enum family family;
	struct addr group_or_local; /* Multicast: group; UDP: own address */
	struct addr interface_addr; /* Multicast IPv4: IPv4_interface */
	bool has_interface_addr;
	struct addr remote; /* UDP: destination */
	uint16_t port;      /* Group or Port */
	char interface[16];
	uint32_t send_buffer_bytes, recv_buffer_bytes; /* 0: the system's */
	bool checksum;
};

struct link_stats {
	uint64_t n_bytes_sent, n_bytes_recv;
	uint64_t n_packets_sent, n_packets_recv;
	uint64_t n_send_errors, n_recv_errors;
	uint64_t n_refused; /* from an address or interface that is not the
			     * peer's */
};

struct link;

/* A link without sockets. 0, -ENOMEM, or -EPROTONOSUPPORT: a kind we do not
 * speak. */
NODISCARD int link_new(const struct link_opts *opts, struct link **out);
void link_free(struct link *l); /* accepts NULL */

const struct link_opts *link_opts(const struct link *l);
const struct link_stats *link_stats(const struct link *l);
/* Sizes of the socket buffers in bytes, as the options count them; true if one
 * is smaller than the options ask for. */
bool link_buffer_note(const struct link *l, uint32_t *send_bytes,
		      uint32_t *recv_bytes);

/* For the loop: the receiving socket becomes readable; the sending one has
 * errors queued (IP_RECVERR). -1: there is none. */
int link_recv_fd(const struct link *l);
int link_send_fd(const struct link *l);

/* Largest datagram payload: MTU of the interface less the headers. */
size_t link_payload_max(const struct link *l);
/* Looks at the interface as it is now. 0; -ENODEV: there is none of this name;
 * or another negative errno value. */
NODISCARD int link_look(struct link *l);
/* The interface is up, down, has a new MTU or index (from ifwatch; index 0: it
 * is gone). */
void link_set_interface(struct link *l, enum link_status status,
			unsigned int index, unsigned int mtu);
bool link_has_interface(const struct link *l);

/* Whether link_repair() has something to do: there are no sockets for the
 * interface as it is now, or the kernel may have forgotten the group. Not while
 * it is down. */
bool link_needs_repair(const struct link *l);
/* Opens sockets, or joins the group anew. They are CLOEXEC and NONBLOCK; UDP
 * and sending sockets are bound to the local address, which must be there; a
 * multicast receiver to the group on its interface. Forced buffer sizes fall
 * back to the plain option: link_buffer_note() tells. 0; 1: the sockets are
 * new, watch them; a negative errno value: *failed names the step, for the log,
 * the old ones are still there, and the next call tries again. */
NODISCARD int link_repair(struct link *l, const char **failed);
/* Closes the sockets: they are to be made anew. */
void link_reset(struct link *l);

/* Its interface has a carrier, and its sockets are for that interface. */
bool link_is_usable(const struct link *l);
enum link_status link_status(const struct link *l);

/* Sends one datagram. 0; -ENETDOWN: there is no socket; -EAGAIN or -ENOBUFS:
 * the queue is full, keep it and come again; another negative errno value:
 * counted, lost. An error may be that of an earlier datagram (ECONNREFUSED,
 * EHOSTUNREACH, ENETUNREACH, EMSGSIZE): it is cleared and this one sent again,
 * once, before it counts. */
NODISCARD int link_send(struct link *l, const void *dgram, size_t len);

/* Receives one datagram into buf (size at least 65536). Returns its length
 * (may be 0; an own datagram that came back counts as empty), or -EAGAIN when
 * there is none; another negative errno value is counted. A datagram of another
 * sender than the configured peer, or from the wrong interface, gives -EPERM,
 * and is counted; *from is its source in any case where one was read. */
NODISCARD int link_recv(struct link *l, void *buf, size_t size,
			struct addr *from, uint16_t *from_port);

/* Empties the error queue of the sending socket (MSG_ERRQUEUE), up to 256
 * errors at a time: to be called whenever the loop reports one. Each is a
 * datagram that was sent and did not arrive; counted. */
void link_drain_errors(struct link *l);

/* Name of the kind for statistics: "multicast", "UDP", "TCP". */
const char *link_kind_name(enum link_kind kind);

#endif
