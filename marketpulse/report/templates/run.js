"use strict";
// The data of the page: JSON, compressed, in base64. A column is its distinct values (words) and,
// for each row, the place of its value among them (codes). Values enter the page as text only.
const MOST_MATCHES = 24;
const byId = (id) => document.getElementById(id);

async function readData() {
  const bytes = Uint8Array.from(atob(byId("data").textContent), (letter) => letter.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).json();
}

const cell = (column, row) => column.words[column.codes[row]];

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// Excluded and rejected rows by CUSIP, which arrives with blanks and in any case.
function rowsByCusip(table, label) {
  const rows = new Map();
  const column = table[label];
  const cusips = column.words.map((word) => (word ?? "").trim().toUpperCase());
  column.codes.forEach((code, row) => {
    const cusip = cusips[code];
    if (!rows.has(cusip)) rows.set(cusip, []);
    rows.get(cusip).push(row);
  });
  return rows;
}

readData().then((data) => {
  const names = Object.keys(data.columns);
  const ticker = data.columns[data.labels.TICKER];
  const titles = data.cusips.map((cusip, place) =>
    ticker ? `${cusip} ${cell(ticker, data.starts[place]) ?? ""}` : cusip);
  const cusips = [...data.cusips];
  const others = {
    excluded: rowsByCusip(data.excluded, data.labels.CUSIP),
    rejected: rowsByCusip(data.rejected, data.labels.CUSIP),
  };
  // Securities of which no color is left are found, too.
  const unranked = new Set(Object.values(others).flatMap((rows) => [...rows.keys()]));
  data.cusips.forEach((cusip) => unranked.delete(cusip));
  unranked.delete("");
  for (const cusip of unranked) {
    cusips.push(cusip);
    titles.push(`${cusip} (no parent)`);
  }
  const folded = titles.map((title) => title.toUpperCase());

  function search() {
    const text = byId("search").value.trim().toUpperCase();
    const places = [];
    let count = 0;
    folded.forEach((title, place) => {
      if (title.includes(text) && (count += 1) <= MOST_MATCHES) places.push(place);
    });
    byId("found").textContent = count > places.length
      ? `${count.toLocaleString("en")} securities, the first ${places.length} are shown`
      : `${count} ${count === 1 ? "security" : "securities"}`;
    byId("matches").replaceChildren(...places.map((place) => {
      const button = element("button", titles[place], { type: "button", "aria-pressed": "false" });
      button.addEventListener("click", () => choose(place, button));
      const item = element("li");
      item.append(button);
      return item;
    }));
    return places;
  }

  function choose(place, button) {
    document.querySelectorAll(".matches button").forEach((other) =>
      other.setAttribute("aria-pressed", String(other === button)));
    byId("chosen").textContent = titles[place];
    showRanking(place);
    showChart(colorsOf(place));
  }

  const range = (place) => {
    const [start, end] = place < data.cusips.length ? data.starts.slice(place, place + 2) : [0, 0];
    return Array.from({ length: end - start }, (_, offset) => start + offset);
  };

  function reasonOf(rows, offset) {
    if (offset === 0) return "the parent";
    return cell(data.decided, rows[offset]) ?? "equal to the color above in every key";
  }

  function showRanking(place) {
    const head = element("thead");
    const headRow = element("tr");
    headRow.append(...["place", "why here", ...names].map((name) => element("th", name, { scope: "col" })));
    head.append(headRow);
    const body = element("tbody");
    const add = (title, cells, why, isParent) => {
      const row = element("tr", undefined, isParent ? { class: "parent-row" } : {});
      const heading = element("th", title, { scope: "row" });
      if (isParent) heading.classList.add("parent-mark");
      row.append(heading, element("td", why), ...cells.map((text) =>
        element("td", text ?? "null", text === null ? { class: "null" } : {})));
      body.append(row);
    };
    const rows = range(place);
    rows.forEach((row, offset) => add(
      offset === 0 ? "★ parent" : `child ${offset + 1}`,
      names.map((name) => cell(data.columns[name], row)), reasonOf(rows, offset), offset === 0));
    for (const [outcome, reason] of [["excluded", "RULE_ID"], ["rejected", "REASON"]]) {
      for (const row of others[outcome].get(cusips[place]) ?? []) {
        const text = cell(data[outcome][reason], row);
        add(outcome, names.map((name) => cell(data[outcome][name], row)),
          outcome === "excluded" ? `by rule ${text}` : text, false);
      }
    }
    byId("ranking").replaceChildren(head, body);
  }

  function colorsOf(place) {
    const [price, date, dealer] = [data.labels.PX, data.labels.DATE, data.labels.SOURCE];
    const point = (columns, row, outcome) => ({
      price: Number.parseFloat(cell(columns[price], row)),
      date: date ? instant(cell(columns[date], row) ?? "") : "",
      dealer: dealer ? cell(columns[dealer], row) ?? "null" : "",
      outcome,
    });
    const rows = range(place);
    const excluded = others.excluded.get(cusips[place]) ?? [];
    return price === null ? [] : [
      ...rows.map((row, offset) => point(data.columns, row, offset === 0 ? "parent" : "child")),
      ...excluded.map((row) => point(data.excluded, row, "excluded")),
    ].filter((color) => Number.isFinite(color.price));
  }

  // A time without an offset is in UTC, as in the ranking. A browser would take it for local.
  function instant(text) {
    const written = text.trim().replace(" ", "T");
    return /T[0-9:.]+$/.test(written) ? `${written}Z` : written;
  }

  // Colors of several dates are plotted over time; those of one date, or of dates that only
  // --date-format can read, by dealer.
  function chartOf(colors) {
    // The colours of the page, so that the chart follows a dark screen, and paper.
    const [ink, line, accent, parent, soft] = ["ink", "line", "accent", "parent", "soft"]
      .map((name) => `var(--${name})`);
    const dates = new Set(colors.map((color) => color.date));
    const overTime = dates.size > 1 && [...dates].every((date) => !date || /^\d{4}-/.test(date));
    const dealers = new Set(colors.map((color) => color.dealer)).size;
    const outcomes = ["parent", "child", "excluded"];
    const price = { field: "price", type: "quantitative", scale: { zero: false, nice: true }, title: "price" };
    const position = overTime
      ? { x: { field: "date", type: "temporal", scale: { type: "utc" }, title: "date" }, y: price }
      : { x: price, y: { field: "dealer", type: "nominal", title: "dealer", sort: "ascending" } };
    return {
      description: "The prices of this security, with its parent marked. The table below has the same values.",
      width: "container",
      height: overTime ? 260 : 60 + 24 * dealers,
      data: { values: colors },
      mark: { type: "point", filled: true, opacity: 0.85 },
      encoding: {
        ...position,
        color: { field: "outcome", type: "nominal", scale: { domain: outcomes, range: [parent, accent, soft] }, title: null },
        shape: { field: "outcome", type: "nominal", scale: { domain: outcomes, range: ["diamond", "circle", "cross"] }, title: null },
        size: { condition: { test: "datum.outcome === 'parent'", value: 220 }, value: 70 },
        order: { field: "outcome", sort: "descending" },
        tooltip: ["outcome", "price", "dealer", "date"].map((field) => ({ field, type: field === "price" ? "quantitative" : "nominal", format: field === "price" ? "" : undefined })),
      },
      config: {
        background: "transparent", view: { stroke: line }, font: "system-ui, sans-serif",
        axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line },
        legend: { labelColor: ink, titleColor: ink, orient: "top" },
      },
    };
  }

  function showChart(colors) {
    byId("chart").replaceChildren();
    const options = { actions: false, renderer: "svg" };
    if (colors.length) vegaEmbed("#chart", chartOf(colors), options);
  }

  byId("search").addEventListener("input", () => {
    const places = search();
    if (places.length === 1) choose(places[0], document.querySelector(".matches button"));
  });

  // The page begins with the security of its address, or with the one that has most colors.
  search();
  const wanted = decodeURIComponent(location.hash.slice(1)).toUpperCase();
  const sizes = data.cusips.map((_, place) => data.starts[place + 1] - data.starts[place]);
  const largest = sizes.reduce((best, size, place) => (size > sizes[best] ? place : best), 0);
  const first = folded.findIndex((title) => wanted && title.startsWith(wanted));
  if (folded.length) choose(first >= 0 ? first : largest);
});
