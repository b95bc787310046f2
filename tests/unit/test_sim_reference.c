/* SPDX-License-Identifier: ISC */
/* The modelled reference in the dialogues that refprobe holds with a real one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_reference.h"
#include "sync/wire.h"
#include "sync/wire_flow.h"
#include "tools/probes.h"

enum { MACHINE = 1, STEP_MS = 10, MESSAGES_MAX = 256 };

struct model {
	struct sim_kernel kernel;
	struct sim_reference *reference;
	int64_t now_ms;
	struct message {
		uint8_t bytes[512];
		size_t len;
	} messages[MESSAGES_MAX]; /* that it has sent */
	size_t n_sent, n_read;
};

static void on_sent(void *ctx, const uint8_t *bytes, size_t len)
{
	struct model *m = ctx;

	for (size_t at = 0; at < len;) {
		struct message *to = &m->messages[m->n_sent++ % MESSAGES_MAX];

		to->len = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
		assert_in_range(to->len, 8, sizeof(to->bytes));
		memcpy(to->bytes, bytes + at, to->len);
		at += to->len;
	}
}

static void send_to(void *ctx, const uint8_t *bytes, size_t len)
{
	struct model *m = ctx;

	(void)sim_reference_receive(m->reference, 1, (struct rd){ bytes, len });
	sim_reference_turn(m->reference, m->now_ms);
}

static size_t receive(void *ctx, uint8_t *bytes, int *ms)
{
	struct model *m = ctx;
	const struct message *next;

	for (; m->n_read == m->n_sent && *ms > 0; *ms -= STEP_MS) {
		m->now_ms += STEP_MS;
		sim_reference_turn(m->reference, m->now_ms);
	}
	if (m->n_read == m->n_sent)
		return 0;
	next = &m->messages[m->n_read++ % MESSAGES_MAX];
	memcpy(bytes, next->bytes, next->len);
	return next->len;
}

/* The numbers of its kernel that are TCP over IPv4, in order. */
static uint32_t number_of(int n)
{
	const struct sim_flow k = { .life = 1 };
	struct flow f;

	for (uint32_t number = 1;; number++) {
		sim_flow_value(&k, MACHINE, number, NULL, &f);
		if (f.l4proto == L4_TCP && f.family == FAMILY_IPV4 && n-- == 0)
			return number;
	}
}

static void start(struct model *m, bool asks)
{
	const struct sim_reference_opts o = {
		.ack_window = PROBE_WINDOW,
		.resend_queue_size = 131072,
		.first_seq = 1700000000,
		.asks = asks,
		.kernel = &m->kernel,
		.machine = MACHINE,
		.send = on_sent,
		.ctx = m,
	};

	m->reference = sim_reference_new(&o, m->now_ms);
}

/* True if its external cache has flow n of ours. */
static bool has_flow(struct model *m, int n)
{
	const struct wire_flow_opts opts = { .send_timeout = true };
	uint8_t attrs[64];
	struct flow f;

	assert_int_equal(
		wire_flow_decode((struct rd){ attrs, probe_attrs(attrs, n) },
				 &opts, &f, NULL),
		VERDICT_OK);
	return flow_cache_find(sim_reference_external(m->reference), &f) !=
	       FLOW_CACHE_NO_ID;
}

static bool act(void *ctx, enum probe_op op, int n)
{
	struct model *m = ctx;
	uint32_t number = number_of(n);

	switch (op) {
	case PROBE_START:
		start(m, n);
		break;
	case PROBE_BEGIN:
		sim_kernel_begin(&m->kernel, number, m->now_ms);
		if (m->reference)
			sim_reference_begin(m->reference, number);
		break;
	case PROBE_UPDATE:
		sim_kernel_update(&m->kernel, number, 7, m->now_ms);
		sim_reference_update(m->reference, number);
		break;
	case PROBE_FINISH:
		sim_kernel_end(&m->kernel, number, m->now_ms);
		sim_reference_end(m->reference, number);
		break;
	case PROBE_HAS:
		return has_flow(m, n);
	case PROBE_LACKS:
		return !has_flow(m, n);
	default:
		return false;
	}
	return true;
}

static unsigned port(void *ctx, int n)
{
	(void)ctx;
	return number_of(n);
}

static void test_the_model_answers_as_a_reference_does(void **state)
{
	(void)state;
	for (int i = 0; i < N_PROBES; i++) {
		struct model *m = calloc(1, sizeof(*m));
		const struct probe_peer peer = { m, send_to, receive, act,
						 port };
		bool ok;

		assert_non_null(m);
		ok = probe_hold(&probes[i], &peer, stdout);
		sim_reference_free(m->reference);
		sim_kernel_fini(&m->kernel);
		free(m);
		assert_true(ok);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_model_answers_as_a_reference_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
