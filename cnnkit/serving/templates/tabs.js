// Tabs: one of them is reached with Tab, the others with the arrow keys, Home and End.

function startTabs(selected) {
  const tabs = [...document.querySelectorAll("[role=tab]")];

  function select(tab) {
    for (const each of tabs) {
      const isOn = each === tab;
      each.setAttribute("aria-selected", String(isOn));
      each.tabIndex = isOn ? 0 : -1;
      byId(each.getAttribute("aria-controls")).hidden = !isOn;
    }
    selected(tab.id);
  }

  for (const [place, tab] of tabs.entries()) {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      const next = tabs[(steps[event.key] + tabs.length) % tabs.length];
      next.focus();
      select(next);
    });
  }
}
