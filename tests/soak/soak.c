/* SPDX-License-Identifier: ISC */
/* soak.c - random clusters, by the thousand, on the simulator. See usage(). */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "idle.h"
#include "play.h"
#include "shrink.h"
#include "sync/mode.h"

enum kind { KIND_OWN, KIND_REFERENCE, KIND_IDLE, KIND_N };

static const char *const kind_names[] = {
	[KIND_OWN] = "own",
	[KIND_REFERENCE] = "reference",
	[KIND_IDLE] = "idle",
};

struct opts {
	node_engine_fn *mode;
	enum kind kind;
	uint64_t first, n;
	long n_jobs;
	uint32_t features;
	bool shrinks, is_verbose, has_trace;
};

/* Shared by the processes. */
struct tally {
	_Atomic uint64_t n_failed;
	_Atomic uint64_t n_excused[CAUSE_N]; /* flows */
};

static void usage(FILE *out)
{
	fprintf(out,
		"soak [-m MODE] [-k KIND] [-j JOBS] [-x FEATURES | -o "
		"FEATURES] [-s] "
		"[-v] "
		"[-t] FIRST [SEEDS]\n"
		"Plays random clusters, one for each seed, and prints a line\n"
		"for each that ends wrong. Exit status 1 if any does.\n"
		"  -m MODE      of all nodes: ftfw (default), notrack, alarm\n"
		"  -k KIND      own: everything that can happen (default)\n"
		"               reference: a pair with a modelled reference\n"
		"               idle: idle nodes on links that lose\n"
		"  -x FEATURES  without these: ");
	for (int i = 0; i < FEATURE_N; i++)
		fprintf(out, "%s%s", feature_name((enum feature)i),
			i < FEATURE_N - 1 ? "," : "\n");
	fprintf(out,
		"  -o FEATURES  with these only\n"
		"  -s           shrink what fails to few steps\n"
		"  -v           show steps and events; -t: datagrams too\n");
}

/* ---- one seed ----------------------------------------------------------- */

static bool play_scenario(const struct opts *o, uint64_t seed, struct tally *t,
			  char why[WHY_SIZE])
{
	uint32_t n_excused[CAUSE_N] = { 0 };
	struct play_opts p = { .mode = o->mode, .n_excused = n_excused };
	struct scenario c;
	bool ok;

	scenario_draw(&c, seed, o->features, o->kind == KIND_REFERENCE);
	if (o->shrinks) {
		if (play(&c, &p, why))
			return true;
		shrink(&c, &p, why);
	}
	if (o->is_verbose || o->shrinks)
		scenario_print(&c, stdout);
	if (o->is_verbose)
		p.trace = stdout;
	p.has_datagrams = o->has_trace;
	ok = play(&c, &p, why);
	for (int i = 0; i < CAUSE_N; i++)
		t->n_excused[i] += n_excused[i];
	return ok;
}

static bool play_seed(const struct opts *o, uint64_t seed, struct tally *t,
		      char why[WHY_SIZE])
{
	switch (o->kind) {
	case KIND_OWN:
	case KIND_REFERENCE:
		return play_scenario(o, seed, t, why);
	case KIND_IDLE:
		return play_idle(seed,
				 &(struct play_opts){
					 .mode = o->mode,
					 .trace = o->is_verbose ? stdout : NULL,
					 .has_datagrams = o->has_trace },
				 why);
	case KIND_N:
		break;
	}
	return false;
}

/* Every n_jobs-th seed. */
static void work(const struct opts *o, long job, struct tally *t)
{
	char why[WHY_SIZE];

	for (uint64_t i = (uint64_t)job; i < o->n; i += (uint64_t)o->n_jobs) {
		if (play_seed(o, o->first + i, t, why))
			continue;
		t->n_failed++;
		printf("%s seed %" PRIu64 ": %s\n", kind_names[o->kind],
		       o->first + i, why);
		fflush(stdout);
	}
}

/* ---- many --------------------------------------------------------------- */

/* Of this process and those that have ended. */
static long cpu_s(void)
{
	struct rusage self, others;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &others);
	return (long)(self.ru_utime.tv_sec + others.ru_utime.tv_sec);
}

/* False: a process ended badly. */
static bool run_jobs(const struct opts *o, struct tally *t)
{
	bool ok = true;
	int status;

	if (o->n_jobs == 1) {
		work(o, 0, t);
		return true;
	}
	for (long job = 0; job < o->n_jobs; job++) {
		pid_t pid = fork();

		if (pid == 0) {
			work(o, job, t);
			exit(0);
		}
		ok &= pid > 0;
	}
	while (wait(&status) > 0)
		ok &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return ok;
}

static int run(const struct opts *o)
{
	struct tally *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	time_t began = time(NULL);
	bool ok;

	if (t == MAP_FAILED)
		return 2;
	ok = run_jobs(o, t);
	printf("soak %s: %" PRIu64 " seeds from %" PRIu64 ", %" PRIu64
	       " failed, %ld s, %ld s of CPU\n",
	       kind_names[o->kind], o->n, o->first, t->n_failed,
	       (long)(time(NULL) - began), cpu_s());
	for (int i = CAUSE_OURS + 1; i < CAUSE_N; i++)
		if (t->n_excused[i])
			printf("  by the reference's own rules: %" PRIu64
			       " flows %s\n",
			       t->n_excused[i], cause_name((enum cause)i));
	if (!ok)
		fprintf(stderr, "soak: a process ended badly\n");
	return ok && !t->n_failed ? 0 : 1;
}

/* ---- the command line --------------------------------------------------- */

static bool read_features(char *list, uint32_t *out)
{
	*out = 0;
	for (char *word = strtok_r(list, ",", &list); word;
	     word = strtok_r(NULL, ",", &list)) {
		int i = 0;

		while (i < FEATURE_N &&
		       strcmp(word, feature_name((enum feature)i)) != 0)
			i++;
		if (i == FEATURE_N) {
			fprintf(stderr, "soak: there is no feature %s\n", word);
			return false;
		}
		*out |= UINT32_C(1) << i;
	}
	return true;
}

static bool read_kind(const char *name, enum kind *out)
{
	for (int i = 0; i < KIND_N; i++)
		if (strcmp(name, kind_names[i]) == 0) {
			*out = (enum kind)i;
			return true;
		}
	fprintf(stderr, "soak: there is no kind %s\n", name);
	return false;
}

static bool read_mode(const char *name, node_engine_fn **out)
{
	static const struct {
		const char *name;
		node_engine_fn *mode;
	} modes[] = { { "ftfw", mode_ftfw },
		      { "notrack", mode_notrack },
		      { "alarm", mode_alarm } };

	for (size_t i = 0; i < N_ELEMENTS(modes); i++)
		if (strcmp(name, modes[i].name) == 0) {
			*out = modes[i].mode;
			return true;
		}
	fprintf(stderr, "soak: there is no mode %s\n", name);
	return false;
}

static bool read_option(int c, struct opts *o)
{
	uint32_t features;

	switch (c) {
	case 'm':
		return read_mode(optarg, &o->mode);
	case 'k':
		return read_kind(optarg, &o->kind);
	case 'j':
		o->n_jobs = strtol(optarg, NULL, 10);
		return o->n_jobs > 0;
	case 'x':
	case 'o':
		if (!read_features(optarg, &features))
			return false;
		o->features = c == 'o' ? features : FEATURES_ALL & ~features;
		return true;
	case 's':
		return o->shrinks = true;
	case 't':
		o->has_trace = true;
		return o->is_verbose = true;
	case 'v':
		return o->is_verbose = true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	struct opts o = {
		.mode = mode_ftfw, .n = 1, .n_jobs = 1, .features = FEATURES_ALL
	};
	bool ok = true;
	int c;

	while (ok && (c = getopt(argc, argv, "m:k:j:x:o:svt")) != -1)
		ok = read_option(c, &o);
	if (!ok || optind >= argc || optind + 2 < argc) {
		usage(stderr);
		return 2;
	}
	o.first = strtoull(argv[optind], NULL, 10);
	if (optind + 1 < argc)
		o.n = strtoull(argv[optind + 1], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, 0);
	return run(&o);
}
