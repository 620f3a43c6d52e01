// What the processor this build is for can do. Swift has no such conditions of its own.
#pragma once

// Floats in one vector register, and how many such registers there are.
#if defined(__AVX512F__)
#define SEED_LANES 16
#define SEED_REGISTERS 32
#elif defined(__AVX__)
#define SEED_LANES 8
#define SEED_REGISTERS 16
#elif defined(__aarch64__)
#define SEED_LANES 4
#define SEED_REGISTERS 32
#else
#define SEED_LANES 4
#define SEED_REGISTERS 16
#endif

// Asks for the cache line at an address, which need not be readable, to be read or written soon.
static inline void seed_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }
static inline void seed_prefetch_to_write(void *address) { __builtin_prefetch(address, 1, 3); }

// The same for the second cache.
static inline void seed_prefetch_far(const void *address) { __builtin_prefetch(address, 0, 2); }

// Tells the processor that this thread waits busily.
static inline void seed_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

typedef float seed_vector __attribute__((ext_vector_type(16)));

// Stores past the caches, where there is a way. `place` lies on a cache line.
static inline __attribute__((always_inline)) void seed_store_nontemporal(float *place, seed_vector value) {
#if __has_builtin(__builtin_nontemporal_store)
    __builtin_nontemporal_store(value, (seed_vector *)place);
#else
    *(seed_vector *)place = value;
#endif
}
