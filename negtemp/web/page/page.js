/**
 * The page of one model: what follows from a change. A moving slider costs one frame of sums over bins; when it rests,
 * sums over every token replace them.
 */

import { Axis, temperature } from "./axis.js";
import { commands, showCommands } from "./commands.js";
import { Curves } from "./curves.js";
import { Density } from "./density.js";
import { Distribution } from "./distribution.js";
import { find, write } from "./dom.js";
import { Drawing } from "./drawing.js";
import { askForKey, notice } from "./entry.js";
import * as format from "./format.js";
import { TokenMap } from "./map.js";
import { Card, factsOf } from "./pieces.js";
import { Prompt } from "./prompt.js";
import { Ranking, fullBar } from "./ranking.js";
import { ServerError } from "./server.js";
import { Slider, meaning } from "./slider.js";
import { Store, linked, unlinked } from "./state.js";

const REST = 120;
const KEPT_BYTES = 64 << 20;
const [FEW, MANY] = [window.innerWidth > 900 ? 16 : 10, 80];

/** @typedef {{negtemp: string, name: string, description: string, tokens: number, context: number, end_tokens: number[], matrices: string[], axis: {linear: number, largest: number}, command: string, prompt: string, beta: string, seed: number}} Model */

export class Page {
  /**
   * @param {import("./server.js").Server} server
   * @param {Model} model
   * @param {import("./vocabulary.js").Vocabulary} vocabulary
   */
  constructor(server, model, vocabulary) {
    this.server = server;
    this.model = model;
    this.vocabulary = vocabulary;
    this.ends = new Set(model.end_tokens);
    this.store = new Store({ prompt: [], quoted: null, added: [], cursor: 0, beta: format.typed(model.beta) ?? 1, seed: model.seed });
    /** @type {Distribution | null} */
    this.distribution = null;
    /** @type {import("./distribution.js").State | null} */
    this.state = null;
    /** @type {Map<string, Distribution>} */
    this.kept = new Map();
    /** @type {AbortController | null} */
    this.asked = null;
    this.shownCount = FEW;
    this.listed = "";
    this.frame = 0;
    this.rest = 0;
    /** @type {number[]} */
    this.found = [];

    const axis = new Axis(model.axis);
    const failed = (/** @type {unknown} */ error) => this.failed(error);
    this.card = new Card(vocabulary, (token) => [
      ...(this.distribution && this.state ? factsOf(this.distribution, this.state, token) : []), ...this.map.facts(token),
    ]);
    this.slider = new Slider(axis, (beta) => this.store.heat(beta));
    this.curves = new Curves(axis, vocabulary);
    this.slider.draggable(this.curves.element);
    this.density = new Density();
    this.ranking = new Ranking(find("ranking", HTMLElement), "The most probable tokens at this temperature", vocabulary, this.card, (token) => this.choose(token));
    this.matches = new Ranking(find("found", HTMLElement), "Tokens found", vocabulary, this.card, (token) => this.choose(token));
    this.prompt = new Prompt(this.store, server, vocabulary, this.card, failed);
    this.drawing = new Drawing(this.store, server, vocabulary, this.card, this.ends, failed, (text) => this.notice(text));
    this.map = new TokenMap(server, vocabulary, this.card, model.matrices, failed);
    this.store.subscribe((aspect) => this.changed(aspect));
    this.#controls();
  }

  #controls() {
    find("undo", HTMLButtonElement).addEventListener("click", () => this.store.undo());
    find("more", HTMLButtonElement).addEventListener("click", () => {
      this.shownCount = this.shownCount === FEW ? MANY : FEW;
      find("more", HTMLButtonElement).textContent = this.shownCount === FEW ? "Show more" : "Show fewer";
      this.#show(true);
    });
    for (const button of document.querySelectorAll("[data-beta]")) {
      button.addEventListener("click", () => this.store.heat(format.typed(/** @type {HTMLElement} */ (button).dataset.beta ?? "") ?? 1));
    }
    const beta = find("beta", HTMLInputElement);
    const heat = find("temperature", HTMLInputElement);
    beta.addEventListener("change", () => this.#typedHeat(format.typed(beta.value)));
    heat.addEventListener("change", () => {
      const value = format.typed(heat.value);
      this.#typedHeat(value === null ? null : value === 0 ? (/^\s*[-\u2212]/.test(heat.value) ? -Infinity : Infinity) : 1 / value);
    });
    const seed = find("seed", HTMLInputElement);
    seed.addEventListener("change", () => this.store.reseed(Math.min(2 ** 32 - 2, Math.max(0, Math.round(Number(seed.value)) || 0))));
    find("new-seed", HTMLButtonElement).addEventListener("click", () => this.store.reseed(Math.floor(Math.random() * 2 ** 31)));
    find("find", HTMLInputElement).addEventListener("input", () => this.search());
    find("count", HTMLInputElement).addEventListener("input", () => this.#settled());
    find("copy-link", HTMLButtonElement).addEventListener("click", () => this.#copy(window.location.href, "The link is copied."));
    find("copy-command", HTMLButtonElement).addEventListener("click", () => this.#copy(this.lines[0]?.line ?? "", "The command is copied."));
    document.addEventListener("drawn", () => this.changed("tokens"));
    document.addEventListener("keydown", (event) => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
      if ((event.ctrlKey || event.metaKey) && event.key === "Enter") this.drawing.draw(1);
      else if ((event.ctrlKey || event.metaKey) && event.key === "z" && !typing) this.store.undo();
      else return;
      event.preventDefault();
    });
  }

  /** @param {number | null} beta */
  #typedHeat(beta) {
    if (beta === null || Number.isNaN(beta)) this.#showHeat();
    else this.store.heat(beta + 0);
  }

  /**
   * Add a token that was chosen.
   * @param {number} token
   */
  choose(token) {
    this.card.hide();
    const logprob = this.distribution?.logProbability(token, this.distribution.atOne) ?? null;
    this.store.add([{ id: token, drawn: null, logprob }]);
  }

  /** @param {import("./state.js").Aspect} aspect */
  changed(aspect) {
    if (aspect === "tokens") {
      this.prompt.show(this.model.context);
      find("undo", HTMLButtonElement).disabled = this.store.past.length === 0;
      if (!this.drawing.running) this.#ask();
    } else if (aspect === "heat") {
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(() => this.#show(false));
    }
    clearTimeout(this.rest);
    this.rest = window.setTimeout(() => this.#settled(), REST);
  }

  /** Logits for where one stands: kept ones, or the server's. */
  async #ask() {
    const { ids } = this.store;
    if (!ids.length) return;
    const name = ids.join();
    this.asked?.abort();
    const asked = new AbortController();
    this.asked = asked;
    let distribution = this.kept.get(name);
    if (!distribution) {
      find("page", HTMLElement).setAttribute("aria-busy", "true");
      try {
        distribution = new Distribution(new Float32Array(await this.server.bytes("logits", { ids }, asked.signal)));
      } catch (error) {
        if (!asked.signal.aborted) this.failed(error);
        return;
      }
      if (asked.signal.aborted) return;
      this.#keep(name, distribution);
    }
    this.distribution = distribution;
    find("page", HTMLElement).setAttribute("aria-busy", "false");
    this.notice("");
    this.curves.draw(distribution);
    this.density.draw(distribution);
    this.#show(true);
    this.#settled();
  }

  /**
   * @param {string} name
   * @param {Distribution} distribution
   */
  #keep(name, distribution) {
    this.kept.set(name, distribution);
    const most = Math.max(2, Math.floor(KEPT_BYTES / (4 * this.vocabulary.size)));
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= most) break;
      this.kept.delete(oldest);
    }
  }

  /**
   * Everything that depends on beta.
   * @param {boolean} anew the logits are others
   * @param {boolean} exactly by sums over every token
   */
  #show(anew, exactly = false) {
    const { beta } = this.store.place;
    this.#showHeat();
    const { distribution } = this;
    if (!distribution) return;
    const state = exactly ? distribution.exact(beta) : distribution.quick(beta);
    this.state = state;
    const sign = beta < 0 || (beta === 0 && this.listed.startsWith("-1")) ? -1 : 1;
    const listed = `${sign} ${this.shownCount}`;
    if (anew || listed !== this.listed) {
      this.listed = listed;
      this.ranking.list(distribution.favoured(sign, this.shownCount), distribution);
      if (anew) this.matches.list(this.found, distribution);
    }
    const full = fullBar(state);
    this.ranking.show(state, distribution, full);
    this.matches.show(state, distribution, full);
    this.curves.show(state);
    this.density.show(state);
    this.#held(distribution, state, sign);
    document.body.dataset.exact = String(exactly);
  }

  /**
   * @param {Distribution} distribution
   * @param {import("./distribution.js").State} state
   * @param {import("./distribution.js").Sign} sign
   */
  #held(distribution, state, sign) {
    const top = distribution.favoured(sign, this.shownCount);
    const mass = top.reduce((sum, token) => sum + Math.exp(distribution.logProbability(token, state)), 0);
    write(find("held", HTMLElement), state.beta === 0 ? "every token alike" : `these ${top.length} hold ${format.probability(Math.log(Math.min(1, mass)))}`);
  }

  #showHeat() {
    const { beta } = this.store.place;
    this.slider.show(beta);
    const [box, heat] = [find("beta", HTMLInputElement), find("temperature", HTMLInputElement)];
    box.value = format.number(beta);
    heat.value = format.temperatureText(temperature(beta));
    write(find("meaning", HTMLElement), meaning(beta));
    document.body.dataset.side = beta === 0 ? "even" : beta > 0 ? "cold" : "hot";
    for (const button of document.querySelectorAll("[data-beta]")) {
      button.setAttribute("aria-pressed", String(format.typed(/** @type {HTMLElement} */ (button).dataset.beta ?? "") === beta));
    }
  }

  /** Nothing moves: exact sums, the link, the commands, the map's marks. */
  #settled() {
    if (this.distribution) this.#show(false, true);
    const { place } = this.store;
    find("seed", HTMLInputElement).value = String(place.seed);
    const fields = linked(place);
    const key = new URLSearchParams(window.location.hash.slice(1)).get("token");
    const link = `#${key ? `token=${encodeURIComponent(key)}&` : ""}${fields.toString().replaceAll("%2C", ",")}`;
    if (place.prompt.length && link !== window.location.hash) history.replaceState(null, "", link);
    this.lines = commands(this.store, this.model.command, this.ends, this.drawing.count, this.drawing.beside);
    showCommands(this.lines);
    this.map.mark([
      { name: "text", tokens: place.prompt, colour: "cold" },
      { name: "added", tokens: place.added.map(({ id }) => id), colour: "hot" },
      { name: "found", tokens: this.found, colour: "found" },
    ]);
    this.density.mark(this.found);
  }

  /** @type {import("./commands.js").Command[]} */
  lines = [];

  search() {
    const query = find("find", HTMLInputElement).value;
    const { tokens, more } = query ? this.vocabulary.search(query) : { tokens: [], more: false };
    this.found = tokens;
    write(find("found-note", HTMLElement), query && !tokens.length ? "No token of this vocabulary is that, or holds it." : more ? "The first 12; type more to narrow them down." : "");
    if (this.distribution && this.state) {
      this.matches.list(tokens, this.distribution);
      this.matches.show(this.state, this.distribution, fullBar(this.state));
    }
    this.#settled();
  }

  /** Go to the state of the address, or to the one that the command line gave. */
  async open() {
    const linkedPlace = unlinked(new URLSearchParams(window.location.hash.slice(1)), this.vocabulary.size);
    if (linkedPlace) {
      this.store.place = linkedPlace;
      this.changed("heat");
      this.changed("tokens");
      this.store.place = { ...this.store.place, quoted: await this.prompt.fill(linkedPlace.prompt) };
      this.#settled();
      return;
    }
    this.prompt.write(this.model.prompt);
    this.#showHeat();
    const found = await this.prompt.tokenized(this.model.prompt);
    if (found) this.store.begin(found.ids, found.quoted);
  }

  /** Categories by round trip, once the server has found them. */
  async categorise() {
    try {
      this.vocabulary.categorise(await this.server.bytes("categories"));
    } catch {
      return; // what the file says of its tokens stays
    }
    this.prompt.show(this.model.context);
    if (this.distribution) this.#show(true);
    this.#settled();
  }

  /**
   * @param {string} text
   * @param {string} said
   */
  async #copy(text, said) {
    try {
      await navigator.clipboard.writeText(text);
      write(find("said", HTMLElement), said);
    } catch {
      this.notice(`The browser does not allow copying here; this is it: ${text}`);
    }
  }

  /** @param {string} text */
  notice(text) {
    notice(text);
  }

  /** @param {unknown} error */
  failed(error) {
    find("page", HTMLElement).setAttribute("aria-busy", "false");
    if (!(error instanceof ServerError)) throw error;
    notice(error.message);
    if (error.status === 401) askForKey();
    if (error.status === 0) this.#wait();
  }

  /** Ask again until the server is back, and then for what is missing. */
  async #wait() {
    if (this.waiting) return;
    this.waiting = true;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      try {
        await this.server.json("model");
        break;
      } catch (error) {
        if (error instanceof ServerError && error.status === 401) {
          notice("negtemp was started anew: take the address that the terminal printed.");
          askForKey();
          break;
        }
      }
    }
    this.waiting = false;
    notice("");
    this.changed("tokens");
  }

  waiting = false;
}
