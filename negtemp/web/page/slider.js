/**
 * The slider of beta, and whatever else lies on its axis and is dragged along it. A press on an arrow goes to the next
 * beta that `negtemp spectrum` computes; 0 and the ends are exact.
 */

import { FINE, LEAP, STEP, temperature } from "./axis.js";
import { find, make } from "./dom.js";
import * as format from "./format.js";

const PULL_PIXELS = 5;

/**
 * Beta and T in words.
 * @param {number} beta
 */
export function spoken(beta) {
  const said = (/** @type {number} */ value) => format.number(value).replace("∞", "infinity").replace("\u2212", "minus ");
  const heat = temperature(beta);
  const zero = beta === Infinity ? "plus 0" : "minus 0";
  return `beta ${said(beta)}, temperature ${heat === 0 ? zero : said(heat)}`;
}

export class Slider {
  /**
   * @param {import("./axis.js").Axis} axis
   * @param {(beta: number) => void} moved
   */
  constructor(axis, moved) {
    this.axis = axis;
    this.moved = moved;
    this.element = find("slider", HTMLElement);
    this.thumb = /** @type {HTMLElement} */ (this.element.querySelector(".thumb"));
    this.beta = 1;
    this.element.setAttribute("aria-valuemin", String(-axis.end));
    this.element.setAttribute("aria-valuemax", String(axis.end));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.draggable(this.element);
    this.#ticks();
  }

  /**
   * Let an element of the axis's width be dragged as the slider is.
   * @param {HTMLElement | SVGElement} element
   */
  draggable(element) {
    /** @param {PointerEvent} event */
    const follow = (event) => {
      const box = element.getBoundingClientRect();
      this.moved(this.axis.betaAtShare((event.clientX - box.left) / box.width, PULL_PIXELS / box.width));
    };
    element.addEventListener("pointerdown", (event) => {
      const pointer = /** @type {PointerEvent} */ (event);
      if (pointer.button !== 0) return;
      element.setPointerCapture(pointer.pointerId);
      this.element.focus({ preventScroll: true });
      follow(pointer);
      event.preventDefault();
    });
    element.addEventListener("pointermove", (event) => {
      const pointer = /** @type {PointerEvent} */ (event);
      if (element.hasPointerCapture(pointer.pointerId)) follow(pointer);
    });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.shiftKey ? FINE : STEP;
    /** @type {Record<string, () => number>} */
    const keys = {
      ArrowRight: () => this.axis.moved(this.beta, 1, step),
      ArrowDown: () => this.axis.moved(this.beta, 1, step),
      ArrowLeft: () => this.axis.moved(this.beta, -1, step),
      ArrowUp: () => this.axis.moved(this.beta, -1, step),
      PageDown: () => this.axis.moved(this.beta, 1, LEAP),
      PageUp: () => this.axis.moved(this.beta, -1, LEAP),
      Home: () => Infinity,
      End: () => -Infinity,
    };
    const key = keys[event.key];
    if (!key || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.moved(key());
  }

  #ticks() {
    const { axis } = this;
    const ticks = axis.ticks().map((beta) => {
      const decade = Math.round(Math.log10(Math.abs(beta)));
      const rare = Number.isFinite(beta) && beta !== 0 && decade % 2 !== 0;
      const near = decade === -2;
      const tick = make("span", { class: `tick${rare ? " rare" : ""}${near ? " near" : ""}` }, make("b", {}, format.number(beta)), make("span", {}, format.temperatureText(temperature(beta))));
      tick.style.left = `${100 * axis.share(beta)}%`;
      return tick;
    });
    find("ticks", HTMLElement).replaceChildren(...ticks);
  }

  /** @param {number} beta */
  show(beta) {
    this.beta = beta;
    const share = this.axis.share(beta);
    this.thumb.style.left = `${100 * share}%`;
    this.element.setAttribute("aria-valuenow", ((2 * share - 1) * this.axis.end).toFixed(3));
    this.element.setAttribute("aria-valuetext", spoken(beta));
  }
}

/**
 * What a temperature does, for somebody who has not met it.
 * @param {number} beta
 */
export function meaning(beta) {
  if (beta === Infinity) return "Always the most likely token.";
  if (beta === -Infinity) return "Always the least likely token.";
  if (beta === 0) return "Infinitely hot: every token is equally likely.";
  if (beta > 10) return "Cold: the most likely tokens, nearly always.";
  if (beta > 1) return "Cooler than the model: likely tokens gain.";
  if (beta === 1) return "The model's own distribution.";
  if (beta > 0.03) return "Warmer than the model: unlikely tokens gain.";
  if (beta > 0) return "So hot that nearly all tokens are alike.";
  if (beta > -0.03) return "Hotter than infinitely hot, and nearly uniform still.";
  if (beta > -10) return "Below zero: what is unlikely becomes likely.";
  return "Close to zero from below: the least likely tokens, nearly always.";
}
