/* SPDX-License-Identifier: ISC */
/* Messages of peers into a kernel of our own, which works a batch off when it
 * is asked to settle, or later, or has no room whenever the test says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "base/util.h"
#include "sync/inject.h"
#include "sync/mirror.h"
#include "sync/outbox.h"
#include "sync/wire_expect.h"

enum { TABLE = 2048, BATCH = 100, NEVER = 1 << 30, NOW_S = 1000 };

struct operation {
	enum kernel_op op;
	uint32_t cookie;
	enum object_kind kind;
	struct flow flow;
	struct expect expect;
};

struct fake {
	struct inject *inject;
	struct flow_cache *internal;
	struct flow *table;
	bool used[TABLE];
	bool has_expectations;
	int n_expected; /* expectations in the table */
	struct operation ops[BATCH];
	int n_ops;
	bool is_deaf; /* answers nothing, however it is asked */
	int n_calls, no_room_at;
	int fail_create; /* what the next creations answer */
	bool lacks_helpers;
	int n_done[KERNEL_GET + 1]; /* operations, by kind */
	int64_t now_ms;
};

/* ---- the kernel ---------------------------------------------------------- */

static bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	return addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst) &&
	       a->sport == b->sport && a->dport == b->dport;
}

/* As Linux: by the tuple of either direction. */
static struct flow *find_tuple(const struct fake *k, const struct tuple *t)
{
	for (int i = 0; i < TABLE; i++) {
		struct tuple reply;

		if (!k->used[i])
			continue;
		reply = flow_reply(&k->table[i]);
		if (same_tuple(&k->table[i].orig, t) || same_tuple(&reply, t))
			return &k->table[i];
	}
	return NULL;
}

static struct flow *entry(const struct fake *k, const struct flow *f)
{
	struct flow *at = find_tuple(k, &f->orig);

	return at && flow_same_key(at, f) ? at : NULL;
}

static int create(struct fake *k, const struct flow *f)
{
	struct tuple reply = flow_reply(f);
	struct flow master = flow_master(f);

	if (k->fail_create)
		return k->fail_create;
	if (find_tuple(k, &f->orig) || find_tuple(k, &reply))
		return -EEXIST;
	if (!(f->has & FLOW_TIMEOUT))
		return -EINVAL;
	if (k->lacks_helpers && f->has & FLOW_HELPER)
		return -EOPNOTSUPP;
	if (f->has & FLOW_MASTER && !find_tuple(k, &master.orig))
		return -ENOENT;
	for (int i = 0; i < TABLE; i++) {
		if (k->used[i])
			continue;
		k->used[i] = true;
		k->table[i] = *f;
		k->table[i].reply = reply;
		k->table[i].has |= FLOW_REPLY;
		return 0;
	}
	return -ENOMEM;
}

static int update(struct flow *at, const struct flow *f)
{
	struct flow was = *at;

	if (f->has & FLOW_STATUS &&
	    was.status & ~f->status & (STATUS_SEEN_REPLY | STATUS_ASSURED))
		return -EBUSY;
	flow_merge(at, f);
	at->reply = was.reply;
	return 0;
}

static int work_off(struct fake *k, enum kernel_op op, const struct flow *f,
		    struct flow *found)
{
	struct flow *at = find_tuple(k, &f->orig);

	k->n_done[op]++;
	if (op == KERNEL_CREATE)
		return create(k, f);
	if (!at)
		return -ENOENT;
	if (op == KERNEL_UPDATE)
		return update(at, f);
	if (op == KERNEL_DELETE)
		k->used[at - k->table] = false;
	*found = *at;
	return 0;
}

/* What follows from its answers is in the next batch. */
/* Only the master is looked for. */
static int work_off_expect(struct fake *k, enum kernel_op op,
			   const struct expect *e)
{
	if (op == KERNEL_CREATE && !find_tuple(k, &e->master))
		return -ENOENT;
	if (op != KERNEL_UPDATE)
		k->n_expected += op == KERNEL_CREATE ? 1 : -1;
	return 0;
}

static void settle(void *self)
{
	struct fake *k = self;
	struct operation ops[BATCH];
	int n = k->n_ops;

	if (k->is_deaf)
		return;
	memcpy(ops, k->ops, (size_t)n * sizeof(*ops));
	k->n_ops = 0;
	for (int i = 0; i < n; i++) {
		enum kernel_op op = ops[i].op;
		struct flow found;
		int err = ops[i].kind == OBJECT_EXPECT
				  ? work_off_expect(k, op, &ops[i].expect)
				  : work_off(k, op, &ops[i].flow, &found);

		inject_done(k->inject, op, ops[i].cookie, err,
			    op == KERNEL_GET && !err ? &found : NULL);
	}
}

static int submit(void *self, enum kernel_op op, const struct object *object,
		  uint32_t cookie)
{
	struct fake *k = self;

	if (k->n_ops == BATCH || k->n_calls++ == k->no_room_at)
		return -EAGAIN;
	k->ops[k->n_ops] = (struct operation){ .op = op,
					       .cookie = cookie,
					       .kind = object->kind };
	if (object->kind == OBJECT_EXPECT)
		k->ops[k->n_ops++].expect = *object->expect;
	else
		k->ops[k->n_ops++].flow = *object->flow;
	return 0;
}

static void finish(void *self)
{
	(void)self;
}

static void set_up_in(struct fake *k, bool has_internal)
{
	const struct flow_cache_opts co = { .first_size = 16, .limit = 4096 };
	const struct kernel_ops ops = { k, submit, finish, settle };
	struct inject_opts o = { .wire = { .send_timeout = true } };

	*k = (struct fake){ .has_expectations = k->has_expectations,
			    .no_room_at = NEVER,
			    .now_ms = NOW_S * 1000 };
	k->table = calloc(TABLE, sizeof(*k->table));
	if (has_internal)
		k->internal = flow_cache_new(&co);
	o.internal = k->internal;
	o.has_expectations = k->has_expectations;
	k->inject = inject_new(&o);
	assert_non_null(k->inject);
	inject_connect(k->inject, &ops);
}

static int set_up(void **state)
{
	struct fake *k = calloc(1, sizeof(*k));

	set_up_in(k, true);
	*state = k;
	return 0;
}

static int set_up_expecting(void **state)
{
	struct fake *k = calloc(1, sizeof(*k));

	k->has_expectations = true;
	set_up_in(k, true);
	*state = k;
	return 0;
}

static void tear_down_of(struct fake *k)
{
	inject_free(k->inject);
	flow_cache_free(k->internal);
	free(k->table);
}

static int tear_down(void **state)
{
	tear_down_of(*state);
	free(*state);
	return 0;
}

/* ---- messages ------------------------------------------------------------ */

static const struct peer ours = { .is_used = true,
				  .number = 1,
				  .node = 7,
				  .capabilities = EXT_CAP_WHOLE_UPDATES,
				  .is_live = true };

/* What our kernel tells is not in a message. */
static enum verdict tell(struct fake *k, enum msg_type type,
			 const struct flow *f)
{
	const struct wire_flow_opts o = { .send_timeout = true };
	uint8_t bytes[1024];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	struct msg m = { .type = (uint8_t)type };

	wire_flow_encode(&w, &o, f);
	assert_false(w.full);
	m.body = (struct rd){ bytes, w.used };
	return inject_data(k->inject, &ours, &m, k->now_ms);
}

static void say_expect(struct fake *k, enum msg_type type,
		       const struct flow *master, uint16_t port)
{
	const struct expect e = { .has = EXPECT_FLAGS,
				  .family = FAMILY_IPV4,
				  .master_l4proto = L4_TCP,
				  .l4proto = L4_TCP,
				  .master = master->orig,
				  .expected = { .dport = port },
				  .mask = { .dport = UINT16_MAX } };
	const struct wire_flow_opts o = { .send_timeout = true };
	uint8_t bytes[1024];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	struct msg m = { .type = (uint8_t)type };

	wire_expect_encode(&w, &o, &e);
	assert_false(w.full);
	m.body = (struct rd){ bytes, w.used };
	assert_int_equal(inject_data(k->inject, &ours, &m, k->now_ms),
			 VERDICT_OK);
}

static void say(struct fake *k, enum msg_type type, const struct flow *f)
{
	assert_int_equal(tell(k, type, f), VERDICT_OK);
}

static void end_turn(struct fake *k)
{
	inject_turn(k->inject, k->now_ms);
}

static void say_now(struct fake *k, enum msg_type type, const struct flow *f)
{
	say(k, type, f);
	end_turn(k);
}

static void pass(struct fake *k, int seconds)
{
	for (int i = 0; i < seconds; i++) {
		k->now_ms += 1000;
		inject_second(k->inject, k->now_ms);
		end_turn(k);
	}
}

static const struct inject_stats *stats(const struct fake *k)
{
	return inject_stats(k->inject);
}

static struct flow flow_of(uint16_t port)
{
	struct flow f = { .family = FAMILY_IPV4, .l4proto = L4_TCP };

	f.orig.src.b[0] = 10;
	f.orig.dst.b[0] = 20;
	f.orig.sport = port;
	f.orig.dport = 80;
	f.has = FLOW_PORTS | FLOW_STATUS | FLOW_TIMEOUT | FLOW_TCP_STATE |
		FLOW_MARK;
	f.status = STATUS_CONFIRMED;
	f.tcp_state = TCP_STATE_ESTABLISHED;
	f.timeout_s = 600;
	return f;
}

static struct flow marked(uint16_t port, uint32_t mark)
{
	struct flow f = flow_of(port);

	f.mark = mark;
	return f;
}

static struct flow in_state(uint16_t port, enum flow_tcp_state state)
{
	struct flow f = flow_of(port);

	f.tcp_state = (uint8_t)state;
	return f;
}

static struct flow snatted(uint16_t port, uint8_t to)
{
	struct flow f = flow_of(port);

	f.reply = flow_inverse(&f);
	f.reply.dst.b[0] = to;
	f.has |= FLOW_REPLY;
	f.status |= STATUS_SRC_NAT | STATUS_SRC_NAT_DONE | STATUS_DST_NAT_DONE;
	return f;
}

static struct flow related_to(const struct flow *master, uint16_t port)
{
	struct flow f = flow_of(port);

	f.has |= FLOW_MASTER | FLOW_MASTER_PORTS;
	f.master.src = master->orig.src;
	f.master.dst = master->orig.dst;
	f.master.sport = master->orig.sport;
	f.master.dport = master->orig.dport;
	f.master.l4proto = master->l4proto;
	return f;
}

/* Our kernel tells of a flow that is in its table. */
static void learn(struct fake *k, const struct flow *f, uint32_t at_s)
{
	uint32_t id;

	(void)flow_cache_put(k->internal, f, PUT_MERGE, at_s, &id);
}

static void have(struct fake *k, const struct flow *f, uint32_t told_at_s)
{
	assert_int_equal(create(k, f), 0);
	learn(k, f, told_at_s);
}

/* ---- each message -------------------------------------------------------- */

static void test_what_a_peer_tells_is_in_the_kernel_after_the_turn(void **state)
{
	struct fake *k = *state;
	struct flow f = snatted(7, 99);

	say_now(k, MSG_CT_NEW, &f);
	assert_int_equal(entry(k, &f)->reply.dst.b[0], 99);
	assert_int_equal(entry(k, &f)->timeout_s, 600);
	f.mark = 5;
	f.tcp_state = TCP_STATE_FIN_WAIT;
	say_now(k, MSG_CT_UPD, &f);
	assert_int_equal(entry(k, &f)->mark, 5);
	assert_int_equal(entry(k, &f)->tcp_state, TCP_STATE_FIN_WAIT);
	say_now(k, MSG_CT_DEL, &f);
	assert_null(entry(k, &f));
	assert_int_equal(stats(k)->n_created, 1);
	assert_int_equal(stats(k)->n_updated, 1);
	assert_int_equal(stats(k)->n_destroyed, 1);
}

static void test_a_change_of_what_is_not_there_makes_it(void **state)
{
	struct fake *k = *state;
	struct flow f = snatted(7, 99);

	say_now(k, MSG_CT_UPD, &f);
	assert_int_equal(entry(k, &f)->reply.dst.b[0], 99);
	assert_int_equal(stats(k)->n_created, 1);
	assert_int_equal(stats(k)->n_updated, 0);
}

static void test_an_end_of_what_is_not_there_counts_nowhere(void **state)
{
	static const struct inject_stats none = { 0 };
	struct fake *k = *state;
	struct flow f = flow_of(7);

	say_now(k, MSG_CT_DEL, &f);
	assert_memory_equal(stats(k), &none, sizeof(none));
}

static void test_an_end_is_of_the_entry_that_it_names_only(void **state)
{
	struct fake *k = *state;
	struct flow f = snatted(7, 99), other = snatted(7, 98);
	struct flow back = flow_of(7);

	have(k, &other, NOW_S - 50);
	say_now(k, MSG_CT_DEL, &f); /* another translation: another life */
	assert_non_null(entry(k, &other));
	k->used[0] = false;
	back.orig = flow_inverse(&f);
	have(k, &back, NOW_S - 50);
	say_now(k, MSG_CT_DEL, &f); /* what runs the other way */
	assert_non_null(entry(k, &back));
	assert_int_equal(stats(k)->n_destroyed, 0);
	assert_int_equal(stats(k)->n_destroy_failed, 0);
}

static void test_another_translation_replaces_what_is_there(void **state)
{
	struct fake *k = *state;
	struct flow was = snatted(7, 98), is = snatted(7, 99);

	say_now(k, MSG_CT_NEW, &was);
	say_now(k, MSG_CT_NEW, &is);
	assert_int_equal(entry(k, &is)->reply.dst.b[0], 99);
	say_now(k, MSG_CT_UPD, &was);
	assert_int_equal(entry(k, &is)->reply.dst.b[0], 98);
}

static void test_the_same_again_is_an_update(void **state)
{
	struct fake *k = *state;
	struct flow f = snatted(7, 99);

	say_now(k, MSG_CT_NEW, &f);
	entry(k, &f)->status |= STATUS_ASSURED; /* traffic of ours */
	f.mark = 3;
	say_now(k, MSG_CT_NEW, &f);
	assert_int_equal(entry(k, &f)->mark, 3);
	assert_true(entry(k, &f)->status & STATUS_ASSURED);
	assert_int_equal(k->n_done[KERNEL_DELETE], 0);
}

static void test_a_timeout_that_was_not_told_fits_the_state(void **state)
{
	struct fake *k = *state;
	struct flow open = flow_of(7), closing = flow_of(8);

	closing.tcp_state = TCP_STATE_FIN_WAIT;
	open.has &= ~FLOW_TIMEOUT;
	closing.has &= ~FLOW_TIMEOUT;
	say(k, MSG_CT_NEW, &open);
	say_now(k, MSG_CT_NEW, &closing);
	assert_int_equal(entry(k, &open)->timeout_s, 432000);
	assert_int_equal(entry(k, &closing)->timeout_s, 180);
}

static void test_what_is_no_flow_or_malformed_is_refused(void **state)
{
	struct fake *k = *state;
	static const uint8_t bad[] = { 0xff, 0xff, 0, 1, 0, 0, 0, 0, 0, 0 };
	struct msg m = { .type = MSG_EXP_NEW, .body = { bad, sizeof(bad) } };

	assert_int_equal(inject_data(k->inject, &ours, &m, k->now_ms),
			 VERDICT_IGNORED);
	m.type = MSG_CT_NEW;
	assert_int_equal(inject_data(k->inject, &ours, &m, k->now_ms),
			 VERDICT_BAD_PAYLOAD);
}

/* ---- order --------------------------------------------------------------- */

/* A story of one flow: what is said, and which mark is there in the end (0:
 * nothing is). The number is that of the translation too. */
static const struct {
	struct {
		enum msg_type type;
		uint8_t mark;
	} said[4];
	int n;
	uint32_t mark;
} stories[] = {
	{ { { MSG_CT_NEW, 1 } }, 1, 1 },
	{ { { MSG_CT_NEW, 1 }, { MSG_CT_UPD, 2 } }, 2, 2 },
	{ { { MSG_CT_NEW, 1 }, { MSG_CT_DEL, 1 } }, 2, 0 },
	{ { { MSG_CT_UPD, 1 }, { MSG_CT_DEL, 1 } }, 2, 0 },
	{ { { MSG_CT_NEW, 1 }, { MSG_CT_DEL, 1 }, { MSG_CT_NEW, 2 } }, 3, 2 },
	{ { { MSG_CT_NEW, 1 }, { MSG_CT_UPD, 2 }, { MSG_CT_UPD, 3 } }, 3, 3 },
	{ { { MSG_CT_DEL, 1 }, { MSG_CT_NEW, 2 } }, 2, 2 },
	{ { { MSG_CT_NEW, 1 },
	    { MSG_CT_NEW, 2 },
	    { MSG_CT_DEL, 2 },
	    { MSG_CT_UPD, 3 } },
	  4,
	  3 },
};

static struct flow scene(size_t story, uint8_t mark)
{
	struct flow f = snatted((uint16_t)(100 + story), mark);

	f.reply.dport = (uint16_t)(1000 + story);
	f.mark = mark;
	return f;
}

/* All of them, mixed; a turn ends after every few. False: call no_room_at of
 * the kernel never came. */
static bool tell_stories(int no_room_at, int turn_after)
{
	struct fake *k = calloc(1, sizeof(*k));
	bool was_full;
	int n = 0;

	set_up_in(k, true);
	k->no_room_at = no_room_at;
	for (int i = 0; i < 4; i++)
		for (size_t s = 0; s < N_ELEMENTS(stories); s++) {
			struct flow f = scene(s, stories[s].said[i].mark);

			if (i >= stories[s].n)
				continue;
			say(k, stories[s].said[i].type, &f);
			if (++n % turn_after == 0)
				end_turn(k);
		}
	end_turn(k);
	for (size_t s = 0; s < N_ELEMENTS(stories); s++) {
		struct flow f = scene(s, 1);
		const struct flow *at = entry(k, &f);

		assert_int_equal(at ? at->mark : 0, stories[s].mark);
		assert_true(!at || at->reply.dst.b[0] == stories[s].mark);
	}
	assert_int_equal(stats(k)->n_create_failed, 0);
	assert_int_equal(stats(k)->n_update_failed, 0);
	was_full = k->n_calls > no_room_at;
	tear_down_of(k);
	free(k);
	return was_full;
}

static void test_messages_on_a_flow_have_their_effect_in_order(void **state)
{
	(void)state;
	for (int turn_after = 1; turn_after < 20; turn_after++)
		tell_stories(NEVER, turn_after);
}

static void test_wherever_the_kernel_has_no_room_nothing_is_lost(void **state)
{
	(void)state;
	for (int at = 0; tell_stories(at, 7); at++)
		;
}

static void test_many_flows_of_one_turn_are_all_made(void **state)
{
	struct fake *k = *state;

	for (uint16_t i = 0; i < 1500; i++) {
		struct flow f = flow_of(i);

		say(k, MSG_CT_NEW, &f);
	}
	end_turn(k);
	assert_int_equal(stats(k)->n_created, 1500);
}

/* What does not go in is refused, and said so: the sender is asked for all. */
static void test_a_kernel_that_takes_nothing_is_waited_for(void **state)
{
	struct fake *k = *state;
	int n_taken = 0;

	k->is_deaf = true;
	for (uint16_t i = 0; i < 1000; i++) {
		struct flow f = flow_of(i);

		n_taken += tell(k, MSG_CT_NEW, &f) == VERDICT_OK;
	}
	end_turn(k);
	assert_in_range(n_taken, BATCH, 999);
	assert_int_equal(stats(k)->n_stuck, 1000 - n_taken);
	assert_false(inject_has_room(k->inject));
	k->is_deaf = false;
	end_turn(k);
	assert_true(inject_has_room(k->inject));
	assert_int_equal(stats(k)->n_created, n_taken);
}

/* ---- masters ------------------------------------------------------------- */

static void test_a_master_may_come_in_the_same_datagram(void **state)
{
	struct fake *k = *state;
	struct flow master = flow_of(1), related = related_to(&master, 2);

	say(k, MSG_CT_NEW, &master);
	say_now(k, MSG_CT_NEW, &related);
	assert_true(entry(k, &related)->has & FLOW_MASTER);
	assert_int_equal(stats(k)->n_without_master, 0);
}

static void test_a_master_may_come_later(void **state)
{
	struct fake *k = *state;
	struct flow master = flow_of(1), related = related_to(&master, 2);

	say_now(k, MSG_CT_NEW, &related);
	assert_null(entry(k, &related));
	related.mark = 4;
	say_now(k, MSG_CT_UPD, &related);
	pass(k, 3);
	assert_null(entry(k, &related));
	say_now(k, MSG_CT_UPD, &master);
	assert_true(entry(k, &related)->has & FLOW_MASTER);
	assert_int_equal(entry(k, &related)->mark, 4);
	assert_int_equal(stats(k)->n_without_master, 0);
	assert_int_equal(stats(k)->n_create_failed, 0);
	pass(k, 10);
	assert_int_equal(stats(k)->n_created, 2);
}

static void test_without_a_master_it_is_made_after_three_seconds(void **state)
{
	struct fake *k = *state;
	struct flow master = flow_of(1), related = related_to(&master, 2);

	say_now(k, MSG_CT_NEW, &related);
	pass(k, 3);
	assert_null(entry(k, &related));
	pass(k, 1);
	assert_non_null(entry(k, &related));
	assert_false(entry(k, &related)->has & FLOW_MASTER);
	assert_int_equal(stats(k)->n_without_master, 1);
	pass(k, 10);
	assert_int_equal(stats(k)->n_created, 1);
}

static void test_what_has_ended_waits_for_no_master(void **state)
{
	struct fake *k = *state;
	struct flow master = flow_of(1), related = related_to(&master, 2);

	say_now(k, MSG_CT_NEW, &related);
	say_now(k, MSG_CT_DEL, &related);
	say_now(k, MSG_CT_NEW, &master);
	pass(k, 10);
	assert_null(entry(k, &related));
	assert_int_equal(stats(k)->n_created, 1);
}

static void test_when_many_wait_the_others_go_without(void **state)
{
	struct fake *k = *state;
	struct flow master = flow_of(1);
	const int n = INJECT_WAITING_MAX + 500;

	for (int i = 0; i < n; i++) {
		struct flow f = related_to(&master, (uint16_t)(10 + i));

		say(k, MSG_CT_NEW, &f);
	}
	end_turn(k);
	assert_in_range(stats(k)->n_without_master, 500, n - 500);
	say_now(k, MSG_CT_NEW, &master);
	assert_int_equal(stats(k)->n_created, n + 1);
	assert_int_equal(stats(k)->n_create_failed, 0);
}

/* ---- what the kernel refuses --------------------------------------------- */

static void test_failures_are_counted_by_reason(void **state)
{
	static const struct {
		int error;
		size_t at;
	} rows[] = {
		{ -ENOMEM, offsetof(struct inject_stats, n_full) },
		{ -ERANGE, offsetof(struct inject_stats, n_other) },
		{ -ENOSPC, offsetof(struct inject_stats, n_other) },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct fake *k = calloc(1, sizeof(*k));
		struct flow f = flow_of(7);
		uint64_t n;

		set_up_in(k, true);
		k->fail_create = rows[i].error;
		say_now(k, MSG_CT_NEW, &f);
		memcpy(&n, (const char *)stats(k) + rows[i].at, sizeof(n));
		assert_int_equal(n, 1);
		assert_int_equal(stats(k)->n_create_failed, 1);
		assert_int_equal(stats(k)->n_full + stats(k)->n_other, 1);
		tear_down_of(k);
		free(k);
	}
}

static void test_what_another_entry_has_is_not_taken_from_it(void **state)
{
	struct fake *k = *state;
	struct flow f = snatted(7, 99), other = snatted(8, 99);

	other.reply.dport = 7; /* the same translated tuple */
	say_now(k, MSG_CT_NEW, &other);
	say_now(k, MSG_CT_NEW, &f);
	assert_null(entry(k, &f));
	assert_int_equal(stats(k)->n_taken, 1);
	assert_int_equal(stats(k)->n_create_failed, 1);
}

static void test_a_helper_the_kernel_lacks_costs_the_helper_only(void **state)
{
	struct fake *k = *state;
	struct names *names = names_new(4, 15);
	struct inject_opts o = { .wire = { .helpers = names } };
	const struct kernel_ops ops = { k, submit, finish, settle };
	const struct wire_flow_opts wo = { .helpers = names,
					   .send_timeout = true };
	struct flow f = flow_of(7);
	uint8_t bytes[512];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	struct msg m = { .type = MSG_CT_NEW };

	inject_free(k->inject);
	k->inject = inject_new(&o);
	inject_connect(k->inject, &ops);
	f.helper = names_intern(names, "ftp", 3);
	f.has |= FLOW_HELPER;
	wire_flow_encode(&w, &wo, &f);
	m.body = (struct rd){ bytes, w.used };
	k->lacks_helpers = true;
	assert_int_equal(inject_data(k->inject, &ours, &m, k->now_ms),
			 VERDICT_OK);
	end_turn(k);
	assert_non_null(entry(k, &f));
	assert_int_equal(stats(k)->n_without_helper, 1);
	assert_int_equal(stats(k)->n_create_failed, 0);
	names_free(names);
}

/* ---- memory -------------------------------------------------------------- */

static void test_a_failed_allocation_at_the_start_is_no_inject(void **state)
{
	const struct inject_opts o = { 0 };
	struct inject *x = NULL;
	size_t n = 0;

	(void)state;
	for (;; n++) {
		alloc_fail_after(n);
		x = inject_new(&o);
		if (!alloc_fail_off())
			break;
		assert_null(x);
	}
	assert_in_range(n, 3, 20);
	inject_free(x);
}

/* Only what waits is kept: where there is no memory for that, it is lost, and
 * counted. */
static void test_a_failed_allocation_costs_what_waits_only(void **state)
{
	(void)state;
	for (size_t n = 0; n < 8; n++) {
		struct fake *k = calloc(1, sizeof(*k));
		struct flow master = flow_of(1);
		struct flow related = related_to(&master, 2), f = flow_of(3);

		set_up_in(k, true);
		alloc_fail_after(n);
		say_now(k, MSG_CT_NEW, &related);
		say_now(k, MSG_CT_NEW, &f);
		(void)alloc_fail_off();
		say_now(k, MSG_CT_NEW, &master);
		assert_non_null(entry(k, &f));
		assert_int_equal(!entry(k, &related),
				 stats(k)->n_create_failed);
		tear_down_of(k);
		free(k);
	}
}

/* ---- what this kernel knows better --------------------------------------- */

/* Rule a: its own word of the last 2 s stands. */
static void test_what_was_told_here_just_now_is_not_overwritten(void **state)
{
	static const struct {
		uint32_t told_ago_s;
		uint32_t mark;
	} rows[] = { { 0, 1 }, { 1, 1 }, { 2, 1 }, { 3, 2 }, { 60, 2 } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct fake *k = calloc(1, sizeof(*k));
		struct flow own = marked(7, 1), other = marked(7, 2);
		struct flow moved = snatted(8, 99), was = snatted(8, 98);

		set_up_in(k, true);
		have(k, &own, NOW_S - rows[i].told_ago_s);
		have(k, &was, NOW_S - rows[i].told_ago_s);
		say(k, MSG_CT_UPD, &other);
		say_now(k, MSG_CT_NEW, &moved);
		assert_int_equal(entry(k, &own)->mark, rows[i].mark);
		assert_int_equal(entry(k, &was)->reply.dst.b[0],
				 97 + rows[i].mark);
		tear_down_of(k);
		free(k);
	}
}

/* A peer does not know when the last packet came here: it may be a copy that
 * has almost run out. */
static void test_the_time_of_an_unchanged_flow_is_made_longer_only(void **state)
{
	static const struct {
		uint32_t left_s, told_s;
		bool is_other; /* it is in another stage */
		uint32_t want_s;
	} rows[] = {
		{ 170, 5, false, 170 },
		{ 5, 170, false, 170 },
		{ 170, 5, true, 5 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows) * 2; i++) {
		struct fake *k = calloc(1, sizeof(*k));
		size_t row = i / 2;
		struct flow f = flow_of(7);

		set_up_in(k, true);
		if (i % 2)
			learn(k, &f, NOW_S - 900);
		f.timeout_s = rows[row].left_s;
		assert_int_equal(create(k, &f), 0);
		f.timeout_s = rows[row].told_s;
		if (rows[row].is_other)
			f.tcp_state = TCP_STATE_FIN_WAIT;
		say_now(k, MSG_CT_UPD, &f);
		assert_int_equal(entry(k, &f)->timeout_s, rows[row].want_s);
		tear_down_of(k);
		free(k);
	}
}

/* Nor is what its traffic has shown taken back: the other direction of a
 * connection, seen elsewhere, is added to it. */
static void test_what_the_other_direction_shows_is_added(void **state)
{
	struct fake *k = *state;
	struct flow own = in_state(7, TCP_STATE_SYN_SENT), other = own;

	own.timeout_s = 120;
	have(k, &own, NOW_S);
	other.tcp_state = TCP_STATE_SYN_RECV;
	other.status |= STATUS_SEEN_REPLY;
	other.timeout_s = 60;
	say_now(k, MSG_CT_UPD, &other);
	assert_int_equal(entry(k, &own)->tcp_state, TCP_STATE_SYN_RECV);
	assert_true(entry(k, &own)->status & STATUS_SEEN_REPLY);
	assert_int_equal(entry(k, &own)->timeout_s, 60);
}

/* Rule b: a connection does not go back, unless it begins anew. */
static void test_a_state_does_not_go_back(void **state)
{
	static const struct {
		enum flow_tcp_state there, told;
		enum msg_type type;
		bool is_own;
		enum flow_tcp_state want;
	} rows[] = {
		{ TCP_STATE_SYN_SENT, TCP_STATE_SYN_RECV, MSG_CT_UPD, false,
		  TCP_STATE_SYN_RECV },
		{ TCP_STATE_ESTABLISHED, TCP_STATE_SYN_RECV, MSG_CT_UPD, false,
		  TCP_STATE_ESTABLISHED },
		{ TCP_STATE_ESTABLISHED, TCP_STATE_SYN_SENT, MSG_CT_NEW, false,
		  TCP_STATE_ESTABLISHED },
		{ TCP_STATE_ESTABLISHED, TCP_STATE_SYN_SENT2, MSG_CT_UPD, false,
		  TCP_STATE_ESTABLISHED },
		{ TCP_STATE_ESTABLISHED, TCP_STATE_SYN_SENT, MSG_CT_NEW, true,
		  TCP_STATE_ESTABLISHED },
		{ TCP_STATE_TIME_WAIT, TCP_STATE_ESTABLISHED, MSG_CT_UPD, true,
		  TCP_STATE_TIME_WAIT },
		{ TCP_STATE_FIN_WAIT, TCP_STATE_CLOSE, MSG_CT_UPD, true,
		  TCP_STATE_CLOSE },
		{ TCP_STATE_SYN_SENT2, TCP_STATE_SYN_RECV, MSG_CT_UPD, true,
		  TCP_STATE_SYN_RECV },
		/* its addresses and ports are used again, as in Linux */
		{ TCP_STATE_TIME_WAIT, TCP_STATE_SYN_SENT, MSG_CT_NEW, false,
		  TCP_STATE_SYN_SENT },
		{ TCP_STATE_CLOSE, TCP_STATE_ESTABLISHED, MSG_CT_NEW, true,
		  TCP_STATE_ESTABLISHED },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct fake *k = calloc(1, sizeof(*k));
		struct flow there = in_state(7, rows[i].there);
		struct flow told = in_state(7, rows[i].told);

		set_up_in(k, true);
		assert_int_equal(create(k, &there), 0);
		if (rows[i].is_own)
			learn(k, &there, NOW_S - 60);
		say_now(k, rows[i].type, &told);
		assert_int_equal(entry(k, &there)->tcp_state, rows[i].want);
		tear_down_of(k);
		free(k);
	}
}

static void test_a_new_one_after_an_end_begins_with_any_state(void **state)
{
	struct fake *k = *state;
	struct flow was = in_state(7, TCP_STATE_ESTABLISHED);
	struct flow is = in_state(7, TCP_STATE_SYN_SENT);

	have(k, &was, NOW_S - 60);
	entry(k, &was)->timeout_s -= 60;
	say(k, MSG_CT_DEL, &was);
	say_now(k, MSG_CT_NEW, &is);
	assert_int_equal(entry(k, &is)->tcp_state, TCP_STATE_SYN_SENT);
}

/* Rule c: an end elsewhere does not end what goes on here. */
static void test_an_end_elsewhere_does_not_end_what_goes_on_here(void **state)
{
	static const struct {
		const char *what;
		bool is_known, is_doubted, is_injected;
		uint32_t known_life; /* CTA_ID of what is known; of this: 1 */
		uint8_t outbox;      /* enum outbox_flag */
		uint32_t told_ago_s; /* 600 s were left then */
		uint32_t left_s;     /* now */
		bool stays;
	} rows[] = {
		{ "told by a peer", false, false, false, 1, 0, 0, 300, false },
		{ "to be told", true, false, false, 1, OUTBOX_QUEUED, 60, 540,
		  true },
		{ "on its way", true, false, false, 1,
		  OUTBOX_SENT | OUTBOX_OWED, 1, 599, true },
		{ "told", true, false, false, 1, OUTBOX_SENT, 1, 599, false },
		{ "packets since", true, false, false, 1, OUTBOX_SENT, 60, 598,
		  true },
		{ "flushed, and told by a peer", true, false, false, 2,
		  OUTBOX_SENT, 60, 598, false },
		{ "known by a dump", true, true, false, 1, 0, 1, 599, false },
		{ "and packets since", true, true, false, 1, 0, 60, 598, true },
		{ "changed by a peer", true, false, true, 1, OUTBOX_OWED, 1,
		  599, false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct fake *k = calloc(1, sizeof(*k));
		struct flow f = flow_of(7);

		set_up_in(k, true);
		f.has |= FLOW_ID;
		f.id = rows[i].known_life;
		if (rows[i].is_known)
			learn(k, &f, NOW_S - rows[i].told_ago_s);
		if (rows[i].is_doubted)
			flow_cache_mark(k->internal, SET_DOUBTED, 1);
		if (rows[i].is_injected)
			flow_cache_mark(k->internal, SET_INJECTED, 1);
		if (rows[i].is_known)
			flow_cache_head(k->internal, 1)->outbox =
				rows[i].outbox;
		f.id = 1;
		f.timeout_s = rows[i].left_s;
		assert_int_equal(create(k, &f), 0);
		say_now(k, MSG_CT_DEL, &f);
		if (rows[i].stays != (entry(k, &f) != NULL))
			fail_msg("%s", rows[i].what);
		assert_int_equal(stats(k)->n_newer, rows[i].stays);
		tear_down_of(k);
		free(k);
	}
}

static void test_without_an_internal_cache_the_peers_word_counts(void **state)
{
	struct fake *k = calloc(1, sizeof(*k));
	struct flow f = snatted(7, 99);

	(void)state;
	set_up_in(k, false);
	say(k, MSG_CT_NEW, &f);
	say_now(k, MSG_CT_DEL, &f);
	assert_null(entry(k, &f));
	tear_down_of(k);
	free(k);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define E(name) \
	cmocka_unit_test_setup_teardown(name, set_up_expecting, tear_down)

/* ---- expectations -------------------------------------------------------- */

static void test_an_expectation_follows_its_master(void **state)
{
	struct fake *k = *state;
	struct flow master = flow_of(1);

	say(k, MSG_CT_NEW, &master);
	say_expect(k, MSG_EXP_NEW, &master, 5000);
	assert_int_equal(k->n_expected, 0);
	end_turn(k);
	assert_int_equal(k->n_expected, 1);
	say_expect(k, MSG_EXP_DEL, &master, 5000);
	end_turn(k);
	assert_int_equal(k->n_expected, 0);
	assert_int_equal(inject_stats_of_expectations(k->inject)->n_created, 1);
	assert_int_equal(inject_stats_of_expectations(k->inject)->n_destroyed,
			 1);
}

static void test_an_expectation_waits_for_its_master(void **state)
{
	struct fake *k = *state;
	struct flow master = flow_of(1), same_turn = flow_of(2);

	say_expect(k, MSG_EXP_NEW, &same_turn, 5000);
	say(k, MSG_CT_NEW, &same_turn);
	end_turn(k);
	assert_int_equal(k->n_expected, 1);
	say_expect(k, MSG_EXP_NEW, &master, 5000);
	end_turn(k);
	pass(k, 2);
	assert_int_equal(k->n_expected, 1);
	say_now(k, MSG_CT_NEW, &master);
	assert_int_equal(k->n_expected, 2);
	assert_int_equal(
		inject_stats_of_expectations(k->inject)->n_create_failed, 0);
}

static void test_more_expectations_than_are_kept_come_in_one_turn(void **state)
{
	enum { N = 3 * INJECT_EXPECT_MAX };
	struct fake *k = *state;
	struct flow master = flow_of(1);

	say(k, MSG_CT_NEW, &master);
	for (uint16_t i = 0; i < N; i++)
		say_expect(k, MSG_EXP_NEW, &master, i);
	end_turn(k);
	assert_int_equal(k->n_expected, N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_a_peer_tells_is_in_the_kernel_after_the_turn),
		T(test_a_change_of_what_is_not_there_makes_it),
		T(test_an_end_of_what_is_not_there_counts_nowhere),
		T(test_an_end_is_of_the_entry_that_it_names_only),
		T(test_another_translation_replaces_what_is_there),
		T(test_the_same_again_is_an_update),
		T(test_a_timeout_that_was_not_told_fits_the_state),
		T(test_what_is_no_flow_or_malformed_is_refused),
		T(test_messages_on_a_flow_have_their_effect_in_order),
		T(test_wherever_the_kernel_has_no_room_nothing_is_lost),
		T(test_many_flows_of_one_turn_are_all_made),
		T(test_a_kernel_that_takes_nothing_is_waited_for),
		T(test_a_master_may_come_in_the_same_datagram),
		T(test_a_master_may_come_later),
		T(test_without_a_master_it_is_made_after_three_seconds),
		T(test_what_has_ended_waits_for_no_master),
		T(test_when_many_wait_the_others_go_without),
		T(test_failures_are_counted_by_reason),
		T(test_what_another_entry_has_is_not_taken_from_it),
		T(test_a_helper_the_kernel_lacks_costs_the_helper_only),
		T(test_a_failed_allocation_at_the_start_is_no_inject),
		T(test_a_failed_allocation_costs_what_waits_only),
		T(test_what_was_told_here_just_now_is_not_overwritten),
		T(test_the_time_of_an_unchanged_flow_is_made_longer_only),
		T(test_what_the_other_direction_shows_is_added),
		T(test_a_state_does_not_go_back),
		T(test_a_new_one_after_an_end_begins_with_any_state),
		T(test_an_end_elsewhere_does_not_end_what_goes_on_here),
		T(test_without_an_internal_cache_the_peers_word_counts),
		E(test_an_expectation_follows_its_master),
		E(test_an_expectation_waits_for_its_master),
		E(test_more_expectations_than_are_kept_come_in_one_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
