/*
 * Eight threads of a libc that count under signals.
 *
 * Compiled with -DLINKED the library is linked; else the program loads it: threads [own|adopted] FILE
 * [base|new|new-threads], into the program's namespace, into a new one, or into a new one whose libc makes the threads.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include "worlds.h"

enum { THREADS = 8, TIMES = 20000, CPUS = 4096, STRIDE = 16 };

static unsigned long words[CPUS * STRIDE] __attribute__((aligned(128)));
static int own;

static int (*reg)(void), (*release)(void);
static void (*count)(unsigned long);
static unsigned long (*sum)(void);
static void (*status)(char *, unsigned long);
static int (*storm)(unsigned long *, unsigned long, unsigned long, unsigned long, unsigned long *);
static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = pthread_create;
static int (*join)(pthread_t, void **) = pthread_join;

struct thread {
    pthread_t id;
    unsigned long aborts;
    char status[256];
};

static void fail(const char *what, int error) {
    printf("%s: %s\n", what, strerror(error));
    exit(1);
}

static void *run(void *arg) {
    struct thread *thread = arg;
    int error = own ? reg() : 0;
    if (error) fail("register", error);
    status(thread->status, sizeof thread->status);
    error = storm(words, CPUS, STRIDE, TIMES, &thread->aborts);
    if (error) fail("storm", error);
    count(TIMES);
    error = own ? release() : 0;
    if (error) fail("release", error);
    if (own && storm(words, CPUS, STRIDE, 1, &thread->aborts) == 0) fail("storm after the release", 0);
    count(TIMES);
    return 0;
}

static void on_signal(int signal) {
    (void)signal;
}

#ifdef LINKED
static void link_library(char **argv) {
    (void)argv;
    reg = worlds_register, release = worlds_release, count = worlds_count;
    sum = worlds_sum, status = worlds_status, storm = worlds_storm;
}
#else
static void *find(void *library, const char *name) {
    void *symbol = dlsym(library, name);
    if (!symbol) {
        printf("%s\n", dlerror());
        exit(1);
    }
    return symbol;
}

static void link_library(char **argv) {
    int is_new = strncmp(argv[3], "new", 3) == 0;
    void *library = is_new ? dlmopen(LM_ID_NEWLM, argv[2], RTLD_NOW) : dlopen(argv[2], RTLD_NOW);
    if (!library) {
        printf("%s\n", dlerror());
        exit(1);
    }
    reg = find(library, "worlds_register"), release = find(library, "worlds_release");
    count = find(library, "worlds_count"), sum = find(library, "worlds_sum");
    status = find(library, "worlds_status"), storm = find(library, "worlds_storm");
    if (strcmp(argv[3], "new-threads") == 0)
        create = find(library, "pthread_create"), join = find(library, "pthread_join");
}
#endif

int main(int argc, char **argv) {
    static struct thread threads[THREADS];
    struct itimerval often = {{0, 50}, {0, 50}};
    struct sigaction action;
    unsigned long aborts = 0, total = 0;
    sigset_t alarm;
    int i;

    own = argc > 1 && strcmp(argv[1], "own") == 0;
    link_library(argv);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, 0);
    setitimer(ITIMER_REAL, &often, 0);
    for (i = 0; i < THREADS; i++) {
        int error = create(&threads[i].id, 0, run, &threads[i]);
        if (error) fail("pthread_create", error);
    }
    /* The signals of the process go to the other threads. */
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, 0);
    for (i = 0; i < THREADS; i++) {
        join(threads[i].id, 0);
        aborts += threads[i].aborts;
        if (strcmp(threads[i].status, threads[0].status)) fail(threads[i].status, 0);
    }
    for (i = 0; i < CPUS; i++) total += words[i * STRIDE];
    printf("%s\nsections %lu of %d\ncounter %lu of %d\naborts %lu\n", threads[0].status, total, THREADS * TIMES, sum(),
           THREADS * TIMES * 2, aborts);
    return total != THREADS * TIMES || sum() != THREADS * TIMES * 2 || aborts == 0;
}
