#ifndef CPROCESS_H
#define CPROCESS_H

#include <stddef.h>

/// What is done before the process ends in ``seed_end``; it may do only what a signal's handler may.
void seed_set_cleanup(void (*cleanup)(void));

/// Cleans up and ends the process at once: no destructor of a library runs, which might wait for a thread that waits for memory.
/// May be called from any thread and from a signal's handler.
_Noreturn void seed_end(int status);

/// Says in one line that there is no memory for `size` bytes, and ends the process with status 74.
_Noreturn void seed_no_memory(size_t size);

/// Whether failing allocations end the process here. Not under the address sanitizer, which has an allocator of its own.
int seed_watches_memory(void);

/// Lets two names change places. 0, or -1 with `errno` where the system or the file system cannot.
int seed_exchange(const char *one, const char *other);

/// How many processors this process may run on: those of its affinity, which `taskset` and clusters' queues set. At least 1.
int seed_processors(void);

#endif
