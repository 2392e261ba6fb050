/**
 * The first thing that runs: the key from the address or the form, the model, its vocabulary, and the page.
 */

import { find, make, write } from "./dom.js";
import { askForKey, notice } from "./entry.js";
import * as format from "./format.js";
import { Page } from "./page.js";
import { Server, ServerError } from "./server.js";
import { theme } from "./theme.js";
import { Vocabulary } from "./vocabulary.js";

/** @param {string} key */
async function start(key) {
  const server = new Server(key);
  try {
    const model = /** @type {import("./page.js").Model} */ (await server.json("model"));
    write(find("model", HTMLElement), "");
    find("model", HTMLElement).replaceChildren(make("bdi", {}, model.name), make("span", { class: "quiet" }, ` ${model.description} · ${format.count(model.tokens)} tokens`));
    find("entry", HTMLFormElement).hidden = true;
    notice("");
    const page = new Page(server, model, new Vocabulary(await server.bytes("vocabulary")));
    theme(() => {
      page.map.paint();
      if (page.distribution) page.changed("heat");
    });
    await page.open();
    await page.categorise();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    notice(error.status === 401 ? "" : error.message);
    if (error.status === 401) askForKey();
  }
}

find("entry", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const given = find("entry-key", HTMLInputElement).value.trim();
  start(new URLSearchParams(given.split("#")[1] ?? "").get("token") ?? given);
});
start(new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "");
