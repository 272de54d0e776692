// Gates of recurrent cells, a unit at a time, and kernels that take one step of all sequences.
//
// Layouts and formulas are those of src/model/recurrent/gates.rs: gates are (batch, steps, row), a
// row of an LSTM holds i f g o, of a GRU n r z m, whose m is added to the state's share. Weights and
// biases are in PyTorch's layout, but `bias` is a row: both biases added where both are.

enum Cell { SIMPLE_TANH = 0, SIMPLE_RELU = 1, GRU = 2, LSTM = 3 };

// Blocks of `units` values in a row; blocks of rows in a weight; the first block fed by the state.
CONSTANT unsigned row_blocks(int cell) { return cell >= GRU ? 4 : 1; }
CONSTANT unsigned weight_blocks(int cell) { return cell == LSTM ? 4 : cell == GRU ? 3 : 1; }
CONSTANT unsigned hidden_block(int cell) { return cell == GRU ? 1 : 0; }

// A pass forwards. Cell values (`initial_cell`, `cells`) are an LSTM's; else null.
struct Forward {
    unsigned batch, steps, units;
    // Of the kernels that stay for all steps: units of one block, sequences at a time.
    unsigned units_per_block, tile;
    const float *weight_hh, *bias, *initial_hidden, *initial_cell;
    // The input's products before, the gates after.
    float *gates;
    float *outputs, *cells;
    // Two slots of (batch, units) words, zero before the launch.
    Word *words;
};

// A pass backwards. `hidden_gradient` and `cell_gradient`, (batch, units), hold the gradient of the
// last state that does not come through the outputs, and are left with that of the initial state.
struct Backward {
    unsigned batch, steps, units;
    unsigned units_per_block, tile;
    const float *weight_hh, *initial_hidden, *initial_cell;
    const float *gates, *outputs, *cells, *output_gradient;
    float *gate_gradient, *hidden_gradient, *cell_gradient;
    // Two slots of (batch, rows of the weight) words, zero before the launch.
    Word *words;
};

INLINE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// One unit of one step: `product` holds the state's share of each gate, `row` the input's before and
// the gates after. Gives the output; `cell_value` is the cell value before, then after.
template <int cell>
INLINE float unit_forward(float *row, unsigned unit, unsigned units, const float *product,
                          const float *bias, float previous, float *cell_value) {
    if (cell == LSTM) {
        float *i = row + unit, *f = i + units, *g = f + units, *o = g + units;
        const float *b = bias + unit;
        *i = sigmoid(*i + product[0] + b[0]);
        *f = sigmoid(*f + product[1] + b[units]);
        *g = tanhf(*g + product[2] + b[2 * (size_t)units]);
        *o = sigmoid(*o + product[3] + b[3 * (size_t)units]);
        *cell_value = *f * *cell_value + *i * *g;
        return *o * tanhf(*cell_value);
    }
    if (cell == GRU) {
        float *n = row + unit, *r = n + units, *z = r + units, *m = z + units;
        const float *b = bias + unit;
        *r = sigmoid(*r + product[0] + b[units]);
        *z = sigmoid(*z + product[1] + b[2 * (size_t)units]);
        *m = *m + product[2] + b[3 * (size_t)units];
        *n = tanhf(*n + b[0] + *r * *m);
        return *n + *z * (previous - *n);
    }
    float sum = row[unit] + product[0];
    row[unit] = sum;
    sum += bias[unit];
    // Written so that NaN stays NaN.
    return cell == SIMPLE_TANH ? tanhf(sum) : sum < 0.0f ? 0.0f : sum;
}

// One unit of one step backwards: writes the gates' gradient, and leaves in `output_gradient` what
// flows to the output before past the product, in `cell_gradient` that of the cell value before.
template <int cell>
INLINE void unit_backward(const float *row, unsigned unit, unsigned units, float previous,
                          float output, float cell_before, float cell_value,
                          float *output_gradient, float *cell_gradient, float *gradient) {
    const float upstream = *output_gradient;
    const float *gate = row + unit;
    gradient += unit;
    const size_t second = units, third = 2 * second, fourth = 3 * second;
    if (cell == LSTM) {
        const float i = gate[0], f = gate[second], g = gate[third], o = gate[fourth];
        const float squashed = tanhf(cell_value);
        const float of_cell = *cell_gradient + upstream * o * (1.0f - squashed * squashed);
        gradient[0] = of_cell * g * i * (1.0f - i);
        gradient[second] = of_cell * cell_before * f * (1.0f - f);
        gradient[third] = of_cell * i * (1.0f - g * g);
        gradient[fourth] = upstream * squashed * o * (1.0f - o);
        *cell_gradient = of_cell * f;
        *output_gradient = 0.0f;
    } else if (cell == GRU) {
        const float n = gate[0], r = gate[second], z = gate[third], m = gate[fourth];
        const float of_new = upstream * (1.0f - z) * (1.0f - n * n);
        gradient[0] = of_new;
        gradient[second] = of_new * m * r * (1.0f - r);
        gradient[third] = upstream * (previous - n) * z * (1.0f - z);
        gradient[fourth] = of_new * r;
        *output_gradient = upstream * z;
    } else {
        if (cell == SIMPLE_TANH) gradient[0] = upstream * (1.0f - output * output);
        else gradient[0] = output > 0.0f ? upstream : 0.0f;
        *output_gradient = 0.0f;
    }
}

// One unit of one sequence at one step, with its reads and writes of global memory.
template <int cell>
INLINE float unit_forward_at(const Forward &pass, unsigned sequence, unsigned step, unsigned unit,
                             const float *product, float previous) {
    const size_t units = pass.units, at = (size_t)sequence * pass.steps + step;
    float cell_value = 0.0f;
    if (cell == LSTM) {
        cell_value = step == 0 ? pass.initial_cell[sequence * units + unit]
                               : pass.cells[(at - 1) * units + unit];
    }
    float *row = pass.gates + at * row_blocks(cell) * units;
    const float output =
        unit_forward<cell>(row, unit, pass.units, product, pass.bias, previous, &cell_value);
    pass.outputs[at * units + unit] = output;
    if (cell == LSTM) pass.cells[at * units + unit] = cell_value;
    return output;
}

// The same backwards; gives the row of the gates' gradient.
template <int cell>
INLINE const float *unit_backward_at(const Backward &pass, unsigned sequence, unsigned step,
                                     unsigned unit) {
    const size_t units = pass.units, at = (size_t)sequence * pass.steps + step;
    const size_t now = at * units + unit, state = sequence * units + unit;
    const size_t row = at * row_blocks(cell) * units;
    const float previous = step == 0 ? pass.initial_hidden[state] : pass.outputs[now - units];
    float cell_before = 0.0f, cell_value = 0.0f, cell_gradient = 0.0f;
    if (cell == LSTM) {
        cell_before = step == 0 ? pass.initial_cell[state] : pass.cells[now - units];
        cell_value = pass.cells[now];
        cell_gradient = pass.cell_gradient[state];
    }
    float output_gradient = pass.hidden_gradient[state] + pass.output_gradient[now];
    unit_backward<cell>(pass.gates + row, unit, pass.units, previous, pass.outputs[now],
                        cell_before, cell_value, &output_gradient, &cell_gradient,
                        pass.gate_gradient + row);
    pass.hidden_gradient[state] = output_gradient;
    if (cell == LSTM) pass.cell_gradient[state] = cell_gradient;
    return pass.gate_gradient + row;
}

// One step of all sequences. `product`, (batch, rows of the weight), is the state's.
template <int cell>
INLINE void step_forward(const Forward &pass, const float *product, unsigned step) {
    const size_t units = pass.units, items = pass.batch * units;
    EACH_LANE(lane) {
        for (size_t item = BLOCK_INDEX * (size_t)LANES + lane; item < items;
             item += BLOCK_COUNT * (size_t)LANES) {
            const unsigned sequence = item / units, unit = item % units;
            float share[weight_blocks(cell)];
            for (unsigned block = 0; block < weight_blocks(cell); ++block) {
                share[block] = product[(sequence * weight_blocks(cell) + block) * units + unit];
            }
            const size_t before = ((size_t)sequence * pass.steps + step - 1) * units + unit;
            const float previous = step == 0 ? pass.initial_hidden[item] : pass.outputs[before];
            unit_forward_at<cell>(pass, sequence, step, unit, share, previous);
        }
    }
}

// One step back. The caller then adds the product of the gates' gradient to `hidden_gradient`.
template <int cell>
INLINE void step_backward(const Backward &pass, unsigned step) {
    const size_t units = pass.units, items = pass.batch * units;
    EACH_LANE(lane) {
        for (size_t item = BLOCK_INDEX * (size_t)LANES + lane; item < items;
             item += BLOCK_COUNT * (size_t)LANES) {
            unit_backward_at<cell>(pass, item / units, step, item % units);
        }
    }
}

#define STEP_KERNELS(name, cell)                                                            \
    KERNEL void step_forward_##name(Forward pass, const float *product, unsigned step) {    \
        step_forward<cell>(pass, product, step);                                            \
    }                                                                                       \
    KERNEL void step_backward_##name(Backward pass, unsigned step) {                        \
        step_backward<cell>(pass, step);                                                    \
    }

STEP_KERNELS(simple_tanh, SIMPLE_TANH)
STEP_KERNELS(simple_relu, SIMPLE_RELU)
STEP_KERNELS(gru, GRU)
STEP_KERNELS(lstm, LSTM)
