/* SPDX-License-Identifier: ISC */
#include "links.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "netlink/ifwatch.h"
#include "pump.h"

enum {
	PATIENCE_MS = 5000,   /* for links to come up after the start */
	REPAIR_FIRST_MS = 50, /* until a link is tried again; doubles */
	REPAIR_MOST_MS = 1000,
	SOURCES_LOGGED_MAX = 64, /* refused sources that get a line */
	SETTLE_MS = 250,         /* at least; and up to as long again */
};

/* What the log has last said of a link. */
enum link_told {
	LINK_TOLD_NOTHING, /* it is usable, or was never looked at */
	LINK_TOLD_STATE,   /* down, or without a carrier */
	LINK_TOLD_GONE,    /* no interface has its name */
	LINK_TOLD_FAILURE, /* no sockets can be had */
};

/* One of them. */
struct strand {
	struct links *links;
	struct link *link;
	int index;
	enum link_told told;
	bool was_usable; /* since the start */
	bool is_silent;  /* was left, and told, for what is missed here */
};

struct links {
	struct links_opts opts; /* without the links */
	struct linkset set;
	struct strand strands[LINKSET_MAX];
	struct ifwatch *ifwatch;
	bool is_started;
	struct pump *pump;
	struct timer patience; /* is set: links are still coming up */
	struct timer repair;   /* some link has to be tried again */
	int64_t repair_ms;     /* how long that waits, 0: nothing failed */
	struct {
		uint8_t link;
		struct addr addr;
	} logged[SOURCES_LOGGED_MAX];
	int n_logged;
};

static struct link *current(const struct links *l)
{
	return l->set.links[l->set.current];
}

static const char *interface_of(const struct strand *s)
{
	return link_opts(s->link)->interface;
}

static void link_changed(struct links *l)
{
	log_notice("device `%s' becomes dedicated link",
		   link_opts(current(l))->interface);
	node_link_changed(l->opts.node);
}

/* ---- receiving ---------------------------------------------------------- */

static bool was_logged(const struct links *l, int index,
		       const struct addr *from)
{
	for (int i = 0; i < l->n_logged; i++)
		if (l->logged[i].link == index &&
		    addr_equal(&l->logged[i].addr, from))
			return true;
	return false;
}

/* A line for each refused source, once; after many, none. */
static void on_refused(void *ctx, struct link *link, const struct addr *from)
{
	const struct strand *s = ctx;
	struct links *l = s->links;
	const struct link_opts *o = link_opts(link);
	char source[ADDR_TEXT_SIZE], peer[ADDR_TEXT_SIZE];

	if (l->n_logged == SOURCES_LOGGED_MAX || was_logged(l, s->index, from))
		return;
	l->logged[l->n_logged].link = (uint8_t)s->index;
	l->logged[l->n_logged++].addr = *from;
	addr_text(o->family, from, source);
	if (o->kind == LINK_MCAST)
		log_warn("link %s: datagrams from %s are refused: they did "
			 "not arrive on this interface",
			 o->interface, source);
	else
		log_warn("link %s: %s from %s are refused: the peer "
			 "is %s (%s_Destination_Address)",
			 o->interface,
			 o->kind == LINK_TCP ? "connections" : "datagrams",
			 source, addr_text(o->family, &o->remote, peer),
			 o->family == FAMILY_IPV4 ? "IPv4" : "IPv6");
}

/* Of a peer only copies come: the link that it uses is up, but carries nothing
 * to us. It follows when it hears us here. */
static void note_missed(struct strand *s, int64_t now_ms)
{
	struct links *l = s->links;
	struct strand *silent = &l->strands[l->set.current];

	if (!linkset_missed(&l->set, s->index, now_ms))
		return;
	if (!silent->is_silent)
		log_warn("link %s: nothing comes here from a peer that is "
			 "heard on %s",
			 interface_of(silent), interface_of(s));
	silent->is_silent = true;
	link_changed(l);
}

static void note_heard(struct strand *s, const struct node_heard *heard,
		       int64_t now_ms)
{
	struct links *l = s->links;

	if (s->is_silent)
		log_notice("link %s: a peer is heard here again",
			   interface_of(s));
	s->is_silent = false;
	if (heard->is_accepted && linkset_heard(&l->set, s->index, now_ms))
		link_changed(l); /* the peer sends there, so do we */
	if (heard->is_missed)
		note_missed(s, now_ms);
}

static void on_received(void *ctx, struct link *link, const struct addr *from,
			struct rd bytes)
{
	struct strand *s = ctx;
	int64_t now_ms = loop_now_ms(s->links->opts.loop);
	struct node_heard heard;
	const struct peer_addr place = {
		.link = (uint8_t)s->index,
		.family = (uint8_t)link_opts(link)->family,
		.addr = *from,
	};

	heard = node_receive(s->links->opts.node, &place, bytes, now_ms);
	if (heard.is_accepted || heard.is_copy)
		note_heard(s, &heard, now_ms);
}

/* ---- connections -------------------------------------------------------- */

static void on_link_event(void *ctx, struct link *link, enum link_event what,
			  int err)
{
	const struct strand *s = ctx;
	const struct link_opts *o = link_opts(link);
	char peer[ADDR_TEXT_SIZE];

	addr_text(o->family, &o->remote, peer);
	switch (what) {
	case LINK_CONNECTED:
		log_notice("link %s: connected to %s", o->interface, peer);
		if (link == current(s->links))
			node_connected(s->links->opts.node);
		break;
	case LINK_BROKEN:
		log_notice("link %s: the connection to %s is lost: %s",
			   o->interface, peer,
			   err ? strerror(-err) : "closed by the peer");
		break;
	case LINK_CUT_OFF:
		log_warn("link %s: %s reads nothing: the connection is closed "
			 "until it does",
			 o->interface, peer);
		break;
	case LINK_UNREACHED:
		log_warn("link %s: connect to %s: %s: tried again until it "
			 "works",
			 o->interface, peer, strerror(-err));
		break;
	}
}

/* ---- what happens to a link --------------------------------------------- */

static void note_buffers(const struct strand *s)
{
	uint32_t send_bytes, recv_bytes;

	if (link_buffer_note(s->link, &send_bytes, &recv_bytes))
		log_notice("link %s: the system gives socket buffers of %u "
			   "(send) and %u (receive) bytes only",
			   interface_of(s), send_bytes, recv_bytes);
}

static int repair_link(const struct strand *s, const char **failed)
{
	int err = link_repair(s->link, failed);

	if (err > 0)
		note_buffers(s);
	return err > 0 ? 0 : err;
}

static void tell_failure(struct strand *s, const char *failed, int err)
{
	if (s->told == LINK_TOLD_FAILURE)
		return;
	s->told = LINK_TOLD_FAILURE;
	log_warn("link %s: %s: %s: tried again until it works", interface_of(s),
		 failed, strerror(-err));
}

static enum link_told state_of(const struct strand *s)
{
	if (!link_has_interface(s->link))
		return LINK_TOLD_GONE;
	return link_status(s->link) == LINK_RUNNING ? LINK_TOLD_NOTHING
						    : LINK_TOLD_STATE;
}

/* What it is that keeps a link from being used, once; that its interface is
 * gone in any case, as it is down before; and that all is well. */
static void tell_state(struct strand *s)
{
	static const char *const texts[] = {
		[LINK_DOWN] = "is down",
		[LINK_NO_CARRIER] = "has no carrier",
	};
	enum link_told state = state_of(s);

	if (link_is_usable(s->link)) {
		if (s->told != LINK_TOLD_NOTHING)
			log_notice("link %s: is usable now", interface_of(s));
		s->told = LINK_TOLD_NOTHING;
		s->was_usable = true;
		return;
	}
	if (state == LINK_TOLD_NOTHING || state == s->told ||
	    (state == LINK_TOLD_STATE && s->told != LINK_TOLD_NOTHING) ||
	    (!s->was_usable && timer_is_set(&s->links->patience)))
		return;
	s->told = state;
	log_warn("link %s: %s", interface_of(s),
		 state == LINK_TOLD_GONE ? "there is no interface of this name"
					 : texts[link_status(s->link)]);
}

static void choose_link(struct links *l)
{
	switch (linkset_update(&l->set, loop_now_ms(l->opts.loop))) {
	case LINKSET_SAME:
		break;
	case LINKSET_SWITCHED:
	case LINKSET_RETURNED:
		link_changed(l);
		break;
	case LINKSET_LOST:
		log_error("no dedicated links available!");
		break;
	}
}

static void repair_later(struct links *l)
{
	if (timer_is_set(&l->repair))
		return;
	l->repair_ms = l->repair_ms ? l->repair_ms * 2 : REPAIR_FIRST_MS;
	if (l->repair_ms > REPAIR_MOST_MS)
		l->repair_ms = REPAIR_MOST_MS;
	timer_set(l->opts.loop, &l->repair,
		  loop_now_ms(l->opts.loop) + l->repair_ms);
}

/* Tries what has to be repaired, and comes back for what cannot be yet: an
 * address may be missing or tentative, descriptors used up. What lasts only for
 * a moment is not worth a line. */
static void repair_links(struct links *l)
{
	bool is_done = true;

	for (int i = 0; i < l->set.n_links; i++) {
		struct strand *s = &l->strands[i];
		const char *failed = "";
		int err = link_needs_repair(s->link) ? repair_link(s, &failed)
						     : 0;

		if (err < 0 && l->repair_ms == REPAIR_MOST_MS)
			tell_failure(s, failed, err);
		is_done &= err == 0;
		tell_state(s);
	}
	choose_link(l);
	if (!is_done) {
		repair_later(l);
		return;
	}
	timer_cancel(l->opts.loop, &l->repair);
	l->repair_ms = 0;
}

static void on_repair(void *ctx, int64_t now_ms)
{
	(void)now_ms;
	repair_links(ctx);
}

/* Links had their time to come up. */
static void on_patience(void *ctx, int64_t now_ms)
{
	struct links *l = ctx;

	(void)now_ms;
	if (links_is_there(l) || l->is_started) {
		repair_links(l);
		return;
	}
	for (int i = 0; i < l->set.n_links; i++)
		log_error("can't open channel socket: %s: interface: %s",
			  interface_of(&l->strands[i]), strerror(ENODEV));
	l->opts.has_no_links(l->opts.ctx);
}

static void on_interface(void *ctx, const char *name, uint32_t index,
			 enum ifwatch_status status, uint32_t mtu)
{
	static const enum link_status status_of[] = {
		[IFWATCH_GONE] = LINK_DOWN,
		[IFWATCH_DOWN] = LINK_DOWN,
		[IFWATCH_NO_CARRIER] = LINK_NO_CARRIER,
		[IFWATCH_RUNNING] = LINK_RUNNING,
	};
	struct links *l = ctx;

	for (int i = 0; i < l->set.n_links; i++)
		if (strcmp(interface_of(&l->strands[i]), name) == 0)
			link_set_interface(l->strands[i].link,
					   status_of[status], index, mtu);
	repair_links(l);
	if (links_is_there(l))
		l->opts.has_links(l->opts.ctx);
}

/* ---- start and end ------------------------------------------------------ */

/* What the state of interfaces and addresses causes, which may change; all else
 * is as it will be. */
static bool may_pass(int err)
{
	return err == -ENODEV || err == -EADDRNOTAVAIL || err == -ENETDOWN ||
	       err == -ENOBUFS;
}

static int open_link(struct links *l, const struct links_link *o)
{
	struct strand *s = &l->strands[l->set.n_links];
	const struct link_sink sink = { s, on_received, on_refused,
					on_link_event };
	const char *failed = "memory";
	int err = link_new(&o->link, l->opts.loop, &sink, &s->link);

	if (err == 0) {
		s->links = l;
		s->index = l->set.n_links;
		linkset_add(&l->set, s->link, o->is_default);
		failed = "interface";
		err = link_look(s->link);
	}
	if (err == 0)
		err = repair_link(s, &failed);
	if (err == 0 || (err == -ENODEV && !link_has_interface(s->link)))
		return 0;
	if (may_pass(err)) {
		tell_failure(s, failed, err);
		return 0;
	}
	log_error("can't open channel socket: %s: %s: %s", o->link.interface,
		  failed, strerror(-err));
	return err;
}

static int watch_interfaces(struct links *l)
{
	int err = ifwatch_open(l->opts.loop, on_interface, l, &l->ifwatch);

	for (int i = 0; i < l->set.n_links && err == 0; i++)
		err = ifwatch_add(l->ifwatch, interface_of(&l->strands[i]));
	if (err < 0)
		log_error("can't watch interfaces: %s", strerror(-err));
	return err;
}

static int open_all(struct links *l, const struct links_opts *o)
{
	int err = 0;

	l->pump = pump_new(o->loop, o->node, &l->set);
	if (!l->pump)
		return -ENOMEM;
	timer_set(o->loop, &l->patience, loop_clock_ms(o->loop) + PATIENCE_MS);
	linkset_init(&l->set, loop_now_ms(o->loop) + PATIENCE_MS,
		     SETTLE_MS + (uint32_t)(o->node_id % SETTLE_MS));
	for (size_t i = 0; i < o->n_links && err == 0; i++)
		err = open_link(l, &o->links[i]);
	return err < 0 ? err : watch_interfaces(l);
}

int links_open(const struct links_opts *opts, struct links **out)
{
	struct links *l = calloc(1, sizeof(*l));
	int err;

	assert(opts->n_links > 0 && opts->n_links <= LINKSET_MAX);
	if (!l) {
		log_error("can't open links: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	l->opts = *opts;
	l->opts.links = NULL;
	l->patience = (struct timer){ .fn = on_patience, .ctx = l };
	l->repair = (struct timer){ .fn = on_repair, .ctx = l };
	err = open_all(l, opts);
	if (err < 0) {
		links_close(l);
		return err;
	}
	*out = l;
	return 0;
}

void links_close(struct links *l)
{
	if (!l)
		return;
	ifwatch_close(l->ifwatch);
	for (int i = 0; i < l->set.n_links; i++)
		link_free(l->strands[i].link);
	timer_cancel(l->opts.loop, &l->patience);
	timer_cancel(l->opts.loop, &l->repair);
	pump_free(l->pump);
	free(l);
}

void links_start(struct links *l)
{
	l->is_started = true;
}

void links_pump(struct links *l)
{
	if (l->is_started)
		pump_run(l->pump);
}

bool links_is_there(const struct links *l)
{
	for (int i = 0; i < l->set.n_links; i++)
		if (link_has_interface(l->set.links[i]))
			return true;
	return false;
}

bool links_is_patient(const struct links *l)
{
	return timer_is_set(&l->patience);
}

const struct linkset *links_set(const struct links *l)
{
	return &l->set;
}
