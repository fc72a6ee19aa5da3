// What makes the pages of a catalog more comfortable. All of them can be read without it.
"use strict";

const DAY = 86400000;

// Times: how long ago, and whether support has ended. The pages themselves know no clock.
const UNITS = [[1, "day", 14], [7, "week", 60], [30.4, "month", 730], [365, "year", Infinity]];
const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function tellAge(element) {
  const days = Math.round((Date.now() - Date.parse(element.dateTime)) / DAY);
  if (Number.isNaN(days) || days < 0) return;
  const [size, unit] = UNITS.find(([, , below]) => days < below);
  const told = ago.format(-Math.floor(days / size), unit);
  if (element.closest(".card")) {
    element.title = element.textContent;
    element.textContent = told;
  } else {
    element.after(` (${told})`);
  }
}

for (const element of document.querySelectorAll("time:not([data-end])")) tellAge(element);
for (const element of document.querySelectorAll("[data-ended]")) {
  element.hidden = !(Date.parse(element.dataset.ended) + DAY < Date.now());
}

// Copying. The clipboard is only there on pages that were loaded securely; selecting works everywhere.
async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
    return "Copied";
  } catch {
    getSelection().selectAllChildren(source);
    return document.execCommand("copy") ? "Copied" : "Selected";
  }
}

const spoken = document.createElement("p");
spoken.className = "spoken";
spoken.setAttribute("role", "status");
document.querySelector("main").append(spoken);

for (const box of document.querySelectorAll(".command")) {
  const source = box.querySelector("code");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${source.textContent.split("\n")[0]}`);
  button.addEventListener("click", async () => {
    button.textContent = spoken.textContent = await copy(source);
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  box.append(button);
}

// Filters of tables.
function filterRows(input) {
  const status = document.getElementById(input.getAttribute("aria-describedby"));
  const rows = [...input.closest("section").querySelectorAll("tbody tr")];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, number) => {
      row.hidden = !words.every((word) => texts[number].includes(word));
      shown += !row.hidden;
    });
    status.textContent = words.length ? `${shown} of ${rows.length}` : "";
  });
}

for (const box of document.querySelectorAll(".filter")) {
  box.hidden = false;
  filterRows(box.querySelector("input"));
}

// The search of the index. Its data is a script, since a page from a disk may load nothing else.
let data = null;

window.wslimgSearch = (loaded) => {
  data = { names: loaded.packages.map((name) => name.toLowerCase()), packages: loaded.packages, rows: new Map() };
  for (const row of loaded.rows) data.rows.set(row.flavor, row);
};

function loadSearch(address, then) {
  const script = document.createElement("script");
  script.src = address;
  script.addEventListener("load", then);
  document.head.append(script);
}

// For each word the numbers of the packages that have it in "NAME VERSION".
function findPackages(words) {
  return words.map((word) => {
    const found = new Set();
    if (data) data.names.forEach((name, number) => { if (name.includes(word)) found.add(number); });
    return found;
  });
}

// Whether `card` has all of `words`: null, or the versions and packages that say so where its own text does not.
function match(card, words, query, found) {
  const row = data?.rows.get(card.flavor) ?? { versions: [], packages: [] };
  const inVersion = (version, number) => version.toLowerCase().includes(words[number]);
  const missing = [...words.keys()].filter((number) => !card.text.includes(words[number]));
  const hit = missing.every((number) =>
    row.versions.some((version) => inVersion(version, number)) || row.packages.some((one) => found[number].has(one)));
  if (!hit) return null;
  // "curl 8": a package that has every word is meant rather than those that have one.
  const exact = words.length ? row.packages.filter((one) => found.every((set) => set.has(one))) : [];
  const packages = exact.length ? exact : row.packages.filter((one) => missing.some((number) => found[number].has(one)));
  const versions = exact.length ? [] : row.versions.filter((version) => missing.some((number) => inVersion(version, number)));
  packages.sort((a, b) => rank(b, words) - rank(a, words) || a - b);
  const score = card.name.includes(query) ? 2 : missing.length ? 0 : 1;
  return { versions, packages: packages.map((one) => data.packages[one]), score };
}

// Packages whose name is the word come before those that only contain it.
function rank(number, words) {
  const name = data.names[number].split(" ")[0];
  return words.includes(name) ? 2 : words.some((word) => name.startsWith(word)) ? 1 : 0;
}

function describe(hit) {
  const box = document.createElement("p");
  box.className = "matches";
  const names = [...hit.versions.map((version) => `version ${version}`), ...hit.packages];
  names.slice(0, 4).forEach((name, number) => {
    const mark = document.createElement("mark");
    mark.textContent = name;
    box.append(number ? ", " : "has ", mark);
  });
  if (names.length > 4) box.append(` and ${names.length - 4} more`);
  return names.length ? box : null;
}

function startSearch(input) {
  const status = document.getElementById("found");
  const list = document.querySelector(".cards");
  const cards = [...list.children].map((element) => ({
    element,
    flavor: element.dataset.flavor,
    name: element.querySelector(".name code").textContent.toLowerCase(),
    text: element.textContent.toLowerCase(),
  }));
  let loading = false;

  function show() {
    const query = input.value.trim().toLowerCase();
    const words = query.split(/\s+/).filter(Boolean);
    const found = findPackages(words);
    let count = 0;
    for (const card of cards) {
      card.element.querySelector(".matches")?.remove();
      const hit = match(card, words, query, found);
      card.element.hidden = !hit;
      card.score = hit?.score ?? 0;
      count += Boolean(hit);
      const box = hit && words.length ? describe(hit) : null;
      if (box) card.element.querySelector(".standing").before(box);
    }
    const order = words.length ? [...cards].sort((a, b) => b.score - a.score) : cards;
    list.append(...order.map((card) => card.element));
    status.textContent = words.length ? `${count} of ${cards.length} distributions${data ? "" : ", packages are being loaded"}` : "";
    const here = location.href.replace(/#.*/, "");
    history.replaceState(null, "", query ? `${here}#q=${encodeURIComponent(input.value.trim())}` : here);
  }

  function load() {
    if (loading) return;
    loading = true;
    loadSearch(input.dataset.script, () => { if (input.value) show(); });
  }

  input.addEventListener("focus", load);
  input.addEventListener("input", () => { load(); show(); });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { input.value = ""; show(); }
    if (event.key === "Enter") list.querySelector(".card:not([hidden]) h2 a")?.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input")) {
      event.preventDefault();
      input.focus();
    }
  });
  input.closest("search").hidden = false;
  const shared = new URLSearchParams(location.hash.slice(1)).get("q");
  if (shared) {
    input.value = shared;
    load();
    show();
  }
}

const query = document.getElementById("query");
if (query) startSearch(query);
