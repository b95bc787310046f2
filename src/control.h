/* SPDX-License-Identifier: ISC */
/* control.h - the requests of the control socket and what they do. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>

#include "base/loop.h"
#include "base/util.h"
#include "commands.h"
#include "sources.h"

struct control;

/* Listens at the path, which is copied. Requests come when the loop runs.
 * Errors are logged. 0 or a negative errno value. */
NODISCARD int control_open(struct loop *loop, const char *path,
			   struct control **out);

/* What requests are about; all borrowed. Before the loop runs. */
struct control_parts {
	struct commands *commands;
	struct node *node;
	const struct sources *sources;
	bool has_expectations;    /* ExpectationSync */
	uint32_t cache_timeout_s; /* of external entries; 0: they have none */
	/* Of these the entries are shown. NULL: there are none. */
	struct flow_cache *internal, *external;
	/* Whose rows are shown in place of an internal cache; NULL: there is
	 * one. */
	struct ct_kernel *table;
};
void control_serve(struct control *c, const struct control_parts *parts);

struct ctl_server *control_server(struct control *c);

/* No new clients, and the socket file is gone. Both accept NULL. */
void control_stop(struct control *c);
/* Whoever has asked for the end of the daemon hears of it, others are cut
 * off. */
void control_close(struct control *c);

#endif
