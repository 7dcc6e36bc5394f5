/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Operations in an inline function and in a template, which are not inlined, in two translation units: this file, and
 * this file with SECOND defined.
 */

#include <rseq/rseq.h>

static const int CPUS = 4096;

inline __attribute__((noinline))
int set_once(intptr_t *v, int cpu)
{
	return rseq_load_cbne_store__ptr(RSEQ_MO_RELAXED, RSEQ_PERCPU_CPU_ID, v, 0, 1, cpu);
}

template<typename T> __attribute__((noinline))
int add(T *slots, intptr_t count)
{
	return rseq_this_cpu_add(RSEQ_PERCPU_CPU_ID, &slots->word, CPUS, count);
}

struct slot {
	intptr_t word;
	char rest[(1 << RSEQ_THIS_CPU_SHIFT) - sizeof(intptr_t)];
};

int in_second_unit(slot *slots, intptr_t *v);

#ifdef SECOND
int in_second_unit(slot *slots, intptr_t *v)
{
	int result;

	do result = set_once(v, (int) rseq_cpu_start());
	while (result < 0);
	return result == 1 ? add(slots, 2) : -1;
}
#else
static slot slots[CPUS];
static intptr_t v;

int main()
{
	intptr_t sum = 0;
	int result;

	if (rseq_register_current_thread()) {
		printf("skipped: this thread is not registered\n");
		return 4;
	}
	do result = set_once(&v, (int) rseq_cpu_start());
	while (result < 0);
	if (result || v != 1 || add(slots, 1) || in_second_unit(slots, &v))
		return 1;
	for (const slot &one : slots)
		sum += one.word;
	return rseq_unregister_current_thread() || sum != 3;
}
#endif
