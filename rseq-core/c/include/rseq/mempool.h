/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Pools of per-CPU memory.
 *
 * A pool has items of one size. An item has a copy for each CPU. The copies are a fixed number of bytes apart: the
 * pool's stride. Allocation returns a pointer to the copy of CPU 0, and rseq_percpu_ptr() computes the pointer to
 * another CPU's copy. In a global pool, items have one copy, which is used like any other memory.
 *
 * Freed items are kept on a stack for each CPU, so that most calls neither lock nor write shared memory. This
 * requires a thread that is registered for rseq; in other threads, each call takes a lock. All functions are
 * thread-safe, except that an attribute structure is used by one thread at a time. Signal handlers may allocate
 * and free items.
 *
 * Memory comes in ranges: a stride for each CPU and one or two more, mapped together and unmapped when the pool is
 * destroyed. Only pages that are touched take memory.
 *
 * Since Linux 4.18; in threads that are not registered, and on kernels without rseq, since Linux 3.17. Before
 * Linux 5.10, allocation from a pool with a limit of ranges may fail although other CPUs have freed items.
 */

#ifndef _RSEQ_MEMPOOL_H
#define _RSEQ_MEMPOOL_H

#include <rseq/compiler.h>
#include <stddef.h>
#include <stdint.h>

/* Not all of these are used here: programs that were written for librseq rely on them. */
#include <sys/mman.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The default stride of pools: 64 KiB. */
#define RSEQ_MEMPOOL_STRIDE	(1U << 16)

/* Marks pointers to per-CPU items, for readers and static analyzers: rseq_percpu_ptr() makes them usable. */
#define __rseq_percpu

struct rseq_mempool_attr;
struct rseq_mempool;
struct rseq_mempool_set;

/*
 * rseq_mempool_create - creates a pool of items of item_len bytes, and maps its first range.
 *
 * The length is rounded up to a power of two, at least 8, and items are aligned to it. The pool's name appears in
 * messages, and may be NULL; 63 bytes of it are kept. If the attributes are NULL, the defaults of
 * rseq_mempool_attr_create() are used. The attributes are copied, and may be destroyed after the call.
 *
 * Returns the pool; or NULL and errno:
 *
 *   EINVAL  An item is larger than the stride. The stride is not a power of two, or is smaller than a page. The
 *           number of CPUs is negative, or 0 and not known. The policy is unknown.
 *   ENOMEM  There is no memory for the pool or its first range, the range could not be mapped (vm.max_map_count),
 *           or the function that initialises it failed.
 */
struct rseq_mempool *rseq_mempool_create(const char *pool_name, size_t item_len, const struct rseq_mempool_attr *attr);

/*
 * rseq_mempool_destroy - unmaps a pool, which must not be in a set, and whose items must no longer be used.
 *
 * A robust pool is checked for errors first; see rseq_mempool_attr_set_robust(). A child of fork(2) may destroy its
 * copy of any pool; a pool whose memory children do not have is not checked.
 *
 * Returns 0, also for NULL.
 */
int rseq_mempool_destroy(struct rseq_mempool *pool);

/*
 * rseq_mempool_percpu_malloc - allocates an item. The contents of its copies are unspecified.
 *
 * Returns the item; or NULL and errno:
 *
 *   ENOMEM  All ranges are full, and there is no memory for another one, or the pool has reached its limit.
 *   EINVAL  The pool is NULL.
 */
void __rseq_percpu *rseq_mempool_percpu_malloc(struct rseq_mempool *pool);

/*
 * rseq_mempool_percpu_zmalloc - allocates an item whose copies are zero. Copies that are zero already are not
 * written, and so take no memory if their page has not been touched.
 *
 * Returns the item; or NULL and errno, as rseq_mempool_percpu_malloc().
 */
void __rseq_percpu *rseq_mempool_percpu_zmalloc(struct rseq_mempool *pool);

/*
 * rseq_mempool_percpu_malloc_init - allocates an item whose copies begin with the init_len bytes at init_ptr; the
 * rest is zero. Copies that have these contents already are not written, as with RSEQ_MEMPOOL_POPULATE_COW_INIT
 * those in pages that have not been written. If init_ptr is NULL, the contents are unspecified.
 *
 * Returns the item; or NULL and errno:
 *
 *   ENOMEM  As rseq_mempool_percpu_malloc().
 *   EINVAL  init_len is larger than an item, or the pool is NULL.
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
 * librseq_mempool_percpu_free - frees an item. The two macros below call it.
 */
void librseq_mempool_percpu_free(void __rseq_percpu *ptr, size_t stride);

/*
 * rseq_mempool_percpu_free(ptr) or rseq_mempool_percpu_free(ptr, stride) - frees an item. ptr is the pointer that
 * allocation returned, or NULL. stride is that of the item's pool, by default RSEQ_MEMPOOL_STRIDE.
 */
#define rseq_mempool_percpu_free(_ptr, _stride...) \
	librseq_mempool_percpu_free((void __rseq_percpu *) (_ptr), \
		RSEQ_PARAM_SELECT_ARG1(_, ##_stride, RSEQ_MEMPOOL_STRIDE))

/* rseq_mempool_free(ptr) or rseq_mempool_free(ptr, stride) - the same, for global pools. */
#define rseq_mempool_free(_ptr, _stride...) \
	librseq_mempool_percpu_free((void __rseq_percpu *) (_ptr), \
		RSEQ_PARAM_SELECT_ARG1(_, ##_stride, RSEQ_MEMPOOL_STRIDE))

/*
 * rseq_percpu_ptr(ptr, cpu) or rseq_percpu_ptr(ptr, cpu, stride) - computes the pointer to a CPU's copy, with the
 * type of ptr. cpu must be below rseq_mempool_get_max_nr_cpus(). stride is that of the item's pool, by default
 * RSEQ_MEMPOOL_STRIDE. This is pointer arithmetic only.
 */
#define rseq_percpu_ptr(_ptr, _cpu, _stride...) \
	((__typeof__(*(_ptr)) *) ((uintptr_t) (_ptr) + \
		(uintptr_t) (unsigned int) (_cpu) * \
		(uintptr_t) (RSEQ_PARAM_SELECT_ARG1(_, ##_stride, RSEQ_MEMPOOL_STRIDE))))

/*
 * rseq_mempool_set_create - creates an empty set of pools. Items of different sizes are allocated from a set.
 *
 * Returns the set; or NULL and ENOMEM.
 */
struct rseq_mempool_set *rseq_mempool_set_create(void);

/*
 * rseq_mempool_set_destroy - destroys a set, and each of its pools as rseq_mempool_destroy() does.
 *
 * Returns 0, also for NULL.
 */
int rseq_mempool_set_destroy(struct rseq_mempool_set *pool_set);

/*
 * rseq_mempool_set_add_pool - adds a pool to a set, which then owns it: the pool is destroyed with the set.
 *
 * Returns 0; or -1 and errno:
 *
 *   EBUSY   The set already has a pool with items of this size. The caller still owns the pool.
 *   EINVAL  The set or the pool is NULL.
 */
int rseq_mempool_set_add_pool(struct rseq_mempool_set *pool_set, struct rseq_mempool *pool);

/*
 * rseq_mempool_set_percpu_malloc - allocates an item of at least len bytes, from the pool with the smallest items
 * that are large enough; if that is full, from the next one.
 *
 * Returns the item; or NULL and errno:
 *
 *   ENOMEM  No pool of the set has large enough items and room.
 *   EINVAL  The set is NULL.
 */
void __rseq_percpu *rseq_mempool_set_percpu_malloc(struct rseq_mempool_set *pool_set, size_t len);

/* rseq_mempool_set_percpu_zmalloc - the same, with the contents of rseq_mempool_percpu_zmalloc(). */
void __rseq_percpu *rseq_mempool_set_percpu_zmalloc(struct rseq_mempool_set *pool_set, size_t len);

/*
 * rseq_mempool_set_percpu_malloc_init - the same, with the contents of rseq_mempool_percpu_malloc_init() for the len
 * bytes at init_ptr.
 */
void __rseq_percpu *rseq_mempool_set_percpu_malloc_init(struct rseq_mempool_set *pool_set, void *init_ptr, size_t len);

/* The same, for sets of global pools: */

/* rseq_mempool_set_malloc - allocates an item of at least len bytes. */
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
 * rseq_mempool_attr_create - creates attributes with the defaults: a per-CPU pool with the stride
 * RSEQ_MEMPOOL_STRIDE, rseq_get_max_nr_cpus() copies, any number of ranges, and the policy
 * RSEQ_MEMPOOL_POPULATE_COW_INIT.
 *
 * Returns the attributes; or NULL and ENOMEM.
 */
struct rseq_mempool_attr *rseq_mempool_attr_create(void);

/* rseq_mempool_attr_destroy - frees attributes. Pools have copies of their attributes. NULL is allowed. */
void rseq_mempool_attr_destroy(struct rseq_mempool_attr *attr);

/*
 * The functions that set an attribute return 0; or -1 and EINVAL if attr is NULL. rseq_mempool_create() checks the
 * values.
 */

/*
 * rseq_mempool_attr_set_init - sets the function that initialises each new range. It is called once for each CPU
 * number, with init_priv, the address and the length of the CPU's copies in the range, and the CPU number; in a
 * global pool once, with the CPU number -1. It returns 0 on success; otherwise the range is not used, and the
 * allocation that needed it fails with ENOMEM. It is called with signals blocked, and must not use the pool.
 *
 * As in librseq, this also sets the policy RSEQ_MEMPOOL_POPULATE_COW_INIT. To use another policy, set it afterwards.
 *
 * Also fails with EINVAL if init_func is NULL.
 */
int rseq_mempool_attr_set_init(struct rseq_mempool_attr *attr,
		int (*init_func)(void *priv, void *addr, size_t len, int cpu), void *init_priv);

/*
 * rseq_mempool_attr_set_robust - makes the pool check for errors in the program. On an error, it writes a line to
 * standard error and calls abort(3). It checks:
 *
 *   - when an item is freed: that it is an allocated item of the pool;
 *   - when an item is allocated: that neither the item nor the list of free items was written after it was freed;
 *   - when the pool is destroyed: the same for all free items, and that all items were freed.
 *
 * Freed items are filled with a poison value. By default it is 0x55 in each byte, or 0 with
 * RSEQ_MEMPOOL_POPULATE_COW_ZERO; see rseq_mempool_attr_set_poison(). Each call takes a lock and reads all copies of
 * an item.
 */
int rseq_mempool_attr_set_robust(struct rseq_mempool_attr *attr);

/*
 * rseq_mempool_attr_set_percpu - selects a per-CPU pool. stride is the number of bytes for each CPU in a range (0:
 * RSEQ_MEMPOOL_STRIDE). max_nr_cpus is the number of copies of an item (0: rseq_get_max_nr_cpus()).
 */
int rseq_mempool_attr_set_percpu(struct rseq_mempool_attr *attr, size_t stride, int max_nr_cpus);

/*
 * rseq_mempool_attr_set_global - selects a global pool. stride is the number of bytes in a range (0:
 * RSEQ_MEMPOOL_STRIDE). The policy of a global pool is always RSEQ_MEMPOOL_POPULATE_COW_ZERO.
 */
int rseq_mempool_attr_set_global(struct rseq_mempool_attr *attr, size_t stride);

/* rseq_mempool_attr_set_max_nr_ranges - limits the number of ranges; 0 is no limit. */
int rseq_mempool_attr_set_max_nr_ranges(struct rseq_mempool_attr *attr, unsigned long max_nr_ranges);

/*
 * rseq_mempool_attr_set_poison - makes the pool fill each word of each copy of a freed item with a value. With
 * RSEQ_MEMPOOL_POPULATE_COW_ZERO, a value other than 0 makes pages take memory that no CPU has used.
 */
int rseq_mempool_attr_set_poison(struct rseq_mempool_attr *attr, uintptr_t poison);

/* The contents of copies that have not been written. */
enum rseq_mempool_populate_policy {
	/*
	 * Copies share the pages of one template, which has the initial values of items. Writing to a page gives the
	 * CPU a private copy of it. Each CPU takes a mapping in each range; a process may have 65,530 by default
	 * (vm.max_map_count). Children of fork(2) do not have the memory of such a pool (Linux 4.14): they may only
	 * destroy it.
	 */
	RSEQ_MEMPOOL_POPULATE_COW_INIT = 0,

	/*
	 * Copies are zero. A copy takes memory when its CPU, malloc_init or a poison value other than 0 writes to it.
	 * Children of fork(2) have a copy of the pool.
	 */
	RSEQ_MEMPOOL_POPULATE_COW_ZERO = 1,
};

/* rseq_mempool_attr_set_populate_policy - sets the policy. */
int rseq_mempool_attr_set_populate_policy(struct rseq_mempool_attr *attr, enum rseq_mempool_populate_policy policy);

/*
 * rseq_mempool_range_init_numa - moves the pages of the len bytes at addr to the NUMA node of a CPU, by
 * move_pages(2) with numa_flags, such as MPOL_MF_MOVE (Linux 2.6.18). It is meant for functions that initialise
 * ranges. Pages that have not been touched are not moved: they are allocated on the node of the CPU that touches
 * them first.
 *
 * Returns 0, even if a page was not moved; or -1 and errno:
 *
 *   EINVAL  addr is NULL, numa_flags is 0 or has unknown flags, or no node has this CPU.
 *   EPERM   MPOL_MF_MOVE_ALL without CAP_SYS_NICE.
 *   ENOSYS  The kernel has no NUMA.
 */
int rseq_mempool_range_init_numa(void *addr, size_t len, int cpu, int numa_flags);

/*
 * rseq_mempool_get_max_nr_cpus - returns the number of copies of each item in a per-CPU pool; or -1 and EINVAL if the
 * pool is NULL or a global one.
 */
int rseq_mempool_get_max_nr_cpus(struct rseq_mempool *mempool);

#ifdef __cplusplus
}
#endif

#endif
