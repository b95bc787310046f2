/* SPDX-License-Identifier: ISC */
#include "base/filter.h"

#include <stdlib.h>
#include <string.h>

/* The nets of one family and prefix length: neighbours in the array. */
struct net_group {
	uint8_t family;
	uint8_t prefix_len;
	size_t first, n;
};

struct filter {
	struct filter_opts sets; /* nets and links are ours: the next two */
	struct filter_net *nets; /* by family, prefix length, address */
	struct filter_link *links;
	struct net_group *groups;
	size_t n_groups;
};

static struct addr masked(const struct addr *a, unsigned int prefix_len)
{
	struct addr m = { { 0 } };
	size_t n = prefix_len / 8;
	unsigned int bits = prefix_len % 8;

	memcpy(m.b, a->b, n);
	if (bits > 0)
		m.b[n] = (uint8_t)(a->b[n] & 0xff00 >> bits);
	return m;
}

static bool is_same_group(const struct filter_net *a,
			  const struct filter_net *b)
{
	return a->family == b->family && a->prefix_len == b->prefix_len;
}

static int compare_nets(const void *left, const void *right)
{
	const struct filter_net *a = left, *b = right;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->prefix_len != b->prefix_len)
		return a->prefix_len < b->prefix_len ? -1 : 1;
	return memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));
}

static bool build_nets(struct filter *f, const struct filter_opts *opts)
{
	size_t n_groups = 0;

	f->nets = calloc(opts->n_nets + 1, sizeof(*f->nets));
	if (!f->nets)
		return false;
	if (opts->n_nets)
		memcpy(f->nets, opts->nets, opts->n_nets * sizeof(*f->nets));
	for (size_t i = 0; i < opts->n_nets; i++)
		f->nets[i].addr =
			masked(&f->nets[i].addr, f->nets[i].prefix_len);
	qsort(f->nets, opts->n_nets, sizeof(*f->nets), compare_nets);
	for (size_t i = 0; i < opts->n_nets; i++)
		n_groups +=
			i == 0 || !is_same_group(&f->nets[i], &f->nets[i - 1]);
	f->groups = calloc(n_groups + 1, sizeof(*f->groups));
	if (!f->groups)
		return false;
	for (size_t i = 0; i < opts->n_nets; i++) {
		if (i == 0 || !is_same_group(&f->nets[i], &f->nets[i - 1]))
			f->groups[f->n_groups++] = (struct net_group){
				.family = f->nets[i].family,
				.prefix_len = f->nets[i].prefix_len,
				.first = i,
			};
		f->groups[f->n_groups - 1].n++;
	}
	return true;
}

static bool build_links(struct filter *f, const struct filter_opts *opts)
{
	f->sets.n_links = 0;
	f->links = calloc(opts->n_links + 1, sizeof(*f->links));
	if (!f->links)
		return false;
	for (size_t i = 0; i < opts->n_links; i++) {
		struct filter_link l = opts->links[i];

		if (l.has_remote && addr_is_multicast(l.family, &l.remote))
			l.has_local = false;
		if (l.has_local || l.has_remote)
			f->links[f->sets.n_links++] = l;
	}
	return true;
}

struct filter *filter_new(const struct filter_opts *opts)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->sets = *opts;
	if (!build_links(f, opts) || !build_nets(f, opts)) {
		filter_free(f);
		return NULL;
	}
	f->sets.nets = f->nets;
	f->sets.links = f->links;
	return f;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	free(f->nets);
	free(f->groups);
	free(f->links);
	free(f);
}

const struct filter_opts *filter_sets(const struct filter *f)
{
	return &f->sets;
}

static bool is_end(bool is_known, const struct addr *end, const struct addr *a)
{
	return !is_known || addr_equal(end, a);
}

static bool is_between(const struct filter_link *l, const struct tuple *t)
{
	return (is_end(l->has_local, &l->local, &t->src) &&
		is_end(l->has_remote, &l->remote, &t->dst)) ||
	       (is_end(l->has_local, &l->local, &t->dst) &&
		is_end(l->has_remote, &l->remote, &t->src));
}

static bool is_own(const struct filter *f, const struct flow *flow)
{
	const struct tuple *t = &flow->orig;

	if (!(flow->has & FLOW_PORTS))
		return false;
	for (size_t i = 0; i < f->sets.n_links; i++) {
		const struct filter_link *l = &f->links[i];

		if (l->family == flow->family && l->l4proto == flow->l4proto &&
		    (l->port == t->sport || l->port == t->dport) &&
		    is_between(l, t))
			return true;
	}
	return false;
}

static bool has_net(const struct filter *f, uint8_t family,
		    const struct addr *a)
{
	for (size_t i = 0; i < f->n_groups; i++) {
		const struct net_group *g = &f->groups[i];
		struct filter_net key = { family, g->prefix_len, { { 0 } } };

		if (g->family != family)
			continue;
		key.addr = masked(a, g->prefix_len);
		if (bsearch(&key, f->nets + g->first, g->n, sizeof(key),
			    compare_nets))
			return true;
	}
	return false;
}

static bool is_listed_address(const struct filter *f, const struct flow *flow)
{
	struct tuple reply = flow_reply(flow);

	return has_net(f, flow->family, &flow->orig.src) ||
	       has_net(f, flow->family, &reply.src);
}

static bool is_listed_state(const struct filter *f, const struct flow *flow)
{
	return flow->tcp_state < 16 &&
	       f->sets.tcp_states >> flow->tcp_state & 1;
}

static bool passes(enum filter_action action, bool is_listed)
{
	return action == FILTER_NONE || is_listed == (action == FILTER_ACCEPT);
}

static bool has_lost_a_clash(const struct flow *flow)
{
	return flow->has & FLOW_STATUS && flow->status & STATUS_NAT_CLASH;
}

bool filter_accepts_end(const struct filter *f, const struct flow *flow)
{
	uint8_t p = flow->l4proto;

	if (flow->family == FAMILY_NONE || has_lost_a_clash(flow) ||
	    is_own(f, flow))
		return false;
	if (!passes(f->sets.protocol, f->sets.protocols[p / 8] >> p % 8 & 1))
		return false;
	return f->sets.address == FILTER_NONE ||
	       passes(f->sets.address, is_listed_address(f, flow));
}

bool filter_accepts(const struct filter *f, const struct flow *flow)
{
	if (!filter_accepts_end(f, flow))
		return false;
	return flow->l4proto != L4_TCP || !(flow->has & FLOW_TCP_STATE) ||
	       passes(f->sets.state, is_listed_state(f, flow));
}
