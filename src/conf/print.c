/* SPDX-License-Identifier: ISC */
/* print.c - a configuration as text again, by the tables it was read with. */
#include "conf/conf.h"
#include "conf/kinds.h"
#include "conf/protocols.h"
#include "conf/rules.h"
#include "conf/terms.h"

enum { INDENT_MAX = 8 };

static void indent(struct wr *w, int depth)
{
	for (int i = 0; i < depth && i < INDENT_MAX; i++)
		wr_u8(w, '\t');
}

/* The options of a block that are neither blocks nor lists. */
static void print_options(struct wr *w, int depth, const struct block *b,
			  const void *base)
{
	for (size_t i = 0; i < b->n_rules; i++) {
		const struct rule *r = &b->rules[i];
		const struct kind *kind = &conf_kinds[r->kind];
		const void *at = (const char *)base + r->at;

		if ((r->flags & (RULE_LEGACY | RULE_IGNORED | RULE_ALIAS)) ||
		    !kind->print || kind->is_unset(r, at))
			continue;
		indent(w, depth);
		wr_printf(w, "%s ", r->name);
		kind->print(w, at);
		wr_printf(w, "\n");
	}
}

static void open_brace(struct wr *w, int depth, const char *head,
		       const char *tail)
{
	indent(w, depth);
	wr_printf(w, "%s%s%s {\n", head, *tail ? " " : "", tail);
}

static void close_brace(struct wr *w, int depth)
{
	indent(w, depth);
	wr_printf(w, "}\n");
}

static const char *action_word(enum filter_action a)
{
	return a == FILTER_ACCEPT ? "Accept" : "Ignore";
}

static bool has_protocol(const struct conf_filter *f, unsigned int proto)
{
	return f->protocols[proto / 8] & 1u << proto % 8;
}

/* Numbers without a name can only be written in this old clause. It says
 * Ignore, but the set that follows in Filter has the last word. */
static void print_unnamed_protocols(struct wr *w, const struct conf_filter *f)
{
	bool open = false;

	for (unsigned int i = 0; i < 256; i++) {
		if (!has_protocol(f, i) || protocols_name(i))
			continue;
		if (!open)
			open_brace(w, 0, "IgnoreProtocol", "");
		open = true;
		wr_printf(w, "\t%u\n", i);
	}
	if (open)
		close_brace(w, 0);
}

static void print_protocols(struct wr *w, const struct conf_filter *f)
{
	open_brace(w, 2, "Protocol", action_word(f->protocol));
	for (unsigned int i = 0; i < 256; i++) {
		if (!has_protocol(f, i) || !protocols_name(i))
			continue;
		indent(w, 3);
		wr_printf(w, "%s\n", protocols_name(i));
	}
	close_brace(w, 2);
}

static void print_nets(struct wr *w, const struct conf_filter *f)
{
	char text[ADDR_TEXT_SIZE];

	open_brace(w, 2, "Address", action_word(f->address));
	for (size_t i = 0; i < f->n_nets; i++) {
		const struct filter_net *n = &f->nets[i].net;
		bool v4 = n->family == FAMILY_IPV4;

		indent(w, 3);
		wr_printf(w, "IPv%d_address %s", v4 ? 4 : 6,
			  addr_text((enum family)n->family, &n->addr, text));
		if (n->prefix_len != (v4 ? 32 : 128))
			wr_printf(w, "/%u", n->prefix_len);
		wr_printf(w, "\n");
	}
	close_brace(w, 2);
}

static void print_states(struct wr *w, const struct conf_filter *f)
{
	open_brace(w, 2, "State", action_word(f->state));
	indent(w, 3);
	for (unsigned int i = 0; i < 16; i++)
		if ((f->tcp_states & 1u << i) && term_state_name(i))
			wr_printf(w, "%s ", term_state_name(i));
	wr_printf(w, "for TCP\n");
	close_brace(w, 2);
}

static void print_filter(struct wr *w, const struct conf_filter *f)
{
	if (!f->present)
		return;
	open_brace(w, 1, "Filter From",
		   f->from_kernelspace ? "Kernelspace" : "Userspace");
	if (f->protocol != FILTER_NONE)
		print_protocols(w, f);
	if (f->address != FILTER_NONE)
		print_nets(w, f);
	if (f->state != FILTER_NONE)
		print_states(w, f);
	close_brace(w, 1);
}

static void print_general(struct wr *w, const struct conf *c)
{
	const struct conf_general *g = &c->general;

	open_brace(w, 0, "General", "");
	print_options(w, 1, &conf_block_general, g);
	open_brace(w, 1, "UNIX", "");
	print_options(w, 2, &conf_block_unix, g);
	close_brace(w, 1);
	if (g->sched != CONF_SCHED_NONE) {
		open_brace(w, 1, "Scheduler", "");
		print_options(w, 2, &conf_block_scheduler, g);
		close_brace(w, 1);
	}
	print_filter(w, &c->filter);
	close_brace(w, 0);
}

/* But for the last one, which is an option like others. */
static void print_sources(struct wr *w, const struct conf_link *l)
{
	char text[ADDR_TEXT_SIZE];

	for (size_t i = 0; i + 1 < l->n_sources; i++) {
		const struct conf_addr *a = &l->sources[i].addr;

		indent(w, 2);
		wr_printf(w, "IPv%d_Destination_Address %s\n",
			  a->family == FAMILY_IPV4 ? 4 : 6,
			  addr_text((enum family)a->family, &a->addr, text));
	}
}

static void print_link(struct wr *w, const struct conf_link *l)
{
	static const struct block *const blocks[] = {
		[CONF_MULTICAST] = &conf_block_multicast,
		[CONF_UDP] = &conf_block_udp,
		[CONF_TCP] = &conf_block_tcp,
	};

	open_brace(w, 1, conf_link_kind_name(l->kind),
		   l->is_default ? "Default" : "");
	print_sources(w, l);
	print_options(w, 2, blocks[l->kind], l);
	close_brace(w, 1);
}

static void print_sync_options(struct wr *w, const struct conf_sync *s)
{
	open_brace(w, 1, "Options", "");
	print_options(w, 2, &conf_block_options, s);
	if (s->expect_sync != CONF_EXPECT_LIST) {
		indent(w, 2);
		wr_printf(w, "ExpectationSync %s\n",
			  s->expect_sync == CONF_EXPECT_ALL ? "yes" : "no");
	} else {
		open_brace(w, 2, "ExpectationSync", "");
		for (size_t i = 0; i < s->n_expect_names; i++) {
			indent(w, 3);
			wr_printf(w, "%s\n", s->expect_names[i]);
		}
		close_brace(w, 2);
	}
	close_brace(w, 1);
}

static void print_sync(struct wr *w, const struct conf_sync *s)
{
	const struct block *mode = sync_mode_block(s->mode);

	if (!s->present)
		return;
	open_brace(w, 0, "Sync", "");
	open_brace(w, 1, mode->name, "");
	print_options(w, 2, mode, s);
	close_brace(w, 1);
	for (size_t i = 0; i < s->n_links; i++)
		print_link(w, &s->links[i]);
	print_sync_options(w, s);
	close_brace(w, 0);
}

static void print_helper(struct wr *w, const struct conf_helper *h)
{
	if (!h->present)
		return;
	open_brace(w, 0, "Helper", "");
	print_options(w, 1, &conf_block_helper, h);
	for (size_t i = 0; i < h->n_types; i++) {
		const struct conf_helper_type *t = &h->types[i];

		indent(w, 1);
		wr_printf(w, "Type %s %s %s {\n", t->name,
			  t->family == FAMILY_IPV4 ? "inet" : "inet6",
			  t->l4proto == L4_TCP ? "tcp" : "udp");
		print_options(w, 2, &conf_block_type, t);
		open_brace(w, 2, "Policy", t->name);
		print_options(w, 3, &conf_block_policy, t);
		close_brace(w, 2);
		close_brace(w, 1);
	}
	close_brace(w, 0);
}

void conf_print(const struct conf *c, struct wr *w)
{
	print_unnamed_protocols(w, &c->filter);
	print_general(w, c);
	print_sync(w, &c->sync);
	if (c->stats.present) {
		open_brace(w, 0, "Stats", "");
		print_options(w, 1, &conf_block_stats, c);
		close_brace(w, 0);
	}
	print_helper(w, &c->helper);
}
