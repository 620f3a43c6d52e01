#define _GNU_SOURCE
#include "CProcess.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

int seed_processors(void) {
    // The kernel rejects a set that is smaller than its own.
    for (int most = 1024; most <= 1 << 18; most *= 4) {
        cpu_set_t *set = CPU_ALLOC(most);
        if (!set) break;
        size_t size = CPU_ALLOC_SIZE(most);
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0) return count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}
