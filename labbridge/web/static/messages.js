// The list of messages: one button chooses all of a page.
"use strict";

document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-all]")) return;
  const boxes = document.querySelectorAll("input[type=checkbox][name=key]");
  const every = [...boxes].every((box) => box.checked);
  boxes.forEach((box) => { box.checked = !every; });
});
