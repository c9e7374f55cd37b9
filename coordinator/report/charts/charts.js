/* The page's charts. In: numbers as page_charts.c writes them. Out: SVG in the page.
 *
 * Expressions are interpreted, never compiled, so the page's content policy needs no eval. Colours are the page's CSS
 * variables, so light, dark and print need no second drawing. */
import { transforms } from "vega-dataflow";
import * as transform from "vega-transforms";
import * as encode from "vega-encode";
import * as viewTransforms from "vega-view-transforms";
import { View } from "vega-view";
import { parse } from "vega-parser";
import { expressionInterpreter } from "vega-interpreter";
import specs from "compiled-specs";

Object.assign(transforms, transform, encode, viewTransforms);

/* sizes: {"width": 300, "child_width": 200}: of the whole or of a part. */
function prepare(name, data, sizes) {
  const spec = JSON.parse(JSON.stringify(specs[name]));
  for (const [key, value] of Object.entries(sizes)) {
    const signal = (spec.signals || []).find((s) => s.name === key);
    if (signal) {
      delete signal.update;
      signal.value = value;
    } else {
      spec[key] = value;
    }
  }
  for (const d of spec.data || []) {
    if (d.name in data && !d.source) d.values = data[d.name];
  }
  return spec;
}

/* Draws into the element, in place of what it holds. Returns a function that forgets the drawing. */
globalThis.fakesiftCharts = {
  names: Object.keys(specs),
  draw(name, element, data, sizes, description) {
    const spec = prepare(name, data, sizes);
    element.replaceChildren();
    const view = new View(parse(spec, null, { ast: true }), {
      expr: expressionInterpreter,
      renderer: "svg",
      container: element,
      hover: true,
    });
    view.description(description);
    view.run();
    return () => view.finalize();
  },
};
