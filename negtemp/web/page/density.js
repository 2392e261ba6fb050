/**
 * All tokens by their logits, and where among them the probability lies at this beta: at the right end when cold, over
 * all of them when infinitely hot, at the left end below zero.
 */

import { at } from "./bins.js";
import { cleared, colour, find, write } from "./dom.js";
import * as format from "./format.js";

const COLUMNS = 120;
const FOOT = 20;

export class Density {
  constructor() {
    this.canvas = find("density", HTMLCanvasElement);
    this.text = find("density-text", HTMLElement);
    this.counts = new Float64Array(COLUMNS);
    this.mass = new Float64Array(COLUMNS);
    /** @type {import("./distribution.js").Distribution | null} */
    this.distribution = null;
    /** @type {import("./distribution.js").State | null} */
    this.state = null;
    /** @type {number[]} */
    this.marked = [];
    new ResizeObserver(() => this.#paint()).observe(this.canvas);
  }

  /** @param {import("./distribution.js").Distribution} distribution */
  draw(distribution) {
    this.distribution = distribution;
    this.counts.fill(0);
    for (const logit of distribution.logits) {
      const column = this.#column(logit);
      if (column >= 0) this.counts[column] = at(this.counts, column) + 1;
    }
  }

  /**
   * Tokens whose places are shown.
   * @param {number[]} tokens
   */
  mark(tokens) {
    this.marked = tokens;
    this.#paint();
  }

  /** @param {number} logit */
  #column(logit) {
    const { distribution } = this;
    if (!distribution || !Number.isFinite(logit)) return -1;
    const low = at(distribution.logits, distribution.lowest);
    return distribution.range ? Math.min(COLUMNS - 1, Math.floor(((logit - low) / distribution.range) * COLUMNS)) : COLUMNS >> 1;
  }

  /** @param {import("./distribution.js").State} state */
  show(state) {
    this.state = state;
    const { distribution, mass } = this;
    if (!distribution) return;
    mass.fill(0);
    distribution.weights(state.beta, (logit, weight) => {
      const column = this.#column(logit);
      mass[column] = at(mass, column) + weight;
    });
    this.#paint();
    write(this.text, `mean logit ${format.fixed(-state.energy, 2)}; as if ${format.count(Math.exp(state.entropy))} of ${format.count(distribution.allowed)} tokens were equally likely`);
  }

  #paint() {
    const { distribution, state, canvas } = this;
    if (!distribution || !state) return;
    const { pen, width, height } = cleared(canvas);
    const base = height - FOOT;
    const most = Math.log1p(Math.max(...this.counts));
    this.#hill(pen, width, base, (column) => Math.log1p(at(this.counts, column)) / most, colour("faint"), null);
    const largest = Math.max(...this.mass);
    const tint = state.beta === 0 ? "even" : state.beta > 0 ? "cold" : "hot";
    this.#hill(pen, width, base, (column) => at(this.mass, column) / largest, colour(`${tint}-wash`), colour(tint));
    this.#foot(pen, width, height, distribution, state);
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {number} width
   * @param {number} base
   * @param {(column: number) => number} share
   * @param {string} fill
   * @param {string | null} stroke
   */
  #hill(pen, width, base, share, fill, stroke) {
    const step = width / COLUMNS;
    const outline = new Path2D();
    outline.moveTo(0, base);
    for (let column = 0; column < COLUMNS; column++) {
      const top = base - share(column) * (base - 6);
      outline.lineTo(column * step, top);
      outline.lineTo((column + 1) * step, top);
    }
    outline.lineTo(width, base);
    pen.fillStyle = fill;
    pen.fill(outline);
    if (!stroke) return;
    pen.strokeStyle = stroke;
    pen.lineWidth = 1.5;
    pen.stroke(outline);
  }

  /**
   * The scale below, the mean's tick and those of marked tokens.
   * @param {CanvasRenderingContext2D} pen
   * @param {number} width
   * @param {number} height
   * @param {import("./distribution.js").Distribution} distribution
   * @param {import("./distribution.js").State} state
   */
  #foot(pen, width, height, distribution, state) {
    const low = at(distribution.logits, distribution.lowest);
    const place = (/** @type {number} */ logit) => (distribution.range ? ((logit - low) / distribution.range) * width : width / 2);
    const base = height - FOOT;
    pen.fillStyle = colour("quiet");
    pen.font = `12px ${getComputedStyle(this.canvas).fontFamily}`;
    pen.textBaseline = "bottom";
    pen.textAlign = "left";
    pen.fillText(`logit ${format.fixed(low, 1)}: least likely`, 0, height);
    pen.textAlign = "right";
    pen.fillText(`most likely: ${format.fixed(low + distribution.range, 1)}`, width, height);
    pen.fillStyle = colour("ink");
    pen.fillRect(Math.min(width - 2, Math.max(0, place(-state.energy) - 1)), base - 4, 2, 8);
    pen.fillStyle = colour("found");
    for (const token of this.marked) {
      const logit = at(distribution.logits, token);
      if (Number.isFinite(logit)) pen.fillRect(Math.min(width - 2, place(logit)), 4, 2, base - 4);
    }
  }
}
