// What the kernel asks of one level of instructions: loops over a piece of a row that lies in the first-level cache.
// levels.cpp is compiled once for each level; kernel.cpp chooses one when it is loaded.
#pragma once

#include <cstdint>

namespace negtemp {

// logits in a piece; four pages, so that what the loops need besides fits into the first-level cache as well
constexpr int64_t PIECE = 2048;

// what one look at a piece tells; -inf and +inf where it holds less than two logits
struct Extremes {
    float highest, second_highest, lowest, second_lowest;
    bool has_nan;
};

// sums over a piece of w and of w (z - peak), where w = exp(z - peak)
struct Sums {
    double total, distance;
};

// how llama.cpp's samplers `temp` and `dist` weigh a logit
struct Weighing {
    float temperature;  // of either sign, 0: the extreme token is taken, and nothing weighed
    float extreme;      // above zero the highest quotient of a logit and the temperature, below zero the lowest logit
    float limit;        // of a logit beyond it the weight is 0
};

// below it expf is 0 in float32
constexpr float UNDERFLOW_AT = -104.0f;

struct Level {
    const char *name;
    Extremes (*look)(const float *z, int64_t count);
    // how many are greater than `chosen`
    int64_t (*above)(const float *z, int64_t count, float chosen);
    Sums (*sum)(const float *z, int64_t count, float peak);
    // the sum of the weights, which are written to `weights`
    double (*weigh)(const float *z, int64_t count, const Weighing &how, float *weights);
    // expf of the C library, for arguments of at most 0
    void (*exponentials)(const float *x, int64_t count, float *found);
};

extern const Level plain;
#if defined(__x86_64__)
extern const Level avx2, avx512;
#endif

}  // namespace negtemp
