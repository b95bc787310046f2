/* SPDX-License-Identifier: ISC */
#include "sync/message.h"

#include <string.h>

#include "cache/expect_cache.h"
#include "sync/wire_expect.h"

size_t message_alive_len(enum ext_record_type type)
{
	return WIRE_HEADER_LEN + EXT_FIXED_LEN + ext_record_len(EXT_HELD) +
	       ext_record_len(type);
}

size_t message_alive(struct wr *w, uint32_t n, uint8_t flags,
		     const struct message_self *self, uint32_t oldest)
{
	size_t offset = wire_begin(w, MSG_CTL, MSG_ALIVE | flags, n);

	ext_begin(w, self->capabilities, self->node);
	ext_add(w, &(struct ext_record){ .type = EXT_HELD, .oldest = oldest });
	return offset;
}

void message_add_name(struct wr *w, const uint8_t name[EXT_NAME_SIZE])
{
	struct ext_record r = { .type = EXT_STABLE_NAME };

	memcpy(r.name, name, EXT_NAME_SIZE);
	ext_add(w, &r);
}

void message_add_ask(struct wr *w, enum ext_record_type type, uint64_t node)
{
	ext_add(w,
		&(struct ext_record){ .type = (uint16_t)type, .asked = node });
}

void message_add_told(struct wr *w, uint32_t told)
{
	ext_add(w, &(struct ext_record){ .type = EXT_TOLD, .told = told });
}

void message_add_range(struct wr *w, enum ext_record_type type, uint64_t node,
		       struct seq_run run)
{
	struct ext_record r = { .type = (uint16_t)type };

	r.range.node = node;
	r.range.from = run.from;
	r.range.to = run.to;
	ext_add(w, &r);
}

void message_add_mark(struct wr *w, uint64_t node, enum ext_phase phase,
		      uint32_t walk, uint32_t n_entries)
{
	struct ext_record r = { .type = EXT_BULK_MARK };

	r.mark.node = node;
	r.mark.phase = (uint8_t)phase;
	r.mark.walk = walk;
	r.mark.n_entries = n_entries;
	ext_add(w, &r);
}

size_t message_range(struct wr *w, uint32_t n, enum msg_flag flag,
		     struct seq_run run)
{
	size_t offset = wire_begin(w, MSG_CTL, (uint8_t)flag, n);

	wr_be32(w, run.from);
	wr_be32(w, run.to);
	return offset;
}

/* An update may be merged by the peer into what it has, be it of an earlier
 * life of the same addresses and ports, whose translation would stay. So what
 * was not sent before is new, though it may have changed since. */
static enum msg_type type_of(const struct message_entry *what,
			     enum object_kind kind)
{
	static const enum msg_type types[][2] = {
		[OBJECT_FLOW] = { MSG_CT_NEW, MSG_CT_UPD },
		[OBJECT_EXPECT] = { MSG_EXP_NEW, MSG_EXP_UPD },
	};

	if (what->state == ENTRY_DEAD)
		return kind == OBJECT_FLOW ? MSG_CT_DEL : MSG_EXP_DEL;
	return types[kind][what->state != ENTRY_NEW && what->is_known];
}

size_t message_entry(struct wr *w, uint32_t n, const struct wire_flow_opts *o,
		     struct flow_cache *cache, const struct message_entry *what)
{
	enum object_kind kind = flow_cache_kind(cache, what->id);
	size_t offset = wire_begin(w, type_of(what, kind), 0, n);
	struct expect e;
	struct flow f;

	switch (kind) {
	case OBJECT_FLOW:
		flow_cache_get(cache, what->id, &f);
		wire_flow_encode(w, o, &f);
		break;
	case OBJECT_EXPECT:
		expect_cache_get(cache, what->id, &e);
		wire_expect_encode(w, o, &e);
		break;
	}
	return offset;
}
