/* SPDX-License-Identifier: ISC */
#include "conf_links.h"

#include <string.h>

_Static_assert((int)CONF_LINKS_MAX <= (int)LINKSET_MAX, "a set takes all");

static struct link_opts opts_of(const struct conf_link *c,
				uint32_t reads_per_turn)
{
	static const enum link_kind kind_of[] = { [CONF_MULTICAST] = LINK_MCAST,
						  [CONF_UDP] = LINK_UDP,
						  [CONF_TCP] = LINK_TCP };
	struct link_opts o = {
		.kind = kind_of[c->kind],
		.family = (enum family)c->family,
		.port = c->port,
		.send_buffer_bytes = c->snd_buffer,
		.recv_buffer_bytes = c->rcv_buffer,
		.checksum = c->checksum,
		.reads_per_turn = reads_per_turn,
	};

	memcpy(o.interface, c->interface, sizeof(o.interface));
	if (c->kind == CONF_MULTICAST) {
		o.group_or_local = c->group.addr;
		o.interface_addr = c->local.addr;
		o.has_interface_addr = c->local.family != FAMILY_NONE;
	} else {
		o.group_or_local = c->local.addr;
		o.remote = c->dest.addr;
	}
	return o;
}

size_t conf_links(const struct conf *c, struct links_link out[CONF_LINKS_MAX])
{
	for (size_t i = 0; i < c->sync.n_links; i++) {
		const struct conf_link *l = &c->sync.links[i];

		out[i] = (struct links_link){
			.link = opts_of(l, c->general.event_iteration_limit),
			.is_default = l->is_default,
		};
	}
	return c->sync.n_links;
}
