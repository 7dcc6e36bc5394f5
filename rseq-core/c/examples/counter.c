/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A per-CPU counter without locks: cc counter.c $(pkg-config --cflags --libs librseq) */
#include <rseq/rseq.h>

static struct { intptr_t count; } __attribute__((aligned(128))) counters[4096];

int main(void)
{
	int cpu;

	if (rseq_register_current_thread() || rseq_get_max_nr_cpus() > 4096)
		return 1;
	do {
		cpu = (int) rseq_cpu_start();
	} while (rseq_load_add_store__ptr(RSEQ_MO_RELAXED, RSEQ_PERCPU_CPU_ID, &counters[cpu].count, 1, cpu));
	printf("CPU %d has counted to %ld\n", cpu, (long) counters[cpu].count);
	return rseq_unregister_current_thread();
}
