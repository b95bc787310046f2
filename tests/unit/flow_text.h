/* SPDX-License-Identifier: ISC */
/* flow_text.h - addresses and flows of a test from texts. */
#ifndef FLOW_TEXT_H
#define FLOW_TEXT_H

#include <stdint.h>

#include "base/flow.h"

/* Fails the test if the text is none. */
struct addr addr_of(enum family family, const char *text);

enum family family_of(const char *text);

/* A flow from port 40000 to 80 as the kernel reports it, with its reply. */
struct flow flow_of(uint8_t l4proto, const char *src, const char *dst);

#endif
