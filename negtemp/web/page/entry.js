/**
 * What stands above the page: a notice, and the form that asks for the key where the address held none.
 */

import { find, write } from "./dom.js";

/** @param {string} text */
export function notice(text) {
  const element = find("notice", HTMLElement);
  element.hidden = !text;
  write(element, text);
}

export function askForKey() {
  find("entry", HTMLFormElement).hidden = false;
  find("entry-key", HTMLInputElement).focus();
}
