"use strict";
/* Charts, and the table of all videos: search, filter, sort, page, open. Rows stay data; only the rows of one page are
 * elements, so a hundred thousand videos stay quick. */
(function () {
  var data = fakesift.data, element = fakesift.element;
  document.querySelectorAll("[data-chart]").forEach(function (place) {
    var chart = data.charts[place.dataset.chart];
    if (chart) fakesift.chart(place.dataset.chart, place, chart.sets, chart.about);
  });
  var only = document.getElementById("video");
  if (only) {
    /* The page of one video. */
    fakesift.showVideo(0, only, true);
    return;
  }

  var rows = data.rows, n = data.paths.length;
  var columns = [
    { name: "Video", kind: "path" },
    { name: "Label", kind: "label" },
    { name: "Split", kind: "text" },
    { name: "Family", kind: "text" },
    { name: "Outcome", kind: "outcome" },
    { name: "P(fake)", kind: "score" },
    { name: "Faces", kind: "number", title: "frames with a face, of frames decoded" },
    { name: "Seconds", kind: "number" },
    { name: "Size", kind: "text", title: "width x height in pixels" },
    { name: "Codec", kind: "text" },
    { name: "Message", kind: "message" }
  ];
  var PATH = 0, SCORE = 5;
  var collator = new Intl.Collator("en", { numeric: true });
  var table = document.getElementById("table");
  var head = table.tHead.rows[0];
  var body = table.tBodies[0];
  var search = document.getElementById("search");
  var byOutcome = document.getElementById("by-outcome");
  var byLabel = document.getElementById("by-label");
  var byFamily = document.getElementById("by-family");
  var from = document.getElementById("from");
  var to = document.getElementById("to");
  var pageSize = document.getElementById("page-size");
  var previous = document.getElementById("previous");
  var next = document.getElementById("next");
  var shown = [];
  var sorted = { column: -1, down: false };
  var page = 0;

  /* null: unknown. As page_data.c writes the columns. */
  function value(row, column) {
    switch (column) {
    case 0: return data.paths[row];
    case 1: return data.labels[rows.label[row]];
    case 2: return data.texts[rows.split[row]];
    case 3: return data.texts[rows.family[row]];
    case 4: return data.outcomes[rows.outcome[row]];
    case 5: return rows.p[row] < 0 ? null : rows.p[row] / 1e6;
    case 6: return rows.faces[row] < 0 ? null : rows.faces[row];
    case 7: return rows.tenths[row] < 0 ? null : rows.tenths[row] / 10;
    case 8: return data.texts[rows.size[row]];
    case 9: return data.texts[rows.codec[row]];
    default: return data.texts[rows.message[row]];
    }
  }

  function bar(p) {
    var meter = element("meter", undefined, p >= 0.5 ? "bar-fake" : "bar-real");
    meter.max = 1;
    meter.value = p;
    meter.setAttribute("aria-hidden", "true");
    return meter;
  }

  function opener(row, text) {
    var a = element("a", text, "open");
    a.href = "#video=" + row;
    return a;
  }

  function cell(row, column) {
    var kind = columns[column].kind, v = value(row, column);
    var td = element(column === PATH ? "th" : "td");
    if (column === PATH) td.scope = "row";
    if (kind === "path" || kind === "message") td.className = kind;
    if (kind === "number") td.className = "n";
    if (kind === "label" && v) td.className = "label-" + v;
    if (kind === "score") td.className = "score";
    if (kind === "outcome") {
      td.className = "outcome";
      td.append(element("span", undefined, "swatch o-" + v), v);
    } else if (column === PATH) {
      td.append(opener(row, v));
    } else if (kind === "score" && v !== null) {
      td.append(v.toFixed(4), bar(v));
    } else if (v !== null) {
      td.textContent = kind === "number" && column === 7 ? v.toFixed(1) : String(v);
    }
    return td;
  }

  function show() {
    var size = Number(pageSize.value);
    var pages = Math.max(1, Math.ceil(shown.length / size));
    var part = document.createDocumentFragment();
    page = Math.min(Math.max(page, 0), pages - 1);
    shown.slice(page * size, (page + 1) * size).forEach(function (row) {
      var tr = element("tr");
      for (var k = 0; k < columns.length; k++) tr.append(cell(row, k));
      part.append(tr);
    });
    body.replaceChildren(part);
    document.getElementById("found").textContent =
      shown.length.toLocaleString("en") + " of " + n.toLocaleString("en") + (n === 1 ? " video" : " videos");
    document.getElementById("place").textContent = "Page " + (page + 1).toLocaleString("en") + " of " + pages.toLocaleString("en");
    previous.disabled = page === 0;
    next.disabled = page === pages - 1;
  }

  /* Empty values come last in either direction; equal ones keep the manifest's order. Texts are compared once each. */
  function sort() {
    var c = sorted.column, sign = sorted.down ? -1 : 1, keys, ranks;
    if (c < 0) return;
    if (c === PATH) {
      shown.sort(function (a, b) { return sign * (a - b); }); /* rows come sorted by path */
      return;
    }
    keys = new Array(n);
    shown.forEach(function (row) { keys[row] = value(row, c); });
    if (columns[c].kind !== "number" && columns[c].kind !== "score") {
      ranks = new Map();
      shown.forEach(function (row) { ranks.set(keys[row], 0); });
      Array.from(ranks.keys()).sort(collator.compare).forEach(function (text, k) { ranks.set(text, k); });
      shown.forEach(function (row) { keys[row] = keys[row] === "" ? null : ranks.get(keys[row]); });
    }
    shown.sort(function (a, b) {
      var x = keys[a], y = keys[b];
      if (x === null || y === null) return x === y ? a - b : x === null ? 1 : -1;
      return x !== y ? sign * (x - y) : a - b;
    });
  }

  function filter() {
    var wanted = search.value.toLowerCase(), low = Number(from.value || 0), high = Number(to.value || 1);
    var bounded = from.value !== "" || to.value !== "";
    var inMessage = data.texts.map(function (text) { return text.toLowerCase().includes(wanted); });
    shown = [];
    for (var i = 0; i < n; i++) {
      if (byOutcome.value !== "" && rows.outcome[i] !== Number(byOutcome.value)) continue;
      if (byLabel.value !== "" && rows.label[i] !== Number(byLabel.value)) continue;
      if (byFamily.value !== "" && rows.family[i] !== Number(byFamily.value)) continue;
      if (bounded && (rows.p[i] < 0 || rows.p[i] < low * 1e6 || rows.p[i] > high * 1e6)) continue;
      if (wanted && !inMessage[rows.message[i]] && !data.paths[i].toLowerCase().includes(wanted)) continue;
      shown.push(i);
    }
    sort();
    page = 0;
    show();
  }

  function sortBy(column) {
    /* Scores are most often wanted from the top. */
    sorted.down = sorted.column === column ? !sorted.down : column === SCORE;
    sorted.column = column;
    for (var k = 0; k < columns.length; k++) head.cells[k].removeAttribute("aria-sort");
    head.cells[column].setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    sort();
    page = 0;
    show();
  }

  function options(select, names, column) {
    var counts = new Map(), k;
    for (k = 0; k < n; k++) counts.set(column[k], (counts.get(column[k]) || 0) + 1);
    Array.from(counts.keys()).sort(function (a, b) { return collator.compare(names[a], names[b]); }).forEach(function (key) {
      select.add(new Option((names[key] || "none") + " (" + counts.get(key).toLocaleString("en") + ")", String(key)));
    });
    if (counts.size < 2) select.closest("label").hidden = true;
  }

  columns.forEach(function (column, k) {
    var th = element("th"), button = element("button", column.name);
    th.scope = "col";
    if (column.kind === "number") th.className = "n";
    if (column.title) button.title = column.title;
    button.type = "button";
    button.addEventListener("click", function () { sortBy(k); });
    th.append(button);
    head.append(th);
  });
  options(byOutcome, data.outcomes, rows.outcome);
  options(byLabel, data.labels, rows.label);
  options(byFamily, data.texts, rows.family);
  document.getElementById("filters").addEventListener("submit", function (event) { event.preventDefault(); });
  var waiting = 0;
  [search, from, to].forEach(function (input) {
    input.addEventListener("input", function () {
      clearTimeout(waiting);
      waiting = setTimeout(filter, 120);
    });
  });
  [byOutcome, byLabel, byFamily].forEach(function (select) { select.addEventListener("change", filter); });
  pageSize.addEventListener("change", function () { page = 0; show(); });
  previous.addEventListener("click", function () { page--; show(); });
  next.addEventListener("click", function () { page++; show(); });
  document.getElementById("filters").hidden = false;
  document.getElementById("pager").hidden = false;
  table.hidden = false;
  filter();

  /* A video's view: the address says which, so that it can be linked to and "back" closes it. */
  var dialog = document.getElementById("dialog"), view = document.getElementById("view"), opened = -1;
  function follow() {
    var match = /^#video=(\d+)$/.exec(location.hash), row = match ? Number(match[1]) : -1;
    if (row < 0 || row >= n) {
      opened = -1;
      if (dialog.open) dialog.close();
      return;
    }
    opened = row;
    document.getElementById("dialog-title").textContent = data.paths[row];
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    fakesift.showVideo(row, view);
  }
  dialog.addEventListener("close", function () {
    var row = opened;
    view.replaceChildren();
    if (row < 0) return;
    opened = -1;
    history.replaceState(null, "", location.pathname + location.search);
  });
  dialog.addEventListener("click", function (event) { if (event.target === dialog) dialog.close(); });
  document.getElementById("close").addEventListener("click", function () { dialog.close(); });
  function step(by) {
    var at = shown.indexOf(opened), row = shown[at + by];
    if (at >= 0 && row !== undefined) location.replace("#video=" + row);
  }
  document.getElementById("before").addEventListener("click", function () { step(-1); });
  document.getElementById("after").addEventListener("click", function () { step(1); });
  addEventListener("hashchange", follow);

  /* The tables that C wrote name videos, too. */
  var index = new Map();
  data.paths.forEach(function (path, row) { index.set(path, row); });
  document.querySelectorAll("main section:not(#all) th.path").forEach(function (th) {
    var row = index.get(th.textContent);
    if (row !== undefined) th.replaceChildren(opener(row, th.textContent));
  });
  follow();
})();
