// What Candle's reductions compute, and its copies of bfloat16: each thread of these kernels works
// with others of its block, so they are in words of our own here: the first one does it all.

#include "language.h"

static size_t place(size_t index, size_t dimensions, const size_t *info) {
    size_t at = 0;
    for (size_t d = dimensions; d-- > 0;) {
        at += index % info[d] * info[dimensions + d];
        index /= info[d];
    }
    return at;
}

template <typename T, typename Step>
static void reduced(size_t all, size_t of_one, size_t dimensions, const size_t *info, const T *from,
                    Step step) {
    if (threadIdx.x != 0) return;
    const size_t begin = blockIdx.x * of_one, end = std::min(begin + of_one, all);
    for (size_t i = begin; i < end; ++i) step(i == begin, i, from[place(i, dimensions, info)]);
}

#define REDUCTIONS(T, name)                                                                       \
    extern "C" void fast_sum_##name(const size_t all, const size_t of_one, const size_t dims,     \
                                    const size_t *info, const T *from, T *to) {                   \
        double sum = 0;                                                                           \
        reduced(all, of_one, dims, info, from, [&](bool, size_t, T value) { sum += value; });     \
        if (threadIdx.x == 0) to[blockIdx.x] = sum;                                               \
    }                                                                                             \
    extern "C" void fast_max_##name(const size_t all, const size_t of_one, const size_t dims,     \
                                    const size_t *info, const T *from, T *to) {                   \
        T &best = to[blockIdx.x];                                                                 \
        reduced(all, of_one, dims, info, from,                                                    \
                [&](bool first, size_t, T value) { if (first || value > best) best = value; });   \
    }                                                                                             \
    extern "C" void fast_min_##name(const size_t all, const size_t of_one, const size_t dims,     \
                                    const size_t *info, const T *from, T *to) {                   \
        T &best = to[blockIdx.x];                                                                 \
        reduced(all, of_one, dims, info, from,                                                    \
                [&](bool first, size_t, T value) { if (first || value < best) best = value; });   \
    }                                                                                             \
    extern "C" void fast_argmax_##name(const size_t all, const size_t of_one, const size_t dims,  \
                                       const size_t *info, const T *from, uint32_t *to) {         \
        T best{};                                                                                 \
        reduced(all, of_one, dims, info, from, [&](bool first, size_t i, T value) {               \
            if (first || value > best) { best = value; to[blockIdx.x] = i - blockIdx.x * of_one; } \
        });                                                                                       \
    }                                                                                             \
    extern "C" void fast_argmin_##name(const size_t all, const size_t of_one, const size_t dims,  \
                                       const size_t *info, const T *from, uint32_t *to) {         \
        T best{};                                                                                 \
        reduced(all, of_one, dims, info, from, [&](bool first, size_t i, T value) {               \
            if (first || value < best) { best = value; to[blockIdx.x] = i - blockIdx.x * of_one; } \
        });                                                                                       \
    }

REDUCTIONS(float, f32)
REDUCTIONS(double, f64)
REDUCTIONS(uint32_t, u32)
REDUCTIONS(int64_t, i64)
REDUCTIONS(uint8_t, u8)

// Few values for each sum: a thread of its own for each.
#define SMALL_SUM(T, name)                                                                        \
    extern "C" void fast_sum_small_##name(const size_t sums, const size_t of_one,                 \
                                          const size_t dims, const size_t *info, const T *from,   \
                                          T *to) {                                                \
        const size_t at = blockIdx.x * blockDim.x + threadIdx.x;                                  \
        if (at >= sums) return;                                                                   \
        T sum = 0;                                                                                \
        for (size_t i = 0; i < of_one; ++i) sum += from[place(at * of_one + i, dims, info)];      \
        to[at] = sum;                                                                             \
    }

SMALL_SUM(float, f32)
SMALL_SUM(double, f64)
SMALL_SUM(uint32_t, u32)
SMALL_SUM(int64_t, i64)
SMALL_SUM(uint8_t, u8)

static uint16_t to_bf16(float value) {
    uint32_t bits = same_bits<uint32_t>(value);
    if (value != value) return bits >> 16 | 0x40;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
static float from_bf16(uint16_t bits) { return same_bits<float>(uint32_t(bits) << 16); }

#define EACH(from_type, to_type, name, made)                                                      \
    extern "C" void name(const size_t count, const size_t dims, const size_t *info,               \
                         const from_type *from, to_type *to) {                                    \
        const size_t step = blockDim.x * gridDim.x;                                               \
        for (size_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {            \
            const from_type value = from[info ? place(i, dims, info) : i];                        \
            to[i] = made;                                                                         \
        }                                                                                         \
    }

EACH(float, uint16_t, cast_f32_bf16, to_bf16(value))
EACH(uint16_t, float, cast_bf16_f32, from_bf16(value))
EACH(uint16_t, uint16_t, ucopy_bf16, value)

extern "C" void copy2d_bf16(const uint16_t *from, uint16_t *to, uint32_t rows, uint32_t columns,
                            uint32_t from_row, uint32_t to_row) {
    const uint32_t at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= rows * columns) return;
    to[at / columns * to_row + at % columns] = from[at / columns * from_row + at % columns];
}

// Both sides' dimensions, then their strides.
extern "C" void badd_bf16(const size_t count, const size_t dims, const size_t *info,
                          const uint16_t *left, const uint16_t *right, uint16_t *to) {
    const size_t step = blockDim.x * gridDim.x;
    for (size_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        size_t at_left = i, at_right = i;
        if (info) {
            at_left = at_right = 0;
            size_t index = i;
            for (size_t d = dims; d-- > 0;) {
                at_left += index % info[d] * info[dims + d];
                at_right += index % info[d] * info[2 * dims + d];
                index /= info[d];
            }
        }
        to[i] = to_bf16(from_bf16(left[at_left]) + from_bf16(right[at_right]));
    }
}
