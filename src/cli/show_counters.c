/* SPDX-License-Identifier: ISC */
#include "cli/show_counters.h"

/* Quotes and backslashes with one before them, a newline as \n. */
static void write_label(const char *name, const char *value, struct wr *out)
{
	wr_printf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n') {
			wr_printf(out, "\\n");
			continue;
		}
		if (*value == '"' || *value == '\\')
			wr_u8(out, '\\');
		wr_u8(out, (uint8_t)*value);
	}
	wr_u8(out, '"');
}

static void write_labels(const struct counted *c, struct wr *out)
{
	const struct counter_labels *names = counter_labels(c->per);

	if (!names->label)
		return;
	wr_u8(out, '{');
	write_label(names->label, c->label, out);
	if (names->detail) {
		wr_u8(out, ',');
		write_label(names->detail, c->detail, out);
	}
	wr_u8(out, '}');
}

static void write_number(uint64_t value, unsigned int decimals, struct wr *out)
{
	uint64_t one = 1;

	for (unsigned int i = 0; i < decimals; i++)
		one *= 10;
	wr_printf(out, " %llu", (unsigned long long)(value / one));
	if (decimals)
		wr_printf(out, ".%0*llu", (int)decimals,
			  (unsigned long long)(value % one));
	wr_u8(out, '\n');
}

bool show_counters_next(const struct counter_set *s, struct counter_walk *walk,
			struct wr *out)
{
	for (; walk->row < COUNTER_N; walk->row++, walk->subject = 0) {
		enum counter id = (enum counter)walk->row;

		while (walk->subject < s->n) {
			const struct counted *c = &s->all[walk->subject++];

			if (!c->has[id])
				continue;
			wr_printf(out, COUNTER_PREFIX "%s", counter_name(id));
			write_labels(c, out);
			write_number(c->values[id], counter_row(id)->decimals,
				     out);
			return true;
		}
	}
	return false;
}
