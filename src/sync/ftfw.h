/* SPDX-License-Identifier: ISC */
/* ftfw.h - the FT-FW mode: every message is numbered, acknowledged and sent
 * anew when it was lost: to one reference node, or to many nodes of our own. */
#ifndef SYNC_FTFW_H
#define SYNC_FTFW_H

#include <stdint.h>

#include "sync/lives.h"

/* ack_window: messages received before an ACK. NULL if there is no memory. */
struct engine *ftfw_new(const struct lives_opts *opts, uint32_t ack_window,
			int64_t now_ms);

#endif
