/**
 * The axis of beta as it is drawn: from +∞ at the left through 0 to -∞ at the right, from cold to hotter than infinitely
 * hot. Linear near 0, logarithmic beyond, by `negtemp.theory.axis`, whose constants the server sends. The infinities
 * stand one unit beyond the largest beta.
 */

/** How far one press of an arrow goes; with Shift; and one of Page Up. */
export const STEP = 0.1;
export const FINE = 0.01;
export const LEAP = 1;

export class Axis {
  /** @param {{linear: number, largest: number}} constants */
  constructor({ linear, largest }) {
    this.linear = linear;
    this.largest = largest;
    this.end = this.position(largest) + 1;
  }

  /**
   * Where a finite beta stands on theory's axis, which grows with beta.
   * @param {number} beta
   */
  position(beta) {
    const size = Math.abs(beta) / this.linear;
    return Math.sign(beta) * (size <= 1 ? size : 1 + Math.log10(size));
  }

  /**
   * The beta at a position: the inverse.
   * @param {number} place
   */
  betaAt(place) {
    const size = Math.abs(place);
    return Math.sign(place) * this.linear * (size <= 1 ? size : 10 ** (size - 1));
  }

  /**
   * Where a beta stands on the page, from 0 at the left to 1 at the right.
   * @param {number} beta
   */
  share(beta) {
    const place = Math.max(-this.end, Math.min(this.end, Number.isFinite(beta) ? this.position(beta) : Math.sign(beta) * this.end));
    return (1 - place / this.end) / 2;
  }

  /**
   * The beta at a share of the page's width, of few digits; exactly 0 and ±∞ near enough to them.
   * @param {number} share
   * @param {number} pull how near, as a share
   * @returns {number}
   */
  betaAtShare(share, pull) {
    if (share <= pull) return Infinity;
    if (share >= 1 - pull) return -Infinity;
    if (Math.abs(share - 0.5) <= pull) return 0;
    return rounded(this.betaAt((1 - 2 * share) * this.end), 3);
  }

  /**
   * The beta so many steps further from this one, on whole steps.
   * @param {number} beta
   * @param {number} steps how many, towards -∞
   * @param {number} step how long each is
   * @returns {number}
   */
  moved(beta, steps, step) {
    const place = Number.isFinite(beta) ? this.position(beta) : Math.sign(beta) * this.end;
    const goal = (Math.round(place / step) - steps) * step;
    if (Math.abs(goal) > this.end - 1 + 1e-9) {
      const outside = Math.sign(goal) * Infinity;
      return Number.isFinite(beta) || Math.abs(goal) >= this.end ? outside : Math.sign(beta) * this.largest;
    }
    return rounded(this.betaAt(goal), 6);
  }

  /** The finite betas to draw curves over, from +largest to -largest: those that `negtemp spectrum` computes. */
  grid() {
    const steps = Math.round((this.end - 1) * 10);
    return Array.from({ length: 2 * steps + 1 }, (_, index) => rounded(this.betaAt((steps - index) / 10), 6));
  }

  /** The ends, 0 and every decade between, from left to right. */
  ticks() {
    const decades = Array.from({ length: Math.round(this.end - 1) }, (_, index) => this.betaAt(index + 1));
    const right = [...decades.map((beta) => -rounded(beta, 6)), -Infinity];
    return [...right.map((beta) => -beta).reverse(), 0, ...right];
  }
}

/**
 * @param {number} value
 * @param {number} digits
 */
export function rounded(value, digits) {
  return Number(value.toPrecision(digits)) + 0;
}

/**
 * T = 1/beta; +0 and -0 at the infinities, infinite at 0.
 * @param {number} beta
 */
export function temperature(beta) {
  return beta === 0 ? Infinity : 1 / beta;
}
