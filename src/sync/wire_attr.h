/* SPDX-License-Identifier: ISC */
/* wire_attr.h - the payload of an attribute as a list of members of a struct:
 * one list reads and writes it. */
#ifndef SYNC_WIRE_ATTR_H
#define SYNC_WIRE_ATTR_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"

enum wire_kind {
	WIRE_NONE, /* ends the list */
	WIRE_U8,
	WIRE_BE16,
	WIRE_NE16, /* in the byte order of the sending host (PROTOCOL.md 2.5) */
	WIRE_BE32,
	WIRE_ADDR4, /* a struct addr; the bytes behind are zeroed on reading */
	WIRE_ADDR16,
};

enum { WIRE_MEMBERS_MAX = 6 };

struct wire_member {
	uint8_t kind;    /* enum wire_kind */
	uint16_t offset; /* of the field in its struct */
	uint16_t size;   /* of the field, for the test of the tables */
};

/* Bytes that a member of this kind has on the wire. */
size_t wire_kind_len(enum wire_kind kind);

/* Bytes of the whole payload. */
size_t wire_members_len(const struct wire_member m[WIRE_MEMBERS_MAX]);

/* Reads a payload into the fields of object. False, and nothing written, if it
 * has not exactly the right length. */
NODISCARD bool wire_members_read(const struct wire_member m[WIRE_MEMBERS_MAX],
				 struct rd body, void *object);

/* Appends a whole attribute: header, the fields of object, padding. */
void wire_members_write(struct wr *w, uint16_t type,
			const struct wire_member m[WIRE_MEMBERS_MAX],
			const void *object);

#endif
