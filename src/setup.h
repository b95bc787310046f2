/* SPDX-License-Identifier: ISC */
/* setup.h - from the configuration to what each part of the daemon is told:
 * none of them reads it. */
#ifndef SETUP_H
#define SETUP_H

#include "conf/conf.h"
#include "daemon.h"

struct setup {
	struct daemon_opts daemon;
	/* What it points to, besides the configuration. */
	struct links_link links[CONF_LINKS_MAX];
	struct filter_link own_traffic[CONF_LINKS_MAX * CONF_SOURCES_MAX];
	size_t n_own_traffic;
	struct filter_net *nets;
};

/* *out borrows from conf. 0 or -ENOMEM; setup_fini() in both cases. */
NODISCARD int setup_read(const struct conf *conf, bool is_background,
			 struct setup *out);
void setup_fini(struct setup *s);

#endif
