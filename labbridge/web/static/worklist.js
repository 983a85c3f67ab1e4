// The worklist by keyboard and by scanner: j and k go through the rows, / goes to the search; what a scanner types,
// wherever the cursor stands, is searched for. The place is kept over a visit to a case.
"use strict";

(() => {
  const FAST_MS = 50; // between two characters: a scanner needs less, a person more
  const LEAST = 4; // characters: fewer are a person's
  const PLACE = "worklist-place";
  let typed = "";
  let last = -Infinity;

  const links = () => [...document.querySelectorAll("[data-case] a[data-open]")];
  const field = () => document.getElementById("number");

  function writes(target) {
    return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
  }

  function move(by) {
    const all = links();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement?.closest("[data-case]")?.querySelector("a[data-open]"));
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by));
    all[next].focus();
  }

  function search(number) {
    const place = field();
    if (!place) return;
    place.value = number;
    place.form.requestSubmit();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || writes(event.target)) return;
    const fast = !event.repeat && event.timeStamp - last < FAST_MS;
    if (event.key === "Enter") {
      const number = typed;
      typed = "";
      if (fast && number.length >= LEAST && field()) {
        event.preventDefault();
        search(number);
      }
      return;
    }
    if (event.key.length !== 1) return;
    last = event.timeStamp;
    typed = fast ? typed + event.key : event.key;
    if (fast) {
      event.preventDefault(); // a blank in a label scrolls no page
      return;
    }
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/" && field()) {
      event.preventDefault();
      field().focus();
      field().select();
    }
  });

  document.addEventListener("focusin", (event) => {
    const row = event.target instanceof Element ? event.target.closest("[data-case]") : null;
    if (row) sessionStorage.setItem(PLACE, JSON.stringify([location.search, row.dataset.case]));
  });

  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-print]")) window.print();
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.target;
    if (event.detail.successful && form instanceof HTMLFormElement && form.querySelector("textarea")) form.reset();
  });

  function restore() {
    let kept = null;
    try {
      kept = JSON.parse(sessionStorage.getItem(PLACE) ?? "null");
    } catch {
      return;
    }
    if (!Array.isArray(kept) || kept[0] !== location.search) return;
    links().find((one) => one.closest("[data-case]").dataset.case === kept[1])?.focus();
  }

  restore();
})();
