/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * In place of the file of this name in tools/testing/selftests/rseq, which kvm/rseq_test.c includes as text: what
 * that test takes from it besides the functions of the library.
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
