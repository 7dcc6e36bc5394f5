/* SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef _RSEQ_THREAD_POINTER_H
#define _RSEQ_THREAD_POINTER_H

#ifdef __cplusplus
extern "C" {
#endif

/* The thread pointer, to which rseq_offset is relative. Some compilers lack __builtin_thread_pointer() for a target. */
static inline __attribute__((always_inline))
void *rseq_thread_pointer(void)
{
#if defined(__x86_64__)
	void *pointer;

	__asm__ ("movq %%fs:0, %0" : "=r" (pointer));
	return pointer;
#elif defined(__i386__)
	void *pointer;

	__asm__ ("movl %%gs:0, %0" : "=r" (pointer));
	return pointer;
#elif defined(__powerpc64__)
	/* The register itself: a copy would take one more instruction. */
	register void *pointer __asm__ ("r13");

	__asm__ ("" : "=r" (pointer));
	return pointer;
#elif defined(__loongarch__)
	void *pointer;

	__asm__ ("move %0, $r2" : "=r" (pointer));
	return pointer;
#else
	return __builtin_thread_pointer();
#endif
}

#ifdef __cplusplus
}
#endif

#endif
