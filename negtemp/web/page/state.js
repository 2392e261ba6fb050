/**
 * What the page is about at a moment: a prompt as token ids, what was added to it, where in it one stands, beta and seed.
 * Everything on the page follows from it, and a link or a command brings it back.
 *
 * An added token that was drawn remembers its beta and its seed. Those drawn alike, one after the other, are one run of
 * `negtemp run` from a root: everything before them.
 */

import * as format from "./format.js";

/**
 * @typedef {object} Added a token after the prompt
 * @property {number} id
 * @property {{beta: number, seed: number} | null} drawn how, or null where it was chosen
 * @property {number | null} logprob at T = 1, where it is known
 */

/**
 * @typedef {object} Place
 * @property {number[]} prompt
 * @property {string | null} quoted the prompt as a shell takes it; null where it is not known to be text
 * @property {Added[]} added
 * @property {number} cursor how many tokens, from the first on, stand before the next
 * @property {number} beta
 * @property {number} seed
 */

/** @typedef {"tokens" | "heat" | "seed"} Aspect what of a place has changed */

const MOST_UNDO = 200;

export class Store {
  /** @param {Place} place */
  constructor(place) {
    this.place = place;
    /** @type {Pick<Place, "prompt" | "quoted" | "added" | "cursor">[]} */
    this.past = [];
    /** @type {((aspect: Aspect) => void)[]} */
    this.listeners = [];
  }

  /** @param {(aspect: Aspect) => void} listener */
  subscribe(listener) {
    this.listeners.push(listener);
  }

  /** @param {Aspect} aspect */
  #tell(aspect) {
    for (const listener of this.listeners) listener(aspect);
  }

  /** The ids before the next token. */
  get ids() {
    return this.all.slice(0, this.place.cursor);
  }

  /** All ids, those after the cursor too. */
  get all() {
    return [...this.place.prompt, ...this.place.added.map(({ id }) => id)];
  }

  /** What was added before the cursor. */
  get before() {
    return this.place.added.slice(0, Math.max(0, this.place.cursor - this.place.prompt.length));
  }

  /** @param {number} beta */
  heat(beta) {
    if (Object.is(beta, this.place.beta)) return;
    this.place = { ...this.place, beta };
    this.#tell("heat");
  }

  /** @param {number} seed */
  reseed(seed) {
    this.place = { ...this.place, seed };
    this.#tell("seed");
  }

  /**
   * Another prompt, with nothing added.
   * @param {number[]} prompt
   * @param {string | null} quoted
   */
  begin(prompt, quoted) {
    this.place = { ...this.place, prompt, quoted, added: [], cursor: prompt.length };
    this.past = [];
    this.#tell("tokens");
  }

  /**
   * Stand behind the first `cursor` tokens; nothing is lost until a token is added there.
   * @param {number} cursor
   */
  stand(cursor) {
    if (cursor === this.place.cursor || cursor < 1) return;
    this.place = { ...this.place, cursor };
    this.#tell("tokens");
  }

  /**
   * Add tokens where one stands; those after it go. One undo takes all of `added` back.
   * @param {Added[]} added
   * @param {boolean} [joined] they belong to the tokens added last
   */
  add(added, joined = false) {
    const { prompt, quoted, cursor } = this.place;
    if (!joined) {
      this.past.push({ prompt, quoted, added: this.place.added, cursor });
      if (this.past.length > MOST_UNDO) this.past.shift();
    }
    const kept = prompt.slice(0, cursor);
    const all = [...this.before, ...added];
    this.place = {
      ...this.place, prompt: kept, quoted: kept.length < prompt.length ? null : quoted, added: all, cursor: kept.length + all.length,
    };
    this.#tell("tokens");
  }

  /** Take back what was added last. */
  undo() {
    const before = this.past.pop();
    if (!before) return;
    this.place = { ...this.place, ...before };
    this.#tell("tokens");
  }

  /**
   * The tokens drawn at this beta and seed up to the cursor, and how long their root is.
   * @param {Set<number>} ends tokens that end a run
   */
  run(ends) {
    const { before, place } = this;
    let first = before.length;
    while (first > 0 && isOf(before[first - 1], place) && !ends.has(before[first - 1]?.id ?? -1)) first--;
    const root = place.cursor - (before.length - first);
    return { root: this.ids.slice(0, root), drawn: this.ids.slice(root) };
  }
}

/**
 * @param {Added | undefined} added
 * @param {Place} place
 */
function isOf(added, place) {
  return added?.drawn?.beta === place.beta && added.drawn.seed === place.seed;
}

/**
 * A place as a link's fragment, without the key.
 * @param {Place} place
 * @returns {URLSearchParams}
 */
export function linked(place) {
  const { prompt, added, cursor, beta, seed } = place;
  let drawn = 0;
  while (drawn < added.length && isOf(added[added.length - 1 - drawn], place)) drawn++;
  const fields = new URLSearchParams({ ids: prompt.join(","), beta: format.plain(beta), seed: String(seed) });
  if (added.length) fields.set("then", added.map(({ id }) => id).join(","));
  if (drawn) fields.set("drawn", String(drawn));
  if (cursor < prompt.length + added.length) fields.set("at", String(cursor));
  return fields;
}

/**
 * The place that a fragment names; null where it names none, or not one of this vocabulary.
 * @param {URLSearchParams} fields
 * @param {number} size of the vocabulary
 * @returns {Place | null}
 */
export function unlinked(fields, size) {
  const prompt = ids(fields.get("ids"), size);
  const then = ids(fields.get("then") ?? "", size);
  const beta = format.typed(fields.get("beta") ?? "1");
  const seed = Number(fields.get("seed") ?? 1);
  const drawn = Number(fields.get("drawn") ?? 0);
  if (!prompt?.length || !then || beta === null || !Number.isInteger(seed) || seed < 0 || seed > 2 ** 32 - 2) return null;
  const added = then.map((id, index) => ({ id, drawn: index >= then.length - drawn ? { beta, seed } : null, logprob: null }));
  const all = prompt.length + added.length;
  const cursor = Number(fields.get("at") ?? all);
  return { prompt, quoted: null, added, cursor: cursor >= 1 && cursor <= all && Number.isInteger(cursor) ? cursor : all, beta: beta + 0, seed };
}

/**
 * @param {string | null} text
 * @param {number} size
 * @returns {number[] | null}
 */
function ids(text, size) {
  if (!text) return text === null ? null : [];
  const found = text.split(",").map((part) => (/^\d{1,9}$/.test(part) ? Number(part) : -1));
  return found.every((id) => id >= 0 && id < size) ? found : null;
}
