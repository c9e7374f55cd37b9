/* node bundle.mjs OUT: the charts of report.html as one script.
 * In: specs.js (Vega-Lite) and charts.js, with the packages of package-lock.json in ./node_modules. Out: OUT, minified.
 *
 * Vega-Lite is a compiler: it runs here, once, so a mistake in a chart ends the build and the page carries only Vega, and of Vega
 * only what these charts use (no maps, no forces, no word clouds). Needs Node 18 or newer. */
import { readFileSync, writeFileSync, existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { compile } from "vega-lite";
import { config, specs } from "./specs.js";

const strict = {
  level: () => strict,
  error: (...words) => { throw new Error(words.join(" ")); },
  warn: (...words) => { throw new Error(words.join(" ")); },
  info: () => strict,
  debug: () => strict,
};

const compiled = {};
for (const [name, spec] of Object.entries(specs)) {
  compiled[name] = compile(spec, { config, logger: strict }).spec;
}

const result = await build({
  entryPoints: ["charts.js"],
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  charset: "ascii",
  legalComments: "none", /* the licences below hold them */
  metafile: true,
  write: false,
  plugins: [{
    name: "specs",
    setup(b) {
      b.onResolve({ filter: /^compiled-specs$/ }, () => ({ path: "specs", namespace: "specs" }));
      b.onLoad({ filter: /.*/, namespace: "specs" }, () => ({ contents: JSON.stringify(compiled), loader: "json" }));
    },
  }],
});

/* Every licence whose code is in the script, each text once. */
const packages = new Map();
for (const input of Object.keys(result.metafile.inputs)) {
  const at = input.lastIndexOf("node_modules/");
  if (at < 0) continue;
  const name = input.slice(at + 13).match(/^(@[^/]+\/)?[^/]+/)[0];
  packages.set(name, input.slice(0, at + 13) + name);
}
const licences = new Map();
for (const [name, folder] of [...packages].sort()) {
  const file = existsSync(folder) && readdirSync(folder).find((f) => /^licen[cs]e/i.test(f));
  if (!file) throw new Error(`${name}: no licence file in ${dirname(join(folder, "x"))}`);
  const text = readFileSync(join(folder, file), "utf8").trim().replace(/\r/g, "");
  licences.set(text, [...(licences.get(text) || []), name]);
}
let banner = "";
for (const [text, names] of licences) banner += `${names.join(", ")}:\n${text}\n\n`;

const script = result.outputFiles[0].text;
const whole = `/* Holds code of these packages.\n\n${banner.trim().replace(/\*\//g, "* /")}\n*/\n${script}`;
/* It goes between <script> and </script>. */
if (/<\/script|<!--/i.test(whole)) throw new Error("the script would end its element");
writeFileSync(process.argv[2], whole);
