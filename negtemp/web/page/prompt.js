/**
 * The text that one types and the tokens it becomes, as chips; below them those that were added. Where one stands in the
 * row decides what is shown: a press on a chip goes back to it, and adding a token there begins a branch.
 */

import { find, make, write } from "./dom.js";
import * as format from "./format.js";
import { mark, piece } from "./pieces.js";

const PAUSE = 60;
const MOST_CHIPS = 600;

export class Prompt {
  /**
   * @param {import("./state.js").Store} store
   * @param {import("./server.js").Server} server
   * @param {import("./vocabulary.js").Vocabulary} vocabulary
   * @param {import("./pieces.js").Card} card
   * @param {(error: unknown) => void} failed
   */
  constructor(store, server, vocabulary, card, failed) {
    this.store = store;
    this.server = server;
    this.vocabulary = vocabulary;
    this.card = card;
    this.failed = failed;
    this.box = find("prompt", HTMLTextAreaElement);
    this.chips = find("chips", HTMLElement);
    this.length = find("length", HTMLElement);
    /** @type {AbortController | null} */
    this.asked = null;
    this.timer = 0;
    this.box.addEventListener("input", () => {
      this.#fit();
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => this.#typed(), PAUSE);
    });
    new ResizeObserver(() => this.#fit()).observe(this.chips);
  }

  /** As high as its text. */
  #fit() {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(240, this.box.scrollHeight + 2)}px`;
  }

  async #typed() {
    const text = this.box.value;
    const found = await this.tokenized(text);
    if (found && text === this.box.value) this.store.begin(found.ids, found.quoted);
  }

  /**
   * The ids of a text and how a shell takes it; null where another text came in between, or it failed.
   * @param {string} text
   * @returns {Promise<{ids: number[], quoted: string} | null>}
   */
  async tokenized(text) {
    this.asked?.abort();
    const asked = new AbortController();
    this.asked = asked;
    try {
      return await this.server.json("tokenize", { text }, asked.signal);
    } catch (error) {
      if (!asked.signal.aborted) this.failed(error);
      return null;
    }
  }

  /**
   * Put the text of some ids into the box, where they have one; whether its ids are these is found out.
   * @param {number[]} ids
   * @returns {Promise<string | null>} the text as a shell takes it
   */
  async fill(ids) {
    const controls = ids.findIndex((id) => this.vocabulary.category(id) !== "control");
    for (const start of new Set([Math.max(0, controls), 0])) {
      const text = this.vocabulary.text(ids.slice(start));
      for (const candidate of text === null ? [] : [text.replace(/^ /, ""), text]) {
        const found = await this.tokenized(candidate);
        if (found?.ids.join() === ids.join()) {
          this.write(candidate);
          return found.quoted;
        }
      }
    }
    this.write("");
    this.box.placeholder = "These tokens are no text that gives them back; typing replaces them.";
    return null;
  }

  /** @param {string} text */
  write(text) {
    this.box.value = text;
    this.#fit();
  }

  /** Draw the chips. @param {number} context */
  show(context) {
    const { place, all } = this.store;
    const first = Math.max(0, all.length - MOST_CHIPS);
    const chips = all.slice(first).map((token, index) => this.#chip(token, first + index));
    this.chips.replaceChildren(...(first ? [make("span", { class: "quiet" }, `${format.count(first)} earlier tokens`)] : []), ...chips);
    write(this.length, `${format.count(place.cursor)} of ${format.count(context)} tokens`);
    this.chips.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {number} token
   * @param {number} index
   */
  #chip(token, index) {
    const { place } = this.store;
    const added = place.added[index - place.prompt.length];
    const names = ["chip", added ? (added.drawn ? (added.drawn.beta < 0 ? "drawn hot" : "drawn cold") : "chosen") : "typed", index >= place.cursor ? "later" : ""];
    const chip = make(
      "button", { type: "button", class: names.join(" ").trim(), "data-token": token, "aria-current": index === place.cursor - 1 && "true" },
      mark(this.vocabulary.category(token)), piece(this.vocabulary.view(token)),
    );
    chip.addEventListener("click", () => this.store.stand(index + 1));
    this.card.on(chip, token, () => {
      const how = added?.drawn ? `drawn at β=${format.number(added.drawn.beta)}, seed ${added.drawn.seed}` : added ? "chosen" : "from the text";
      const logprob = added?.logprob;
      return [{ name: "here", value: how }, ...(typeof logprob === "number" ? [{ name: "ln p then, T=1", value: format.fixed(logprob, 2) }] : [])];
    });
    return chip;
  }
}
