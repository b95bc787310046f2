/* SPDX-License-Identifier: ISC */
/* Every file of the two collections gets the verdict that a good reader should
 * give, at the place that their tables name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_help.h"

/* Findings that the table asks for beyond the verdict. */
static const struct {
	const char *file, *findings;
} details[] = {
	{ "configs/016-puppet-voxpupuli-stats.conf",
	  "error 66:1 combination; warning 68:5 deprecated; "
	  "warning 68:5 duplicate; warning 69:12 combination" },
	{ "configs/033-nix-masthead-mode-full.conf",
	  "error 2:8 word-mode; error 4:5 option; "
	  "error 10:7 word-helper; warning 16:3 deprecated; "
	  "error 21:3 option; warning 23:5 deprecated; error 26:3 option" },
	{ "configs/048-blog-satishdotpatel-fw1.conf", NULL },
	{ "bad-configs/027-ten-thousand-braces.conf", "error 1:1 syntax" },
	{ "bad-configs/155-udp-misspelt-destination.conf", "error 6:3 option" },
	{ "bad-configs/238-many-blank-lines-lineno.conf",
	  "error 5002:2 option" },
};

/* Where we do not do what the column "should", "position" or "parse" says, and
 * why. */
struct deviation {
	const char *file, *column;
	bool is_listed;
};

static void check_deviation(void *ctx, char *cells[TSV_CELLS])
{
	struct deviation *d = ctx;

	d->is_listed |= !strcmp(cells[0], d->file) &&
			!strcmp(cells[1], d->column) && *cells[2];
}

static bool deviates(const char *file, const char *column)
{
	struct deviation d = { file, column, false };

	conf_for_each_row("tests/corpus/deviations.tsv", check_deviation, &d);
	return d.is_listed;
}

static struct conf_read *read_file(const char *folder, const char *file)
{
	char path[256];
	struct conf_read *r;
	size_t len;
	char *text;

	snprintf(path, sizeof(path), "tests/corpus/%s/%s", folder, file);
	text = conf_load(path, &len);
	r = conf_read_text(text, len);
	free(text);
	return r;
}

static void check_position(const char *file, const char *position,
			   const struct conf_read *r, bool refuse)
{
	unsigned int line, col;
	bool told;

	if (sscanf(position, "%u:%u", &line, &col) != 2)
		return;
	told = conf_has_finding(r, refuse ? CONF_ERROR : CONF_WARNING, line,
				col);
	if (!told && !deviates(file, "position"))
		fail_msg("%s: nothing is told at %s", file, position);
}

static void check_bad(void *ctx, char *cells[TSV_CELLS])
{
	const char *file = cells[0], *position = cells[7], *should = cells[8];
	struct conf_read *r = read_file("bad-configs", file);
	bool refuse = !strncmp(should, "error", 5) ||
		      !strncmp(should, "same as empty", 13) ||
		      strstr(should, "go on parsing: error");

	if (strstr(should, "at start") || !strncmp(should, "error (or", 9) ||
	    !strncmp(should, "error or warning: l", 19))
		refuse = r->result > 0; /* both are right */
	if (deviates(file, "should"))
		refuse = !refuse;
	if ((r->result > 0) != refuse)
		fail_msg("%s: %d errors, but it should: %s", file, r->result,
			 should);
	if (!strstr(should, "at start")) /* needs the machine */
		check_position(file, position, r, refuse);
	conf_read_free(r);
	++*(int *)ctx;
}

static void test_the_bad_files_are_judged_as_they_should(void **state)
{
	int n = 0;

	(void)state;
	conf_for_each_row("tests/corpus/bad-configs/INDEX.tsv", check_bad, &n);
	assert_int_equal(n, 238);
}

static void check_real(void *ctx, char *cells[TSV_CELLS])
{
	const char *file = cells[0], *reference = cells[3], *should = cells[8];
	struct conf_read *r = read_file("configs", file);
	bool accept = !strncmp(should, "accept", 6) &&
		      !strstr(should, "then error:") &&
		      !strstr(should, "then: no Sync");

	if ((r->result == 0) != accept)
		fail_msg("%s: %d errors, but it should: %s", file, r->result,
			 should);
	if (!strcmp(reference, "accept"))
		assert_int_equal(r->result, 0);
	conf_read_free(r);
	++*(int *)ctx;
}

static void test_the_real_files_are_judged_as_they_should(void **state)
{
	int n = 0;

	(void)state;
	conf_for_each_row("tests/corpus/configs/INDEX.tsv", check_real, &n);
	assert_int_equal(n, 53);
}

static void test_findings_are_complete_and_in_order(void **state)
{
	char out[4096];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(details); i++) {
		struct conf_read *r = read_file(".", details[i].file);

		if (details[i].findings)
			assert_string_equal(conf_findings(r, out, sizeof(out)),
					    details[i].findings);
		conf_read_free(r);
	}
}

/* base names that the reference's verdict may differ for: strict-names.tsv */
struct strict {
	const struct conf_read *r;
	bool explained;
};

static void check_strict(void *ctx, char *cells[TSV_CELLS])
{
	struct strict *s = ctx;
	size_t len = strlen(cells[0]);

	for (size_t i = 0; i < s->r->n; i++) {
		const struct finding *f = &s->r->findings[i];

		if (!strncmp(f->name, cells[0], len) &&
		    (!f->name[len] || f->name[len] == '-'))
			s->explained = true;
	}
}

static void check_stricter(void *ctx, char *cells[TSV_CELLS])
{
	struct conf_read *r;
	struct strict s = { 0 };

	(void)ctx;
	if (strcmp(cells[2], "accept") != 0)
		return;
	r = read_file("bad-configs", cells[0]);
	s.r = r;
	if (r->result) {
		conf_for_each_row("tests/corpus/strict-names.tsv", check_strict,
				  &s);
		if (!s.explained)
			fail_msg("%s: refused, but no listed reason", cells[0]);
	}
	conf_read_free(r);
}

static void test_nothing_is_stricter_without_a_listed_reason(void **state)
{
	(void)state;
	conf_for_each_row("tests/corpus/bad-configs/INDEX.tsv", check_stricter,
			  NULL);
}

static void check_prefixes(void *ctx, char *cells[TSV_CELLS])
{
	char path[256];
	size_t len;
	char *text;

	(void)ctx;
	snprintf(path, sizeof(path), "tests/corpus/bad-configs/%s", cells[0]);
	text = conf_load(path, &len);
	for (size_t n = 0; len < 1500 && n < len; n++)
		conf_read_free(conf_read_text(text, n));
	free(text);
}

static void test_every_prefix_is_judged_without_overread(void **state)
{
	(void)state;
	conf_for_each_row("tests/corpus/bad-configs/INDEX.tsv", check_prefixes,
			  NULL);
}

/* Files of the kinds that people write: all findings, exactly. What the
 * reference runs (columns parse, start) is accepted, but for deviations. */
static void check_own(void *ctx, char *cells[TSV_CELLS])
{
	const char *expected = strcmp(cells[5], "-") ? cells[5] : "";
	struct conf_read *r = read_file("own", cells[0]);
	char out[4096];

	++*(int *)ctx;
	if (strcmp(conf_findings(r, out, sizeof(out)), expected) != 0)
		fail_msg("own/%s\n  is:     %s\n  should: %s", cells[0], out,
			 expected);
	assert_int_equal(strncmp(cells[4], "accept", 6) == 0, r->result == 0);
	if (!strcmp(cells[2], "accept") && !deviates(cells[0], "parse"))
		assert_int_equal(r->result, 0);
	conf_read_free(r);
}

static void test_files_as_people_write_them_have_these_findings(void **state)
{
	int n = 0;

	(void)state;
	conf_for_each_row("tests/corpus/own/INDEX.tsv", check_own, &n);
	assert_int_equal(n, 44);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_files_as_people_write_them_have_these_findings),
		cmocka_unit_test(test_the_bad_files_are_judged_as_they_should),
		cmocka_unit_test(test_the_real_files_are_judged_as_they_should),
		cmocka_unit_test(test_findings_are_complete_and_in_order),
		cmocka_unit_test(
			test_nothing_is_stricter_without_a_listed_reason),
		cmocka_unit_test(test_every_prefix_is_judged_without_overread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
