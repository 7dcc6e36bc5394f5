/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A function for each operation: ../instructions.rs counts the instructions. */

#define _GNU_SOURCE
#include <rseq/rseq.h>

struct slot {
	intptr_t word;
} __attribute__((aligned(128)));

#define OPERATIONS(index, mode) \
	int load_cbne_store_##index(intptr_t *v, intptr_t expect, intptr_t newv, int cpu) \
	{ \
		return rseq_load_cbne_store__ptr(RSEQ_MO_RELAXED, mode, v, expect, newv, cpu); \
	} \
	int lock_##index(intptr_t *v, int cpu) \
	{ \
		return rseq_load_cbne_store__ptr(RSEQ_MO_RELAXED, mode, v, 0, 1, cpu); \
	} \
	int load_add_store_##index(intptr_t *v, intptr_t count, int cpu) \
	{ \
		return rseq_load_add_store__ptr(RSEQ_MO_RELAXED, mode, v, count, cpu); \
	} \
	int increment_##index(intptr_t *v, int cpu) \
	{ \
		return rseq_load_add_store__ptr(RSEQ_MO_RELAXED, mode, v, 1, cpu); \
	} \
	int load_cbeq_store_add_load_store_##index(intptr_t *v, intptr_t expectnot, intptr_t offset, intptr_t *load, int cpu) \
	{ \
		return rseq_load_cbeq_store_add_load_store__ptr(RSEQ_MO_RELAXED, mode, v, expectnot, offset, load, cpu); \
	} \
	int load_add_load_load_add_store_##index(intptr_t *array, intptr_t offset, intptr_t count, int cpu) \
	{ \
		return rseq_load_add_load_load_add_store__ptr(RSEQ_MO_RELAXED, mode, array, offset, count, cpu); \
	} \
	int load_cbne_load_cbne_store_##index( \
		intptr_t *v, intptr_t expect, intptr_t *v2, intptr_t expect2, intptr_t newv, int cpu) \
	{ \
		return rseq_load_cbne_load_cbne_store__ptr(RSEQ_MO_RELAXED, mode, v, expect, v2, expect2, newv, cpu); \
	} \
	int load_cbne_store_store_##index(intptr_t *v, intptr_t expect, intptr_t *v2, intptr_t newv2, intptr_t newv, int cpu) \
	{ \
		return rseq_load_cbne_store_store__ptr(RSEQ_MO_RELAXED, mode, v, expect, v2, newv2, newv, cpu); \
	} \
	int load_cbne_store_store_release_##index( \
		intptr_t *v, intptr_t expect, intptr_t *v2, intptr_t newv2, intptr_t newv, int cpu) \
	{ \
		return rseq_load_cbne_store_store__ptr(RSEQ_MO_RELEASE, mode, v, expect, v2, newv2, newv, cpu); \
	} \
	/* Uses so many registers that one more would be spilled. */ \
	void push_##index(struct slot *slots, intptr_t *node, int *where) \
	{ \
		intptr_t *head, next; \
		int cpu; \
		do { \
			cpu = (int) rseq_cpu_start(); \
			head = &slots[cpu].word; \
			next = *head; \
			node[1] = next; \
		} while (rseq_load_cbne_store__ptr(RSEQ_MO_RELAXED, mode, head, next, (intptr_t) node, cpu)); \
		if (where) \
			*where = cpu; \
	}

OPERATIONS(cpu_id, RSEQ_PERCPU_CPU_ID)
OPERATIONS(mm_cid, RSEQ_PERCPU_MM_CID)
