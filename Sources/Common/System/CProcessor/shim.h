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
