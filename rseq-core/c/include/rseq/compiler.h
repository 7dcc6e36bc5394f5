/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the headers need of the compiler: GCC 4.8 or later, or clang 9 or later. */

#ifndef _RSEQ_COMPILER_H
#define _RSEQ_COMPILER_H

#define rseq_likely(x)		__builtin_expect(!!(x), 1)
#define rseq_unlikely(x)	__builtin_expect(!!(x), 0)

/* Keeps the compiler from moving accesses to memory across it. */
#define rseq_barrier()		__asm__ __volatile__("" : : : "memory")

/* The same, at both ends of a jump out of `asm goto`, across which some compilers moved accesses. */
#define rseq_after_asm_goto()	rseq_barrier()

/* One access, which the compiler neither repeats nor leaves out. */
#define RSEQ_ACCESS_ONCE(x)	(*(__volatile__ __typeof__(x) *)&(x))
#define RSEQ_READ_ONCE(x)	RSEQ_ACCESS_ONCE(x)
#define RSEQ_WRITE_ONCE(x, v)	__extension__ ({ RSEQ_ACCESS_ONCE(x) = (v); })

#define RSEQ__COMBINE_TOKENS(a, b)	a##b
#define RSEQ_COMBINE_TOKENS(a, b)	RSEQ__COMBINE_TOKENS(a, b)

/* The second of its arguments: makes the last argument of a macro optional. */
#define RSEQ_PARAM_SELECT_ARG1(first, second, ...) second

#define RSEQ_BITS_PER_LONG	(__SIZEOF_LONG__ * 8)

#endif
