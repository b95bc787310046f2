/* SPDX-License-Identifier: ISC */
/* rules.c - all blocks in one table, and what can be said of any rule. */
#include "conf/rules.h"

#include <string.h>

#include "conf/kinds.h"

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

void block_defaults(const struct block *b, void *base)
{
	for (size_t i = 0; i < b->n_rules; i++) {
		const struct rule *r = &b->rules[i];
		const struct kind *kind = &conf_kinds[r->kind];

		if (kind->set_default &&
		    !(r->flags & (RULE_IGNORED | RULE_ALIAS)))
			kind->set_default(r, (char *)base + r->at);
	}
}

enum { TEXT_SIZE = CONF_PATH_MAX + 1 };

/* Writes the default as it stands in a file, and a zero byte: it is set in an
 * object of its own, and that is printed. "" if it cannot be written. */
static void write_default(const struct rule *r, struct wr *w)
{
	const struct kind *kind = &conf_kinds[r->kind];
	union {
		char text[TEXT_SIZE];
		uint32_t number;
		struct conf_addr addr;
	} value = { { 0 } };

	if (kind->set_default)
		kind->set_default(r, &value);
	if (kind->print && !kind->is_unset(r, &value))
		kind->print(w, &value);
	wr_u8(w, '\0');
}

void conf_for_each_option(conf_option_fn *fn, void *ctx)
{
	for (size_t b = 0; b < BLOCKS; b++)
		for (size_t i = 0; i < conf_blocks[b]->n_rules; i++) {
			const struct rule *r = &conf_blocks[b]->rules[i];
			const struct kind *kind = &conf_kinds[r->kind];
			char text[TEXT_SIZE];
			struct wr w = { .buf = (uint8_t *)text,
					.size = sizeof(text) };
			const struct conf_option o = {
				.block = conf_blocks[b]->name,
				.name = r->name,
				.type = kind->type,
				.min = kind->is_ranged ? r->min : 0,
				.max = kind->is_ranged ? r->max : 0,
				.deflt = text,
				.alias_of = r->modern,
				.note = r->note,
			};

			write_default(r, &w);
			fn(ctx, &o);
		}
}
