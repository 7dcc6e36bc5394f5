/* SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef _RSEQ_UTILS_H
#define _RSEQ_UTILS_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef rseq_sizeof_field
#define rseq_sizeof_field(type, member) sizeof(((type *) 0)->member)
#endif

/* The number of bytes up to the end of a member. */
#ifndef rseq_offsetofend
#define rseq_offsetofend(type, member) (offsetof(type, member) + rseq_sizeof_field(type, member))
#endif

#define __rseq_str_1(x)		#x
#define __rseq_str(x)		__rseq_str_1(x)

/* Writes a line to standard error. */
#define rseq_log(fmt, ...) \
	fprintf(stderr, fmt " (in %s() at " __FILE__ ":" __rseq_str(__LINE__) ")\n", ## __VA_ARGS__, __func__)

/* The same, and calls abort(3). */
#define rseq_bug(fmt, ...) \
	do { \
		rseq_log(fmt, ## __VA_ARGS__); \
		abort(); \
	} while (0)

#endif
