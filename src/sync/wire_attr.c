/* SPDX-License-Identifier: ISC */
#include "sync/wire_attr.h"

#include "base/addr.h"
#include "sync/tlv.h"

size_t wire_kind_len(enum wire_kind kind)
{
	switch (kind) {
	case WIRE_NONE:
		break;
	case WIRE_U8:
		return 1;
	case WIRE_BE16:
	case WIRE_NE16:
		return 2;
	case WIRE_BE32:
	case WIRE_ADDR4:
		return 4;
	case WIRE_ADDR16:
		return 16;
	}
	return 0;
}

size_t wire_members_len(const struct wire_member m[WIRE_MEMBERS_MAX])
{
	size_t len = 0;

	for (int i = 0; i < WIRE_MEMBERS_MAX && m[i].kind != WIRE_NONE; i++)
		len += wire_kind_len(m[i].kind);
	return len;
}

static bool read_addr4(struct rd *r, struct addr *out)
{
	struct addr a = { { 0 } };

	if (!rd_bytes(r, a.b, 4))
		return false;
	*out = a;
	return true;
}

static bool read_member(struct rd *r, enum wire_kind kind, void *field)
{
	switch (kind) {
	case WIRE_NONE:
		break;
	case WIRE_U8:
		return rd_u8(r, field);
	case WIRE_BE16:
		return rd_be16(r, field);
	case WIRE_NE16:
		return rd_u16(r, field);
	case WIRE_BE32:
		return rd_be32(r, field);
	case WIRE_ADDR4:
		return read_addr4(r, field);
	case WIRE_ADDR16:
		return rd_bytes(r, field, 16);
	}
	return true;
}

bool wire_members_read(const struct wire_member m[WIRE_MEMBERS_MAX],
		       struct rd body, void *object)
{
	if (body.left != wire_members_len(m))
		return false;
	for (int i = 0; i < WIRE_MEMBERS_MAX && m[i].kind != WIRE_NONE; i++)
		if (!read_member(&body, m[i].kind,
				 (char *)object + m[i].offset))
			return false;
	return true;
}

static void write_member(struct wr *w, enum wire_kind kind, const void *field)
{
	switch (kind) {
	case WIRE_NONE:
		break;
	case WIRE_BE16:
		wr_be16(w, *(const uint16_t *)field);
		break;
	case WIRE_BE32:
		wr_be32(w, *(const uint32_t *)field);
		break;
	case WIRE_U8:
	case WIRE_NE16:
	case WIRE_ADDR4:
	case WIRE_ADDR16:
		wr_bytes(w, field, wire_kind_len(kind));
		break;
	}
}

void wire_members_write(struct wr *w, uint16_t type,
			const struct wire_member m[WIRE_MEMBERS_MAX],
			const void *object)
{
	size_t len = wire_members_len(m);

	tlv_header(w, type, len);
	for (int i = 0; i < WIRE_MEMBERS_MAX && m[i].kind != WIRE_NONE; i++)
		write_member(w, m[i].kind, (const char *)object + m[i].offset);
	tlv_pad(w, len);
}
