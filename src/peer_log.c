/* SPDX-License-Identifier: ISC */
#include "peer_log.h"

#include <stdio.h>

#include "base/log.h"

static const char *peer_text(const struct peer *p, char out[ADDR_TEXT_SIZE])
{
	const struct peer_addr *a;

	snprintf(out, ADDR_TEXT_SIZE, "that was replaced");
	if (!p || !p->n_addrs) /* another one is at its place */
		return out;
	a = &p->addrs[p->n_addrs - 1];
	return addr_text(a->family, &a->addr, out);
}

void peer_log(enum engine_event what, const struct peer *p)
{
	char text[ADDR_TEXT_SIZE];

	peer_text(p, text);
	switch (what) {
	case ENGINE_PEER_FOUND:
		log_notice("peer %s: heard for the first time", text);
		break;
	case ENGINE_PEER_ANSWERED:
		log_notice("peer %s: hears us", text);
		break;
	case ENGINE_PEER_RESTARTED:
		log_notice("peer %s: has started anew", text);
		break;
	case ENGINE_PEER_SILENT:
		log_warn("peer %s: is silent", text);
		break;
	case ENGINE_PEER_DEAF:
		log_warn("peer %s: is heard, but acknowledges nothing", text);
		break;
	case ENGINE_PEER_RETURNED:
		log_notice("peer %s: is back", text);
		break;
	case ENGINE_PEER_ASKS_BULK:
		log_notice("resync requested by other node");
		break;
	case ENGINE_PEER_REFUSED:
		log_warn("a peer is refused: %d are known already", PEER_MAX);
		break;
	case ENGINE_PEER_NAME_TWICE:
		log_warn("peer %s: two nodes have one machine id and host name",
			 text);
		break;
	case ENGINE_PEER_OTHER_MODE:
		if (p)
			log_warn("peer %s: is in another Mode than we are",
				 text);
		else
			log_warn("a node in another Mode is heard");
		break;
	case ENGINE_NODE_ID_TWICE:
		log_warn("another node has the id of this one, as a copy of a "
			 "running machine has: from now on this is a new one");
		break;
	case ENGINE_BULK_BEGINS:
		log_notice("sending bulk update");
		break;
	case ENGINE_BULK_SENT:
		break;
	case ENGINE_BULK_PROVEN:
		log_notice("peer %s: has all of the bulk update", text);
		break;
	case ENGINE_PEER_LOSES:
		log_warn("peer %s: messages of it are lost", text);
		break;
	case ENGINE_PEER_LOSES_NOT:
		log_notice("peer %s: no messages of it are lost any more",
			   text);
		break;
	case ENGINE_EVENT_N:
		break;
	}
}
