/**
 * Light, dark, or as the system has it: one attribute, which the style sheet reads, kept for the next visit.
 */

import { find } from "./dom.js";

const KEY = "negtemp-theme";
const THEMES = ["auto", "light", "dark"];

/** @param {() => void} changed what is drawn on canvases has to be drawn again */
export function theme(changed) {
  const button = find("theme", HTMLButtonElement);
  let now = THEMES.indexOf(kept());
  const show = () => {
    document.documentElement.dataset.theme = THEMES[now];
    button.textContent = `Theme: ${THEMES[now]}`;
    changed();
  };
  button.addEventListener("click", () => {
    now = (now + 1) % THEMES.length;
    keep(THEMES[now] ?? "auto");
    show();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  show();
}

function kept() {
  try {
    const found = localStorage.getItem(KEY) ?? "auto";
    return THEMES.includes(found) ? found : "auto";
  } catch {
    return "auto"; // a browser that keeps nothing
  }
}

/** @param {string} name */
function keep(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // then it holds for this visit
  }
}
