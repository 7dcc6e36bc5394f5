/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Restartable sequences: registration, the calling thread's area, and operations on per-CPU data.
 *
 * A program includes this header and links with librseq. Each thread calls rseq_register_current_thread() before
 * its first operation; if the libc registers threads (glibc 2.35), that does nothing. An operation takes a CPU
 * number, which rseq_cpu_start() returns, and commits only if the thread is running on that CPU.
 */

#ifndef _RSEQ_RSEQ_H
#define _RSEQ_RSEQ_H

/* Not all of these are used here: programs that were written for librseq rely on them. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <rseq/abi.h>
#include <rseq/compiler.h>
#include <rseq/inject.h>
#include <rseq/thread-pointer.h>
#include <rseq/utils.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The memory order of an operation's commit. An operation that does not support it returns -1. */
enum rseq_mo {
	RSEQ_MO_RELAXED = 0,
	RSEQ_MO_CONSUME = 1,
	RSEQ_MO_ACQUIRE = 2,
	RSEQ_MO_RELEASE = 3,
	RSEQ_MO_ACQ_REL = 4,
	RSEQ_MO_SEQ_CST = 5,
};

/* The index that an operation compares with its last argument: the CPU number, or the concurrency ID (Linux 6.3). */
enum rseq_percpu_mode {
	RSEQ_PERCPU_CPU_ID = 0,
	RSEQ_PERCPU_MM_CID = 1,
};

/* Queries for rseq_available(). */
enum rseq_available_query {
	RSEQ_AVAILABLE_QUERY_KERNEL = 0,
	RSEQ_AVAILABLE_QUERY_LIBC = 1,
};

/* Return values of rseq_init(). */
enum rseq_init_return {
	RSEQ_INIT_OK = 0,
	RSEQ_INIT_ERROR_MISSING_SYMBOLS = 1,
};

/* A program that defines this macro must define rseq_get_abi(), for example with the variables of the libc. */
#ifndef RSEQ_GET_ABI_OVERRIDE

/* The offset in bytes of each thread's area from its thread pointer. A constructor sets it before main(). */
extern ptrdiff_t rseq_offset;

/* The number of bytes of the area that the kernel maintains; 0 before the first registration. */
extern unsigned int rseq_size;

/* The flags of registrations: always 0. */
extern unsigned int rseq_flags;

/* The calling thread's area. */
static inline __attribute__((always_inline))
struct rseq_abi *rseq_get_abi(void)
{
	return (struct rseq_abi *) ((uintptr_t) rseq_thread_pointer() + (uintptr_t) rseq_offset);
}

#endif

/*
 * Prepares the library. Programs for librseq since 2025 call it once; here a constructor has prepared the library
 * already. Returns RSEQ_INIT_OK if the libc can register threads (glibc 2.35), even if it is switched off or the kernel
 * has no rseq: see rseq_registered(). Returns RSEQ_INIT_ERROR_MISSING_SYMBOLS with any other libc, where
 * rseq_register_current_thread() registers threads.
 */
int rseq_init(void);

/*
 * Registers the calling thread for rseq (Linux 4.18). If the libc registers threads, it does nothing and returns 0.
 * Otherwise it returns 0; or -1 and errno: ENOSYS if the kernel has no rseq, EBUSY if the thread is already
 * registered, EPERM or another if a seccomp filter refuses the call.
 */
int rseq_register_current_thread(void);

/*
 * The same, under the name that the kernel's selftests use. With legacy, it registers 32 bytes. With nolibc, it
 * returns -EBUSY if the libc registers threads.
 */
int __rseq_register_current_thread(bool nolibc, bool legacy);

/*
 * Ends the calling thread's registration. A thread that has registered must call it before it ends. If the libc
 * registers threads, it does nothing and returns 0. Otherwise it returns 0; or -1 and errno: EINVAL if the thread is
 * not registered, EPERM or another if a seccomp filter refuses the call.
 */
int rseq_unregister_current_thread(void);

/* Returns the current CPU by sched_getcpu(3), for threads that are not registered. Calls abort(3) if that fails. */
int32_t rseq_fallback_current_cpu(void);

/* Returns the current NUMA node by getcpu(2); or -1 and errno. */
int32_t rseq_fallback_current_node(void);

#ifdef RSEQ_C_KERNEL_FLAVOUR
/* Returns whether the kernel has rseq, and no seccomp filter refuses it. */
bool rseq_available(void);
#else
/*
 * Returns whether the kernel has rseq and no seccomp filter refuses it, or whether the libc registers threads: see
 * enum rseq_available_query.
 */
bool rseq_available(unsigned int query);
#endif

/*
 * Returns the length of an array indexed by CPU number: the highest possible CPU number plus one; 0 if not known. All
 * calls return the same number once one has returned another than 0.
 */
int rseq_get_max_nr_cpus(void);

/*
 * Returns whether the calling thread is registered. Writes who registered it, or why it is not registered, to text,
 * truncated to size bytes including the terminating 0. text may be NULL.
 */
bool rseq_status(char *text, size_t size);

/*
 * Enables or disables the time slice extension in the calling thread (Linux 7.0). Returns 0; or -1 and errno: EINVAL
 * if the kernel does not have it, ENOTSUPP (524) if it is switched off or the registration has only 32 bytes, ENXIO
 * if the thread is not registered.
 */
int rseq_slice_extension_enable(bool enable);

/* Returns the current CPU; a negative number if the thread is not registered. */
static inline __attribute__((always_inline))
int32_t rseq_current_cpu_raw(void)
{
	return (int32_t) RSEQ_READ_ONCE(rseq_get_abi()->cpu_id);
}

/*
 * Returns a CPU number to begin an operation with: the current CPU in a registered thread, and a possible CPU number
 * in any other, where operations return -1.
 */
static inline __attribute__((always_inline))
uint32_t rseq_cpu_start(void)
{
	return RSEQ_READ_ONCE(rseq_get_abi()->cpu_id_start);
}

/* Returns the current CPU, by rseq_fallback_current_cpu() if the thread is not registered. */
static inline __attribute__((always_inline))
uint32_t rseq_current_cpu(void)
{
	int32_t cpu = rseq_current_cpu_raw();

	return (uint32_t) (rseq_likely(cpu >= 0) ? cpu : rseq_fallback_current_cpu());
}

#ifndef RSEQ_GET_ABI_OVERRIDE

/* Returns whether the calling thread is registered, by the libc or by rseq_register_current_thread(). */
static inline __attribute__((always_inline))
bool rseq_registered(void)
{
	/* The size is 0 or UINT_MAX if rseq_get_abi() may not be used yet. */
	return (int) rseq_size > 0 && rseq_current_cpu_raw() >= 0;
}

/* Returns whether the kernel maintains node_id (Linux 6.3). */
static inline __attribute__((always_inline))
bool rseq_node_id_available(void)
{
	return (int) rseq_size >= (int) rseq_offsetofend(struct rseq_abi, node_id);
}

/* Returns whether the kernel maintains mm_cid (Linux 6.3). */
static inline __attribute__((always_inline))
bool rseq_mm_cid_available(void)
{
	return (int) rseq_size >= (int) rseq_offsetofend(struct rseq_abi, mm_cid);
}

/* Returns whether the kernel maintains slice_ctrl (Linux 7.0). */
static inline __attribute__((always_inline))
bool rseq_slice_ctrl_available(void)
{
	return (int) rseq_size >= (int) rseq_offsetofend(struct rseq_abi, slice_ctrl);
}

/* Returns the current NUMA node. Requires rseq_node_id_available(). */
static inline __attribute__((always_inline))
uint32_t rseq_current_node_id(void)
{
	assert(rseq_node_id_available());
	return RSEQ_READ_ONCE(rseq_get_abi()->node_id);
}

#endif

/* Returns the current concurrency ID. Requires rseq_mm_cid_available(). */
static inline __attribute__((always_inline))
uint32_t rseq_current_mm_cid(void)
{
	return RSEQ_READ_ONCE(rseq_get_abi()->mm_cid);
}

/* Disarms the section that the calling thread has armed last. */
static inline __attribute__((always_inline))
void rseq_clear_rseq_cs(void)
{
	RSEQ_ACCESS_ONCE(rseq_get_abi()->rseq_cs.arch.ptr) = 0;
}

/*
 * Each thread that has executed a section must call this before the section's code or descriptor is unmapped, for
 * example by dlclose(3): the address of the descriptor stays in rseq_cs after the section, and the kernel reads it
 * at the next interrupt.
 */
static inline __attribute__((always_inline))
void rseq_prepare_unload(void)
{
	rseq_clear_rseq_cs();
}

#include <rseq/arch.h>
#include <rseq/operations.h>
#include <rseq/this-cpu.h>
/* A program that has names of the kernel's selftests for other functions defines this macro. */
#ifndef RSEQ_NO_KERNEL_NAMES
#include <rseq/kernel-names.h>
#endif

#ifdef __cplusplus
}
#endif

#endif
