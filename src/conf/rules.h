/* SPDX-License-Identifier: ISC */
/* rules.h - the language as tables: a block is a list of rules, a rule is an
 * option. One loop (clauses.c) reads by them, another (print.c) writes. */
#ifndef CONF_RULES_H
#define CONF_RULES_H

#include "conf/conf.h"
#include "conf/lexer.h"

struct parser;
struct frame;
struct block;
struct rule;

enum rule_kind {
	RULE_U32,    /* number: uint32_t */
	RULE_PORT,   /* number: uint16_t */
	RULE_BOOL,   /* yes or no: bool */
	RULE_PATH,   /* path: char[max + 1] */
	RULE_LOG,    /* yes, no or path: char[CONF_PATH_MAX + 1] */
	RULE_SYSLOG, /* yes, no or facility: uint8_t */
	RULE_RESYNC, /* yes, no or seconds: uint32_t */
	RULE_SCHED,  /* RR or FIFO: uint8_t */
	RULE_IFNAME, /* char[CONF_IFNAME_MAX + 1] */
	RULE_ADDR,   /* struct conf_addr of the family in .family */
	RULE_NET,    /* one more of conf_filter.nets */
	RULE_PEER,   /* conf_link.dest; the last one is one of .sources then */
	RULE_BLOCK,  /* a block of its own, or what .enter reads */
	RULE_SIGNED, /* number with or without sign, ignored */
	RULE_WORD,   /* a word, ignored */
	RULE_FLAG,   /* no value, ignored */
	RULE_KINDS
};

enum rule_flags {
	RULE_ZERO_IS_DEFAULT = 0x01, /* 0 is read as .deflt, with a warning */
	RULE_LEGACY = 0x02,          /* gone from today's reference */
	RULE_IGNORED = 0x04,         /* read, warned about, not kept */
	RULE_OMIT_ZERO = 0x08,       /* "unset" cannot be written: omit it */
	RULE_FIRST_COUNTS = 0x20,    /* repeated: the first one stays */
	RULE_ALIAS = 0x10,           /* other name of the rule .modern names */
	RULE_UNSET = 0x80, /* not given: CONF_UNSET, which is not printed */
};

enum enter_result {
	ENTER_BLOCK,  /* the block's '{' is due */
	ENTER_DONE,   /* the clause is complete without a block */
	ENTER_FAILED, /* told; go on at the next clause */
};

/* Reads the words between a keyword and '{'. *block and *base are those of
 * the rule on entry and may be replaced. */
typedef enum enter_result rule_enter_fn(struct parser *p, struct frame *f,
					const struct token *keyword,
					const struct block **block,
					void **base);

struct rule {
	const char *name;
	enum rule_kind kind;
	size_t at; /* offset in the object of the block */
	uint32_t min, max, deflt;
	unsigned int flags;
	uint8_t family;            /* ADDR, NET: enum family */
	const char *text;          /* PATH: default; LOG: path that yes means */
	const char *range;         /* suffix of the finding's name */
	const char *modern;        /* ALIAS: the name it is kept under */
	const char *note;          /* told as a warning when it is used */
	const struct block *block; /* BLOCK */
	rule_enter_fn *enter;      /* BLOCK: NULL if '{' follows at once */
};

enum block_id {
	BLOCK_FILE,
	BLOCK_GENERAL,
	BLOCK_UNIX,
	BLOCK_SCHEDULER,
	BLOCK_FILTER,
	BLOCK_PROTOCOL,
	BLOCK_ADDRESS,
	BLOCK_STATE,
	BLOCK_SYNC,
	BLOCK_ALARM,
	BLOCK_FTFW,
	BLOCK_NOTRACK,
	BLOCK_OPTIONS,
	BLOCK_EXPECT,
	BLOCK_MULTICAST,
	BLOCK_UDP,
	BLOCK_TCP,
	BLOCK_STATS,
	BLOCK_HELPER,
	BLOCK_TYPE,
	BLOCK_POLICY,
	BLOCK_OLD_TRAFFIC,
	BLOCK_OLD_PROTOCOL,
	BLOCKS
};

enum { NO_BASE = -1, RULES_MAX = 32, SCHED_PRIORITY_DEFAULT = 99 };

struct block {
	enum block_id id;
	const char *name;
	const struct rule *rules;
	size_t n_rules; /* at most RULES_MAX */
	/* where its object lies in struct conf; NO_BASE: one of several */
	long base;
	const char *items; /* what a list of words holds; NULL: no list */
	/* One word of the list; it has not been taken yet. */
	void (*item)(struct parser *p, struct frame *f);
	/* After '}' was taken. */
	void (*close)(struct parser *p, struct frame *f);
};

#define RULES(table) .rules = (table), .n_rules = N_ELEMENTS(table)

/* By enum block_id. */
extern const struct block *const conf_blocks[BLOCKS];

extern const struct block conf_block_file, conf_block_stats, conf_block_general,
	conf_block_unix, conf_block_scheduler, conf_block_filter,
	conf_block_protocol, conf_block_address, conf_block_state,
	conf_block_old_traffic, conf_block_old_protocol, conf_block_sync,
	conf_block_alarm, conf_block_ftfw, conf_block_notrack,
	conf_block_options, conf_block_expect, conf_block_multicast,
	conf_block_udp, conf_block_tcp, conf_block_helper, conf_block_type,
	conf_block_policy;

/* The rule of that exact name, NULL if the block has none. */
const struct rule *block_rule(const struct block *b, const struct token *name);

const struct rule *block_rule_named(const struct block *b, const char *name);

/* Sets the objects of all rules of a block to their defaults. */
void block_defaults(const struct block *b, void *base);

/* Hooks of rules in other files: see struct rule. */
rule_enter_fn sync_enter, helper_enter, link_enter, filter_enter,
	filter_enter_old, filter_enter_replicate;

/* The block of a mode's options. In rules_sync.c. */
const struct block *sync_mode_block(enum conf_mode mode);

#endif
