/* SPDX-License-Identifier: ISC */
/* conf_links.h - the links that the configuration names. */
#ifndef CONF_LINKS_H
#define CONF_LINKS_H

#include "conf/conf.h"
#include "links.h"

/* Writes them to out; returns how many. */
size_t conf_links(const struct conf *c, struct links_link out[CONF_LINKS_MAX]);

#endif
