// A card that is not there: kernels by their names, streams that do nothing before they must.
//
// What is put into a stream is kept and done when somebody waits for it, as late as the driver's
// contract allows. So work that is used before it was waited for, and memory of the host that is
// gone too early, show in every run and not once in a thousand.

#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <tuple>
#include <utility>

namespace card {

using Work = std::function<void()>;

struct Launch {
    unsigned grid[3], block[3];
    size_t shared_bytes;
    bool together;
};

struct Kernel {
    const char *name;
    // Copies the arguments, as a launch does; what it gives calls the kernel with them.
    Work (*take)(void **arguments);
    // Calls it for each thread, or block, of a launch.
    void (*run)(const Launch &launch, const Work &call);
};

void add_kernels(const Kernel *kernels, size_t count);

// Puts work into a stream of the driver's.
void put(void *stream, Work work);

template <typename... A, size_t... I>
Work taken(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
    std::tuple<std::decay_t<A>...> copied(*static_cast<std::decay_t<A> *>(arguments[I])...);
    return [kernel, copied] { std::apply(kernel, copied); };
}

template <typename... A>
Work taken(void (*kernel)(A...), void **arguments) {
    return taken(kernel, arguments, std::index_sequence_for<A...>());
}

}  // namespace card

#define KERNEL_NAMED(name, run) \
    card::Kernel { #name, [](void **arguments) { return card::taken(&name, arguments); }, run }
