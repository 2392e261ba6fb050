/**
 * What the page shows, as commands that give the same in a terminal.
 */

import { find, make } from "./dom.js";
import * as format from "./format.js";

/**
 * @typedef {object} Command
 * @property {string} what
 * @property {string} line
 */

/**
 * @param {import("./state.js").Store} store
 * @param {string} model words that select it
 * @param {Set<number>} ends
 * @param {number} count tokens that would be generated
 * @param {{betas: number[], root: number[], count: number} | null} beside
 * @returns {Command[]}
 */
export function commands(store, model, ends, count, beside) {
  const { beta, seed } = store.place;
  const { root, drawn } = store.run(ends);
  /** @param {string} name @param {number[]} ids @param {...string} more */
  const command = (name, ids, ...more) => ["negtemp", name, ...(model ? [model] : []), prompt(store, ids), ...more].join(" ");
  const run = command("run", root, `--beta=${format.plain(beta)}`, `-s ${seed}`, `-n ${drawn.length || count}`);
  return [
    { what: drawn.length ? `the last ${drawn.length === 1 ? "token" : `${drawn.length} tokens`}, drawn` : `the next ${count} tokens`, line: run },
    { what: "this distribution at every temperature", line: command("spectrum", store.ids) },
    ...(beside ? [{ what: "side by side", line: command("compare", beside.root, `--betas=${beside.betas.map(format.plain).join(",")}`, `-s ${seed}`, `-n ${beside.count}`) }] : []),
  ];
}

/**
 * The prompt as text where it is one, else as ids.
 * @param {import("./state.js").Store} store
 * @param {number[]} ids
 */
function prompt(store, ids) {
  const { quoted, prompt: typed } = store.place;
  return quoted !== null && ids.join() === typed.join() ? `-p ${quoted}` : `--prompt-ids ${ids.join(",")}`;
}

/** @param {Command[]} listed */
export function showCommands(listed) {
  const lines = listed.flatMap(({ what, line }) => [make("span", { class: "quiet" }, `# ${what}\n`), make("bdi", {}, line), "\n"]);
  find("command", HTMLElement).replaceChildren(...lines);
}
