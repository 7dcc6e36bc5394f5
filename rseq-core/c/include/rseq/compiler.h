/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Compiler support: GCC 4.8 or later, or clang 14 or later. */

#ifndef _RSEQ_COMPILER_H
#define _RSEQ_COMPILER_H

#define rseq_likely(x)		__builtin_expect(!!(x), 1)
#define rseq_unlikely(x)	__builtin_expect(!!(x), 0)

/* A compiler barrier: memory accesses are not moved across it. */
#define rseq_barrier()		__asm__ __volatile__("" : : : "memory")

/* A compiler barrier after an asm goto and at its labels, across which some compilers move memory accesses. */
#define rseq_after_asm_goto()	rseq_barrier()

/* A volatile access: the compiler neither repeats nor omits it. */
#define RSEQ_ACCESS_ONCE(x)	(*(__volatile__ __typeof__(x) *)&(x))
#define RSEQ_READ_ONCE(x)	RSEQ_ACCESS_ONCE(x)
#define RSEQ_WRITE_ONCE(x, v)	__extension__ ({ RSEQ_ACCESS_ONCE(x) = (v); })

/* The type of a scalar without const and volatile: they are dropped by GCC 11 or later, clang, and in C++. */
#ifdef __cplusplus
extern "C++" {
template<typename T> struct rseq_unqualified { typedef T type; };
template<typename T> struct rseq_unqualified<T &> : rseq_unqualified<T> { };
template<typename T> struct rseq_unqualified<const T> : rseq_unqualified<T> { };
template<typename T> struct rseq_unqualified<volatile T> : rseq_unqualified<T> { };
template<typename T> struct rseq_unqualified<const volatile T> : rseq_unqualified<T> { };
}
#define rseq_unqual_scalar_typeof(x)	rseq_unqualified<__typeof__(x)>::type
#else
#define rseq_unqual_scalar_typeof(x)	__typeof__((void) 0, (x))
#endif

#define RSEQ__COMBINE_TOKENS(a, b)	a##b
#define RSEQ_COMBINE_TOKENS(a, b)	RSEQ__COMBINE_TOKENS(a, b)

/* Expands to its second argument, to make the last argument of a macro optional. */
#define RSEQ_PARAM_SELECT_ARG1(first, second, ...) second

#define RSEQ_BITS_PER_LONG	(__SIZEOF_LONG__ * 8)

#endif
