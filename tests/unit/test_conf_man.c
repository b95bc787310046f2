/* SPDX-License-Identifier: ISC */
/* The manual page and the tables of the language say the same, both ways, and
 * every example of the page can be read. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_help.h"

#define PAGE "man/conntrackd.conf.5"

/* One option as the page has it. */
struct entry {
	char block[32];
	char tag[128];   /* "\fBHashSize\fR \fInumber\fR" */
	char facts[128]; /* the line after it */
	bool is_old;     /* in OLD OPTIONS */
	bool is_known;   /* to the tables */
};

struct page {
	struct entry entries[256];
	size_t n;
	char *examples; /* all of them, each line after its block's name */
	char *text;
	size_t len;
};

/* Cuts the next line off *at; NULL at the end of the text. */
static char *next_line(char **at)
{
	char *line = *at, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	*at = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return line;
}

static bool starts(const char *line, const char *with)
{
	return !strncmp(line, with, strlen(with));
}

/* The name in .SS NAME or .SS "NAME" */
static void heading(const char *line, char *out, size_t size)
{
	snprintf(out, size, "%s", line + 4 + (line[4] == '"'));
	out[strcspn(out, "\"")] = '\0';
}

/* "\fBName\fR (Block)" */
static void old_block(struct entry *e)
{
	const char *open = strchr(e->tag, '(');

	assert_non_null(open);
	snprintf(e->block, sizeof(e->block), "%s", open + 1);
	e->block[strcspn(e->block, ")")] = '\0';
	e->is_old = true;
}

/* Splits the page, whose lines end with a zero byte afterwards. */
static void read_page(struct page *p)
{
	char block[32] = "", section[64] = "";
	int after_tag = 0; /* 1: .TP was seen, 2: the tag was */
	bool in_example = false;
	size_t used = 0;
	char *line, *at;

	p->text = at = conf_load(PAGE, &p->len);
	p->examples = calloc(1, 8 * p->len);
	while ((line = next_line(&at))) {
		if (starts(line, ".SH"))
			snprintf(section, sizeof(section), "%s", line + 4);
		if (starts(line, ".SS"))
			heading(line, block, sizeof(block));
		if (starts(line, ".E")) {
			in_example = starts(line, ".EX");
		} else if (in_example) {
			used += (size_t)snprintf(p->examples + used,
						 8 * p->len - used, "%s\t%s\n",
						 block, line);
		} else if (after_tag == 1) {
			struct entry *e = &p->entries[p->n++];

			snprintf(e->block, sizeof(e->block), "%s", block);
			snprintf(e->tag, sizeof(e->tag), "%s", line);
			if (starts(section, "OLD"))
				old_block(e);
		} else if (after_tag == 2) {
			snprintf(p->entries[p->n - 1].facts, 128, "%s", line);
		}
		after_tag = starts(line, ".TP") ? 1 : after_tag == 1 ? 2 : 0;
	}
}

static void free_page(struct page *p)
{
	free(p->text);
	free(p->examples);
}

static struct entry *find(struct page *p, const struct conf_option *o)
{
	char tag[128];

	snprintf(tag, sizeof(tag), "\\fB%s\\fR", o->name);
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->entries[i].block, o->block) &&
		    starts(p->entries[i].tag, tag))
			return &p->entries[i];
	return NULL;
}

/* Directories are chosen when the program is built; the page has the usual. */
static const char *usual_dir(const char *path)
{
	return strstr(path, ".lock") ? "/var/lock" : "/run";
}

static void facts_of(const struct conf_option *o, char *out, size_t size)
{
	if (!strcmp(o->type, "path"))
		snprintf(out, size, "Default %s%s.", usual_dir(o->deflt),
			 strrchr(o->deflt, '/'));
	else if (o->max)
		snprintf(out, size, "From %u to %u%s%s.", o->min, o->max,
			 *o->deflt ? ", default " : "", o->deflt);
	else if (*o->deflt)
		snprintf(out, size, "Default %s.", o->deflt);
	else
		out[0] = '\0';
}

static void compare(void *ctx, const struct conf_option *o)
{
	struct page *p = ctx;
	struct entry *e = find(p, o);
	bool is_old = o->alias_of || o->note;
	char type[64], facts[128];

	if (!strcmp(o->block, "IgnoreTrafficFor") ||
	    (!strcmp(o->block, "the file") && !is_old))
		return; /* sections, and the content of an old clause */
	if (!e)
		fail_msg("%s (%s) is not in %s", o->name, o->block, PAGE);
	e->is_known = true;
	if (e->is_old != is_old)
		fail_msg("%s (%s) is in the wrong part", o->name, o->block);
	if (is_old)
		return;
	snprintf(type, sizeof(type), "\\fI%s\\fR", o->type);
	if (!strstr(e->tag, type))
		fail_msg("%s (%s): its type is %s", o->name, o->block, o->type);
	facts_of(o, facts, sizeof(facts));
	if (*facts && strcmp(e->facts, facts) != 0)
		fail_msg("%s (%s): '%s' should be '%s'", o->name, o->block,
			 e->facts, facts);
}

static void test_every_option_is_on_the_page_and_the_reverse(void **state)
{
	struct page *p = calloc(1, sizeof(*p));

	(void)state;
	read_page(p);
	conf_for_each_option(compare, p);
	for (size_t i = 0; i < p->n; i++)
		if (!p->entries[i].is_known)
			fail_msg("%s (%s) is on the page only",
				 p->entries[i].tag, p->entries[i].block);
	free_page(p);
	free(p);
}

struct wanted {
	const struct page *page;
	int n;
};

/* An option stands in an example under the heading of its own block. */
static void has_example(void *ctx, const struct conf_option *o)
{
	struct wanted *w = ctx;
	char *copy, *line, *next;
	bool found = false;

	if (o->alias_of || o->note || !strcmp(o->block, "the file"))
		return;
	if (!strcmp(o->block, "IgnoreTrafficFor"))
		return;
	copy = next = strdup(w->page->examples);
	while ((line = next_line(&next))) {
		const char *text = strchr(line, '\t') + 1;
		size_t len = strlen(o->name);

		if (strncmp(line, o->block, strlen(o->block)) != 0 ||
		    line[strlen(o->block)] != '\t')
			continue;
		for (const char *at = strstr(text, o->name); at;
		     at = strstr(at + 1, o->name))
			found |=
				(at == text || at[-1] == ' ') && at[len] == ' ';
	}
	free(copy);
	if (!found)
		fail_msg("%s (%s) has no example", o->name, o->block);
	w->n++;
}

static void test_every_option_has_an_example_in_its_block(void **state)
{
	struct page *p = calloc(1, sizeof(*p));
	struct wanted w = { .page = p };

	(void)state;
	read_page(p);
	conf_for_each_option(has_example, &w);
	assert_true(w.n > 80);
	free_page(p);
	free(p);
}

static void load_example(const char *from, size_t len)
{
	char *text = calloc(1, len + 32);
	char out[4096];
	struct conf_read *r;

	memcpy(text, from, len);
	if (!strstr(text, "Sync {") && !strstr(text, "Stats {") &&
	    !strstr(text, "Helper {"))
		memcpy(text + len, "Stats {\n}\n", 10);
	r = conf_read_text(text, strlen(text));
	if (r->result)
		fail_msg("%s\n%s", text, conf_findings(r, out, sizeof(out)));
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->findings[i].name, "missing-path") != 0 &&
		    strcmp(r->findings[i].name, "helper-unsupported") != 0)
			fail_msg("%s\n%s", text, r->findings[i].text);
	conf_read_free(r);
	free(text);
}

static void test_every_example_can_be_read_without_a_finding(void **state)
{
	size_t len;
	char *text = conf_load(PAGE, &len), *at = text;
	int n = 0;

	(void)state;
	while ((at = strstr(at, "\n.EX\n"))) {
		char *end = strstr(at, "\n.EE");

		assert_non_null(end);
		load_example(at + 5, (size_t)(end + 1 - (at + 5)));
		at = end;
		n++;
	}
	assert_true(n > 15);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_every_option_is_on_the_page_and_the_reverse),
		cmocka_unit_test(test_every_option_has_an_example_in_its_block),
		cmocka_unit_test(
			test_every_example_can_be_read_without_a_finding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
