/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Pools of per-CPU memory.
 *
 * A pool has items of one size. An item has a copy for each CPU, all at the same distance: the pool's stride. What
 * allocates an item returns a pointer to the copy of CPU 0, and rseq_percpu_ptr() makes of it the pointer to
 * another CPU's copy. In a global pool, items have one copy, which is used like any other memory.
 *
 * Freed items are kept on a stack for each CPU, so that most calls neither lock nor write what CPUs share. This
 * needs a thread that is registered for rseq; in others, each call takes a lock. All functions may be called by
 * any thread at any time, but for those that change an attribute structure, which one thread uses at a time.
 * Functions that allocate and free may be called in signal handlers.
 *
 * Memory comes in ranges: a stride for each CPU and one or two more, mapped at once and unmapped when the pool is
 * destroyed. Only pages that are touched take memory.
 *
 * Since Linux 4.18; in threads that are not registered, and on kernels without rseq, since Linux 3.17. Before
 * Linux 5.10, a pool with a limit of ranges may be found full although other CPUs keep freed items.
 */

#ifndef _RSEQ_MEMPOOL_H
#define _RSEQ_MEMPOOL_H

#include <rseq/compiler.h>
#include <stddef.h>
#include <stdint.h>

/* Some of these are only here because programs that were written for librseq rely on them. */
#include <sys/mman.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The stride of pools that are made without another one: 64 KiB. */
#define RSEQ_MEMPOOL_STRIDE	(1U << 16)

/* Marks pointers that rseq_percpu_ptr() is to be used on. It is empty, for people and static analyzers. */
#define __rseq_percpu

struct rseq_mempool_attr;
struct rseq_mempool;
struct rseq_mempool_set;

/*
 * rseq_mempool_create - makes a pool of items of item_len bytes, and maps its first range.
 *
 * The length is rounded up to a power of two, from 8 on, and items lie at multiples of it. The pool's name is for
 * messages, and may be NULL: 63 bytes of it are kept. The attributes may be NULL for what
 * rseq_mempool_attr_create() begins with; they are copied, and may be destroyed at once.
 *
 * Returns the pool; or NULL and errno:
 *
 *   EINVAL  An item is larger than the stride. The stride is not a power of two, or less than a page. The number
 *           of CPUs is negative, or not given and not known. There is no such policy.
 *   ENOMEM  There is no memory for the pool or its first range, the range could not be mapped (vm.max_map_count),
 *           or the function that is to initialise it failed.
 */
struct rseq_mempool *rseq_mempool_create(const char *pool_name, size_t item_len, const struct rseq_mempool_attr *attr);

/*
 * rseq_mempool_destroy - unmaps a pool. None of its items is used any more, and the pool is in no set.
 *
 * A robust pool is searched for errors first; see rseq_mempool_attr_set_robust(). A child of fork(2) may destroy
 * its copy of any pool, without a search in one that children cannot use.
 *
 * Returns 0, also for NULL.
 */
int rseq_mempool_destroy(struct rseq_mempool *pool);

/*
 * rseq_mempool_percpu_malloc - allocates an item. Its copies may hold anything, such as what a freed item held.
 *
 * Returns the item; or NULL and errno:
 *
 *   ENOMEM  No range has room, and there is no memory for one more, or there are as many as the pool may have.
 *   EINVAL  The pool is NULL.
 */
void __rseq_percpu *rseq_mempool_percpu_malloc(struct rseq_mempool *pool);

/*
 * rseq_mempool_percpu_zmalloc - allocates an item of which each copy is zero. Copies that are zero already are not
 * written, and so take no memory if their CPU has not used their page.
 *
 * Returns the item; or NULL and errno, as rseq_mempool_percpu_malloc().
 */
void __rseq_percpu *rseq_mempool_percpu_zmalloc(struct rseq_mempool *pool);

/*
 * rseq_mempool_percpu_malloc_init - allocates an item of which each copy begins with the init_len bytes at
 * init_ptr; the rest is zero. Copies that hold this already are not written: with RSEQ_MEMPOOL_POPULATE_COW_INIT,
 * those whose CPU has not used their page. If init_ptr is NULL, copies may hold anything.
 *
 * Returns the item; or NULL and errno:
 *
 *   ENOMEM  As rseq_mempool_percpu_malloc().
 *   EINVAL  init_len is more than the size of items, or the pool is NULL.
 */
void __rseq_percpu *rseq_mempool_percpu_malloc_init(struct rseq_mempool *pool, void *init_ptr, size_t init_len);

/* The same, for global pools: */

/* rseq_mempool_malloc - allocates an item. */
static inline
void *rseq_mempool_malloc(struct rseq_mempool *pool)
{
	return (void *) rseq_mempool_percpu_malloc(pool);
}

/* rseq_mempool_zmalloc - allocates an item of zeroes. */
static inline
void *rseq_mempool_zmalloc(struct rseq_mempool *pool)
{
	return (void *) rseq_mempool_percpu_zmalloc(pool);
}

/* rseq_mempool_malloc_init - allocates an item that begins with the init_len bytes at init_ptr. */
static inline
void *rseq_mempool_malloc_init(struct rseq_mempool *pool, void *init_ptr, size_t init_len)
{
	return (void *) rseq_mempool_percpu_malloc_init(pool, init_ptr, init_len);
}

/*
 * librseq_mempool_percpu_free - what the two macros below call, with the stride.
 */
void librseq_mempool_percpu_free(void __rseq_percpu *ptr, size_t stride);

/*
 * rseq_mempool_percpu_free(ptr) or rseq_mempool_percpu_free(ptr, stride) - frees an item, by the pointer that was
 * returned when it was allocated. The stride is that of its pool: RSEQ_MEMPOOL_STRIDE if it is left out. NULL is
 * allowed.
 */
#define rseq_mempool_percpu_free(_ptr, _stride...) \
	librseq_mempool_percpu_free((void __rseq_percpu *) (_ptr), \
		RSEQ_PARAM_SELECT_ARG1(_, ##_stride, RSEQ_MEMPOOL_STRIDE))

/* rseq_mempool_free(ptr) or rseq_mempool_free(ptr, stride) - the same, for global pools. */
#define rseq_mempool_free(_ptr, _stride...) \
	librseq_mempool_percpu_free((void __rseq_percpu *) (_ptr), \
		RSEQ_PARAM_SELECT_ARG1(_, ##_stride, RSEQ_MEMPOOL_STRIDE))

/*
 * rseq_percpu_ptr(ptr, cpu) or rseq_percpu_ptr(ptr, cpu, stride) - the copy of a CPU, below
 * rseq_mempool_get_max_nr_cpus(), with the type of ptr. The stride is that of the item's pool: RSEQ_MEMPOOL_STRIDE
 * if it is left out. It is pointer arithmetic only.
 */
#define rseq_percpu_ptr(_ptr, _cpu, _stride...) \
	((__typeof__(*(_ptr)) *) ((uintptr_t) (_ptr) + \
		(uintptr_t) (unsigned int) (_cpu) * \
		(uintptr_t) (RSEQ_PARAM_SELECT_ARG1(_, ##_stride, RSEQ_MEMPOOL_STRIDE))))

/*
 * rseq_mempool_set_create - makes a set without pools, from which items of different sizes are allocated.
 *
 * Returns the set; or NULL and ENOMEM.
 */
struct rseq_mempool_set *rseq_mempool_set_create(void);

/*
 * rseq_mempool_set_destroy - destroys a set and its pools, as rseq_mempool_destroy() does.
 *
 * Returns 0, also for NULL.
 */
int rseq_mempool_set_destroy(struct rseq_mempool_set *pool_set);

/*
 * rseq_mempool_set_add_pool - gives a set a pool, which is destroyed with the set, and not otherwise.
 *
 * Returns 0; or -1 and errno:
 *
 *   EBUSY   The set has a pool with this size of items. The pool stays the caller's.
 *   EINVAL  The set or the pool is NULL.
 */
int rseq_mempool_set_add_pool(struct rseq_mempool_set *pool_set, struct rseq_mempool *pool);

/*
 * rseq_mempool_set_percpu_malloc - allocates an item of len bytes or more: from the pool with the smallest items
 * that are large enough, and where that is full, from the next one.
 *
 * Returns the item; or NULL and errno:
 *
 *   ENOMEM  No pool of the set has such an item.
 *   EINVAL  The set is NULL.
 */
void __rseq_percpu *rseq_mempool_set_percpu_malloc(struct rseq_mempool_set *pool_set, size_t len);

/* rseq_mempool_set_percpu_zmalloc - the same, as rseq_mempool_percpu_zmalloc(). */
void __rseq_percpu *rseq_mempool_set_percpu_zmalloc(struct rseq_mempool_set *pool_set, size_t len);

/*
 * rseq_mempool_set_percpu_malloc_init - the same, as rseq_mempool_percpu_malloc_init() with the len bytes at
 * init_ptr.
 */
void __rseq_percpu *rseq_mempool_set_percpu_malloc_init(struct rseq_mempool_set *pool_set, void *init_ptr, size_t len);

/* The same, for sets of global pools: */

/* rseq_mempool_set_malloc - allocates an item of len bytes or more. */
static inline
void *rseq_mempool_set_malloc(struct rseq_mempool_set *pool_set, size_t len)
{
	return (void *) rseq_mempool_set_percpu_malloc(pool_set, len);
}

/* rseq_mempool_set_zmalloc - allocates an item of zeroes. */
static inline
void *rseq_mempool_set_zmalloc(struct rseq_mempool_set *pool_set, size_t len)
{
	return (void *) rseq_mempool_set_percpu_zmalloc(pool_set, len);
}

/* rseq_mempool_set_malloc_init - allocates an item that begins with the len bytes at init_ptr. */
static inline
void *rseq_mempool_set_malloc_init(struct rseq_mempool_set *pool_set, void *init_ptr, size_t len)
{
	return (void *) rseq_mempool_set_percpu_malloc_init(pool_set, init_ptr, len);
}

/*
 * rseq_mempool_attr_create - makes a structure of attributes: per-CPU, with the stride RSEQ_MEMPOOL_STRIDE, a copy
 * for each CPU number, any number of ranges, and the policy RSEQ_MEMPOOL_POPULATE_COW_INIT.
 *
 * Returns the attributes; or NULL and ENOMEM.
 */
struct rseq_mempool_attr *rseq_mempool_attr_create(void);

/* rseq_mempool_attr_destroy - gives attributes up, of which no pool needs them. NULL is allowed. */
void rseq_mempool_attr_destroy(struct rseq_mempool_attr *attr);

/*
 * The functions that set an attribute return 0; or -1 and EINVAL if attr is NULL. What is wrong with the values,
 * rseq_mempool_create() says.
 */

/*
 * rseq_mempool_attr_set_init - has init_func initialise each new range: it is called with init_priv for each CPU,
 * with the address and the length of the CPU's copies in the range, and with the CPU number, or -1 in a global
 * pool. It returns 0, or else the range is not used, and what needed it fails with ENOMEM. It does not use the
 * pool, and is called with signals blocked.
 *
 * As in librseq, this sets the policy RSEQ_MEMPOOL_POPULATE_COW_INIT too; another one is set afterwards.
 *
 * EINVAL also if init_func is NULL.
 */
int rseq_mempool_attr_set_init(struct rseq_mempool_attr *attr,
		int (*init_func)(void *priv, void *addr, size_t len, int cpu), void *init_priv);

/*
 * rseq_mempool_attr_set_robust - has the pool look for errors of the program. If it finds one, it writes a line to
 * the standard error stream and ends the process by abort(3):
 *
 *   - when an item is freed: that it is free already, or no item of the pool;
 *   - when an item is allocated: that it was written after it was freed, or that the list of free items was;
 *   - when the pool is destroyed: the same of all free items, and items that were not freed.
 *
 * Freed items are filled with a poison value; without rseq_mempool_attr_set_poison(), 0x55 in each byte, or 0 with
 * RSEQ_MEMPOOL_POPULATE_COW_ZERO. Each call takes a lock and reads all copies of an item.
 */
int rseq_mempool_attr_set_robust(struct rseq_mempool_attr *attr);

/*
 * rseq_mempool_attr_set_percpu - for a per-CPU pool: stride is the number of bytes of each CPU in a range, 0 for
 * RSEQ_MEMPOOL_STRIDE; max_nr_cpus is the number of copies of an item, 0 for one for each CPU number.
 */
int rseq_mempool_attr_set_percpu(struct rseq_mempool_attr *attr, size_t stride, int max_nr_cpus);

/*
 * rseq_mempool_attr_set_global - for a global pool: stride is the number of bytes of items in a range, 0 for
 * RSEQ_MEMPOOL_STRIDE. Its policy is RSEQ_MEMPOOL_POPULATE_COW_ZERO.
 */
int rseq_mempool_attr_set_global(struct rseq_mempool_attr *attr, size_t stride);

/* rseq_mempool_attr_set_max_nr_ranges - limits the number of ranges; 0 is no limit. */
int rseq_mempool_attr_set_max_nr_ranges(struct rseq_mempool_attr *attr, unsigned long max_nr_ranges);

/*
 * rseq_mempool_attr_set_poison - has freed items filled with a value, word by word, in each copy. With
 * RSEQ_MEMPOOL_POPULATE_COW_ZERO, any but 0 makes pages that no CPU has used take memory.
 */
int rseq_mempool_attr_set_poison(struct rseq_mempool_attr *attr, uintptr_t poison);

/* What copies are before they are written. */
enum rseq_mempool_populate_policy {
	/*
	 * Copies show one template, which has the initial values of items; a page that is written becomes its
	 * CPU's own. Each CPU takes a mapping in each range, of which a process has 65,530 (vm.max_map_count).
	 * Children of fork(2) do not have the memory of such a pool (Linux 4.14): all that they may do is destroy it.
	 */
	RSEQ_MEMPOOL_POPULATE_COW_INIT = 0,

	/*
	 * Copies are zero. A copy takes memory once it is written with other values: by its CPU, by malloc_init,
	 * or by a poison value other than 0. Children of fork(2) have a copy of the pool.
	 */
	RSEQ_MEMPOOL_POPULATE_COW_ZERO = 1,
};

/* rseq_mempool_attr_set_populate_policy - sets the policy. */
int rseq_mempool_attr_set_populate_policy(struct rseq_mempool_attr *attr, enum rseq_mempool_populate_policy policy);

/*
 * rseq_mempool_range_init_numa - for functions that initialise ranges: moves the pages of len bytes at addr to the
 * NUMA node of a CPU, by move_pages(2) with numa_flags, such as MPOL_MF_MOVE (Linux 2.6.18). Pages that were not
 * touched yet stay without memory, and take it from the node of the CPU that touches them first.
 *
 * Returns 0, also where a page could not be moved; or -1 and errno:
 *
 *   EINVAL  There are no flags, unknown ones, or no node has this CPU.
 *   EPERM   MPOL_MF_MOVE_ALL without CAP_SYS_NICE.
 *   ENOSYS  The kernel has no NUMA.
 */
int rseq_mempool_range_init_numa(void *addr, size_t len, int cpu, int numa_flags);

/*
 * rseq_mempool_get_max_nr_cpus - the number of copies of a per-CPU pool's items.
 *
 * Returns the number; or -1 and EINVAL for NULL and for a global pool.
 */
int rseq_mempool_get_max_nr_cpus(struct rseq_mempool *mempool);

#ifdef __cplusplus
}
#endif

#endif
