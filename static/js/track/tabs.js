// Tabs after the WAI-ARIA pattern: arrows, Home and End choose; one tab stop for all of them.

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

export function startTabs(section) {
  const list = section.querySelector("[data-tabs]");
  const tabs = [...list.querySelectorAll("[data-tab]")];

  function choose(tab) {
    for (const other of tabs) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
    }
    for (const part of section.querySelectorAll("[data-picture]")) {
      part.hidden = part.dataset.picture !== tab.dataset.tab;
    }
    section.dispatchEvent(new CustomEvent("picture:shown"));
  }

  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[data-tab]");
    if (tab) choose(tab);
  });
  // A button elsewhere in the result may show a picture. It goes with the result, and so does this.
  section.closest("#result")?.addEventListener("click", (event) => {
    const name = event.target.closest("[data-show]")?.dataset.show;
    const tab = tabs.find((each) => each.dataset.tab === name);
    if (!tab) return;
    choose(tab);
    section.scrollIntoView({ block: "nearest" });
  });
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement);
    let next = null;
    if (event.key in STEPS) next = tabs.at((at + STEPS[event.key]) % tabs.length);
    else if (event.key === "Home") next = tabs[0];
    else if (event.key === "End") next = tabs.at(-1);
    if (!next) return;
    event.preventDefault();
    choose(next);
    next.focus();
  });
}
