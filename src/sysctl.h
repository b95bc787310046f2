/* SPDX-License-Identifier: ISC */
/* sysctl.h - the settings of the kernel that decide what can be replicated. */
#ifndef SYSCTL_H
#define SYSCTL_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the kernel report every end of a flow (nf_conntrack_events), if events
 * are read and this namespace lets us, and logs what an operator should know, a
 * line each. Missing files and a read-only /proc are notices. Conntrack is
 * there already: its module makes the files. */
void sysctl_prepare(uint32_t hash_limit, bool reads_events);

#endif
