// Optimizers: one launch changes all parameters; the gradients' norm stays on the card.
//
// Rules and numbers are those of src/train/optimizer/fused.rs. Values are taken in chunks, which are
// numbered through all parameters; sums have one order, whatever the number of blocks.

constexpr unsigned CHUNK = 4096;
// Lanes of a block here: sums are shared among so many.
constexpr unsigned SUM_LANES = 256;

enum Rule { RMSPROP = 0, RMSPROP_TORCH = 1, ADAMW = 2, SGD = 3 };

// A parameter with its memories; null where the rule has none.
struct Parameter {
    float *weights;
    const float *gradient;
    float *first, *second;
    unsigned long long count, first_chunk;
};

// A rule's numbers for one step; those that it lacks are not read. `keep` and `add` are of the mean
// of squares, `mean_keep` and `mean_add` of AdamW's mean.
struct Settings {
    int rule, nesterov;
    float keep, add, mean_keep, mean_add, epsilon, momentum, decay, shrink, rate, root_of_bias;
};

// All parameters, in the order of their chunks, none of them empty.
struct Table {
    const Parameter *parameters;
    unsigned count;
    unsigned long long chunks;
};

// The values of a parameter that are in a chunk.
struct Part {
    const Parameter *parameter;
    unsigned long long begin, end;
};

INLINE Part part_of(const Table &table, unsigned long long chunk) {
    unsigned low = 0, high = table.count;
    while (high - low > 1) {
        const unsigned middle = low + (high - low) / 2;
        if (table.parameters[middle].first_chunk <= chunk) low = middle;
        else high = middle;
    }
    const Parameter &parameter = table.parameters[low];
    const unsigned long long begin = (chunk - parameter.first_chunk) * CHUNK, end = begin + CHUNK;
    return {&parameter, begin, end < parameter.count ? end : parameter.count};
}

// Sums the lanes' values in pairs; the sum is left in `sums[0]`.
INLINE void sum_lanes(double *sums) {
    for (unsigned half = SUM_LANES / 2; half > 0; half /= 2) {
        EACH_LANE(lane) {
            if (lane < half) sums[lane] += sums[lane + half];
        }
        SYNC_BLOCK();
    }
}

// The sum of squares of each chunk of the gradients.
KERNEL void chunk_squares(Table table, double *squares) {
    SHARED_MEMORY(double, sums);
    for (unsigned long long chunk = BLOCK_INDEX; chunk < table.chunks; chunk += BLOCK_COUNT) {
        const Part part = part_of(table, chunk);
        const Parameter &parameter = *part.parameter;
        EACH_LANE(lane) {
            double sum = 0.0;
            for (unsigned long long i = part.begin + lane; i < part.end; i += SUM_LANES) {
                const double value = parameter.gradient[i];
                sum += value * value;
            }
            sums[lane] = sum;
        }
        SYNC_BLOCK();
        sum_lanes(sums);
        EACH_LANE(lane) {
            if (lane == 0) squares[chunk] = sums[0];
        }
        SYNC_BLOCK();
    }
}

// The norm of all gradients, and the factor that clips it at `limit`; a launch of one block.
KERNEL void clip_scale(const double *squares, unsigned long long chunks, double limit, double *norm,
                       float *scale) {
    SHARED_MEMORY(double, sums);
    EACH_LANE(lane) {
        double sum = 0.0;
        for (unsigned long long i = lane; i < chunks; i += SUM_LANES) sum += squares[i];
        sums[lane] = sum;
    }
    SYNC_BLOCK();
    sum_lanes(sums);
    EACH_LANE(lane) {
        if (lane == 0) {
            *norm = sqrt(sums[0]);
            // A norm that is no number clips nothing.
            *scale = *norm > limit ? (float)(limit / *norm) : 1.0f;
        }
    }
}

// One value's step.
INLINE void change(const Settings &settings, const Parameter &parameter, unsigned long long i,
                   float scale) {
    float &weight = parameter.weights[i];
    const float momentum = settings.momentum;
    float gradient = parameter.gradient[i] * scale;
    if (settings.rule == RMSPROP) {
        float &square = parameter.first[i];
        square = settings.keep * square + settings.add * gradient * gradient;
        float step = settings.rate * gradient / sqrtf(square + settings.epsilon);
        if (momentum > 0.0f) step = parameter.second[i] = momentum * parameter.second[i] + step;
        weight -= step;
    } else if (settings.rule == RMSPROP_TORCH) {
        gradient += settings.decay * weight;
        float &square = parameter.first[i];
        square = settings.keep * square + settings.add * gradient * gradient;
        float step = gradient / (sqrtf(square) + settings.epsilon);
        if (momentum > 0.0f) step = parameter.second[i] = momentum * parameter.second[i] + step;
        weight -= settings.rate * step;
    } else if (settings.rule == ADAMW) {
        float &mean = parameter.first[i], &square = parameter.second[i];
        mean = settings.mean_keep * mean + settings.mean_add * gradient;
        square = settings.keep * square + settings.add * gradient * gradient;
        const float step = mean / (sqrtf(square) / settings.root_of_bias + settings.epsilon);
        weight = weight * settings.shrink - settings.rate * step;
    } else {
        gradient += settings.decay * weight;
        float step = gradient;
        if (momentum > 0.0f) {
            const float last = parameter.first[i] = momentum * parameter.first[i] + gradient;
            step = settings.nesterov ? gradient + momentum * last : last;
        }
        weight -= settings.rate * step;
    }
}

// One step of a rule on all parameters; `scale` is what clip_scale left, or a 1. A `loss`, where one is
// given, that is no number changes nothing.
KERNEL void change_parameters(Table table, Settings settings, const float *scale,
                              const float *loss) {
    if (loss && !(*loss - *loss == 0.0f)) return;
    for (unsigned long long chunk = BLOCK_INDEX; chunk < table.chunks; chunk += BLOCK_COUNT) {
        const Part part = part_of(table, chunk);
        const Parameter &parameter = *part.parameter;
        EACH_LANE(lane) {
            for (unsigned long long i = part.begin + lane; i < part.end; i += LANES) {
                change(settings, parameter, i, *scale);
            }
        }
    }
}
