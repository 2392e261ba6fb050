/**
 * Every token's bytes, safe view and category, and the search among them. What is shown of a token was made by the
 * server; nothing here decides what is safe.
 */

import { unframed } from "./frames.js";

const MOST_FOUND = 12;

export class Vocabulary {
  /** @param {ArrayBuffer} frame */
  constructor(frame) {
    const { head, arrays } = unframed(frame);
    this.raw = /** @type {Uint8Array} */ (arrays.raw);
    this.rawEnds = /** @type {Uint32Array} */ (arrays.raw_ends);
    this.shown = /** @type {Uint8Array} */ (arrays.shown);
    this.shownEnds = /** @type {Uint32Array} */ (arrays.shown_ends);
    this.size = this.rawEnds.length;
    this.decoder = new TextDecoder();
    /** @type {string[]} */
    this.categories = head.categories;
    this.codes = /** @type {Uint8Array} */ (arrays.category);
  }

  /**
   * Finer categories, found by sending every token to text and back.
   * @param {ArrayBuffer} frame
   */
  categorise(frame) {
    const { head, arrays } = unframed(frame);
    this.categories = head.categories;
    this.codes = /** @type {Uint8Array} */ (arrays.category);
  }

  /** @param {number} token */
  category(token) {
    return this.categories[this.codes[token] ?? 0] ?? "";
  }

  /**
   * The safe view of a token.
   * @param {number} token
   */
  view(token) {
    return this.decoder.decode(this.shown.subarray(token ? this.shownEnds[token - 1] : 0, this.shownEnds[token]));
  }

  /**
   * @param {number} token
   * @returns {Uint8Array}
   */
  bytes(token) {
    return this.raw.subarray(token ? this.rawEnds[token - 1] : 0, this.rawEnds[token]);
  }

  /**
   * The bytes in hexadecimal, two digits each.
   * @param {number} token
   */
  hex(token) {
    return Array.from(this.bytes(token), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  /**
   * The text that tokens stand for, as far as it is one; null where their bytes are no UTF-8.
   * @param {number[]} tokens
   * @returns {string | null}
   */
  text(tokens) {
    const bytes = tokens.flatMap((token) => [...this.bytes(token)]);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
    } catch {
      return null;
    }
  }

  /**
   * Tokens by id, by bytes in hexadecimal, or by text: those that are it, then those that begin with it, then those that
   * hold it, each by id; a space in front counts for nothing.
   * @param {string} query
   * @returns {{tokens: number[], more: boolean}}
   */
  search(query) {
    /** @type {Set<number>} */
    const named = new Set();
    const id = /^#?(\d{1,9})$/.exec(query.trim());
    if (id && Number(id[1]) < this.size) named.add(Number(id[1]));
    const hex = /^(0x)?((?:[0-9a-f]{2})+)$/i.exec(query.trim().replace(/\\x/g, "").replace(/ /g, ""));
    const wanted = [...(hex ? [unhexed(hex[2] ?? "")] : []), ...(query ? [new TextEncoder().encode(query)] : [])];
    const ranked = wanted.map((bytes, index) => this.#holding(bytes, hex !== null && index === 0));
    for (const rank of [0, 1, 2, 3]) for (const found of ranked) for (const token of found[rank] ?? []) named.add(token);
    const tokens = [...named];
    return { tokens: tokens.slice(0, MOST_FOUND), more: tokens.length > MOST_FOUND };
  }

  /**
   * Tokens that hold bytes, in four classes: equal, equal but for a space in front, beginning with, holding.
   * @param {Uint8Array} wanted
   * @param {boolean} whole only those that are equal
   * @returns {number[][]}
   */
  #holding(wanted, whole) {
    /** @type {number[][]} */
    const classes = [[], [], [], []];
    const { raw } = this;
    const first = wanted[0];
    let start = 0;
    for (let token = 0; token < this.size; token++) {
      const end = this.rawEnds[token] ?? 0;
      for (let place = start; place + wanted.length <= end; place++) {
        if (raw[place] !== first || !equals(raw, place, wanted)) continue;
        const spaced = raw[start] === 32 ? start + 1 : start;
        const rank = end - place > wanted.length ? (place === start || place === spaced ? 2 : 3) : place === start ? 0 : place === spaced ? 1 : 3;
        if (!whole || rank === 0) classes[rank]?.push(token);
        break;
      }
      start = end;
    }
    return classes;
  }
}

/**
 * @param {Uint8Array} data
 * @param {number} place
 * @param {Uint8Array} wanted
 */
function equals(data, place, wanted) {
  for (let index = 0; index < wanted.length; index++) if (data[place + index] !== wanted[index]) return false;
  return true;
}

/** @param {string} hex */
function unhexed(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
