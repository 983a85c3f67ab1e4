// The worklist by keyboard (keys.js says by which keys). The place is kept over a visit to a case, and the cases of the page
// for who goes on from one to the next.
"use strict";

(() => {
  const PLACE = "worklist-place";
  const LIST = "worklist-cases";
  // A case is never fetched ahead: whoever is sent a patient is written down as having seen them. What is no patient's is.
  const AHEAD = ["/static/case.css", "/static/evidence.css", "/static/uplot.min.css", "/static/uplot.min.js", "/static/timeline.js"];

  const links = () => [...document.querySelectorAll("[data-case] a[data-open]")];
  const name = (link) => link.closest("[data-case]").dataset.case;

  function move(by) {
    const all = links();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement?.closest("[data-case]")?.querySelector("a[data-open]"));
    const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by));
    all[next].focus();
  }

  document.addEventListener("moves", (event) => move(event.detail));

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

  function kept(key) {
    try {
      return JSON.parse(sessionStorage.getItem(key) ?? "null");
    } catch {
      return null;
    }
  }

  // To the case that was left, or where it is no longer listed to the one that came after it.
  function restore() {
    const place = kept(PLACE);
    if (!Array.isArray(place) || place[0] !== location.search) return;
    const before = kept(LIST);
    const keys = before?.search === location.search && Array.isArray(before.keys) ? before.keys : [];
    const after = keys.includes(place[1]) ? keys.slice(keys.indexOf(place[1])) : [place[1]];
    const all = new Map(links().map((one) => [name(one), one]));
    all.get(after.find((one) => all.has(one)))?.focus();
  }

  if (location.hash === "#number") document.getElementById("number")?.focus();
  else restore();
  if (links().length) sessionStorage.setItem(LIST, JSON.stringify({ search: location.search, keys: links().map(name) }));
  window.requestIdleCallback?.(() => AHEAD.forEach((one) => fetch(one, { priority: "low" }).catch(() => undefined)));
})();
