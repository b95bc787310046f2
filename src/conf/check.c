/* SPDX-License-Identifier: ISC */
#include "conf/check.h"
#include "conf/given.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where an option stands last; line 0: nowhere. */
static struct conf_pos given_at(const struct parser *p, const char *block,
				const char *option)
{
	const struct conf_given *g =
		conf_find_given(p->conf, block, option, -1);

	return g ? g->at : (struct conf_pos){ 0 };
}

static struct conf_pos given_value(const struct parser *p, const char *block,
				   const char *option)
{
	const struct conf_given *g =
		conf_find_given(p->conf, block, option, -1);

	return g ? g->value : (struct conf_pos){ 0 };
}

static void check_sections(struct parser *p)
{
	const struct conf_sync *sync = &p->conf->sync;
	const struct conf_stats *stats = &p->conf->stats;
	struct conf_pos first = sync->at, second = stats->at;

	if (!p->has_section && !p->diags.n[CONF_ERROR] && !p->is_cut)
		parser_error(p, given_at(p, NULL, "General"), "empty",
			     "no Sync, Stats or Helper section: nothing to do");
	if (!sync->present || !stats->present)
		return;
	if (first.line > second.line) {
		first = stats->at;
		second = sync->at;
	}
	parser_error(p, second, "combination",
		     "Sync and Stats cannot be combined (the other section is "
		     "at %u:%u)",
		     (unsigned int)first.line, (unsigned int)first.col);
}

static void check_socket(struct parser *p)
{
	struct conf_general *g = &p->conf->general;

	g->has_unix_path = g->unix_path[0];
	if (p->has_section && !parser_is_unsure(p, BLOCK_UNIX) &&
	    !g->has_unix_path && !given_at(p, "UNIX", "Path").line)
		parser_warn(p, given_at(p, NULL, "General"), "missing-path",
			    "no UNIX Path, %s is used", CONF_DEFAULT_SOCKET);
}

static void check_buffers(struct parser *p)
{
	const struct conf_general *g = &p->conf->general;
	struct conf_pos at = given_at(p, "General", "NetlinkBufferSize");
	uint32_t size = g->netlink_buffer_bytes;
	uint32_t max = g->netlink_buffer_max_bytes;

	if (!at.line || !size || size == CONF_UNSET)
		return;
	if (!max || max == CONF_UNSET)
		parser_warn(p, at, "combination",
			    "NetlinkBufferSize without "
			    "NetlinkBufferSizeMaxGrowth: the buffer has this "
			    "size and does not grow");
	else if (size > max)
		parser_warn(p, at, "combination",
			    "NetlinkBufferSize is above "
			    "NetlinkBufferSizeMaxGrowth (%u): it is ignored, "
			    "the buffer begins with the system's size",
			    (unsigned int)max);
}

/* Without a Type the scheduler stays the ordinary one. */
static void check_scheduler(struct parser *p)
{
	struct conf_general *g = &p->conf->general;
	struct conf_pos priority = given_at(p, "Scheduler", "Priority");
	struct conf_pos type = given_at(p, "Scheduler", "Type");
	bool is_unsure = parser_is_unsure(p, BLOCK_SCHEDULER);

	if (priority.line && !type.line && !is_unsure)
		parser_warn(p, priority, "combination",
			    "Priority without Type has no effect");
	if (g->sched != CONF_SCHED_NONE && !priority.line && !is_unsure)
		parser_warn(p, given_at(p, NULL, "Scheduler"),
			    "missing-priority",
			    "Scheduler has no Priority, %u is used",
			    (unsigned int)g->sched_priority);
	if (g->sched != CONF_SCHED_NONE && !g->sched_priority) {
		parser_warn(p, given_value(p, "Scheduler", "Priority"),
			    "combination",
			    "real-time priorities are 1 to 99: with 0 the "
			    "ordinary scheduler is used");
		g->sched = CONF_SCHED_NONE;
	}
	if (g->sched == CONF_SCHED_NONE)
		g->sched_priority = 0;
}

static void check_syslog(struct parser *p)
{
	const struct conf_general *g = &p->conf->general;
	struct conf_stats *stats = &p->conf->stats;

	if (!stats->syslog || !g->syslog || stats->syslog == g->syslog)
		return;
	parser_warn(p, given_value(p, "Stats", "Syslog"), "combination",
		    "Stats has another facility than General: %s, at %u:%u, is "
		    "used",
		    conf_syslog_name((enum conf_syslog)g->syslog),
		    (unsigned int)given_value(p, "General", "Syslog").line,
		    (unsigned int)given_value(p, "General", "Syslog").col);
	stats->syslog = g->syslog;
}

/* Files that follow the manual of the reference have it in Stats. */
static void check_reliable(struct parser *p)
{
	struct conf_pos a = given_at(p, "General", "NetlinkEventsReliable");
	struct conf_pos b = given_at(p, "Stats", "NetlinkEventsReliable");
	bool is_first = a.line != b.line ? a.line < b.line : a.col < b.col;

	if (a.line && b.line)
		given_again(p, NULL, is_first ? b : a, is_first ? a : b,
			    "NetlinkEventsReliable", "no longer counts");
}

/* In polling mode there is no socket for events, and what a poll shows is
 * compared with the internal cache. */
static void check_polling(struct parser *p)
{
	static const struct {
		const char *block, *option;
	} rows[] = {
		{ "General", "NetlinkEventsReliable" },
		{ "General", "NetlinkOverrunResync" },
		{ "General", "NetlinkBufferSize" },
		{ "Mode NOTRACK", "DisableInternalCache" },
	};

	if (!p->conf->general.poll_s)
		return;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct conf_pos at = given_at(p, rows[i].block, rows[i].option);

		if (at.line)
			parser_warn(p, at, "combination",
				    "%s has no effect with PollSecs",
				    rows[i].option);
	}
}

/* The legacy clause in Sync is that of the first link, if it has none. */
static void check_checksum(struct parser *p)
{
	struct conf_sync *sync = &p->conf->sync;
	const struct conf_given *own;

	if (!p->sync_checksum || !sync->n_links)
		return;
	own = conf_find_given(p->conf, conf_link_kind_name(sync->links[0].kind),
			      "Checksum", 0);
	if (own)
		given_again(p, NULL, given_at(p, "Sync", "Checksum"), own->at,
			    "Checksum of the first link", "counts");
	else
		sync->links[0].checksum = p->sync_checksum == 2;
}

static bool same_addr(const struct conf_addr *a, const struct conf_addr *b)
{
	return a->family == b->family && addr_equal(&a->addr, &b->addr);
}

static bool same_link(const struct conf_link *a, const struct conf_link *b)
{
	return a->port && a->port == b->port && a->interface[0] &&
	       !strcmp(a->interface, b->interface) &&
	       same_addr(&a->local, &b->local) &&
	       same_addr(&a->group, &b->group) && same_addr(&a->dest, &b->dest);
}

/* Two of one address, port and device fail together. */
static void check_same_links(struct parser *p)
{
	const struct conf_sync *sync = &p->conf->sync;
	const struct conf_link *links = sync->links;

	for (size_t i = 1; i < sync->n_links; i++)
		for (size_t k = 0; k < i; k++) {
			if (!same_link(&links[k], &links[i]))
				continue;
			parser_warn(p, links[i].at, "duplicate",
				    "this link is the same as that at %u:%u",
				    (unsigned int)links[k].at.line,
				    (unsigned int)links[k].at.col);
			break;
		}
}

static void check_links(struct parser *p)
{
	struct conf_sync *sync = &p->conf->sync;

	if (!p->has_link && !parser_is_unsure(p, BLOCK_SYNC))
		parser_error(p, sync->at, "link",
			     "Sync has no Multicast, UDP or TCP link");
	check_checksum(p);
	check_same_links(p);
}

static void check_alarm(struct parser *p)
{
	const struct conf_sync *sync = &p->conf->sync;

	if (sync->mode == CONF_ALARM &&
	    sync->refresh_s >= sync->cache_timeout_s)
		parser_warn(p,
			    given_at(p, NULL, "RefreshTime").line
				    ? given_at(p, NULL, "RefreshTime")
				    : given_at(p, NULL, "CacheTimeout"),
			    "combination",
			    "entries are dropped after %u seconds "
			    "(CacheTimeout), but sent anew within %u only "
			    "(RefreshTime)",
			    (unsigned int)sync->cache_timeout_s,
			    (unsigned int)sync->refresh_s);
}

/* Options that are written for another mode than the one in force. */
static void check_other_modes(struct parser *p)
{
	static const struct {
		enum conf_mode mode;
		const char *block, *option;
	} rows[] = {
		{ CONF_ALARM, "Sync", "RefreshTime" },
		{ CONF_ALARM, "Sync", "CacheTimeout" },
		{ CONF_NOTRACK, "Mode NOTRACK", "DisableInternalCache" },
	};
	struct conf_sync *sync = &p->conf->sync;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct conf_pos at = given_at(p, rows[i].block, rows[i].option);

		if (at.line && sync->mode != rows[i].mode)
			parser_warn(p, at, "unused",
				    "%s has no effect in Mode %s",
				    rows[i].option, conf_mode_name(sync->mode));
	}
	if (sync->mode != CONF_NOTRACK)
		sync->disable_internal_cache = false;
	if (sync->mode == CONF_ALARM) {
		sync->disable_external_cache = false;
		sync->startup_resync = false;
	}
}

static void check_sync(struct parser *p)
{
	struct conf_sync *sync = &p->conf->sync;

	if (!sync->present)
		return;
	check_links(p);
	if (!p->modes && !parser_is_unsure(p, BLOCK_SYNC))
		parser_warn(p, sync->at, "missing-mode",
			    "Sync has no Mode, FTFW is used");
	check_other_modes(p);
	check_alarm(p);
	if (sync->commit_timeout_s && sync->disable_external_cache) {
		parser_warn(p, given_at(p, NULL, "CommitTimeout"),
			    "combination",
			    "CommitTimeout has no effect with "
			    "DisableExternalCache, it is ignored");
		sync->commit_timeout_s = 0;
	}
}

struct net_ref {
	const struct conf_net *net;
	size_t index;
};

static int compare_nets(const void *a, const void *b)
{
	const struct net_ref *x = a, *y = b;
	int d = (int)x->net->net.family - (int)y->net->net.family;

	if (!d)
		d = memcmp(&x->net->net.addr, &y->net->net.addr,
			   sizeof(x->net->net.addr));
	if (!d)
		d = (int)x->net->net.prefix_len - (int)y->net->net.prefix_len;
	return d ? d : (x->index > y->index) - (x->index < y->index);
}

static bool same_net(const struct conf_net *a, const struct conf_net *b)
{
	return a->net.family == b->net.family &&
	       a->net.prefix_len == b->net.prefix_len &&
	       addr_equal(&a->net.addr, &b->net.addr);
}

/* Tells of repeated networks and drops them, the order of the others stays. */
static void check_nets(struct parser *p)
{
	struct conf_filter *f = &p->conf->filter;
	struct net_ref *refs;
	size_t kept = 0;

	if (f->n_nets < 2)
		return;
	refs = calloc(f->n_nets, sizeof(*refs));
	if (!refs) {
		p->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < f->n_nets; i++)
		refs[i] = (struct net_ref){ &f->nets[i], i };
	qsort(refs, f->n_nets, sizeof(*refs), compare_nets);
	for (size_t i = 1; i < f->n_nets; i++) {
		if (!same_net(refs[i].net, refs[i - 1].net))
			continue;
		parser_warn(p, refs[i].net->at, "duplicate",
			    "this address or network is in the set already, at "
			    "%u:%u",
			    (unsigned int)refs[i - 1].net->at.line,
			    (unsigned int)refs[i - 1].net->at.col);
		f->nets[refs[i].index].net.family = FAMILY_NONE;
		refs[i].net = refs[i - 1].net; /* the next is compared to it */
	}
	for (size_t i = 0; i < f->n_nets; i++)
		if (f->nets[i].net.family != FAMILY_NONE)
			f->nets[kept++] = f->nets[i];
	f->n_nets = kept;
	free(refs);
}

/* A packet queue reaches one helper only. */
static void check_helpers(struct parser *p)
{
	const struct conf_helper *h = &p->conf->helper;
	uint32_t *users; /* by queue: index of the type, plus 1 */

	if (h->n_types < 2)
		return;
	users = calloc(UINT16_MAX + 1, sizeof(*users));
	if (!users) {
		p->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < h->n_types; i++) {
		const struct conf_helper_type *t = &h->types[i];
		uint32_t *user = &users[t->queue_num];
		const struct conf_helper_type *other =
			*user ? &h->types[*user - 1] : NULL;

		if (other)
			parser_warn(p, t->queue_at.line ? t->queue_at : t->at,
				    "queue",
				    "queue %u is used by %s at %u:%u already: "
				    "packets reach only one of them",
				    (unsigned int)t->queue_num, other->name,
				    (unsigned int)other->at.line,
				    (unsigned int)other->at.col);
		*user = (uint32_t)i + 1;
	}
	free(users);
}

void check_run(struct parser *p)
{
	check_sections(p);
	check_socket(p);
	check_buffers(p);
	check_scheduler(p);
	check_syslog(p);
	check_reliable(p);
	check_polling(p);
	check_sync(p);
	check_nets(p);
	check_helpers(p);
}
