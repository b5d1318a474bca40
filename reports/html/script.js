"use strict";
(() => {
  const PAGE = 50;
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("data").textContent);
  const { strings, rows, names, words } = data;
  const [CHECK, ACCOUNT, REGION, TYPE, RESOURCE, STATUS, WHY, SINCE, , SEAL, PATH, LINE] = Array.from({ length: 12 }, (_, i) => i);
  const SYMBOL = { pass: "✓", fail: "✗", "not-assessed": "?", "not-applicable": "–" };
  document.documentElement.classList.add("scripted");

  const text = (row, column) => strings[row[column]];
  const el = (tag, className, content) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (content !== undefined) node.textContent = content;
    return node;
  };

  // Results: filter, search, page.
  const filters = { check: CHECK, account: ACCOUNT, region: REGION };
  for (const [name, column] of Object.entries(filters)) {
    const select = $("f-" + name);
    for (const value of [...new Set(rows.map((r) => text(r, column)))].sort()) {
      const label = name === "account" && names[value] ? value + " " + names[value] : value;
      const option = el("option", "", label);
      option.value = value;
      select.append(option);
    }
  }
  let first = 0;
  let found = rows;
  const lower = strings.map((s) => s.toLowerCase());
  const SEARCHED = [CHECK, ACCOUNT, TYPE, RESOURCE, WHY];

  function search() {
    const needles = $("q").value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = [[STATUS, $("f-status").value], ...Object.entries(filters).map(([n, c]) => [c, $("f-" + n).value])].filter(([, v]) => v);
    found = rows.filter((r) =>
      wanted.every(([c, v]) => text(r, c) === v) &&
      needles.every((n) => SEARCHED.some((c) => lower[r[c]].includes(n)) || (names[text(r, ACCOUNT)] || "").toLowerCase().includes(n)));
    first = 0;
    draw();
  }

  const LABELS = [...document.querySelectorAll("#rows thead th")].map((th) => th.textContent);
  function drawRow(r) {
    const tr = el("tr");
    const status = text(r, STATUS);
    const badge = el("span", "badge " + status);
    const symbol = el("span", "", SYMBOL[status]);
    symbol.setAttribute("aria-hidden", "true");
    badge.append(symbol, " " + words[status]);
    const resource = el("th");
    resource.scope = "row";
    resource.append(el("bdi", "resource", text(r, RESOURCE)), " ", el("span", "muted", text(r, TYPE)));
    const account = el("td");
    account.append(el("span", "whole", text(r, ACCOUNT)), " ");
    if (names[text(r, ACCOUNT)]) account.append(el("bdi", "muted", names[text(r, ACCOUNT)]), " ");
    account.append(el("span", "whole", text(r, REGION)));
    const why = el("td", "", text(r, WHY) + " ");
    if (text(r, SINCE)) why.append(el("span", "muted", words.since + " " + text(r, SINCE)));
    const evidence = el("td");
    if (text(r, PATH)) {
      const seal = el("code", "", text(r, SEAL).slice(0, 12) + "…");
      seal.title = text(r, SEAL);
      const by = el("span", "muted", words.seal + " ");
      by.append(seal);
      const where = el("span", "evidence");
      where.append(el("code", "", text(r, PATH) + ":" + r[LINE]), " ", by);
      evidence.append(where);
    }
    const answer = el("td");
    answer.append(badge);
    const check = el("td");
    check.append(el("code", "", text(r, CHECK)));
    tr.append(answer, resource, account, check, why, evidence);
    [...tr.children].forEach((cell, i) => cell.setAttribute("data-label", LABELS[i]));
    return tr;
  }

  function draw() {
    const last = Math.min(first + PAGE, found.length);
    $("rows").tBodies[0].replaceChildren(...found.slice(first, last).map(drawRow));
    const values = { from: found.length ? first + 1 : 0, to: last, count: found.length };
    $("shown").textContent = found.length ? words.shown.replace(/\{(\w+)\}/g, (_, k) => values[k].toLocaleString("en").replace(/,/g, "\u202f")) : words.nothing;
    $("previous").disabled = first === 0;
    $("next").disabled = last >= found.length;
  }

  let waiting;
  $("q").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(search, 120); });
  $("search").addEventListener("change", search);
  $("search").addEventListener("submit", (e) => { e.preventDefault(); search(); });
  const turn = (by) => { first += by; draw(); $("results").scrollIntoView(); };
  $("previous").addEventListener("click", () => turn(-PAGE));
  $("next").addEventListener("click", () => turn(PAGE));
  for (const button of document.querySelectorAll("[data-check]")) {
    button.addEventListener("click", () => {
      $("search").reset();
      $("f-check").value = button.dataset.check;
      search();
      location.hash = "#results";
      $("q").focus();
    });
  }

  // Requirements: show one verdict.
  const chips = [...document.querySelectorAll("[data-filter]")];
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chips.forEach((c) => c.setAttribute("aria-pressed", String(c === chip)));
      const wanted = chip.dataset.filter;
      let shown = 0;
      for (const entry of document.querySelectorAll("#requirements details")) {
        entry.hidden = wanted !== "all" && entry.dataset.status !== wanted;
        if (!entry.hidden) shown += 1;
      }
      $("requirements-empty").hidden = shown > 0;
    });
  }

  // A request, to the clipboard; where that is not allowed, selected instead.
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const source = $(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = words.copied;
      } catch {
        getSelection().selectAllChildren(source);
      }
    });
  }

  // A link to a folded entry opens it; printing opens all that a reader of paper needs.
  function reveal() {
    const target = location.hash.length > 1 && $(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.tagName === "DETAILS") { target.hidden = false; target.open = true; }
    target.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  document.addEventListener("click", (e) => {
    const link = e.target.closest && e.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) reveal();
  });
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((d) => { d.open = false; }));

  // On a phone each row stands alone, so its cells carry their column's name.
  for (const table of document.querySelectorAll("table.stack")) {
    const labels = [...table.querySelectorAll("thead th")].map((th) => th.textContent);
    for (const tr of table.tBodies[0].rows) [...tr.cells].forEach((cell, i) => cell.setAttribute("data-label", labels[i]));
  }

  // The contents show where the reader is.
  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.getAttribute("href").slice(1), a]));
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((a) => a.removeAttribute("aria-current"));
      const link = links.get(entry.target.id);
      if (link) link.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  document.querySelectorAll("main > section").forEach((s) => seen.observe(s));

  search();
  reveal();
})();
