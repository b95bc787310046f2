/* SPDX-License-Identifier: ISC */
/* The dedicated links: what arrives goes to the engine, what the engine has
 * goes out on the current one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon_state.h"

enum {
	SENDS_PER_TURN = 64, /* datagrams, before others get their turn */
	WAIT_FIRST_MS = 1,   /* after ENOBUFS; doubles */
	WAIT_MOST_MS = 50,
	PATIENCE_MS = 5000,   /* for links to come up after the start */
	REPAIR_FIRST_MS = 50, /* until a link is tried again; doubles */
	REPAIR_MOST_MS = 1000,
};

static struct link *current(const struct daemon *d)
{
	return d->links.set.links[d->links.set.current];
}

static void link_changed(struct daemon *d)
{
	log_notice("device `%s' becomes dedicated link",
		   link_opts(current(d))->interface);
	node_link_changed(d->node);
}

/* ---- receiving ---------------------------------------------------------- */

/* A line for each refused source, once; after many, none. */
static void log_refused(struct daemon *d, const struct daemon_link *l,
			const struct addr *from)
{
	const struct link_opts *o = link_opts(l->link);
	struct link_side *s = &d->links;
	char source[ADDR_TEXT_SIZE], peer[ADDR_TEXT_SIZE];

	for (int i = 0; i < s->n_logged; i++)
		if (s->logged[i].link == l->index &&
		    addr_equal(&s->logged[i].addr, from))
			return;
	if (s->n_logged == SOURCES_LOGGED_MAX)
		return;
	s->logged[s->n_logged].link = (uint8_t)l->index;
	s->logged[s->n_logged++].addr = *from;
	addr_text(o->family, from, source);
	if (o->kind == LINK_MCAST)
		log_warn("link %s: datagrams from %s are refused: they did "
			 "not arrive on this interface",
			 o->interface, source);
	else
		log_warn("link %s: datagrams from %s are refused: the peer "
			 "is %s (%s_Destination_Address)",
			 o->interface, source,
			 addr_text(o->family, &o->remote, peer),
			 o->family == FAMILY_IPV4 ? "IPv4" : "IPv6");
}

static void take_datagram(struct daemon *d, int link, const struct addr *addr,
			  struct rd dgram)
{
	struct peer_addr from = {
		.link = (uint8_t)link,
		.family = (uint8_t)link_opts(d->links.set.links[link])->family,
		.addr = *addr,
	};

	/* The peer sends there, so do we. */
	if (node_receive(d->node, &from, dgram, loop_now_ms(d->loop)) &&
	    linkset_heard(&d->links.set, link))
		link_changed(d);
}

static void on_readable(void *ctx, unsigned int events)
{
	struct daemon_link *l = ctx;
	struct daemon *d = l->daemon;

	(void)events;
	for (uint32_t i = 0; i < d->conf->general.event_iteration_limit; i++) {
		struct addr from = { { 0 } };
		uint16_t port;
		int n = link_recv(l->link, d->links.recv_buf, DGRAM_MAX, &from,
				  &port);

		if (n == -EAGAIN)
			break;
		if (n == -EPERM)
			log_refused(d, l, &from);
		else if (n > 0)
			take_datagram(
				d, l->index, &from,
				(struct rd){ d->links.recv_buf, (size_t)n });
	}
}

/* ---- sending ------------------------------------------------------------ */

static void watch_writable(struct daemon *d, bool on)
{
	struct daemon_link *l = &d->links.links[d->links.set.current];

	if (l->send_watch.is_added)
		watch_change(d->loop, &l->send_watch, on ? LOOP_WRITE : 0);
}

/* Sends or keeps the datagram. False: the link takes no more for now. */
static bool send_datagram(struct daemon *d)
{
	struct link_side *s = &d->links;
	int err = link_send(current(d), s->dgram, s->dgram_len);

	if (err == -EAGAIN) {
		watch_writable(d, true);
		return false;
	}
	if (err == -ENOBUFS) {
		/* The socket is writable at once again, so wait by time. */
		s->wait_ms = s->wait_ms ? s->wait_ms * 2 : WAIT_FIRST_MS;
		if (s->wait_ms > WAIT_MOST_MS)
			s->wait_ms = WAIT_MOST_MS;
		timer_set(d->loop, &s->wait, loop_now_ms(d->loop) + s->wait_ms);
		return false;
	}
	/* Other errors are counted by the link; what was in it is missed by
	 * the peers like any loss. */
	s->dgram_len = 0;
	s->wait_ms = 0;
	return true;
}

static enum fill fill_datagram(struct daemon *d)
{
	struct link_side *s = &d->links;
	struct wr w = { .buf = s->dgram, .size = DGRAM_MAX };
	enum fill done = node_fill(d->node, &w, link_payload_max(current(d)),
				   loop_now_ms(d->loop));

	s->dgram_len = w.used;
	return done;
}

void link_side_pump(struct daemon *d)
{
	struct link_side *s = &d->links;
	enum fill done = FILL_FULL;
	int n = 0;

	if (!d->is_running || timer_is_set(&s->wait))
		return;
	if (s->dgram_len && !send_datagram(d))
		return;
	while (done == FILL_FULL && n++ < SENDS_PER_TURN) {
		done = fill_datagram(d);
		if (s->dgram_len && !send_datagram(d))
			return;
	}
	if (done == FILL_FULL)
		loop_defer(d->loop, &s->more);
	timer_set(d->loop, &s->due, node_due_ms(d->node));
}

static void on_send_event(void *ctx, unsigned int events)
{
	struct daemon_link *l = ctx;

	if (events & LOOP_ERROR)
		link_drain_errors(l->link);
	if (events & LOOP_WRITE)
		watch_change(l->daemon->loop, &l->send_watch, 0);
}

/* The pump runs at the end of every turn, so waking up is enough. */
static void on_wake(void *ctx, int64_t now_ms)
{
	(void)ctx;
	(void)now_ms;
}

static void on_more(void *ctx)
{
	(void)ctx;
}

/* ---- what happens to a link --------------------------------------------- */

static const char *interface_of(const struct daemon_link *l)
{
	return link_opts(l->link)->interface;
}

static void unwatch_link(struct daemon_link *l)
{
	watch_remove(l->daemon->loop, &l->recv_watch);
	watch_remove(l->daemon->loop, &l->send_watch);
}

static int watch_link(struct daemon_link *l)
{
	struct loop *loop = l->daemon->loop;
	int err;

	unwatch_link(l);
	err = watch_add(loop, &l->recv_watch, link_recv_fd(l->link), LOOP_READ,
			on_readable, l);
	if (err == 0)
		err = watch_add(loop, &l->send_watch, link_send_fd(l->link), 0,
				on_send_event, l);
	return err;
}

static void note_buffers(const struct daemon_link *l)
{
	uint32_t send_bytes, recv_bytes;

	if (link_buffer_note(l->link, &send_bytes, &recv_bytes))
		log_notice("link %s: the system gives socket buffers of %u "
			   "(send) and %u (receive) bytes only",
			   interface_of(l), send_bytes, recv_bytes);
}

/* New sockets are watched; without a watch they are of no use. */
static int repair_link(struct daemon_link *l, const char **failed)
{
	int err = link_repair(l->link, failed);

	if (err <= 0)
		return err;
	*failed = "watch";
	err = watch_link(l);
	if (err == 0) {
		note_buffers(l);
		return 0;
	}
	unwatch_link(l);
	link_reset(l->link);
	return err;
}

static void tell_failure(struct daemon_link *l, const char *failed, int err)
{
	if (l->told == LINK_TOLD_FAILURE)
		return;
	l->told = LINK_TOLD_FAILURE;
	log_warn("link %s: %s: %s: tried again until it works", interface_of(l),
		 failed, strerror(-err));
}

static enum link_told state_of(const struct daemon_link *l)
{
	if (!link_has_interface(l->link))
		return LINK_TOLD_GONE;
	return link_status(l->link) == LINK_RUNNING ? LINK_TOLD_NOTHING
						    : LINK_TOLD_STATE;
}

/* What it is that keeps a link from being used, once; that its interface is
 * gone in any case, as it is down before; and that all is well. */
static void tell_state(struct daemon_link *l)
{
	static const char *const texts[] = {
		[LINK_DOWN] = "is down",
		[LINK_NO_CARRIER] = "has no carrier",
	};
	enum link_told state = state_of(l);

	if (link_is_usable(l->link)) {
		if (l->told != LINK_TOLD_NOTHING)
			log_notice("link %s: is usable now", interface_of(l));
		l->told = LINK_TOLD_NOTHING;
		l->was_usable = true;
		return;
	}
	if (state == LINK_TOLD_NOTHING || state == l->told ||
	    (state == LINK_TOLD_STATE && l->told != LINK_TOLD_NOTHING) ||
	    (!l->was_usable && timer_is_set(&l->daemon->links.patience)))
		return;
	l->told = state;
	log_warn("link %s: %s", interface_of(l),
		 state == LINK_TOLD_GONE ? "there is no interface of this name"
					 : texts[link_status(l->link)]);
}

static void choose_link(struct daemon *d)
{
	switch (linkset_update(&d->links.set, loop_now_ms(d->loop))) {
	case LINKSET_SAME:
		break;
	case LINKSET_SWITCHED:
	case LINKSET_RETURNED:
		link_changed(d);
		break;
	case LINKSET_LOST:
		log_error("no dedicated links available!");
		break;
	}
}

/* Tries what has to be repaired, and comes back for what cannot be yet: an
 * address may be missing or tentative, descriptors used up. What lasts only for
 * a moment is not worth a line. */
static void repair_links(struct daemon *d)
{
	struct link_side *s = &d->links;
	bool is_done = true;

	for (int i = 0; i < s->set.n_links; i++) {
		struct daemon_link *l = &s->links[i];
		const char *failed = "";
		int err = link_needs_repair(l->link) ? repair_link(l, &failed)
						     : 0;

		if (err < 0 && s->repair_ms == REPAIR_MOST_MS)
			tell_failure(l, failed, err);
		is_done &= err == 0;
		tell_state(l);
	}
	choose_link(d);
	if (is_done) {
		timer_cancel(d->loop, &s->repair);
		s->repair_ms = 0;
	} else if (!timer_is_set(&s->repair)) {
		s->repair_ms =
			s->repair_ms ? s->repair_ms * 2 : REPAIR_FIRST_MS;
		if (s->repair_ms > REPAIR_MOST_MS)
			s->repair_ms = REPAIR_MOST_MS;
		timer_set(d->loop, &s->repair,
			  loop_now_ms(d->loop) + s->repair_ms);
	}
}

static void on_repair(void *ctx, int64_t now_ms)
{
	(void)now_ms;
	repair_links(ctx);
}

bool link_side_is_there(const struct daemon *d)
{
	for (int i = 0; i < d->links.set.n_links; i++)
		if (link_has_interface(d->links.links[i].link))
			return true;
	return false;
}

/* Links had their time to come up. */
static void on_patience(void *ctx, int64_t now_ms)
{
	struct daemon *d = ctx;

	(void)now_ms;
	if (!link_side_is_there(d) && !d->is_running)
		daemon_has_no_links(d);
	else
		repair_links(d);
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
	struct daemon *d = ctx;

	for (int i = 0; i < d->links.set.n_links; i++) {
		struct daemon_link *l = &d->links.links[i];

		if (strcmp(interface_of(l), name) == 0)
			link_set_interface(l->link, status_of[status], index,
					   mtu);
	}
	repair_links(d);
	if (link_side_is_there(d))
		daemon_has_links(d);
}

/* ---- start and end ------------------------------------------------------ */

static struct link_opts opts_of(const struct conf_link *c)
{
	static const enum link_kind kind_of[] = { [CONF_MULTICAST] = LINK_MCAST,
						  [CONF_UDP] = LINK_UDP,
						  [CONF_TCP] = LINK_TCP };
	struct link_opts o = {
		.kind = kind_of[c->kind],
		.family = (enum family)c->family,
		.port = c->port,
		.send_buffer_bytes = c->snd_buffer,
		.recv_buffer_bytes = c->rcv_buffer,
		.checksum = c->checksum,
	};

	memcpy(o.interface, c->interface, sizeof(o.interface));
	if (c->kind == CONF_MULTICAST) {
		o.group_or_local = c->group.addr;
		o.interface_addr = c->local.addr;
		o.has_interface_addr = c->local.family != FAMILY_NONE;
	} else {
		o.group_or_local = c->local.addr;
		o.remote = c->dest.addr;
	}
	return o;
}

/* What the state of interfaces and addresses causes, which may change; all else
 * is as it will be. */
static bool may_pass(int err)
{
	return err == -ENODEV || err == -EADDRNOTAVAIL || err == -ENETDOWN ||
	       err == -ENOBUFS;
}

static int open_link(struct daemon *d, const struct conf_link *c)
{
	struct link_opts o = opts_of(c);
	struct daemon_link *l = &d->links.links[d->links.set.n_links];
	const char *failed = "kind of link";
	int err = link_new(&o, &l->link);

	if (err == 0) {
		l->daemon = d;
		l->index = d->links.set.n_links;
		linkset_add(&d->links.set, l->link, c->is_default);
		failed = "interface";
		err = link_look(l->link);
	}
	if (err == 0)
		err = repair_link(l, &failed);
	if (err == 0 || (!link_has_interface(l->link) && err == -ENODEV))
		return 0;
	if (may_pass(err)) {
		tell_failure(l, failed, err);
		return 0;
	}
	log_error("can't open channel socket: %s: %s: %s", o.interface, failed,
		  strerror(-err));
	return err;
}

static int watch_interfaces(struct daemon *d)
{
	struct link_side *s = &d->links;
	int err = ifwatch_open(d->loop, on_interface, d, &s->ifwatch);

	for (int i = 0; i < s->set.n_links && err == 0; i++)
		err = ifwatch_add(s->ifwatch,
				  link_opts(s->set.links[i])->interface);
	if (err < 0)
		log_error("can't watch interfaces: %s", strerror(-err));
	return err;
}

int link_side_open(struct daemon *d)
{
	struct link_side *s = &d->links;
	int err = 0;

	s->wait = (struct timer){ .fn = on_wake, .ctx = d };
	s->due = (struct timer){ .fn = on_wake, .ctx = d };
	s->more = (struct deferred){ .fn = on_more, .ctx = d };
	s->patience = (struct timer){ .fn = on_patience, .ctx = d };
	s->repair = (struct timer){ .fn = on_repair, .ctx = d };
	s->dgram = calloc(1, DGRAM_MAX);
	s->recv_buf = calloc(1, DGRAM_MAX);
	if (!s->dgram || !s->recv_buf)
		return -ENOMEM;
	timer_set(d->loop, &s->patience, loop_clock_ms(d->loop) + PATIENCE_MS);
	linkset_init(&s->set, loop_now_ms(d->loop) + PATIENCE_MS);
	for (size_t i = 0; i < d->conf->sync.n_links && err == 0; i++)
		err = open_link(d, &d->conf->sync.links[i]);
	return err < 0 ? err : watch_interfaces(d);
}

void link_side_close(struct daemon *d)
{
	struct link_side *s = &d->links;

	ifwatch_close(s->ifwatch);
	for (int i = 0; i < s->set.n_links; i++) {
		unwatch_link(&s->links[i]);
		link_free(s->links[i].link);
	}
	timer_cancel(d->loop, &s->patience);
	timer_cancel(d->loop, &s->repair);
	timer_cancel(d->loop, &s->wait);
	timer_cancel(d->loop, &s->due);
	loop_defer_cancel(d->loop, &s->more);
	free(s->dgram);
	free(s->recv_buf);
}
