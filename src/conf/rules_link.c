/* SPDX-License-Identifier: ISC */
/* rules_link.c - the dedicated links: Multicast, UDP, TCP. */
#include "conf/parser.h"

static enum conf_link_kind kind_of(const struct block *b)
{
	if (b->id == BLOCK_MULTICAST)
		return CONF_MULTICAST;
	return b->id == BLOCK_UDP ? CONF_UDP : CONF_TCP;
}

/* The object for one more link; a spare one where it is refused. */
static struct conf_link *next_link(struct parser *p, struct frame *f,
				   const struct token *keyword)
{
	struct conf_sync *sync = &p->conf->sync;
	enum conf_link_kind kind = kind_of(f->block);

	if (sync->n_links && sync->links[0].kind != kind)
		parser_error(p, token_pos(keyword), "link-kind",
			     "%s cannot be combined with %s: the %s at %u:%u",
			     f->block->name,
			     conf_link_kind_name(sync->links[0].kind),
			     "first link is",
			     (unsigned int)sync->links[0].at.line,
			     (unsigned int)sync->links[0].at.col);
	else if (sync->n_links == CONF_LINKS_MAX)
		parser_error(p, token_pos(keyword), "link-count",
			     "more than %d links", CONF_LINKS_MAX);
	else
		return &sync->links[sync->n_links++];
	return &p->spare_link;
}

static void mark_default(struct parser *p, struct conf_link *link,
			 const struct token *t)
{
	struct conf_sync *sync = &p->conf->sync;

	for (size_t i = 0; i < sync->n_links; i++) {
		if (sync->links[i].is_default)
			parser_warn(p, token_pos(t), "duplicate",
				    "a second Default: this one is used first, "
				    "not that at %u:%u",
				    (unsigned int)sync->links[i].at.line,
				    (unsigned int)sync->links[i].at.col);
		sync->links[i].is_default = false;
	}
	link->is_default = true;
}

enum enter_result link_enter(struct parser *p, struct frame *f,
			     const struct token *keyword,
			     const struct block **block, void **base)
{
	struct conf_link *link = next_link(p, f, keyword);
	struct token t = parser_peek(p, LEX_WORD);

	(void)block;
	p->has_link = true;
	*link = (struct conf_link){ .kind = kind_of(f->block),
				    .at = token_pos(keyword) };
	block_defaults(f->block, link);
	*base = link;
	if (link != &p->spare_link)
		f->link = (int)p->conf->sync.n_links - 1;
	if (t.kind != TOKEN_WORD || block_rule(f->block, &t))
		return ENTER_BLOCK; /* or '{' is missing */
	if (token_is(&t, "Default"))
		mark_default(p, link, &t);
	else
		parser_expected(p, &t, "word", "'Default' or '{'");
	(void)parser_take(p, LEX_WORD);
	return ENTER_BLOCK;
}

static bool is_multicast(const struct conf_addr *a)
{
	return a->family == FAMILY_IPV4 ? (a->addr.b[0] & 0xf0) == 0xe0
					: a->addr.b[0] == 0xff;
}

static void missing(struct parser *p, const struct frame *f, const char *name,
		    const char *what)
{
	if (f->has_unknown) /* which may be it, under another name */
		return;
	parser_error(p, token_pos(&f->keyword), name, "%s has no %s",
		     f->block->name, what);
}

static bool given(const struct frame *f, const char *option)
{
	return frame_pos(f, option).at.line;
}

/* The values of two options that exclude each other, in the order of their
 * places. False: not both are given. */
static bool both_given(const struct frame *f, const char *a, const char *b,
		       struct conf_pos *first, struct conf_pos *second)
{
	struct conf_pos x = frame_pos(f, a).value, y = frame_pos(f, b).value;
	bool x_first = x.line != y.line ? x.line < y.line : x.col < y.col;

	*first = x_first ? x : y;
	*second = x_first ? y : x;
	return x.line && y.line;
}

static void check_common(struct parser *p, struct frame *f, const char *port)
{
	if (!given(f, "Interface"))
		missing(p, f, "missing-interface", "Interface");
	if (!given(f, port))
		missing(p, f, "missing-port", port);
}

static void check_group(struct parser *p, const struct frame *f,
			const struct conf_link *link)
{
	const char *option =
		link->family == FAMILY_IPV4 ? "IPv4_address" : "IPv6_address";
	char text[ADDR_TEXT_SIZE];

	if (link->family && !is_multicast(&link->group))
		parser_error(p, frame_pos(f, option).value, "multicast",
			     "%s is not a multicast address (%s)",
			     addr_text((enum family)link->family,
				       &link->group.addr, text),
			     link->family == FAMILY_IPV4 ? "224.0.0.0/4"
							 : "ff00::/8");
}

static void close_multicast(struct parser *p, struct frame *f)
{
	struct conf_link *link = f->base;
	struct conf_pos first, second;
	struct option_pos local = frame_pos(f, "IPv4_interface");

	check_common(p, f, "Group");
	if (!given(f, "IPv4_address") && !given(f, "IPv6_address"))
		missing(p, f, "missing-address",
			"group address: IPv4_address or IPv6_address");
	if (both_given(f, "IPv4_address", "IPv6_address", &first, &second))
		parser_error(p, second, "family",
			     "a second group address, of the other family: a "
			     "link has one, the first is at %u:%u",
			     (unsigned int)first.line, (unsigned int)first.col);
	link->family = link->group.family;
	check_group(p, f, link);
	if (link->family == FAMILY_IPV6 && local.at.line) {
		parser_warn(p, local.at, "unused",
			    "IPv4_interface has no effect with an IPv6 group");
		link->local = (struct conf_addr){ .family = FAMILY_NONE };
	}
}

/* Of either address the last one counts. What is left must agree; an address
 * of the other family before it is of no use. */
static void check_families(struct parser *p, struct frame *f)
{
	struct conf_link *link = f->base;
	enum family family = (enum family)(
		link->dest.family ? link->dest.family : link->local.family);
	bool is_v4 = family == FAMILY_IPV4;
	struct option_pos dest =
		frame_pos(f, is_v4 ? "IPv4_Destination_Address"
				   : "IPv6_Destination_Address");
	struct option_pos other =
		frame_pos(f, is_v4 ? "IPv6_address" : "IPv4_address");

	link->family = (uint8_t)family;
	if (!other.at.line)
		other = frame_pos(f, is_v4 ? "IPv6_Destination_Address"
					   : "IPv4_Destination_Address");
	if (link->local.family && link->local.family != family)
		parser_error(p, dest.at, "family",
			     "the local address is IPv%d, but the destination "
			     "IPv%d",
			     is_v4 ? 6 : 4, is_v4 ? 4 : 6);
	else if (family && other.at.line)
		parser_warn(p, other.at, "family",
			    "this IPv%d address has no effect: a link has one "
			    "family, that of its last address, IPv%d",
			    is_v4 ? 6 : 4, is_v4 ? 4 : 6);
}

static void drop_other_sources(struct conf_link *link)
{
	size_t kept = 0;

	for (size_t i = 0; i < link->n_sources; i++)
		if (link->sources[i].addr.family == link->family)
			link->sources[kept++] = link->sources[i];
	link->n_sources = kept;
}

static void close_unicast(struct parser *p, struct frame *f)
{
	struct conf_link *link = f->base;
	bool has_local = given(f, "IPv4_address") || given(f, "IPv6_address");

	check_common(p, f, "Port");
	if (!given(f, "IPv4_Destination_Address") &&
	    !given(f, "IPv6_Destination_Address"))
		missing(p, f, "missing-destination",
			has_local ? "destination: IPv4_Destination_Address or "
				    "IPv6_Destination_Address"
				  : "addresses: IPv4_address and "
				    "IPv4_Destination_Address, or those of "
				    "IPv6");
	else if (!has_local && !f->has_unknown)
		parser_warn(p, token_pos(&f->keyword), "missing-address",
			    "%s has no local address, it takes messages on all "
			    "of this machine",
			    f->block->name);
	check_families(p, f);
	drop_other_sources(link);
	if (link->dest.family && is_multicast(&link->dest))
		parser_warn(p,
			    frame_pos(f, link->dest.family == FAMILY_IPV4
						 ? "IPv4_Destination_Address"
						 : "IPv6_Destination_Address")
				    .value,
			    "multicast",
			    "the destination is a multicast address, for which "
			    "there are Multicast links");
}

#define AT(field) .at = offsetof(struct conf_link, field)
#define COMMON                                                  \
	{ "Interface", RULE_IFNAME, AT(interface) },            \
		{ "SndSocketBuffer",                            \
		  RULE_U32,                                     \
		  AT(snd_buffer),                               \
		  0,                                            \
		  INT32_MAX,                                    \
		  .range = "buffer",                            \
		  .flags = RULE_OMIT_ZERO },                    \
		{ "RcvSocketBuffer",                            \
		  RULE_U32,                                     \
		  AT(rcv_buffer),                               \
		  0,                                            \
		  INT32_MAX,                                    \
		  .range = "buffer",                            \
		  .flags = RULE_OMIT_ZERO },                    \
	{                                                       \
		"Checksum", RULE_BOOL, AT(checksum), .deflt = 1 \
	}
#define UNICAST                                                          \
	{ "IPv4_address", RULE_ADDR, AT(local), .family = FAMILY_IPV4 }, \
		{ "IPv6_address", RULE_ADDR, AT(local),                  \
		  .family = FAMILY_IPV6 },                               \
		{ "IPv4_Destination_Address", RULE_PEER, AT(dest),       \
		  .family = FAMILY_IPV4 },                               \
		{ "IPv6_Destination_Address", RULE_PEER, AT(dest),       \
		  .family = FAMILY_IPV6 },                               \
	{                                                                \
		"Port", RULE_PORT, AT(port), 1, UINT16_MAX,              \
			.range = "port", .flags = RULE_OMIT_ZERO         \
	}

/* clang-format off */
static const struct rule multicast_rules[] = {
	{ "IPv4_address", RULE_ADDR, AT(group), .family = FAMILY_IPV4 },
	{ "IPv6_address", RULE_ADDR, AT(group), .family = FAMILY_IPV6 },
	{ "IPv4_interface", RULE_ADDR, AT(local), .family = FAMILY_IPV4 },
	{ "IPv6_interface", RULE_ADDR, .family = FAMILY_IPV6,
	  .flags = RULE_IGNORED,
	  .note = "is ignored: Interface is all that IPv6 needs" },
	{ "Group", RULE_PORT, AT(port), 1, UINT16_MAX, .range = "port",
	  .flags = RULE_OMIT_ZERO },
	COMMON,
	{ "McastSndSocketBuffer", RULE_U32, AT(snd_buffer), 0, INT32_MAX,
	  .range = "buffer", .flags = RULE_ALIAS | RULE_LEGACY,
	  .modern = "SndSocketBuffer", .note = "is written SndSocketBuffer" },
	{ "McastRcvSocketBuffer", RULE_U32, AT(rcv_buffer), 0, INT32_MAX,
	  .range = "buffer", .flags = RULE_ALIAS | RULE_LEGACY,
	  .modern = "RcvSocketBuffer", .note = "is written RcvSocketBuffer" },
	{ "Backlog", RULE_U32, .max = UINT32_MAX,
	  .flags = RULE_IGNORED | RULE_LEGACY, .note = "is ignored" },
};

static const struct rule udp_rules[] = { UNICAST, COMMON };

static const struct rule tcp_rules[] = {
	UNICAST, COMMON,
	{ "ErrorQueueLength", RULE_U32, AT(error_queue_len), 1, INT32_MAX, 128,
	  RULE_ZERO_IS_DEFAULT, .range = "queue" },
};
/* clang-format on */

const struct block conf_block_multicast = {
	.id = BLOCK_MULTICAST,
	.name = "Multicast",
	RULES(multicast_rules),
	.base = NO_BASE,
	.close = close_multicast,
};

const struct block conf_block_udp = {
	.id = BLOCK_UDP,
	.name = "UDP",
	RULES(udp_rules),
	.base = NO_BASE,
	.close = close_unicast,
};

const struct block conf_block_tcp = {
	.id = BLOCK_TCP,
	.name = "TCP",
	RULES(tcp_rules),
	.base = NO_BASE,
	.close = close_unicast,
};
