// The driver's functions that cudarc calls, for a card that is not there.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "card.h"

namespace {

// The driver's own numbers.
enum Result {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    INVALID_DEVICE = 101,
    INVALID_HANDLE = 400,
    NO_BINARY_FOR_GPU = 209,
    INVALID_PTX = 218,
    NOT_FOUND = 500,
    NOT_READY = 600,
    COOPERATIVE_LAUNCH_TOO_LARGE = 720,
    STREAM_CAPTURE_UNSUPPORTED = 900,
    STREAM_CAPTURE_INVALIDATED = 901,
    STREAM_CAPTURE_ISOLATION = 905,
};
constexpr int MULTIPROCESSOR_COUNT = 16, COMPUTE_CAPABILITY_MAJOR = 75, COMPUTE_CAPABILITY_MINOR = 76,
              COOPERATIVE_LAUNCH = 95,
              SHARED_MEMORY_PER_BLOCK_OPTIN = 97, MEMORY_POOLS_SUPPORTED = 115;
constexpr int MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;

size_t told_or(const char *variable, size_t otherwise) {
    const char *told = std::getenv(variable);
    return told ? std::strtoull(told, nullptr, 10) : otherwise;
}

// A small card, where nothing else is told.
const int CAPABILITY = told_or("STAND_IN_CAPABILITY", 90);
const int PROCESSORS = told_or("STAND_IN_PROCESSORS", 8);
const size_t SHARED_BYTES = told_or("STAND_IN_SHARED_BYTES", 227 << 10);
const size_t MEMORY = told_or("STAND_IN_MEMORY_BYTES", 1ull << 30);
constexpr size_t SHARED_BYTES_UNASKED = 48 << 10;
// Past the end of what was asked for, to see writes that go too far.
constexpr size_t FENCE = 64;
constexpr unsigned char FENCE_BYTE = 0xa5, FRESH_BYTE = 0xff, FREED_BYTE = 0xfb;
void *const OF_THE_THREAD = reinterpret_cast<void *>(2);

// One at a time: the driver's functions may be called from many threads.
std::recursive_mutex everything;
using Guard = std::lock_guard<std::recursive_mutex>;

struct Graph {
    std::vector<card::Work> work;
};

struct Stream {
    std::deque<card::Work> work;
    unsigned long long taken = 0, done = 0;
    std::unique_ptr<Graph> captured;
    bool invalidated = false;
    // By their room.
    std::map<size_t, std::vector<uintptr_t>> freed;
};

struct Event {
    Stream *stream = nullptr;
    unsigned long long until = 0;
};

struct Function {
    const card::Kernel *kernel;
    size_t shared_bytes = SHARED_BYTES_UNASKED;
};

// What happened, told at the end where STAND_IN_REPORT names a file.
struct Counts {
    unsigned long launches = 0, waits = 0, to_host = 0, to_card = 0, graphs = 0, allocations = 0;
    ~Counts() {
        const char *file = std::getenv("STAND_IN_REPORT");
        FILE *out = file ? std::fopen(file, "a") : nullptr;
        if (!out) return;
        std::fprintf(out, "{\"launches\": %lu, \"waits\": %lu, \"to_host\": %lu, \"to_card\": %lu, "
                          "\"graphs\": %lu, \"allocations\": %lu}\n",
                     launches, waits, to_host, to_card, graphs, allocations);
        std::fclose(out);
    }
};

struct Block {
    size_t bytes;
};

// Never destroyed: threads may end after `main` does.
struct Card {
    std::map<std::string, card::Kernel> kernels;
    std::map<uintptr_t, Block> memory;
    // The host's memory that the card reads by itself.
    std::map<uintptr_t, size_t> pinned;
    std::vector<Stream *> streams;
    size_t used = 0;
};
Card &the_card() {
    static Card *made = new Card;
    return *made;
}
Counts counts;

[[noreturn]] void fault(const char *what) {
    std::fprintf(stderr, "the stand-in card: %s\n", what);
    std::abort();
}

Stream *new_stream() {
    Stream *made = new Stream;
    the_card().streams.push_back(made);
    return made;
}

Stream *stream_of(void *handle) {
    static thread_local Stream *own = nullptr;
    static Stream *legacy = nullptr;
    if (handle == OF_THE_THREAD) return own ? own : own = new_stream();
    if (handle == nullptr || handle == reinterpret_cast<void *>(1)) {
        return legacy ? legacy : legacy = new_stream();
    }
    return static_cast<Stream *>(handle);
}

void finish(Stream &stream, unsigned long long until) {
    while (stream.done < until) {
        card::Work next = std::move(stream.work.front());
        stream.work.pop_front();
        stream.done += 1;
        next();
    }
}

void finish_all() {
    for (size_t i = 0; i < the_card().streams.size(); ++i) {
        finish(*the_card().streams[i], the_card().streams[i]->taken);
    }
}

void put_into(Stream &stream, card::Work work) {
    if (stream.captured) {
        stream.captured->work.push_back(std::move(work));
        return;
    }
    stream.work.push_back(std::move(work));
    stream.taken += 1;
    // A card's queue has an end, too.
    if (stream.work.size() > 1000) finish(stream, stream.done + 500);
}

// What waits for the card, or could, ends a capture that runs.
Result wait_for(Stream &stream) {
    if (stream.captured) {
        stream.invalidated = true;
        return STREAM_CAPTURE_UNSUPPORTED;
    }
    counts.waits += 1;
    finish(stream, stream.taken);
    return SUCCESS;
}

bool any_captured() {
    for (Stream *stream : the_card().streams) {
        if (stream->captured) return true;
    }
    return false;
}

void check_fence(uintptr_t address, const Block &block) {
    const unsigned char *fence = reinterpret_cast<unsigned char *>(address) + block.bytes;
    for (size_t i = 0; i < FENCE; ++i) {
        if (fence[i] != FENCE_BYTE) fault("something was written past the end of a tensor");
    }
}

size_t room_for(size_t bytes) { return (bytes + FENCE + 511) / 512 * 512; }

// Memory begins as no number, and a fence follows it, once the stream has come so far.
void begin(Stream &stream, uintptr_t address, size_t bytes) {
    put_into(stream, [=] {
        std::memset(reinterpret_cast<void *>(address), FRESH_BYTE, bytes);
        std::memset(reinterpret_cast<char *>(address) + bytes, FENCE_BYTE, FENCE);
    });
}

// As from a pool: what was freed in a stream serves what is asked for in that stream later.
Result allocate(uintptr_t *address, size_t bytes, Stream &stream) {
    if (bytes == 0) return INVALID_VALUE;
    Card &card = the_card();
    if (card.used + bytes > MEMORY) return OUT_OF_MEMORY;
    std::vector<uintptr_t> &freed = stream.freed[room_for(bytes)];
    if (freed.empty()) {
        void *memory = std::aligned_alloc(512, room_for(bytes));
        if (!memory) return OUT_OF_MEMORY;
        *address = reinterpret_cast<uintptr_t>(memory);
    } else {
        *address = freed.back();
        freed.pop_back();
    }
    card.memory[*address] = Block{bytes};
    card.used += bytes;
    counts.allocations += 1;
    begin(stream, *address, bytes);
    return SUCCESS;
}

void release(uintptr_t address, Stream &stream) {
    Card &card = the_card();
    const auto found = card.memory.find(address);
    if (found == card.memory.end()) fault("memory was freed that is not there");
    const Block block = found->second;
    card.used -= block.bytes;
    card.memory.erase(found);
    put_into(stream, [=] {
        check_fence(address, block);
        std::memset(reinterpret_cast<void *>(address), FREED_BYTE, block.bytes);
    });
    stream.freed[room_for(block.bytes)].push_back(address);
}

// Whether all of it is memory of the card.
bool is_there(uintptr_t address, size_t bytes) {
    const auto after = the_card().memory.upper_bound(address);
    if (after == the_card().memory.begin()) return false;
    const auto block = std::prev(after);
    return address + bytes <= block->first + block->second.bytes;
}

void need(uintptr_t address, size_t bytes) {
    if (bytes > 0 && !is_there(address, bytes)) fault("a copy reaches past the card's memory");
}

Result launch(Function *function, const card::Launch &launch, void *stream, void **arguments) {
    if (launch.shared_bytes > function->shared_bytes) return INVALID_VALUE;
    for (int d = 0; d < 3; ++d) {
        if (launch.grid[d] == 0 || launch.block[d] == 0) return INVALID_VALUE;
    }
    if (launch.block[0] * launch.block[1] * launch.block[2] > 1024) return INVALID_VALUE;
    if (launch.together && launch.grid[0] > PROCESSORS) return COOPERATIVE_LAUNCH_TOO_LARGE;
    const card::Kernel *kernel = function->kernel;
    const card::Work call = kernel->take(arguments);
    put_into(*stream_of(stream), [=] {
        counts.launches += 1;
        kernel->run(launch, call);
    });
    return SUCCESS;
}

}  // namespace

void card::add_kernels(const Kernel *kernels, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (!the_card().kernels.emplace(kernels[i].name, kernels[i]).second) {
            fault("two kernels have one name");
        }
    }
}

void card::put(void *stream, Work work) {
    Guard guard(everything);
    put_into(*stream_of(stream), std::move(work));
}

extern "C" {

int cuInit(unsigned) { return SUCCESS; }
int cuDriverGetVersion(int *version) { *version = 13000; return SUCCESS; }
int cuDeviceGetCount(int *count) { *count = 1; return SUCCESS; }
int cuDeviceGet(int *device, int number) {
    *device = number;
    return number == 0 ? SUCCESS : INVALID_DEVICE;
}
int cuDeviceGetName(char *name, int length, int) {
    std::snprintf(name, length, "a card that is not there");
    return SUCCESS;
}
int cuDeviceGetAttribute(int *value, int attribute, int) {
    switch (attribute) {
        case MULTIPROCESSOR_COUNT: *value = PROCESSORS; break;
        case COMPUTE_CAPABILITY_MAJOR: *value = CAPABILITY / 10; break;
        case COMPUTE_CAPABILITY_MINOR: *value = CAPABILITY % 10; break;
        case COOPERATIVE_LAUNCH: *value = 1; break;
        case SHARED_MEMORY_PER_BLOCK_OPTIN: *value = SHARED_BYTES; break;
        case MEMORY_POOLS_SUPPORTED: *value = 1; break;
        default: *value = 0;
    }
    return SUCCESS;
}
int cuDeviceTotalMem_v2(size_t *bytes, int) { *bytes = MEMORY; return SUCCESS; }
int cuDevicePrimaryCtxRetain(void **context, int) { *context = &the_card(); return SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
static thread_local void *current_context = nullptr;
int cuCtxSetCurrent(void *context) { current_context = context; return SUCCESS; }
int cuCtxGetCurrent(void **context) { *context = current_context; return SUCCESS; }
int cuCtxSynchronize() {
    Guard guard(everything);
    if (any_captured()) return STREAM_CAPTURE_UNSUPPORTED;
    counts.waits += 1;
    finish_all();
    return SUCCESS;
}

int cuStreamCreate(void **stream, unsigned) {
    Guard guard(everything);
    *stream = new_stream();
    return SUCCESS;
}
int cuStreamCreateWithPriority(void **stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }
int cuStreamDestroy_v2(void *stream) {
    Guard guard(everything);
    Stream *own = stream_of(stream);
    finish(*own, own->taken);
    return SUCCESS;
}
int cuStreamSynchronize(void *stream) {
    Guard guard(everything);
    return wait_for(*stream_of(stream));
}

int cuEventCreate(void **event, unsigned) { *event = new Event; return SUCCESS; }
int cuEventDestroy_v2(void *event) {
    Guard guard(everything);
    // What waits for it has its own copy of what it waits for.
    delete static_cast<Event *>(event);
    return SUCCESS;
}
int cuEventRecord(void *event, void *stream) {
    Guard guard(everything);
    Event *own = static_cast<Event *>(event);
    Stream *of = stream_of(stream);
    if (of->captured) return SUCCESS;
    own->stream = of;
    own->until = of->taken;
    return SUCCESS;
}
int cuEventSynchronize(void *event) {
    Guard guard(everything);
    if (any_captured()) return STREAM_CAPTURE_UNSUPPORTED;
    const Event *own = static_cast<Event *>(event);
    counts.waits += 1;
    if (own->stream) finish(*own->stream, own->until);
    return SUCCESS;
}
int cuEventQuery(void *event) {
    Guard guard(everything);
    const Event *own = static_cast<Event *>(event);
    return own->stream && own->stream->done < own->until ? NOT_READY : SUCCESS;
}
int cuStreamWaitEvent(void *stream, void *event, unsigned) {
    Guard guard(everything);
    const Event own = *static_cast<Event *>(event);
    Stream *of = stream_of(stream);
    // An event from outside of a capture does not go into it.
    if (of->captured) {
        of->invalidated = true;
        return STREAM_CAPTURE_ISOLATION;
    }
    if (own.stream && own.stream != of) {
        put_into(*of, [own] { finish(*own.stream, own.until); });
    }
    return SUCCESS;
}

int cuMemGetInfo_v2(size_t *free, size_t *all) {
    Guard guard(everything);
    if (any_captured()) return STREAM_CAPTURE_UNSUPPORTED;
    finish_all();
    *free = MEMORY - the_card().used;
    *all = MEMORY;
    return SUCCESS;
}
int cuMemAllocAsync(uintptr_t *address, size_t bytes, void *stream) {
    Guard guard(everything);
    return allocate(address, bytes, *stream_of(stream));
}
int cuMemAlloc_v2(uintptr_t *address, size_t bytes) {
    Guard guard(everything);
    finish_all();
    const Result made = allocate(address, bytes, *stream_of(nullptr));
    finish_all();
    return made;
}
int cuMemFreeAsync(uintptr_t address, void *stream) {
    Guard guard(everything);
    Stream *of = stream_of(stream);
    // A graph's memory lives as long as the graph may be launched: here, for good.
    if (!of->captured) release(address, *of);
    return SUCCESS;
}
int cuMemFree_v2(uintptr_t address) {
    Guard guard(everything);
    finish_all();
    release(address, *stream_of(nullptr));
    return SUCCESS;
}
int cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
    Guard guard(everything);
    *memory = std::malloc(bytes);
    if (!*memory) return OUT_OF_MEMORY;
    the_card().pinned[reinterpret_cast<uintptr_t>(*memory)] = bytes;
    return SUCCESS;
}
int cuMemFreeHost(void *memory) {
    Guard guard(everything);
    finish_all();
    the_card().pinned.erase(reinterpret_cast<uintptr_t>(memory));
    std::free(memory);
    return SUCCESS;
}
bool is_pinned(uintptr_t address) {
    const auto after = the_card().pinned.upper_bound(address);
    return after != the_card().pinned.begin() &&
           address < std::prev(after)->first + std::prev(after)->second;
}
// Memory of the host is read at once where the driver stages it, and late where it is pinned.
int cuMemcpyHtoDAsync_v2(uintptr_t to, const void *from, size_t bytes, void *stream) {
    Guard guard(everything);
    need(to, bytes);
    Stream *of = stream_of(stream);
    if (of->captured) {
        of->invalidated = true;
        return STREAM_CAPTURE_UNSUPPORTED;
    }
    counts.to_card += 1;
    const char *bytes_there = static_cast<const char *>(from);
    if (is_pinned(reinterpret_cast<uintptr_t>(from))) {
        put_into(*of, [=] { std::memcpy(reinterpret_cast<void *>(to), from, bytes); });
        return SUCCESS;
    }
    auto copy = std::make_shared<std::vector<char>>(bytes_there, bytes_there + bytes);
    put_into(*of, [=] { std::memcpy(reinterpret_cast<void *>(to), copy->data(), bytes); });
    return SUCCESS;
}
int cuMemcpyDtoHAsync_v2(void *to, uintptr_t from, size_t bytes, void *stream) {
    Guard guard(everything);
    need(from, bytes);
    const Result waited = wait_for(*stream_of(stream));
    if (waited != SUCCESS) return waited;
    counts.to_host += 1;
    std::memcpy(to, reinterpret_cast<void *>(from), bytes);
    return SUCCESS;
}
int cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, void *stream) {
    Guard guard(everything);
    need(to, bytes);
    need(from, bytes);
    put_into(*stream_of(stream), [=] {
        std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
    });
    return SUCCESS;
}
int cuMemsetD8Async(uintptr_t to, unsigned char value, size_t bytes, void *stream) {
    Guard guard(everything);
    need(to, bytes);
    put_into(*stream_of(stream), [=] { std::memset(reinterpret_cast<void *>(to), value, bytes); });
    return SUCCESS;
}

int cuModuleLoadData(void **module, const void *text) {
    const char *target = std::strstr(static_cast<const char *>(text), ".target sm_");
    const int capability = target ? std::atoi(target + std::strlen(".target sm_")) : CAPABILITY;
    if (capability > CAPABILITY) return NO_BINARY_FOR_GPU;
    // Words that blocks exchange need a newer one.
    if (capability < 70 && std::strstr(static_cast<const char *>(text), "ld.relaxed")) return INVALID_PTX;
    *module = &the_card();
    return SUCCESS;
}
int cuModuleUnload(void *) { return SUCCESS; }
int cuModuleGetFunction(void **function, void *, const char *name) {
    Guard guard(everything);
    const auto found = the_card().kernels.find(name);
    if (found == the_card().kernels.end()) {
        std::fprintf(stderr, "the stand-in card: it has no kernel %s\n", name);
        return NOT_FOUND;
    }
    *function = new Function{&found->second};
    return SUCCESS;
}
int cuFuncSetAttribute(void *function, int attribute, int value) {
    if (attribute != MAX_DYNAMIC_SHARED_SIZE_BYTES) return SUCCESS;
    if (value < 0 || size_t(value) > SHARED_BYTES) return INVALID_VALUE;
    static_cast<Function *>(function)->shared_bytes = value;
    return SUCCESS;
}
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void *stream, void **arguments, void **) {
    Guard guard(everything);
    return launch(static_cast<Function *>(function), {{gx, gy, gz}, {bx, by, bz}, shared, false},
                  stream, arguments);
}
int cuLaunchCooperativeKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                              unsigned by, unsigned bz, unsigned shared, void *stream,
                              void **arguments) {
    Guard guard(everything);
    return launch(static_cast<Function *>(function), {{gx, gy, gz}, {bx, by, bz}, shared, true},
                  stream, arguments);
}

int cuStreamIsCapturing(void *stream, int *status) {
    Guard guard(everything);
    const Stream *of = stream_of(stream);
    *status = !of->captured ? 0 : of->invalidated ? 2 : 1;
    return SUCCESS;
}
int cuStreamBeginCapture_v2(void *stream, int) {
    Guard guard(everything);
    Stream *of = stream_of(stream);
    if (of->captured) return INVALID_VALUE;
    of->captured = std::make_unique<Graph>();
    of->invalidated = false;
    return SUCCESS;
}
int cuStreamEndCapture(void *stream, void **graph) {
    Guard guard(everything);
    Stream *of = stream_of(stream);
    if (!of->captured) return INVALID_VALUE;
    Graph *made = of->captured.release();
    *graph = of->invalidated ? nullptr : made;
    return of->invalidated ? STREAM_CAPTURE_INVALIDATED : SUCCESS;
}
int cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long) {
    *executable = new Graph(*static_cast<Graph *>(graph));
    return SUCCESS;
}
int cuGraphLaunch(void *executable, void *stream) {
    Guard guard(everything);
    if (stream_of(stream)->captured) {
        stream_of(stream)->invalidated = true;
        return STREAM_CAPTURE_UNSUPPORTED;
    }
    counts.graphs += 1;
    // What it was when it was launched.
    const auto work = std::make_shared<Graph>(*static_cast<Graph *>(executable));
    put_into(*stream_of(stream), [work] { for (const card::Work &step : work->work) step(); });
    return SUCCESS;
}
int cuGraphUpload(void *, void *) { return SUCCESS; }
int cuGraphExecDestroy(void *executable) { delete static_cast<Graph *>(executable); return SUCCESS; }
int cuGraphDestroy(void *graph) { delete static_cast<Graph *>(graph); return SUCCESS; }

int cuGetErrorName(int, const char **name) { *name = "STAND_IN"; return SUCCESS; }
int cuGetErrorString(int error, const char **text) {
    switch (error) {
        case OUT_OF_MEMORY: *text = "out of memory"; break;
        case NOT_FOUND: *text = "named symbol not found"; break;
        case COOPERATIVE_LAUNCH_TOO_LARGE: *text = "too many blocks in cooperative launch"; break;
        case STREAM_CAPTURE_UNSUPPORTED: *text = "operation not permitted when stream is capturing"; break;
        case STREAM_CAPTURE_ISOLATION: *text = "dependency on uncaptured work in another stream"; break;
        default: *text = "an error of the stand-in card";
    }
    return SUCCESS;
}

}  // extern "C"
