// cuBLAS, cuRAND, NVRTC and what else is opened with them, for a card that is not there.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "card.h"

namespace {

// The libraries' own numbers.
constexpr int R_32F = 0, R_16BF = 14;
constexpr int COMPUTE_32F = 68, COMPUTE_32F_FAST_TF32 = 77;
constexpr int NOT_SUPPORTED = 15;

struct Blas {
    void *stream = nullptr;
};

float of_bits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

uint32_t bits_of(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

// To the nearest, halves to the even one.
float rounded(float value, unsigned dropped) {
    if (!std::isfinite(value)) return value;
    const uint32_t bits = bits_of(value), half = (1u << (dropped - 1)) - 1 + (bits >> dropped & 1);
    return of_bits((bits + half) >> dropped << dropped);
}

struct Matrix {
    const char *data;
    int type;
    bool turned;
    int leading;

    float at(int row, int column) const {
        const size_t place = turned ? row * size_t(leading) + column : column * size_t(leading) + row;
        if (type == R_16BF) {
            return of_bits(uint32_t(reinterpret_cast<const uint16_t *>(data)[place]) << 16);
        }
        return reinterpret_cast<const float *>(data)[place];
    }
};

size_t bytes_of(int type) { return type == R_32F ? 4 : 2; }

void product(Matrix a, Matrix b, int m, int n, int k, double alpha, double beta, char *c, int type,
             int leading, bool tf32) {
    // Both as columns of k values.
    const auto columns = [&](int count, auto value) {
        std::vector<float> all(size_t(count) * k);
        for (int i = 0; i < count; ++i) {
            for (int at = 0; at < k; ++at) {
                const float found = value(i, at);
                all[size_t(i) * k + at] = tf32 ? rounded(found, 13) : found;
            }
        }
        return all;
    };
    const auto left = columns(m, [&](int i, int at) { return a.at(i, at); });
    const auto right = columns(n, [&](int i, int at) { return b.at(at, i); });
    for (int column = 0; column < n; ++column) {
        for (int row = 0; row < m; ++row) {
            const float *x = &left[size_t(row) * k], *y = &right[size_t(column) * k];
            float parts[8] = {};
            int at = 0;
            for (; at + 8 <= k; at += 8) {
                for (int part = 0; part < 8; ++part) parts[part] += x[at + part] * y[at + part];
            }
            for (; at < k; ++at) parts[0] += x[at] * y[at];
            double sum = 0;
            for (float part : parts) sum += part;
            const size_t place = column * size_t(leading) + row;
            // What beta leaves out is not read: it may be anything.
            if (type == R_16BF) {
                uint16_t &to = reinterpret_cast<uint16_t *>(c)[place];
                const double before = beta == 0 ? 0 : beta * of_bits(uint32_t(to) << 16);
                to = bits_of(rounded(alpha * sum + before, 16)) >> 16;
            } else {
                float &to = reinterpret_cast<float *>(c)[place];
                to = alpha * sum + (beta == 0 ? 0 : beta * to);
            }
        }
    }
}

struct Generator {
    void *stream = nullptr;
    std::mt19937_64 numbers;
};

template <typename Draw>
int drawn(void *generator, float *to, size_t count, Draw draw) {
    Generator *own = static_cast<Generator *>(generator);
    auto values = std::make_shared<std::vector<float>>(count);
    for (float &value : *values) value = draw(own->numbers);
    card::put(own->stream, [=] { std::memcpy(to, values->data(), count * sizeof(float)); });
    return 0;
}

}  // namespace

extern "C" {

int cublasCreate_v2(void **handle) { *handle = new Blas; return 0; }
int cublasDestroy_v2(void *handle) { delete static_cast<Blas *>(handle); return 0; }
int cublasSetStream_v2(void *handle, void *stream) {
    static_cast<Blas *>(handle)->stream = stream;
    return 0;
}
int cublasSetWorkspace_v2(void *, void *, size_t) { return 0; }

int cublasGemmStridedBatchedEx(void *handle, int turn_a, int turn_b, int m, int n, int k,
                               const void *alpha, const void *a, int a_type, int lda,
                               long long a_stride, const void *b, int b_type, int ldb,
                               long long b_stride, const void *beta, void *c, int c_type, int ldc,
                               long long c_stride, int batch, int compute, int) {
    if (compute != COMPUTE_32F && compute != COMPUTE_32F_FAST_TF32) return NOT_SUPPORTED;
    const double times = *static_cast<const float *>(alpha), kept = *static_cast<const float *>(beta);
    card::put(static_cast<Blas *>(handle)->stream, [=] {
        for (long long i = 0; i < batch; ++i) {
            const char *of_a = static_cast<const char *>(a) + i * a_stride * bytes_of(a_type);
            const char *of_b = static_cast<const char *>(b) + i * b_stride * bytes_of(b_type);
            char *of_c = static_cast<char *>(c) + i * c_stride * bytes_of(c_type);
            product({of_a, a_type, turn_a != 0, lda}, {of_b, b_type, turn_b != 0, ldb}, m, n, k,
                    times, kept, of_c, c_type, ldc, compute == COMPUTE_32F_FAST_TF32);
        }
    });
    return 0;
}

int cublasGemmEx(void *handle, int turn_a, int turn_b, int m, int n, int k, const void *alpha,
                 const void *a, int a_type, int lda, const void *b, int b_type, int ldb,
                 const void *beta, void *c, int c_type, int ldc, int compute, int algorithm) {
    return cublasGemmStridedBatchedEx(handle, turn_a, turn_b, m, n, k, alpha, a, a_type, lda, 0, b,
                                      b_type, ldb, 0, beta, c, c_type, ldc, 0, 1, compute,
                                      algorithm);
}

int cublasSgemm_v2(void *handle, int turn_a, int turn_b, int m, int n, int k, const float *alpha,
                   const float *a, int lda, const float *b, int ldb, const float *beta, float *c,
                   int ldc) {
    return cublasGemmEx(handle, turn_a, turn_b, m, n, k, alpha, a, R_32F, lda, b, R_32F, ldb, beta,
                        c, R_32F, ldc, COMPUTE_32F, 0);
}

int cublasLtCreate(void **handle) { *handle = new Blas; return 0; }
int cublasLtDestroy(void *handle) { delete static_cast<Blas *>(handle); return 0; }

int curandCreateGenerator(void **generator, int) { *generator = new Generator; return 0; }
int curandDestroyGenerator(void *generator) { delete static_cast<Generator *>(generator); return 0; }
int curandSetPseudoRandomGeneratorSeed(void *generator, unsigned long long seed) {
    static_cast<Generator *>(generator)->numbers.seed(seed);
    return 0;
}
int curandSetGeneratorOffset(void *, unsigned long long) { return 0; }
int curandSetStream(void *generator, void *stream) {
    static_cast<Generator *>(generator)->stream = stream;
    return 0;
}
int curandGenerateUniform(void *generator, float *to, size_t count) {
    std::uniform_real_distribution<float> uniform;
    return drawn(generator, to, count, [&](auto &numbers) { return uniform(numbers); });
}
int curandGenerateNormal(void *generator, float *to, size_t count, float mean, float deviation) {
    std::normal_distribution<float> normal(mean, deviation);
    return drawn(generator, to, count, [&](auto &numbers) { return normal(numbers); });
}

// A program is its text: the kernels in it are known by their names. It is compiled for the card that
// an option names, if this compiler knows it, and without one for the oldest, as NVRTC 12 does.
int nvrtcCreateProgram(void **program, const char *text, const char *, int, const char *const *,
                       const char *const *) {
    *program = new std::string(text);
    return 0;
}
int nvrtcCompileProgram(void *program, int count, const char *const *options) {
    const std::string wanted = "--gpu-architecture=compute_";
    int capability = 52;
    for (int i = 0; i < count; ++i) {
        const std::string option = options[i];
        if (option.rfind(wanted, 0) == 0) capability = std::stoi(option.substr(wanted.size()));
    }
    const char *newest = std::getenv("STAND_IN_NEWEST_COMPILED");
    if (capability > (newest ? std::atoi(newest) : 90)) return 5;
    std::string &text = *static_cast<std::string *>(program);
    text = ".target sm_" + std::to_string(capability) + "\n" + text;
    return 0;
}
int nvrtcDestroyProgram(void **program) { delete static_cast<std::string *>(*program); return 0; }
int nvrtcGetPTXSize(void *program, size_t *bytes) {
    *bytes = static_cast<std::string *>(program)->size() + 1;
    return 0;
}
int nvrtcGetPTX(void *program, char *to) {
    const std::string &text = *static_cast<std::string *>(program);
    std::memcpy(to, text.c_str(), text.size() + 1);
    return 0;
}
int nvrtcGetProgramLogSize(void *, size_t *bytes) { *bytes = 1; return 0; }
int nvrtcGetProgramLog(void *, char *to) { *to = 0; return 0; }

}  // extern "C"
