// CUDA's C++ on the processor, as far as Candle's kernels of one value a thread need it.

#pragma once
#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "card.h"

#define __global__
#define __device__ inline
#define __host__
#define __forceinline__
#define __restrict__
#define __launch_bounds__(...)

using std::isnan;
using std::signbit;

struct Dimensions {
    unsigned x, y, z;
};
inline Dimensions threadIdx, blockIdx, blockDim, gridDim;
struct alignas(16) float4 {
    float x, y, z, w;
};

// Shared memory and its barriers are for the reductions, which reduce.cpp has in its own words.
#define __shared__ static
static inline void __syncthreads() { __builtin_trap(); }

template <typename T>
static T min(T a, T b) { return b < a ? b : a; }
template <typename T>
static T max(T a, T b) { return a < b ? b : a; }

static inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678f); }
static inline double normcdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752); }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }

template <typename To, typename From>
static To same_bits(From value) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &value, sizeof to);
    return to;
}
static inline unsigned __float_as_uint(float v) { return same_bits<unsigned>(v); }
static inline int __float_as_int(float v) { return same_bits<int>(v); }
static inline float __uint_as_float(unsigned v) { return same_bits<float>(v); }
static inline float __int_as_float(int v) { return same_bits<float>(v); }
static inline long long __double_as_longlong(double v) { return same_bits<long long>(v); }
static inline double __longlong_as_double(long long v) { return same_bits<double>(v); }

// One thread runs after the other here.
template <typename T, typename V>
static T atomicAdd(T *at, V value) {
    const T old = *at;
    *at = old + static_cast<T>(value);
    return old;
}
template <typename T, typename V>
static T atomicMax(T *at, V value) {
    const T old = *at;
    *at = max(old, static_cast<T>(value));
    return old;
}
template <typename T, typename V>
static T atomicMin(T *at, V value) {
    const T old = *at;
    *at = min(old, static_cast<T>(value));
    return old;
}
template <typename T, typename V, typename W>
static T atomicCAS(T *at, V expected, W value) {
    const T old = *at;
    if (old == static_cast<T>(expected)) *at = static_cast<T>(value);
    return old;
}

// Named by a header, used by no kernel that is compiled here.
struct __half {
    unsigned short bits;
};
struct __nv_fp8_e4m3 {
    unsigned char __x;
    explicit __nv_fp8_e4m3(float) { __builtin_trap(); }
};
enum { __NV_E4M3 };
static inline __half __nv_cvt_fp8_to_halfraw(unsigned char, int) { __builtin_trap(); }
static inline float __half2float(__half) { __builtin_trap(); }
static inline bool __hisnan(__half) { __builtin_trap(); }
static inline __half __hmax(__half, __half) { __builtin_trap(); }
static inline __half __hmin(__half, __half) { __builtin_trap(); }
static inline unsigned short __half_as_ushort(__half v) { return v.bits; }
static inline __half __ushort_as_half(unsigned short bits) { return {bits}; }

static void run_threads(const card::Launch &launch, const card::Work &call) {
    gridDim = {launch.grid[0], launch.grid[1], launch.grid[2]};
    blockDim = {launch.block[0], launch.block[1], launch.block[2]};
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; ++blockIdx.x)
                for (threadIdx.z = 0; threadIdx.z < blockDim.z; ++threadIdx.z)
                    for (threadIdx.y = 0; threadIdx.y < blockDim.y; ++threadIdx.y)
                        for (threadIdx.x = 0; threadIdx.x < blockDim.x; ++threadIdx.x) call();
}
