/**
 * One next-token distribution at any beta, of either sign: what `negtemp.theory.thermodynamics` says, in JavaScript.
 *
 *     p_i = exp(beta z_i) / Z     U = -<z>     S = ln Z - beta <z>     C = beta² Var(z)
 *
 * All is measured from the logit that this sign of beta favours most, so nothing overflows; a logit that is not finite
 * is a mask. `exact` sums every token in float64; `quick` sums bins, for a slider that moves.
 */

import { Bins, at } from "./bins.js";

/**
 * @typedef {object} State what holds at one beta
 * @property {number} beta
 * @property {number} total sum of the weights exp(beta (z - extreme)), the leader's 1 among them
 * @property {number} extreme the logit that beta favours most
 * @property {number} entropy nats
 * @property {number} energy nats
 * @property {number} capacity
 */

/** @typedef {1 | -1} Sign */

export class Distribution {
  /** @param {Float32Array} logits */
  constructor(logits) {
    this.logits = logits;
    let low = -1;
    let high = -1;
    let allowed = 0;
    for (let token = 0; token < logits.length; token++) {
      const logit = at(logits, token);
      if (!Number.isFinite(logit)) continue;
      allowed++;
      if (low < 0 || logit < at(logits, low)) low = token;
      if (high < 0 || logit > at(logits, high)) high = token;
    }
    this.allowed = allowed;
    this.lowest = low;
    this.highest = high;
    this.range = allowed ? at(logits, high) - at(logits, low) : 0;
    /** @type {Map<number, Bins>} */
    this.bins = new Map();
    /** @type {Map<string, number[]>} */
    this.orders = new Map();
    this.atOne = this.exact(1);
  }

  /**
   * The token that a sign of beta favours most.
   * @param {Sign} sign
   */
  leader(sign) {
    return sign > 0 ? this.highest : this.lowest;
  }

  /**
   * By sums over every token.
   * @param {number} beta any, ±∞ among them
   * @returns {State}
   */
  exact(beta) {
    const { logits } = this;
    const leader = this.leader(beta >= 0 ? 1 : -1);
    const extreme = at(logits, leader);
    let others = 0;
    let first = 0;
    let second = 0;
    for (let token = 0; token < logits.length; token++) {
      const distance = at(logits, token) - extreme;
      if (token === leader || !Number.isFinite(distance)) continue;
      const weight = distance === 0 ? 1 : Math.exp(beta * distance);
      others += weight;
      first += weight * distance;
      second += weight * distance * distance;
    }
    return state(beta, extreme, { others, first, second });
  }

  /**
   * By sums over bins, where they serve.
   * @param {number} beta
   * @returns {State}
   */
  quick(beta) {
    const sign = beta >= 0 ? 1 : -1;
    const bins = this.#binsOf(sign);
    return Number.isFinite(beta) && bins.serve(beta) ? state(beta, at(this.logits, this.leader(sign)), bins.sums(beta)) : this.exact(beta);
  }

  /**
   * Where the weight of a beta lies: `told` hears logits and weights, a bin of tokens at a time.
   * @param {number} beta
   * @param {(logit: number, weight: number) => void} told
   */
  weights(beta, told) {
    const sign = beta >= 0 ? 1 : -1;
    const extreme = at(this.logits, this.leader(sign));
    told(extreme, 1);
    if (!Number.isFinite(beta)) return;
    const { counts, means } = this.#binsOf(sign);
    for (let bin = 0; bin < counts.length; bin++) told(extreme + at(means, bin), at(counts, bin) * Math.exp(beta * at(means, bin)));
  }

  /** @param {Sign} sign */
  #binsOf(sign) {
    let bins = this.bins.get(sign);
    if (!bins) {
      bins = new Bins(this.logits, this.leader(sign), this.range);
      this.bins.set(sign, bins);
    }
    return bins;
  }

  /**
   * ln p of a token; -∞ where it is masked.
   * @param {number} token
   * @param {State} state
   */
  logProbability(token, state) {
    const distance = at(this.logits, token) - state.extreme;
    if (!Number.isFinite(distance)) return -Infinity;
    return (distance === 0 ? 0 : state.beta * distance) - Math.log(state.total);
  }

  /**
   * How many tokens are strictly more likely at T = 1.
   * @param {number} token
   */
  rank(token) {
    const logit = at(this.logits, token);
    let more = 0;
    for (const other of this.logits) if (other > logit) more++;
    return more;
  }

  /**
   * The tokens that a sign of beta favours most, the dominant one first, ties by id.
   * @param {Sign} sign
   * @param {number} count
   * @returns {number[]}
   */
  favoured(sign, count) {
    const name = `${sign} ${count}`;
    let order = this.orders.get(name);
    if (!order) {
      order = best(this.logits, sign, count);
      this.orders.set(name, order);
    }
    return order;
  }

  /**
   * How many tokens share the extreme logit.
   * @param {Sign} sign
   */
  ties(sign) {
    const extreme = at(this.logits, this.leader(sign));
    return this.logits.reduce((ties, logit) => ties + (logit === extreme ? 1 : 0), 0);
  }

  /**
   * The plateau of a sign: the minimum of C between two maxima, nearest to 0; exp(S) there counts its tokens.
   * @param {number[]} betas of this sign, ascending in size
   * @returns {{beta: number, tokens: number} | null}
   */
  plateau(betas) {
    const capacity = betas.map((beta) => this.quick(beta).capacity);
    const dip = capacity.findIndex((value, index) => {
      return index > 0 && index < capacity.length - 1 && value < (capacity[index - 1] ?? 0) && value < (capacity[index + 1] ?? 0);
    });
    if (dip < 0) return null;
    const beta = this.#leastCapacity(betas[dip - 1] ?? 0, betas[dip + 1] ?? 0);
    return { beta, tokens: Math.exp(this.exact(beta).entropy) };
  }

  /**
   * Golden section.
   * @param {number} near
   * @param {number} far
   */
  #leastCapacity(near, far) {
    const ratio = (Math.sqrt(5) - 1) / 2;
    while (Math.abs(far - near) > 1e-6 * Math.abs(far)) {
      const low = far - ratio * (far - near);
      const high = near + ratio * (far - near);
      if (this.quick(low).capacity < this.quick(high).capacity) far = high;
      else near = low;
    }
    return (near + far) / 2;
  }
}

/**
 * @param {number} beta
 * @param {number} extreme
 * @param {import("./bins.js").Sums} sums
 * @returns {State}
 */
function state(beta, extreme, { others, first, second }) {
  const total = 1 + others;
  const mean = first / total;
  const finite = Number.isFinite(beta) ? beta : 0;
  return {
    beta, total, extreme,
    entropy: Math.log1p(others) - finite * mean,
    energy: -(extreme + mean),
    capacity: finite * finite * Math.max(0, second / total - mean * mean),
  };
}

/**
 * The `count` best of the logits by one pass with a bar that rises.
 * @param {Float32Array} logits
 * @param {Sign} sign
 * @param {number} count
 * @returns {number[]}
 */
function best(logits, sign, count) {
  /** @type {number[]} */
  let kept = [];
  let bar = -Infinity;
  /** @param {number} a @param {number} b */
  const order = (a, b) => sign * (at(logits, b) - at(logits, a)) || a - b;
  for (let token = 0; token < logits.length; token++) {
    const value = sign * at(logits, token);
    if (!Number.isFinite(value) || (kept.length >= count && value <= bar)) continue;
    kept.push(token);
    if (kept.length >= 8 * count) {
      kept = kept.sort(order).slice(0, count);
      bar = sign * at(logits, kept[count - 1] ?? 0);
    }
  }
  return kept.sort(order).slice(0, count);
}
