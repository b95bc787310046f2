/* SPDX-License-Identifier: ISC */
#include "jobs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct job {
	struct job *next;
	const struct job_kind *kind;
	void *ctx;
	int code;
	const char *name;
	uint64_t client;
};

static void answer(const struct jobs *j, uint64_t client, int status,
		   const char *reason)
{
	if (client)
		j->o.answer(j->o.ctx, client, status, reason);
}

/* Whoever was interrupted while it waited does not want it any more. */
static bool is_wanted(const struct jobs *j, const struct job *job)
{
	return !job->client || j->o.is_wanted(j->o.ctx, job->client);
}

/* Where the first one that does not run hangs. */
static struct job **first_waiting(struct jobs *j)
{
	return j->is_started ? &j->first->next : &j->first;
}

static void take_out(struct jobs *j, struct job **at)
{
	struct job *job = *at;

	*at = job->next;
	j->n--;
	free(job);
}

/* Those that nobody waits for must not be what keeps others out. */
static void drop_unwanted(struct jobs *j)
{
	struct job **at = first_waiting(j);

	while (*at)
		if (is_wanted(j, *at))
			at = &(*at)->next;
		else
			take_out(j, at);
}

bool jobs_drop(struct jobs *j, const struct job_kind *kind)
{
	struct job **at = first_waiting(j);
	bool was_any = false;

	while (*at) {
		if ((*at)->kind != kind) {
			at = &(*at)->next;
			continue;
		}
		take_out(j, at);
		was_any = true;
	}
	return was_any;
}

static void refuse(const struct jobs *j, const char *name, uint64_t client,
		   const char *why)
{
	log_error("`%s' is refused: %s", name, why);
	answer(j, client, 1, why);
}

void jobs_add(struct jobs *j, const struct job_kind *kind, void *ctx, int code,
	      const char *name, uint64_t client)
{
	struct job **end = &j->first;
	struct job *job;

	if (j->n == JOBS_MAX)
		drop_unwanted(j);
	if (j->n == JOBS_MAX) {
		refuse(j, name, client, "too many commands wait");
		return;
	}
	job = calloc(1, sizeof(*job));
	if (!job) {
		refuse(j, name, client, strerror(ENOMEM));
		return;
	}
	*job = (struct job){ NULL, kind, ctx, code, name, client };
	if (j->first)
		log_notice("`%s' waits until `%s' has ended", name,
			   j->first->name);
	while (*end)
		end = &(*end)->next;
	*end = job;
	j->n++;
	j->o.has_work(j->o.ctx);
}

const struct job_kind *jobs_running(const struct jobs *j)
{
	return j->is_started ? j->first->kind : NULL;
}

static void drop_first(struct jobs *j)
{
	j->is_started = false;
	take_out(j, &j->first);
}

void jobs_end(struct jobs *j, int status, const char *reason)
{
	assert(j->first && j->is_started);
	answer(j, j->first->client, status, reason);
	drop_first(j);
	j->o.has_work(j->o.ctx);
}

bool jobs_work(struct jobs *j)
{
	const struct job *job = j->first;

	if (!job)
		return false;
	if (j->is_started)
		return job->kind->work && job->kind->work(job->ctx);
	if (!is_wanted(j, job)) {
		log_notice("`%s' is not carried out: its client has left",
			   job->name);
		drop_first(j);
		return true;
	}
	j->is_started = true;
	job->kind->start(job->ctx, job->code);
	return true;
}

void jobs_fini(struct jobs *j)
{
	while (j->first)
		drop_first(j);
}
