/* SPDX-License-Identifier: ISC */
/* rules.c - all blocks in one table, and what can be said of any rule. */
#include "conf/rules.h"

#include <stdio.h>
#include <string.h>

#include "conf/values.h"

const struct block *const conf_blocks[] = {
	[BLOCK_FILE] = &conf_block_file,
	[BLOCK_GENERAL] = &conf_block_general,
	[BLOCK_UNIX] = &conf_block_unix,
	[BLOCK_SCHEDULER] = &conf_block_scheduler,
	[BLOCK_FILTER] = &conf_block_filter,
	[BLOCK_PROTOCOL] = &conf_block_protocol,
	[BLOCK_ADDRESS] = &conf_block_address,
	[BLOCK_STATE] = &conf_block_state,
	[BLOCK_SYNC] = &conf_block_sync,
	[BLOCK_ALARM] = &conf_block_alarm,
	[BLOCK_FTFW] = &conf_block_ftfw,
	[BLOCK_NOTRACK] = &conf_block_notrack,
	[BLOCK_OPTIONS] = &conf_block_options,
	[BLOCK_EXPECT] = &conf_block_expect,
	[BLOCK_MULTICAST] = &conf_block_multicast,
	[BLOCK_UDP] = &conf_block_udp,
	[BLOCK_TCP] = &conf_block_tcp,
	[BLOCK_STATS] = &conf_block_stats,
	[BLOCK_HELPER] = &conf_block_helper,
	[BLOCK_TYPE] = &conf_block_type,
	[BLOCK_POLICY] = &conf_block_policy,
	[BLOCK_OLD_TRAFFIC] = &conf_block_old_traffic,
	[BLOCK_OLD_PROTOCOL] = &conf_block_old_protocol,
};
_Static_assert(N_ELEMENTS(conf_blocks) == BLOCKS, "a row for each block_id");

const struct rule *block_rule(const struct block *b, const struct token *name)
{
	for (size_t i = 0; i < b->n_rules; i++)
		if (token_is(name, b->rules[i].name))
			return &b->rules[i];
	return NULL;
}

const struct rule *block_rule_named(const struct block *b, const char *name)
{
	const struct token t = { .at = name, .len = strlen(name) };

	return block_rule(b, &t);
}

static void rule_default(const struct rule *r, void *base)
{
	char *at = (char *)base + r->at;
	uint32_t number = r->flags & RULE_UNSET ? CONF_UNSET : r->deflt;
	bool on = r->deflt != 0;

	if (r->flags & (RULE_IGNORED | RULE_ALIAS))
		return;
	if (r->kind == RULE_U32 || r->kind == RULE_RESYNC)
		memcpy(at, &number, sizeof(number));
	else if (r->kind == RULE_BOOL)
		memcpy(at, &on, sizeof(on));
	else if (r->kind == RULE_PATH)
		memcpy(at, r->text, strlen(r->text) + 1);
}

void block_defaults(const struct block *b, void *base)
{
	for (size_t i = 0; i < b->n_rules; i++)
		rule_default(&b->rules[i], base);
}

static const char *default_text(const struct rule *r, char out[32])
{
	if (r->kind == RULE_PATH)
		return r->text;
	if (r->kind == RULE_LOG || r->kind == RULE_SYSLOG)
		return "no";
	if (r->kind == RULE_BOOL)
		return r->deflt ? "yes" : "no";
	if (r->kind != RULE_U32 && r->kind != RULE_RESYNC)
		return "";
	if (r->flags & RULE_UNSET ||
	    (!r->deflt && (r->flags & (RULE_OMIT_ZERO | RULE_IGNORED))))
		return "";
	snprintf(out, 32, "%u", (unsigned int)r->deflt);
	return out;
}

void conf_for_each_option(conf_option_fn *fn, void *ctx)
{
	for (size_t b = 0; b < BLOCKS; b++)
		for (size_t i = 0; i < conf_blocks[b]->n_rules; i++) {
			const struct rule *r = &conf_blocks[b]->rules[i];
			bool ranged = r->kind == RULE_U32 ||
				      r->kind == RULE_PORT ||
				      r->kind == RULE_RESYNC;
			char text[32];
			const struct conf_option o = {
				.block = conf_blocks[b]->name,
				.name = r->name,
				.type = value_type(r->kind),
				.min = ranged ? r->min : 0,
				.max = ranged ? r->max : 0,
				.deflt = default_text(r, text),
				.alias_of = r->modern,
				.note = r->note,
			};

			fn(ctx, &o);
		}
}
