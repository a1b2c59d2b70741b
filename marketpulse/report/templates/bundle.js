"use strict";
const sections = [...document.querySelectorAll("details")];
const setOpen = (open) => sections.forEach((section) => { section.open = open; });
document.getElementById("open-all").addEventListener("click", () => setOpen(true));
document.getElementById("close-all").addEventListener("click", () => setOpen(false));

// A link to a table opens it.
function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
  }
}
addEventListener("hashchange", openTarget);
openTarget();

// Paper cannot be clicked: everything is printed, and what was closed is closed again.
let closed = [];
addEventListener("beforeprint", () => {
  closed = sections.filter((section) => !section.open);
  setOpen(true);
});
addEventListener("afterprint", () => closed.forEach((section) => { section.open = false; }));
