// What kernels need of the card: lanes, shared memory, words that blocks exchange. host.h has the
// same names for the processor. NVRTC takes this text before the kernels' own, without any header.

typedef unsigned long long Word;

#define KERNEL extern "C" __global__
#define INLINE static __device__ __forceinline__
#define CONSTANT __device__ constexpr

#define BLOCK_INDEX blockIdx.x
#define BLOCK_COUNT gridDim.x
#define LANES blockDim.x

// A phase that each lane of a block goes through once; on the host it is a loop over the lanes, so no
// variable of a lane lives beyond its phase. SYNC_BLOCK stands between phases.
#define EACH_LANE(lane) \
    for (unsigned lane = threadIdx.x, lane##_done = 0; lane##_done == 0; lane##_done = 1)
#define SYNC_BLOCK() __syncthreads()
#define SHARED_MEMORY(type, name) extern __shared__ type name[]

INLINE unsigned bits_of(float value) { return __float_as_uint(value); }
INLINE float float_of(unsigned bits) { return __uint_as_float(bits); }

// A word holds all that it tells, so that its own atomicity is enough: no order with other memory.
INLINE Word load_word(const Word *word) {
    Word value;
    asm volatile("ld.relaxed.gpu.global.u64 %0, [%1];" : "=l"(value) : "l"(word) : "memory");
    return value;
}

INLINE void store_word(Word *word, Word value) {
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(word), "l"(value) : "memory");
}

INLINE void wait_a_little() {}
