// The loops over a piece of a row of logits, for one level of instructions: NEGTEMP_LEVEL names it.
//
// Vectors are those of the compiler (GCC and Clang), as wide as the level has them. There are always eight sums side by
// side, added up in one order at the end, so that the levels with fused operations give the same bits; without them the
// last bit of a sum may be another. Compile with -ffp-contract=fast.
//
// `weigh` must give what llama.cpp's `dist` sampler gets from the C library's expf, bit for bit. With AVX2 that function
// is computed here as glibc, musl and others do: 2^(k/32) from a table, and a polynomial of degree 3 in double. kernel.cpp
// compares it with the library's own before it is used; tests/test_kernel.py compares all floats.
//
// Source: Arm's optimized routines, math/expf.c and exp2f_data.c (Szabolcs Nagy; MIT), for the table and polynomial of
// expf. The polynomial of `sum` is the interpolation of exp on |r| <= ln(2)/2 at Chebyshev's nodes, of degree 11 and of
// a relative error of 4e-18.

#include "level.h"

#include <cmath>
#include <cstring>
#include <limits>

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

namespace negtemp {
namespace {

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

typedef float Floats __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t Ints __attribute__((vector_size(VECTOR_BYTES)));
typedef float HalfFloats __attribute__((vector_size(VECTOR_BYTES / 2)));
typedef double Doubles __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t Longs __attribute__((vector_size(VECTOR_BYTES)));

constexpr int LANES = VECTOR_BYTES / 4, HALF = VECTOR_BYTES / 8;
constexpr int SUMS = 8, PARTS = SUMS / HALF;  // sums side by side, and the vectors that hold them
constexpr float INF = std::numeric_limits<float>::infinity();

template <typename Vector, typename Value> inline Vector load(const Value *from) {
    Vector found;
    std::memcpy(&found, from, sizeof found);
    return found;
}

template <typename Vector> inline Vector larger(Vector a, Vector b) { return a > b ? a : b; }
template <typename Vector> inline Vector smaller(Vector a, Vector b) { return a < b ? a : b; }

// the next logit: two extremes at either end are kept
inline void take_high(Extremes &found, float z) {
    found.second_highest = larger(found.second_highest, smaller(found.highest, z));
    found.highest = larger(found.highest, z);
}

inline void take_low(Extremes &found, float z) {
    found.second_lowest = smaller(found.second_lowest, larger(found.lowest, z));
    found.lowest = smaller(found.lowest, z);
}

Extremes look(const float *z, int64_t count) {
    const Floats none{};
    Floats highest = none - INF, second_highest = highest, lowest = none + INF, second_lowest = lowest;
    Ints broken{};
    int64_t at = 0;
    for (; at + LANES <= count; at += LANES) {
        const Floats v = load<Floats>(z + at);
        second_highest = larger(second_highest, smaller(highest, v));
        highest = larger(highest, v);
        second_lowest = smaller(second_lowest, larger(lowest, v));
        lowest = smaller(lowest, v);
        broken |= v != v;
    }
    Extremes found{-INF, -INF, INF, INF, false};
    for (int lane = 0; lane < LANES; ++lane) {
        take_high(found, highest[lane]);
        take_high(found, second_highest[lane]);
        take_low(found, lowest[lane]);
        take_low(found, second_lowest[lane]);
        found.has_nan |= broken[lane] != 0;
    }
    for (; at < count; ++at) {
        take_high(found, z[at]);
        take_low(found, z[at]);
        found.has_nan |= z[at] != z[at];
    }
    return found;
}

int64_t above(const float *z, int64_t count, float chosen) {
    Ints vectors{};
    int64_t at = 0, found = 0;
    for (; at + LANES <= count; at += LANES) vectors -= load<Floats>(z + at) > chosen;
    for (int lane = 0; lane < LANES; ++lane) found += vectors[lane];
    for (; at < count; ++at) found += z[at] > chosen;
    return found;
}

constexpr double LOG2_E = 0x1.71547652b82fep+0, LN2 = 0x1.62e42fefa39efp-1;
constexpr double ROUND = 0x1.8p52;  // added and taken away again it leaves the nearest whole number
constexpr int DEGREE = 11;
constexpr double EXP[DEGREE + 1] = {
    0x1.0000000000000p+0,  0x1.0000000000000p+0,  0x1.0000000000011p-1,  0x1.555555555555ap-3,
    0x1.555555554f0bap-5,  0x1.111111110f21ep-7,  0x1.6c16c1880029fp-10, 0x1.a01a01b1461c5p-13,
    0x1.a01991a10d9aep-16, 0x1.71ddf56d8deb5p-19, 0x1.28b4101c77212p-22, 0x1.af632a0f7e2cep-26,
};
constexpr double FARTHEST = -700.0;  // further down a weight adds nothing to a total of at least 1

// vectors under way at once, so that none waits for the last step of another
constexpr int ABREAST = 4, BLOCK = ABREAST * HALF;
static_assert(BLOCK % SUMS == 0 && PIECE % BLOCK == 0, "a block feeds every sum equally often");

struct Totals {
    Doubles total[PARTS] = {}, distance[PARTS] = {};

    void add(const float *z, double peak) {
        const Doubles least = Doubles{} + FARTHEST;
        Doubles x[ABREAST], shifted[ABREAST], rest[ABREAST], power[ABREAST];
        for (int v = 0; v < ABREAST; ++v) {
            x[v] = __builtin_convertvector(load<HalfFloats>(z + v * HALF), Doubles) - peak;
            shifted[v] = larger(x[v], least) * LOG2_E + ROUND;
            rest[v] = larger(x[v], least) - (shifted[v] - ROUND) * LN2;  // errs by as little as |x| / 2^53
            power[v] = rest[v] * EXP[DEGREE] + EXP[DEGREE - 1];
        }
        for (int degree = DEGREE - 2; degree >= 0; --degree) {
            for (int v = 0; v < ABREAST; ++v) power[v] = power[v] * rest[v] + EXP[degree];
        }
        for (int v = 0; v < ABREAST; ++v) {
            // the last bits of `shifted` are the exponent
            const Longs scaled = load<Longs>(&power[v]) + (load<Longs>(&shifted[v]) << 52);
            const Doubles weight = x[v] < least ? Doubles{} : load<Doubles>(&scaled);
            total[v % PARTS] += weight;
            distance[v % PARTS] += weight * larger(x[v], least);
        }
    }
};

Sums sum(const float *z, int64_t count, float peak) {
    Totals all;
    int64_t at = 0;
    for (; at + BLOCK <= count; at += BLOCK) all.add(z + at, peak);
    if (at < count) {
        float rest[BLOCK];
        for (int lane = 0; lane < BLOCK; ++lane) rest[lane] = at + lane < count ? z[at + lane] : -INF;
        all.add(rest, peak);
    }
    Sums found{0, 0};
    for (int lane = 0; lane < SUMS; ++lane) {
        found.total += all.total[lane / HALF][lane % HALF];
        found.distance += all.distance[lane / HALF][lane % HALF];
    }
    return found;
}

// the arguments of expf, as `temp` and `dist` make them, of logits that are finite or -inf
void arguments(const float *z, int64_t count, const Weighing &how, float *x) {
    const float temperature = how.temperature, extreme = how.extreme;
    if (temperature == 1.0f) {
        for (int64_t at = 0; at < count; ++at) x[at] = z[at] - extreme;
    } else if (temperature > 0) {
        for (int64_t at = 0; at < count; ++at) x[at] = z[at] / temperature - extreme;
    } else {
        const double lowest = extreme, size = -double(temperature);
        for (int64_t at = 0; at < count; ++at) {
            const float found = float((lowest - z[at]) / size);
            x[at] = found > 0 ? -INF : found;  // of a logit of -inf, which below zero stays a mask
        }
    }
}

// the library's function is 0 there, and slow
inline float exponential_or_zero(float x) { return x < UNDERFLOW_AT ? 0.0f : expf(x); }

#if defined(__AVX2__) && defined(__FMA__)

// 2^(i/32), less i << 47: so that k << 47 makes it 2^(k/32) for i = k modulo 32
alignas(64) const uint64_t POWERS[32] = {
    0x3ff0000000000000, 0x3fefd9b0d3158574, 0x3fefb5586cf9890f, 0x3fef9301d0125b51,
    0x3fef72b83c7d517b, 0x3fef54873168b9aa, 0x3fef387a6e756238, 0x3fef1e9df51fdee1,
    0x3fef06fe0a31b715, 0x3feef1a7373aa9cb, 0x3feedea64c123422, 0x3feece086061892d,
    0x3feebfdad5362a27, 0x3feeb42b569d4f82, 0x3feeab07dd485429, 0x3feea47eb03a5585,
    0x3feea09e667f3bcd, 0x3fee9f75e8ec5f74, 0x3feea11473eb0187, 0x3feea589994cce13,
    0x3feeace5422aa0db, 0x3feeb737b0cdc5e5, 0x3feec49182a3f090, 0x3feed503b23e255d,
    0x3feee89f995ad3ad, 0x3feeff76f2fb5e47, 0x3fef199bdd85529c, 0x3fef3720dcef9069,
    0x3fef5818dcfba487, 0x3fef7c97337b9b5f, 0x3fefa4afa2a490da, 0x3fefd0765b6e4540,
};
constexpr double PER_STEP = 0x1.71547652b82fep+5;  // 32 / ln 2
constexpr double CUBIC = 0x1.c6af84b912394p-5 / 32 / 32 / 32, SQUARE = 0x1.ebfce50fac4f3p-3 / 32 / 32;
constexpr double LINEAR = 0x1.62e42ff0c52d6p-1 / 32;

#if defined(__AVX512F__)

typedef __m512d Wide;
constexpr int WIDTH = 8;

inline Wide widened(const float *from) { return _mm512_cvtps_pd(_mm256_loadu_ps(from)); }
inline void narrow(float *to, Wide v) { _mm256_storeu_ps(to, _mm512_cvtpd_ps(v)); }
inline Wide every(double v) { return _mm512_set1_pd(v); }
inline Wide fused(Wide a, Wide b, Wide c) { return _mm512_fmadd_pd(a, b, c); }
inline Wide fused_less(Wide a, Wide b, Wide c) { return _mm512_fmsub_pd(a, b, c); }
inline Wide times(Wide a, Wide b) { return _mm512_mul_pd(a, b); }
inline Wide less(Wide a, Wide b) { return _mm512_sub_pd(a, b); }
inline Wide zero_below(Wide x, Wide least, Wide v) {
    return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(x, least, _CMP_GE_OQ), v);
}
inline Wide scale(Wide shifted) {
    const __m512i bits = _mm512_castpd_si512(shifted);
    const __m512i *table = reinterpret_cast<const __m512i *>(POWERS);
    const __m512i low = _mm512_permutex2var_epi64(table[0], bits, table[1]);
    const __m512i high = _mm512_permutex2var_epi64(table[2], bits, table[3]);
    const __mmask8 is_high = _mm512_test_epi64_mask(bits, _mm512_set1_epi64(16));
    const __m512i power = _mm512_mask_blend_epi64(is_high, low, high);
    return _mm512_castsi512_pd(_mm512_add_epi64(power, _mm512_slli_epi64(bits, 47)));
}

#else

typedef __m256d Wide;
constexpr int WIDTH = 4;

inline Wide widened(const float *from) { return _mm256_cvtps_pd(_mm_loadu_ps(from)); }
inline void narrow(float *to, Wide v) { _mm_storeu_ps(to, _mm256_cvtpd_ps(v)); }
inline Wide every(double v) { return _mm256_set1_pd(v); }
inline Wide fused(Wide a, Wide b, Wide c) { return _mm256_fmadd_pd(a, b, c); }
inline Wide fused_less(Wide a, Wide b, Wide c) { return _mm256_fmsub_pd(a, b, c); }
inline Wide times(Wide a, Wide b) { return _mm256_mul_pd(a, b); }
inline Wide less(Wide a, Wide b) { return _mm256_sub_pd(a, b); }
inline Wide zero_below(Wide x, Wide least, Wide v) { return _mm256_and_pd(_mm256_cmp_pd(x, least, _CMP_GE_OQ), v); }
inline Wide scale(Wide shifted) {
    const __m256i bits = _mm256_castpd_si256(shifted);
    const __m256i place = _mm256_and_si256(bits, _mm256_set1_epi64x(31));
    const __m256i power = _mm256_i64gather_epi64(reinterpret_cast<const long long *>(POWERS), place, 8);
    return _mm256_castsi256_pd(_mm256_add_epi64(power, _mm256_slli_epi64(bits, 47)));
}

#endif

// where a compiler may fuse, glibc's own is fused in just these places
inline void exponentials_of(const float *x, float *found) {
    const Wide wide = widened(x), shifted = fused(every(PER_STEP), wide, every(ROUND));
    const Wide rest = fused_less(every(PER_STEP), wide, less(shifted, every(ROUND)));
    const Wide cubic = fused(every(CUBIC), rest, every(SQUARE)), line = fused(every(LINEAR), rest, every(1.0));
    const Wide power = times(fused(cubic, times(rest, rest), line), scale(shifted));
    narrow(found, zero_below(wide, every(UNDERFLOW_AT), power));
}

void exponentials(const float *x, int64_t count, float *found) {
    int64_t at = 0;
    for (; at + WIDTH <= count; at += WIDTH) exponentials_of(x + at, found + at);
    for (; at < count; ++at) found[at] = exponential_or_zero(x[at]);
}

#else

void exponentials(const float *x, int64_t count, float *found) {
    for (int64_t at = 0; at < count; ++at) found[at] = exponential_or_zero(x[at]);
}

#endif

double weigh(const float *z, int64_t count, const Weighing &how, float *weights) {
    float x[PIECE];
    arguments(z, count, how, x);
    exponentials(x, count, weights);
    double sums[SUMS] = {}, total = 0;
    int64_t at = 0;
    for (; at + SUMS <= count; at += SUMS) {
        for (int lane = 0; lane < SUMS; ++lane) sums[lane] += weights[at + lane];
    }
    for (; at < count; ++at) total += weights[at];
    for (int lane = 0; lane < SUMS; ++lane) total += sums[lane];
    return total;
}

}  // namespace

const Level NEGTEMP_LEVEL = {NEGTEMP_NAME, look, above, sum, weigh, exponentials};

}  // namespace negtemp
