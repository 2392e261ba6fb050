/**
 * Entropy, energy and heat capacity over the whole axis, right below the slider and on its axis, with one cursor through
 * all three: ln V, the plateaus, and the token that either side ends in.
 */

import { draw, find, make, write } from "./dom.js";
import * as format from "./format.js";
import { piece } from "./pieces.js";

const WIDE = 1000;
const HIGH = 100;

/** @typedef {"entropy" | "energy" | "capacity"} Quantity */

/** @type {{name: Quantity, symbol: string, word: string, unit: string}[]} */
const STRIPS = [
  { name: "entropy", symbol: "S", word: "entropy", unit: "nats" },
  { name: "energy", symbol: "U", word: "energy", unit: "nats" },
  { name: "capacity", symbol: "C", word: "heat capacity", unit: "" },
];

export class Curves {
  /**
   * @param {import("./axis.js").Axis} axis
   * @param {import("./vocabulary.js").Vocabulary} vocabulary
   */
  constructor(axis, vocabulary) {
    this.axis = axis;
    this.vocabulary = vocabulary;
    this.betas = axis.grid();
    this.strips = STRIPS.map((strip) => new Strip(strip));
    this.cursor = make("div", { class: "cursor" });
    this.element = make("div", { class: "strips" }, ...this.strips.map(({ element }) => element), this.cursor);
    find("curves", HTMLElement).replaceChildren(this.element);
    this.facts = find("facts", HTMLElement);
  }

  /** @param {import("./distribution.js").Distribution} distribution */
  draw(distribution) {
    const { axis, betas } = this;
    const all = [Infinity, ...betas, -Infinity];
    const states = all.map((beta) => distribution.quick(beta));
    const most = Math.log(distribution.allowed);
    const below = distribution.plateau(betas.filter((beta) => beta < 0));
    const above = distribution.plateau(betas.filter((beta) => beta > 0).reverse());
    for (const strip of this.strips) {
      const values = states.map((state) => state[strip.name]);
      const low = strip.name === "energy" ? Math.min(...values) : 0;
      const high = strip.name === "entropy" ? most : Math.max(...values);
      strip.draw(all.map((beta) => axis.share(beta)), values, low, high);
    }
    this.strips[0]?.annotate([
      { value: most, text: `ln V = ${format.fixed(most, 2)}: all ${format.count(distribution.allowed)} tokens`, side: 0 },
      ...(below ? [{ value: Math.log(below.tokens), text: `plateau: ${format.count(below.tokens)} tokens`, side: 1 }] : []),
      ...(above ? [{ value: Math.log(above.tokens), text: `plateau: ${format.count(above.tokens)} tokens`, side: -1 }] : []),
    ]);
    this.#say(distribution, below);
  }

  /**
   * @param {import("./distribution.js").Distribution} distribution
   * @param {{beta: number, tokens: number} | null} plateau
   */
  #say(distribution, plateau) {
    const { vocabulary } = this;
    /** @param {import("./distribution.js").Sign} sign */
    const dominant = (sign) => {
      const ties = distribution.ties(sign);
      return make("dd", {}, piece(vocabulary.view(distribution.leader(sign))), ties > 1 ? ` and ${ties - 1} that tie` : null);
    };
    this.facts.replaceChildren(
      make("div", { class: "cold" }, make("dt", {}, "Dominant above zero"), dominant(1)),
      make("div", {}, make("dt", {}, "Plateau below zero"), make("dd", {}, plateau ? `${format.count(plateau.tokens)} tokens, at β=${format.number(plateau.beta, 3)}` : "none")),
      make("div", { class: "hot" }, make("dt", {}, "Dominant below zero"), dominant(-1)),
    );
  }

  /** @param {import("./distribution.js").State} state */
  show(state) {
    this.cursor.style.left = `${100 * this.axis.share(state.beta)}%`;
    for (const strip of this.strips) strip.show(state[strip.name], this.axis.share(state.beta));
  }
}

class Strip {
  /** @param {{name: Quantity, symbol: string, word: string, unit: string}} strip */
  constructor({ name, symbol, word, unit }) {
    this.name = name;
    this.unit = unit;
    this.area = draw("path", { class: "area" });
    this.line = draw("path", { class: "line" });
    this.guides = draw("g", { class: "guides" });
    this.middle = draw("path", { class: "zero", d: `M${WIDE / 2} 0V${HIGH}` });
    const shades = [0, 0.38, 0.5, 0.62, 1].map((offset, index) => draw("stop", { offset, class: `stop-${index}` }));
    const gradient = draw("linearGradient", { id: `heat-${name}`, x1: 0, x2: WIDE, gradientUnits: "userSpaceOnUse" }, ...shades);
    const picture = draw(
      "svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      draw("defs", {}, gradient), this.middle, this.guides, this.area, this.line,
    );
    this.area.setAttribute("fill", `url(#heat-${name})`);
    this.line.setAttribute("stroke", `url(#heat-${name})`);
    this.dot = make("span", { class: "dot" });
    this.notes = make("div", { class: "notes" });
    this.value = make("output", { class: "value" });
    this.element = make(
      "figure", { class: `strip ${name}` },
      make("figcaption", {}, make("b", {}, symbol), ` ${word} `, this.value),
      make("div", { class: "plot" }, picture, this.notes, this.dot),
    );
    this.low = 0;
    this.high = 1;
  }

  /** @param {number} value how far down it stands, from 0 to 1 */
  #down(value) {
    return 1 - (value - this.low) / (this.high - this.low || 1);
  }

  /**
   * @param {number[]} shares
   * @param {number[]} values
   * @param {number} low
   * @param {number} high
   */
  draw(shares, values, low, high) {
    this.low = low;
    this.high = high;
    const points = values.map((value, index) => `${((shares[index] ?? 0) * WIDE).toFixed(1)} ${(this.#down(value) * HIGH).toFixed(2)}`);
    this.line.setAttribute("d", `M${points.join("L")}`);
    this.area.setAttribute("d", `M0 ${HIGH}L${points.join("L")}L${WIDE} ${HIGH}Z`);
  }

  /**
   * Levels worth a line, and what they are; on the side where they hold, 0 for both.
   * @param {{value: number, text: string, side: number}[]} levels
   */
  annotate(levels) {
    const lines = levels.map(({ value, side }) => {
      const [from, to] = side === 0 ? [0, WIDE] : side < 0 ? [0, WIDE / 2] : [WIDE / 2, WIDE];
      return draw("path", { d: `M${from} ${this.#down(value) * HIGH}H${to}` });
    });
    this.guides.replaceChildren(...lines);
    const notes = levels.map(({ value, text, side }) => {
      const note = make("span", { class: side === 0 ? "note top" : side < 0 ? "note cold" : "note hot" }, text);
      note.style.top = `${100 * this.#down(value)}%`;
      return note;
    });
    this.notes.replaceChildren(...notes);
  }

  /**
   * @param {number} value
   * @param {number} share
   */
  show(value, share) {
    write(this.value, `${format.fixed(value, 3)}${this.unit && ` ${this.unit}`}`);
    this.dot.style.left = `${100 * share}%`;
    this.dot.style.top = `${100 * Math.max(0, Math.min(1, this.#down(value)))}%`;
  }
}
