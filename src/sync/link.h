/* SPDX-License-Identifier: ISC */
/* link.h - one dedicated link: a way to the other nodes. It owns its sockets
 * and their watches, and hands what arrives to a sink. How bytes travel is the
 * matter of its kind: link_impl.h. */
#ifndef SYNC_LINK_H
#define SYNC_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/loop.h"
#include "base/util.h"

enum {
	LINK_DATAGRAM_MAX = 65536, /* no datagram is larger */
	LINK_SOURCES_MAX = 8,
};

enum link_kind { LINK_MCAST, LINK_UDP, LINK_TCP };

enum link_status { LINK_DOWN, LINK_NO_CARRIER, LINK_RUNNING };

struct link_opts {
	enum link_kind kind;
	enum family family;
	struct addr group_or_local; /* Multicast: group; UDP: own address */
	struct addr interface_addr; /* Multicast IPv4: IPv4_interface */
	bool has_interface_addr;
	struct addr remote; /* UDP, TCP: destination */
	/* UDP, TCP: where the peer may send from, remote among them: its
	 * address may be translated on its way. What it sends is handed on as
	 * from remote. */
	struct addr sources[LINK_SOURCES_MAX];
	size_t n_sources;
	uint16_t port; /* Group or Port */
	char interface[16];
	uint32_t send_buffer_bytes, recv_buffer_bytes; /* 0: the system's */
	bool checksum;
	uint32_t reads_per_turn; /* datagrams, before others get their turn */
};

struct link_stats {
	uint64_t n_bytes_sent, n_bytes_recv;
	uint64_t n_packets_sent, n_packets_recv;
	uint64_t n_send_errors, n_recv_errors;
	uint64_t n_refused; /* from an address or interface that is not the
			     * peer's */
};

/* Of the connection by which a TCP link sends. */
enum link_event {
	LINK_CONNECTED,
	LINK_BROKEN,    /* it has ended */
	LINK_CUT_OFF,   /* it was ended: the peer took nothing for seconds */
	LINK_UNREACHED, /* it cannot be made for seconds; said once */
};

struct link;

/* Who gets what arrives. The functions may call the link, but must not free
 * or repair it. */
struct link_sink {
	void *ctx;
	/* Messages of the peer: a datagram, or one message of a connection. The
	 * bytes end with the call. */
	void (*received)(void *ctx, struct link *l, const struct addr *from,
			 struct rd bytes);
	/* Something of another sender than the configured peer, or from the
	 * wrong interface: not read, but counted. */
	void (*refused)(void *ctx, struct link *l, const struct addr *from);
	/* TCP: what was sent and is not acknowledged may be lost. err: a
	 * negative errno value, or 0. Also from within link_send(), but for
	 * LINK_CONNECTED. */
	void (*event)(void *ctx, struct link *l, enum link_event what, int err);
};

/* A link without sockets; it borrows the loop. 0 or -ENOMEM. */
NODISCARD int link_new(const struct link_opts *opts, struct loop *loop,
		       const struct link_sink *sink, struct link **out);
/* Not from within its sink. Accepts NULL. */
void link_free(struct link *l);

const struct link_opts *link_opts(const struct link *l);
const struct link_stats *link_stats(const struct link *l);
/* TCP: whether the peer is connected to us (server), and we to it (client).
 * False of other kinds, which have no connections. */
bool link_connections(struct link *l, bool *is_server, bool *is_client);
/* Sizes of the socket buffers in bytes, as the options count them; true if one
 * is smaller than the options ask for. */
bool link_buffer_note(struct link *l, uint32_t *send_bytes,
		      uint32_t *recv_bytes);

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
/* Opens sockets and watches them, or joins the group anew. They are CLOEXEC and
 * NONBLOCK; UDP and sending sockets are bound to the local address, which must
 * be there; a multicast receiver to the group on its interface. Forced buffer
 * sizes fall back to the plain option: link_buffer_note() tells. 0; 1: the
 * sockets are new; a negative errno value: *failed names the step, for the log,
 * and the next call tries again. Sockets that could not be replaced are still
 * there, those that could not be watched are not. */
NODISCARD int link_repair(struct link *l, const char **failed);

/* Its interface has a carrier, and its sockets are for that interface. */
bool link_is_usable(const struct link *l);
enum link_status link_status(const struct link *l);

/* Sends one datagram. 0; -ENETDOWN: there is no socket; -EAGAIN: keep it and
 * come again, the loop takes a turn as soon as there is room; -ENOBUFS: the
 * same, but nothing tells when there is room; another negative errno value:
 * counted, lost. An error may be that of an earlier datagram (ECONNREFUSED,
 * EHOSTUNREACH, ENETUNREACH, EMSGSIZE): it is cleared and this one sent again,
 * once, before it counts. */
NODISCARD int link_send(struct link *l, const void *dgram, size_t len);

/* Whether the peer of a link of these options may send from there. */
bool link_is_peer(const struct link_opts *opts, const struct addr *from);

/* Name of the kind for statistics: "multicast", "UDP", "TCP". */
const char *link_kind_name(enum link_kind kind);

#endif
