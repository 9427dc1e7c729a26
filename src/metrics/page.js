
"use strict";
// Reads /metrics once a second, and shows what has changed; and /slow when there are new slow calls. Nothing else on
// this page talks to the server.

const PERIOD_MS = 1000, KEPT_MS = 600_000, RECENT_MS = 10_000, LEAST_SPAN_MS = 60_000, TIMEOUT_MS = 5000, SLOW_SHOWN = 8;
const $ = (id) => document.getElementById(id);

// ---- the text format ----

const ESCAPED = { "\\n": "\n", "\\\\": "\\", '\\"': '"' };
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

// name -> [{labels, value}]
function parse(text) {
  const families = new Map();
  for (const line of text.split("\n")) {
    if (line === "" || line[0] === "#") continue;
    const brace = line.indexOf("{"), end = brace < 0 ? line.indexOf(" ") : line.lastIndexOf("}") + 1;
    const name = line.slice(0, brace < 0 ? end : brace), labels = {};
    if (brace >= 0)
      for (const [, key, value] of line.slice(brace, end).matchAll(LABEL))
        labels[key] = value.includes("\\") ? value.replace(/\\./g, (at) => ESCAPED[at] ?? at) : value;
    const value = line.slice(end).trim().split(" ")[0];
    if (!families.has(name)) families.set(name, []);
    families.get(name).push({ labels, value: value === "+Inf" ? Infinity : Number(value) });
  }
  return families;
}

// ---- numbers for people ----

const count = (value) => {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 10 && !Number.isInteger(value)) return value.toFixed(1);
  if (Math.abs(value) < 100_000) return Math.round(value).toLocaleString("en");
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]])
    if (Math.abs(value) >= size) return (value / size).toFixed(value / size < 100 ? 1 : 0) + " " + unit;
};
const bytes = (value) => {
  if (!Number.isFinite(value)) return "–";
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < 5) { value /= 1024; unit++; }
  return (unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)) + " " + ["B", "KiB", "MiB", "GiB", "TiB", "PiB"][unit];
};
const duration = (seconds) => {
  if (!Number.isFinite(seconds)) return "–";
  const short = (value) => value >= 100 ? value.toFixed(0) : Number(value.toPrecision(2)).toString();
  if (seconds < 1e-3) return short(seconds * 1e6) + " µs";
  if (seconds < 1) return short(seconds * 1e3) + " ms";
  if (seconds < 120) return short(seconds) + " s";
  if (seconds < 7200) return Math.round(seconds / 60) + " min";
  if (seconds < 172_800) return Math.round(seconds / 3600) + " h";
  return Math.round(seconds / 86_400) + " days";
};
const percent = (value) => Number.isFinite(value) ? (value * 100).toFixed(value < 0.1 || value > 0.9 && value < 0.9995 ? 1 : 0) + " %" : "–";
const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

// ---- samples: what one answer says, and how it differs from the one before ----

const one = (families, name) => families.get(name)?.[0]?.value ?? NaN;
const sum = (families, name) => families.has(name) ? families.get(name).reduce((all, each) => all + each.value, 0) : NaN;
const by = (families, name, label) => new Map((families.get(name) ?? []).map((each) => [each.labels[label], each.value]));

// The counts of a histogram's buckets, not accumulated, by a label ("" without one).
function histograms(families, name, label) {
  const all = new Map();
  for (const { labels, value } of families.get(name + "_bucket") ?? []) {
    const key = label ? labels[label] : "";
    if (!all.has(key)) all.set(key, { type: labels.grpc_type, bounds: [], counts: [], before: 0 });
    const histogram = all.get(key);
    histogram.bounds.push(labels.le === "+Inf" ? Infinity : Number(labels.le));
    histogram.counts.push(value - histogram.before);
    histogram.before = value;
  }
  return all;
}

// As keystore_streams names a method.
const kindOf = ({ grpc_service: service, grpc_method: method }) =>
  service === "" || service.startsWith("keystore.") ? method : service.slice(service.lastIndexOf(".") + 1) + "/" + method;

function snapshot(families, at) {
  const methods = new Map(), codes = new Map();
  for (const { labels, value } of families.get("grpc_server_handled_total") ?? []) {
    methods.set(labels.grpc_method, (methods.get(labels.grpc_method) ?? 0) + value);
    codes.set(labels.grpc_code, (codes.get(labels.grpc_code) ?? 0) + value);
  }
  return {
    at, families, methods, codes,
    sent: new Map((families.get("grpc_server_msg_sent_total") ?? []).map(({ labels, value }) => [kindOf(labels), value])),
    started: one(families, "process_start_time_seconds"),
    durations: histograms(families, "grpc_server_handling_seconds", "grpc_method"),
    syncs: histograms(families, "keystore_log_sync_seconds").get(""),
    cpu: by(families, "keystore_worker_busy_seconds_total", "worker"),
    errors: by(families, "keystore_errors_total", "reason"),
    limits: by(families, "keystore_limit_hits_total", "limit"),
    closed: by(families, "keystore_connections_closed_total", "cause"),
  };
}

const NOTHING = { bounds: [], counts: [] };
const minus = (now, before) => new Map([...now].map(([key, value]) => [key, value - (before.get(key) ?? 0)]));
const minusCounts = (now, before) => ({ type: now.type, bounds: now.bounds, counts: now.counts.map((value, i) => value - (before?.counts[i] ?? 0)) });
const total = (map) => [...map.values()].reduce((all, each) => all + each, 0);

// Counters may not have fallen; else the server has been restarted.
function difference(now, before) {
  const durations = new Map();
  for (const [method, histogram] of now.durations) {
    const fresh = minusCounts(histogram, before.durations.get(method));
    if (fresh.counts.some((each) => each > 0)) durations.set(method, fresh);
  }
  const delta = (name) => sum(now.families, name) - sum(before.families, name);
  return {
    at: now.at, seconds: Math.max(0.001, (now.at - before.at) / 1000), sent: minus(now.sent, before.sent),
    methods: minus(now.methods, before.methods), codes: minus(now.codes, before.codes), durations,
    syncs: now.syncs ? minusCounts(now.syncs, before.syncs) : NOTHING,
    cpu: minus(now.cpu, before.cpu), errors: minus(now.errors, before.errors),
    limits: minus(now.limits, before.limits), closed: minus(now.closed, before.closed),
    written: delta("keystore_log_written_bytes_total"), slow: delta("keystore_slow_calls_total"),
    events: delta("keystore_watch_events_total"), missed: delta("keystore_missed_messages_total"),
    expired: delta("keystore_expired_keys_total"), evicted: delta("keystore_evicted_keys_total"),
    used: one(now.families, "keystore_memory_used_bytes"), held: one(now.families, "keystore_memory_held_bytes"),
    limit: one(now.families, "keystore_memory_limit_bytes"), resident: one(now.families, "process_resident_memory_bytes"),
    connections: one(now.families, "keystore_connections"), streams: sum(now.families, "keystore_streams"),
    blocked: one(now.families, "keystore_blocked_pops"),
    hits: minus(by(now.families, "keystore_lookups_total", "result"), by(before.families, "keystore_lookups_total", "result")),
  };
}

function addCounts(all, histogram) {
  if (all.bounds.length === 0) return { bounds: histogram.bounds, counts: [...histogram.counts] };
  histogram.counts.forEach((value, i) => { all.counts[i] += value; });
  return all;
}

// Within a bucket, values are taken as evenly spread.
function quantile(histogram, q) {
  const all = histogram.counts.reduce((sum, each) => sum + each, 0);
  if (all <= 0) return NaN;
  let rank = q * all;
  for (let i = 0; i < histogram.counts.length; i++) {
    const low = i === 0 ? 0 : histogram.bounds[i - 1], high = histogram.bounds[i];
    if (rank <= histogram.counts[i] && histogram.counts[i] > 0)
      return high === Infinity ? low : low + (high - low) * rank / histogram.counts[i];
    rank -= histogram.counts[i];
  }
  return NaN;
}

// The histogram does not tell durations below its first bound apart, nor those above its last one.
function quantileText(histogram, q) {
  const value = quantile(histogram, q), { bounds } = histogram;
  if (value <= bounds[0]) return "< " + duration(bounds[0]);
  return (value >= bounds[bounds.length - 2] ? "> " : "") + duration(value);
}

// ---- what is kept ----

let samples = [];            // differences, oldest first
let last = null;             // the newest snapshot
let cursor = null;           // the time that the charts' readouts are about; null = the newest
let paused = false, goneSince = null, hasAnswered = false;
const colorOf = new Map();   // method -> index of its color; stays for as long as the page is open
const OTHERS = 7;

function keep(families, at) {
  const now = snapshot(families, at);
  const continues = last !== null && last.started === now.started && at > last.at;
  if (continues) samples.push(difference(now, last));
  last = now;
  while (samples.length > 0 && samples[0].at < at - KEPT_MS) samples.shift();
}

const recent = () => samples.filter((each) => last !== null && each.at > last.at - RECENT_MS);
const overall = (list, of) => list.reduce((all, each) => all + of(each), 0);
const rate = (list, of) => list.length === 0 ? NaN : overall(list, of) / overall(list, (each) => each.seconds);
const isNear = (sample, before) => before && sample.at - before.at < 3.5 * PERIOD_MS;

// The durations of a sample, of the chosen method or of all unary calls.
function durationsOf(sample, method) {
  if (method) return sample.durations.get(method) ?? NOTHING;
  let all = NOTHING;
  for (const histogram of sample.durations.values()) if (histogram.type === "unary") all = addCounts(all, histogram);
  return all;
}
const durationsOfAll = (list, method) => list.reduce((all, each) => { const some = durationsOf(each, method); return some.counts.length ? addCounts(all, some) : all; }, NOTHING);

// ---- drawing ----

let palette = {};
function readPalette() {
  const style = getComputedStyle(document.documentElement), value = (name) => style.getPropertyValue(name).trim();
  palette = { grid: value("--grid"), line: value("--line"), text: value("--text"), quiet: value("--quiet"), card: value("--card"),
              bad: value("--bad"), heat: value("--heat").split(/\s+/), series: value("--series").split(/\s+/) };
  document.querySelector(".scale").style.background = `linear-gradient(90deg, ${palette.heat.join(", ")})`;
}

const charts = [];
const AXIS = 58, BOTTOM = 20, TOP = 8;
const span = () => samples.length === 0 ? LEAST_SPAN_MS : Math.min(KEPT_MS, Math.max(LEAST_SPAN_MS, last.at - samples[0].at));

class Chart {
  // draw(chart) draws within the frame; read(sample) gives the readout, as an array of [label, value].
  constructor(name, draw, read) {
    this.canvas = $("chart-" + name);
    this.readout = $("read-" + name);
    this.height = Number(this.canvas.getAttribute("height"));
    this.canvas.style.height = this.height + "px";
    this.draw = draw;
    this.read = read;
    charts.push(this);
    const move = (event) => point(this.timeAt(event.clientX - this.canvas.getBoundingClientRect().left));
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerdown", move);
    this.canvas.addEventListener("pointerleave", () => point(null));
    this.canvas.addEventListener("blur", () => point(null));
    this.canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30 }[event.key];
      if (event.key === "Escape") point(null);
      if (!steps || samples.length === 0) return;
      event.preventDefault();
      const index = sampleIndex(cursor ?? last.at) + steps;
      point(index >= samples.length ? null : samples[Math.max(0, index)].at);
    });
  }
  begin() {
    const ratio = window.devicePixelRatio || 1, width = this.canvas.clientWidth;
    this.width = width;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.g = this.canvas.getContext("2d");
    this.g.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.g.clearRect(0, 0, width, this.height);
    this.g.font = "11px " + getComputedStyle(document.body).fontFamily;
    this.right = width - 2;
    this.bottom = this.height - BOTTOM;
  }
  x(at) { return this.right - (last.at - at) / span() * (this.right - AXIS); }
  timeAt(x) { return last === null ? null : last.at - (this.right - x) / (this.right - AXIS) * span(); }
  y(value, top) { return this.bottom - value / top * (this.bottom - TOP); }
  text(text, x, y, align, color) {
    this.g.fillStyle = color ?? palette.quiet;
    this.g.textAlign = align;
    this.g.textBaseline = "middle";
    this.g.fillText(text, x, y);
  }
  rule(y) {
    this.g.strokeStyle = palette.grid;
    this.g.lineWidth = 1;
    this.g.beginPath();
    this.g.moveTo(AXIS, Math.round(y) + 0.5);
    this.g.lineTo(this.right, Math.round(y) + 0.5);
    this.g.stroke();
  }
  // Horizontal lines at round values up to at least `most`; returns the value at the top.
  scale(most, format, base = 10) {
    if (!(most > 0)) most = 1;
    const step = niceStep(most / 3, base), top = Math.ceil(most / step) * step;
    for (let value = 0; value <= top * 1.001; value += step) {
      this.rule(this.y(value, top));
      this.text(format(value), AXIS - 8, this.y(value, top), "right");
    }
    return top;
  }
  times() {
    const all = span(), step = all <= 90_000 ? 15_000 : all <= 150_000 ? 30_000 : all <= 300_000 ? 60_000 : 120_000;
    for (let ago = 0; ago <= all; ago += step) {
      const x = this.right - ago / all * (this.right - AXIS), label = ago === 0 ? "now" : ago % 60_000 ? `−${ago / 1000} s` : `−${ago / 60_000} min`;
      if (x > AXIS + 24 || ago === 0) this.text(label, ago === 0 ? this.right : x, this.height - 7, ago === 0 ? "right" : "center");
    }
  }
  line(of, top, color, dash = [], fill = false) {
    const g = this.g;
    g.strokeStyle = color;
    g.lineWidth = 1.75;
    g.lineJoin = "round";
    g.setLineDash(dash);
    let before = null;
    g.beginPath();
    for (const sample of samples) {
      const value = of(sample);
      if (!Number.isFinite(value)) { before = null; continue; }
      const x = this.x(sample.at), y = typeof top === "function" ? top(value) : this.y(value, top);
      if (isNear(sample, before)) g.lineTo(x, y); else g.moveTo(x, y);
      before = sample;
    }
    g.stroke();
    g.setLineDash([]);
    if (fill && samples.length > 1) {
      g.lineTo(this.x(samples[samples.length - 1].at), this.bottom);
      g.lineTo(this.x(samples[0].at), this.bottom);
      g.globalAlpha = 0.12;
      g.fillStyle = color;
      g.fill();
      g.globalAlpha = 1;
    }
  }
  render() {
    this.begin();
    if (last === null || samples.length === 0) {
      this.text(hasAnswered ? "waiting for the second sample" : "waiting for the server", this.width / 2, this.height / 2, "center");
      return;
    }
    this.draw(this);
    this.times();
    const sample = cursor === null ? null : samples[sampleIndex(cursor)];
    if (sample) {
      this.g.fillStyle = palette.quiet;
      this.g.fillRect(Math.round(this.x(sample.at)), TOP, 1, this.bottom - TOP);
    }
    const parts = this.read(sample ? [sample] : recent());
    this.readout.replaceChildren(...(sample ? [clock(sample.at)] : []), ...parts.flatMap(([label, value, color], i) => {
      const b = document.createElement("b"), swatch = document.createElement("span");
      b.textContent = value;
      swatch.className = "swatch";
      swatch.style.background = palette.series[color];
      return [i > 0 || sample ? " · " : "", ...(color === undefined ? [] : [swatch]), label ? label + " " : "", b];
    }));
  }
}

function niceStep(least, base) {
  let unit = 1;
  while (unit * base <= least) unit *= base;
  while (unit > least) unit /= base;
  const steps = base === 10 ? [1, 2, 5, 10] : [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
  return unit * steps.find((each) => unit * each >= least);
}

function sampleIndex(at) {
  let best = samples.length - 1;
  for (let i = samples.length - 1; i >= 0; i--)
    if (Math.abs(samples[i].at - at) < Math.abs(samples[best].at - at)) best = i;
  return best;
}

function point(at) {
  cursor = at !== null && samples.length > 0 && last !== null && at >= samples[0].at - PERIOD_MS && at <= last.at + PERIOD_MS ? at : null;
  charts.forEach((chart) => chart.render());
}

// ---- the charts ----

const callRate = (sample, method) => (sample.methods.get(method) ?? 0) / sample.seconds;

function rankedMethods() {
  const list = recent(), all = new Map();
  for (const sample of samples) for (const [method, calls] of sample.methods) all.set(method, (all.get(method) ?? 0) + calls);
  const ranked = [...all].filter(([, calls]) => calls > 0).sort((a, b) => b[1] - a[1]).map(([method]) => method);
  for (const method of ranked) if (!colorOf.has(method) && colorOf.size < OTHERS) colorOf.set(method, colorOf.size);
  return ranked.map((method) => ({ method, color: colorOf.get(method) ?? OTHERS, rate: rate(list, (each) => each.methods.get(method) ?? 0) }));
}

new Chart("calls", (chart) => {
  const top = chart.scale(Math.max(...samples.map((each) => total(each.methods) / each.seconds)), count), g = chart.g;
  const methods = rankedMethods().sort((a, b) => a.color - b.color), base = samples.map(() => 0);
  for (const { method, color } of methods) {
    const low = [...base];
    samples.forEach((sample, i) => { base[i] += callRate(sample, method); });
    g.fillStyle = palette.series[color];
    g.globalAlpha = 0.85;
    for (let from = 0; from < samples.length;) {
      let to = from;
      while (to + 1 < samples.length && isNear(samples[to + 1], samples[to])) to++;
      g.beginPath();
      for (let i = from; i <= to; i++) g.lineTo(chart.x(samples[i].at), chart.y(base[i], top));
      for (let i = to; i >= from; i--) g.lineTo(chart.x(samples[i].at), chart.y(low[i], top));
      g.fill();
      from = to + 1;
    }
  }
  g.globalAlpha = 1;
}, (list) => {
  const calls = rate(list, (each) => total(each.methods));
  return [["", count(calls) + "/s"], ["not OK", count(rate(list, (each) => total(each.codes) - (each.codes.get("OK") ?? 0))) + "/s"]];
});

const LOW_S = 5e-6, HIGH_S = 10;
const latencyY = (chart, top) => (value) => chart.bottom - Math.log(Math.min(top, Math.max(LOW_S, value)) / LOW_S) / Math.log(top / LOW_S) * (chart.bottom - TOP);

new Chart("latency", (chart) => {
  const method = $("of").value, g = chart.g, columns = samples.map((each) => durationsOf(each, method));
  const highest = Math.max(0.1, ...columns.map(({ bounds, counts }) => bounds[counts.findLastIndex((value) => value > 0)] ?? 0));
  const y = latencyY(chart, Math.min(HIGH_S, highest * 1.1));
  const most = Math.max(1, ...columns.flatMap((each, i) => each.counts.map((value) => value / samples[i].seconds)));
  samples.forEach((sample, i) => {
    const { bounds, counts } = columns[i], x = chart.x(sample.at);
    const left = Math.max(AXIS, isNear(sample, samples[i - 1]) ? chart.x(samples[i - 1].at) : x - 3);
    counts.forEach((value, bucket) => {
      if (value <= 0) return;
      const level = Math.log1p(value / sample.seconds) / Math.log1p(most);
      const high = y(bounds[bucket]), low = y(bucket === 0 ? 0 : bounds[bucket - 1]);
      g.fillStyle = palette.heat[Math.min(7, Math.floor(level * 8))];
      g.fillRect(left, high, Math.max(1, x - left + 0.5), low - high - 0.5);
    });
  });
  for (const [value, label] of [[1e-5, "10 µs"], [1e-4, "100 µs"], [1e-3, "1 ms"], [1e-2, "10 ms"], [0.1, "100 ms"], [1, "1 s"]]) {
    if (value > highest) break;
    chart.rule(y(value));
    chart.text(label, AXIS - 8, y(value), "right");
  }
  chart.line((each) => quantile(durationsOf(each, method), 0.5), y, palette.text);
  chart.line((each) => quantile(durationsOf(each, method), 0.99), y, palette.text, [4, 3]);
}, (list) => {
  const all = durationsOfAll(list, $("of").value);
  return [["median", quantileText(all, 0.5)], ["99 %", quantileText(all, 0.99)], ["99.9 %", quantileText(all, 0.999)]];
});

const newest = (list, name) => list.length > 0 ? list[list.length - 1][name] : NaN;
const most = (...names) => Math.max(0, ...samples.flatMap((each) => names.map((name) => each[name]).filter(Number.isFinite)));

new Chart("memory", (chart) => {
  const used = most("used", "resident"), limit = newest(samples, "limit");
  const top = chart.scale(limit > 0 && limit < 3 * used ? Math.max(limit, used) : used, bytes, 1024);
  chart.line((each) => each.resident, top, palette.series[7]);
  chart.line((each) => each.used, top, palette.series[0], [], true);
  if (limit > 0) chart.line((each) => each.limit <= top ? each.limit : NaN, top, palette.bad, [4, 3]);
}, (list) => [["used", bytes(newest(list, "used")), 0], ["resident", bytes(newest(list, "resident")), 7]]);

new Chart("log", (chart) => {
  const value = (each) => quantile(each.syncs, 0.5), high = (each) => quantile(each.syncs, 0.99);
  const top = chart.scale(Math.max(0, ...samples.map(high).filter(Number.isFinite)) * 1e6, (us) => us === 0 ? "0" : duration(us / 1e6));
  chart.line((each) => value(each) * 1e6, top, palette.series[0], [], false);
  chart.line((each) => high(each) * 1e6, top, palette.series[1], [4, 3]);
}, (list) => {
  const syncs = list.reduce((all, each) => each.syncs.counts.length ? addCounts(all, each.syncs) : all, NOTHING);
  return [["sync", quantileText(syncs, 0.5), 0], ["99 %", quantileText(syncs, 0.99), 1]];
});

new Chart("clients", (chart) => {
  const top = chart.scale(Math.max(3, most("connections", "streams")), count);
  chart.line((each) => each.streams, top, palette.series[1]);
  chart.line((each) => each.connections, top, palette.series[0]);
}, (list) => [["connections", count(newest(list, "connections")), 0], ["streams", count(newest(list, "streams")), 1]]);

new Chart("cpu", (chart) => {
  const top = chart.scale(100, (value) => value + " %");
  for (const worker of samples[samples.length - 1].cpu.keys())
    chart.line((each) => Math.min(100, 100 * (each.cpu.get(worker) ?? NaN) / each.seconds), top, palette.series[Number(worker) % 7]);
}, (list) => [["busy", percent(rate(list, (each) => total(each.cpu)) / (last?.cpu.size || 1))]]);

// ---- tables and facts ----

function fill(id, rows) {
  const body = $(id).tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, i) => {
    const row = body.rows[i] ?? body.insertRow();
    while (row.cells.length < cells.length) row.insertCell();
    cells.forEach((cell, j) => {
      const { text = cell, color, kind = "" } = typeof cell === "object" ? cell : {};
      const at = row.cells[j], key = `${text}|${color ?? ""}|${kind}`;
      if (at.dataset.key === key) return;
      at.dataset.key = key;
      at.className = kind;
      at.textContent = text;
      at.title = j === 0 ? text : "";
      if (color) {
        const swatch = document.createElement("span");
        swatch.className = "swatch";
        swatch.style.background = color;
        at.prepend(swatch);
      }
    });
  });
}

function facts(id, pairs) {
  const list = $(id), shown = pairs.filter(([, value]) => value !== null);
  while (list.children.length > shown.length) list.lastChild.remove();
  shown.forEach(([name, value, kind = ""], i) => {
    let item = list.children[i];
    if (!item) {
      item = document.createElement("div");
      item.append(document.createElement("dt"), document.createElement("dd"));
      list.append(item);
    }
    item.firstChild.textContent = name;
    item.lastChild.textContent = value;
    item.lastChild.className = kind;
  });
}

function tile(id, value, unit) {
  const small = document.createElement("small");
  small.textContent = unit;
  $(id).replaceChildren(value, " ", small);
}

const get = (name) => last === null ? NaN : one(last.families, name);
const all = (name) => last === null ? NaN : sum(last.families, name);
const maybe = (name, format) => last !== null && last.families.has(name) ? format(get(name)) : null;

function showTiles(list) {
  const calls = rate(list, (each) => total(each.methods)), failed = rate(list, (each) => total(each.codes) - (each.codes.get("OK") ?? 0));
  const latency = durationsOfAll(list, ""), split = (text) => [text.slice(0, text.lastIndexOf(" ") + 1 || undefined).trim(), text.includes(" ") ? text.slice(text.lastIndexOf(" ") + 1) : ""];
  const found = overall(list, (each) => each.hits.get("hit") ?? 0), missed = overall(list, (each) => each.hits.get("miss") ?? 0);
  tile("tile-calls", split(count(calls))[0], split(count(calls))[1] + "/s");
  tile("tile-p50", ...split(quantileText(latency, 0.5)));
  tile("tile-p99", ...split(quantileText(latency, 0.99)));
  tile("tile-errors", split(count(failed))[0], split(count(failed))[1] + "/s");
  tile("tile-keys", ...split(count(all("keystore_keys"))));
  tile("tile-hits", found + missed > 0 ? split(percent(found / (found + missed)))[0] : "–", found + missed > 0 ? "%" : "");
}

function showCalls(list) {
  const methods = rankedMethods().sort((a, b) => b.rate - a.rate || a.method.localeCompare(b.method)).slice(0, 8);
  fill("methods", methods.map(({ method, color, rate: calls }) => {
    const histogram = durationsOfAll(list, method);
    return [{ text: method, color: palette.series[color] }, count(calls), quantileText(histogram, 0.5), quantileText(histogram, 0.99)];
  }));
  const codes = [...last.codes].sort((a, b) => (b[0] === "OK") - (a[0] === "OK") || b[1] - a[1]);
  fill("codes", codes.map(([code, calls]) => [code, count(rate(list, (each) => each.codes.get(code) ?? 0)), count(calls)]));
  const select = $("of"), wanted = ["", ...[...last.durations.keys()].sort()];
  if (select.options.length !== wanted.length) {
    const chosen = select.value;
    select.replaceChildren(...wanted.map((method) => new Option(method || "unary calls", method)));
    select.value = chosen;
  }
}

function showProblems(list) {
  const rows = [], add = (kind, name, per, now) => {
    if (now > 0) rows.push([{ text: `${kind}: ${name.toLowerCase().replaceAll("_", " ")}` }, { text: count(per), kind: per > 0 ? "warn" : "" }, count(now), now]);
  };
  for (const [reason, now] of last.errors) add("error", reason, rate(list, (each) => each.errors.get(reason) ?? 0), now);
  for (const [limit, now] of last.limits) add("limit", limit, rate(list, (each) => each.limits.get(limit) ?? 0), now);
  for (const [cause, now] of last.closed) add("connection closed", cause, rate(list, (each) => each.closed.get(cause) ?? 0), now);
  if (last.families.has("keystore_slow_calls_total")) add("call", "slow", rate(list, (each) => each.slow), all("keystore_slow_calls_total"));
  rows.sort((a, b) => b[3] - a[3]);
  fill("problems", rows.length > 0 ? rows.map((row) => row.slice(0, 3)) : [[{ text: "none since the start", kind: "good" }, "", ""]]);
}

function showKeys(list) {
  const keys = by(last.families, "keystore_keys", "db"), expiring = by(last.families, "keystore_keys_with_deadline", "db");
  const used = [...keys].filter(([db, value]) => value > 0 || db === "0");
  fill("databases", used.slice(0, 12).map(([db, value]) => ["Database " + db, count(value), count(expiring.get(db) ?? NaN)]));
  facts("facts-keys", [
    ["Expired", count(rate(list, (each) => each.expired)) + "/s"],
    ["Evicted", count(rate(list, (each) => each.evicted)) + "/s", rate(list, (each) => each.evicted) > 0 ? "warn" : ""],
    ["Revision", count(get("keystore_revision"))],
  ]);
}

function showFacts(list) {
  const limit = get("keystore_memory_limit_bytes"), saved = get("keystore_snapshot_timestamp_seconds");
  facts("facts-memory", [
    ["Limit", limit > 0 ? bytes(limit) : "none"],
    ["Of the limit", limit > 0 ? percent(get("keystore_memory_used_bytes") / limit) : "–", get("keystore_memory_used_bytes") > 0.9 * limit && limit > 0 ? "warn" : ""],
    ["Held from the system", bytes(get("keystore_memory_held_bytes"))],
    ["Clients", bytes(get("keystore_client_memory_bytes"))],
    ["Clients' limit", bytes(get("keystore_client_memory_limit_bytes"))],
    ["Watch history", bytes(get("keystore_watch_history_bytes"))],
  ]);
  const behind = get("keystore_revision") - get("keystore_durable_revision");
  facts("facts-log", [
    ["Written", Number.isFinite(rate(list, (each) => each.written)) ? bytes(rate(list, (each) => each.written)) + "/s" : "–"],
    ["Syncs", count(rate(list, (each) => each.syncs.counts.reduce((sum, value) => sum + value, 0))) + "/s"],
    ["Log", maybe("keystore_log_size_bytes", bytes)],
    ["Not yet durable", Number.isFinite(behind) ? count(Math.max(0, behind)) + (behind === 1 ? " commit" : " commits") : "–"],
    ["Snapshot", get("keystore_snapshot_in_progress") ? "being written" : get("keystore_snapshot_failed") ? "failed" : saved > 0 ? duration(Date.now() / 1000 - saved) + " ago" : "none yet",
      get("keystore_snapshot_failed") ? "bad" : ""],
    ["Writes", all("keystore_read_only") > 0 ? "refused" : "accepted", all("keystore_read_only") > 0 ? "bad" : "good"],
  ]);
  facts("facts-clients", [
    ["Limit", count(get("keystore_connections_limit"))],
    ["Accepted so far", count(get("keystore_connections_accepted_total"))],
    ["Waiting pops", count(get("keystore_blocked_pops"))],
    ["Watch events", count(rate(list, (each) => each.events)) + "/s"],
    ["Slowest watcher", behindText(get("keystore_watch_lag_revisions")), get("keystore_watch_lag_revisions") > 100_000 ? "warn" : ""],
    ["Missed messages", count(rate(list, (each) => each.missed)) + "/s", rate(list, (each) => each.missed) > 0 ? "warn" : ""],
  ]);
  showKinds(list);
  facts("facts-cpu", [
    ["Workers", count(get("keystore_workers"))],
    ["Long calls moved away", count(get("keystore_offloaded_calls_total"))],
    ["Open files", count(get("process_open_fds"))],
  ]);
}

const behindText = (revisions) => revisions > 0 ? count(revisions) + (revisions === 1 ? " commit behind" : " commits behind") : "not behind";

// Streams that there are or were, by their method.
function showKinds(list) {
  const started = new Map((last.families.get("grpc_server_started_total") ?? []).map(({ labels, value }) => [kindOf(labels), value]));
  const kinds = [...by(last.families, "keystore_streams", "kind")].filter(([kind]) => started.get(kind) > 0);
  kinds.sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  fill("kinds", kinds.slice(0, 6).map(([kind, open]) => [kind, count(open), count(rate(list, (each) => each.sent.get(kind) ?? 0)), count(started.get(kind))]));
  $("kinds").hidden = kinds.length === 0;
}

// ---- slow calls ----

let slow = { total: NaN, calls: [], skew: 0 };  // skew: what our clock is ahead of the server's

const ago = (ms) => ms < 1000 ? "now" : duration(Math.round(ms / 1000)) + " ago";

function showSlow() {
  const now = Date.now() - slow.skew, rows = slow.calls.slice(0, SLOW_SHOWN).map((call) => [
    call.method, duration(call.us / 1e6), ago(now - call.unix_ms),
    call.status === "OK" ? "OK" : { text: call.status.toLowerCase().replaceAll("_", " "), kind: "warn" },
    { text: call.waited_for || "–", kind: "extra" }, { text: count(call.keys), kind: "extra" }, { text: count(call.elements), kind: "extra" },
    { text: bytes(call.request_bytes), kind: "extra" }, { text: bytes(call.reply_bytes), kind: "extra" }]);
  const more = Array.from({ length: 5 }, () => ({ text: "", kind: "extra" }));
  fill("slow", rows.length > 0 ? rows : [[{ text: "none", kind: "good" }, "", "", "", ...more]]);
  const b = document.createElement("b");
  b.textContent = maybe("keystore_slow_calls_total", () => count(all("keystore_slow_calls_total"))) ?? "–";
  $("read-slow").replaceChildren("since start ", b);
}

// Reads them if there are new ones.
async function askSlow(signal) {
  if (all("keystore_slow_calls_total") === slow.total) return;
  const answer = await fetch("/slow", { cache: "no-store", signal });
  if (!answer.ok) throw new Error(answer.statusText);
  const { unix_ms: at, total, calls } = await answer.json();
  slow = { total, calls, skew: Date.now() - at };
}

function showState() {
  const loading = get("keystore_loading") === 1;
  const state = paused ? "paused" : goneSince !== null ? "gone" : last === null ? "connecting" : loading ? "loading" : "live";
  document.documentElement.dataset.state = state;
  $("state-text").textContent = { connecting: "Connecting", live: "Live", paused: "Paused", loading: "Loading", gone: "No answer" }[state];
  const banner = {
    gone: () => `The server has not answered since ${clock(goneSince)}. This page keeps trying${hasAnswered ? "; what it shows is from before" : ""}.`,
    loading: () => `The server is loading its data: ${percent(get("keystore_loading_read_bytes") / get("keystore_loading_size_bytes"))} of ${bytes(get("keystore_loading_size_bytes"))}. Until then it refuses calls.`,
  }[state]?.();
  if (($("banner").textContent || undefined) !== banner) $("banner").textContent = banner ?? "";
  $("banner").hidden = !banner;
  if (last !== null) {
    const version = last.families.get("keystore_build_info")?.[0].labels.version;
    $("about").textContent = `${version} on ${location.host}, up ${duration(last.at / 1000 - last.started)}`;
    document.title = "KeyStore · " + location.host;
  }
}

function show() {
  showState();
  if (last !== null) {
    const list = recent();
    showTiles(list);
    showCalls(list);
    showKeys(list);
    showFacts(list);
    showProblems(list);
    showSlow();
  }
  charts.forEach((chart) => chart.render());
}

// ---- asking the server ----

let timer = null;

async function ask() {
  const began = Date.now();
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch("/metrics", { cache: "no-store", headers: { Accept: "text/plain" }, signal });
    if (!answer.ok) throw new Error(answer.statusText);
    const text = await answer.text();
    if (paused) return;
    keep(parse(text), Date.now());
    goneSince = null;
    hasAnswered = true;
    await askSlow(signal);
  } catch {
    goneSince ??= last?.at ?? began;
  }
  show();
  if (!paused) timer = setTimeout(ask, Math.max(100, PERIOD_MS - (Date.now() - began)));
}

function pause() {
  paused = !paused;
  $("pause").textContent = paused ? "Resume" : "Pause";
  $("pause").setAttribute("aria-pressed", String(paused));
  clearTimeout(timer);
  show();
  if (!paused) ask();
}

// ---- themes ----

const THEMES = ["system", "light", "dark"], dark = matchMedia("(prefers-color-scheme: dark)");
let theme = "system";
try { theme = THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "system"; } catch { /* it is not kept then */ }

function applyTheme() {
  document.documentElement.dataset.theme = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
  $("theme").textContent = "Theme: " + theme;
  readPalette();
  show();
}

function nextTheme() {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  try { localStorage.setItem("theme", theme); } catch { /* it is not kept then */ }
  applyTheme();
}

$("pause").addEventListener("click", pause);
$("theme").addEventListener("click", nextTheme);
$("of").addEventListener("change", show);
dark.addEventListener("change", applyTheme);
window.addEventListener("resize", () => charts.forEach((chart) => chart.render()));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select, input")) return;
  if (event.key === "p" || event.key === "P") pause();
  if (event.key === "t" || event.key === "T") nextTheme();
});

applyTheme();
ask();
