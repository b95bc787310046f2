/* SPDX-License-Identifier: ISC */
/* ct_attrs.h - the attributes of a message, read and written as the tables of
 * ct_rows.h say. For the codecs; nobody else needs it. */
#ifndef NETLINK_CT_ATTRS_H
#define NETLINK_CT_ATTRS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"
#include "netlink/ct_codec.h"
#include "netlink/ct_rows.h"

/* Reads attributes into the struct at base, those of CT_SIDE rows into the one
 * at side (NULL: the table has none); *has gains the presence bits. Unknown
 * attributes are skipped, what is longer than its row is cut. False if one is
 * malformed or shorter than its row. */
NODISCARD bool ct_attrs_read(const struct ct_codec *c,
			     const struct ct_table *table, void *base,
			     void *side, struct rd attrs, uint64_t *has);

/* Writes the rows that a message of this kind has (op: one of enum ct_ops) and
 * whose bit is in has. Nests that stay empty are left out. */
void ct_attrs_write(const struct ct_codec *c, enum ct_ops op,
		    const struct ct_table *table, const void *base,
		    const void *side, uint64_t has, struct wr *w);

/* The family of a tuple's addresses, FAMILY_NONE if it has not one. */
enum family ct_tuple_family(const struct ct_tuple *t);

/* Protocols whose tuples Linux does not accept without ports (or keys). */
bool ct_needs_ports(uint8_t l4proto);

#endif
