/* SPDX-License-Identifier: ISC */
#include "sim_reference.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sync/seq.h"
#include "sync/wire.h"
#include "sync/wire_flow.h"

enum {
	ALIVE_MS = 1000,
	CAPACITY = 1472, /* of its buffer; a datagram is shorter */
	MESSAGE_MAX = 512,
};

enum hello { HELLO_INIT, HELLO_SAY, HELLO_DONE };

/* What waits to be sent, or was sent and waits to be acknowledged. */
struct element {
	struct element *prev, *next;
	struct queue_of *in;
	struct object *object; /* or, NULL, a control message: */
	uint8_t flags;         /* stay when it is sent again */
	uint32_t from, to;
	/* once it was sent: */
	uint32_t seq;
	enum msg_type type; /* of an object */
};

struct queue_of {
	struct element *first, *last;
	uint32_t n;
};

/* A flow of its own, and after its end what became of it. */
struct object {
	uint32_t number;
	bool exists;
	bool is_dead;
	bool is_changed; /* at least once since it was added: sent as UPD */
	struct element *element; /* in a queue */
	/* what was last sent of it */
	struct sim_flow told;
	bool was_told;
	enum sim_fate fate;
	bool is_end_told;
};

/* What it heard last of a flow of somebody else. */
struct heard {
	bool is_late;
};

struct sim_reference {
	struct sim_reference_opts o;
	int64_t now_ms, alive_ms;
	uint32_t next_seq;
	/* its state, as PROTOCOL.md 3 names it */
	uint32_t last;
	bool last_set;
	uint32_t window;
	uint32_t ack_from;
	bool ack_from_set;
	enum hello hello;
	bool hello_back;
	struct queue_of transmit, resend;

	struct object **objects; /* by number */
	uint32_t n_objects;
	struct flow_cache *external;
	struct heard *heard; /* by number */
	uint32_t n_heard;
	/* The newest message it took, and the life of its sender; of the one
	 * that is being taken. */
	uint32_t newest, newest_life, life;
	uint8_t buf[CAPACITY];
	size_t used;
	struct sim_reference_stats stats;
};

/* ---- queues ------------------------------------------------------------- */

static void queue_append(struct queue_of *q, struct element *e)
{
	e->in = q;
	e->prev = q->last;
	e->next = NULL;
	if (q->last)
		q->last->next = e;
	else
		q->first = e;
	q->last = e;
	q->n++;
}

static void queue_take(struct element *e)
{
	struct queue_of *q = e->in;

	if (e->prev)
		e->prev->next = e->next;
	else
		q->first = e->next;
	if (e->next)
		e->next->prev = e->prev;
	else
		q->last = e->prev;
	q->n--;
	e->in = NULL;
}

static struct element *new_element(void)
{
	struct element *e = malloc(sizeof(*e));

	assert(e);
	*e = (struct element){ 0 };
	return e;
}

static void free_element(struct element *e)
{
	queue_take(e);
	if (e->object)
		e->object->element = NULL;
	free(e);
}

static void queue_control(struct sim_reference *r, uint8_t flag, uint32_t from,
			  uint32_t to)
{
	struct element *e = new_element();

	e->flags = flag;
	e->from = from;
	e->to = to;
	queue_append(&r->transmit, e);
}

/* An object is at most once in a queue; one that changes while it is held is
 * not held any more. */
static void queue_object(struct sim_reference *r, struct object *o)
{
	struct element *e = o->element;

	o->fate = FATE_HELD;
	if (e && e->in == &r->transmit)
		return;
	if (e) {
		queue_take(e);
	} else {
		e = new_element();
		e->object = o;
		o->element = e;
	}
	queue_append(&r->transmit, e);
}

/* A held message is let go. */
static void release(struct element *e, enum sim_fate fate)
{
	struct object *o = e->object;

	if (o) {
		o->fate = fate;
		if (o->is_dead)
			o->exists = false;
	}
	free_element(e);
}

/* ---- its own flows ------------------------------------------------------ */

static struct object *object_of(struct sim_reference *r, uint32_t number)
{
	if (number >= r->n_objects) {
		uint32_t n = r->n_objects ? r->n_objects : 64;
		struct object **all;

		while (n <= number)
			n *= 2;
		all = malloc(n * sizeof(struct object *));
		assert(all);
		memset(all, 0, n * sizeof(struct object *));
		if (r->n_objects)
			memcpy(all, r->objects,
			       r->n_objects * sizeof(struct object *));
		free(r->objects);
		r->objects = all;
		r->n_objects = n;
	}
	if (!r->objects[number]) {
		r->objects[number] = malloc(sizeof(struct object));
		assert(r->objects[number]);
		*r->objects[number] = (struct object){ .number = number };
	}
	return r->objects[number];
}

static const struct object *object_at(const struct sim_reference *r,
				      uint32_t number)
{
	return number < r->n_objects ? r->objects[number] : NULL;
}

/* Removes the object, and takes it out of its queue (PROTOCOL.md 4.2). */
static void remove_object(struct object *o)
{
	if (o->element)
		free_element(o->element);
	o->exists = false;
}

static void add_object(struct object *o)
{
	o->exists = true;
	o->is_dead = o->is_changed = false;
	o->fate = FATE_UNTOLD;
}

void sim_reference_begin(struct sim_reference *r, uint32_t number)
{
	struct object *o = object_of(r, number);

	if (o->exists)
		remove_object(o);
	add_object(o);
	queue_object(r, o);
}

void sim_reference_update(struct sim_reference *r, uint32_t number)
{
	struct object *o = object_of(r, number);

	if (o->exists && o->is_dead)
		remove_object(o);
	if (o->exists)
		o->is_changed = true;
	else
		add_object(o);
	queue_object(r, o);
}

void sim_reference_end(struct sim_reference *r, uint32_t number)
{
	struct object *o = object_of(r, number);

	if (!o->exists || o->is_dead)
		return;
	o->is_dead = true;
	queue_object(r, o);
}

static void dump(struct sim_reference *r)
{
	for (uint32_t i = 0; i < r->o.kernel->size; i++)
		if (r->o.kernel->flows[i].is_alive)
			add_object(object_of(r, i));
}

void sim_reference_bulk(struct sim_reference *r)
{
	for (uint32_t i = 0; i < r->n_objects; i++)
		if (r->objects[i] && r->objects[i]->exists)
			queue_object(r, r->objects[i]);
}

void sim_reference_resync(struct sim_reference *r)
{
	queue_control(r, MSG_RESYNC, 0, 0);
}

/* ---- sending ------------------------------------------------------------ */

static void flush(struct sim_reference *r)
{
	if (!r->used)
		return;
	r->stats.n_sent++;
	r->o.send(r->o.ctx, r->buf, r->used);
	r->used = 0;
}

static void append(struct sim_reference *r, const uint8_t *bytes, size_t n)
{
	if (r->used + n >= CAPACITY)
		flush(r);
	memcpy(r->buf + r->used, bytes, n);
	r->used += n;
}

static uint8_t flags_now(struct sim_reference *r)
{
	uint8_t flags = 0;

	if (r->hello == HELLO_INIT)
		r->hello = HELLO_SAY;
	if (r->hello == HELLO_SAY)
		flags |= MSG_HELLO;
	if (r->hello_back)
		flags |= MSG_HELLO_BACK;
	r->hello_back = false;
	return flags;
}

static enum msg_type type_of(const struct object *o)
{
	if (o->is_dead)
		return MSG_CT_DEL;
	return o->is_changed ? MSG_CT_UPD : MSG_CT_NEW;
}

static void note_told(struct sim_reference *r, struct object *o)
{
	o->told = *sim_kernel_flow(r->o.kernel, o->number);
	o->was_told = true;
	o->is_end_told = o->is_dead;
}

static void write_object(struct sim_reference *r, struct wr *w,
			 struct object *o)
{
	const struct wire_flow_opts opts = { .helpers = r->o.helpers,
					     .send_wscale = true,
					     .send_timeout = true };
	struct flow f;

	sim_flow_value(sim_kernel_flow(r->o.kernel, o->number), r->o.machine,
		       o->number, r->o.helpers, &f);
	wire_flow_encode(w, &opts, &f);
	note_told(r, o);
}

static void write_element(struct sim_reference *r, struct element *e)
{
	uint8_t bytes[MESSAGE_MAX];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	uint8_t flags = flags_now(r);
	size_t at;

	e->seq = r->next_seq++;
	if (e->object) {
		e->type = type_of(e->object);
		at = wire_begin(&w, e->type, flags, e->seq);
		write_object(r, &w, e->object);
	} else {
		e->flags |= flags;
		at = wire_begin(&w, MSG_CTL, e->flags, e->seq);
		if (!(e->flags & MSG_ALIVE)) {
			wr_be32(&w, e->from);
			wr_be32(&w, e->to);
		}
	}
	assert(wire_end(&w, at));
	append(r, bytes, w.used);
}

/* Signs of life are forgotten, all else is held. */
static void hold(struct sim_reference *r, struct element *e)
{
	if (r->resend.n >= r->o.resend_queue_size) {
		release(r->resend.first, FATE_DROPPED);
		r->stats.n_dropped++;
	}
	queue_take(e);
	queue_append(&r->resend, e);
}

static void transmit(struct sim_reference *r)
{
	if (!r->transmit.first)
		return;
	while (r->transmit.first) {
		struct element *e = r->transmit.first;

		write_element(r, e);
		if (!e->object && (e->flags & MSG_ALIVE))
			free_element(e);
		else
			hold(r, e);
	}
	flush(r);
	r->alive_ms = r->now_ms + ALIVE_MS;
}

static void acknowledge(struct sim_reference *r, uint32_t to)
{
	queue_control(r, MSG_ACK, r->ack_from, to);
	r->ack_from_set = false;
}

void sim_reference_turn(struct sim_reference *r, int64_t now_ms)
{
	r->now_ms = now_ms;
	if (now_ms >= r->alive_ms) {
		if (r->ack_from_set && r->last_set)
			acknowledge(r, r->last);
		else
			queue_control(r, MSG_ALIVE, 0, 0);
		r->alive_ms = now_ms + ALIVE_MS;
	}
	transmit(r);
}

int64_t sim_reference_due_ms(const struct sim_reference *r)
{
	return r->transmit.first ? r->now_ms : r->alive_ms;
}

/* ---- receiving ---------------------------------------------------------- */

static void note_heard(struct sim_reference *r, const struct flow *f,
		       bool is_late)
{
	uint32_t number = sim_flow_number(f);

	if (number >= r->n_heard) {
		uint32_t n = r->n_heard ? r->n_heard : 64;
		struct heard *all;

		while (n <= number)
			n *= 2;
		all = malloc(n * sizeof(*all));
		assert(all);
		memset(all, 0, n * sizeof(*all));
		if (r->n_heard)
			memcpy(all, r->heard, r->n_heard * sizeof(*all));
		free(r->heard);
		r->heard = all;
		r->n_heard = n;
	}
	r->heard[number].is_late = is_late;
}

/* The external cache (PROTOCOL.md 4.3): there is no owner, the last message
 * wins. */
static bool take_data(struct sim_reference *r, const struct msg *m,
		      bool is_late)
{
	const struct wire_flow_opts opts = { .helpers = r->o.helpers,
					     .send_wscale = true,
					     .send_timeout = true };
	struct flow f;
	uint32_t id;

	if (wire_flow_decode(m->body, &opts, &f, NULL) != VERDICT_OK)
		return false;
	note_heard(r, &f, is_late);
	id = flow_cache_find(r->external, &f);
	if (m->type == MSG_CT_DEL) {
		if (id != FLOW_CACHE_NO_ID)
			flow_cache_remove(r->external, id);
		return true;
	}
	(void)flow_cache_put(r->external, &f,
			     m->type == MSG_CT_NEW ? PUT_REPLACE : PUT_MERGE,
			     (uint32_t)(r->now_ms / 1000), &id);
	return true;
}

static void take_ack(struct sim_reference *r, uint32_t from, uint32_t to)
{
	struct element *e = r->resend.first, *next;

	for (; e && !seq_after(e->seq, to); e = next) {
		next = e->next;
		if (!seq_before(e->seq, from))
			release(e, FATE_ACKED);
	}
}

static void take_nack(struct sim_reference *r, uint32_t from, uint32_t to)
{
	struct element *e = r->resend.first, *next;

	for (; e && !seq_after(e->seq, to); e = next) {
		next = e->next;
		if (seq_before(e->seq, from))
			continue;
		queue_take(e);
		queue_append(&r->transmit, e);
	}
}

/* False: malformed. */
static bool digest(struct sim_reference *r, const struct msg *m, bool is_late)
{
	if (msg_is_data(m))
		return take_data(r, m, is_late);
	if (m->type != MSG_CTL)
		return false;
	if (m->flags & (MSG_ACK | MSG_NACK)) {
		if (seq_before(m->to, m->from))
			return false;
		if (m->flags & MSG_ACK)
			take_ack(r, m->from, m->to);
		else
			take_nack(r, m->from, m->to);
		return true;
	}
	if (m->flags & MSG_RESYNC) {
		r->stats.n_resyncs++;
		sim_reference_bulk(r);
		return true;
	}
	return m->flags & MSG_ALIVE;
}

/* What is taken, and what becomes of it (PROTOCOL.md 3.2). */
static bool accept(struct sim_reference *r, const struct msg *m, bool is_late)
{
	if (!digest(r, m, is_late)) {
		r->stats.n_malformed++;
		return false;
	}
	if (!r->ack_from_set)
		r->ack_from = m->seq;
	r->ack_from_set = true;
	if (--r->window == 0) {
		acknowledge(r, m->seq);
		r->window = r->o.ack_window;
	}
	r->last = m->seq;
	r->last_set = true;
	return true;
}

/* It was overtaken: after a late HELLO what was old is in order again. */
static bool is_overtaken(const struct sim_reference *r, const struct msg *m)
{
	return r->life < r->newest_life ||
	       (r->life == r->newest_life && !seq_after(m->seq, r->newest));
}

static void note_newest(struct sim_reference *r, const struct msg *m)
{
	if (is_overtaken(r, m))
		return;
	r->newest = m->seq;
	r->newest_life = r->life;
}

static bool take_hello(struct sim_reference *r, const struct msg *m)
{
	r->hello_back = true;
	if (r->ack_from_set && seq_before(m->seq, r->ack_from)) {
		r->window = r->o.ack_window - 1;
		r->ack_from = m->seq;
	}
	while (r->resend.first) {
		release(r->resend.first, FATE_EMPTIED);
		r->stats.n_emptied++;
	}
	return accept(r, m, is_overtaken(r, m));
}

static bool take_gap(struct sim_reference *r, const struct msg *m)
{
	r->stats.n_lost++;
	if (!digest(r, m, is_overtaken(r, m))) {
		r->stats.n_malformed++;
		return false;
	}
	if (r->ack_from_set)
		acknowledge(r, r->last);
	queue_control(r, MSG_NACK, r->last + 1, m->seq - 1);
	r->window = r->o.ack_window - 1;
	r->ack_from = m->seq;
	r->ack_from_set = true;
	r->last = m->seq;
	return true;
}

static bool take_message(struct sim_reference *r, const struct msg *m)
{
	if ((m->flags & MSG_HELLO_BACK) && r->hello == HELLO_SAY)
		r->hello = HELLO_DONE;
	if (m->flags & MSG_HELLO)
		return take_hello(r, m);
	if (!r->last_set || m->seq == r->last + 1)
		return accept(r, m, is_overtaken(r, m));
	if (!seq_before(m->seq, r->last + 1))
		return take_gap(r, m);
	r->stats.n_before++;
	return false;
}

bool sim_reference_receive(struct sim_reference *r, uint32_t life,
			   struct rd datagram)
{
	bool is_accepted = false;
	enum verdict why;
	enum wire_step step;
	struct msg m;

	r->life = life;
	while ((step = wire_next(&datagram, &m, &why)) != WIRE_END &&
	       step != WIRE_DROP) {
		if (step != WIRE_MSG)
			continue;
		is_accepted |= take_message(r, &m);
		note_newest(r, &m);
	}
	return is_accepted;
}

/* ---- its life ----------------------------------------------------------- */

struct sim_reference *sim_reference_new(const struct sim_reference_opts *o,
					int64_t now_ms)
{
	const struct flow_cache_opts cache = { .first_size = 64,
					       .limit = 1000000 };
	struct sim_reference *r = malloc(sizeof(*r));

	assert(r);
	*r = (struct sim_reference){ .o = *o,
				     .now_ms = now_ms,
				     .alive_ms = now_ms + ALIVE_MS,
				     .next_seq = o->first_seq,
				     .window = o->ack_window };
	r->external = flow_cache_new(&cache);
	assert(r->external);
	dump(r);
	if (o->asks)
		sim_reference_resync(r);
	return r;
}

static void empty(struct queue_of *q)
{
	while (q->first)
		free_element(q->first);
}

void sim_reference_free(struct sim_reference *r)
{
	if (!r)
		return;
	empty(&r->transmit);
	empty(&r->resend);
	for (uint32_t i = 0; i < r->n_objects; i++)
		free(r->objects[i]);
	free(r->objects);
	free(r->heard);
	flow_cache_free(r->external);
	free(r);
}

/* ---- whose fault it is -------------------------------------------------- */

struct flow_cache *sim_reference_external(struct sim_reference *r)
{
	return r->external;
}

/* True if what was last sent of the flow is what there is to tell now. */
static bool is_told(const struct sim_reference *r, const struct object *o)
{
	const struct sim_flow *k = sim_kernel_flow(r->o.kernel, o->number);

	return o->was_told && o->told.life == k->life &&
	       o->is_end_told == !k->is_alive &&
	       (!k->is_alive || (o->told.is_updated == k->is_updated &&
				 (!k->is_updated || o->told.mark == k->mark)));
}

enum sim_fate sim_reference_fate(const struct sim_reference *r, uint32_t number)
{
	const struct object *o = object_at(r, number);

	if (!o)
		return FATE_UNTOLD;
	if (o->element)
		return FATE_HELD;
	return is_told(r, o) ? o->fate : FATE_UNTOLD;
}

bool sim_reference_heard_late(const struct sim_reference *r, uint32_t number)
{
	return number < r->n_heard && r->heard[number].is_late;
}

struct sim_reference_stats sim_reference_stats(const struct sim_reference *r)
{
	struct sim_reference_stats s = r->stats;

	s.n_held = r->resend.n;
	s.n_queued = r->transmit.n;
	return s;
}
