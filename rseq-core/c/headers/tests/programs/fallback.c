/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Under seccomp filters that fail a call with EPERM. Without getcpu(2), rseq_fallback_current_cpu() uses the vDSO;
 * without rseq(2), rseq_available() returns false.
 */

#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rseq/rseq.h>

static int refuse(int number)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(void)
{
	unsigned int cpu;
	cpu_set_t cpus;

	if (refuse(SYS_getcpu) || syscall(SYS_getcpu, &cpu, NULL, NULL) != -1) {
		printf("# SKIP the filter could not be installed\n");
		return 4;
	}
	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus)) {
		perror("sched_setaffinity");
		return 1;
	}
	/* Calls abort(3) if it makes the system call. */
	if (!CPU_ISSET(rseq_fallback_current_cpu(), &cpus))
		return 1;
	return refuse(__NR_rseq) || rseq_available(RSEQ_AVAILABLE_QUERY_KERNEL) ? 1 : 0;
}
