/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Allocates and frees an item of 64 bytes, -r times in each of -t threads. -T selects the call: a malloc, z zmalloc,
 * i malloc_init, s malloc from a set of pools, b malloc while each thread keeps 32 items and frees the oldest one.
 *
 * Linking it with this library and with librseq compares their processor times.
 */

#include <pthread.h>
#include <rseq/mempool.h>
#include <rseq/rseq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE	64
#define KEPT	32

static struct rseq_mempool *pool;
static struct rseq_mempool_set *set;
static unsigned long long repetitions;
static char test = 'a';

static void *item(void *value)
{
	switch (test) {
	case 'z':
		return rseq_mempool_percpu_zmalloc(pool);
	case 'i':
		return rseq_mempool_percpu_malloc_init(pool, value, SIZE);
	case 's':
		return rseq_mempool_set_percpu_malloc(set, SIZE);
	default:
		return rseq_mempool_percpu_malloc(pool);
	}
}

static void *work(void *unused)
{
	char value[SIZE];
	void *kept[KEPT] = { NULL };
	unsigned long long i;

	(void) unused;
	memset(value, 7, sizeof(value));
	if (rseq_register_current_thread())
		abort();
	for (i = 0; i < repetitions; i++) {
		void **place = &kept[test == 'b' ? i % KEPT : 0], *next = item(value);

		if (!next)
			abort();
		if (test == 'b') {
			if (*place)
				rseq_mempool_percpu_free(*place);
			*place = next;
		} else {
			rseq_mempool_percpu_free(next);
		}
	}
	for (i = 0; i < KEPT; i++)
		if (kept[i])
			rseq_mempool_percpu_free(kept[i]);
	if (rseq_unregister_current_thread())
		abort();
	return NULL;
}

int main(int argc, char **argv)
{
	struct rseq_mempool_attr *attr = rseq_mempool_attr_create();
	pthread_t threads[1000];
	int option, i, count = 1;

	while ((option = getopt(argc, argv, "T:r:t:")) != -1) {
		if (option == 'T')
			test = *optarg;
		else if (option == 'r')
			repetitions = strtoull(optarg, NULL, 10);
		else if (option == 't')
			count = atoi(optarg);
		else
			return 2;
	}
	if (!attr || count < 1 || count > 1000)
		return 2;
	rseq_mempool_attr_set_populate_policy(attr, RSEQ_MEMPOOL_POPULATE_COW_ZERO);
	pool = rseq_mempool_create("benchmark", SIZE, attr);
	set = rseq_mempool_set_create();
	if (!pool || !set || rseq_mempool_set_add_pool(set, pool))
		return 1;
	for (i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, work, NULL))
			return 1;
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	rseq_mempool_attr_destroy(attr);
	return rseq_mempool_set_destroy(set);
}
