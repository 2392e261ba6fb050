// Draws and their statistics over rows of logits, for negtemp/model/kernel.py.
//
// A row is taken in pieces that stay in the first-level cache: the first pass finds the extremes of a piece and, where
// statistics are wanted, its sums; the second weighs what can be drawn; and what is above the drawn token is counted in
// the pieces that hold any of it. Pieces are shared out to threads, and what they tell is added up in the order of the
// row, so that the number of threads moves no bit. Compile with -ffp-contract=off.
// The specifications are negtemp/theory/observation.py, and for the draw llama.cpp's samplers `logit_bias`, `temp` and
// `dist`, as patches/ leave them. It leaves out every other sampler, and rows that hold NaN or +inf.
// A step is llama.cpp's decode and these draws in one call: what Python does between the two costs more than they do, as
// a decode leaves nothing of it in the caches.
//
// Threads are those of OpenMP, where the compiler has it: between two decodes of ggml they are idle.

#include "level.h"

#include <algorithm>
#include <chrono>
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

// one row, what is to be done with it, and what was found: `Turn` of negtemp/model/kernel.py, field by field
struct Turn {
    const float *row;
    const int32_t *masked;  // ids, ascending, that cannot be drawn
    int64_t masked_count;
    void *numbers;  // as `negtemp_random` makes them
    float temperature;  // as the sampler `temp` is given it; 0: the extreme logit of the lowest id
    int32_t sign;  // of beta
    int32_t token_id, status;  // REFUSED where nothing could be drawn, and no number was taken
    int32_t position, sequence;  // where a step decodes the token
    double p;
    double figures[5];  // as `summarise` says
};

enum { DONE = 0, REFUSED = 1 };

// what all of a piece says, and what is left of it where something could not be drawn
struct Seen {
    Extremes all, drawable;
    Sums sums;
};

// the pieces of a row
struct Pieces {
    const Turn &turn;
    const int64_t vocab;

    static int64_t in(int64_t vocab) { return (vocab + PIECE - 1) / PIECE; }

    int64_t count() const { return in(vocab); }
    int64_t start(int64_t piece) const { return piece * PIECE; }
    int64_t size(int64_t piece) const { return std::min(PIECE, vocab - start(piece)); }
    const float *at(int64_t piece) const { return turn.row + start(piece); }
    bool inverted() const { return turn.sign < 0; }

    // with `value` in place of what is masked, and of -inf where `hides` says so; in `copy`, unless nothing is
    const float *shown(int64_t piece, float value, bool hides, float *copy) const {
        const int32_t *end = turn.masked + turn.masked_count;
        const int32_t *next = std::lower_bound(turn.masked, end, int32_t(start(piece)));
        const int64_t behind = start(piece) + size(piece);
        if (!hides && (next == end || *next >= behind)) return at(piece);
        std::copy(at(piece), at(piece) + size(piece), copy);
        if (hides) std::replace(copy, copy + size(piece), -INF, value);
        for (; next != end && *next < behind; ++next) copy[*next - start(piece)] = value;
        return copy;
    }

    // what can be drawn of a piece that was looked at; below zero -inf stays a mask
    const float *drawable(int64_t piece, const Extremes &all, float *copy) const {
        return shown(piece, inverted() ? INF : -INF, inverted() && all.lowest == -INF, copy);
    }

    Seen see(int64_t piece, bool sums) const {
        Seen found;
        found.all = chosen_level->look(at(piece), size(piece));
        found.drawable = found.all;
        float copy[PIECE];
        const float *left = drawable(piece, found.all, copy);
        if (left != at(piece)) found.drawable = chosen_level->look(left, size(piece));
        found.sums = sums && std::isfinite(found.all.highest)
                         ? chosen_level->sum(at(piece), size(piece), found.all.highest)
                         : Sums{0, 0};
        return found;
    }

    // how many logits are greater than that of the drawn token
    int64_t above(int64_t piece, const Seen &seen) const {
        const float chosen = turn.row[turn.token_id];
        return seen.all.highest > chosen ? chosen_level->above(at(piece), size(piece), chosen) : 0;
    }
};

void join(Extremes &found, const Extremes &other) {
    found.second_highest = std::max({found.second_highest, std::min(found.highest, other.highest), other.second_highest});
    found.highest = std::max(found.highest, other.highest);
    found.second_lowest = std::min({found.second_lowest, std::max(found.lowest, other.lowest), other.second_lowest});
    found.lowest = std::min(found.lowest, other.lowest);
    found.has_nan |= other.has_nan;
}

const Extremes NOTHING = {-INF, -INF, INF, INF, false};

// how far the token's logit lies from the highest (NaN where there are no numbers), the sums of w and of
// w (z - highest), the gap, how many are above
void summarise(const Seen *seen, int64_t pieces, int64_t above, Turn &turn) {
    double *found = turn.figures;
    Extremes all = NOTHING, drawable = NOTHING;
    for (int64_t piece = 0; piece < pieces; ++piece) {
        join(all, seen[piece].all);
        join(drawable, seen[piece].drawable);
    }
    if (all.has_nan || !std::isfinite(all.highest)) {
        found[0] = std::numeric_limits<double>::quiet_NaN();
        return;
    }
    double total = 0, distance = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) {
        const Sums &sums = seen[piece].sums;
        if (!std::isfinite(seen[piece].all.highest)) continue;
        const double below = double(seen[piece].all.highest) - all.highest, share = std::exp(below);
        total += share * sums.total;
        distance += share * (sums.distance + below * sums.total);
    }
    const double gap = turn.sign > 0   ? double(drawable.highest) - drawable.second_highest
                       : turn.sign < 0 ? double(drawable.second_lowest) - drawable.lowest
                                       : 0.0;
    found[0] = double(turn.row[turn.token_id]) - all.highest;
    found[1] = total;
    found[2] = distance;
    found[3] = std::isfinite(gap) ? gap : 0.0;
    found[4] = double(above);
}

// fewer pieces than this are done before another thread has woken up
constexpr int64_t FEW = 8;

int useful(int threads, int64_t pieces) { return int(std::max<int64_t>(1, std::min<int64_t>(threads, pieces / FEW))); }

// a sum over pieces, which are shared out to threads; each tells what it adds
template <typename Take> int64_t over_pieces(int64_t count, int threads, const Take &take) {
    int64_t found = 0;
    if (threads == 1) {
        for (int64_t piece = 0; piece < count; ++piece) found += take(piece);
        return found;
    }
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) reduction(+ : found)
#endif
    for (int64_t piece = 0; piece < count; ++piece) found += take(piece);
    return found;
}

// one draw under way
struct Drawing {
    Pieces pieces;
    const Seen *seen;
    Weighing how;

    bool reaches(int64_t piece) const {
        const Extremes &drawable = seen[piece].drawable;
        return pieces.inverted() ? drawable.lowest <= how.limit : drawable.highest >= how.limit;
    }

    double weigh(int64_t piece, float *weights) const {
        if (!reaches(piece)) {
            std::fill(weights, weights + pieces.size(piece), 0.0f);
            return 0;
        }
        float copy[PIECE];
        return weighing_level->weigh(pieces.shown(piece, -INF, false, copy), pieces.size(piece), how, weights);
    }
};

// finds what everything is weighed against; false where a logit is no number, or none may be drawn
bool prepare(Drawing &drawing) {
    Extremes all = NOTHING, drawable = NOTHING;
    for (int64_t piece = 0; piece < drawing.pieces.count(); ++piece) {
        join(all, drawing.seen[piece].all);
        join(drawable, drawing.seen[piece].drawable);
    }
    const bool inverted = drawing.pieces.inverted();
    const float temperature = drawing.pieces.turn.temperature, extreme = inverted ? drawable.lowest : drawable.highest;
    // twice as far as a weight reaches, for what is rounded on the way
    const double reach = 256.0 * temperature + std::copysign(1e-5 * std::fabs(extreme), temperature);
    drawing.how = {temperature, inverted ? extreme : extreme / temperature, float(extreme - reach)};
    if (temperature == 0 || !std::isfinite(drawing.how.extreme)) drawing.how = {0, extreme, extreme};
    return !all.has_nan && all.highest < INF && std::isfinite(extreme);
}

// the first of the tokens at the extreme
void draw_extreme(const Drawing &drawing, Turn &turn) {
    turn.p = 1;
    for (int64_t piece = 0; piece < drawing.pieces.count(); ++piece) {
        if (!drawing.reaches(piece)) continue;
        float copy[PIECE];
        const float *left = drawing.pieces.drawable(piece, drawing.seen[piece].all, copy);
        const float *found = std::find(left, left + drawing.pieces.size(piece), drawing.how.extreme);
        turn.token_id = int32_t(drawing.pieces.start(piece) + (found - left));
        return;
    }
}

// llama.cpp's own sums, term after term
void draw_in_order(const Drawing &drawing, double random, Turn &turn) {
    float weights[PIECE];
    double sum = 0, run = 0;
    auto each = [&](auto &&take) {
        for (int64_t piece = 0; piece < drawing.pieces.count(); ++piece) {
            drawing.weigh(piece, weights);
            for (int64_t i = 0; i < drawing.pieces.size(piece); ++i) {
                if (take(drawing.pieces.start(piece) + i, weights[i])) return;
            }
        }
    };
    each([&](int64_t, float w) { sum += w; return false; });
    turn.token_id = int32_t(drawing.pieces.vocab - 1);
    float found = 0;
    each([&](int64_t id, float w) {
        run += w;
        if (run < sum * random) return false;
        turn.token_id = int32_t(id);
        found = w;
        return true;
    });
    turn.p = float(found / sum);
}

// the same from sums in another order, where these cannot differ in what they lead to; false where they could
bool draw_by_pieces(const Drawing &drawing, double random, const double *sums, Turn &turn) {
    const int64_t pieces = drawing.pieces.count();
    const double margin = 3 * HALF_ULP * double(drawing.pieces.vocab + 64);
    double sum = 0, run = 0;
    for (int64_t piece = 0; piece < pieces; ++piece) sum += sums[piece];
    const double least = sum * random * (1 - margin), most = sum * random * (1 + margin);
    float weights[PIECE];
    for (int64_t piece = 0; piece < pieces; run += sums[piece], ++piece) {
        if ((run + sums[piece]) * (1 + margin) < least) continue;
        drawing.weigh(piece, weights);
        double here = run;
        for (int64_t i = 0; i < drawing.pieces.size(piece); ++i) {
            here += weights[i];
            if (here * (1 + margin) < least) continue;
            turn.token_id = int32_t(drawing.pieces.start(piece) + i);
            turn.p = float(weights[i] / (sum * (1 - margin)));
            return here * (1 - margin) >= most && turn.p == float(weights[i] / (sum * (1 + margin)));
        }
    }
    return false;
}

double next_number(void *numbers) {
    return std::uniform_real_distribution<double>(0.0f, 1.0f)(*static_cast<std::mt19937 *>(numbers));
}

void draw_weighed(const Drawing &drawing, int threads, Turn &turn) {
    static thread_local std::vector<double> kept;
    kept.resize(drawing.pieces.count());
    double *sums = kept.data();
    over_pieces(drawing.pieces.count(), threads, [&](int64_t piece) {
        float weights[PIECE];
        sums[piece] = drawing.weigh(piece, weights);
        return 0;
    });
    const double random = next_number(turn.numbers);
    if (!draw_by_pieces(drawing, random, sums, turn)) draw_in_order(drawing, random, turn);
}

// draws a token of one row unless it is `given`, and says what the row says about it
void take(Turn &turn, int64_t vocab, bool given, bool statistics, int threads) {
    static thread_local std::vector<Seen> kept;
    Drawing drawing = {{turn, vocab}, nullptr, {}};
    const int64_t count = drawing.pieces.count();
    threads = useful(threads, count);
    kept.resize(count);
    Seen *seen = kept.data();
    drawing.seen = seen;
    over_pieces(count, threads, [&](int64_t piece) { seen[piece] = drawing.pieces.see(piece, statistics); return 0; });
    if (!given) {
        turn.status = prepare(drawing) ? DONE : REFUSED;
        if (turn.status == REFUSED) return;
        drawing.how.temperature == 0 ? draw_extreme(drawing, turn) : draw_weighed(drawing, threads, turn);
    }
    if (!statistics) return;
    const int64_t above =
        over_pieces(count, threads, [&](int64_t piece) { return drawing.pieces.above(piece, seen[piece]); });
    summarise(seen, count, above, turn);
}

// rows side by side where there are as many as threads; never a team within a team, which is made anew every time
void take_all(int64_t count, Turn *const *turns, int64_t vocab, bool given, bool statistics, int threads) {
    if (count < threads || threads == 1) {
        for (int64_t row = 0; row < count; ++row) take(*turns[row], vocab, given, statistics, threads);
        return;
    }
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(threads)
#endif
    for (int64_t row = 0; row < count; ++row) take(*turns[row], vocab, given, statistics, 1);
}

// `llama_batch` of llama.h
struct Batch {
    int32_t n_tokens;
    int32_t *token;
    float *embd;
    int32_t *pos, *n_seq_id, **seq_id;
    int8_t *logits;

    void put(int32_t at, int32_t token_id, int32_t position, int32_t sequence) {
        token[at] = token_id;
        pos[at] = position;
        seq_id[at][0] = sequence;
        logits[at] = 1;
    }
};

// how llama.cpp decodes: two functions of llama.h, their context, and a batch with room for every row
struct Decoder {
    int32_t (*decode)(void *, Batch);
    float *(*get_logits)(void *);
    void *context;
    Batch *batch;
    const uint8_t *ends;       // `[vocab]`, whether a token ends a sequence
    int32_t padding_sequence;  // one that nobody uses
    int32_t begun, status;     // whether the next step's decode has begun, and what llama_decode said of it
    double draw_seconds;       // of the last step's draws, without the decode
};

int32_t begin(const Decoder &decoder, int32_t count, Turn *const *turns, int32_t width) {
    Batch &batch = *decoder.batch;
    for (int32_t at = 0; at < count; ++at)
        batch.put(at, turns[at]->token_id, turns[at]->position++, turns[at]->sequence);
    for (int32_t at = count; at < width; ++at) batch.put(at, 0, at - count, decoder.padding_sequence);
    batch.n_tokens = std::max(count, width);
    return decoder.decode(decoder.context, batch);
}

// decodes the token of each turn, and draws the next; the status of llama_decode. `ahead`: then begins the decode of
// those, unless one of them ends its sequence
int32_t step(Decoder &decoder, int32_t count, Turn *const *turns, int64_t vocab, int32_t width, int threads, bool ahead) {
    const int32_t status = decoder.begun ? decoder.status : begin(decoder, count, turns, width);
    decoder.begun = 0;
    if (status != DONE) return status;
    const float *logits = decoder.get_logits(decoder.context);  // those of the prompt were there
    for (int32_t at = 0; at < count; ++at) turns[at]->row = logits + at * vocab;
    const auto started = std::chrono::steady_clock::now();
    take_all(count, turns, vocab, false, true, threads);
    decoder.draw_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    const auto goes_on = [&](const Turn *turn) { return turn->status == DONE && !decoder.ends[turn->token_id]; };
    if (ahead && std::all_of(turns, turns + count, goes_on)) {
        decoder.status = begin(decoder, count, turns, width);
        decoder.begun = 1;
    }
    return DONE;
}

}  // namespace
}  // namespace negtemp

using namespace negtemp;

// raised whenever a function below changes its meaning
EXPORTED int negtemp_version() { return 5; }

// of a `Turn`, for whoever fills one
EXPORTED int64_t negtemp_turn_bytes() { return sizeof(Turn); }

EXPORTED const char *negtemp_level() { return chosen_level->name; }

// whether the draw is computed at that level as well, or by the C library's expf one by one
EXPORTED int negtemp_level_weighs() { return weighing_level == chosen_level; }

// a draw of each of `turns` `[count]`, whose rows are `[vocab]`, with its statistics where they are wanted
EXPORTED void negtemp_draw(int64_t count, Turn *const *turns, int64_t vocab, int statistics, int threads) {
    take_all(count, turns, vocab, false, statistics != 0, threads);
}

// the statistics of the tokens that `turns` hold
EXPORTED void negtemp_observe(int64_t count, Turn *const *turns, int64_t vocab, int threads) {
    take_all(count, turns, vocab, true, true, threads);
}

// a decode of the tokens of `turns`, in `width` rows at least, and a draw of each with its statistics; `ahead`: the
// decode of what is drawn is begun as well, where none of it ends a sequence
EXPORTED int32_t negtemp_step(Decoder *decoder, int32_t count, Turn *const *turns, int64_t vocab, int32_t width,
                              int threads, int ahead) {
    return step(*decoder, count, turns, vocab, width, threads, ahead != 0);
}

// the numbers of llama.cpp's `dist`, which are those of this C++ library
EXPORTED void *negtemp_random(uint32_t seed) { return new std::mt19937(seed); }

EXPORTED void negtemp_random_free(void *random) { delete static_cast<std::mt19937 *>(random); }

// for the test that holds expf to the C library's
EXPORTED void negtemp_exponentials(const float *x, int64_t count, float *found) {
    weighing_level->exponentials(x, count, found);
}
