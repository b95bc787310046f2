/* SPDX-License-Identifier: ISC */
/* fuzz_ftfw.c - the world of an FT-FW node. */
#include "sync/ftfw_state.h"
#include "sync/mode.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .mode = mode_ftfw,
			   .capability = EXT_CAP_ADDRESSED_ACK,
			   .in = { data, size } };

	open_world(&w, byte(&w));
	while (w.in.left) {
		one_step(&w);
		check(&w, &CONTAINER_OF(w.engine, struct ftfw, base)->l);
	}
	close_world(&w);
	return 0;
}
