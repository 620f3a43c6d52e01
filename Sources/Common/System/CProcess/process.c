// What a process needs at its start and when memory runs out, and what only C can define.
#include "CProcess.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static _Atomic(void (*)(void)) registered_cleanup;

void seed_set_cleanup(void (*cleanup)(void)) { atomic_store(&registered_cleanup, cleanup); }

/// Only the first thread that ends the process gets through. Another would end it before cleanup is complete, or print
/// a second message.
static void only_first(atomic_flag *flag) {
    if (atomic_flag_test_and_set(flag)) for (;;) pause();
}

void seed_end(int status) {
    static atomic_flag ending = ATOMIC_FLAG_INIT;
    only_first(&ending);
    void (*cleanup)(void) = atomic_load(&registered_cleanup);
    if (cleanup) cleanup();
    _exit(status);
}

extern char *program_invocation_short_name;

/// Appends `text` to `line`, which holds `length` of 256 bytes. Control characters, which a terminal would act on, are
/// replaced.
static size_t append(char *line, size_t length, const char *text) {
    for (; *text && length < 255; text++) line[length++] = *text >= ' ' && *text <= '~' ? *text : '?';
    return length;
}

void seed_no_memory(size_t size) {
    static atomic_flag told = ATOMIC_FLAG_INIT;
    only_first(&told);
    // Nothing here may allocate.
    char number[24], line[256];
    size_t place = sizeof number - 1, length = 0;
    number[place] = 0;
    do number[--place] = (char)('0' + size % 10); while ((size /= 10) && place > 0);
    length = append(line, length, program_invocation_short_name);
    length = append(line, length, ": there is no memory for ");
    length = append(line, length, number + place);
    length = append(line, length, " bytes; take smaller batches or images, or fewer --threads");
    line[length++] = '\n';
    (void)!write(STDERR_FILENO, line, length);
    seed_end(74);
}

#if defined(__GLIBC__) && !(defined(__has_feature) && __has_feature(address_sanitizer)) && !defined(__SANITIZE_ADDRESS__)

int seed_watches_memory(void) { return 1; }

// If memory for an object or an array is missing, Swift traps, and libraries react in their own ways: OpenBLAS retries
// forever. A tool's user should get one line and status 74, so a refused allocation ends the process here. glibc
// exposes its allocator under these names for programs that wrap it; `free` stays unchanged.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

/// More than any machine has: such a size is a mistake, which is reported to the caller.
static const size_t absurd = (size_t)1 << 46;

void *malloc(size_t size) {
    void *memory = __libc_malloc(size);
    if (!memory && size > 0 && size < absurd) seed_no_memory(size);
    return memory;
}

void *calloc(size_t count, size_t size) {
    void *memory = __libc_calloc(count, size);
    size_t total;
    if (!memory && !__builtin_mul_overflow(count, size, &total) && total > 0 && total < absurd) seed_no_memory(total);
    return memory;
}

void *realloc(void *old, size_t size) {
    void *memory = __libc_realloc(old, size);
    if (!memory && size > 0 && size < absurd) seed_no_memory(size);
    return memory;
}

/// Swift allocates aligned memory with it. `aligned_alloc` is left for callers that handle failure.
int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    void *memory = __libc_memalign(alignment, size);
    if (!memory && size < absurd) seed_no_memory(size);
    if (!memory) return ENOMEM;
    *result = memory;
    return 0;
}

#else

int seed_watches_memory(void) { return 0; }

#endif

#if defined(__GLIBC__)

extern char **environ;

// OpenBLAS reads two variables when it is loaded, before any of our code runs. They are not set in the environment, so
// that programs that we start inherit it unchanged.
//
// OPENBLAS_NUM_THREADS: it starts this many threads with 128 MB of address space each. If that is not available, the
// threads retry forever and are waited for at exit. We call it from our own threads and need none of its: always 1.
//
// OPENBLAS_CORETYPE: it detects processors by model number. For one newer than itself it falls back to kernels from
// 2004, which are five times slower. So it is told the core type by processor features, unless the variable is set. A
// processor below the least of these is left to OpenBLAS's own detection.
static const char *openblas_core(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl")) return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
    return NULL;
}

char *getenv(const char *name) {
    if (!name || !environ) return NULL;
    int threads = strcmp(name, "OPENBLAS_NUM_THREADS") == 0;
    size_t length = strlen(name);
    for (char **entry = environ; *entry && !threads; entry++) {
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') return *entry + length + 1;
    }
    if (threads) return (char *)"1";
    return strcmp(name, "OPENBLAS_CORETYPE") == 0 ? (char *)openblas_core() : NULL;
}

#endif
