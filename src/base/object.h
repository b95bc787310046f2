/* SPDX-License-Identifier: ISC */
/* object.h - the kinds of what is replicated. */
#ifndef BASE_OBJECT_H
#define BASE_OBJECT_H

enum object_kind { OBJECT_FLOW, OBJECT_EXPECT };

#endif
