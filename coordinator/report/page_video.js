"use strict";
/* What report.html and the page of one video share: the data as page_data.c writes them, charts, and the view of a video.
 * Names are set as text, never as markup. */
var fakesift = (function () {
  var data = JSON.parse(document.getElementById("data").textContent);
  var rows = data.rows;
  var drawn = [];

  /* [0, "a.mp4", 1, "b.mp4"] -> ["a.mp4", "ab.mp4"] */
  function unfold(list) {
    var out = [], last = "";
    for (var k = 0; k < list.length; k += 2) {
      last = last.slice(0, list[k]) + list[k + 1];
      out.push(last);
    }
    return out;
  }
  data.paths = unfold(rows.path);

  function element(name, text, className) {
    var e = document.createElement(name);
    if (text !== undefined) e.textContent = text;
    if (className) e.className = className;
    return e;
  }

  /* A chart fills its element's width, and is drawn again when that changes. */
  function sizesFor(name, width, sets) {
    if (name === "scores") return { child_width: width - 62 };
    if (name === "timeline") return { child_width: width - 62 };
    if (name === "families") {
      var longest = Math.max.apply(null, sets.heat.map(function (row) { return row.name.length; }).concat(8));
      var labels = Math.min(190, longest * 6.8), rest = width - labels - 48;
      return { concat_0_width: Math.round(rest * 0.66), concat_1_width: Math.round(rest * 0.34) };
    }
    if (name === "reliability") return { width: width - 66 };
    if (name === "roc" || name === "pr" || name === "det") return { width: width - 70, height: Math.min(width - 70, 360) };
    if (name === "intervals") return { width: width - (width < 560 ? 150 : 190) };
    return { width: width };
  }

  function draw(item, width) {
    if (item.forget) item.forget();
    item.forget = null;
    item.width = width;
    try {
      item.forget = fakesiftCharts.draw(item.name, item.element, item.sets, sizesFor(item.name, width, item.sets), item.about);
    } catch (error) {
      item.element.replaceChildren(element("p", "This chart could not be drawn: " + error.message, "why"));
    }
  }

  function chart(name, place, sets, about) {
    if (typeof fakesiftCharts === "undefined") return;
    var item = { name: name, element: place, sets: sets, about: about, forget: null, width: 0 };
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", about);
    drawn = drawn.filter(function (other) { return other.element.isConnected; });
    drawn.push(item);
    draw(item, Math.max(240, place.clientWidth));
  }

  var waiting = 0;
  function redraw(width) {
    drawn.forEach(function (item) {
      var wanted = width ? width(item.element) : Math.max(240, item.element.clientWidth);
      if (item.element.isConnected && Math.abs(wanted - item.width) > 4) draw(item, wanted);
    });
  }
  addEventListener("resize", function () {
    clearTimeout(waiting);
    waiting = setTimeout(function () { redraw(); }, 150);
  });
  /* Paper is narrower than most screens: what is drawn for it stays legible there. */
  addEventListener("beforeprint", function () {
    redraw(function (place) { return place.closest(".curves") ? 320 : 660; });
  });
  addEventListener("afterprint", function () { redraw(); });

  function pictures(crops, clips, view) {
    var list = element("ul", undefined, "crops");
    crops.slice().sort(function (a, b) { return a[0] - b[0] || a[2] - b[2]; }).forEach(function (crop) {
      var item = element("li"), figure = element("figure"), image = element("img"), caption = element("figcaption");
      var clip = clips.find(function (c) { return c.track === crop[0] && c.clip === crop[1]; });
      var at = (crop[2] / 1e6).toFixed(1) + " s, face " + (crop[0] + 1);
      image.src = crop[3];
      image.alt = "Face " + (crop[0] + 1) + " at " + (crop[2] / 1e6).toFixed(1) + " s";
      caption.append(at);
      if (clip) {
        caption.append(element("br"), element("span", clip.p.toFixed(3), clip.p >= 0.5 ? "label-FAKE" : "label-REAL"));
      }
      figure.append(image, caption);
      item.append(figure);
      list.append(item);
    });
    view.append(element("h3", "Faces"), list);
  }

  function clipTable(clips, view) {
    var details = element("details"), scroll = element("div", undefined, "scroll"), table = element("table");
    var head = element("tr"), thead = element("thead"), tbody = element("tbody");
    details.append(element("summary", "The time line's numbers"));
    ["Face", "Clip", "From, s", "To, s", "Frames", "P(fake)"].forEach(function (name) {
      var th = element("th", name, "n");
      th.scope = "col";
      head.append(th);
    });
    clips.forEach(function (c) {
      var tr = element("tr");
      [c.track + 1, c.clip + 1, c.start.toFixed(2), c.end.toFixed(2), c.frames, c.p.toFixed(4)].forEach(function (value) {
        tr.append(element("td", String(value), "n"));
      });
      tbody.append(tr);
    });
    thead.append(head);
    table.append(thead, tbody);
    scroll.append(table);
    details.append(scroll);
    view.append(details);
  }

  function clipsOf(row) {
    var flat = data.clips[row] || [], clips = [];
    for (var k = 0; k < flat.length; k += 6) {
      clips.push({ track: flat[k], clip: flat[k + 1], start: flat[k + 2] / 1e3, end: (flat[k + 2] + flat[k + 3]) / 1e3,
        frames: flat[k + 4], p: flat[k + 5] / 1e6 });
    }
    return clips;
  }

  function plural(n, word) {
    return n.toLocaleString("en") + " " + word + (n === 1 ? "" : "s");
  }

  /* What a reader must know was not looked at. */
  function unseen(row, clips) {
    var list = [], wanted = rows.wanted[row], frames = rows.frames[row], faces = rows.faces[row], length = rows.tenths[row] / 10;
    var covered = 0, end = -Infinity, seen = {}, last = -1;
    if (wanted > frames && frames >= 0) list.push(plural(wanted - frames, "wanted frame") + " of " + wanted + " could not be read.");
    if (faces >= 0 && frames > faces) list.push(plural(frames - faces, "frame") + " of " + frames + " showed no face that was followed.");
    clips.slice().sort(function (a, b) { return a.start - b.start; }).forEach(function (c) {
      covered += Math.max(0, c.end - Math.max(c.start, end));
      end = Math.max(end, c.end);
      seen[c.clip] = true;
      last = Math.max(last, c.clip);
    });
    var gone = [];
    for (var k = 0; k < last; k++) if (!seen[k]) gone.push(k + 1);
    if (gone.length) list.push("No face was scored in clip " + gone.slice(0, 12).join(", ") + (gone.length > 12 ? ", \u2026" : "") + ".");
    if (clips.length && length > 0) {
      list.push("The scored clips span " + covered.toFixed(1) + " of " + length.toFixed(1) + " seconds; the rest was not looked at.");
    }
    return list;
  }

  function timeline(row, clips, view) {
    var whole = rows.faces[row] < 0; /* this detector takes whole frames */
    var tracks = {}, sets = [], n, limit = 12, length = rows.tenths[row] > 0 ? rows.tenths[row] / 10 : 0;
    clips.forEach(function (c) { (tracks[c.track] = tracks[c.track] || []).push(c); });
    n = Object.keys(tracks).length;
    /* The faces with the highest scores, where there are many. */
    var shown = Object.keys(tracks).sort(function (a, b) {
      var top = function (k) { return Math.max.apply(null, tracks[k].map(function (c) { return c.p; })); };
      return top(b) - top(a) || a - b;
    }).slice(0, limit).sort(function (a, b) { return a - b; });
    shown.forEach(function (k) {
      var mean = tracks[k].reduce(function (sum, c) { return sum + c.p; }, 0) / tracks[k].length;
      tracks[k].forEach(function (c) {
        var thin = Math.max(c.end - c.start, length / 250);
        sets.push({ track: (whole ? "Whole frames" : "Face " + (Number(k) + 1)) + ", mean " + mean.toFixed(3) + " over " + plural(tracks[k].length, "clip"),
          order: Number(k), start: c.start, end: c.start + thin, middle: (c.start + c.end) / 2, whole: length, p: c.p,
          color: c.p >= 0.5 ? "var(--fake)" : "var(--real)",
          tip: c.start.toFixed(2) + " to " + c.end.toFixed(2) + " s: " + c.p.toFixed(4) + ", " + plural(c.frames, "frame") });
      });
    });
    var figure = element("figure"), place = element("div", undefined, "chart");
    figure.append(place);
    figure.append(element("figcaption", "Each bar is a clip: where it lies in time, and its P(fake). The dashed line is 0.5." +
      (n > limit ? " Of " + n + " faces the " + limit + " with the highest scores are drawn." : "")));
    view.append(figure);
    chart("timeline", place, { clips: sets }, "Scores of " + plural(clips.length, "clip") + (whole ? "" : " of " + plural(n, "face")) + " over time.");
  }

  function fact(list, name, value) {
    if (value === "" || value === null) return;
    var pair = element("div");
    pair.append(element("dt", name), element("dd", value));
    list.append(pair);
  }

  /* Everything that the page knows of a video. The view must be in the document, since charts take its width. */
  function showVideo(row, view, isAlone) {
    var clips = clipsOf(row), path = data.paths[row], p = rows.p[row], list = element("dl", undefined, "facts-list");
    var label = data.labels[rows.label[row]], verdict = element("p", undefined, "verdict");
    view.replaceChildren(verdict, list);
    verdict.hidden = Boolean(isAlone);
    if (p >= 0) {
      verdict.append("P(fake) ", element("strong", (p / 1e6).toFixed(4), p >= 5e5 ? "label-FAKE" : "label-REAL"));
      if (label) verdict.append(", labelled ", element("span", label, "label-" + label));
    } else {
      verdict.append("No score: ", element("strong", data.outcomes[rows.outcome[row]]));
      if (label) verdict.append(", labelled ", element("span", label, "label-" + label));
    }
    fact(list, "Outcome", data.outcomes[rows.outcome[row]]);
    fact(list, "Message", data.texts[rows.message[row]]);
    fact(list, "Family", data.texts[rows.family[row]]);
    fact(list, "Split", data.texts[rows.split[row]]);
    fact(list, "Length", rows.tenths[row] >= 0 ? (rows.tenths[row] / 10).toFixed(1) + " s" : "");
    fact(list, "Picture", data.texts[rows.size[row]]);
    fact(list, "Codec", data.texts[rows.codec[row]]);
    fact(list, "Frames read", rows.frames[row] >= 0 ? rows.frames[row] + " of " + rows.wanted[row] : "");
    fact(list, "Frames with a face", rows.faces[row] >= 0 ? String(rows.faces[row]) : "");
    fact(list, "Took", rows.wall[row] >= 0 ? (rows.wall[row] / 1e3).toFixed(2) + " s" : "");
    if (clips.length) {
      view.append(element("h3", "Scores over time"));
      timeline(row, clips, view);
      clipTable(clips, view);
    } else if (p >= 0) {
      view.append(element("p", "This page does not hold the video's clip scores: fakesift explain RUN VIDEO shows them.", "why"));
    }
    if (Object.prototype.hasOwnProperty.call(data.crops, path)) pictures(data.crops[path], clips, view);
    var missing = isAlone ? [] : unseen(row, clips);
    if (missing.length) {
      var ul = element("ul");
      missing.forEach(function (text) { ul.append(element("li", text)); });
      view.append(element("h3", "What was not seen"), ul);
    }
  }

  return { data: data, element: element, chart: chart, showVideo: showVideo };
})();
