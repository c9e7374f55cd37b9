/* The charts of report.html, in Vega-Lite. Data sets are named; page_charts.c fills them. Sizes are set as each is drawn.
 * Marks have no descriptions of their own (aria: false): each chart has one sentence, and its numbers stand in a table. */
const SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif';

export const config = {
  font: SANS,
  background: null,
  padding: 4,
  autosize: { type: "pad", resize: true },
  view: { stroke: null },
  mark: { aria: false },
  axis: {
    labelColor: "var(--soft)", titleColor: "var(--soft)", gridColor: "var(--line)", domainColor: "var(--soft)",
    tickColor: "var(--soft)", labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, titlePadding: 8, labelPadding: 4,
    gridOpacity: 1, aria: false,
  },
  header: { labelColor: "var(--ink)", labelFontSize: 12, labelFontWeight: 600, title: null },
  legend: { aria: false },
  facet: { spacing: 14 },
  concat: { spacing: 18 },
};

const share = { format: ".0%" };
const half = { mark: { type: "rule", strokeDash: [3, 3], color: "var(--soft)" }, data: { values: [{ at: 0.5 }] } };
const halfX = { ...half, encoding: { x: { field: "at", type: "quantitative" } } };
const unit = { domain: [0, 1], nice: false };
const given = { field: "color", type: "nominal", scale: null };

function curve(x, y, extra) {
  const axes = {
    x: { field: "x", type: "quantitative", scale: unit, axis: { title: x, tickCount: 5, ...share } },
    y: { field: "y", type: "quantitative", scale: unit, axis: { title: y, tickCount: 5, ...share } },
  };
  return {
    width: 300, height: 300,
    layer: [
      {
        data: { name: "band" },
        mark: { type: "area", color: "var(--accent)", opacity: 0.16 },
        encoding: { x: axes.x, y: { ...axes.y, field: "low" }, y2: { field: "high" } },
      },
      {
        data: { name: "guess" },
        mark: { type: "line", color: "var(--soft)", strokeDash: [3, 3], strokeWidth: 1 },
        encoding: axes,
      },
      {
        data: { name: "curve" },
        mark: { type: "line", color: "var(--accent)", strokeWidth: 2.25, ...extra },
        encoding: { ...axes, order: { field: "k", type: "quantitative" } },
      },
      {
        data: { name: "at" },
        mark: { type: "point", filled: true, size: 70, color: "var(--ink)", opacity: 1 },
        encoding: { ...axes, tooltip: { field: "tip", type: "nominal" } },
      },
    ],
  };
}

/* Both axes by the normal quantile, as detection error trade-offs are drawn; the data come so. */
function det() {
  const ticks = [-3.0902, -2.3263, -1.6449, -0.8416, 0, 0.8416, 1.6449];
  const axis = (title) => ({
    title, values: ticks, labelExpr: "format(100 * cumulativeNormal(datum.value), '.2~r') + ' %'",
    labelOverlap: false, labelFontSize: 11,
  });
  const scale = { domain: [-3.3, 1.9], nice: false };
  const x = { field: "x", type: "quantitative", scale, axis: axis("reals accused") };
  const y = { field: "y", type: "quantitative", scale, axis: axis("fakes missed") };
  return {
    width: 300, height: 300,
    layer: [
      {
        data: { name: "band" },
        mark: { type: "area", clip: true, color: "var(--accent)", opacity: 0.16 },
        encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" } },
      },
      {
        data: { name: "guess" },
        mark: { type: "line", clip: true, color: "var(--soft)", strokeDash: [3, 3], strokeWidth: 1 },
        encoding: { x, y },
      },
      {
        data: { name: "curve" },
        mark: { type: "line", clip: true, color: "var(--accent)", strokeWidth: 2.25 },
        encoding: { x, y, order: { field: "k", type: "quantitative" } },
      },
      {
        data: { name: "at" },
        mark: { type: "point", clip: true, filled: true, size: 70, color: "var(--ink)", opacity: 1 },
        encoding: { x, y, tooltip: { field: "tip", type: "nominal" } },
      },
    ],
  };
}

/* y: the rows' channel, which the dashed line must not have. */
const dotAndWhisker = (width, axis, y) => ({
  width,
  layer: [
    halfX,
    {
      mark: { type: "rule", strokeWidth: 2, color: "var(--ink)" },
      encoding: { x: { field: "low", type: "quantitative", scale: unit, axis }, x2: { field: "high" }, y },
    },
    {
      mark: { type: "point", filled: true, size: 60, opacity: 1, color: "var(--ink)" },
      encoding: { x: { field: "auc", type: "quantitative" }, y, tooltip: { field: "tip", type: "nominal" } },
    },
  ],
});
/* One line a facet, whatever the rows. */
const once = [{ aggregate: [{ op: "count", as: "n" }] }];

export const specs = {
  outcomes: {
    width: 600, height: 26, padding: 0,
    data: { name: "outcomes" },
    mark: { type: "bar", height: 26 },
    encoding: {
      x: { field: "start", type: "quantitative", axis: null, scale: unit },
      x2: { field: "end" },
      color: given,
      tooltip: { field: "tip", type: "nominal" },
    },
  },
  scores: {
    data: { name: "scores" },
    facet: { row: { field: "label", type: "nominal", sort: { field: "order", op: "min" }, header: { labelAngle: 0, labelAlign: "left", labelOrient: "top", labelAnchor: "start" } } },
    spec: {
      width: 560, height: 120,
      layer: [
        {
          mark: { type: "bar", binSpacing: 2 },
          encoding: {
            x: { field: "from", bin: { binned: true }, scale: unit, axis: { title: "P(fake)", grid: false, values: [0, 0.25, 0.5, 0.75, 1], format: ".2~f" } },
            x2: { field: "to" },
            y: { field: "share", stack: null, type: "quantitative", axis: { title: "share", tickCount: 3, ...share } },
            color: given,
            tooltip: { field: "tip", type: "nominal" },
          },
        },
        { transform: once, mark: { type: "rule", strokeDash: [3, 3], color: "var(--soft)" }, encoding: { x: { datum: 0.5, type: "quantitative" } } },
      ],
    },
  },
  families: {
    resolve: { scale: { y: "shared" } },
    hconcat: [
      {
        width: 420, height: { step: 26 },
        layer: [
          {
            data: { name: "heat" },
            mark: { type: "bar", height: 20, binSpacing: 1 },
            encoding: {
              x: { field: "from", type: "quantitative", scale: unit, axis: { title: "P(fake)", tickCount: 5, grid: false } },
              x2: { field: "to" },
              y: { field: "name", type: "nominal", sort: null, axis: { title: null, labelLimit: 190, domain: false, ticks: false, labelColor: "var(--ink)" } },
              color: given,
              opacity: { field: "strength", type: "quantitative", scale: { domain: [0, 1], range: [0.06, 1] }, legend: null },
              tooltip: { field: "tip", type: "nominal" },
            },
          },
          halfX,
        ],
      },
      {
        data: { name: "auc" },
        height: { step: 26 },
        ...dotAndWhisker(200, { title: "AUC against all reals", tickCount: 3 }, { field: "name", type: "nominal", sort: null, axis: null }),
      },
    ],
  },
  intervals: {
    data: { name: "intervals" },
    height: { step: 30 },
    ...dotAndWhisker(500, { title: "AUC", tickCount: 5 },
      { field: "name", type: "nominal", sort: null, axis: { title: null, labelLimit: 220, domain: false, ticks: false, labelColor: "var(--ink)" } }),
  },
  roc: curve("reals accused (FPR)", "fakes caught (TPR)", {}),
  pr: curve("fakes caught (recall)", "right among the called (precision)", {}),
  det: det(),
  reliability: {
    vconcat: [
      {
        width: 300, height: 220,
        layer: [
          {
            data: { values: [{ x: 0, y: 0 }, { x: 1, y: 1 }] },
            mark: { type: "line", color: "var(--soft)", strokeDash: [3, 3], strokeWidth: 1 },
            encoding: {
              x: { field: "x", type: "quantitative", scale: unit, axis: { title: null, labels: false, tickCount: 5 } },
              y: { field: "y", type: "quantitative", scale: unit, axis: { title: "fakes among them", tickCount: 5, ...share } },
            },
          },
          {
            data: { name: "bins" },
            mark: { type: "rule", strokeWidth: 2, color: "var(--accent)", opacity: 0.45 },
            encoding: { x: { field: "p", type: "quantitative" }, y: { field: "low", type: "quantitative" }, y2: { field: "high" } },
          },
          {
            data: { name: "bins" },
            mark: { type: "line", color: "var(--accent)", strokeWidth: 1.5, point: { filled: true, size: 50, color: "var(--accent)" } },
            encoding: { x: { field: "p", type: "quantitative" }, y: { field: "share", type: "quantitative" }, tooltip: { field: "tip", type: "nominal" } },
          },
        ],
      },
      {
        width: 300, height: 50,
        data: { name: "bins" },
        mark: { type: "bar", binSpacing: 2, color: "var(--none)" },
        encoding: {
          x: { field: "from", bin: { binned: true }, scale: unit, axis: { title: "P(fake)", values: [0, 0.2, 0.4, 0.6, 0.8, 1], grid: false } },
          x2: { field: "to" },
          y: { field: "n", stack: null, type: "quantitative", axis: { title: "videos", tickCount: 2, format: "~s" } },
          tooltip: { field: "tip", type: "nominal" },
        },
      },
    ],
  },
  timeline: {
    data: { name: "clips" },
    facet: { row: { field: "track", type: "nominal", sort: { field: "order", op: "min" }, header: { labelAngle: 0, labelAlign: "left", labelOrient: "top", labelAnchor: "start" } } },
    spec: {
      width: 600, height: 90,
      layer: [
        {
          mark: { type: "line", color: "var(--soft)", strokeWidth: 1, opacity: 0.6 },
          encoding: { x: { field: "middle", type: "quantitative" }, y: { field: "p", type: "quantitative" } },
        },
        {
          mark: { type: "rule", strokeWidth: 6, strokeCap: "round" },
          encoding: {
            x: { field: "start", type: "quantitative", scale: { nice: false, zero: true }, axis: { title: "seconds", grid: false, tickCount: 8 } },
            x2: { field: "end" },
            y: { field: "p", type: "quantitative", scale: unit, axis: { title: "P(fake)", tickCount: 3 } },
            color: given,
            tooltip: { field: "tip", type: "nominal" },
          },
        },
        { mark: { type: "rule", opacity: 0 }, encoding: { x: { field: "whole", type: "quantitative" } } },
        { transform: once, mark: { type: "rule", strokeDash: [3, 3], color: "var(--soft)" }, encoding: { y: { datum: 0.5, type: "quantitative" } } },
      ],
    },
  },
};
