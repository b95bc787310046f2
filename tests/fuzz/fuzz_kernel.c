/* SPDX-License-Identifier: ISC */
/* fuzz_kernel.c - bytes as one datagram from the kernel: every message that
 * decodes must survive being written and read again, unchanged. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "netlink/ct_codec.h"
#include "netlink/exp_codec.h"
#include "netlink/nlmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 2048 };

static size_t write_report(const struct ct_codec *codec, const struct flow *f,
			   uint8_t bytes[MESSAGE_MAX])
{
	struct wr w = { bytes, MESSAGE_MAX, 0, false };

	assert(ct_encode_report(codec, f, 1, &w));
	assert(!w.full);
	return w.used;
}

static void try_requests(const struct ct_codec *codec, const struct flow *f)
{
	uint8_t bytes[MESSAGE_MAX];

	for (unsigned int op = KERNEL_CREATE; op <= KERNEL_GET; op++) {
		struct wr w = { bytes, sizeof(bytes), 0, false };

		assert(ct_encode(codec, (enum kernel_op)op, f, 1, &w));
		assert(!w.full);
	}
}

static size_t report_expect(const struct ct_codec *codec,
			    const struct expect *e, uint8_t bytes[MESSAGE_MAX])
{
	struct wr w = { bytes, MESSAGE_MAX, 0, false };

	assert(exp_encode_report(codec, e, 1, &w));
	assert(!w.full);
	return w.used;
}

static void try_expect(const struct ct_codec *codec, const struct nlmsg *m)
{
	uint8_t first[MESSAGE_MAX], second[MESSAGE_MAX];
	struct nlmsg again;
	struct rd d;
	struct expect e;

	if (!exp_decode(codec, m->body, &e))
		return;
	for (unsigned int op = KERNEL_CREATE; op <= KERNEL_GET; op++) {
		struct wr w = { second, sizeof(second), 0, false };

		assert(exp_encode(codec, (enum kernel_op)op, &e, 1, &w));
		assert(!w.full);
	}
	d = (struct rd){ first, report_expect(codec, &e, first) };
	assert(nlmsg_next(&d, &again) == NLMSG_STEP_ITEM);
	assert(exp_decode(codec, again.body, &e));
	assert(report_expect(codec, &e, second) == (size_t)(d.at - first));
	assert(!memcmp(first, second, (size_t)(d.at - first)));
}

static void try_message(const struct ct_codec *codec, const struct nlmsg *m)
{
	uint8_t first[MESSAGE_MAX], second[MESSAGE_MAX], type;
	struct nlmsg again;
	struct rd d;
	struct flow f;
	int error;

	(void)!nlmsg_error(m, &error);
	if (exp_is_expect(m, &type)) {
		try_expect(codec, m);
		return;
	}
	if (!ct_decode(codec, m->body, &f))
		return;
	try_requests(codec, &f);
	d = (struct rd){ first, write_report(codec, &f, first) };
	assert(nlmsg_next(&d, &again) == NLMSG_STEP_ITEM);
	assert(ct_decode(codec, again.body, &f));
	assert(write_report(codec, &f, second) == (size_t)(d.at - first));
	assert(!memcmp(first, second, (size_t)(d.at - first)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ct_codec codec = { .helpers = names_new(4, 31),
				  .contexts = names_new(4, 255),
				  .functions = names_new(4, 63) };
	struct rd d = { data, size };
	struct nlmsg m;

	codec.tcp_window_tracking = size & 1;
	if (codec.helpers && codec.contexts && codec.functions)
		while (nlmsg_next(&d, &m) == NLMSG_STEP_ITEM)
			try_message(&codec, &m);
	names_free(codec.helpers);
	names_free(codec.contexts);
	names_free(codec.functions);
	return 0;
}
