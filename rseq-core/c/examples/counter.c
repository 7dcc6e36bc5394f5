/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A per-CPU counter without locks: cc counter.c $(pkg-config --cflags --libs librseq) */
#include <rseq/rseq.h>
#include <stdio.h>
#include <stdlib.h>

struct count { intptr_t value; } __attribute__((aligned(128)));

static struct count *counts; /* one for each CPU */
static intptr_t others; /* what threads without rseq count, by an atomic */

static void count_one(bool registered)
{
	int cpu;

	if (!registered) {
		__atomic_fetch_add(&others, 1, __ATOMIC_RELAXED);
		return;
	}
	do {
		cpu = (int) rseq_cpu_start();
	} while (rseq_load_add_store__ptr(RSEQ_MO_RELAXED, RSEQ_PERCPU_CPU_ID, &counts[cpu].value, 1, cpu));
}

int main(void)
{
	int cpus = rseq_get_max_nr_cpus();
	bool registered = !rseq_register_current_thread();
	intptr_t sum;
	char text[256];

	if (posix_memalign((void **) &counts, 128, (size_t) cpus * sizeof(*counts)))
		return 1;
	for (int cpu = 0; cpu < cpus; cpu++)
		counts[cpu].value = 0;
	/* The libc may register threads although the possible CPUs are not known. */
	registered = registered && cpus > 0;
	count_one(registered);

	sum = __atomic_load_n(&others, __ATOMIC_RELAXED);
	for (int cpu = 0; cpu < cpus; cpu++)
		sum += RSEQ_READ_ONCE(counts[cpu].value);
	rseq_status(text, sizeof(text));
	printf("counted to %ld; rseq is %s\n", (long) sum, text);
	free(counts);
	return registered && rseq_unregister_current_thread();
}
