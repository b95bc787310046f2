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

/* What happens to or with a peer, and is good; what is not. */
static const char *const notices[ENGINE_EVENT_N] = {
	[ENGINE_PEER_FOUND] = "heard for the first time",
	[ENGINE_PEER_ANSWERED] = "hears us",
	[ENGINE_PEER_RESTARTED] = "has started anew",
	[ENGINE_PEER_RETURNED] = "is back",
	[ENGINE_BULK_PROVEN] = "has all of the bulk update",
	[ENGINE_PEER_LOSES_NOT] = "no messages of it are lost any more",
};
static const char *const warnings[ENGINE_EVENT_N] = {
	[ENGINE_PEER_SILENT] = "is silent",
	[ENGINE_PEER_DEAF] = "is heard, but acknowledges nothing",
	[ENGINE_PEER_NAME_TWICE] =
		"two nodes have one machine id and host name",
	[ENGINE_PEER_OTHER_MODE] = "is in another Mode than we are",
	[ENGINE_PEER_LOSES] = "messages of it are lost",
};

/* What is nobody's, or may be. */
static void log_other(enum engine_event what)
{
	switch (what) {
	case ENGINE_PEER_ASKS_BULK:
		log_notice("resync requested by other node");
		break;
	case ENGINE_PEER_REFUSED:
		log_warn("a peer is refused: %d are known already", PEER_MAX);
		break;
	case ENGINE_PEER_OTHER_MODE:
		log_warn("a node in another Mode is heard");
		break;
	case ENGINE_NODE_ID_TWICE:
		log_warn("another node has the id of this one, as a copy of a "
			 "running machine has: from now on this is a new one");
		break;
	case ENGINE_BULK_BEGINS:
		log_notice("sending bulk update");
		break;
	default:
		break;
	}
}

void peer_log(enum engine_event what, const struct peer *p)
{
	char text[ADDR_TEXT_SIZE];
	bool nobody = what == ENGINE_PEER_OTHER_MODE && !p;

	peer_text(p, text);
	if (notices[what])
		log_notice("peer %s: %s", text, notices[what]);
	else if (warnings[what] && !nobody)
		log_warn("peer %s: %s", text, warnings[what]);
	else
		log_other(what);
}
