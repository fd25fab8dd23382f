// Sets the chosen colours of the page before anything is shown.
"use strict";
{
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const show = () => {
    let chosen = null;
    try { chosen = localStorage.getItem("mailbox-theme"); } catch { /* storage is disabled */ }
    if (chosen) root.dataset.theme = chosen;
    root.dataset.shown = chosen || (dark.matches ? "dark" : "light");
  };
  dark.addEventListener("change", show);
  show();
}
