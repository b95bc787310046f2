/* SPDX-License-Identifier: ISC */
/* Valid configurations of which this version or this machine lacks a part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "conf_help.h"
#include "conf_use.h"

#define LINK "Multicast{IPv4_address 225.0.0.50 Group 1 Interface lo}"
#define TCP                                                            \
	"TCP{IPv4_address 10.0.0.1 IPv4_Destination_Address 10.0.0.2 " \
	"Port 1 Interface lo}"

struct told {
	char text[512];
	size_t used;
};

static void note(void *ctx, const struct conf_diag *d)
{
	struct told *t = ctx;

	t->used += (size_t)snprintf(
		t->text + t->used, sizeof(t->text) - t->used, "%s%s %u:%u %s",
		t->used ? "; " : "",
		d->severity == CONF_ERROR ? "error" : "warning", d->line,
		d->col, d->name);
	assert_true(t->used < sizeof(t->text));
	assert_true(strlen(d->text) > 10);
}

typedef int use_fn(const struct conf *c, enum conf_severity severity,
		   conf_diag_fn *fn, void *ctx);

/* n_wrong: errors that the parser finds. */
static void assert_told_beside(int n_wrong, use_fn *use,
			       enum conf_severity severity, const char *text,
			       const char *expected, int n_errors)
{
	struct conf_read *r = conf_read_text(text, strlen(text));
	struct told t = { .used = 0 };

	assert_int_equal(r->result, n_wrong);
	assert_int_equal(use(&r->conf, severity, note, &t), n_errors);
	if (strcmp(t.text, expected) != 0)
		fail_msg("%s\n  is:     %s\n  should: %s", text, t.text,
			 expected);
	conf_read_free(r);
}

static void assert_told(use_fn *use, enum conf_severity severity,
			const char *text, const char *expected, int n_errors)
{
	assert_told_beside(0, use, severity, text, expected, n_errors);
}

static const struct {
	const char *text, *told;
	int n_errors;
} versions[] = {
	{ "Sync{Mode FTFW{StartupResync on} " LINK "}", "", 0 },
	{ "Sync{Mode FTFW{} " LINK "} General{PollSecs 5}", "", 0 },
	{ "General{Filter From Kernelspace{}} Sync{" LINK "}", "", 0 },
	{ "Sync{" LINK " Options{ExpectationSync on}}", "", 0 },
	{ "Sync{Mode FTFW{DisableExternalCache on} " LINK "}", "", 0 },
	{ "Sync{Mode NOTRACK{DisableInternalCache on} " LINK "}", "", 0 },
	{ "Sync{Mode NOTRACK{} " LINK "}", "", 0 },
	{ "Sync{Mode ALARM{} " LINK "}", "", 0 },
	{ "Sync{Mode FTFW{} " TCP "}", "", 0 },
	{ "Stats{}", "error 1:1 version", 1 },
	{ "General{} Helper{Type ftp inet tcp{QueueNum 1}}",
	  "error 1:11 empty-daemon", 1 },
};

static void test_what_this_version_lacks_is_told_at_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(versions); i++)
		assert_told(conf_use_version, CONF_ERROR, versions[i].text,
			    versions[i].told, versions[i].n_errors);
}

static void test_to_a_check_it_is_a_warning(void **state)
{
	(void)state;
	assert_told(conf_use_version, CONF_WARNING, "Stats{}",
		    "warning 1:1 version", 0);
	assert_told(conf_use_version, CONF_WARNING,
		    "Helper{Type ftp inet tcp{QueueNum 1}}",
		    "warning 1:1 empty-daemon", 0);
}

static void test_a_file_that_could_not_be_read_is_not_called_empty(void **state)
{
	(void)state;
	assert_told_beside(1, conf_use_version, CONF_ERROR,
			   "Helper{Type ftp inet tcp{QueueNum 1}} Sink{}", "",
			   0);
}

static void test_of_an_option_in_a_wrong_block_no_more_is_told(void **state)
{
	(void)state;
	assert_told_beside(1, conf_use_version, CONF_ERROR,
			   "Sync{ExpectationSync on " LINK "}", "", 0);
}

static const struct {
	const char *text, *told;
	int n_errors;
} machines[] = {
	{ "Sync{" LINK "}", "", 0 },
	{ "Sync{Multicast{IPv4_address 225.0.0.50 Group 1 Interface nope}}",
	  "warning 1:58 interface", 0 },
	{ "General{LogFile /tmp LockFile /no/such/x UNIX{Path /no/such }} "
	  "Stats{LogFile /no/such/y }",
	  "error 1:17 directory; error 1:31 missing-directory; "
	  "error 1:52 missing-directory; error 1:78 missing-directory",
	  4 },
	{ "General{LogFile /dev/stdout LockFile /a UNIX{Path /b }} Stats{}", "",
	  0 },
};

static void test_what_this_machine_lacks_is_told_at_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(machines); i++)
		assert_told(conf_use_machine, CONF_ERROR, machines[i].text,
			    machines[i].told, machines[i].n_errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_what_this_version_lacks_is_told_at_its_place),
		cmocka_unit_test(test_to_a_check_it_is_a_warning),
		cmocka_unit_test(
			test_a_file_that_could_not_be_read_is_not_called_empty),
		cmocka_unit_test(
			test_of_an_option_in_a_wrong_block_no_more_is_told),
		cmocka_unit_test(
			test_what_this_machine_lacks_is_told_at_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
