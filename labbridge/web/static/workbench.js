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
