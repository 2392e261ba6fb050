// One pass over rows of logits, for negtemp/model/kernel.py: the statistics of a token, and its draw.
//
// A row is taken in pieces that stay in the first-level cache; pieces are shared out to threads, and what they tell is
// added up in the order of the row, so that the number of threads moves no bit. Compile with -ffp-contract=off.
// The specifications are negtemp/theory/observation.py, and for the draw llama.cpp's samplers `logit_bias`, `temp` and
// `dist`, as patches/ leave them. It leaves out every other sampler, and rows that hold NaN or +inf.
//
// Threads are those of OpenMP, where the compiler has it: between two decodes of ggml they are idle.

#include "level.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace negtemp {
namespace {

constexpr float INF = std::numeric_limits<float>::infinity();
constexpr double HALF_ULP = 0x1p-53;

// does the level compute expf as this machine's C library does? A level that errs anywhere is not used for that.
bool agrees(const Level &level) {
    constexpr int COUNT = 4096;
    std::vector<float> x(COUNT), found(COUNT);
    for (int i = 0; i < COUNT; ++i) x[i] = UNDERFLOW_AT * (float(i) * float(i) / (float(COUNT) * COUNT));
    level.exponentials(x.data(), COUNT, found.data());
    for (int i = 0; i < COUNT; ++i) {
        if (found[i] != expf(x[i])) return false;
    }
    return true;
}

const Level &best() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return avx512;
    if (has_avx2) return avx2;
#endif
    return plain;
}

const Level *chosen_level = &best();
const Level *weighing_level = agrees(*chosen_level) ? chosen_level : &plain;

// ids `[count]`, ascending, that a piece must show as another value
struct Barred {
    const int32_t *ids;
    int64_t count;

    bool any(int64_t start, int64_t end) const {
        const int32_t *next = std::lower_bound(ids, ids + count, int32_t(start));
        return next != ids + count && *next < end;
    }
};

// a piece of a row; in `copy`, where something in it is hidden
const float *shown(const float *row, int64_t start, int64_t end, const Barred &barred, float value, bool hide_masks,
                   float *copy) {
    const bool any = barred.any(start, end);
    if (!any && !hide_masks) return row + start;
    std::copy(row + start, row + end, copy);
    if (hide_masks) std::replace(copy, copy + (end - start), -INF, value);
    const int32_t *next = std::lower_bound(barred.ids, barred.ids + barred.count, int32_t(start));
    for (; next != barred.ids + barred.count && *next < end; ++next) copy[*next - start] = value;
    return copy;
}

void join(Extremes &found, const Extremes &other) {
    found.second_highest = std::max({found.second_highest, std::min(found.highest, other.highest), other.second_highest});
    found.highest = std::max(found.highest, other.highest);
    found.second_lowest = std::min({found.second_lowest, std::max(found.lowest, other.lowest), other.second_lowest});
    found.lowest = std::min(found.lowest, other.lowest);
    found.above += other.above;
    found.has_nan |= other.has_nan;
}

const Extremes NOTHING = {-INF, -INF, INF, INF, 0, false};

// what all of a piece says, and what is left of it where something could not be drawn
struct Seen {
    Extremes all, drawable;
    Sums sums;
};

Seen see(const float *row, int64_t start, int64_t end, float chosen, int sign, const Barred &barred) {
    const Level &level = *chosen_level;
    Seen found;
    found.all = level.look(row + start, end - start, chosen);
    found.drawable = found.all;
    const bool masks = sign < 0 && found.all.lowest == -INF;
    if (masks || barred.any(start, end)) {
        float copy[PIECE];
        const float *left = shown(row, start, end, barred, sign < 0 ? INF : -INF, masks, copy);
        found.drawable = level.look(left, end - start, chosen);
    }
    found.sums = std::isfinite(found.all.highest) ? level.sum(row + start, end - start, found.all.highest) : Sums{0, 0};
    return found;
}

// of one row: the highest logit, the sums of w and of w (z - highest), the gap, how many are above; false: no numbers
bool summarise(const Seen *seen, int64_t pieces, int sign, double *found) {
    Extremes all = NOTHING, drawable = NOTHING;
    for (int64_t piece = 0; piece < pieces; ++piece) {
        join(all, seen[piece].all);
        join(drawable, seen[piece].drawable);
    }
    if (all.has_nan || !std::isfinite(all.highest)) return false;
    double total = 0, distance = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) {
        const Sums &sums = seen[piece].sums;
        if (!std::isfinite(seen[piece].all.highest)) continue;
        const double below = double(seen[piece].all.highest) - all.highest, share = std::exp(below);
        total += share * sums.total;
        distance += share * (sums.distance + below * sums.total);
    }
    const double gap = sign > 0   ? double(drawable.highest) - drawable.second_highest
                       : sign < 0 ? double(drawable.second_lowest) - drawable.lowest
                                  : 0.0;
    found[0] = all.highest;
    found[1] = total;
    found[2] = distance;
    found[3] = std::isfinite(gap) ? gap : 0.0;
    found[4] = double(all.above);
    return true;
}

int64_t pieces_of(int64_t vocab) { return (vocab + PIECE - 1) / PIECE; }

// fewer pieces than this are done before another thread has woken up
constexpr int64_t FEW = 8;

int useful(int threads, int64_t pieces) { return int(std::max<int64_t>(1, std::min<int64_t>(threads, pieces / FEW))); }

// one draw under way
struct Drawing {
    const float *row;
    int64_t vocab;
    Barred masked;
    const Seen *seen;
    Weighing how;


    bool reaches(int64_t piece) const {
        const Extremes &drawable = seen[piece].drawable;
        return how.temperature > 0 ? drawable.highest >= how.limit : drawable.lowest <= how.limit;
    }

    double weigh(int64_t piece, float *weights) const {
        const int64_t start = piece * PIECE, end = std::min(start + PIECE, vocab);
        if (!reaches(piece)) {
            std::fill(weights, weights + (end - start), 0.0f);
            return 0;
        }
        float copy[PIECE];
        return weighing_level->weigh(shown(row, start, end, masked, -INF, false, copy), end - start, how, weights);
    }
};

// finds what everything is weighed against; false where a logit is no number, or none may be drawn
bool weighing(const float *row, int64_t vocab, const Barred &masked, float temperature, int threads, Seen *seen,
              Weighing &how) {
    const int64_t pieces = pieces_of(vocab);
    const bool inverted = temperature < 0;
    Extremes all = NOTHING, raw = NOTHING;
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) if (threads > 1)
#endif
    for (int64_t piece = 0; piece < pieces; ++piece) {
        const int64_t start = piece * PIECE, end = std::min(start + PIECE, vocab);
        float copy[PIECE];
        seen[piece].all = chosen_level->look(row + start, end - start, 0);
        seen[piece].drawable = seen[piece].all;
        const bool masks = inverted && seen[piece].all.lowest == -INF;
        if (masks || masked.any(start, end)) {
            const float *left = shown(row, start, end, masked, inverted ? INF : -INF, masks, copy);
            seen[piece].drawable = chosen_level->look(left, end - start, 0);
        }
    }
    for (int64_t piece = 0; piece < pieces; ++piece) {
        join(raw, seen[piece].all);
        join(all, seen[piece].drawable);
    }
    how.temperature = temperature;
    how.extreme = inverted ? all.lowest : all.highest / temperature;
    const double extreme = inverted ? all.lowest : all.highest;
    // twice as far as a weight reaches, for what is rounded on the way
    how.limit = float(extreme - 256.0 * temperature - std::copysign(1e-5 * std::fabs(extreme), temperature));
    return !raw.has_nan && raw.highest < INF && std::isfinite(extreme) && std::isfinite(how.extreme);
}

// llama.cpp's own sums, term after term
void draw_in_order(const Drawing &drawing, double random, int32_t &token_id, float &p) {
    const int64_t pieces = pieces_of(drawing.vocab);
    float weights[PIECE];
    double sum = 0, run = 0;
    auto each = [&](auto &&take) {
        for (int64_t piece = 0; piece < pieces; ++piece) {
            const int64_t start = piece * PIECE, count = std::min(PIECE, drawing.vocab - start);
            drawing.weigh(piece, weights);
            for (int64_t i = 0; i < count; ++i) {
                if (take(start + i, weights[i])) return;
            }
        }
    };
    each([&](int64_t, float w) { sum += w; return false; });
    token_id = int32_t(drawing.vocab - 1);
    float found = 0;
    each([&](int64_t id, float w) {
        run += w;
        if (run < sum * random) return false;
        token_id = int32_t(id);
        found = w;
        return true;
    });
    p = float(found / sum);
}

// the same from sums in another order, where these cannot differ in what they lead to; false where they could
bool draw_by_pieces(const Drawing &drawing, double random, const double *sums, int32_t &token_id, float &p) {
    const int64_t pieces = pieces_of(drawing.vocab);
    const double margin = 3 * HALF_ULP * double(drawing.vocab + 64);
    double sum = 0, run = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) sum += sums[piece];
    const double least = sum * random * (1 - margin), most = sum * random * (1 + margin);
    float weights[PIECE];
    for (int64_t piece = 0; piece < pieces; run += sums[piece], ++piece) {
        if ((run + sums[piece]) * (1 + margin) < least) continue;
        const int64_t start = piece * PIECE, count = std::min(PIECE, drawing.vocab - start);
        drawing.weigh(piece, weights);
        double here = run;
        for (int64_t i = 0; i < count; ++i) {
            here += weights[i];
            if (here * (1 + margin) < least) continue;
            token_id = int32_t(start + i);
            p = float(weights[i] / (sum * (1 - margin)));
            return here * (1 - margin) >= most && p == float(weights[i] / (sum * (1 + margin)));
        }
    }
    return false;
}

}  // namespace
}  // namespace negtemp

using namespace negtemp;

// raised whenever a function below changes its meaning
EXPORTED int negtemp_version() { return 2; }

EXPORTED const char *negtemp_level() { return chosen_level->name; }

// whether the draw is computed at that level as well, or by the C library's expf one by one
EXPORTED int negtemp_level_weighs() { return weighing_level == chosen_level; }

// `signs` of beta, `[count]`; `found` `[count, 5]` as `summarise` says; `barred` and `barred_counts` `[count]`
EXPORTED void negtemp_observe(int64_t count, const float *const *rows, int64_t vocab, const int32_t *token_ids,
                              const int32_t *signs, const int32_t *const *barred, const int64_t *barred_counts,
                              int threads, double *found) {
    const int64_t pieces = pieces_of(vocab);
    static thread_local std::vector<Seen> kept;
    kept.resize(count * pieces);
    Seen *seen = kept.data();
    threads = useful(threads, count * pieces);
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) if (threads > 1)
#endif
    for (int64_t index = 0; index < count * pieces; ++index) {
        const int64_t row = index / pieces, start = index % pieces * PIECE;
        const Barred hidden = {barred[row], barred_counts[row]};
        const float chosen = rows[row][token_ids[row]];
        seen[index] = see(rows[row], start, std::min(start + PIECE, vocab), chosen, signs[row], hidden);
    }
    for (int64_t row = 0; row < count; ++row) {
        if (!summarise(seen + row * pieces, pieces, signs[row], found + 5 * row))
            found[5 * row] = std::numeric_limits<double>::quiet_NaN();
    }
}

// the numbers of llama.cpp's `dist`, which are those of this C++ library
EXPORTED void *negtemp_random(uint32_t seed) { return new std::mt19937(seed); }

EXPORTED void negtemp_random_free(void *random) { delete static_cast<std::mt19937 *>(random); }

EXPORTED double negtemp_random_next(void *random) {
    return std::uniform_real_distribution<double>(0.0f, 1.0f)(*static_cast<std::mt19937 *>(random));
}

// 1 where a logit is no number, or none may be drawn: then nothing is drawn here, and no number taken from `numbers`
EXPORTED int negtemp_draw(const float *row, int64_t vocab, const int32_t *masked, int64_t masked_count,
                          float temperature, void *numbers, int threads, int32_t *token_id, float *p) {
    const int64_t pieces = pieces_of(vocab);
    threads = useful(threads, pieces);
    static thread_local std::vector<Seen> kept_seen;
    static thread_local std::vector<double> kept_sums;
    kept_seen.resize(pieces);
    kept_sums.resize(pieces);
    Drawing drawing = {row, vocab, {masked, masked_count}, kept_seen.data(), {}};
    if (!weighing(row, vocab, drawing.masked, temperature, threads, kept_seen.data(), drawing.how)) return 1;
    double *sums = kept_sums.data();
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) if (threads > 1)
#endif
    for (int64_t piece = 0; piece < pieces; ++piece) {
        float weights[PIECE];
        sums[piece] = drawing.weigh(piece, weights);
    }
    const double random = negtemp_random_next(numbers);
    if (!draw_by_pieces(drawing, random, sums, *token_id, *p)) draw_in_order(drawing, random, *token_id, *p);
    return 0;
}

// draws of several rows, each as above: rows side by side where there are as many as threads. Everything is `[count]`.
EXPORTED void negtemp_draw_all(int64_t count, const float *const *rows, int64_t vocab, const int32_t *const *masked,
                               const int64_t *masked_counts, const float *temperatures, void *const *numbers,
                               int threads, int32_t *token_ids, float *ps, int32_t *statuses) {
    const bool by_row = count >= threads;
    const int within = by_row ? 1 : threads;
    auto draw = [&](int64_t row) {
        statuses[row] = negtemp_draw(rows[row], vocab, masked[row], masked_counts[row], temperatures[row],
                                     numbers[row], within, &token_ids[row], &ps[row]);
    };
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (by_row && threads > 1)
#endif
    for (int64_t row = 0; row < count; ++row) draw(row);
}

// for the test that holds expf to the C library's
EXPORTED void negtemp_exponentials(const float *x, int64_t count, float *found) {
    weighing_level->exponentials(x, count, found);
}
