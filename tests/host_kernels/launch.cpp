// The kernels as a library for the processor: tests/cuda_kernels.rs calls these functions.

#include "host.h"
#include "gates.cu"
#include "persistent.cu"
#include "optimizer.cu"

namespace {

// The product that a card leaves to cuBLAS: of the last outputs with the weight.
void product_of_step(const Forward &pass, unsigned rows, unsigned step, std::vector<float> &product) {
    const size_t units = pass.units;
    for (size_t sequence = 0; sequence < pass.batch; ++sequence) {
        const float *before =
            step == 0 ? pass.initial_hidden + sequence * units
                      : pass.outputs + (sequence * pass.steps + step - 1) * units;
        for (size_t row = 0; row < rows; ++row) {
            float sum = 0.0f;
            for (size_t k = 0; k < units; ++k) sum += pass.weight_hh[row * units + k] * before[k];
            product[sequence * rows + row] = sum;
        }
    }
}

// The same backwards, added to the gradient of the outputs before.
void add_product_of_step(const Backward &pass, unsigned row_length, unsigned start, unsigned rows,
                         unsigned step) {
    const size_t units = pass.units;
    for (size_t sequence = 0; sequence < pass.batch; ++sequence) {
        const float *gates =
            pass.gate_gradient + (sequence * pass.steps + step) * row_length + start;
        for (size_t unit = 0; unit < units; ++unit) {
            float sum = 0.0f;
            for (size_t row = 0; row < rows; ++row) {
                sum += gates[row] * pass.weight_hh[row * units + unit];
            }
            pass.hidden_gradient[sequence * units + unit] += sum;
        }
    }
}

template <int cell>
void forward_of(unsigned blocks, unsigned lanes, const Forward *pass) {
    const unsigned rows = weight_blocks(cell) * pass->units;
    if (pass->words != nullptr) {
        const size_t bytes =
            shared_bytes(weight_blocks(cell) * pass->units_per_block, pass->units, pass->tile);
        host::launch(blocks, lanes, bytes, [=] { forward_all_steps<cell>(*pass); });
        return;
    }
    std::vector<float> product((size_t)pass->batch * rows);
    for (unsigned step = 0; step < pass->steps; ++step) {
        product_of_step(*pass, rows, step, product);
        const float *share = product.data();
        host::launch(blocks, lanes, 0, [=] { step_forward<cell>(*pass, share, step); });
    }
}

template <int cell>
void backward_of(unsigned blocks, unsigned lanes, const Backward *pass) {
    const unsigned rows = weight_blocks(cell) * pass->units;
    if (pass->words != nullptr) {
        const size_t bytes = shared_bytes(pass->units_per_block, rows, pass->tile);
        host::launch(blocks, lanes, bytes, [=] { backward_all_steps<cell>(*pass); });
        return;
    }
    for (unsigned step = pass->steps; step-- > 0;) {
        host::launch(blocks, lanes, 0, [=] { step_backward<cell>(*pass, step); });
        add_product_of_step(*pass, row_blocks(cell) * pass->units, hidden_block(cell) * pass->units,
                            rows, step);
    }
}

}  // namespace

#define FOR_CELL(cell, call)                      \
    switch (cell) {                               \
        case SIMPLE_TANH: call<SIMPLE_TANH>(blocks, lanes, pass); return; \
        case SIMPLE_RELU: call<SIMPLE_RELU>(blocks, lanes, pass); return; \
        case GRU: call<GRU>(blocks, lanes, pass); return;                 \
        default: call<LSTM>(blocks, lanes, pass);                         \
    }

// A pass forwards: persistent where it has words, else step by step.
extern "C" void run_forward(int cell, unsigned blocks, unsigned lanes, const Forward *pass) {
    FOR_CELL(cell, forward_of)
}

// A pass backwards, likewise.
extern "C" void run_backward(int cell, unsigned blocks, unsigned lanes, const Backward *pass) {
    FOR_CELL(cell, backward_of)
}

// The norm of all gradients, and one step clipped at `limit`, if `loss` is a number or null.
extern "C" double run_optimizer(unsigned blocks, Parameter *parameters, unsigned count,
                                const Settings *settings, double limit, const float *loss) {
    unsigned long long chunks = 0;
    for (unsigned i = 0; i < count; ++i) {
        parameters[i].first_chunk = chunks;
        chunks += (parameters[i].count + CHUNK - 1) / CHUNK;
    }
    const Table table = {parameters, count, chunks};
    std::vector<double> squares(chunks);
    double norm = 0.0;
    float scale = 0.0f;
    const size_t bytes = SUM_LANES * sizeof(double);
    host::launch(blocks, SUM_LANES, bytes, [&] { chunk_squares(table, squares.data()); });
    host::launch(1, SUM_LANES, bytes,
                 [&] { clip_scale(squares.data(), chunks, limit, &norm, &scale); });
    host::launch(blocks, SUM_LANES, 0, [&] { change_parameters(table, *settings, &scale, loss); });
    return norm;
}
