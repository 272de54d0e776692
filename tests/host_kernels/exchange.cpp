// Persistent passes of all cells, for a thread sanitizer to watch; exits with 1 if a value is no number.

#include <cstdio>

#include "host.h"
#include "gates.cu"
#include "persistent.cu"

template <int cell>
static bool passes(unsigned batch, unsigned steps, unsigned units, unsigned per_block) {
    const unsigned blocks = (units + per_block - 1) / per_block;
    const unsigned rows = weight_blocks(cell) * units, row = row_blocks(cell) * units;
    const size_t outputs = (size_t)batch * steps * units, state = (size_t)batch * units;
    std::vector<float> weight((size_t)rows * units), bias(row, 0.1f), gates(batch * steps * row, 0.2f);
    for (size_t i = 0; i < weight.size(); ++i) weight[i] = 0.05f * ((float)(i * 7 % 11) - 5.0f);
    std::vector<float> hidden(state, 0.3f), cell_value(state, -0.2f), output(outputs), cells(outputs);
    std::vector<Word> words(2 * state);
    Forward forward = {batch, steps, units, per_block, 2, weight.data(), bias.data(), hidden.data(),
                       cell_value.data(), gates.data(), output.data(), cells.data(), words.data()};
    host::launch(blocks, 8, shared_bytes(weight_blocks(cell) * per_block, units, 2),
                 [&] { forward_all_steps<cell>(forward); });
    std::vector<float> upstream(outputs, 1.0f), gradient(gates.size()), d_hidden(state), d_cell(state);
    std::vector<Word> words_back((size_t)2 * batch * rows);
    Backward backward = {batch, steps, units, per_block, 2, weight.data(), hidden.data(),
                         cell_value.data(), gates.data(), output.data(), cells.data(),
                         upstream.data(), gradient.data(), d_hidden.data(), d_cell.data(),
                         words_back.data()};
    host::launch(blocks, 8, shared_bytes(per_block, rows, 2),
                 [&] { backward_all_steps<cell>(backward); });
    float sum = 0.0f;
    for (float value : d_hidden) sum += value;
    for (float value : output) sum += value;
    return sum == sum;
}

int main() {
    const bool numbers = passes<SIMPLE_TANH>(3, 20, 13, 4) && passes<SIMPLE_RELU>(1, 3, 5, 1) &&
                         passes<GRU>(3, 20, 13, 4) && passes<LSTM>(5, 20, 13, 5);
    std::puts(numbers ? "all values are numbers" : "a value is no number");
    return numbers ? 0 : 1;
}
