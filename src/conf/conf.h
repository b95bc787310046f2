/* SPDX-License-Identifier: ISC */
/* conf.h - the text of conntrackd.conf as values. Pure: no look-ups, no
 * output, no exit; findings go to the caller. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/filter.h"
#include "base/util.h"
#include "conf/paths.h"

enum {
	CONF_PATH_MAX = 256, /* log and lock files, bytes without the 0 */
	CONF_SOCKET_PATH_MAX = 107, /* UNIX Path: what sockaddr_un holds */
	CONF_IFNAME_MAX = 15,
	CONF_HELPER_NAME_MAX = 16,
	CONF_LINKS_MAX = 4,
	CONF_SOURCES_MAX = 8,    /* addresses of the peer of a link */
	CONF_FINDINGS_MAX = 100, /* errors told; likewise warnings */
};

/* ---- findings ------------------------------------------------------------ */

enum conf_severity { CONF_ERROR, CONF_WARNING };

/* Lines and columns count from 1, columns and len in bytes. */
struct conf_pos {
	uint32_t line, col, len;
};

struct conf_diag {
	enum conf_severity severity;
	uint32_t line, col, len;
	const char *name; /* short and stable, such as "range-port" */
	const char *text; /* lives until the callback returns */
};

typedef void conf_diag_fn(void *ctx, const struct conf_diag *d);

/* ---- values -------------------------------------------------------------- */

#define CONF_UNSET UINT32_MAX

enum conf_syslog {
	CONF_SYSLOG_OFF,
	CONF_SYSLOG_DAEMON,
	CONF_SYSLOG_LOCAL0, /* LOCAL0 + n is local<n>, n up to 7 */
	CONF_SYSLOG_LOCAL7 = CONF_SYSLOG_LOCAL0 + 7,
};

enum conf_sched { CONF_SCHED_NONE, CONF_SCHED_RR, CONF_SCHED_FIFO };

struct conf_general {
	uint32_t hash_size, hash_limit;   /* elements */
	char log_file[CONF_PATH_MAX + 1]; /* "": none */
	char lock_file[CONF_PATH_MAX + 1];
	char unix_path[CONF_SOCKET_PATH_MAX + 1]; /* never "" */
	bool has_unix_path; /* the file gives it; else it is the default */
	uint8_t syslog;     /* enum conf_syslog */
	/* As written, or CONF_UNSET: the daemon decides. */
	uint32_t netlink_buffer_bytes;     /* 0: kernel default */
	uint32_t netlink_buffer_max_bytes; /* 0: it does not grow */
	uint32_t overrun_resync_s;         /* 0: never */
	bool events_reliable;
	uint32_t poll_s; /* 0: events, no polling */
	uint32_t event_iteration_limit;
	bool systemd;
	uint8_t sched;           /* enum conf_sched */
	uint32_t sched_priority; /* 1-99 if sched is not NONE */
};

struct conf_net {
	struct filter_net net; /* host bits are 0 */
	struct conf_pos at;    /* of the address */
};

struct conf_filter {
	bool present; /* a Filter block or a legacy clause is there */
	bool from_kernelspace;
	enum filter_action protocol, address, state;
	uint8_t protocols[32]; /* bit p % 8 of byte p / 8 */
	uint16_t tcp_states;   /* bit s: enum flow_tcp_state */
	struct conf_net *nets; /* in order of appearance, without repetitions */
	size_t n_nets;
};

enum conf_mode { CONF_FTFW, CONF_ALARM, CONF_NOTRACK, CONF_MODES };
enum conf_link_kind { CONF_MULTICAST, CONF_UDP, CONF_TCP };

/* family is enum family; FAMILY_NONE: not given. */
struct conf_addr {
	uint8_t family;
	struct addr addr;
};

/* An address that the peer may send from. */
struct conf_source {
	struct conf_addr addr;
	struct conf_pos at;
};

struct conf_link {
	enum conf_link_kind kind;
	uint8_t family;         /* of the addresses below */
	struct conf_addr local; /* IPv4_interface; UDP, TCP: to bind to */
	struct conf_addr group; /* Multicast only */
	struct conf_addr dest;  /* UDP, TCP: the peer */
	/* UDP, TCP: all addresses of the peer as given, the last one is dest */
	struct conf_source sources[CONF_SOURCES_MAX];
	size_t n_sources;
	char interface[CONF_IFNAME_MAX + 1];
	uint16_t port;                   /* Port or Group */
	uint32_t snd_buffer, rcv_buffer; /* bytes; 0: kernel default */
	uint32_t error_queue_len;        /* TCP only */
	bool checksum;
	bool is_default;    /* the one to begin with; at most one link */
	struct conf_pos at; /* of the word Multicast, UDP or TCP */
};

enum conf_expect_sync { CONF_EXPECT_OFF, CONF_EXPECT_ALL, CONF_EXPECT_LIST };

struct conf_sync {
	bool present;
	enum conf_mode mode;
	uint32_t refresh_s, cache_timeout_s; /* ALARM */
	uint32_t commit_timeout_s;           /* 0: not set */
	uint32_t purge_timeout_s;
	uint32_t resend_queue_size, ack_window_size; /* FTFW */
	bool disable_internal_cache, disable_external_cache;
	bool startup_resync;
	bool tcp_window_tracking;
	enum conf_expect_sync expect_sync;
	char (*expect_names)[CONF_HELPER_NAME_MAX + 1]; /* with LIST only */
	size_t n_expect_names;
	struct conf_link links[CONF_LINKS_MAX]; /* all of one kind */
	size_t n_links;
	struct conf_pos at; /* of the word Sync; line 0: no section */
};

struct conf_stats {
	bool present;
	char log_file[CONF_PATH_MAX + 1]; /* "": none */
	uint8_t syslog;                   /* enum conf_syslog */
	struct conf_pos at;
};

struct conf_helper_type {
	const char *name; /* static */
	uint8_t family;   /* enum family */
	uint8_t l4proto;  /* L4_TCP or L4_UDP */
	bool has_policy;
	uint32_t queue_num, queue_len; /* queue_len 0: kernel default */
	uint32_t expect_max, expect_timeout_s;
	struct conf_pos at;       /* of the word Type */
	struct conf_pos queue_at; /* of the queue number; line 0: not given */
};

struct conf_helper {
	bool present;
	bool setup;
	struct conf_helper_type *types;
	size_t n_types;
	struct conf_pos at;
};

/* One option as it stands in the file; repeated ones appear repeatedly. */
struct conf_given {
	const char *block;  /* static: "General", "UNIX", "Mode FTFW", "UDP" */
	const char *option; /* static: modern spelling; a block's own keyword */
	struct conf_pos at; /* of the option */
	struct conf_pos value; /* of what follows; line 0: nothing */
	uint8_t link;          /* index, for options of links */
};

struct conf {
	struct conf_general general;
	struct conf_filter filter;
	struct conf_sync sync;
	struct conf_stats stats;
	struct conf_helper helper;
	struct conf_given *given; /* in order of appearance */
	size_t n_given;
	bool has_errors; /* what seems to be missing may not have been read */
};

/* ---- functions ----------------------------------------------------------- */

/* What an empty file would mean. Allocates nothing. */
void conf_defaults(struct conf *out);

/* Reads len bytes of text (it need not end with a zero byte) and reports every
 * finding to fn (may be NULL), in order of their places. Returns the number of
 * errors, 0: none, or -ENOMEM. *out is valid in every case, with what could be
 * read and defaults for the rest; conf_fini() it. */
NODISCARD int conf_parse(const char *text, size_t len, struct conf *out,
			 conf_diag_fn *fn, void *ctx);

/* Releases what conf_parse() allocated; accepts a zeroed or finished one. */
void conf_fini(struct conf *c);

/* Writes the effective configuration in the language itself, without a final
 * zero byte. Reading that gives an equal conf and writes the same text again.
 * If w->full is set afterwards the buffer was too small. */
void conf_print(const struct conf *c, struct wr *w);

/* The last appearance of an option (see struct conf_given), NULL if the file
 * does not give it. block NULL: in any block. link: index of the link, -1:
 * any. Borrowed from c. */
const struct conf_given *conf_find_given(const struct conf *c,
					 const char *block, const char *option,
					 int link);

/* A row of the language, for documentation and tests. Texts are static or
 * live until the callback returns. */
struct conf_option {
	const char *block;
	const char *name;
	const char *type;     /* "number", "yes|no", "path", "block", ... */
	uint32_t min, max;    /* numbers and ports: both 0 otherwise */
	const char *deflt;    /* default as written in a file; "": none */
	const char *alias_of; /* modern spelling, NULL: this is it */
	const char *note;     /* deprecated and legacy ones: what to know */
};

typedef void conf_option_fn(void *ctx, const struct conf_option *o);

/* Calls fn for every option of every block, aliases and legacy included. */
void conf_for_each_option(conf_option_fn *fn, void *ctx);

/* "daemon", "local0", ...; "no" for CONF_SYSLOG_OFF. */
const char *conf_syslog_name(enum conf_syslog s);

/* "FTFW", "ALARM", "NOTRACK". */
const char *conf_mode_name(enum conf_mode m);

/* "Multicast", "UDP", "TCP". */
const char *conf_link_kind_name(enum conf_link_kind k);

#endif
