// Recurrent passes in one launch: each block keeps its share of the weight on chip for all steps.
//
// A block has `units_per_block` units. Forwards it needs all outputs of the step before, backwards
// all gates' gradients of the step after; blocks hand them over in words of 64 bits that carry the
// step's number beside the value. There are two slots: who writes a slot anew has read what all
// blocks computed from its old words, so nobody needs these any more. All blocks must be on the card
// at the same time (a cooperative launch). Sums have one order, whatever the number of blocks.

// A product's sum is cut into so many parts, one lane each.
constexpr unsigned PARTS = 8;

// Values of one row of the weight in shared memory: odd, so that lanes read from different banks.
CONSTANT size_t padded(size_t width) { return width | 1; }

// Bytes of shared memory. `width`: of the vectors that are exchanged; `rows`: products of a block.
CONSTANT size_t shared_bytes(size_t rows, size_t width, size_t tile) {
    return sizeof(float) * (rows * padded(width) + tile * width + tile * rows * PARTS);
}

INLINE unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

INLINE Word word_of(unsigned tag, float value) { return (Word)tag << 32 | bits_of(value); }

// The value that a word holds once it carries `tag`.
INLINE float await(const Word *word, unsigned tag) {
    Word found = load_word(word);
    while ((unsigned)(found >> 32) != tag) {
        wait_a_little();
        found = load_word(word);
    }
    return float_of((unsigned)found);
}

// A part of a product's sum.
INLINE float part_of_product(const float *weights, const float *vector, unsigned width,
                             unsigned part) {
    const unsigned length = (width + PARTS - 1) / PARTS, begin = part * length;
    const unsigned end = least(begin + length, width);
    float sum = 0.0f;
    for (unsigned k = begin; k < end; ++k) sum += weights[k] * vector[k];
    return sum;
}

// Parts of the products of `count` vectors with `rows` rows, as (vector, part, row).
INLINE void products_in_parts(const float *weights, const float *vectors, float *parts,
                              unsigned rows, unsigned width, unsigned count) {
    EACH_LANE(lane) {
        for (unsigned item = lane; item < count * PARTS * rows; item += LANES) {
            const unsigned row = item % rows, part = item / rows % PARTS;
            const unsigned vector = item / (rows * PARTS);
            parts[item] = part_of_product(weights + row * padded(width),
                                          vectors + (size_t)vector * width, width, part);
        }
    }
}

INLINE float sum_of_parts(const float *parts, unsigned rows, unsigned vector, unsigned row) {
    float sum = 0.0f;
    for (unsigned part = 0; part < PARTS; ++part) {
        sum += parts[((size_t)vector * PARTS + part) * rows + row];
    }
    return sum;
}

template <int cell>
INLINE void forward_all_steps(const Forward &pass) {
    SHARED_MEMORY(float, shared);
    const unsigned units = pass.units, first = BLOCK_INDEX * pass.units_per_block;
    if (first >= units) return;
    const unsigned own = least(pass.units_per_block, units - first);
    const unsigned rows = weight_blocks(cell) * own;
    float *weights = shared, *before = weights + rows * padded(units);
    float *parts = before + (size_t)pass.tile * units;
    EACH_LANE(lane) {
        for (size_t item = lane; item < (size_t)rows * units; item += LANES) {
            const unsigned row = item / units, k = item % units;
            const size_t of_weight = (size_t)(row / own) * units + first + row % own;
            weights[row * padded(units) + k] = pass.weight_hh[of_weight * units + k];
        }
    }
    SYNC_BLOCK();
    const size_t slot = (size_t)pass.batch * units;
    for (unsigned step = 0; step < pass.steps; ++step) {
        const Word *read = pass.words + (step + 1) % 2 * slot;
        Word *written = pass.words + step % 2 * slot;
        for (unsigned start = 0; start < pass.batch; start += pass.tile) {
            const unsigned count = least(pass.tile, pass.batch - start);
            EACH_LANE(lane) {
                for (size_t item = lane; item < (size_t)count * units; item += LANES) {
                    const size_t at = (size_t)start * units + item;
                    before[item] = step == 0 ? pass.initial_hidden[at] : await(read + at, step);
                }
            }
            SYNC_BLOCK();
            products_in_parts(weights, before, parts, rows, units, count);
            SYNC_BLOCK();
            EACH_LANE(lane) {
                for (unsigned item = lane; item < count * own; item += LANES) {
                    const unsigned vector = item / own, local = item % own;
                    const unsigned sequence = start + vector, unit = first + local;
                    float share[weight_blocks(cell)];
                    for (unsigned block = 0; block < weight_blocks(cell); ++block) {
                        share[block] = sum_of_parts(parts, rows, vector, block * own + local);
                    }
                    const float previous = before[(size_t)vector * units + unit];
                    const float output =
                        unit_forward_at<cell>(pass, sequence, step, unit, share, previous);
                    if (step + 1 < pass.steps) {
                        store_word(written + (size_t)sequence * units + unit,
                                   word_of(step + 1, output));
                    }
                }
            }
            SYNC_BLOCK();
        }
    }
}

template <int cell>
INLINE void backward_all_steps(const Backward &pass) {
    SHARED_MEMORY(float, shared);
    const unsigned units = pass.units, first = BLOCK_INDEX * pass.units_per_block;
    if (first >= units) return;
    const unsigned own = least(pass.units_per_block, units - first);
    const unsigned width = weight_blocks(cell) * units;
    // Columns of the weight as rows.
    float *weights = shared, *gradients = weights + own * padded(width);
    float *parts = gradients + (size_t)pass.tile * width;
    EACH_LANE(lane) {
        for (size_t item = lane; item < (size_t)own * width; item += LANES) {
            const unsigned unit = item % own, k = item / own;
            weights[unit * padded(width) + k] = pass.weight_hh[(size_t)k * units + first + unit];
        }
    }
    SYNC_BLOCK();
    const size_t slot = (size_t)pass.batch * width;
    for (unsigned done = 0; done < pass.steps; ++done) {
        const unsigned step = pass.steps - 1 - done;
        Word *words = pass.words + done % 2 * slot;
        for (unsigned start = 0; start < pass.batch; start += pass.tile) {
            const unsigned count = least(pass.tile, pass.batch - start);
            EACH_LANE(lane) {
                for (unsigned item = lane; item < count * own; item += LANES) {
                    const unsigned sequence = start + item / own, unit = first + item % own;
                    const float *row = unit_backward_at<cell>(pass, sequence, step, unit);
                    for (unsigned block = 0; block < weight_blocks(cell); ++block) {
                        const size_t in_row = (size_t)(hidden_block(cell) + block) * units + unit;
                        store_word(words + (size_t)sequence * width + block * units + unit,
                                   word_of(done + 1, row[in_row]));
                    }
                }
            }
            EACH_LANE(lane) {
                for (size_t item = lane; item < (size_t)count * width; item += LANES) {
                    gradients[item] = await(words + (size_t)start * width + item, done + 1);
                }
            }
            SYNC_BLOCK();
            products_in_parts(weights, gradients, parts, own, width, count);
            SYNC_BLOCK();
            EACH_LANE(lane) {
                for (unsigned item = lane; item < count * own; item += LANES) {
                    const unsigned vector = item / own, local = item % own;
                    pass.hidden_gradient[(size_t)(start + vector) * units + first + local] +=
                        sum_of_parts(parts, own, vector, local);
                }
            }
            SYNC_BLOCK();
        }
    }
}

#define PERSISTENT_KERNELS(name, cell)                                                          \
    KERNEL void persistent_forward_##name(Forward pass) { forward_all_steps<cell>(pass); }      \
    KERNEL void persistent_backward_##name(Backward pass) { backward_all_steps<cell>(pass); }

PERSISTENT_KERNELS(simple_tanh, SIMPLE_TANH)
PERSISTENT_KERNELS(simple_relu, SIMPLE_RELU)
PERSISTENT_KERNELS(gru, GRU)
PERSISTENT_KERNELS(lstm, LSTM)
