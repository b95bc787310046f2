/* SPDX-License-Identifier: ISC */
/* rules_general.c - General, with UNIX and Scheduler; Stats; the file. */
#include "conf/parser.h"

enum {
	HASH_SIZE_MAX = 1 << 28, /* 4 bytes each: 1 GiB */
	SECONDS_MAX = INT32_MAX, /* some mean never by it */
};

#define AT(field) .at = offsetof(struct conf_general, field)

static enum enter_result enter_stats(struct parser *p, struct frame *f,
				     const struct token *keyword,
				     const struct block **block, void **base)
{
	(void)block;
	(void)base;
	p->has_section = true;
	if (f->up->is_guest) /* written into another section */
		return ENTER_BLOCK;
	if (!p->conf->stats.present)
		p->conf->stats.at = token_pos(keyword);
	p->conf->stats.present = true;
	return ENTER_BLOCK;
}

/* clang-format off */
static const struct rule unix_rules[] = {
	{ "Path", RULE_PATH, AT(unix_path), .max = CONF_SOCKET_PATH_MAX,
	  .text = CONF_DEFAULT_SOCKET },
	{ "Backlog", RULE_U32, .max = UINT32_MAX, .flags = RULE_IGNORED,
	  .note = "is ignored: clients are never turned away for it" },
};

static const struct rule scheduler_rules[] = {
	{ "Type", RULE_SCHED, AT(sched) },
	{ "Priority", RULE_U32, AT(sched_priority), .max = 99,
	  .deflt = SCHED_PRIORITY_DEFAULT,
	  .range = "priority" },
};

static const struct rule general_rules[] = {
	{ "HashSize", RULE_U32, AT(hash_size), 1, HASH_SIZE_MAX, 65536,
	  RULE_ZERO_IS_DEFAULT, .range = "hash" },
	{ "HashLimit", RULE_U32, AT(hash_limit), 1, INT32_MAX, 262144,
	  RULE_ZERO_IS_DEFAULT, .range = "hash" },
	{ "LogFile", RULE_LOG, AT(log_file), .max = CONF_PATH_MAX,
	  .text = CONF_DEFAULT_LOG },
	{ "Syslog", RULE_SYSLOG, AT(syslog) },
	{ "LockFile", RULE_PATH, AT(lock_file), .max = CONF_PATH_MAX,
	  .text = CONF_DEFAULT_LOCK },
	{ "Lockfile", RULE_PATH, AT(lock_file), .max = CONF_PATH_MAX,
	  .flags = RULE_ALIAS, .modern = "LockFile",
	  .note = "is written LockFile" },
	{ "UNIX", RULE_BLOCK, .block = &conf_block_unix },
	{ "NetlinkBufferSize", RULE_U32, AT(netlink_buffer_bytes), 0,
	  INT32_MAX, .flags = RULE_UNSET, .range = "buffer" },
	{ "SocketBufferSize", RULE_U32, AT(netlink_buffer_bytes), 0,
	  INT32_MAX, .range = "buffer", .flags = RULE_ALIAS,
	  .modern = "NetlinkBufferSize" },
	{ "NetlinkBufferSizeMaxGrowth", RULE_U32, AT(netlink_buffer_max_bytes),
	  0, INT32_MAX, .flags = RULE_UNSET, .range = "buffer" },
	{ "SocketBufferSizeMaxGrowth", RULE_U32, AT(netlink_buffer_max_bytes),
	  0, INT32_MAX, .range = "buffer", .flags = RULE_ALIAS,
	  .modern = "NetlinkBufferSizeMaxGrowth" },
	{ "SocketBufferSizeMaxGrown", RULE_U32, AT(netlink_buffer_max_bytes),
	  0, INT32_MAX, .range = "buffer", .flags = RULE_ALIAS,
	  .modern = "NetlinkBufferSizeMaxGrowth" },
	{ "NetlinkOverrunResync", RULE_RESYNC, AT(overrun_resync_s), 1,
	  SECONDS_MAX, 30, RULE_ZERO_IS_DEFAULT | RULE_UNSET,
	  .range = "time" },
	{ "NetlinkEventsReliable", RULE_BOOL, AT(events_reliable) },
	{ "PollSecs", RULE_U32, AT(poll_s), 1, SECONDS_MAX,
	  .flags = RULE_OMIT_ZERO, .range = "time" },
	{ "EventIterationLimit", RULE_U32, AT(event_iteration_limit), 1,
	  INT32_MAX, 100, RULE_ZERO_IS_DEFAULT, .range = "limit" },
	{ "Systemd", RULE_BOOL, AT(systemd), .deflt = 1 },
	{ "Scheduler", RULE_BLOCK, .block = &conf_block_scheduler },
	{ "Filter", RULE_BLOCK, .block = &conf_block_filter,
	  .enter = filter_enter },
	{ "Nice", RULE_SIGNED, .flags = RULE_IGNORED,
	  .note = "is ignored: set it with nice(1) or in the service file" },
	{ "Family", RULE_WORD, .flags = RULE_IGNORED | RULE_LEGACY,
	  .note = "is ignored: both families are always handled" },
};
#undef AT

#define AT(field) .at = offsetof(struct conf, field)
static const struct rule stats_rules[] = {
	{ "LogFile", RULE_LOG, AT(stats.log_file), .max = CONF_PATH_MAX,
	  .text = CONF_DEFAULT_STATS_LOG },
	{ "Syslog", RULE_SYSLOG, AT(stats.syslog) },
	{ "NetlinkEventsReliable", RULE_BOOL, AT(general.events_reliable),
	  .flags = RULE_ALIAS, .modern = "NetlinkEventsReliable",
	  .note = "belongs in General, where it takes effect" },
	{ "LogFileBufferSize", RULE_U32, .max = UINT32_MAX,
	  .flags = RULE_IGNORED | RULE_LEGACY, .note = "is ignored" },
};
#undef AT

static const struct rule file_rules[] = {
	{ "General", RULE_BLOCK, .block = &conf_block_general },
	{ "Sync", RULE_BLOCK, .block = &conf_block_sync, .enter = sync_enter },
	{ "Stats", RULE_BLOCK, .block = &conf_block_stats,
	  .enter = enter_stats },
	{ "Helper", RULE_BLOCK, .block = &conf_block_helper,
	  .enter = helper_enter },
	{ "IgnoreTrafficFor", RULE_BLOCK, .block = &conf_block_old_traffic,
	  .flags = RULE_LEGACY, .enter = filter_enter_old,
	  .note = "is written Filter { Address Ignore { ... } } in General" },
	{ "IgnoreProtocol", RULE_BLOCK, .block = &conf_block_old_protocol,
	  .flags = RULE_LEGACY, .enter = filter_enter_old,
	  .note = "is written Filter { Protocol Ignore { ... } } in General" },
	{ "StripNAT", RULE_FLAG, .flags = RULE_IGNORED | RULE_LEGACY,
	  .note = "is ignored: NAT is always replicated as it is" },
};
/* clang-format on */

const struct block conf_block_unix = {
	.id = BLOCK_UNIX,
	.name = "UNIX",
	RULES(unix_rules),
	.base = offsetof(struct conf, general),
};

const struct block conf_block_scheduler = {
	.id = BLOCK_SCHEDULER,
	.name = "Scheduler",
	RULES(scheduler_rules),
	.base = offsetof(struct conf, general),
};

const struct block conf_block_general = {
	.id = BLOCK_GENERAL,
	.name = "General",
	RULES(general_rules),
	.base = offsetof(struct conf, general),
};

const struct block conf_block_stats = {
	.id = BLOCK_STATS,
	.name = "Stats",
	RULES(stats_rules),
	.base = 0,
};

const struct block conf_block_file = {
	.id = BLOCK_FILE,
	.name = "the file",
	RULES(file_rules),
	.base = 0,
};
