// Features of the target processor. Swift has no such compile-time conditions.
#pragma once
#if defined(__AVX__)
#include <immintrin.h>
#endif

// The number of floats in a vector register, and the number of such registers.
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

// Prefetches the cache line at an address for reading or writing. The address need not be valid.
static inline void seed_prefetch(const void *address) { __builtin_prefetch(address, 0, 3); }
static inline void seed_prefetch_to_write(void *address) { __builtin_prefetch(address, 1, 3); }

// The same into the second-level cache.
static inline void seed_prefetch_far(const void *address) { __builtin_prefetch(address, 0, 2); }

// Tells the processor that this thread is spinning.
static inline void seed_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

// Treats denormals (numbers below 2^-126) as 0 in this thread, as inputs and as results: some processors take as long
// for one as for a hundred other numbers. Returns the previous mode.
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

// Restores the previous mode.
static inline void seed_restore_denormals(unsigned long before) {
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#endif
}

typedef float seed_vector __attribute__((ext_vector_type(16)));

// A bit mask of the lanes of `a` that are larger than `least`; the first lane is the lowest bit.
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

// Stores past the caches if the target can. `place` is aligned to a cache line.
static inline __attribute__((always_inline)) void seed_store_nontemporal(float *place, seed_vector value) {
#if __has_builtin(__builtin_nontemporal_store)
    __builtin_nontemporal_store(value, (seed_vector *)place);
#else
    *(seed_vector *)place = value;
#endif
}

// Whether byte products are four times as fast as float products, by AVX-512 VNNI.
#if defined(__AVX512VNNI__) && SEED_LANES == 16
#define SEED_BYTE_PRODUCTS 1
#else
#define SEED_BYTE_PRODUCTS 0
#endif

typedef int seed_sums __attribute__((ext_vector_type(16)));

// Adds, per lane, four products of unsigned bytes of `a` with signed bytes of `b`. Without the instruction it returns
// `sums` unchanged and must not be called.
static inline __attribute__((always_inline)) seed_sums seed_add_byte_products(seed_sums sums, seed_sums a, seed_sums b) {
#if SEED_BYTE_PRODUCTS
    return (seed_sums)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)a, (__m512i)b);
#else
    return sums;
#endif
}

// The sums converted to floats.
static inline __attribute__((always_inline)) seed_vector seed_floats(seed_sums sums) { return __builtin_convertvector(sums, seed_vector); }
