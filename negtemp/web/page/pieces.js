/**
 * A token on the page: its safe view, as text inside a `bdi`, and the card that says the rest where one points at it.
 */

import { draw, find, make } from "./dom.js";
import * as format from "./format.js";

const ESCAPE = /(\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt\\])|␠)/;
const SPACE = "␠"; // which few fonts have: the style sheet draws one
const LONGEST = 60;

/** A shape and a colour of its own for each kind of token; colours are those of the style sheet. */
const SHAPES = /** @type {Record<string, [string, string]>} */ ({
  normal: ["M4 4h0", "ink"],
  "user-defined": ["M2 4h4M4 2v4", "kind-6"],
  "special-looking": ["M4 1 5 3.3 7.6 3.4 5.5 5 6.3 7.5 4 6 1.7 7.5 2.5 5 .4 3.4 3 3.3Z", "kind-6"],
  control: ["M1.2 1.2h5.6v5.6h-5.6Z", "kind-1"],
  unknown: ["M1.2 1.2h5.6v5.6h-5.6Z", "kind-1"],
  unused: ["M4 .6 7.4 4 4 7.4 .6 4Z", "kind-2"],
  byte: ["M4 1 7.3 7H.7Z", "kind-3"],
  "byte-ascii": ["M4 1 7.3 7H.7Z", "kind-3"],
  "byte-utf8": ["M4 1 7.3 7H.7Z", "kind-3"],
  "byte-invalid": ["M4 7 7.3 1H.7Z", "kind-3"],
  "partial-utf8": ["M1 4a3 3 0 0 1 6 0Z", "kind-4"],
  "unreachable-single": ["M1.5 1.5 6.5 6.5M6.5 1.5 1.5 6.5", "kind-5"],
  "unreachable-several": ["M1.5 1.5 6.5 6.5M6.5 1.5 1.5 6.5", "kind-5"],
});

/**
 * The outline of a category's mark in a square of 8, and the name of its colour.
 * @param {string} category
 * @returns {[string, string]}
 */
export function shape(category) {
  return SHAPES[category] ?? ["M4 4h0", "ink"];
}

/**
 * A category's mark; nothing for an ordinary token.
 * @param {string} category
 */
export function mark(category) {
  if (category === "normal") return null;
  const [path, colour] = shape(category);
  return draw("svg", { class: "shape", viewBox: "0 0 8 8", "aria-hidden": "true", style: false }, draw("path", { d: path, class: colour }));
}

/**
 * A safe view as text; escapes stand apart, so that they are not taken for letters.
 * @param {string} view
 */
export function piece(view) {
  const shown = view.length > LONGEST ? `${view.slice(0, LONGEST)}…` : view;
  const parts = shown.split(ESCAPE).map((part, index) => (index % 2 ? make("i", part === SPACE ? { class: "space" } : {}, part) : part));
  return make("bdi", { class: "piece", dir: "auto", translate: "no" }, ...parts);
}

/** What the card can say of a token besides what it is. */
/** @typedef {{name: string, value: string}} Fact */

export class Card {
  /**
   * @param {import("./vocabulary.js").Vocabulary} vocabulary
   * @param {(token: number) => Fact[]} facts what holds at this moment
   */
  constructor(vocabulary, facts) {
    this.vocabulary = vocabulary;
    this.facts = facts;
    this.element = find("card", HTMLElement);
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.hide());
    document.addEventListener("scroll", () => this.hide(), { passive: true, capture: true });
  }

  /**
   * Show a token's card where one points at the element, or has gone to it by keyboard.
   * @param {HTMLElement} element
   * @param {number} token
   * @param {() => Fact[]} [more]
   */
  on(element, token, more = () => []) {
    const show = () => {
      const box = element.getBoundingClientRect();
      this.show(token, box.left, box.bottom, box.top, more());
    };
    element.addEventListener("pointerenter", show);
    element.addEventListener("focus", show);
    element.addEventListener("pointerleave", () => this.hide());
    element.addEventListener("blur", () => this.hide());
  }

  /**
   * @param {number} token
   * @param {number} left
   * @param {number} below
   * @param {number} above
   * @param {Fact[]} more
   */
  show(token, left, below, above, more = []) {
    const { vocabulary, element } = this;
    const category = vocabulary.category(token);
    const hex = vocabulary.hex(token);
    const facts = [
      { name: "id", value: String(token) },
      { name: "bytes", value: hex.length > 40 ? `${hex.slice(0, 40)}… (${hex.length / 2})` : hex || "none" },
      { name: "kind", value: category },
      ...this.facts(token),
      ...more,
    ];
    element.replaceChildren(
      make("p", { class: "title" }, mark(category), piece(vocabulary.view(token))),
      make("dl", {}, ...facts.flatMap(({ name, value }) => [make("dt", {}, name), make("dd", {}, value)])),
    );
    element.hidden = false;
    const { width, height } = element.getBoundingClientRect();
    const fits = below + height + 12 < window.innerHeight;
    element.style.left = `${Math.max(8, Math.min(left, window.innerWidth - width - 8))}px`;
    element.style.top = `${fits ? below + 8 : Math.max(8, above - height - 8)}px`;
  }

  hide() {
    this.element.hidden = true;
  }
}

/**
 * @param {import("./distribution.js").Distribution} distribution
 * @param {import("./distribution.js").State} state
 * @param {number} token
 * @returns {Fact[]}
 */
export function factsOf(distribution, state, token) {
  const { atOne } = distribution;
  return [
    { name: "p now", value: format.probability(distribution.logProbability(token, state)) },
    { name: "p at T=1", value: format.probability(distribution.logProbability(token, atOne)) },
    { name: "ln p at T=1", value: format.fixed(distribution.logProbability(token, atOne), 2) },
    { name: "rank", value: `${format.count(distribution.rank(token))} of ${format.count(distribution.allowed)}` },
    { name: "logit", value: format.fixed(distribution.logits[token] ?? Number.NaN, 3) },
  ];
}
