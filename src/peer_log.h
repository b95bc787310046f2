/* SPDX-License-Identifier: ISC */
/* peer_log.h - what happens between this node and its peers, as log lines. */
#ifndef PEER_LOG_H
#define PEER_LOG_H

#include "sync/engine.h"

void peer_log(enum engine_event what, const struct peer *p);

#endif
