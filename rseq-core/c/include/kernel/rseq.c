/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Replaces the file of this name in tools/testing/selftests/rseq, which kvm/rseq_test.c includes. It has what that
 * test uses besides the functions of the library.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rseq.h"

static int sys_getcpu(unsigned int *cpu, unsigned int *node)
{
	return (int) syscall(__NR_getcpu, cpu, node, NULL);
}
