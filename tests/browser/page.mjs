/* node page.mjs CHROMIUM FOLDER PATH SHOTS: what browser.sh made, looked at as a reader does. */
import { readFileSync, writeFileSync, mkdirSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, folder, topPath, shots] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
let passed = 0, failed = 0;
if (shots) mkdirSync(shots, { recursive: true });

function expect(what, message) {
  if (!what) throw new Error(message);
}
function same(got, wanted, what) {
  expect(JSON.stringify(got) === JSON.stringify(wanted), `${what}: ${JSON.stringify(got)}, not ${JSON.stringify(wanted)}`);
}

/* A page of its own without a network; what it complains of ends the check. */
async function open(file, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const complaints = [];
  await context.setOffline(true);
  /* Far beyond what anything here takes: a machine may be busy with other tests. */
  context.setDefaultTimeout(180000);
  const page = await context.newPage();
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) complaints.push(`${m.type()}: ${m.text()}`); });
  page.on("pageerror", (e) => complaints.push(`exception: ${e.message}`));
  page.on("dialog", (d) => { complaints.push(`dialog: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => { if (!/^(file|data):/.test(r.url())) complaints.push(`request: ${r.url()}`); });
  await page.goto(pathToFileURL(`${folder}/${file}`).href);
  return { page, context, complaints };
}

async function check(name, file, options, act) {
  let opened;
  try {
    opened = await open(file, options);
    await act(opened.page);
    same(opened.complaints, [], "the page complains");
    passed++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n        ${String(error.message).split("\n").slice(0, 6).join("\n        ")}`);
  }
  if (opened) await opened.context.close();
}
async function shot(page, name, options = {}) {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true, ...options });
}
const paths = (page) => page.$$eval("#table tbody th", (list) => list.map((th) => th.textContent));
const cells = (page, column) => page.$$eval("#table tbody tr", (list, k) => list.map((tr) => tr.cells[k].textContent), column);
async function found(page) {
  await page.waitForTimeout(200); /* the search waits for the next letter */
  return Number((await page.textContent("#found")).split(" ")[0].replace(/,/g, ""));
}

const SMALL = "small/report.html";
const names = ["outcomes", "scores", "roc", "det", "pr", "reliability", "intervals", "families"];

await check("every chart is drawn, without a network or a complaint", SMALL, {}, async (page) => {
  const drawn = await page.$$eval("[data-chart]", (list) => list.map((e) => [e.dataset.chart, e.querySelectorAll("svg path").length]));
  same(drawn.map((d) => d[0]).sort(), [...names].sort(), "charts");
  for (const [name, n] of drawn) expect(n > 2, `${name} has ${n} marks`);
  for (const e of await page.$$("[data-chart]")) expect((await e.getAttribute("aria-label")).length > 20, "a chart without a label");
  await shot(page, "light");
});

await check("a curve shows what the table says", SMALL, {}, async (page) => {
  /* The dot of the ROC chart is where "Accuracy at 0.5" has it. */
  const sets = await page.evaluate(() => fakesift.data.charts.roc.sets);
  const tile = await page.textContent(".tile:last-child p:last-child");
  const [caught, fakes, accused, reals] = tile.match(/\d[\d,]*/g).map((n) => Number(n.replace(/,/g, "")));
  expect(Math.abs(sets.at[0].y - caught / fakes) < 1e-4 && Math.abs(sets.at[0].x - accused / reals) < 1e-4, `${tile} at ${JSON.stringify(sets.at)}`);
  /* The area under the points is the AUC, and the band holds the curve. */
  const points = sets.curve;
  let area = 0;
  for (let k = 1; k < points.length; k++) area += (points[k].x - points[k - 1].x) * (points[k].y + points[k - 1].y) / 2;
  const auc = Number(await page.textContent(".tile:nth-child(2) .value"));
  expect(Math.abs(area - auc) < 1e-3, `area ${area}, AUC ${auc}`);
  const inside = sets.band.filter((b) => {
    const below = points.filter((p) => p.x <= b.x).pop(), above = points.find((p) => p.x >= b.x);
    return b.low <= above.y && b.high >= below.y;
  });
  expect(inside.length >= sets.band.length * 0.98, `${inside.length} of ${sets.band.length} points of the band hold the curve`);
});

await check("names stay text", SMALL, {}, async (page) => {
  await page.selectOption("#page-size", "500");
  const all = await paths(page);
  for (const name of ["</script><script>document.title='hacked'</script>.mp4", "<img src=x onerror=document.title='hacked'>.mp4",
    "\"quoted\", with comma\nand newline.mp4", "{{data}} &amp; 'apostrophe'.mp4", "\ufffd\ufffd not utf-8.mp4"]) {
    expect(all.includes(name), `${JSON.stringify(name)} is not in the table`);
  }
  expect(!(await page.title()).includes("hacked"), "a name ran");
  same(await page.$$eval("img", (list) => list.length), 0, "pictures on the page");
  /* And in the view of the video. */
  await page.fill("#search", "onerror");
  same(await found(page), 1, "found");
  await page.click("#table tbody a");
  same(await page.textContent("#dialog-title"), "<img src=x onerror=document.title='hacked'>.mp4", "title");
  expect(!(await page.title()).includes("hacked"), "a name ran");
});

await check("columns sort in both directions, unknown last", SMALL, {}, async (page) => {
  await page.selectOption("#page-size", "500");
  for (const [column, name] of [[5, "P(fake)"], [7, "Seconds"]]) {
    for (const direction of column === 5 ? ["descending", "ascending"] : ["ascending", "descending"]) {
      await page.click(`#table thead button:text-is("${name}")`);
      const values = await cells(page, column), known = values.filter((v) => v !== "").map(Number);
      same(await page.getAttribute(`#table thead th:nth-child(${column + 1})`, "aria-sort"), direction, "aria-sort");
      same(known, [...known].sort((a, b) => direction === "ascending" ? a - b : b - a), `${name} ${direction}`);
      same(values.slice(known.length).every((v) => v === ""), true, "unknown values come last");
    }
  }
  await page.click("#table thead button:text-is(\"Outcome\")");
  const outcomes = await cells(page, 4);
  same(outcomes, [...outcomes].sort(), "outcomes");
});

await check("filters count what they show", SMALL, {}, async (page) => {
  const n = await found(page);
  same(n, 400, "videos");
  await page.selectOption("#by-label", { index: 1 });
  const label = (await cells(page, 1))[0], of_label = await found(page);
  same((await cells(page, 1)).every((l) => l === label), true, "labels");
  await page.fill("#from", "0.5");
  const high = await found(page);
  expect(high < of_label && high > 0, `${high} of ${of_label}`);
  same((await cells(page, 5)).every((p) => Number(p) >= 0.5), true, "scores");
  await page.fill("#from", "");
  await page.selectOption("#by-label", "");
  await page.selectOption("#by-outcome", { label: await page.$eval("#by-outcome", (s) => [...s.options].find((o) => o.text.startsWith("no_face")).text) });
  same((await cells(page, 4)).every((o) => o === "no_face"), true, "outcomes");
  const total = Number((await page.textContent("#outcomes tbody tr:nth-child(3) td:nth-child(3)")).replace(/,/g, ""));
  same(await found(page), total, "the filter and the table of outcomes");
  await page.fill("#search", "no such name");
  same(await found(page), 0, "found");
});

await check("pages turn", SMALL, {}, async (page) => {
  const first = await paths(page);
  same(first.length, 25, "rows");
  expect(await page.isDisabled("#previous"), "there is a page before the first");
  await page.click("#next");
  const second = await paths(page);
  same(first.filter((p) => second.includes(p)), [], "on both pages");
  same(await page.textContent("#place"), "Page 2 of 16", "place");
  await page.click("#previous");
  same(await paths(page), first, "back");
});

await check("a video opens with its time line and faces, and closes by the keyboard", SMALL, {}, async (page) => {
  const link = page.locator("#first a.open", { hasText: topPath }).first();
  await link.focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open]");
  same(await page.textContent("#dialog-title"), topPath, "title");
  expect(/^#video=\d+$/.test(await page.evaluate(() => location.hash)), "the address does not say which video");
  expect(await page.$$eval("#view .chart svg path", (l) => l.length) > 4, "no time line");
  const faces = await page.$$eval("#view .crops img", (l) => l.map((i) => [i.alt, i.naturalWidth]));
  same(faces, [["Face 1 at 0.9 s", 96], ["Face 2 at 5.1 s", 96]], "faces");
  await page.click("#view details summary");
  same(await page.$$eval("#view details tbody tr", (l) => l.length), 6, "clips");
  const unseen = await page.textContent("#view ul:last-of-type");
  expect(/seconds/.test(unseen), unseen);
  await shot(page, "video", { fullPage: false });
  await page.keyboard.press("Escape");
  expect(!(await page.isVisible("dialog")), "Escape did not close it");
  same(await page.evaluate(() => location.hash), "", "address");
});

await check("the next video of the table, and a link to a video", SMALL, {}, async (page) => {
  await page.click("#table thead button:text-is(\"P(fake)\")");
  const order = await paths(page);
  await page.click("#table tbody tr:nth-child(3) a");
  await page.click("#after");
  await page.waitForFunction((p) => document.getElementById("dialog-title").textContent === p, order[3]);
  await page.click("#before");
  await page.waitForFunction((p) => document.getElementById("dialog-title").textContent === p, order[2]);
  const hash = await page.evaluate(() => location.hash);
  await page.click("#close");
  await page.goto(page.url().split("#")[0] + hash);
  await page.reload();
  same(await page.textContent("#dialog-title"), order[2], "after a reload");
});

/* Relative luminance and contrast as WCAG 2 has them. */
async function contrasts(page) {
  return page.evaluate(() => {
    const style = getComputedStyle(document.documentElement);
    const luminance = (hex) => {
      const full = hex.length === 4 ? "#" + [...hex.slice(1)].map((c) => c + c).join("") : hex;
      const c = [1, 3, 5].map((k) => parseInt(full.slice(k, k + 2), 16) / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
      return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
    };
    const get = (name) => luminance(style.getPropertyValue(name).trim());
    const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const out = {};
    for (const back of ["--paper", "--panel", "--faint"]) {
      for (const text of ["--ink", "--soft", "--accent", "--real", "--fake"]) out[`${text} on ${back}`] = ratio(get(text), get(back));
    }
    out["--warn on --warn-bg"] = ratio(get("--warn"), get("--warn-bg"));
    out["--ink on --warn-bg"] = ratio(get("--ink"), get("--warn-bg"));
    return out;
  });
}
for (const colorScheme of ["light", "dark"]) {
  await check(`${colorScheme}: text has a contrast of 4.5 and more`, SMALL, { colorScheme }, async (page) => {
    const low = Object.entries(await contrasts(page)).filter(([, ratio]) => ratio < 4.5);
    same(low, [], "too low");
    const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number)[0]);
    expect(colorScheme === "dark" ? back < 60 : back > 200, `background ${back}`);
    /* Charts take the page's colours, not their own. */
    const fill = await page.$eval("[data-chart=scores] svg path[fill^='var(--fake)']", (p) => getComputedStyle(p).fill);
    const fake = await page.evaluate(() => { const e = document.createElement("i"); e.className = "label-FAKE"; document.body.append(e); return getComputedStyle(e).color; });
    same(fill, fake, "colour of fakes");
    if (colorScheme === "dark") await shot(page, "dark");
  });
}

await check("a telephone's width needs no sideways scrolling", SMALL, { viewport: { width: 390, height: 844 } }, async (page) => {
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width <= 390, `${width} px`);
  const wide = await page.$$eval("[data-chart] svg", (l) => l.map((s) => s.getBoundingClientRect()).filter((r) => r.right > 392).length);
  same(wide, 0, "charts beyond the edge");
  await shot(page, "phone");
  await page.click("#table tbody a");
  await page.waitForSelector("dialog[open]");
  expect(await page.$eval("dialog", (d) => d.scrollWidth <= d.clientWidth + 1), "the video's view scrolls sideways");
  await shot(page, "phone-video", { fullPage: false });
});

await check("it prints: no controls, charts in the paper's width", SMALL, { colorScheme: "dark" }, async (page) => {
  const pdf = await page.pdf({ format: "A4", printBackground: true, margin: { top: "15mm", bottom: "15mm", left: "15mm", right: "15mm" } });
  const n = (pdf.toString("latin1").match(/\/Type\s*\/Page[^s]/g) || []).length;
  expect(n >= 4 && n < 40, `${n} sheets`);
  if (shots) writeFileSync(`${shots}/print.pdf`, pdf);
  await page.emulateMedia({ media: "print" });
  for (const control of ["nav", "#filters", "#pager"]) expect(!(await page.isVisible(control)), `${control} is on paper`);
  same(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)", "paper");
});

await check("headings, labels, tables and the skip link serve a screen reader", SMALL, {}, async (page) => {
  const levels = await page.$$eval("h1, h2, h3", (l) => l.filter((h) => h.offsetParent).map((h) => Number(h.tagName[1])));
  same(levels.filter((x) => x === 1).length, 1, "h1");
  const jumps = levels.filter((x, k) => k > 0 && x > levels[k - 1] + 1);
  same(jumps, [], "skipped levels of headings");
  const bare = await page.$$eval("input, select", (l) => l.filter((e) => !e.labels.length).map((e) => e.id));
  same(bare, [], "controls without a label");
  same(await page.$$eval("thead th:not([scope])", (l) => l.length), 0, "heads without a scope");
  same(await page.getAttribute("html", "lang"), "en", "language");
  await page.keyboard.press("Tab");
  same(await page.evaluate(() => document.activeElement.className), "skip", "first stop");
  await page.keyboard.press("Enter");
  same(await page.evaluate(() => location.hash), "#main", "where it leads");
});

await check("without JavaScript the tables are there and say so", SMALL, { javaScriptEnabled: false }, async (page) => {
  const text = await page.textContent("main");
  expect(text.includes("need JavaScript"), "it does not say so");
  expect(await page.isVisible("#first table") && await page.isVisible("#outcomes table"), "no tables");
});

await check("where the charts' library is missing, the rest works", SMALL, {}, async (page) => {
  const html = readFileSync(`${folder}/${SMALL}`, "utf8").replace(/<script id="charts">[\s\S]*?<\/script>/, "");
  writeFileSync(`${folder}/bare.html`, html);
  await page.goto(pathToFileURL(`${folder}/bare.html`).href);
  same(await page.$$eval("[data-chart] svg", (l) => l.length), 0, "charts");
  same(await found(page), 400, "videos");
  await page.click("#table tbody a");
  expect(await page.isVisible("dialog"), "no view of the video");
});

await check("one video is one video", "one/report.html", {}, async (page) => {
  const text = (await page.title()) + (await page.textContent("header")) + (await page.textContent(".tiles"));
  expect(!/\b1 (videos|fakes|reals)\b/.test(text), text.match(/.{0,30}\b1 (videos|fakes|reals).{0,20}/)?.[0]);
});

await check("100,000 videos: sorts, filters and turns pages", "large/report.html", {}, async (page) => {
  same(await found(page), 100000, "videos");
  const took = async (act) => { const start = Date.now(); await act(); return Date.now() - start; };
  const sort = await took(() => page.click("#table thead button:text-is(\"P(fake)\")"));
  const known = (await cells(page, 5)).map(Number);
  same(known, [...known].sort((a, b) => b - a), "scores");
  const texts = await took(() => page.click("#table thead button:text-is(\"Video\")"));
  const search = await took(async () => { await page.fill("#search", "00012"); await found(page); });
  expect((await paths(page)).every((p) => p.includes("00012")), "search");
  const size = readFileSync(`${folder}/large/report.html`).length;
  console.log(`        ${(size / 1e6).toFixed(1)} MB; by score ${sort} ms, by name ${texts} ms, search ${search} ms`);
  expect(size < 16e6, `${size} bytes`);
});

await check("the report of a real run", "run/report.html", {}, async (page) => {
  expect(await page.$$eval("[data-chart] svg", (l) => l.length) >= 2, "no charts");
  const starts = await page.$$eval("#environment table:first-of-type tbody tr", (l) => l.length);
  expect(starts >= 1, "no start");
  expect(!/[{}]/.test(await page.textContent("#environment")), "JSON in the environment");
});

await check("the page of one video", "explain.html", {}, async (page) => {
  same(await page.textContent("h1"), "fake/blend/it's <b>1.mp4", "name");
  expect(await page.$$eval("#video .chart svg path", (l) => l.length) > 1, "no time line");
  const levels = await page.$$eval("h1, h2, h3", (l) => l.filter((h) => h.offsetParent).map((h) => Number(h.tagName[1])));
  same(levels.filter((x, k) => k > 0 && x > levels[k - 1] + 1), [], "skipped levels of headings");
  expect((await page.textContent("main")).includes("What was not seen"), "it does not say what was not seen");
  await shot(page, "explain");
});

await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
