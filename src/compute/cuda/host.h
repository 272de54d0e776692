// What device.h gives kernels, for the processor: a block is a thread, its lanes are a loop.
//
// With PLAIN_WORDS defined, words are ordinary memory: a thread sanitizer must report that.

#pragma once
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

typedef unsigned long long Word;

#define KERNEL [[maybe_unused]] static
#define INLINE static inline
#define CONSTANT [[maybe_unused]] constexpr

namespace host {

// Where the thread is in its launch.
struct Block {
    unsigned index, count, lanes;
    void *shared;
};

static thread_local Block block;

// Runs `kernel` in all blocks at the same time, each with shared memory of its own, filled with NaN.
template <typename Kernel>
static void launch(unsigned blocks, unsigned lanes, size_t shared_bytes, Kernel kernel) {
    std::vector<std::thread> threads;
    for (unsigned index = 0; index < blocks; ++index) {
        threads.emplace_back([=] {
            std::vector<double> shared(shared_bytes / sizeof(double) + 1);
            std::memset(shared.data(), 0xff, shared.size() * sizeof(double));
            block = {index, blocks, lanes, shared.data()};
            kernel();
        });
    }
    for (std::thread &thread : threads) thread.join();
}

}  // namespace host

#define BLOCK_INDEX host::block.index
#define BLOCK_COUNT host::block.count
#define LANES host::block.lanes

#define EACH_LANE(lane) for (unsigned lane = 0; lane < LANES; ++lane)
#define SYNC_BLOCK() ((void)0)
#define SHARED_MEMORY(type, name) type *name = static_cast<type *>(host::block.shared)

INLINE unsigned bits_of(float value) {
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE float float_of(unsigned bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

#ifdef PLAIN_WORDS
INLINE Word load_word(const Word *word) { return *const_cast<const volatile Word *>(word); }
INLINE void store_word(Word *word, Word value) { *const_cast<volatile Word *>(word) = value; }
#else
INLINE Word load_word(const Word *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
INLINE void store_word(Word *word, Word value) { __atomic_store_n(word, value, __ATOMIC_RELAXED); }
#endif

// There are more blocks than cores here. A block that waits without end ends the program.
INLINE void wait_a_little() {
    static thread_local unsigned long waits = 0;
    if (++waits > 2000000) {
        std::fputs("a block waits for a word that does not come\n", stderr);
        std::abort();
    }
    std::this_thread::yield();
}
