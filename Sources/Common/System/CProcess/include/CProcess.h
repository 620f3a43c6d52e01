#ifndef CPROCESS_H
#define CPROCESS_H

#include <stddef.h>

/// Sets what runs before the process ends in ``seed_end``. It may only do what a signal handler may do.
void seed_set_cleanup(void (*cleanup)(void));

/// Cleans up and ends the process at once. No library destructor runs, since it might wait for a thread that waits for
/// memory. May be called from any thread and from a signal handler.
_Noreturn void seed_end(int status);

/// Prints one line that there is no memory for `size` bytes, and ends the process with status 74.
_Noreturn void seed_no_memory(size_t size);

/// Whether failing allocations end the process here. Not under the address sanitizer, which has its own allocator.
int seed_watches_memory(void);

/// Exchanges two names. Returns 0, or -1 with `errno` if the system or the file system does not support it.
int seed_exchange(const char *one, const char *other);

/// The number of processors this process may run on: those in its affinity mask, which `taskset` and cluster schedulers
/// set. At least 1.
int seed_processors(void);

#endif
