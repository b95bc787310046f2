/* SPDX-License-Identifier: ISC */
#include "conf/terms.h"

#include "base/flow.h"

const char *conf_syslog_name(enum conf_syslog s)
{
	static const char *const names[] = {
		"no",     "daemon", "local0", "local1", "local2",
		"local3", "local4", "local5", "local6", "local7",
	};

	return names[s];
}

const char *conf_link_kind_name(enum conf_link_kind k)
{
	static const char *const names[] = {
		[CONF_MULTICAST] = "Multicast",
		[CONF_UDP] = "UDP",
		[CONF_TCP] = "TCP",
	};

	return names[k];
}

bool term_bool(const struct token *t, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "yes", true },
		      { "on", true },
		      { "no", false },
		      { "off", false } };

	for (size_t i = 0; t->kind == TOKEN_WORD && i < N_ELEMENTS(words); i++)
		if (token_is_nocase(t, words[i].word)) {
			*out = words[i].value;
			return true;
		}
	return false;
}

static const struct {
	const char *name;
	enum conf_mode mode;
	bool is_old;
} modes[] = {
	{ "FTFW", CONF_FTFW, false },       { "ALARM", CONF_ALARM, false },
	{ "NOTRACK", CONF_NOTRACK, false }, { "NACK", CONF_FTFW, true },
	{ "PERSISTENT", CONF_ALARM, true },
};

const char *conf_mode_name(enum conf_mode m)
{
	size_t i = 0;

	while (modes[i].mode != m)
		i++;
	return modes[i].name;
}

bool term_mode(const struct token *t, enum conf_mode *out, const char **old)
{
	for (size_t i = 0; i < N_ELEMENTS(modes); i++)
		if (token_is_nocase(t, modes[i].name)) {
			*out = modes[i].mode;
			*old = modes[i].is_old ? modes[i].name : NULL;
			return true;
		}
	return false;
}

void term_nearest_mode(struct nearest *near)
{
	for (size_t i = 0; i < N_ELEMENTS(modes); i++)
		if (!modes[i].is_old)
			nearest_try(near, modes[i].name);
}

/* Of two names of a state the first one is written. */
static const struct {
	const char *name;
	enum flow_tcp_state state;
} states[] = {
	{ "SYN_SENT", TCP_STATE_SYN_SENT },
	{ "SYN_RECV", TCP_STATE_SYN_RECV },
	{ "ESTABLISHED", TCP_STATE_ESTABLISHED },
	{ "FIN_WAIT", TCP_STATE_FIN_WAIT },
	{ "CLOSE_WAIT", TCP_STATE_CLOSE_WAIT },
	{ "LAST_ACK", TCP_STATE_LAST_ACK },
	{ "TIME_WAIT", TCP_STATE_TIME_WAIT },
	{ "CLOSED", TCP_STATE_CLOSE },
	{ "CLOSE", TCP_STATE_CLOSE },
	{ "LISTEN", TCP_STATE_SYN_SENT2 },
};

bool term_state(const struct token *t, unsigned int *out)
{
	for (size_t i = 0; i < N_ELEMENTS(states); i++)
		if (token_is(t, states[i].name)) {
			*out = states[i].state;
			return true;
		}
	return false;
}

const char *term_state_name(unsigned int state)
{
	for (size_t i = 0; i < N_ELEMENTS(states); i++)
		if ((unsigned int)states[i].state == state)
			return states[i].name;
	return NULL;
}

void term_nearest_state(struct nearest *near)
{
	for (size_t i = 0; i < N_ELEMENTS(states); i++)
		nearest_try(near, states[i].name);
}
