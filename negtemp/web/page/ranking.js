/**
 * Tokens one below the other: the probability of each as a bar, its log-probability at T = 1 and its rank. Which tokens
 * stand there changes with the logits and the sign of beta; a moving slider only changes the bars.
 */

import { make, write } from "./dom.js";
import * as format from "./format.js";
import { mark, piece } from "./pieces.js";

/** A bar is full at this probability, or at the largest one shown. */
const FULL = 0.05;

/** @typedef {{token: number, bar: HTMLElement, share: HTMLElement}} Row */

export class Ranking {
  /**
   * @param {HTMLElement} element
   * @param {string} caption
   * @param {import("./vocabulary.js").Vocabulary} vocabulary
   * @param {import("./pieces.js").Card} card
   * @param {(token: number) => void} picked
   */
  constructor(element, caption, vocabulary, card, picked) {
    this.vocabulary = vocabulary;
    this.card = card;
    this.picked = picked;
    /** @type {Row[]} */
    this.rows = [];
    this.body = make("tbody");
    const head = make("tr", {}, ...[["token", "Token"], ["share", "Probability"], ["figure", "ln p, T=1"], ["figure", "Rank"]].map(([name, text]) => make("th", { scope: "col", class: name ?? "" }, text)));
    this.table = make("table", {}, make("caption", { class: "sr" }, caption), make("thead", {}, head), this.body);
    element.replaceChildren(this.table);
    this.table.hidden = true;
  }

  /**
   * @param {number[]} tokens
   * @param {import("./distribution.js").Distribution} distribution
   */
  list(tokens, distribution) {
    this.table.hidden = tokens.length === 0;
    this.rows = tokens.map((token) => ({ token, bar: make("span", { class: "bar" }), share: make("span", { class: "number" }) }));
    this.body.replaceChildren(...this.rows.map((row) => this.#row(row, distribution)));
  }

  /**
   * @param {Row} row
   * @param {import("./distribution.js").Distribution} distribution
   */
  #row({ token, bar, share }, distribution) {
    const view = this.vocabulary.view(token);
    const button = make("button", { type: "button", class: "token", "data-token": token }, mark(this.vocabulary.category(token)), piece(view), make("span", { class: "sr" }, ": add this token"));
    button.addEventListener("click", () => this.picked(token));
    this.card.on(button, token);
    return make(
      "tr", {},
      make("th", { scope: "row" }, button),
      make("td", { class: "share" }, make("div", {}, make("span", { class: "groove" }, bar), share)),
      make("td", { class: "figure" }, format.fixed(distribution.logProbability(token, distribution.atOne), 2)),
      make("td", { class: "figure" }, format.count(distribution.rank(token))),
    );
  }

  /**
   * @param {import("./distribution.js").State} state
   * @param {import("./distribution.js").Distribution} distribution
   * @param {number} full the probability of a full bar
   */
  show(state, distribution, full) {
    for (const { token, bar, share } of this.rows) {
      const logarithm = distribution.logProbability(token, state);
      bar.style.transform = `scaleX(${Math.min(1, Math.exp(logarithm) / full).toFixed(4)})`;
      write(share, format.probability(logarithm));
    }
  }
}

/**
 * The probability of a full bar at a beta.
 * @param {import("./distribution.js").State} state
 */
export function fullBar(state) {
  return Math.max(FULL, 1 / state.total);
}
