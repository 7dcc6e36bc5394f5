/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Aborts sections that restart: a timer's signals interrupt lengthened sections in four threads until 1000 have been
 * aborted. A signal handler counts an abort if the interrupted program counter is that of a section's abort handler.
 * The counters must be exact.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#define RSEQ_THIS_CPU_SHIFT 7
#define RSEQ_INJECT_ASM(n) ".rept 500\n\tnop\n\t.endr\n\t"
#include <rseq/rseq.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#define CPUS	4096
#define THREADS	4
#define ABORTS	1000
#define SECONDS	60

static struct {
	intptr_t count;
	char rest[(1 << RSEQ_THIS_CPU_SHIFT) - sizeof(intptr_t)];
} slots[CPUS];

/* The descriptors, in a section whose bounds the linker defines. */
struct descriptor {
	uint32_t version, flags;
	uint64_t start, len, abort;
};

extern const struct descriptor __start___rseq_cs[], __stop___rseq_cs[];

static int aborts;

static void seen(int number, siginfo_t *info, void *context)
{
	uint64_t place = (uint64_t) ((ucontext_t *) context)->uc_mcontext.gregs[REG_RIP];
	const struct descriptor *one;

	(void) number, (void) info;
	for (one = __start___rseq_cs; one < __stop___rseq_cs; one++)
		if (place == one->abort)
			__atomic_add_fetch(&aborts, 1, __ATOMIC_RELAXED);
}

static void *count(void *unused)
{
	time_t end = time(NULL) + SECONDS;
	intptr_t done = 0;

	(void) unused;
	if (rseq_register_current_thread())
		return (void *) -1;
	while (__atomic_load_n(&aborts, __ATOMIC_RELAXED) < ABORTS && time(NULL) < end) {
		enum rseq_percpu_mode mode = done % 4 ? RSEQ_PERCPU_CPU_ID : RSEQ_PERCPU_MM_CID;

		/* Concurrency IDs use other slots than CPU numbers: one thread's ID may be another's CPU number. */
		if (mode == RSEQ_PERCPU_MM_CID && !rseq_mm_cid_available())
			mode = RSEQ_PERCPU_CPU_ID;
		if (rseq_this_cpu_inc(mode, &slots[mode == RSEQ_PERCPU_MM_CID ? CPUS / 2 : 0].count, CPUS / 2))
			return (void *) -1;
		done++;
	}
	return rseq_unregister_current_thread() ? (void *) -1 : (void *) done;
}

int main(void)
{
	struct itimerval interval = { { 0, 100 }, { 0, 100 } };
	struct sigaction action;
	sigset_t alarm;
	pthread_t threads[THREADS];
	intptr_t expected = 0, sum = 0;
	int i;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = seen;
	action.sa_flags = SA_SIGINFO | SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &interval, NULL);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, count, NULL))
			return 1;
	/* The signals should interrupt the other threads. */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	for (i = 0; i < THREADS; i++) {
		void *done;

		pthread_join(threads[i], &done);
		if ((intptr_t) done < 0) {
			printf("an operation failed, or a registration\n");
			return 1;
		}
		expected += (intptr_t) done;
	}
	for (i = 0; i < CPUS; i++)
		sum += slots[i].count;
	printf("%d aborts, %ld counted, %ld expected\n", aborts, (long) sum, (long) expected);
	return aborts < ABORTS || sum != expected;
}
