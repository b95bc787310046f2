/* SPDX-License-Identifier: ISC */
/* bench_cache - CPU time per operation of the flow cache and its resident
 * memory per entry, with source-NATed IPv4 TCP flows as a kernel reports them.
 *
 *	bench_cache [ENTRIES]...	default: 100000 1000000
 *
 * Built without sanitizers; flows are touched in a random order, so that every
 * access misses the processor's caches as it does in life. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cache/flow_cache.h"

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Resident bytes of this process. */
static double resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long size = 0, pages = 0;

	if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* The flow with this number: client, SNATed by the firewall, to a server. */
static void make_flow(struct flow *f, uint32_t i)
{
	static const uint8_t nat[4] = { 203, 0, 113, 1 };
	const uint8_t src[4] = { 10, (uint8_t)(i >> 24), (uint8_t)(i >> 16),
				 (uint8_t)(i >> 8) };
	const uint8_t dst[4] = { 198, 51, 100, (uint8_t)i };

	memset(f, 0, sizeof(*f));
	f->has = FLOW_PORTS | FLOW_REPLY | FLOW_STATUS | FLOW_TIMEOUT |
		 FLOW_MARK | FLOW_TCP_STATE | FLOW_TCP_WSCALE_ORIG |
		 FLOW_TCP_WSCALE_REPLY | FLOW_TCP_FLAGS_ORIG |
		 FLOW_TCP_FLAGS_REPLY | FLOW_ID;
	f->family = FAMILY_IPV4;
	f->l4proto = L4_TCP;
	memcpy(f->orig.src.b, src, 4);
	memcpy(f->orig.dst.b, dst, 4);
	f->orig.sport = (uint16_t)(1024 + i % 60000);
	f->orig.dport = 443;
	f->reply.src = f->orig.dst;
	memcpy(f->reply.dst.b, nat, 4);
	f->reply.sport = 443;
	f->reply.dport = (uint16_t)(40000 + i % 20000);
	f->status = 0x18e;
	f->timeout_s = 432000;
	f->tcp_state = TCP_STATE_ESTABLISHED;
	f->tcp_wscale_orig = f->tcp_wscale_reply = 7;
	f->tcp_flags_orig = f->tcp_flags_reply = 0x23;
	f->id = i * 2654435761U;
}

/* A permutation of the numbers below n. */
static uint32_t *shuffled(uint32_t n)
{
	uint32_t *order = calloc(n, sizeof(*order));
	uint64_t x = 88172645463325252U;

	if (!order)
		exit(1);
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t j, swap;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		j = (uint32_t)(x % (i + 1));
		swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	return order;
}

struct bench {
	struct flow_cache *c;
	uint64_t sum; /* of what was read, so that nothing is left out */
};

static void put(struct bench *b, struct flow *f)
{
	uint32_t id = 0;

	b->sum += (uint64_t)flow_cache_put(b->c, f, PUT_MERGE, 1, &id) + id;
}

static void update(struct bench *b, struct flow *f)
{
	f->tcp_state = TCP_STATE_FIN_WAIT;
	f->timeout_s = 120;
	put(b, f);
}

static void find(struct bench *b, struct flow *f)
{
	b->sum += flow_cache_find(b->c, f);
}

static void find_none(struct bench *b, struct flow *f)
{
	f->orig.dport = 444;
	find(b, f);
}

static void find_get(struct bench *b, struct flow *f)
{
	flow_cache_get(b->c, flow_cache_find(b->c, f), f);
	b->sum += f->timeout_s;
}

static void find_remove(struct bench *b, struct flow *f)
{
	flow_cache_remove(b->c, flow_cache_find(b->c, f));
}

static void make_only(struct bench *b, struct flow *f)
{
	b->sum += f->id;
}

static void run(struct bench *b, const uint32_t *order, uint32_t n,
		const char *name, void (*step)(struct bench *, struct flow *))
{
	double start = now_ns(), worst = 0;
	struct flow f;

	for (uint32_t i = 0; i < n; i++) {
		double before = i % 64 ? 0 : now_ns();

		make_flow(&f, order[i]);
		step(b, &f);
		if (before > 0 && now_ns() - before > worst)
			worst = now_ns() - before;
	}
	printf("  %-22s %7.0f ns  (slowest of 1/64: %.0f ns)\n", name,
	       (now_ns() - start) / n, worst);
}

static void walk(struct bench *b, uint32_t n)
{
	double start = now_ns();
	struct flow f;

	for (uint32_t id = FLOW_CACHE_NO_ID;
	     (id = flow_cache_next(b->c, id)) != FLOW_CACHE_NO_ID;) {
		flow_cache_get(b->c, id, &f);
		b->sum += f.id;
	}
	printf("  %-22s %7.0f ns\n", "walk and get", (now_ns() - start) / n);
}

static void bench(uint32_t n, uint32_t first_size)
{
	struct flow_cache_opts opts = { .first_size = first_size,
					.limit = n,
					.hash_key = { 0x0123456789abcdef,
						      0xfedcba9876543210 } };
	uint32_t *order = shuffled(n);
	struct bench b = { NULL, 0 };
	double before;

	printf("%u entries, HashSize %u\n", n, first_size);
	before = resident();
	b.c = flow_cache_new(&opts);
	if (!b.c)
		exit(1);
	run(&b, order, n, "(the loop itself)", make_only);
	run(&b, order, n, "put new", put);
	printf("  %-22s %7.1f bytes resident, %.1f counted\n", "per entry",
	       (resident() - before) / n,
	       (double)flow_cache_stats(b.c)->memory_bytes / n);
	free(order);
	order = shuffled(n / 2);
	run(&b, order, n / 2, "put same", put);
	run(&b, order, n / 2, "put update", update);
	run(&b, order, n / 2, "find", find);
	run(&b, order, n / 2, "find, not there", find_none);
	run(&b, order, n / 2, "find and get", find_get);
	walk(&b, n);
	run(&b, order, n / 2, "find and remove", find_remove);
	run(&b, order, n / 2, "put into freed places", put);
	if (flow_cache_stats(b.c)->n_entries != n)
		exit(1);
	flow_cache_free(b.c);
	free(order);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		bench(100000, 65536);
		bench(1000000, 65536);
	}
	for (int i = 1; i < argc; i++)
		bench((uint32_t)strtoul(argv[i], NULL, 10), 65536);
	return 0;
}
