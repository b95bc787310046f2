/* SPDX-License-Identifier: ISC */
/* alarm_state.h - private to the files of the ALARM engine. alarm.c calls
 * alarm_peers.c, and both the roster. */
#ifndef SYNC_ALARM_STATE_H
#define SYNC_ALARM_STATE_H

#include "cache/queue.h"
#include "sync/alarm.h"
#include "sync/wheel.h"

struct alarm {
	struct engine base;
	struct alarm_opts o;
	struct store_observer observer; /* of the cache */
	struct roster roster;
	/* Every entry is in one of these: */
	struct queue dirty; /* to be sent: changed, or dead */
	struct wheel wheel; /* to be told again */
	uint64_t random;    /* state of the generator */
	uint32_t next_seq;
	int64_t called_ms; /* when something was last received or filled */
	int64_t announced_ms;
	bool must_announce;              /* before anything else is said */
	int64_t told_ms[ENGINE_EVENT_N]; /* of the log: what may come often */
};

/* The peer a message is from, found or added; NULL: refused or outdated. ext:
 * what it says as an announcement, or NULL. */
struct peer *alarm_identify(struct alarm *a, const struct peer_addr *from,
			    const struct msg *m, const struct ext_alive *ext,
			    int64_t now_ms);
/* Message m of p was accepted. */
void alarm_heard(struct alarm *a, struct peer *p, const struct msg *m,
		 int64_t now_ms);
/* What came from there is nothing in this mode. */
void alarm_tell_other_mode(struct alarm *a, const struct peer_addr *from,
			   int64_t now_ms);
/* Who has fallen silent. */
void alarm_check_peers(struct alarm *a, int64_t now_ms);

#endif
