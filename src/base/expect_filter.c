/* SPDX-License-Identifier: ISC */
#include "base/expect_filter.h"

#include <string.h>
#include <strings.h>

bool expect_filter_accepts(const struct expect_filter *f,
			   const struct expect *e)
{
	const char *helper =
		e->has & EXPECT_HELPER ? names_text(f->helpers, e->helper) : "";

	for (size_t i = 0; i < f->n_names; i++)
		if (!strncasecmp(helper, f->names[i], strlen(f->names[i])))
			return true;
	return f->n_names == 0;
}
