// What the processor this build is for can do. Swift has no such conditions of its own.
#pragma once
#if defined(__AVX__)
#include <immintrin.h>
#endif

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

// Lets this thread take and make 0 in place of denormals, numbers below 2^-126, each of which takes some processors as long as a hundred others. Returns what was so before.
static inline unsigned long seed_flush_denormals(void) {
#if defined(__SSE__)
    unsigned before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 0x8040);
    return before;
#elif defined(__aarch64__)
    unsigned long before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | 1ul << 24));
    return before;
#else
    return 0;
#endif
}

// As it was before.
static inline void seed_restore_denormals(unsigned long before) {
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#endif
}

typedef float seed_vector __attribute__((ext_vector_type(16)));

// A bit for each lane of `a` that is larger than `least`, the first of them the lowest.
static inline __attribute__((always_inline)) unsigned seed_lanes_above(seed_vector a, float least) {
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask((__m512)a, _mm512_set1_ps(least), _CMP_GT_OQ);
#elif defined(__AVX__)
    __m256 b = _mm256_set1_ps(least);
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)a.lo, b, _CMP_GT_OQ)) | _mm256_movemask_ps(_mm256_cmp_ps((__m256)a.hi, b, _CMP_GT_OQ)) << 8;
#else
    unsigned bits = 0;
    for (int lane = 0; lane < 16; lane++) bits |= (unsigned)(a[lane] > least) << lane;
    return bits;
#endif
}

// Stores past the caches, where there is a way. `place` lies on a cache line.
static inline __attribute__((always_inline)) void seed_store_nontemporal(float *place, seed_vector value) {
#if __has_builtin(__builtin_nontemporal_store)
    __builtin_nontemporal_store(value, (seed_vector *)place);
#else
    *(seed_vector *)place = value;
#endif
}

// Whether products of bytes are four times as fast as those of floats: by AVX-512 VNNI.
#if defined(__AVX512VNNI__) && SEED_LANES == 16
#define SEED_BYTE_PRODUCTS 1
#else
#define SEED_BYTE_PRODUCTS 0
#endif

typedef int seed_sums __attribute__((ext_vector_type(16)));

// Of each lane the sum, and four products of bytes without a sign, of `a`, and with one, of `b`. Without the instruction the sum alone: not to be called.
static inline __attribute__((always_inline)) seed_sums seed_add_byte_products(seed_sums sums, seed_sums a, seed_sums b) {
#if SEED_BYTE_PRODUCTS
    return (seed_sums)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)a, (__m512i)b);
#else
    return sums;
#endif
}

// The sums as floats.
static inline __attribute__((always_inline)) seed_vector seed_floats(seed_sums sums) { return __builtin_convertvector(sums, seed_vector); }
