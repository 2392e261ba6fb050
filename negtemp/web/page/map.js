/**
 * Every token of a matrix in its first two principal components, as a density, and on it the tokens one has to do with:
 * the prompt's, those added, those searched. Kinds of tokens differ by shape as well as by colour. Pointing at the map
 * shows the nearest token and how far it lies from the centroid.
 */

import { at } from "./bins.js";
import { cleared, colour, draw, find, make, write } from "./dom.js";
import * as format from "./format.js";
import { unframed } from "./frames.js";
import { shape } from "./pieces.js";

const CELL = 3;
const REACH = 14;
const OUTER = 0.0005; // share of tokens that may lie beyond the frame at each side
const MOST_MARKS = 3000;

/** @typedef {{name: string, tokens: number[], colour: string}} Marks */

export class TokenMap {
  /**
   * @param {import("./server.js").Server} server
   * @param {import("./vocabulary.js").Vocabulary} vocabulary
   * @param {import("./pieces.js").Card} card
   * @param {string[]} matrices
   * @param {(error: unknown) => void} failed
   */
  constructor(server, vocabulary, card, matrices, failed) {
    this.server = server;
    this.vocabulary = vocabulary;
    this.card = card;
    this.failed = failed;
    this.canvas = find("map", HTMLCanvasElement);
    this.text = find("map-text", HTMLElement);
    /** @type {Map<string, Places>} */
    this.places = new Map();
    this.matrix = "";
    /** @type {Marks[]} */
    this.marks = [];
    this.#choices(matrices);
    new ResizeObserver(() => this.paint()).observe(this.canvas);
    this.canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.canvas.addEventListener("pointerleave", () => card.hide());
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      watch.disconnect();
      this.choose(matrices[0] ?? "");
    }, { rootMargin: "200px" });
    watch.observe(this.canvas);
  }

  /** @param {string[]} matrices */
  #choices(matrices) {
    const buttons = matrices.map((name) => {
      const button = make("button", { type: "button", "data-matrix": name }, name);
      button.addEventListener("click", () => this.choose(name));
      return button;
    });
    find("matrices", HTMLElement).replaceChildren(...buttons);
    if (!matrices.length) write(this.text, "This file's embedding cannot be read.");
  }

  /** @param {string} name */
  async choose(name) {
    if (!name) return;
    this.matrix = name;
    for (const button of document.querySelectorAll("[data-matrix]")) button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.matrix === name));
    if (!this.places.has(name)) {
      write(this.text, `Finding the principal components of the ${name}…`);
      try {
        this.places.set(name, new Places(await this.server.bytes(`map?matrix=${name}`)));
      } catch (error) {
        this.failed(error);
        write(this.text, "The map could not be made.");
        return;
      }
    }
    this.#describe();
    this.paint();
  }

  get shown() {
    return this.places.get(this.matrix) ?? null;
  }

  #describe() {
    const { shown } = this;
    if (!shown) return;
    const [first = 0, second = 0] = shown.shares;
    write(this.text, `The two directions in which the ${this.matrix} varies most hold ${format.fixed(100 * first, 1)}% and ${format.fixed(100 * second, 1)}% of its variance in ${format.count(shown.dim)} dimensions. Point at a token for its distance to the centroid.`);
  }

  /**
   * What is said of a token on its card.
   * @param {number} token
   * @returns {import("./pieces.js").Fact[]}
   */
  facts(token) {
    const { shown } = this;
    if (!shown) return [];
    return [{ name: "to centroid", value: `${format.number(at(shown.distance, token), 3)} (percentile ${format.fixed(at(shown.percentile, token), 1)})` }];
  }

  /** @param {Marks[]} marks */
  mark(marks) {
    this.marks = marks;
    this.paint();
  }

  paint() {
    const { shown, canvas } = this;
    if (!shown) return;
    const { pen, width, height } = cleared(canvas);
    shown.fit(width, height);
    this.#density(pen, shown, width, height);
    this.#kinds(pen, shown);
    this.#centre(pen, shown);
    for (const { tokens, colour: tint } of this.marks) {
      pen.strokeStyle = colour(tint);
      pen.fillStyle = colour("panel");
      pen.lineWidth = 2;
      for (const token of new Set(tokens)) this.#ring(pen, shown, token);
    }
    this.#legend();
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Places} shown
   * @param {number} width
   * @param {number} height
   */
  #density(pen, shown, width, height) {
    const columns = Math.ceil(width / CELL);
    const cells = new Float64Array(columns * Math.ceil(height / CELL));
    let most = 1;
    for (let token = 0; token < shown.size; token++) {
      const cell = Math.floor(shown.left(token) / CELL) + columns * Math.floor(shown.top(token) / CELL);
      if (!(cell >= 0)) continue;
      const count = (cells[cell] ?? 0) + 1;
      cells[cell] = count;
      if (count > most) most = count;
    }
    pen.fillStyle = colour("dust");
    for (let cell = 0; cell < cells.length; cell++) {
      const count = at(cells, cell);
      if (!count) continue;
      pen.globalAlpha = 0.35 + 0.65 * (Math.log1p(count) / Math.log1p(most));
      pen.fillRect((cell % columns) * CELL, Math.floor(cell / columns) * CELL, CELL, CELL);
    }
    pen.globalAlpha = 1;
  }

  /**
   * Marks for tokens that are no ordinary ones.
   * @param {CanvasRenderingContext2D} pen
   * @param {Places} shown
   */
  #kinds(pen, shown) {
    const { vocabulary } = this;
    vocabulary.categories.forEach((category, code) => {
      if (category === "normal") return;
      const [outline, tint] = shape(category);
      const path = new Path2D(outline);
      const tokens = this.#ofKind(code);
      pen.strokeStyle = pen.fillStyle = colour(tint);
      pen.globalAlpha = 0.75;
      pen.lineWidth = 1;
      const step = Math.ceil(tokens.length / MOST_MARKS);
      for (let index = 0; index < tokens.length; index += step) {
        const token = tokens[index] ?? 0;
        pen.save();
        pen.translate(shown.left(token) - 3, shown.top(token) - 3);
        pen.scale(0.75, 0.75);
        pen.stroke(path);
        if (/[Zz]$/.test(outline)) pen.fill(path);
        pen.restore();
      }
      pen.globalAlpha = 1;
    });
  }

  /** @param {number} code */
  #ofKind(code) {
    const tokens = [];
    for (let token = 0; token < this.vocabulary.size; token++) if (this.vocabulary.codes[token] === code) tokens.push(token);
    return tokens;
  }

  /**
   * The centroid is where both coordinates are 0.
   * @param {CanvasRenderingContext2D} pen
   * @param {Places} shown
   */
  #centre(pen, shown) {
    const { left, top } = shown.at(0, 0);
    pen.strokeStyle = colour("ink");
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(left - 7, top);
    pen.lineTo(left + 7, top);
    pen.moveTo(left, top - 7);
    pen.lineTo(left, top + 7);
    pen.stroke();
  }

  /**
   * @param {CanvasRenderingContext2D} pen
   * @param {Places} shown
   * @param {number} token
   */
  #ring(pen, shown, token) {
    pen.beginPath();
    pen.arc(shown.left(token), shown.top(token), 5, 0, 7);
    pen.fill();
    pen.stroke();
  }

  #legend() {
    const { vocabulary, marks } = this;
    const rings = marks.filter(({ tokens }) => tokens.length).map(({ name, colour: tint }) => make("li", {}, draw("svg", { viewBox: "0 0 8 8", class: "shape", "aria-hidden": "true" }, draw("circle", { cx: 4, cy: 4, r: 2.8, class: `ring ${tint}` })), name));
    const kinds = vocabulary.categories.map((category, code) => {
      const [outline, tint] = shape(category);
      const count = format.count(this.#ofKind(code).length);
      const sign = category === "normal" ? draw("rect", { x: 1.5, y: 1.5, width: 5, height: 5, class: "dust" }) : draw("path", { d: outline, class: tint });
      return make("li", {}, draw("svg", { viewBox: "0 0 8 8", class: "shape", "aria-hidden": "true" }, sign), `${category} `, make("span", { class: "quiet" }, count));
    });
    const centre = make("li", {}, draw("svg", { viewBox: "0 0 8 8", class: "shape", "aria-hidden": "true" }, draw("path", { d: "M4 .5v7M.5 4h7", class: "ink" })), "centroid");
    find("legend", HTMLElement).replaceChildren(...rings, centre, ...kinds);
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const { shown, canvas } = this;
    if (!shown) return;
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    const near = this.marks.flatMap(({ tokens }) => tokens);
    const token = shown.nearest(x, y, near) ?? shown.nearest(x, y, null);
    if (token === null) {
      this.card.hide();
      return;
    }
    const left = box.left + shown.left(token);
    const top = box.top + shown.top(token);
    this.card.show(token, left, top + 6, top - 6);
  }
}

/** Where tokens lie in one matrix, and on the canvas. */
class Places {
  /** @param {ArrayBuffer} frame */
  constructor(frame) {
    const { head, arrays } = unframed(frame);
    this.x = /** @type {Float32Array} */ (arrays.x);
    this.y = /** @type {Float32Array} */ (arrays.y);
    this.distance = /** @type {Float32Array} */ (arrays.distance);
    this.percentile = /** @type {Float32Array} */ (arrays.percentile);
    /** @type {number[]} */
    this.shares = head.shares;
    /** @type {number} */
    this.dim = head.dim;
    this.size = this.x.length;
    this.across = bounds(this.x);
    this.up = bounds(this.y);
    this.width = this.height = 1;
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  fit(width, height) {
    this.width = width;
    this.height = height;
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  at(x, y) {
    return { left: 6 + clamped(x, this.across) * (this.width - 12), top: this.height - 6 - clamped(y, this.up) * (this.height - 12) };
  }

  /** @param {number} token */
  left(token) {
    return 6 + clamped(at(this.x, token), this.across) * (this.width - 12);
  }

  /** @param {number} token */
  top(token) {
    return this.height - 6 - clamped(at(this.y, token), this.up) * (this.height - 12);
  }

  /**
   * The nearest token within reach; among these, or among all.
   * @param {number} left
   * @param {number} top
   * @param {number[] | null} among
   * @returns {number | null}
   */
  nearest(left, top, among) {
    let best = null;
    let least = REACH * REACH;
    for (let index = 0; index < (among ? among.length : this.size); index++) {
      const token = among ? (among[index] ?? 0) : index;
      const away = (this.left(token) - left) ** 2 + (this.top(token) - top) ** 2;
      if (away < least) [best, least] = [token, away];
    }
    return best;
  }
}

/**
 * The frame of a coordinate: all but a few of its values.
 * @param {Float32Array} values
 * @returns {[number, number]}
 */
function bounds(values) {
  const sorted = values.filter((value) => Number.isFinite(value)).sort();
  const beyond = Math.floor(sorted.length * OUTER);
  const low = Math.min(0, sorted[beyond] ?? -1);
  const high = Math.max(0, sorted[sorted.length - 1 - beyond] ?? 1);
  const margin = 0.03 * (high - low || 1);
  return [low - margin, high + margin];
}

/**
 * @param {number} value
 * @param {[number, number]} frame
 */
function clamped(value, [low, high]) {
  return Math.max(0, Math.min(1, (value - low) / (high - low)));
}
