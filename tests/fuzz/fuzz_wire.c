/* SPDX-License-Identifier: ISC */
/* fuzz_wire.c - bytes as one datagram of a peer: nothing in it leads outside
 * of it, and a flow or an expectation that it tells of can be told on, without
 * change. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "sync/ext.h"
#include "sync/wire.h"
#include "sync/wire_expect.h"
#include "sync/wire_flow.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 512 };

static size_t encode(const struct wire_flow_opts *opts, const struct flow *f,
		     uint8_t bytes[MESSAGE_MAX])
{
	struct wr w = { bytes, MESSAGE_MAX, 0, false };

	wire_flow_encode(&w, opts, f);
	assert(!w.full);
	return w.used;
}

static void try_flow(const struct wire_flow_opts *opts, struct rd attrs)
{
	uint8_t first[MESSAGE_MAX], second[MESSAGE_MAX];
	struct wire_flow_stats stats = { 0, 0 };
	struct flow f;
	size_t n;

	if (wire_flow_decode(attrs, opts, &f, &stats) != VERDICT_OK)
		return;
	assert(f.family == FAMILY_IPV4 || f.family == FAMILY_IPV6);
	if (!(f.has & FLOW_STATUS)) { /* is sent as 0, which shows no NAT */
		f.has |= FLOW_STATUS;
		f.status = 0;
	}
	n = encode(opts, &f, first);
	assert(wire_flow_decode((struct rd){ first, n }, opts, &f, NULL) ==
	       VERDICT_OK);
	assert(encode(opts, &f, second) == n);
	assert(memcmp(first, second, n) == 0);
}

static size_t encode_expect(const struct wire_flow_opts *opts,
			    const struct expect *e, uint8_t bytes[MESSAGE_MAX])
{
	struct wr w = { bytes, MESSAGE_MAX, 0, false };

	wire_expect_encode(&w, opts, e);
	assert(!w.full);
	return w.used;
}

static void try_expect(const struct wire_flow_opts *opts, struct rd attrs)
{
	uint8_t first[MESSAGE_MAX], second[MESSAGE_MAX];
	struct expect e;
	size_t n;

	if (wire_expect_decode(attrs, opts, &e) != VERDICT_OK)
		return;
	assert(e.family == FAMILY_IPV4 || e.family == FAMILY_IPV6);
	n = encode_expect(opts, &e, first);
	assert(wire_expect_decode((struct rd){ first, n }, opts, &e) ==
	       VERDICT_OK);
	assert(encode_expect(opts, &e, second) == n);
	assert(memcmp(first, second, n) == 0);
}

static void try_alive(struct rd body)
{
	struct ext_alive a;
	struct ext_record r;
	size_t most = body.left;

	if (!ext_open(body, &a))
		return;
	while (ext_next(&a.records, &r) != EXT_END) {
		assert(a.records.left < most);
		most = a.records.left;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_flow_opts opts = { .helpers = names_new(4, 31),
				       .functions = names_new(4, 31),
				       .send_wscale = true,
				       .send_timeout = true };
	struct rd dgram = { data, size };
	enum wire_step step;
	enum verdict why = VERDICT_OK;
	struct msg m;

	while ((step = wire_next(&dgram, &m, &why)) != WIRE_END) {
		assert(step == WIRE_MSG || verdict_is_malformed(why));
		if (step != WIRE_MSG)
			continue;
		if (m.type == MSG_CTL)
			try_alive(m.body);
		else if (msg_is_data(&m) && m.type <= MSG_CT_DEL)
			try_flow(&opts, m.body);
		else if (msg_is_data(&m))
			try_expect(&opts, m.body);
	}
	names_free(opts.helpers);
	names_free(opts.functions);
	return 0;
}
