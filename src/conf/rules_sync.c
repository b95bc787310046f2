/* SPDX-License-Identifier: ISC */
/* rules_sync.c - Sync with its modes and options. */
#include <stdlib.h>
#include <string.h>

#include "conf/given.h"
#include "conf/helper_names.h"
#include "conf/parser.h"
#include "conf/terms.h"
#include "conf/unknown.h"
#include "conf/words.h"

enum {
	QUEUE_MAX = 1 << 27, /* objects; 4 bytes each in the ring */
	SECONDS_MAX = INT32_MAX,
	EXPECT_NAMES_MAX = 1024,
};

enum enter_result sync_enter(struct parser *p, struct frame *f,
			     const struct token *keyword,
			     const struct block **block, void **base)
{
	struct conf_sync *sync = &p->conf->sync;

	(void)f;
	(void)block;
	(void)base;
	p->has_section = true;
	if (!sync->present)
		sync->at = token_pos(keyword);
	sync->present = true;
	return ENTER_BLOCK;
}

const struct block *sync_mode_block(enum conf_mode mode)
{
	static const struct block *const blocks[] = {
		[CONF_FTFW] = &conf_block_ftfw,
		[CONF_ALARM] = &conf_block_alarm,
		[CONF_NOTRACK] = &conf_block_notrack,
	};

	return blocks[mode];
}

static void mode_unknown(struct parser *p, const struct token *t)
{
	char text[TOKEN_TEXT_SIZE];
	struct nearest near;

	nearest_init(&near, t->at, t->len);
	term_nearest_mode(&near);
	token_text(t, text);
	if (t->kind != TOKEN_WORD)
		parser_expected(p, t, "word-mode", "ALARM, FTFW or NOTRACK");
	else if (near.best)
		parser_error(p, token_pos(t), "word-mode",
			     "unknown mode %s, did you mean %s?", text,
			     near.best);
	else
		parser_error(p, token_pos(t), "word-mode",
			     "unknown mode %s, expected ALARM, FTFW or NOTRACK",
			     text);
}

static void mode_chosen(struct parser *p, const struct frame *f,
			const struct token *keyword, enum conf_mode mode)
{
	if (!p->mode_at[mode].line && (p->modes & ~(unsigned)MODE_UNKNOWN) &&
	    !f->is_extra)
		parser_warn(p, token_pos(keyword), "combination",
			    "a second Mode, beside that at %u:%u: FTFW is "
			    "preferred to ALARM, and that to NOTRACK, wherever "
			    "they stand",
			    (unsigned int)f->earlier.line,
			    (unsigned int)f->earlier.col);
	given_again(p, f, token_pos(keyword), p->mode_at[mode], "this Mode",
		    READ_AS_ONE);
	p->mode_at[mode] = token_pos(keyword);
	p->modes |= 1u << mode;
	/* enum conf_mode is in the order of preference */
	p->conf->sync.mode = CONF_FTFW;
	while (!(p->modes & 1u << p->conf->sync.mode))
		p->conf->sync.mode++;
}

static enum enter_result enter_mode(struct parser *p, struct frame *f,
				    const struct token *keyword,
				    const struct block **block, void **base)
{
	struct token t = parser_peek(p, LEX_WORD);
	enum conf_mode mode;
	const char *old;

	(void)base;
	if (!term_mode(&t, &mode, &old)) {
		p->modes |= MODE_UNKNOWN; /* do not say that it is missing */
		mode_unknown(p, &t);
		if (t.kind != TOKEN_WORD || t.first)
			return ENTER_FAILED;
		(void)parser_take(p, LEX_WORD);
		return ENTER_FAILED;
	}
	(void)parser_take(p, LEX_WORD);
	if (old)
		parser_warn(p, token_pos(&t), "deprecated",
			    "%s is the old name of %s", old,
			    conf_mode_name(mode));
	mode_chosen(p, f, keyword, mode);
	*block = sync_mode_block(mode);
	return ENTER_BLOCK;
}

static bool has_name(const struct conf_sync *sync, const struct token *t)
{
	for (size_t i = 0; i < sync->n_expect_names; i++)
		if (token_is(t, sync->expect_names[i]))
			return true;
	return false;
}

/* A helper may be anybody's own: an unknown name is an error only where a known
 * one was probably meant. False: told, the name is not kept. */
static bool expect_name(struct parser *p, const struct token *t)
{
	const char *instead = helper_name_instead(t->at, t->len);
	const char *near = helper_name_nearest(t->at, t->len);
	char text[TOKEN_TEXT_SIZE];

	token_text(t, text);
	if (helper_name_is_known(t->at, t->len))
		return true;
	if (instead)
		parser_warn(p, token_pos(t), "expect-helper",
			    "no helper has the name %s, write %s", text,
			    instead);
	else if (near)
		parser_error(p, token_pos(t), "expect-helper",
			     "unknown helper %s, did you mean %s?", text, near);
	else if (t->len > CONF_HELPER_NAME_MAX)
		parser_warn(p, token_pos(t), "length-helper",
			    "%s is longer than a helper's name can be, only "
			    "%d characters count",
			    text, CONF_HELPER_NAME_MAX);
	else
		parser_warn(
			p, token_pos(t), "expect-helper",
			"no helper of the kernel or the conntrack-tools has "
			"the name %s: taken for one of your own",
			text);
	return instead || !near;
}

/* The name of a helper, in the list of ExpectationSync. */
static void expect_item(struct parser *p, struct frame *f)
{
	struct conf_sync *sync = f->base;
	struct token t = parser_take(p, LEX_VALUE);
	char(*names)[CONF_HELPER_NAME_MAX + 1];

	if (!word_has_form_of_name(&t) || word_is_reserved(&t)) {
		unknown_report_item(p, f, &t, "word-helper");
		return;
	}
	if (!expect_name(p, &t))
		return;
	if (t.len > CONF_HELPER_NAME_MAX)
		t.len = CONF_HELPER_NAME_MAX;
	if (has_name(sync, &t))
		return;
	if (sync->n_expect_names == EXPECT_NAMES_MAX) {
		parser_error(p, token_pos(&t), "length-list",
			     "more than %d names in ExpectationSync",
			     EXPECT_NAMES_MAX);
		return;
	}
	names = parser_grow(p, sync->expect_names, sync->n_expect_names,
			    sizeof(*names));
	if (!names)
		return;
	sync->expect_names = names;
	token_copy(names[sync->n_expect_names++], sizeof(*names), &t);
}

static void close_expect(struct parser *p, struct frame *f)
{
	struct conf_sync *sync = f->base;

	if (sync->n_expect_names || !frame_is_clean(p, f))
		return;
	parser_warn(p, token_pos(&f->keyword), "empty-set",
		    "an empty list means the expectations of every helper");
	sync->expect_sync = CONF_EXPECT_ALL;
}

/* What became of an ExpectationSync before this one. */
static void tell_expect_again(struct parser *p, const struct frame *f,
			      const struct token *keyword, bool is_list,
			      bool on)
{
	bool was_list = p->conf->sync.expect_sync == CONF_EXPECT_LIST;
	const char *what = "no longer counts";

	if (was_list && is_list)
		what = READ_AS_ONE;
	else if (was_list && on)
		what = "still counts: yes does not extend a list";
	given_again(p, f, token_pos(keyword), f->earlier, "ExpectationSync",
		    what);
}

/* yes, no, or a list. A list stays a list when yes follows, as in the
 * reference. */
static enum enter_result enter_expect(struct parser *p, struct frame *f,
				      const struct token *keyword,
				      const struct block **block, void **base)
{
	struct conf_sync *sync = *base;
	struct token t = parser_peek(p, LEX_WORD);
	bool on = false;

	(void)block;
	if (t.kind == TOKEN_OPEN) {
		tell_expect_again(p, f, keyword, true, true);
		sync->expect_sync = CONF_EXPECT_LIST;
		return ENTER_BLOCK;
	}
	if (!term_bool(&t, &on)) {
		parser_expected(p, &t, "word-bool",
				"yes, no or a list of helpers in braces");
		return ENTER_FAILED;
	}
	(void)parser_take(p, LEX_WORD);
	tell_expect_again(p, f, keyword, false, on);
	if (!on) {
		free(sync->expect_names);
		sync->expect_names = NULL;
		sync->n_expect_names = 0;
		sync->expect_sync = CONF_EXPECT_OFF;
	} else if (sync->expect_sync != CONF_EXPECT_LIST) {
		sync->expect_sync = CONF_EXPECT_ALL;
	}
	return ENTER_DONE;
}

/* Sync { Checksum on }, until 1.4.4: for the first link. */
static enum enter_result enter_checksum(struct parser *p, struct frame *f,
					const struct token *keyword,
					const struct block **block, void **base)
{
	struct token t = parser_peek(p, LEX_WORD);
	bool on;

	(void)block;
	(void)base;
	if (!term_bool(&t, &on)) {
		parser_expected(p, &t, "word-bool", "yes or no");
		return ENTER_FAILED;
	}
	given_again(p, f, token_pos(keyword), f->earlier, "Checksum",
		    "no longer counts");
	(void)parser_take(p, LEX_WORD);
	p->sync_checksum = on ? 2 : 1;
	return ENTER_DONE;
}

#define AT(field) .at = offsetof(struct conf_sync, field)
#define REFRESH_TIME                                                        \
	{                                                                   \
		"RefreshTime", RULE_U32, AT(refresh_s), 1, SECONDS_MAX, 60, \
			RULE_ZERO_IS_DEFAULT, .range = "time"               \
	}
#define CACHE_TIMEOUT                                                          \
	{                                                                      \
		"CacheTimeout", RULE_U32, AT(cache_timeout_s), 1, SECONDS_MAX, \
			180, RULE_ZERO_IS_DEFAULT, .range = "time"             \
	}
#define COMMIT_TIMEOUT                                                        \
	{                                                                     \
		"CommitTimeout", RULE_U32, AT(commit_timeout_s), 0,           \
			SECONDS_MAX, .flags = RULE_OMIT_ZERO, .range = "time" \
	}
#define PURGE_TIMEOUT                                                          \
	{                                                                      \
		"PurgeTimeout", RULE_U32, AT(purge_timeout_s), 1, SECONDS_MAX, \
			60, RULE_ZERO_IS_DEFAULT, .range = "time"              \
	}
#define DISABLE_INTERNAL                                                      \
	{                                                                     \
		"DisableInternalCache", RULE_BOOL, AT(disable_internal_cache) \
	}
#define DISABLE_EXTERNAL                                                      \
	{                                                                     \
		"DisableExternalCache", RULE_BOOL, AT(disable_external_cache) \
	}
#define STARTUP_RESYNC                                         \
	{                                                      \
		"StartupResync", RULE_BOOL, AT(startup_resync) \
	}
#define RELAX_TRANSITIONS                                    \
	{                                                    \
		"RelaxTransitions", RULE_FLAG,               \
			.flags = RULE_IGNORED | RULE_LEGACY, \
			.note = "is ignored"                 \
	}
#define DELAY_DESTROY                                        \
	{                                                    \
		"DelayDestroyMessages", RULE_FLAG,           \
			.flags = RULE_IGNORED | RULE_LEGACY, \
			.note = "is ignored"                 \
	}

/* clang-format off */
static const struct rule alarm_rules[] = {
	REFRESH_TIME, CACHE_TIMEOUT, COMMIT_TIMEOUT, PURGE_TIMEOUT,
	RELAX_TRANSITIONS, DELAY_DESTROY,
};

static const struct rule ftfw_rules[] = {
	{ "ResendQueueSize", RULE_U32, AT(resend_queue_size), 1, QUEUE_MAX,
	  131072, RULE_ZERO_IS_DEFAULT, .range = "queue" },
	{ "ACKWindowSize", RULE_U32, AT(ack_window_size), 1, QUEUE_MAX, 300,
	  RULE_ZERO_IS_DEFAULT, .range = "window" },
	COMMIT_TIMEOUT, PURGE_TIMEOUT, DISABLE_EXTERNAL, STARTUP_RESYNC,
	{ "ResendBufferSize", RULE_U32, .max = UINT32_MAX,
	  .flags = RULE_IGNORED | RULE_LEGACY,
	  .note = "is ignored: ResendQueueSize has taken its place" },
};

static const struct rule notrack_rules[] = {
	COMMIT_TIMEOUT, PURGE_TIMEOUT, DISABLE_INTERNAL, DISABLE_EXTERNAL,
	STARTUP_RESYNC,
};

static const struct rule options_rules[] = {
	{ "ExpectationSync", RULE_BLOCK, .block = &conf_block_expect,
	  .enter = enter_expect },
	{ "TCPWindowTracking", RULE_BOOL, AT(tcp_window_tracking) },
};

static const struct rule sync_rules[] = {
	{ "Mode", RULE_BLOCK, .enter = enter_mode },
	{ "Multicast", RULE_BLOCK, .block = &conf_block_multicast,
	  .enter = link_enter },
	{ "UDP", RULE_BLOCK, .block = &conf_block_udp, .enter = link_enter },
	{ "TCP", RULE_BLOCK, .block = &conf_block_tcp, .enter = link_enter },
	{ "Options", RULE_BLOCK, .block = &conf_block_options },
	REFRESH_TIME, CACHE_TIMEOUT, COMMIT_TIMEOUT, PURGE_TIMEOUT,
	RELAX_TRANSITIONS, DELAY_DESTROY,
	{ "Replicate", RULE_BLOCK, .flags = RULE_LEGACY,
	  .enter = filter_enter_replicate,
	  .note = "is written Filter { State Accept { ... for TCP } } in "
		  "General" },
	{ "Checksum", RULE_BLOCK, .flags = RULE_LEGACY,
	  .enter = enter_checksum,
	  .note = "belongs in a link; here it is that of the first one" },
	{ "CacheWriteThrough", RULE_BOOL, .flags = RULE_IGNORED | RULE_LEGACY,
	  .note = "is ignored" },
	{ "DestroyTimeout", RULE_U32, .max = UINT32_MAX,
	  .flags = RULE_IGNORED | RULE_LEGACY, .note = "is ignored" },
	{ "ListenTo", RULE_ADDR, .family = FAMILY_IPV4,
	  .flags = RULE_IGNORED | RULE_LEGACY,
	  .note = "is ignored: IPv4_address of a UDP link is bound to" },
};
/* clang-format on */
#undef AT

#define BASE .base = offsetof(struct conf, sync)
const struct block conf_block_sync = {
	.id = BLOCK_SYNC, .name = "Sync", RULES(sync_rules), BASE
};
const struct block conf_block_alarm = {
	.id = BLOCK_ALARM, .name = "Mode ALARM", RULES(alarm_rules), BASE
};
const struct block conf_block_ftfw = {
	.id = BLOCK_FTFW, .name = "Mode FTFW", RULES(ftfw_rules), BASE
};
const struct block conf_block_notrack = {
	.id = BLOCK_NOTRACK, .name = "Mode NOTRACK", RULES(notrack_rules), BASE
};
const struct block conf_block_options = {
	.id = BLOCK_OPTIONS, .name = "Options", RULES(options_rules), BASE
};
const struct block conf_block_expect = {
	.id = BLOCK_EXPECT,
	.name = "ExpectationSync",
	BASE,
	.items = "the name of a helper",
	.item = expect_item,
	.close = close_expect,
};
#undef BASE
