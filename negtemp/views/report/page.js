// Sort a table by a click on a heading, and keep the rows that hold what is typed. Without this every table is complete.
"use strict";

const number = /^[^\d+-]*([+-]?(?:\d[\d,]*)(?:\.\d+)?(?:e[+-]?\d+)?)/i;

function key(cell, numeric) {
  const text = cell.textContent.trim();
  if (!numeric) return text;
  const found = number.exec(text);
  return found ? parseFloat(found[1].replaceAll(",", "")) : NaN;
}

function compare(a, b) {
  if (typeof a === "string") return a < b ? -1 : a > b ? 1 : 0;
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
  return a - b;
}

function sortBy(table, column, heading) {
  const up = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", up ? "ascending" : "descending");
  const numeric = heading.classList.contains("number");
  const keyed = [...table.tBodies[0].rows].map((row, place) => ({ row, place, key: key(row.cells[column], numeric) }));
  const missing = (one) => Number.isNaN(one.key);
  keyed.sort((a, b) => missing(a) - missing(b) || (up ? 1 : -1) * compare(a.key, b.key) || a.place - b.place);
  table.tBodies[0].append(...keyed.map((one) => one.row));
}

function sortable(table) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, column, heading));
    heading.append(button);
  });
}

function filterable(table, scroll) {
  const rows = [...table.tBodies[0].rows];
  const label = document.createElement("label");
  const input = document.createElement("input");
  const count = document.createElement("span");
  input.type = "search";
  label.className = "filter";
  count.setAttribute("role", "status");
  label.append("Rows that hold ", input, count);
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    count.textContent = wanted ? `${rows.filter((row) => !row.hidden).length} of ${rows.length}` : "";
  });
  scroll.before(label);
}

for (const scroll of document.querySelectorAll(".scroll")) {
  const table = scroll.querySelector("table");
  if (table.tBodies[0].rows.length > 1) sortable(table);
  if (table.tBodies[0].rows.length > 12) filterable(table, scroll);
}

const folded = () => document.querySelectorAll("details:not([open])");
addEventListener("beforeprint", () => folded().forEach((one) => { one.open = true; one.dataset.folded = ""; }));
addEventListener("afterprint", () => document.querySelectorAll("details[data-folded]").forEach((one) => {
  one.open = false;
  delete one.dataset.folded;
}));
