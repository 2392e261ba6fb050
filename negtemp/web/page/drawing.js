/**
 * Tokens drawn by the engine: one, many, or many at three temperatures in one batch, as they come, until stopped.
 */

import { temperature } from "./axis.js";
import { find, make } from "./dom.js";
import * as format from "./format.js";
import { mark, piece } from "./pieces.js";

/** 1/±0.001, the temperatures of the 2023 article. */
const ARTICLE = 1000;

export class Drawing {
  /**
   * @param {import("./state.js").Store} store
   * @param {import("./server.js").Server} server
   * @param {import("./vocabulary.js").Vocabulary} vocabulary
   * @param {import("./pieces.js").Card} card
   * @param {Set<number>} ends
   * @param {(error: unknown) => void} failed
   * @param {(text: string) => void} said
   */
  constructor(store, server, vocabulary, card, ends, failed, said) {
    this.store = store;
    this.server = server;
    this.vocabulary = vocabulary;
    this.card = card;
    this.ends = ends;
    this.failed = failed;
    this.said = said;
    /** @type {AbortController | null} */
    this.running = null;
    /** @type {{betas: number[], root: number[], count: number} | null} */
    this.beside = null;
    this.buttons = ["draw", "generate", "beside"].map((id) => find(id, HTMLButtonElement));
    this.stop = find("stop", HTMLButtonElement);
    find("draw", HTMLElement).addEventListener("click", () => this.draw(1));
    find("generate", HTMLElement).addEventListener("click", () => this.draw(this.count));
    find("beside", HTMLElement).addEventListener("click", () => this.sideBySide(this.count));
    this.stop.addEventListener("click", () => this.running?.abort());
  }

  get count() {
    const count = Math.round(Number(find("count", HTMLInputElement).value));
    return Math.min(4096, Math.max(1, count || 1));
  }

  /**
   * Draw tokens at this beta and seed after where one stands.
   * @param {number} count
   */
  async draw(count) {
    const { beta, seed } = this.store.place;
    const { root, drawn } = this.store.run(this.ends);
    let first = true;
    const said = await this.#stream({ root, drawn, betas: [beta], seed, count }, (step) => {
      this.store.add([{ id: step.token_id, drawn: { beta, seed }, logprob: step.logprob }], !first);
      first = false;
    });
    if (said && first) this.said("The context is full: no token can be added.");
  }

  /**
   * The same root at this temperature and at both of the article's.
   * @param {number} count
   */
  async sideBySide(count) {
    const { beta, seed } = this.store.place;
    const betas = [...new Set([ARTICLE, beta, -ARTICLE])];
    const root = this.store.ids;
    this.beside = { betas, root, count };
    find("besides-panel", HTMLElement).hidden = false;
    const columns = betas.map((one) => new Column(one, this.vocabulary, this.card, () => this.#keep(columns, one, root)));
    find("besides", HTMLElement).replaceChildren(...columns.map(({ element }) => element));
    await this.#stream({ root, drawn: [], betas, seed, count }, (step) => columns[step.sequence]?.add(step));
    this.store.reseed(seed);
  }

  /**
   * Go on with what one of the columns has drawn.
   * @param {Column[]} columns
   * @param {number} beta
   * @param {number[]} root
   */
  #keep(columns, beta, root) {
    const column = columns.find((one) => one.beta === beta);
    if (!column || this.store.all.slice(0, root.length).join() !== root.join()) return;
    this.store.stand(root.length);
    this.store.add(column.steps.map((step) => ({ id: step.token_id, drawn: null, logprob: step.logprob })));
  }

  /**
   * @param {{root: number[], drawn: number[], betas: number[], seed: number, count: number}} asked
   * @param {(step: any) => void} came
   * @returns {Promise<boolean>} whether it came to its end
   */
  async #stream(asked, came) {
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    this.#busy(true);
    try {
      const body = { ...asked, betas: asked.betas.map((beta) => (Number.isFinite(beta) ? beta : format.plain(beta))) };
      for await (const line of this.server.lines("draw", body, running.signal)) if (line.kind === "step") came(line);
      return true;
    } catch (error) {
      if (!running.signal.aborted) this.failed(error);
      return false;
    } finally {
      if (this.running === running) {
        this.running = null;
        this.#busy(false);
      }
    }
  }

  /** @param {boolean} busy */
  #busy(busy) {
    for (const button of this.buttons) button.disabled = busy;
    this.stop.hidden = !busy;
    document.body.classList.toggle("busy", busy);
    if (!busy) document.dispatchEvent(new Event("drawn"));
  }
}

/** One temperature of several. */
class Column {
  /**
   * @param {number} beta
   * @param {import("./vocabulary.js").Vocabulary} vocabulary
   * @param {import("./pieces.js").Card} card
   * @param {() => void} kept
   */
  constructor(beta, vocabulary, card, kept) {
    this.beta = beta;
    this.vocabulary = vocabulary;
    this.card = card;
    /** @type {any[]} */
    this.steps = [];
    this.text = make("div", { class: "chips" });
    const keep = make("button", { type: "button", class: "plain" }, "Go on with this");
    keep.addEventListener("click", kept);
    const title = make("h3", {}, `T=${format.temperatureText(temperature(beta))} `, make("span", { class: "quiet" }, `β=${format.number(beta)}`));
    this.element = make("article", { class: beta < 0 ? "column hot" : "column cold" }, make("div", { class: "head" }, title, keep), this.text);
  }

  /** @param {any} step */
  add(step) {
    this.steps.push(step);
    const token = step.token_id;
    const chip = make("span", { class: `chip drawn ${this.beta < 0 ? "hot" : "cold"}` }, mark(this.vocabulary.category(token)), piece(this.vocabulary.view(token)));
    this.card.on(chip, token, () => [{ name: "ln p then, T=1", value: format.fixed(step.logprob, 2) }, { name: "rank then", value: format.count(step.rank) }]);
    this.text.append(chip);
  }
}
