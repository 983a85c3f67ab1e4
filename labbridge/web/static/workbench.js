// What the pages need beside htmx: the token against forged requests, and what went wrong said where it is heard.
"use strict";

document.addEventListener("htmx:configRequest", (event) => {
  const token = document.body.dataset.csrf;
  if (token) event.detail.headers["X-CSRF-Token"] = token;
});

function say(text) {
  const place = document.getElementById("said");
  if (place) place.textContent = text;
}

document.addEventListener("htmx:responseError", (event) => {
  if ((event.detail.xhr.status === 401 || lock()?.contains(event.detail.elt)) && locked(event)) return;
  say(event.detail.xhr.responseText.slice(0, 400));
});

document.addEventListener("htmx:sendError", () => {
  say(document.documentElement.lang === "fr" ? "Le service ne répond pas." : "The service does not answer.");
});

document.addEventListener("htmx:afterSwap", (event) => {
  const alert = event.target.querySelector?.("[role=alert]");
  if (alert) alert.scrollIntoView({ block: "nearest" });
});

// Dialogs: a button opens the one it names (and so does its key, keys.js).
function opens(button) {
  const dialog = document.getElementById(button.dataset.opens);
  if (!dialog || dialog.open) return;
  dialog.showModal();
  dialog.querySelector("textarea, input:not([type=hidden]):not([hidden]), select, button[autofocus]")?.focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-opens]");
  if (button) opens(button);
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});

// A sign-in that has ended: the page stays with what was typed, covered by a dialog to sign in again as the same person.
// What was sent when it ended is not sent by itself: whoever is back looks first.
let isLocked = false;

function lock() {
  return document.getElementById("lock");
}

function refusedThere(text) {
  const alert = lock().querySelector("[role=alert]");
  alert.textContent = text;
  alert.hidden = !text;
}

function locked(event) {
  const dialog = lock();
  if (!dialog) return false;
  if (dialog.contains(event.detail.elt)) {
    const answer = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
    refusedThere(answer.querySelector("[role=alert]")?.textContent ?? event.detail.xhr.responseText.slice(0, 200));
  } else if (!dialog.open) {
    refusedThere("");
    isLocked = true;
    dialog.showModal();
    dialog.querySelector("input[type=password], a.button")?.focus();
  }
  return true;
}

function unlocked(token) {
  document.body.dataset.csrf = token;
  const password = lock().querySelector("input[type=password]");
  if (password) password.value = "";
  isLocked = false;
  lock().close();
}

document.addEventListener("htmx:afterRequest", (event) => {
  const token = event.detail.xhr.getResponseHeader("X-CSRF-Token");
  if (event.detail.xhr.status === 204 && token && lock()?.contains(event.detail.elt)) unlocked(token);
});

// Escape opens no lock, nor whatever else asks a dialog to close (a phone's way back).
document.addEventListener("keydown", (event) => {
  if (isLocked && event.key === "Escape") event.preventDefault();
}, true);

document.addEventListener("close", (event) => {
  if (event.target === lock() && isLocked) lock().showModal();
}, true);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-signed-in]");
  if (!button) return;
  const answer = await fetch("/account", { headers: { Accept: "text/html" }, cache: "no-store" });
  const there = new DOMParser().parseFromString(await answer.text(), "text/html").body.dataset;
  if (there.csrf && there.login === document.body.dataset.login) unlocked(there.csrf);
  else refusedThere(button.dataset.failed);
});
