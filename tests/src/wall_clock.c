// Stands between a process and the machine's wall clock, which a test sets while the process runs.
//
// libfaketime does not do here: glibc's cnd_timedwait, on which librdkafka waits, does not go through it, so that such waits
// would be hours too long or too short. This one does what the kernel does when its clock is set: a wait until a time of
// the wall clock ends when that clock shows the time, however long that takes. Clocks that only run on are left alone.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

// How often a wait looks whether the clock was set.
#define LOOK (20 * SECOND / 1000)

// Nanoseconds that the clock is ahead, in a file that the test writes.
static volatile int64_t *ahead;
static int (*real_gettime)(clockid_t, struct timespec *);
static int (*real_wait)(cnd_t *, mtx_t *, const struct timespec *);
static int (*real_signal)(cnd_t *);
static int (*real_broadcast)(cnd_t *);

__attribute__((constructor)) static void begin(void) {
    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_wait = dlsym(RTLD_NEXT, "cnd_timedwait");
    real_signal = dlsym(RTLD_NEXT, "cnd_signal");
    real_broadcast = dlsym(RTLD_NEXT, "cnd_broadcast");
    const char *path = getenv("GAMEPIPE_TEST_WALL_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
        abort();
    ahead = mapped;
    close(file);
}

static int64_t nanos(const struct timespec *time) {
    return time->tv_sec * SECOND + time->tv_nsec;
}

static void set(struct timespec *time, int64_t value) {
    time->tv_sec = value / SECOND;
    time->tv_nsec = value % SECOND;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (real_gettime == NULL)
        real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real_gettime(clock, time);
    if (failed == 0 && ahead != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        set(time, nanos(time) + *ahead);
    return failed;
}

int timespec_get(struct timespec *time, int base) {
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, time) == 0 ? base : 0;
}

int gettimeofday(struct timeval *restrict value, void *restrict zone) {
    struct timespec now;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    value->tv_sec = now.tv_sec;
    value->tv_usec = now.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *value) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (value != NULL)
        *value = now.tv_sec;
    return now.tv_sec;
}

// How often each condition was signalled; some share a place.
static _Atomic unsigned signals[256];

static _Atomic unsigned *signals_of(cnd_t *condition) {
    return &signals[((uintptr_t)condition >> 3) % 256];
}

int cnd_signal(cnd_t *condition) {
    ++*signals_of(condition);
    return real_signal(condition);
}

int cnd_broadcast(cnd_t *condition) {
    ++*signals_of(condition);
    return real_broadcast(condition);
}

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until) {
    // Nobody who holds the mutex has signalled anything yet.
    unsigned before = *signals_of(condition);
    for (;;) {
        struct timespec now, end;
        clock_gettime(CLOCK_REALTIME, &now);
        int64_t left = nanos(until) - nanos(&now);
        int64_t step = left < 0 ? 0 : left < LOOK ? left : LOOK;
        real_gettime(CLOCK_REALTIME, &now);
        set(&end, nanos(&now) + step);
        int result = real_wait(condition, mutex, &end);
        if (result != thrd_timedout || step == left || left < 0)
            return result;
        // A signal between two steps met nobody who waited. Waits may end for no reason, so it does no harm if it was another's.
        if (*signals_of(condition) != before)
            return thrd_success;
    }
}
