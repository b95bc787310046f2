/* SPDX-License-Identifier: ISC */
/* links.h - the dedicated links of a node: they are made good whenever they can
 * be, what arrives on any of them goes to the node, and what the node has goes
 * out on the current one. Logs what happens to them. */
#ifndef LINKS_H
#define LINKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "base/util.h"
#include "sync/linkset.h"
#include "sync/node.h"

struct links_link {
	struct link_opts link;
	bool is_default; /* the first current one */
};

struct links_opts {
	struct loop *loop; /* both outlive the links */
	struct node *node;
	uint64_t node_id; /* random: no two nodes wait for the same time */
	const struct links_link *links; /* 1 to LINKSET_MAX; copied */
	size_t n_links;
	void *ctx;
	/* An interface of a link is there: said whenever something changes. */
	void (*has_links)(void *ctx);
	/* Nothing was sent yet, and the links have had their time to come up,
	 * but there is no interface; logged. */
	void (*has_no_links)(void *ctx);
};

struct links;

/* Opens what can be opened; what may come later is tried again until it works.
 * 0, or a negative errno value, logged: something is wrong for good. The
 * functions of opts are called by the loop only. */
NODISCARD int links_open(const struct links_opts *opts, struct links **out);
void links_close(struct links *l); /* accepts NULL */

/* From now on the pump sends. */
void links_start(struct links *l);
/* Sends what the node has, as far as the current link takes it. To be called at
 * the end of every turn of the loop. */
void links_pump(struct links *l);

/* Whether the interface of any link exists. */
bool links_is_there(const struct links *l);
/* Whether they still have time to come up. */
bool links_is_patient(const struct links *l);
/* For statistics. */
const struct linkset *links_set(const struct links *l);

#endif
