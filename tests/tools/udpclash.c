/* SPDX-License-Identifier: ISC */
/* udpclash.c - packets that open one UDP flow at the same moment, as a resolver
 * does that asks for A and AAAA.
 *
 *	udpclash ADDR PORT COUNT
 *
 * COUNT flows to ADDR and PORT, from the local ports 20000 and up, each opened
 * by two threads, which run on two processors. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 2, FIRST_PORT = 20000 };

static struct {
	struct sockaddr_in to;
	pthread_barrier_t barrier;
	int n_flows;
	int fd; /* of the flow whose turn it is */
} clash;

static void *run(void *arg)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)(intptr_t)arg, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	for (int i = 0; i < clash.n_flows; i++) {
		pthread_barrier_wait(&clash.barrier);
		(void)!sendto(clash.fd, "x", 1, 0,
			      (const struct sockaddr *)&clash.to,
			      sizeof(clash.to));
		pthread_barrier_wait(&clash.barrier);
	}
	return NULL;
}

static int open_flow(int number)
{
	struct sockaddr_in own = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	own.sin_port = htons((uint16_t)(FIRST_PORT + number));
	if (fd < 0 || bind(fd, (const struct sockaddr *)&own, sizeof(own))) {
		perror("bind");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	if (argc != 4)
		return 2;
	clash.to.sin_family = AF_INET;
	clash.to.sin_port = htons((uint16_t)atoi(argv[2]));
	clash.n_flows = atoi(argv[3]);
	if (!inet_aton(argv[1], &clash.to.sin_addr))
		return 2;
	pthread_barrier_init(&clash.barrier, NULL, THREADS + 1);
	for (intptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, run, (void *)i);
	for (int i = 0; i < clash.n_flows; i++) {
		clash.fd = open_flow(i);
		pthread_barrier_wait(&clash.barrier);
		pthread_barrier_wait(&clash.barrier);
		close(clash.fd);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
