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

// Dialogs: a button opens the one it names, and so does its key. No key alone does anything that cannot be taken back.
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

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input, textarea, select")) return;
  for (const button of document.querySelectorAll("[data-key]")) {
    if (button.dataset.key.split(" ").includes(event.key)) {
      event.preventDefault();
      if (button.dataset.opens) opens(button);
      else button.click();
      return;
    }
  }
});
