/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Registration and unregistration: by the libc with the argument "libc", else by the library. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <rseq/rseq.h>
#include <string.h>
#include <sys/resource.h>

#define CHECK(condition) do { if (!(condition)) { printf("line %d: %s\n", __LINE__, #condition); return 1; } } while (0)

/* glibc 2.35 and later define it, also if they do not register threads. */
extern const unsigned int __rseq_size __attribute__((weak));

static void *other(void *unused)
{
	intptr_t v = 0;

	(void) unused;
	if (rseq_registered())
		return (void *) "an unregistered thread counts as registered";
	if (rseq_current_cpu_raw() >= 0 || rseq_addv(RSEQ_MO_RELAXED, RSEQ_PERCPU_CPU_ID, &v, 1, (int) rseq_cpu_start()) != -1)
		return (void *) "an unregistered thread has a CPU number";
	if (rseq_register_current_thread() || rseq_current_cpu_raw() < 0)
		return (void *) "a second thread is not registered";
	return rseq_unregister_current_thread() ? (void *) "the second thread stays registered" : NULL;
}

static int by_libc(void)
{
	CHECK(rseq_available(RSEQ_AVAILABLE_QUERY_LIBC));
	CHECK(rseq_current_cpu_raw() >= 0 && rseq_size >= RSEQ_ABI_ORIG_FEATURE_SIZE && rseq_registered());
	CHECK(rseq_init() == RSEQ_INIT_OK);
	CHECK(rseq_register_current_thread() == 0);
	CHECK(__rseq_register_current_thread(true, false) == -EBUSY);
	CHECK(rseq_unregister_current_thread() == 0 && rseq_current_cpu_raw() >= 0);
	return 0;
}

static int by_library(void)
{
	pthread_t thread;
	void *error;

	CHECK(!rseq_available(RSEQ_AVAILABLE_QUERY_LIBC));
	CHECK(rseq_size == 0 && rseq_current_cpu_raw() == -1 && rseq_get_abi()->mm_cid == (uint32_t) -1);
	CHECK(!rseq_registered() && !rseq_slice_ctrl_available());
	CHECK(rseq_init() == (&__rseq_size ? RSEQ_INIT_OK : RSEQ_INIT_ERROR_MISSING_SYMBOLS) && rseq_size == 0);
	CHECK(rseq_unregister_current_thread() == -1 && errno == EINVAL);
	CHECK(rseq_register_current_thread() == 0 && rseq_size >= 20 && rseq_current_cpu_raw() >= 0);
	CHECK(rseq_registered() && rseq_slice_ctrl_available() == (rseq_size >= RSEQ_ABI_ORIG_ALLOC_SIZE));
	CHECK(rseq_register_current_thread() == -1 && errno == EBUSY);
	CHECK(pthread_create(&thread, NULL, other, NULL) == 0 && pthread_join(thread, &error) == 0);
	if (error)
		printf("%s\n", (const char *) error);
	CHECK(!error);
	CHECK(rseq_unregister_current_thread() == 0 && !rseq_registered());
	CHECK(rseq_current_cpu_raw() == -1 && rseq_get_abi()->mm_cid == (uint32_t) -1);
	CHECK(__rseq_register_current_thread(true, true) == 0 && rseq_unregister_current_thread() == 0);
	/* Unregistration finds the mode of the registration, which differs from that of the previous one. */
	CHECK(__rseq_register_current_thread(false, false) == 0 && rseq_unregister_current_thread() == 0);
	return 0;
}

/* All calls return one number, even if a later one could not read sysfs. */
static int cpus_stay_as_many(void)
{
	struct rlimit limit, none;
	int cpus = rseq_get_max_nr_cpus();

	CHECK(cpus > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
	none = limit;
	none.rlim_cur = 0;
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0 && open("/", O_RDONLY) == -1);
	CHECK(rseq_get_max_nr_cpus() == cpus);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	return 0;
}

int main(int argc, char **argv)
{
	char text[200];
	bool is_on;

	/* Areas of 32 bytes, as glibc 2.36 has them, are aligned to 32 bytes. */
	CHECK(__alignof__(struct rseq_abi) == 32 && (uintptr_t) rseq_get_abi() % __alignof__(struct rseq_abi) == 0);
	if (cpus_stay_as_many())
		return 1;
	if (!rseq_available(RSEQ_AVAILABLE_QUERY_KERNEL)) {
		printf("skipped: the kernel has no rseq\n");
		return 4;
	}
	CHECK(!rseq_available(2));
	CHECK(rseq_fallback_current_cpu() >= 0 && rseq_fallback_current_node() >= 0);
	is_on = rseq_status(text, sizeof(text));
	CHECK(is_on == (argc > 1) && strncmp(text, is_on ? "on: " : "off: ", 4) == 0);
	/* What the program can do about it: no word of Rust. */
	CHECK(is_on || strstr(text, "call rseq_register_current_thread()"));
	rseq_status(text, 4);
	CHECK(strlen(text) == 3);
	CHECK(rseq_status(NULL, 0) == is_on);
	return argc > 1 && strcmp(argv[1], "libc") == 0 ? by_libc() : by_library();
}
