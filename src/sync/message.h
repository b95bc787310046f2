/* SPDX-License-Identifier: ISC */
/* message.h - writes the messages of a node, each under its number. Those that
 * begin something return the offset for wire_end(). */
#ifndef SYNC_MESSAGE_H
#define SYNC_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "cache/flow_cache.h"
#include "sync/ext.h"
#include "sync/order.h"
#include "sync/wire.h"
#include "sync/wire_flow.h"

/* Bytes of an ALIVE of ours with one record of this type. */
size_t message_alive_len(enum ext_record_type type);

/* Who says something. */
struct message_self {
	uint64_t node;
	uint16_t capabilities; /* enum ext_capability */
};

/* Our ALIVE, with what every one says: who we are, and the oldest number that
 * we hold. Records may follow. flags: besides MSG_ALIVE. */
size_t message_alive(struct wr *w, uint32_t n, uint8_t flags,
		     const struct message_self *self, uint32_t oldest);

/* Records of an ALIVE. */
void message_add_name(struct wr *w, const uint8_t name[EXT_NAME_SIZE]);
/* type: EXT_ASK or EXT_WANT. */
void message_add_ask(struct wr *w, enum ext_record_type type, uint64_t node);
void message_add_told(struct wr *w, uint32_t told);
void message_add_range(struct wr *w, enum ext_record_type type, uint64_t node,
		       struct seq_run run);
void message_add_mark(struct wr *w, uint64_t node, enum ext_phase phase,
		      uint32_t walk, uint32_t n_entries);

/* A message of its own with a range: MSG_ACK, MSG_NACK or MSG_RESYNC. */
size_t message_range(struct wr *w, uint32_t n, enum msg_flag flag,
		     struct seq_run run);

/* An entry of a cache, as it is to be told. */
struct message_entry {
	uint32_t id;
	enum entry_state state; /* what it is now */
	bool is_known;          /* it was sent before in this life */
};

/* What an entry, a flow or an expectation, is now. */
size_t message_entry(struct wr *w, uint32_t n, const struct wire_flow_opts *o,
		     struct flow_cache *cache,
		     const struct message_entry *what);

#endif
