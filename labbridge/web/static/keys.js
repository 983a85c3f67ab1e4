// Keys, as the page's own elements name them: [data-key] is what is pressed, and the element says what it does. The dialog
// under ? is made of the same elements, so that it never says anything else. No key alone does what cannot be taken back.
//   data-opens  opens that dialog          data-shows  shows or hides all of these      data-moves  goes on in a list
//   data-goes   opens that part and goes there          a link, a button, a field or a details element does its own.
// What a scanner types, wherever the cursor stands, is searched for: a key waits a moment, whether more follows as fast.
"use strict";

(() => {
  const FAST_MS = 50; // between two characters: a scanner needs less, a person more
  const LEAST = 4; // characters: fewer are a person's
  const PLACE = "worklist-place";
  const LIST = "worklist-cases";
  let typed = "";
  let last = -Infinity;
  let waiting = null;

  // A field of a dialog that has just closed keeps the keys until the page is drawn anew, though nobody can write in it.
  function writes(target) {
    const field = target instanceof Element ? target.closest("input, textarea, select, [contenteditable]") : null;
    return field !== null && field.checkVisibility();
  }

  // ---------------------------------------------------------------- what keys do

  function usable(one) {
    const named = one.dataset.opens ?? one.dataset.goes;
    return !one.hidden && !one.disabled && (named === undefined || document.getElementById(named) !== null);
  }

  const keyed = () => [...document.querySelectorAll("[data-key]")].filter(usable);
  const named = (key) => keyed().find((one) => one.dataset.key.split(" ").includes(key));

  function reveal(part) {
    if (part instanceof HTMLDetailsElement) part.open = true;
    (part.querySelector("summary") ?? part).focus();
    part.scrollIntoView({ block: "start" });
  }

  function act(one) {
    if (one.dataset.goes) reveal(document.getElementById(one.dataset.goes));
    else if (one.dataset.moves) document.dispatchEvent(new CustomEvent("moves", { detail: Number(one.dataset.moves) }));
    else if (one instanceof HTMLDetailsElement) {
      if (one.open) one.open = false;
      else reveal(one);
    } else if (one instanceof HTMLInputElement) {
      one.focus();
      one.select();
    } else if (one.matches("a, button")) one.click();
  }

  function later(one) {
    flush();
    waiting = [one, setTimeout(flush, FAST_MS)];
  }

  function flush() {
    const one = cancel();
    if (one?.isConnected) act(one);
  }

  // Enter so soon behind a key that went to another link is meant for that one.
  function follow(event) {
    flush();
    const link = document.activeElement;
    if (link === event.target || !link?.matches("a")) return;
    event.preventDefault();
    link.click();
  }

  function cancel() {
    const one = waiting?.[0];
    clearTimeout(waiting?.[1]);
    waiting = null;
    return one;
  }

  function search(number) {
    const field = document.getElementById("number");
    if (field) {
      field.value = number;
      field.form.requestSubmit();
    } else htmx.ajax("POST", "/worklist/find", { values: { number }, target: "body" });
  }

  function pressed(event) {
    const fast = !event.repeat && event.timeStamp - last < FAST_MS;
    if (event.key === "Enter") {
      const number = typed;
      typed = "";
      if (fast && number.length >= LEAST && document.querySelector(".bar a[href='/worklist']")) {
        event.preventDefault();
        cancel();
        search(number);
      } else if (waiting) follow(event);
      return;
    }
    if (event.key === "Escape") {
      cancel();
      const one = named("Escape");
      if (one) {
        event.preventDefault(); // else the browser stops loading the page that this key has just asked for
        act(one);
      }
      return;
    }
    if (event.key.length !== 1) return;
    last = event.timeStamp;
    typed = fast ? typed + event.key : event.key;
    if (fast) {
      cancel();
      event.preventDefault(); // a blank in a label scrolls no page
      return;
    }
    const one = named(event.key);
    if (!one) return;
    event.preventDefault();
    later(one);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]") || writes(event.target)) return;
    pressed(event);
  });

  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-shows]") : null;
    if (!button) return;
    const shown = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(shown));
    for (const one of document.querySelectorAll(button.dataset.shows)) one.hidden = !shown;
  });

  // ---------------------------------------------------------------- the dialog of all keys

  function row(one) {
    const line = document.createElement("tr");
    const said = one.cloneNode(true);
    for (const key of said.querySelectorAll("kbd")) key.remove();
    const keys = document.createElement("th");
    keys.scope = "row";
    for (const key of one.dataset.key.split(" ")) keys.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    line.append(keys, Object.assign(document.createElement("td"), { textContent: one.dataset.name ?? said.textContent.trim() }));
    return line;
  }

  document.addEventListener(
    "click",
    (event) => {
      if (!(event.target instanceof Element) || !event.target.closest("[data-opens=keys]")) return;
      document.querySelector("#keys tbody")?.replaceChildren(...keyed().map(row));
    },
    true,
  );

  // ---------------------------------------------------------------- the list a case was opened from

  function list() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(LIST) ?? "null");
      const known = Array.isArray(kept?.keys) && typeof kept.search === "string" && /^(\?|$)/.test(kept.search);
      return known ? { search: kept.search, keys: kept.keys.filter((one) => /^C\d+$/.test(one)) } : null;
    } catch {
      return null;
    }
  }

  function wire() {
    const kept = list();
    const here = /^\/cases\/(C\d+)/.exec(location.pathname)?.[1];
    const at = kept && here ? kept.keys.indexOf(here) : -1;
    for (const one of document.querySelectorAll("[data-back]")) one.href = `/worklist${kept?.search ?? ""}`;
    for (const one of document.querySelectorAll("[data-step]")) {
      const next = at < 0 ? undefined : kept.keys[at + Number(one.dataset.step)];
      one.hidden = next === undefined;
      if (next !== undefined) one.href = `/cases/${next}`;
    }
    if (at >= 0) sessionStorage.setItem(PLACE, JSON.stringify([kept.search, here]));
  }

  document.addEventListener("htmx:afterSwap", wire);

  // What was decided leads back to the list the person came from, as it was chosen there.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const kept = list();
    if (event.detail.xhr.getResponseHeader("HX-Redirect") !== "/worklist" || !kept?.search) return;
    if (!location.pathname.startsWith("/cases/")) return;
    event.preventDefault();
    location.assign(`/worklist${kept.search}`);
  });

  wire();
})();
