/**
 * A quarter of a million logits in about 4,096 bins, so that the slider's every frame sums bins and not tokens.
 *
 * Each bin keeps how many tokens it holds, their mean distance d from the extreme logit and their variance, so that
 *
 *     sum of exp(beta d) over a bin  =  n exp(beta mean) (1 + beta² var / 2)     up to the third moment
 *
 * Bins are equally wide, but for those near the extreme, which grow with the distance from it: there a large beta tells
 * logits apart that lie close together. One set serves every beta of one sign. Exact sums are in `distribution.js`.
 */

const EVEN = 2400;
const GROWTH = 1.01;
const SMALLEST = 1e-7;

/** @typedef {{others: number, first: number, second: number}} Sums sums of weights, of weights times d, times d² */

export class Bins {
  /**
   * @param {Float32Array} logits
   * @param {number} leader the token at the extreme, which is left to whoever sums
   * @param {number} range highest less lowest finite logit
   */
  constructor(logits, leader, range) {
    const places = new Places(range);
    const counts = new Float64Array(places.size);
    const sums = new Float64Array(places.size);
    const squares = new Float64Array(places.size);
    const extreme = logits[leader] ?? 0;
    for (let token = 0; token < logits.length; token++) {
      const distance = /** @type {number} */ (logits[token]) - extreme;
      if (token === leader || !Number.isFinite(distance)) continue;
      const bin = places.of(Math.abs(distance));
      // from a point in the bin: what is left is small, and its square loses nothing
      const rest = Math.abs(distance) - places.start(bin);
      counts[bin] = (counts[bin] ?? 0) + 1;
      sums[bin] = (sums[bin] ?? 0) + rest;
      squares[bin] = (squares[bin] ?? 0) + rest * rest;
    }
    const filled = [...counts.keys()].filter((bin) => counts[bin]);
    const sign = Math.sign((logits.find((logit) => Number.isFinite(logit) && logit !== extreme) ?? extreme) - extreme);
    this.narrowest = places.narrowest;
    this.counts = Float64Array.from(filled, (bin) => counts[bin] ?? 0);
    this.means = Float64Array.from(filled, (bin) => sign * (places.start(bin) + at(sums, bin) / at(counts, bin)));
    this.variances = Float64Array.from(filled, (bin) => {
      return Math.max(0, at(squares, bin) / at(counts, bin) - (at(sums, bin) / at(counts, bin)) ** 2);
    });
  }

  /**
   * The sums over all tokens but the leader, whose weight is 1 and whose d is 0.
   * @param {number} beta finite, of the sign that favours the leader, or 0
   * @returns {Sums}
   */
  sums(beta) {
    const { counts, means, variances } = this;
    let others = 0;
    let first = 0;
    let second = 0;
    for (let bin = 0; bin < counts.length; bin++) {
      const mean = at(means, bin);
      const variance = at(variances, bin);
      const weight = at(counts, bin) * Math.exp(beta * mean);
      const spread = 1 + (beta * beta * variance) / 2;
      others += weight * spread;
      first += weight * (mean * spread + beta * variance);
      second += weight * (mean * mean * spread + 2 * mean * beta * variance + variance);
    }
    return { others, first, second };
  }

  /**
   * Whether the bins tell apart what this beta does.
   * @param {number} beta
   */
  serve(beta) {
    return Math.abs(beta) * this.narrowest < 0.01;
  }
}

/** Which bin a distance falls into. */
class Places {
  /** @param {number} range */
  constructor(range) {
    this.width = range / EVEN || 1;
    this.knee = this.width / (GROWTH - 1);
    this.narrowest = range * SMALLEST || 1;
    this.scale = 1 / Math.log(GROWTH);
    this.base = 2 + Math.floor(Math.log(this.knee / this.narrowest) * this.scale);
    this.size = this.base + EVEN + 2;
  }

  /** @param {number} far */
  of(far) {
    if (far >= this.knee) return this.base + Math.floor((far - this.knee) / this.width);
    return far < this.narrowest ? 0 : 1 + Math.floor(Math.log(far / this.narrowest) * this.scale);
  }

  /** @param {number} bin */
  start(bin) {
    if (bin >= this.base) return this.knee + (bin - this.base) * this.width;
    return bin === 0 ? 0 : this.narrowest * GROWTH ** (bin - 1);
  }
}

/**
 * An entry of an array that is known to be there.
 * @param {Float64Array | Float32Array} array
 * @param {number} index
 * @returns {number}
 */
export function at(array, index) {
  return /** @type {number} */ (array[index]);
}
