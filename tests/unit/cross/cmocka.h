/* SPDX-License-Identifier: ISC */
/* cmocka.h - the part of cmocka's interface that our unit tests use, for
 * targets that have no cmocka library (make check-s390x, check-i386).
 * A test ends at its first failed assertion; output as cmocka prints it. */
#ifndef CROSS_CMOCKA_H
#define CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*CMUnitTestFunction)(void **state);
typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
	const char *name;
	CMUnitTestFunction test_func;
	CMFixtureFunction setup_func;
	CMFixtureFunction teardown_func;
	void *initial_state;
};

#define cmocka_unit_test(f)             \
	{                               \
#f, f, NULL, NULL, NULL \
	}
#define cmocka_unit_test_setup_teardown(f, setup, teardown) \
	{                                                   \
#f, f, setup, teardown, NULL                \
	}
#define cmocka_unit_test_setup(f, setup) \
	{                                \
#f, f, setup, NULL, NULL \
	}
#define cmocka_unit_test_teardown(f, teardown) \
	{                                      \
#f, f, NULL, teardown, NULL    \
	}
#define cmocka_unit_test_prestate(f, state) \
	{                                   \
#f, f, NULL, NULL, state    \
	}

enum { CROSS_FAILED = 1, CROSS_SKIPPED = 2 };

static jmp_buf cross_env;

#define print_message(...) printf(__VA_ARGS__)
#define print_error(...)   printf(__VA_ARGS__)

static inline _Noreturn void cross_fail(const char *file, int line)
{
	printf("%s:%d: error: Failure!\n", file, line);
	longjmp(cross_env, CROSS_FAILED);
}

static inline void cross_check(int ok, const char *text, const char *file,
			       int line)
{
	if (ok)
		return;
	printf("%s\n", text);
	cross_fail(file, line);
}

static inline void cross_compare(uintmax_t a, uintmax_t b, int equal,
				 const char *file, int line)
{
	if ((a == b) == equal)
		return;
	printf("0x%jx %s 0x%jx\n", a, equal ? "!=" : "==", b);
	cross_fail(file, line);
}

static inline void cross_range(uintmax_t v, uintmax_t min, uintmax_t max,
			       int inside, const char *file, int line)
{
	if ((v >= min && v <= max) == inside)
		return;
	printf("0x%jx, range 0x%jx-0x%jx\n", v, min, max);
	cross_fail(file, line);
}

static inline void cross_strings(const char *a, const char *b, int equal,
				 const char *file, int line)
{
	if ((strcmp(a, b) == 0) == equal)
		return;
	printf("\"%s\" %s \"%s\"\n", a, equal ? "!=" : "==", b);
	cross_fail(file, line);
}

static inline void cross_memory(const void *va, const void *vb, size_t n,
				int equal, const char *file, int line)
{
	const unsigned char *a = va;
	const unsigned char *b = vb;

	if ((n == 0 || memcmp(a, b, n) == 0) == equal)
		return;
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			printf("offset %zu: 0x%02x 0x%02x\n", i, a[i], b[i]);
	cross_fail(file, line);
}

#define CROSS_AT           __FILE__, __LINE__
#define fail()             cross_fail(CROSS_AT)
#define fail_msg(...)      (printf(__VA_ARGS__), cross_fail(CROSS_AT))
#define skip()             longjmp(cross_env, CROSS_SKIPPED)
#define assert_true(c)     cross_check(!!(c), #c, CROSS_AT)
#define assert_false(c)    cross_check(!(c), "!(" #c ")", CROSS_AT)
#define assert_null(p)     cross_check((p) == NULL, #p " == NULL", CROSS_AT)
#define assert_non_null(p) cross_check((p) != NULL, #p " != NULL", CROSS_AT)
#define assert_ptr_equal(a, b)                                            \
	cross_check((const void *)(a) == (const void *)(b), #a " == " #b, \
		    CROSS_AT)
#define assert_ptr_not_equal(a, b)                                        \
	cross_check((const void *)(a) != (const void *)(b), #a " != " #b, \
		    CROSS_AT)
#define assert_return_code(rc, err) \
	cross_check((rc) >= 0, #rc " >= 0", CROSS_AT)
#define assert_int_equal(a, b) \
	cross_compare((uintmax_t)(a), (uintmax_t)(b), 1, CROSS_AT)
#define assert_int_not_equal(a, b) \
	cross_compare((uintmax_t)(a), (uintmax_t)(b), 0, CROSS_AT)
#define assert_in_range(v, min, max)                                       \
	cross_range((uintmax_t)(v), (uintmax_t)(min), (uintmax_t)(max), 1, \
		    CROSS_AT)
#define assert_not_in_range(v, min, max)                                   \
	cross_range((uintmax_t)(v), (uintmax_t)(min), (uintmax_t)(max), 0, \
		    CROSS_AT)
#define assert_string_equal(a, b)        cross_strings(a, b, 1, CROSS_AT)
#define assert_string_not_equal(a, b)    cross_strings(a, b, 0, CROSS_AT)
#define assert_memory_equal(a, b, n)     cross_memory(a, b, n, 1, CROSS_AT)
#define assert_memory_not_equal(a, b, n) cross_memory(a, b, n, 0, CROSS_AT)

/* Returns 0 or what made it end: CROSS_FAILED, CROSS_SKIPPED. */
static inline int cross_run_one(const struct CMUnitTest *t, void *group_state)
{
	void *state = t->initial_state ? t->initial_state : group_state;
	int result;

	if (t->setup_func && t->setup_func(&state))
		return CROSS_FAILED;
	result = setjmp(cross_env);
	if (result == 0)
		t->test_func(&state);
	if (t->teardown_func && t->teardown_func(&state))
		result = CROSS_FAILED;
	return result;
}

static inline int cross_run(const struct CMUnitTest *tests, size_t n,
			    CMFixtureFunction setup, CMFixtureFunction teardown)
{
	static const char *const words[] = { "      OK", " FAILED ",
					     " SKIPPED" };
	size_t by_result[3] = { 0, 0, 0 };
	void *state = NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (setup && setup(&state))
		return 1;
	for (size_t i = 0; i < n; i++) {
		int result = cross_run_one(&tests[i], state);

		by_result[result]++;
		printf("[ %s ] %s\n", words[result], tests[i].name);
	}
	if (teardown && teardown(&state))
		by_result[CROSS_FAILED]++;
	printf("[  PASSED  ] %zu test(s).\n", by_result[0]);
	if (by_result[CROSS_FAILED])
		printf("[  FAILED  ] %zu test(s)\n", by_result[CROSS_FAILED]);
	return (int)by_result[CROSS_FAILED];
}

#define cmocka_run_group_tests(tests, setup, teardown) \
	cross_run(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)
#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
	cmocka_run_group_tests(tests, setup, teardown)

#endif
