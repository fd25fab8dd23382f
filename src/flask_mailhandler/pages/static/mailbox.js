// Links and forms work without this script. It adds a live list, search while typing, messages and
// tabs without a reload, and keys. It never parses text of a message as HTML: it only inserts HTML
// that the server has escaped, under a policy without inline scripts.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const list = $("#list");
const live = $("#status");
let waiting = null; // the current request for the list
let opening = null; // the message that is being opened

function stored(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch { return null; } // storage is disabled
}

function say(text) { live.textContent = text; }

function write(html) { return new DOMParser().parseFromString(html, "text/html"); }

// The list

function searched() { return new URL(location.href).searchParams.get("q") || ""; }

// The search, and the page of the list.
function query() {
  const given = [...new URL(location.href).searchParams];
  return `${new URLSearchParams(given.filter(([name]) => ["q", "older", "newer"].includes(name)))}`;
}

function current() { return $(".message")?.dataset.id; }

function mark() {
  for (const row of $$(".row", list)) {
    if (row.dataset.id === current()) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

function count(unread) {
  const title = document.title.replace(/^\(\d+\) /, "");
  document.title = Number(unread) && !current() ? `(${unread}) ${title}` : title;
}

async function refresh(always = false) {
  if (waiting) {
    if (!always) return;
    waiting.abort();
  }
  const mine = waiting = new AbortController();
  const asked = query();
  const address = list.dataset.list + (asked ? `?${asked}` : "");
  const headers = always ? {} : { "If-None-Match": `W/"${list.dataset.state}"` };
  try {
    const response = await fetch(address, { headers, cache: "no-store", redirect: "manual", signal: mine.signal });
    if (response.status === 304) return; // nothing has changed
    const page = write(await response.text());
    // The login has ended, or the page says why the queue cannot be used. A reader would take the old
    // list for the current one.
    const ended = response.type === "opaqueredirect" || [401, 403].includes(response.status);
    if (ended || $("[role=alert]", page)) return location.reload();
    if (!response.ok || asked !== query()) return;
    list.dataset.state = response.headers.get("ETag").replace(/^W\/|"/g, "");
    replaceRows(page, always);
    count(response.headers.get("X-Mail-Unread"));
  } catch { /* the app is restarting, or a newer search has started */ } finally {
    if (waiting === mine) waiting = null;
  }
}

function replaceRows(page, quietly) {
  const known = new Set($$(".row", list).map((row) => row.dataset.id));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  list.replaceChildren(...page.body.childNodes);
  const fresh = $$(".row", list).filter((row) => !known.has(row.dataset.id));
  if (!quietly && fresh.length) {
    for (const row of fresh) row.classList.add("new");
    say(fresh.length === 1 ? `New message: ${$(".subject", fresh[0]).lastChild.textContent}`
      : `${fresh.length} new messages`);
  }
  mark();
  if (focused) (document.getElementById(focused.id) || rowOf(focused.dataset.id))?.focus();
  if (!opening && isStale()) openMessage(location.href, false);
}

function rowOf(id) { return $(`.row[data-id="${CSS.escape(id)}"]`, list); }

// Messages in the mailbox never change. The state of a message in the queue does.
function isStale() {
  const { id, version } = $(".message")?.dataset ?? {};
  return version !== undefined && version !== rowOf(id)?.dataset.version;
}

function move(step) {
  const rows = $$(".row", list);
  const from = rows.indexOf(document.activeElement.closest?.(".row"));
  const start = from >= 0 ? from : rows.findIndex((row) => row.dataset.id === current());
  rows[Math.min(Math.max(start + step, 0), rows.length - 1)]?.focus();
}

// A message

async function openMessage(address, remember = true) {
  const mine = opening = {};
  const response = await fetch(address, { cache: "no-store" }).catch(() => null);
  if (mine !== opening) return;
  opening = null;
  if (!response && !remember) return; // the app is restarting
  // A redirect leads to the login of the app.
  if (!response?.ok || response.redirected) return location.assign(remember ? address : $(".back")?.href || address);
  const page = write(await response.text());
  if (remember) history.pushState(null, "", address);
  const again = current() === $(".message", page)?.dataset.id;
  const chosen = again && $(".tabs [aria-selected=true]")?.id;
  const focused = again && $("#main").contains(document.activeElement) && document.activeElement.id;
  $("#main").replaceWith(page.querySelector("#main"));
  if (chosen && document.getElementById(chosen)) showTab(document.getElementById(chosen));
  if (focused) document.getElementById(focused)?.focus();
  document.title = page.title;
  $(".panes").classList.toggle("open", Boolean(current()));
  mark();
  arrive();
}

function arrive() {
  const message = $(".message");
  if (!message) return;
  reveal($("[aria-selected=true]", message));
  const width = stored("mailbox-width");
  for (const choice of $$("input[name=width]")) choice.checked = choice.value === (width || "desktop");
  const row = rowOf(message.dataset.id);
  if (message.dataset.read && (!row || row.classList.contains("unread"))) {
    post(message.dataset.read).then(() => refresh(), () => {}); // the app is restarting
  }
}

function post(address) {
  const headers = { "X-Mail-Token": list.dataset.token };
  return fetch(address, { method: "POST", headers, redirect: "manual" });
}

async function remove() {
  const form = $("#delete");
  if (!form) return;
  const rows = $$(".row", list);
  const place = rows.findIndex((row) => row.dataset.id === current());
  const next = rows[place + 1] || rows[place - 1];
  const { status } = await post(form.action);
  if (status === 403) return location.reload(); // the folder was created again, with another token
  say("Deleted");
  const narrow = matchMedia("(max-width: 48rem)").matches;
  await openMessage(next && !narrow ? next.href : $(".back").href);
  await refresh(true);
}

function showTab(tab) {
  for (const other of $$("[role=tab]", tab.closest("[role=tablist]"))) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    $(`#sheet-${other.dataset.tab}`).hidden = !chosen;
  }
  reveal(tab);
}

function reveal(tab) { tab?.scrollIntoView({ block: "nearest", inline: "nearest" }); }

function showFrame(link) {
  const frame = $(".stage iframe");
  if ("scheme" in link.dataset) {
    frame.dataset.scheme = link.dataset.scheme;
    for (const other of $$("[data-scheme]", link.parentNode)) {
      if (other === link) other.setAttribute("aria-current", "true");
      else other.removeAttribute("aria-current");
    }
  } else {
    link.dataset.images = link.dataset.images ? "" : "1";
    $("span", link).textContent = link.dataset.images ? "Block remote images" : "Load remote images";
  }
  const images = $(".images")?.dataset.images ? "1" : "0";
  // A new frame, not a navigation: the back button should leave the message, not its colours.
  const fresh = frame.cloneNode();
  fresh.src = frame.dataset.src.replace("{scheme}", frame.dataset.scheme).replace("{images}", images);
  frame.replaceWith(fresh);
}

function confirmClear(form) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "clear-title");
  dialog.append(...write(`<h2 id="clear-title"></h2><p></p>
    <form method="dialog"><button class="button" value=""></button>
    <button class="button danger" value="yes"></button></form>`).body.childNodes);
  const { title, text, no, yes } = form.dataset;
  [...dialog.querySelectorAll("h2, p, button")].forEach((element, place) => {
    element.textContent = [title, text, no, yes][place];
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (dialog.returnValue !== "yes") return;
    if (!form.isConnected) document.body.append(form); // the list has changed meanwhile
    form.submit();
  });
  document.body.append(dialog);
  dialog.showModal();
}

// Clicks and keys

const plain = (event) => !(event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

document.addEventListener("click", (event) => {
  const link = event.target.closest("a, button");
  if (!link || !plain(event)) return;
  if (link.matches("#theme")) {
    const theme = document.documentElement.dataset.shown === "dark" ? "light" : "dark";
    stored("mailbox-theme", theme);
    Object.assign(document.documentElement.dataset, { theme, shown: theme });
    return link.setAttribute("aria-pressed", theme === "dark");
  }
  const act = link.matches("[role=tab]") ? () => showTab(link)
    : link.matches(".tools a") ? () => showFrame(link)
      : list && link.matches(".row, .back") ? () => openMessage(link.href)
        : null;
  if (!act) return;
  event.preventDefault();
  act();
});

document.addEventListener("change", (event) => {
  if (event.target.name === "width") stored("mailbox-width", event.target.value);
});

document.addEventListener("submit", (event) => {
  if (!list || event.submitter?.closest("dialog")) return;
  if (event.target.id === "delete") { event.preventDefault(); remove(); }
  if (event.target.id === "clear") { event.preventDefault(); confirmClear(event.target); }
  if (event.target.matches(".search")) { event.preventDefault(); move(1); }
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  const tab = event.target.closest?.("[role=tab]");
  if (tab && ["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) {
    const tabs = $$("[role=tab]", tab.parentNode);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const to = step ? tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length]
      : event.key === "Home" ? tabs[0] : tabs.at(-1);
    event.preventDefault();
    showTab(to);
    return to.focus();
  }
  if (event.target.matches("input:not([type=radio]), textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const keys = {
    "j": () => move(1),
    "k": () => move(-1),
    "/": () => $(".search input")?.focus(),
    "u": () => $(".back")?.click(),
    "#": remove,
    "?": () => $("#keys")?.showModal(),
  };
  if (list && Object.hasOwn(keys, event.key)) {
    event.preventDefault();
    keys[event.key]();
  }
});

$("#theme").setAttribute("aria-pressed", document.documentElement.dataset.shown === "dark");

if (list) {
  let typed = 0;
  $(".search input").addEventListener("input", (event) => {
    clearTimeout(typed);
    typed = setTimeout(() => {
      const address = new URL(location.href);
      if (event.target.value) address.searchParams.set("q", event.target.value);
      else address.searchParams.delete("q");
      address.searchParams.delete("older");
      address.searchParams.delete("newer");
      history.replaceState(null, "", address);
      refresh(true);
    }, 120);
  });
  addEventListener("popstate", () => {
    $(".search input").value = searched();
    refresh(true);
    openMessage(location.href, false);
  });
  setInterval(() => { if (!document.hidden) refresh(); }, 1000 * (list.dataset.seconds || 2));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  mark();
  arrive();
}
