/* SPDX-License-Identifier: ISC */
/* paths.h - default paths; the Makefile gives the directories with -D. */
#ifndef CONF_PATHS_H
#define CONF_PATHS_H

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef LOCKDIR
#define LOCKDIR "/var/lock"
#endif
#ifndef RUNSTATEDIR
#define RUNSTATEDIR "/run"
#endif

#define CONF_DEFAULT_FILE      SYSCONFDIR "/conntrackd/conntrackd.conf"
#define CONF_DEFAULT_LOCK      LOCKDIR "/conntrackd.lock"
#define CONF_DEFAULT_SOCKET    RUNSTATEDIR "/conntrackd.ctl"
#define CONF_DEFAULT_LOG       "/var/log/conntrackd.log"
#define CONF_DEFAULT_STATS_LOG "/var/log/conntrackd-stats.log"

#endif
