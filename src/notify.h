/* SPDX-License-Identifier: ISC */
/* notify.h - messages to a service manager that listens at NOTIFY_SOCKET
 * (sd_notify(3)); without one, nothing happens. */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

/* From here on there is no service manager (Systemd off). */
void notify_off(void);

/* Each waits up to a second for a busy manager; the watchdog, which speaks
 * again soon, does not wait. */
void notify_ready(void);
void notify_stopping(void);
void notify_watchdog(void);
/* From the first process of -d: who goes on. */
void notify_main_pid(pid_t pid);

/* Interval of WATCHDOG_USEC in milliseconds; 0: none is wanted of this process
 * (the first one, with -d); -1: the value makes no sense. */
int64_t notify_watchdog_ms(pid_t first);

#endif
