/* SPDX-License-Identifier: ISC */
#include "trace.h"

#include <inttypes.h>

#include "sync/ext.h"
#include "sync/wire.h"

static const char *const event_names[] = {
	[ENGINE_PEER_FOUND] = "found",
	[ENGINE_PEER_ANSWERED] = "answered",
	[ENGINE_PEER_RESTARTED] = "restarted",
	[ENGINE_PEER_SILENT] = "silent",
	[ENGINE_PEER_DEAF] = "deaf",
	[ENGINE_PEER_RETURNED] = "returned",
	[ENGINE_PEER_ASKS_BULK] = "asks for a bulk",
	[ENGINE_PEER_REFUSED] = "refused",
	[ENGINE_PEER_NAME_TWICE] = "a name twice",
	[ENGINE_PEER_OTHER_MODE] = "another mode",
	[ENGINE_NODE_ID_TWICE] = "an id twice",
	[ENGINE_BULK_BEGINS] = "bulk begins",
	[ENGINE_BULK_SENT] = "bulk sent",
	[ENGINE_BULK_PROVEN] = "bulk proven",
	[ENGINE_PEER_LOSES] = "loses",
	[ENGINE_PEER_LOSES_NOT] = "loses no more",
};

static void print_time(FILE *out, const struct sim *s)
{
	fprintf(out, "%9.4f ",
		(double)s->now_ms / 1000 + (double)s->now_us / 1e6);
}

static void on_event(void *ctx, int node, enum engine_event what,
		     const struct peer *p)
{
	const struct trace *t = ctx;

	print_time(t->out, t->sim);
	fprintf(t->out, "node %d: %s", node,
		what < N_ELEMENTS(event_names) && event_names[what]
			? event_names[what]
			: "?");
	if (p && p->n_addrs)
		fprintf(t->out, ", peer %u at node %d (%016" PRIx64 ")",
			p->number, p->addrs[p->n_addrs - 1].addr.b[3] - 1,
			p->node);
	fprintf(t->out, "\n");
}

static void print_records(FILE *out, struct rd records)
{
	struct ext_record r;
	enum ext_step step;

	while ((step = ext_next(&records, &r)) == EXT_RECORD ||
	       step == EXT_UNKNOWN) {
		if (step == EXT_UNKNOWN)
			fprintf(out, " (unknown)");
		else if (r.type == EXT_ACK || r.type == EXT_NACK)
			fprintf(out, " (%s %u-%u for %04x)",
				r.type == EXT_ACK ? "ACK" : "NACK",
				r.range.from, r.range.to,
				(unsigned int)(r.range.node >> 48));
		else if (r.type == EXT_BULK_MARK)
			fprintf(out, " (%s of walk %u for %04x)",
				r.mark.phase == EXT_BULK_BEGIN ? "begin"
							       : "end",
				r.mark.walk, (unsigned int)(r.mark.node >> 48));
		else if (r.type == EXT_STABLE_NAME)
			fprintf(out, " (name %02x%02x%02x)", r.name[0],
				r.name[1], r.name[2]);
		else if (r.type == EXT_HELD)
			fprintf(out, " (holds %u)", r.oldest);
		else if (r.type == EXT_ASK)
			fprintf(out, " (asks %04x)",
				(unsigned int)(r.asked >> 48));
		else if (r.type == EXT_WANT)
			fprintf(out, " (wants all of %04x)",
				(unsigned int)(r.asked >> 48));
	}
}

static void print_flow(FILE *out, const struct msg *m)
{
	const struct wire_flow_opts opts = { .send_timeout = true };
	struct flow f;

	if (wire_flow_decode(m->body, &opts, &f, NULL) == VERDICT_OK)
		fprintf(out, " %d.%u", sim_flow_machine(&f),
			sim_flow_number(&f));
}

static void print_message(FILE *out, const struct msg *m)
{
	static const char *const types[] = { "NEW", "UPD", "DEL" };
	struct ext_alive ext;

	fprintf(out, " %u", m->seq);
	if (m->flags & MSG_HELLO)
		fprintf(out, " HELLO");
	if (m->flags & MSG_HELLO_BACK)
		fprintf(out, " HELLO_BACK");
	if (m->type < N_ELEMENTS(types)) {
		fprintf(out, " %s", types[m->type]);
		print_flow(out, m);
	} else if (m->flags & MSG_ACK)
		fprintf(out, " ACK %u-%u", m->from, m->to);
	else if (m->flags & MSG_NACK)
		fprintf(out, " NACK %u-%u", m->from, m->to);
	else if (m->flags & MSG_RESYNC)
		fprintf(out, " RESYNC");
	else
		fprintf(out, " ALIVE");
	if (m->type == MSG_CTL && (m->flags & MSG_ALIVE) &&
	    ext_open(m->body, &ext)) {
		fprintf(out, " of %04x", (unsigned int)(ext.node >> 48));
		print_records(out, ext.records);
	}
	fprintf(out, ";");
}

static void print_datagram(FILE *out, struct rd left)
{
	enum verdict why;
	struct msg m;

	while (wire_next(&left, &m, &why) == WIRE_MSG)
		print_message(out, &m);
	fprintf(out, "\n");
}

static void on_sent(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	const struct trace *t = ctx;

	print_time(t->out, t->sim);
	fprintf(t->out, "%d ->  :", from);
	print_datagram(t->out, (struct rd){ bytes, len });
}

static void on_heard(void *ctx, int from, int to, const uint8_t *bytes,
		     size_t len)
{
	const struct trace *t = ctx;

	print_time(t->out, t->sim);
	fprintf(t->out, "%d -> %d:", from, to);
	print_datagram(t->out, (struct rd){ bytes, len });
}

void trace_watch(struct trace *t, struct sim_watch *watch)
{
	*watch = (struct sim_watch){ .ctx = t, .event = on_event };
	if (!t->has_datagrams)
		return;
	watch->sent = on_sent;
	watch->heard = on_heard;
}

void trace_note(FILE *out, const struct sim *s, const char *text)
{
	if (!out)
		return;
	print_time(out, s);
	fprintf(out, "%s\n", text);
}

void trace_step(FILE *out, const struct sim *s, int number,
		const struct step *t)
{
	if (!out)
		return;
	print_time(out, s);
	fprintf(out, "step %d: ", number);
	step_print(t, out);
	fprintf(out, "\n");
}

static void print_peers(FILE *out, struct sim_node *n)
{
	const struct roster *t = node_peers(n->node);

	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &t->peers[i];

		if (!p->is_used)
			continue;
		fprintf(out,
			"    peer %d at node %d (%016" PRIx64 "): %slive, "
			"generation %u\n",
			i, p->addrs[p->n_addrs - 1].addr.b[3] - 1, p->node,
			p->is_live ? "" : "not ", (unsigned int)p->generation);
	}
}

static void print_node(FILE *out, struct sim_node *n)
{
	const struct store_stats *in = flow_cache_stats(n->internal);
	struct node_stats st;

	node_stats(n->node, &st);
	fprintf(out,
		"%u flows, %u and %u entries, %u others', %" PRIu64
		" swept; %u outstanding, %u dirty\n",
		n->kernel.n_alive, in->n_active, in->n_entries,
		flow_cache_stats(n->external_cache)->n_active, st.n_swept,
		st.engine.n_outstanding, st.engine.n_dirty);
	print_peers(out, n);
}

static void print_reference(FILE *out, struct sim_node *n)
{
	struct sim_reference_stats s = sim_reference_stats(n->reference);

	fprintf(out,
		"reference, %u flows, %u others'; %" PRIu64 " gaps, %" PRIu64
		" before, %" PRIu64 " malformed, %" PRIu64
		" emptied, %u held\n",
		n->kernel.n_alive,
		flow_cache_stats(n->external_cache)->n_active, s.n_lost,
		s.n_before, s.n_malformed, s.n_emptied, s.n_held);
}

void trace_nodes(FILE *out, struct sim *s)
{
	for (int i = 0; i < s->n_nodes && out; i++) {
		struct sim_node *n = &s->nodes[i];

		fprintf(out, "  node %d (%016" PRIx64 ") sent %" PRIu64 ": ", i,
			n->node_id, n->n_sent);
		if (n->reference)
			print_reference(out, n);
		else if (n->is_up)
			print_node(out, n);
		else
			fprintf(out, "down\n");
	}
}
