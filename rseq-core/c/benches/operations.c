/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Runs an operation -r times in each of -t threads. -T is its name, and -i the index, cpu_id or mm_cid.
 *
 * It is compiled with these headers, with librseq's, or, with -DKERNEL_NAMES, with those of the kernel's selftests,
 * so that `compare --code operations` measures the difference between the headers.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef KERNEL_NAMES
#include <rseq.h>
#define rseq_load_cbne_store__ptr			rseq_cmpeqv_storev
#define rseq_load_add_store__ptr			rseq_addv
#define rseq_load_cbeq_store_add_load_store__ptr	rseq_cmpnev_storeoffp_load
#define rseq_load_add_load_load_add_store__ptr		rseq_offset_deref_addv
#define rseq_load_cbne_load_cbne_store__ptr		rseq_cmpeqv_cmpeqv_storev
#define rseq_load_cbne_store_store__ptr			rseq_cmpeqv_trystorev_storev
#define rseq_load_cbne_memcpy_store__ptr		rseq_cmpeqv_trymemcpy_storev
#else
#include <rseq/rseq.h>
#endif

#define CPUS	4096
#define LEN	16

/* The data of a CPU or concurrency ID. */
struct slot {
	intptr_t word, other, *array[2];
	intptr_t node[2];
	char from[LEN], to[LEN];
} __attribute__((aligned(128)));

static struct slot slots[CPUS];

typedef unsigned long long count_t;

/*
 * Runs the operation `repetitions` times, not counting aborted attempts. A comparison never fails: operations store
 * the values that they compare with.
 */
#define TEST(name, index, mode, current, operation) \
	static void name##_##index(count_t repetitions) \
	{ \
		while (repetitions--) { \
			int cpu, result; \
			do { \
				struct slot *slot; \
				cpu = (int) current; \
				slot = &slots[cpu]; \
				result = operation(mode, slot, cpu); \
			} while (result < 0); \
			if (result) \
				abort(); \
		} \
	}

#define STORE(mode, slot, cpu) \
	rseq_load_cbne_store__ptr(RSEQ_MO_RELAXED, mode, &slot->word, 0, 0, cpu)
#define ADD(mode, slot, cpu) \
	rseq_load_add_store__ptr(RSEQ_MO_RELAXED, mode, &slot->word, 1, cpu)
#define POP(mode, slot, cpu) \
	rseq_load_cbeq_store_add_load_store__ptr(RSEQ_MO_RELAXED, mode, &slot->node[0], 0, sizeof(intptr_t), \
			&slot->other, cpu)
#define ADD_THROUGH(mode, slot, cpu) \
	rseq_load_add_load_load_add_store__ptr(RSEQ_MO_RELAXED, mode, (intptr_t *) &slot->array[0], 0, 1, cpu)
#define STORE_IF_BOTH(mode, slot, cpu) \
	rseq_load_cbne_load_cbne_store__ptr(RSEQ_MO_RELAXED, mode, &slot->word, 0, &slot->other, 0, 0, cpu)
#define TWO_STORES(mode, slot, cpu) \
	rseq_load_cbne_store_store__ptr(RSEQ_MO_RELAXED, mode, &slot->word, 0, &slot->other, 0, 0, cpu)
#define TWO_STORES_RELEASE(mode, slot, cpu) \
	rseq_load_cbne_store_store__ptr(RSEQ_MO_RELEASE, mode, &slot->word, 0, &slot->other, 0, 0, cpu)
#define COPY(mode, slot, cpu) \
	rseq_load_cbne_memcpy_store__ptr(RSEQ_MO_RELAXED, mode, &slot->word, 0, slot->to, slot->from, LEN, 0, cpu)
#define COPY_RELEASE(mode, slot, cpu) \
	rseq_load_cbne_memcpy_store__ptr(RSEQ_MO_RELEASE, mode, &slot->word, 0, slot->to, slot->from, LEN, 0, cpu)

#define BY_BOTH(name, operation) \
	TEST(name, cpu_id, RSEQ_PERCPU_CPU_ID, rseq_cpu_start(), operation) \
	TEST(name, mm_cid, RSEQ_PERCPU_MM_CID, rseq_current_mm_cid(), operation)

BY_BOTH(load_cbne_store, STORE)
BY_BOTH(load_add_store, ADD)
BY_BOTH(load_cbeq_store_add_load_store, POP)
BY_BOTH(load_add_load_load_add_store, ADD_THROUGH)
BY_BOTH(load_cbne_load_cbne_store, STORE_IF_BOTH)
BY_BOTH(load_cbne_store_store, TWO_STORES)
BY_BOTH(load_cbne_store_store_release, TWO_STORES_RELEASE)
BY_BOTH(load_cbne_memcpy_store, COPY)
BY_BOTH(load_cbne_memcpy_store_release, COPY_RELEASE)

#define ENTRY(name)	{ #name, { name##_cpu_id, name##_mm_cid } }

static const struct test {
	const char *name;
	void (*run[2])(count_t repetitions);
} tests[] = {
	ENTRY(load_cbne_store),
	ENTRY(load_add_store),
	ENTRY(load_cbeq_store_add_load_store),
	ENTRY(load_add_load_load_add_store),
	ENTRY(load_cbne_load_cbne_store),
	ENTRY(load_cbne_store_store),
	ENTRY(load_cbne_store_store_release),
	ENTRY(load_cbne_memcpy_store),
	ENTRY(load_cbne_memcpy_store_release),
};

static void (*run)(count_t repetitions);
static count_t repetitions;

static void *work(void *unused)
{
	(void) unused;
	if (rseq_register_current_thread())
		abort();
	run(repetitions);
	if (rseq_unregister_current_thread())
		abort();
	return NULL;
}

/* A list whose only node is its own successor, and an array with a pointer to a word. */
static void prepare(void)
{
	int i;

	for (i = 0; i < CPUS; i++) {
		slots[i].node[0] = slots[i].node[1] = (intptr_t) slots[i].node;
		slots[i].array[0] = (intptr_t *) &slots[i].array[1];
		slots[i].array[1] = &slots[i].other;
	}
}

int main(int argc, char **argv)
{
	const char *name = "", *index = "cpu_id";
	pthread_t threads[1000];
	int option, i, count = 1;

	while ((option = getopt(argc, argv, "T:i:r:t:")) != -1) {
		if (option == 'T')
			name = optarg;
		else if (option == 'i')
			index = optarg;
		else if (option == 'r')
			repetitions = strtoull(optarg, NULL, 10);
		else if (option == 't')
			count = atoi(optarg);
		else
			return 2;
	}
	for (i = 0; i < (int) (sizeof(tests) / sizeof(tests[0])); i++)
		if (!strcmp(name, tests[i].name))
			run = tests[i].run[!strcmp(index, "mm_cid")];
	if (!run || count < 1 || count > 1000 || sysconf(_SC_NPROCESSORS_CONF) > CPUS) {
		fprintf(stderr, "no operation \"%s\", or not 1 to 1000 threads, or more than %d CPUs\n", name, CPUS);
		return 2;
	}
	prepare();
	for (i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, work, NULL))
			return 1;
	for (i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
