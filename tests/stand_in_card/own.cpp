// Our own kernels, with blocks that are threads where a launch wants them all at once.

#include "../../src/compute/cuda/host.h"

#include "card.h"

#undef KERNEL
#define KERNEL extern "C"
#include "../../src/compute/cuda/gates.cu"
#include "../../src/compute/cuda/optimizer.cu"
#include "../../src/compute/cuda/persistent.cu"

static void run_blocks(const card::Launch &launch, const card::Work &call) {
    const unsigned blocks = launch.grid[0], lanes = launch.block[0];
    if (launch.together) {
        host::launch(blocks, lanes, launch.shared_bytes, call);
        return;
    }
    std::vector<double> shared(launch.shared_bytes / sizeof(double) + 1);
    for (unsigned index = 0; index < blocks; ++index) {
        std::memset(shared.data(), 0xff, shared.size() * sizeof(double));
        host::block = {index, blocks, lanes, shared.data()};
        call();
    }
}
