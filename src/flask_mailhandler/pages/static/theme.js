// Before anything is shown: the page's own colours, if somebody has chosen them.
"use strict";
{
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const show = () => {
    let chosen = null;
    try { chosen = localStorage.getItem("mailbox-theme"); } catch { /* storage is switched off */ }
    if (chosen) root.dataset.theme = chosen;
    root.dataset.shown = chosen || (dark.matches ? "dark" : "light");
  };
  dark.addEventListener("change", show);
  show();
}
