"use strict";
/* The table of all videos: search, filter, sort, page. Rows stay data; only the rows of one page are elements, so a
 * hundred thousand videos stay quick. Names are set as text, never as markup. */
(function () {
  var data = JSON.parse(document.getElementById("data").textContent);
  var rows = data.rows;
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
  var PATH = 0, LABEL = 1, OUTCOME = 4, SCORE = 5, SECONDS = 7, MESSAGE = 10;
  var collator = new Intl.Collator("en", { numeric: true });
  var table = document.getElementById("table");
  var head = table.tHead.rows[0];
  var body = table.tBodies[0];
  var search = document.getElementById("search");
  var byOutcome = document.getElementById("by-outcome");
  var byLabel = document.getElementById("by-label");
  var pageSize = document.getElementById("page-size");
  var previous = document.getElementById("previous");
  var next = document.getElementById("next");
  var shown = [];
  var sorted = { column: -1, down: false };
  var page = 0;
  var svg = "http://www.w3.org/2000/svg";

  /* As page_videos.c writes a row, and so the columns. */
  function shownValue(row, column) {
    var value = row[column];
    if (column === OUTCOME) return data.outcomes[value];
    if (column === LABEL) return data.labels[value];
    return value;
  }

  function bar(p) {
    var s = document.createElementNS(svg, "svg");
    var fill, track;
    s.setAttribute("viewBox", "0 0 100 6");
    s.setAttribute("preserveAspectRatio", "none");
    s.setAttribute("aria-hidden", "true");
    track = document.createElementNS(svg, "rect");
    track.setAttribute("class", "track");
    track.setAttribute("width", "100");
    track.setAttribute("height", "6");
    fill = document.createElementNS(svg, "rect");
    fill.setAttribute("class", p >= 0.5 ? "bar-fake" : "bar-real");
    fill.setAttribute("width", String(100 * p));
    fill.setAttribute("height", "6");
    s.append(track, fill);
    return s;
  }

  function cell(row, column) {
    var kind = columns[column].kind;
    var value = shownValue(row, column);
    var td = document.createElement(column === PATH ? "th" : "td");
    if (column === PATH) td.scope = "row";
    if (kind === "path" || kind === "message") td.className = kind;
    if (kind === "number") td.className = "n";
    if (kind === "label" && value) td.className = "label-" + value;
    if (kind === "score") td.className = "score";
    if (kind === "score" && value !== null) {
      td.textContent = value.toFixed(4);
      td.append(bar(value));
    } else if (value !== null) {
      td.textContent = column === SECONDS ? value.toFixed(1) : String(value);
    }
    return td;
  }

  function show() {
    var size = Number(pageSize.value);
    var pages = Math.max(1, Math.ceil(shown.length / size));
    var part = document.createDocumentFragment();
    page = Math.min(Math.max(page, 0), pages - 1);
    shown.slice(page * size, (page + 1) * size).forEach(function (index) {
      var tr = document.createElement("tr");
      for (var k = 0; k < columns.length; k++) tr.append(cell(rows[index], k));
      part.append(tr);
    });
    body.replaceChildren(part);
    document.getElementById("found").textContent =
      shown.length.toLocaleString("en") + " of " + rows.length.toLocaleString("en") + " videos";
    document.getElementById("place").textContent = "Page " + (page + 1) + " of " + pages;
    previous.disabled = page === 0;
    next.disabled = page === pages - 1;
  }

  /* Empty values come last in either direction; equal ones keep the manifest's order. */
  function sort() {
    var c = sorted.column, sign = sorted.down ? -1 : 1;
    if (c < 0) return;
    shown.sort(function (a, b) {
      if (c === PATH) return sign * (a - b); /* rows come sorted by path */
      var x = shownValue(rows[a], c), y = shownValue(rows[b], c);
      var noX = x === null || x === "", noY = y === null || y === "";
      var order;
      if (noX || noY) return noX && noY ? a - b : noX ? 1 : -1;
      order = typeof x === "number" ? x - y : collator.compare(x, y);
      return order !== 0 ? sign * order : a - b;
    });
  }

  function filter() {
    var wanted = search.value.toLowerCase();
    shown = [];
    for (var i = 0; i < rows.length; i++) {
      var row = rows[i];
      if (byOutcome.value !== "" && row[OUTCOME] !== Number(byOutcome.value)) continue;
      if (byLabel.value !== "" && row[LABEL] !== Number(byLabel.value)) continue;
      if (wanted && !row[PATH].toLowerCase().includes(wanted) && !row[MESSAGE].toLowerCase().includes(wanted)) continue;
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
    var counts = names.map(function () { return 0; });
    rows.forEach(function (row) { counts[row[column]]++; });
    names.forEach(function (name, k) {
      if (counts[k] > 0) select.add(new Option((name || "none") + " (" + counts[k].toLocaleString("en") + ")", String(k)));
    });
  }

  columns.forEach(function (column, k) {
    var th = document.createElement("th");
    var button = document.createElement("button");
    th.scope = "col";
    if (column.kind === "number") th.className = "n";
    if (column.title) button.title = column.title;
    button.type = "button";
    button.textContent = column.name;
    button.addEventListener("click", function () { sortBy(k); });
    th.append(button);
    head.append(th);
  });
  options(byOutcome, data.outcomes, OUTCOME);
  options(byLabel, data.labels, LABEL);
  document.getElementById("filters").addEventListener("submit", function (event) { event.preventDefault(); });
  var waiting = 0;
  search.addEventListener("input", function () {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  byOutcome.addEventListener("change", filter);
  byLabel.addEventListener("change", filter);
  pageSize.addEventListener("change", function () { page = 0; show(); });
  previous.addEventListener("click", function () { page--; show(); });
  next.addEventListener("click", function () { page++; show(); });
  document.getElementById("filters").hidden = false;
  document.getElementById("pager").hidden = false;
  table.hidden = false;
  filter();
})();
