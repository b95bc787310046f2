/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/args.h"
#include "cli/ctl_rows.h"
#include "cli/usage.h"

enum { MAX_ARGS = 12 };

/* Runs args_parse() on words separated by blanks; '' is an empty word. */
static enum args_fault parse(const char *line, struct request *out,
			     struct args_error *err)
{
	static char copy[256]; /* the results point into it */
	char name[] = "conntrackd";
	char *argv[MAX_ARGS + 1] = { name };
	int argc = 1;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	for (char *at = copy; *at && argc < MAX_ARGS;) {
		argv[argc] = at;
		if (!strncmp(at, "''", 2))
			argv[argc] = at + 2;
		argc++;
		at += strcspn(at, " ");
		if (*at)
			*at++ = '\0';
	}
	return args_parse(argc, argv, out, err);
}

/* Role, code and path, or fault and word, as one text. */
static const char *outcome(const char *line)
{
	static const char *const roles[] = { "daemon", "client", "check",
					     "print",  "usage",  "version" };
	static char text[400];
	struct request r;
	struct args_error e;
	struct wr w = { .buf = (uint8_t *)text, .size = sizeof(text) };

	if (parse(line, &r, &e) == ARGS_OK) {
		wr_printf(&w, "%s", roles[r.role]);
		if (r.is_background)
			wr_printf(&w, " -d");
		if (r.role == ROLE_CLIENT)
			wr_printf(&w, " %d", r.code);
		if (r.config)
			wr_printf(&w, " C=%s", r.config);
		if (r.warning)
			wr_printf(&w, " (%s)", r.warning);
	} else {
		args_error_text(&e, &w);
	}
	wr_u8(&w, 0);
	assert_false(w.full);
	return text;
}

struct line {
	const char *line;
	const char *outcome;
};

static void check(const struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = outcome(lines[i].line);

		if (strncmp(got, lines[i].outcome, strlen(lines[i].outcome)))
			print_message("conntrackd %s\n", lines[i].line);
		assert_string_equal(got, lines[i].outcome);
	}
}

/* The table of request codes, PROTOCOL.md 7.1. */
static void test_options_give_the_codes_of_the_reference(void **state)
{
	static const struct line lines[] = {
		{ "-c", "client 46" },
		{ "-c ct", "client 18" },
		{ "-c expect", "client 42" },
		{ "-i", "client 16" },
		{ "-i ct", "client 16" },
		{ "-i expect", "client 40" },
		{ "-e", "client 17" },
		{ "-e ct", "client 17" },
		{ "-e expect", "client 41" },
		{ "-i -x", "client 24" },
		{ "-e -x", "client 25" },
		{ "-i ct -x", "client 24" },
		{ "-e ct -x", "client 25" },
		{ "-i expect -x", "client 47" },
		{ "-e expect -x", "client 48" },
		{ "-f", "client 45" },
		{ "-f internal", "client 33" },
		{ "-f external", "client 34" },
		{ "-F", "client 43" },
		{ "-F ct", "client 0" },
		{ "-F expect", "client 38" },
		{ "-R", "client 44" },
		{ "-R ct", "client 1" },
		{ "-R expect", "client 39" },
		{ "-B", "client 22" },
		{ "-n", "client 23" },
		{ "-t", "client 26" },
		{ "-k", "client 20" },
		{ "-s", "client 21" },
		{ "-s ct", "client 21" },
		{ "-s network", "client 28" },
		{ "-s cache", "client 29" },
		{ "-s runtime", "client 30" },
		{ "-s link", "client 31" },
		{ "-s rsqueue", "client 32" },
		{ "-s process", "client 35" },
		{ "-s queue", "client 36" },
		{ "-s expect", "client 37" },
		/* one of our own */
		{ "-s counters", "client 4352" },
	};

	(void)state;
	check(lines, N_ELEMENTS(lines));
}

/* PROTOCOL.md 7.1 and golden rows 63 to 76. */
static void test_words_match_by_their_beginning_in_order(void **state)
{
	static const struct line lines[] = {
		{ "-s n", "client 28" },
		{ "-s net", "client 28" },
		{ "-s c", "client 29" },
		{ "-s co", "client 4352" },
		{ "-s r", "client 30" },
		{ "-s ru", "client 30" },
		{ "-s rs", "client 32" },
		{ "-s l", "client 31" },
		{ "-s p", "client 35" },
		{ "-s q", "client 36" },
		{ "-s ct", "client 21" },
		{ "-s e", "client 37" },
		{ "-s exp", "client 37" },
		{ "-s ''", "client 28" },
		{ "-i c", "client 16" },
		{ "-i e", "client 40" },
		{ "-i exp -x", "client 47" },
		{ "-e expect -x", "client 48" },
		{ "-c e", "client 42" },
		{ "-c exp", "client 42" },
		{ "-R e", "client 39" },
		{ "-f i", "client 33" },
		{ "-f e", "client 34" },
		{ "-s m", "client 31 (use `link' instead of `multicast' as "
			  "parameter.)" },
		{ "-s networks",
		  "unknown parameter `networks' for option `-s'" },
	};

	(void)state;
	check(lines, N_ELEMENTS(lines));
}

/* Rows of the recorded command lines (errors.tsv) where we do the same. */
static void test_recorded_lines_are_read_as_the_reference_does(void **state)
{
	static const struct line lines[] = {
		/* 10: the last -C counts */
		{ "-C /nonexistent -C ok.conf -s", "client 21 C=ok.conf" },
		/* 12, 13, 32, 33 */
		{ "-h", "usage" },
		{ "-v", "version" },
		{ "-h -z", "usage" },
		{ "-k -v", "version" },
		/* 19, 21 to 24 */
		{ "-x", "Invalid parameters: `-x' does not go with the rest" },
		{ "-C ok.conf -i -x -x",
		  "Invalid parameters: `-x' does not go with the rest" },
		{ "-C ok.conf -s -x",
		  "Invalid parameters: `-x' does not go with the rest" },
		{ "-d -s", "Invalid parameters: `-s' does not go with the "
			   "rest" },
		{ "-s -d", "Invalid parameters: `-d' does not go with the "
			   "rest" },
		/* 26, 27 */
		{ "-s foo", "unknown parameter `foo' for option `-s'" },
		{ "-f foo", "unknown parameter `foo' for option `-f'" },
		/* 77: what follows the letter is ignored; 81 */
		{ "-C ok.conf -ix", "client 16 C=ok.conf" },
		{ "-C ok.conf -sfoo", "client 21 C=ok.conf" },
		{ "-kill", "client 20" },
		/* 79, 80: the last command counts */
		{ "-i -s process", "client 35" },
		{ "-s process -i", "client 16" },
		/* commands and -C in any order */
		{ "-c -C PATH", "client 46 C=PATH" },
		{ "-C -s", "daemon C=-s" },
		{ "-d -C PATH", "daemon -d C=PATH" },
		{ "-d -d", "daemon -d" },
		{ "", "daemon" },
	};

	(void)state;
	check(lines, N_ELEMENTS(lines));
}

/* The texts are those of 1.4.7, which then exits 0; the newest reference
 * exits 1 for options, as we do. */
static void test_unknown_options_are_errors(void **state)
{
	static const struct line lines[] = {
		{ "-z", "Unknown option: -z" },               /* 14 */
		{ "--help", "Unknown option: --help" },       /* 15 */
		{ "--version", "Unknown option: --version" }, /* 16 */
		{ "-", "Unknown option: -" },                 /* 17 */
		{ "foo", "Unknown option: foo" },             /* 18 */
		{ "-d -d -z", "Unknown option: -z" },         /* 25 */
		{ "-i foo", "Unknown option: foo" },          /* 28 */
		{ "-c foo", "Unknown option: foo" },          /* 29 */
		{ "-s network foo", "Unknown option: foo" },  /* 30 */
		{ "-z -h", "Unknown option: -z" },            /* 31 */
	};

	(void)state;
	check(lines, N_ELEMENTS(lines));
}

static void test_deliberate_differences_hold(void **state)
{
	static const struct line lines[] = {
		/* 94 to 96: read as -t, -t, -e; a word is no option, for -t
		 * empties the kernel's table */
		{ "status", "Unknown option: status" },
		{ "start", "Unknown option: start" },
		{ "restart", "Unknown option: restart" },
		{ "-i xt", "Unknown option: xt" },
		/* 20: -x may stand anywhere */
		{ "-x -i", "client 24" },
		{ "-x -C PATH -e exp", "client 48 C=PATH" },
		{ "-i -C PATH -x", "client 24 C=PATH" },
		{ "-x -x -i",
		  "Invalid parameters: `-x' does not go with the rest" },
		{ "-x -s",
		  "Invalid parameters: `-s' does not go with the rest" },
		/* 7, 8: goes on with the default configuration; the newest
		 * reference exits 1 */
		{ "-s -C", "Missing config filename" },
		{ "-C", "Missing config filename" },
		/* an empty word: undefined */
		{ "''", "Unknown option: " },
	};

	(void)state;
	check(lines, N_ELEMENTS(lines));
}

static void test_check_is_a_role_of_its_own(void **state)
{
	static const struct line lines[] = {
		{ "-C FILE -T", "check C=FILE" },
		{ "-T -C FILE", "check C=FILE" },
		{ "-T -T", "print" },
		{ "-T -C FILE -T", "print C=FILE" },
		{ "-T -T -T", "print" },
		{ "-d -T",
		  "Invalid parameters: `-T' does not go with the rest" },
		{ "-T -d",
		  "Invalid parameters: `-d' does not go with the rest" },
		{ "-T -s",
		  "Invalid parameters: `-s' does not go with the rest" },
		{ "-T -T -s",
		  "Invalid parameters: `-s' does not go with the rest" },
		{ "-s -T",
		  "Invalid parameters: `-T' does not go with the rest" },
		{ "-T -x",
		  "Invalid parameters: `-x' does not go with the rest" },
	};

	(void)state;
	check(lines, N_ELEMENTS(lines));
}

static void test_a_fault_leaves_the_request_alone(void **state)
{
	struct request r = { .code = 4711, .role = ROLE_PRINT };
	struct args_error e = { 0 };

	(void)state;
	assert_int_equal(parse("-C x -k -z", &r, &e), ARGS_UNKNOWN_OPTION);
	assert_int_equal(r.code, 4711);
	assert_int_equal(r.role, ROLE_PRINT);
	assert_null(r.config);
	assert_int_equal(parse("-s foo", &r, &e), ARGS_UNKNOWN_PARAMETER);
	assert_int_equal(e.letter, 's');
	assert_string_equal(e.word, "foo");
}

static void test_no_arguments_at_all_is_the_daemon(void **state)
{
	char *argv[] = { NULL };
	struct request r;
	struct args_error e;

	(void)state;
	assert_int_equal(args_parse(0, argv, &r, &e), ARGS_OK);
	assert_int_equal(r.role, ROLE_DAEMON);
	assert_false(r.is_background);
}

/* The letters of both tables; returns how many there are. */
static size_t all_letters(char *letters)
{
	size_t n_options, n_rows, n = 0;
	const struct args_row *options = args_rows(&n_options);
	const struct ctl_row *rows = ctl_rows(&n_rows);

	for (size_t i = 0; i < n_options; i++)
		letters[n++] = options[i].letter;
	for (size_t i = 0; i < n_rows; i++)
		if (ctl_row_letter(&rows[i]) && !ctl_row_word(&rows[i]))
			letters[n++] = ctl_row_letter(&rows[i]);
	letters[n] = '\0';
	return n;
}

static void test_usage_names_every_option_and_word(void **state)
{
	char text[USAGE_MAX], letters[64], wanted[64];
	struct wr w = { .buf = (uint8_t *)text, .size = sizeof(text) };
	size_t n;
	const struct args_row *options = args_rows(&n);
	const struct ctl_row *rows;

	(void)state;
	usage_text("/opt/sbin/ct", "/opt/etc/ct.conf", &w);
	wr_u8(&w, 0);
	assert_false(w.full);
	assert_non_null(strstr(text, "\nUsage: /opt/sbin/ct "));
	assert_non_null(strstr(text, "/opt/etc/ct.conf"));
	assert_int_equal(all_letters(letters), 17);
	for (size_t i = 0; i < 17; i++) {
		snprintf(wanted, sizeof(wanted), "\n  -%c ", letters[i]);
		assert_non_null(strstr(text, wanted));
	}
	for (size_t i = 0; i < n; i++)
		assert_non_null(strstr(text, options[i].help));
	rows = ctl_rows(&n);
	for (size_t i = 0; i < n; i++)
		if (rows[i].help)
			assert_non_null(strstr(text, rows[i].help));
	assert_non_null(strstr(text, " -s [network|cache|runtime|link|rsqueue|"
				     "process|queue|ct|expect|counters]\n"));
	assert_non_null(strstr(text, " -f [internal|external] "));
	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		assert_true(strcspn(line, "\n") <= 80);
}

/* What works is where the words are; what does not, behind them. */
static void test_usage_says_what_this_version_cannot_do(void **state)
{
	char text[USAGE_MAX];
	struct wr w = { .buf = (uint8_t *)text, .size = sizeof(text) };

	(void)state;
	usage_text("conntrackd", "ct.conf", &w);
	wr_u8(&w, 0);
	assert_non_null(strstr(text, "\nNot in this version:\n  -x\n"));
	assert_non_null(strstr(text, " -c [ct|expect] "));
	assert_non_null(strstr(text, " -i [ct|expect] "));
	assert_non_null(strstr(text, " -F [ct|expect] "));
	assert_null(strstr(text, "multicast"));
}

static void test_the_manual_page_has_every_option(void **state)
{
	static const char item[] = "\n.It Fl ";
	static char page[65536];
	FILE *f = fopen("man/conntrackd.8", "r");
	char letters[64];
	size_t n = all_letters(letters), n_items = 0;

	(void)state;
	assert_non_null(f);
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	fclose(f);
	for (const char *at = page; (at = strstr(at, item)); n_items++) {
		at += strlen(item);
		assert_non_null(strchr(letters, *at)); /* none is made up */
	}
	assert_int_equal(n_items, n);
}

static void test_version_is_named(void **state)
{
	char text[USAGE_MAX];
	struct wr w = { .buf = (uint8_t *)text, .size = sizeof(text) };

	(void)state;
	version_text(&w);
	wr_u8(&w, 0);
	assert_false(w.full);
	assert_int_equal(
		strncmp(text, "conntrackd (library-free) v" VERSION "\n",
			strlen("conntrackd (library-free) v" VERSION "\n")),
		0);
	assert_non_null(strstr(text, "ISC"));
	assert_non_null(strstr(text, "synchronisation protocol"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_give_the_codes_of_the_reference),
		cmocka_unit_test(test_words_match_by_their_beginning_in_order),
		cmocka_unit_test(
			test_recorded_lines_are_read_as_the_reference_does),
		cmocka_unit_test(test_unknown_options_are_errors),
		cmocka_unit_test(test_deliberate_differences_hold),
		cmocka_unit_test(test_check_is_a_role_of_its_own),
		cmocka_unit_test(test_a_fault_leaves_the_request_alone),
		cmocka_unit_test(test_no_arguments_at_all_is_the_daemon),
		cmocka_unit_test(test_usage_names_every_option_and_word),
		cmocka_unit_test(test_usage_says_what_this_version_cannot_do),
		cmocka_unit_test(test_the_manual_page_has_every_option),
		cmocka_unit_test(test_version_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
