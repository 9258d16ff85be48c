// The page of the inspector. Names and bodies of events come from anybody who can reach the app, so
// everything is written as text, and nothing as markup.
"use strict";

const KEPT = 1000;
const TEXT_FIELDS = ["event", "tenant", "product", "sender", "reason", "detail", "function", "queue", "handler"];

const find = (id) => document.getElementById(id);

/** Makes an element. A child is a node or a text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value != null) element.setAttribute(attribute, value);
  }
  element.append(...children.filter((child) => child != null && child !== ""));
  return element;
}

// Words

const OUTCOMES = {
  answered: "answered",
  rejected: "rejected",
  queued: "queued",
  retrying: "retrying",
  handled: "handled",
  duplicate: "duplicate",
  dead_lettered: "dead-lettered",
};

const outcomeWord = (journey) => OUTCOMES[journey.outcome] ?? String(journey.outcome);

/** What a reason of a refusal means to whoever sent the request. */
const REASONS = {
  no_token: "The request has no token.",
  two_tokens: "The request has two tokens, so it is not clear which one counts.",
  malformed_token: "The token cannot be decoded, or lacks a claim.",
  algorithm: "The token names another signature algorithm than this URL accepts.",
  signature: "The signature was not made with the secret of the tenant, or the key, that the token names.",
  expired: "The token had expired when the request arrived.",
  not_yet_valid: "The token was issued in the future; compare the clocks.",
  qsh: "The token was made for another request: its qsh is not the hash of this one.",
  unknown_tenant: "No installed tenant has the client key that the token names.",
  unknown_key: "The key that signed the token is not one of Atlassian's.",
  other_app: "The token was issued for another Forge app.",
  other_endpoint: "The token was issued for another endpoint of the manifest.",
  user: "The token was issued to a user of the app, in a browser, and not for an event.",
  callback_mismatch: "The body and the token of the callback disagree.",
  outdated_callback: "The callback is older than the one that was stored last.",
  undeclared_event: "This event is not declared for this URL.",
  ambiguous_event: "The body does not name its event, and the URL has several.",
  other_product: "The event is of a product whose events handlers do not take.",
  unknown_path: "This path is not declared.",
  not_json: "The body is not JSON.",
  not_text: "The body is not text.",
  empty_body: "The body is empty, and no webhook of this URL has excludeBody.",
  too_large: "The delivery is larger than a message of the queue can be.",
  tenants_unavailable: "The tenants could not be read, so nothing could be verified.",
  key_set_unavailable: "The key set of Forge could not be fetched, so nothing could be verified.",
  queue_unavailable: "The queue did not take the delivery.",
  not_forwarded: "The existing server did not accept the callback.",
};

function sentence(text) {
  if (!text) return "";
  const begun = text[0].toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

function duration(ms) {
  if (ms == null) return "–";
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.floor(ms / 1000) % 60} s`;
}

const two = (number) => String(number).padStart(2, "0");

function clock(instant) {
  const time = new Date(instant);
  const thousandths = String(time.getMilliseconds()).padStart(3, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${thousandths}`;
}

function dateAndClock(seconds) {
  const time = new Date(seconds * 1000);
  if (Number.isNaN(time.getTime())) return "not a time";
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** The ends of a tenant's name; of an installation of Forge, of its last part, as all begin alike. */
function short(tenant) {
  const name = (tenant ?? "").split("/").pop();
  return name.length > 14 ? `${name.slice(0, 6)}…${name.slice(-6)}` : name;
}

const url = (journey) => journey.sent.path + (journey.sent.query ? `?${journey.sent.query}` : "");

const attemptCount = (journey) => journey.attempts.reduce((most, attempt) => Math.max(most, attempt.number), 0);

const took = (journey) => journey.endedMs ?? (OPEN.has(journey.outcome) ? null : journey.answeredMs);
const OPEN = new Set(["queued", "retrying"]);

function eventName(journey) {
  return journey.event ?? (journey.kind === "other" ? "not a webhook" : "unnamed event");
}

// The table. An entry is a journey with its row.

const rows = find("rows");
const entries = new Map();
/** Newest first. */
let order = [];
let chosen = null;
/** The one row in the tab order: the newest, until somebody has been at another. */
let current = null;
let wasAtRow = false;

/** What arrived since the last frame, by id: of several versions only the last is shown. */
const arrived = new Map();
let isFrameAsked = false;

function arrive(text) {
  let journey;
  try {
    journey = JSON.parse(text);
  } catch {
    return;
  }
  arrived.set(journey.id, { journey, text });
  askForFrame();
}

function askForFrame() {
  if (isFrameAsked) return;
  isFrameAsked = true;
  requestAnimationFrame(() => {
    isFrameAsked = false;
    takeArrived();
  });
}

function takeArrived() {
  let added = 0;
  for (const [id, { journey, text }] of arrived) {
    const entry = entries.get(id);
    if (!entry) {
      add(journey, text);
      added += 1;
    } else if (entry.text !== text) {
      Object.assign(entry, { journey, text, haystack: null });
      show(entry);
      match(entry);
      if (chosen === entry) showDetails(entry.journey);
    }
  }
  arrived.clear();
  while (order.length > KEPT) remove(order[order.length - 1]);
  if (added > 0) announce(added);
  showCount();
}

function add(journey, text) {
  const names = ["time", "event", "tenant", "url", "answer", "handler", "attempts number", "outcome-cell", "duration number"];
  const cells = names.map((name) => make("td", { role: "gridcell", class: name }));
  const row = make("tr", { role: "row", tabindex: "-1", "aria-selected": "false" }, ...cells);
  cells[7].append(make("span", { class: "outcome" }));
  const at = Date.parse(journey.receivedAt);
  const entry = { journey, text, row, cells, at, haystack: null };
  row.entry = entry;
  if (wasLoaded) row.className = "fresh";
  show(entry);
  match(entry);
  // Nearly always at the top.
  const isOlder = (other) => other.at < at || (other.at === at && other.journey.number < journey.number);
  const index = order.findIndex(isOlder);
  const position = index < 0 ? order.length : index;
  rows.insertBefore(row, order[position]?.row ?? null);
  order.splice(position, 0, entry);
  entries.set(journey.id, entry);
  offer("event", journey.event);
  offer("tenant", journey.tenant);
  offer("outcome", journey.outcome);
}

function remove(entry) {
  order.splice(order.indexOf(entry), 1);
  entries.delete(entry.journey.id);
  entry.row.remove();
  if (current === entry) setCurrent(null);
  if (chosen === entry) closePanel(details);
}

/** Writes what differs. */
function show(entry) {
  const { journey, cells, row } = entry;
  const write = (index, text, title) => {
    if (cells[index].textContent !== text) cells[index].textContent = text;
    if (title && cells[index].title !== title) cells[index].title = title;
  };
  write(0, clock(journey.receivedAt), journey.receivedAt);
  write(1, eventName(journey), eventName(journey));
  write(2, short(journey.tenant), journey.tenant);
  write(3, journey.sent.path, `${journey.sent.method} ${url(journey)}`);
  write(4, journey.reason ? `${journey.status} ${journey.reason}` : String(journey.status), journey.detail);
  write(5, journey.handler ?? "", journey.handler);
  write(6, attemptCount(journey) ? String(attemptCount(journey)) : "");
  write(8, duration(took(journey)));
  cells[4].classList.toggle("refused", journey.outcome === "rejected");
  const outcome = cells[7].firstChild;
  const word = outcomeWord(journey);
  if (outcome.textContent !== word) outcome.textContent = word;
  const name = Object.hasOwn(OUTCOMES, journey.outcome) ? `outcome ${word}` : "outcome";
  if (outcome.className !== name) outcome.className = name;
  const label = `${eventName(journey)}, ${word}, ${cells[4].textContent}, ${cells[0].textContent}`;
  if (row.getAttribute("aria-label") !== label) row.setAttribute("aria-label", label);
}

function setCurrent(entry) {
  if (current === entry) return;
  if (current) current.row.tabIndex = -1;
  current = entry;
  if (current) current.row.tabIndex = 0;
}

function neighbour(row, next) {
  do row = row && row[next];
  while (row && row.hidden);
  return row;
}

rows.addEventListener("focusin", (event) => {
  const row = event.target.closest("tr");
  wasAtRow = true;
  if (row) setCurrent(row.entry);
});

rows.addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  // Somebody who marks text does not open a row.
  if (row && !String(getSelection())) open(row.entry);
});

rows.addEventListener("keydown", (event) => {
  const row = event.target.closest("tr");
  if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
  const visible = () => order.filter((entry) => !entry.row.hidden);
  const target = {
    ArrowDown: () => neighbour(row, "nextElementSibling"),
    ArrowUp: () => neighbour(row, "previousElementSibling"),
    Home: () => visible()[0]?.row,
    End: () => visible().at(-1)?.row,
  }[event.key];
  if (target) {
    event.preventDefault();
    target()?.focus();
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    open(row.entry);
  }
});

// The filter, which is kept in the address.

const filter = {
  text: find("filter-text"),
  event: find("filter-event"),
  tenant: find("filter-tenant"),
  outcome: find("filter-outcome"),
};

const wanted = () => ({
  text: filter.text.value.trim().toLowerCase(),
  event: filter.event.value,
  tenant: filter.tenant.value,
  outcome: filter.outcome.value,
});

/** Adds an option in the order of the alphabet. */
function offer(name, value) {
  const select = filter[name];
  if (!value) return;
  const options = Array.from(select.options);
  if (options.some((option) => option.value === value)) return;
  const option = make("option", { value }, name === "outcome" ? OUTCOMES[value] ?? value : value);
  select.insertBefore(option, options.find((other) => other.value && other.value > value) ?? null);
}

function haystack(entry) {
  if (entry.haystack == null) {
    const { journey } = entry;
    const lines = journey.lines.flatMap((line) => [line.message, ...line.fields]);
    const fields = TEXT_FIELDS.map((name) => journey[name]);
    entry.haystack = [...fields, url(journey), journey.sent.body, ...lines].join("\n").toLowerCase();
  }
  return entry.haystack;
}

function match(entry, want = wanted()) {
  const { journey, row } = entry;
  const matches =
    (!want.event || journey.event === want.event) &&
    (!want.tenant || journey.tenant === want.tenant) &&
    (!want.outcome || journey.outcome === want.outcome) &&
    (!want.text || haystack(entry).includes(want.text));
  if (row.hidden === matches) row.hidden = !matches;
}

function applyFilter() {
  const want = wanted();
  for (const entry of order) match(entry, want);
  showCount();
}

function keepFilter() {
  const set = Object.entries(filter).map(([name, control]) => [name, control.value]);
  const hash = new URLSearchParams(set.filter(([, value]) => value)).toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
}

function readFilter() {
  const set = new URLSearchParams(location.hash.slice(1));
  for (const [name, control] of Object.entries(filter)) {
    const value = set.get(name) ?? "";
    if (control !== filter.text) offer(name, value);
    control.value = value;
  }
  applyFilter();
}

function clearFilter() {
  for (const control of Object.values(filter)) control.value = "";
  keepFilter();
  applyFilter();
  filter.text.focus();
}

function showCount() {
  const visible = order.reduce((count, entry) => count + (entry.row.hidden ? 0 : 1), 0);
  if (!wasAtRow || !current || current.row.hidden) setCurrent(order.find((entry) => !entry.row.hidden) ?? null);
  const isFiltered = Object.values(filter).some((control) => control.value);
  find("count").textContent = `${visible} of ${order.length}`;
  find("filter-clear").hidden = !isFiltered;
  find("deliveries").hidden = visible === 0;
  find("empty").hidden = order.length > 0;
  find("no-match").hidden = order.length === 0 || visible > 0;
}

for (const control of Object.values(filter)) {
  control.addEventListener("input", () => {
    keepFilter();
    applyFilter();
  });
}
find("filter").addEventListener("submit", (event) => event.preventDefault());
find("filter-clear").addEventListener("click", clearFilter);
find("no-match-clear").addEventListener("click", clearFilter);
addEventListener("hashchange", readFilter);

// What arrives is announced every two seconds, however much it is.

let unannounced = 0;
let announcement = null;

function announce(added) {
  unannounced += added;
  announcement ??= setTimeout(() => {
    const new_ = unannounced === 1 ? "1 new delivery" : `${unannounced} new deliveries`;
    find("news").textContent = `${new_}, ${order.length} in all`;
    unannounced = 0;
    announcement = null;
  }, 2000);
}

// Panels: beside the table, or over it where there is no room for both.

const details = find("details");
const send = find("send");
const narrow = matchMedia("(max-width: 1000px)");

function openPanel(panel) {
  if (!panel.open) {
    for (const other of [details, send]) if (other.open) other.close();
    if (narrow.matches) panel.showModal();
    else panel.show();
  }
  document.body.classList.toggle("has-panel", !narrow.matches);
}

function closePanel(panel) {
  if (panel.open) panel.close();
}

for (const panel of [details, send]) {
  panel.querySelector(".close").addEventListener("click", () => closePanel(panel));
  panel.addEventListener("close", () => {
    document.body.classList.toggle("has-panel", details.open || send.open);
    if (panel === details) choose(null);
    if (details.open || send.open) return;
    const back = panel === details ? current?.row : find("open-send");
    if (back && !back.hidden) back.focus();
    else filter.text.focus();
  });
}

narrow.addEventListener("change", () => {
  for (const panel of [details, send]) {
    if (!panel.open) continue;
    const entry = chosen;
    panel.close();
    // The event "close" comes later, and would undo this.
    setTimeout(() => (entry ? open(entry) : openPanel(panel)));
  }
});

function choose(entry) {
  chosen?.row.setAttribute("aria-selected", "false");
  chosen = entry;
  chosen?.row.setAttribute("aria-selected", "true");
}

function open(entry) {
  setCurrent(entry);
  openPanel(details);
  choose(entry);
  showDetails(entry.journey);
  find("details-body").scrollTop = 0;
  find("details-title").focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    for (const panel of [details, send]) {
      if (panel.open) {
        event.preventDefault();
        closePanel(panel);
      }
    }
    return;
  }
  if (event.target.closest("input, select, textarea")) return;
  if (event.key === "/" && !document.querySelector("dialog:modal")) {
    event.preventDefault();
    filter.text.focus();
    filter.text.select();
  } else if (event.key === "s") {
    event.preventDefault();
    openSend();
  }
});

// The details. Each section is made again when what it shows has changed, so that a tree stays as
// somebody unfolded it while attempts are added.

const SECTIONS = [
  ["verdict", (journey) => [journey.verdict, journey.reason, journey.detail, journey.outcome, journey.status], verdictSection],
  ["steps", (journey) => [journey.attempts, journey.outcome, journey.endedMs, journey.message, journey.handler], stepsSection],
  ["body", (journey) => [journey.sent.body, journey.reading], bodySection],
  ["token", (journey) => [journey.sent.token, journey.verdict], tokenSection],
  ["hash", (journey) => [journey.sent.canonical, journey.verdict], hashSection],
  ["headers", (journey) => [journey.sent.headers], headersSection],
  ["logs", (journey) => [journey.lines], logsSection],
];

let shownId = null;
const shownKeys = new Map();

function showDetails(journey) {
  const place = find("details-body");
  if (shownId !== journey.id) {
    shownId = journey.id;
    shownKeys.clear();
    place.replaceChildren(...SECTIONS.map(([name]) => make("section", { "data-section": name })));
    find("details-title").textContent = eventName(journey);
  }
  SECTIONS.forEach(([name, parts, build], index) => {
    const key = JSON.stringify(parts(journey));
    if (shownKeys.get(name) === key) return;
    shownKeys.set(name, key);
    place.children[index].replaceChildren(...build(journey).filter(Boolean));
  });
  find("details-title").textContent = eventName(journey);
}

const heading = (text) => make("h3", {}, text);

function pairs(items) {
  const line = ([name, ...values]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, ...values));
  return make("table", { class: "pairs" }, make("tbody", {}, ...items.filter(Boolean).map(line)));
}

/** Whether the proof of the sender is a signature of the body, and no token. */
const isSignedBody = (journey) => journey.sender === "signed" && !journey.sent.token;

function verdictOf(journey) {
  const isSigned = journey.sender === "signed";
  const detail = sentence(journey.detail);
  // The explanations are those of tokens that name a tenant.
  const why = isSigned ? detail || REASONS[journey.reason] : REASONS[journey.reason] ?? detail;
  const proof = isSignedBody(journey) ? "signature" : "token";
  const held = isSignedBody(journey) ? "It was made with the secret of the tenant, for this body."
    : isSigned ? "It was signed with the secret of the tenant, and is valid now. It does not cover the body."
    : "Its signature and its claims held.";
  if (journey.verdict === "verified") return ["good", `The ${proof} was trusted.`, held];
  if (journey.verdict === "not_trusted") return ["bad", `The ${proof} was not trusted: ${journey.reason ?? "no reason given"}.`, why];
  if (journey.kind === "other" && !journey.reason) return ["", "No token was checked.", "This URL needs none."];
  return ["", "No token was checked.", why || "The request was answered before that."];
}

function becameOf(journey) {
  const tries = attemptCount(journey) === 1 ? "the first attempt" : `attempt ${attemptCount(journey)}`;
  switch (journey.outcome) {
    case "handled": return `Handled at ${tries}, after ${duration(journey.endedMs)}.`;
    case "duplicate": return "Handled before, under another request. The handler was not called again.";
    case "queued": return "On the queue. The handler has not finished it yet.";
    case "retrying": return "The last attempt failed. It is attempted again by itself.";
    case "dead_lettered": return `In the dead-letter queue after ${tries}.`;
    case "rejected": return `Refused with ${journey.status}${journey.reason ? ` (${journey.reason})` : ""}.`;
    default: return `Answered with ${journey.status}.`;
  }
}

function verdictSection(journey) {
  const [tone, verdict, why] = verdictOf(journey);
  const facts = pairs([
    ["Outcome", make("span", { class: `outcome ${outcomeWord(journey)}` }, outcomeWord(journey))],
    ["Request", `${journey.sent.method} ${url(journey)}`],
    ["Tenant", journey.tenant ?? "none named", journey.product ? ` (${journey.product})` : ""],
    journey.sender ? ["Sender", journey.sender] : null,
    ["Received", `${clock(journey.receivedAt)}`, make("span", { class: "more" }, `  ${journey.receivedAt}`)],
    ["Id", journey.id],
  ]);
  // The explanation of a reason is general; the detail is of this request.
  const detail = journey.detail && journey.outcome === "rejected" ? sentence(journey.detail) : "";
  const refusal = journey.verdict !== "not_trusted" && journey.reason ? REASONS[journey.reason] ?? "" : "";
  const box = make("div", { class: `verdict ${tone}` },
    make("p", {}, make("strong", {}, verdict), " ", why),
    make("p", {}, becameOf(journey), refusal && refusal !== why ? ` ${refusal}` : ""),
    detail && detail !== why ? make("p", {}, "The receiver says: ", detail) : null);
  const letter = journey.outcome === "dead_lettered"
    ? make("div", { class: "verdict bad" },
      make("p", {}, make("strong", {}, "Why it is a dead letter: "), sentence(journey.detail) || "no reason was logged."),
      make("p", { class: "actions" }, replayButton(journey)))
    : null;
  return [box, letter, facts];
}

function replayButton(journey) {
  const button = make("button", { type: "button", id: "replay", class: "primary" }, "Replay");
  button.title = "Put it back on its queue";
  button.addEventListener("click", () =>
    during(button, () => post(`api/journeys/${encodeURIComponent(journey.id)}/replay`), "It is back on its queue."));
  return button;
}

function stepsSection(journey) {
  const step = (ms, text, more, failed) => make("li", {},
    make("span", { class: "at" }, ms == null ? "" : `+${duration(ms)}`),
    make("span", { class: failed ? "failed" : null }, text, more ? make("span", { class: "more" }, more) : null));
  const steps = [step(0, `${journey.sent.method} arrived`, journey.function && `at ${journey.function}`)];
  steps.push(step(journey.answeredMs, `Answered with ${journey.status}`, null, journey.status >= 400));
  if (journey.queue) steps.push(step(null, `Queued on ${journey.queue}`, [journey.message && `message ${journey.message}`, journey.handler && `for ${journey.handler}`].filter(Boolean).join(", ")));
  journey.attempts.forEach((attempt) => {
    const again = attempt.retrySeconds == null ? null : `again after ${attempt.retrySeconds} s`;
    const text = attempt.error ? `Attempt ${attempt.number} failed: ${attempt.error}` : `Attempt ${attempt.number} succeeded`;
    steps.push(step(attempt.endedMs, text, again, attempt.error));
  });
  if (journey.outcome === "dead_lettered") steps.push(step(journey.endedMs, "Sent to the dead-letter queue", null, true));
  if (journey.outcome === "duplicate") steps.push(step(journey.endedMs, "Recognised as a duplicate"));
  return [heading("What happened"), make("ol", { class: "steps" }, ...steps)];
}

function tokenSection(journey) {
  const { token } = journey.sent;
  if (isSignedBody(journey)) return [];
  if (!token) return [heading("Token"), make("p", {}, "The request had no token that can be decoded.")];
  const rest = (object) => Object.entries(object && typeof object === "object" ? object : { "": object });
  const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const arrivedAt = Date.parse(journey.receivedAt) / 1000;
  const claim = ([name, value]) => {
    const isTime = ["iat", "exp", "nbf"].includes(name) && typeof value === "number";
    if (!isTime) return [name, plain(value)];
    const before = Math.round(arrivedAt - value);
    const distance = before === 0 ? "as the request arrived"
      : `${duration(Math.abs(before) * 1000)} ${before > 0 ? "before" : "after"} the request arrived`;
    return [name, String(value), make("span", { class: "more" }, `  ${dateAndClock(value)}, ${distance}`)];
  };
  return [
    heading("Token"),
    make("div", { class: "sides" },
      make("div", {}, make("h4", {}, "Header"), pairs(rest(token.header).map(([name, value]) => [name, plain(value)]))),
      make("div", {}, make("h4", {}, "Claims"), pairs(rest(token.claims).map(claim)))),
  ];
}

/** Forge's tokens have no hash of the request: they name an app and an endpoint. */
function endpointSection(journey) {
  const { aud, app, principal } = journey.sent.token?.claims ?? {};
  return [
    heading("What the token is bound to"),
    pairs([
      ["App", String(aud ?? "none named")],
      ["Module", `${app?.module?.type ?? "none"} ${app?.module?.key ?? ""}`],
      ["User", String(principal ?? "none")],
    ]),
  ];
}

function hashSection(journey) {
  if (journey.sender === "forge") return endpointSection(journey);
  if (isSignedBody(journey)) return [heading("What the signature is bound to"), make("p", {}, "The body alone: neither the URL, nor a header, nor the time.")];
  if (journey.sender === "signed") return [heading("What the token is bound to"), make("p", {}, "A time alone: neither the URL nor the body.")];
  const { canonical, hash, token } = journey.sent;
  const claimed = token?.claims?.qsh;
  const canonicalBox = canonical == null
    ? make("p", {}, "The query has no canonical form: it is not percent-encoded UTF-8.")
    : make("code", { class: "box" }, canonical);
  let mark = make("span", { class: "mark" }, "the token has no qsh");
  if (claimed != null && claimed === hash) mark = make("span", { class: "mark good" }, "= equal");
  // Signers encode a path in two ways, and both are accepted.
  else if (claimed != null && journey.verdict === "verified") mark = make("span", { class: "mark good" }, "accepted: the path is written in another way");
  else if (claimed != null) mark = make("span", { class: "mark bad" }, "≠ different: the token was made for another request");
  return [
    heading("What the token is bound to"),
    make("div", { class: "sides" },
      make("div", {}, make("h4", {}, "Canonical request"), canonicalBox),
      make("div", {}, make("h4", {}, "Hash"), pairs([
        ["of the request", hash ?? "none"],
        ["qsh of the token", claimed == null ? "none" : String(claimed)],
        ["", mark],
      ]))),
  ];
}

function headersSection(journey) {
  const { headers } = journey.sent;
  return [make("details", {},
    make("summary", {}, make("h3", {}, `Headers (${headers.length})`)),
    pairs(headers))];
}

function logsSection(journey) {
  const line = ({ atMs, function: name, level, message, fields }) =>
    make("li", { class: level.toLowerCase() === "warn" ? "warn" : level.toLowerCase() === "error" ? "error" : null },
      `+${duration(atMs)} ${level} ${name}: ${message}`,
      fields.length > 0 ? make("span", { class: "more" }, fields.join("  ")) : null);
  if (journey.lines.length === 0) return [heading("Log"), make("p", {}, "Nothing was logged about it yet.")];
  return [heading(`Log (${journey.lines.length})`), make("ol", { class: "logs" }, ...journey.lines.map(line))];
}

function bodySection(journey) {
  const { body } = journey.sent;
  const copy = make("button", { type: "button", id: "copy-body" }, "Copy body");
  copy.addEventListener("click", () => during(copy, () => navigator.clipboard.writeText(body), "The body is copied."));
  let shown;
  if (!body) {
    shown = make("p", {}, "The body is empty.");
  } else {
    try {
      shown = make("div", { class: "tree box" }, tree(parse(body), null, 0));
    } catch {
      shown = make("pre", { class: "box" }, body);
    }
  }
  const { reading } = journey;
  const words = {
    read: "Read as the payload type of its event.",
    partly: "Read as the payload type of its event, without these fields:",
    unreadable: "Could not be read as the payload type of its event:",
    unknown: "The event is unknown, so its body stays untyped.",
  };
  const why = reading?.why && make("p", { class: "mono" }, reading.why);
  const read = reading
    ? [make("p", { class: "reading" }, words[reading.word] ?? reading.word), why, reading.typed && make("pre", { class: "box typed" }, halfIndented(reading.typed))]
    : [make("p", { class: "reading" }, "It was not read: nothing was queued.")];
  return [
    heading("Body"),
    make("div", { class: "sides" },
      make("div", {}, make("h4", {}, "As it arrived", body ? copy : null), shown),
      make("div", {}, make("h4", {}, "Read as", make("span", { class: "mono" }, reading?.word ?? "")), ...read)),
  ];
}

/** Two spaces a level, since there is little room. */
const halfIndented = (text) => text.replace(/^ +/gm, (spaces) => spaces.slice(spaces.length / 2));

/** A number that loses digits as a double, as it was written. */
class Exact {
  constructor(text) {
    this.text = text;
  }
}

function parse(text) {
  return JSON.parse(text, (_name, value, context) => {
    const isExact = typeof value !== "number" || !context?.source || String(value) === context.source;
    return isExact ? value : new Exact(context.source);
  });
}

/** A value with its members, which are made when they are unfolded first. */
function tree(value, name, depth) {
  const key = name == null ? [] : [make("span", { class: "key" }, `${name}: `)];
  if (value === null || typeof value !== "object" || value instanceof Exact) {
    const [kind, text] = value instanceof Exact ? ["number", value.text]
      : typeof value === "string" ? ["string", JSON.stringify(value)]
      : [typeof value === "number" ? "number" : "word", String(value)];
    return make(name == null ? "div" : "li", {}, ...key, make("span", { class: kind }, text));
  }
  const members = Object.entries(value);
  const isList = Array.isArray(value);
  const size = isList ? `[${members.length}]` : `{${members.length}}`;
  const list = make("ul");
  const unfold = make("details", {}, make("summary", {}, ...key, make("span", { class: "size" }, size)), list);
  const fill = () => {
    if (list.childElementCount === 0) list.append(...members.map(([member, inner]) => tree(inner, member, depth + 1)));
  };
  unfold.addEventListener("toggle", () => unfold.open && fill());
  if (depth === 0 || (depth < 3 && members.length <= 12)) {
    fill();
    unfold.open = true;
  }
  return make(name == null ? "div" : "li", {}, unfold);
}

// The API

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: body ? { "content-type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(await reasonOf(answer));
}

async function reasonOf(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return text || `the inspector answered with ${answer.status}`;
  }
}

/** Does something with its button disabled, and says how it went. */
async function during(button, action, success) {
  button.disabled = true;
  try {
    await action();
    notice("good", success);
  } catch (error) {
    // The browser says no more of a stack that has ended than "failed to fetch".
    const isGone = error instanceof TypeError;
    notice("bad", isGone ? "The local stack does not answer. Start it again: cargo hooks local" : sentence(error.message));
  } finally {
    button.disabled = false;
    if (document.activeElement === document.body && button.isConnected) button.focus();
  }
}

let noticeEnd = null;

function notice(tone, text) {
  const place = find("notice");
  // A sheet makes the rest of the page inert, and hides it from a screen reader.
  const sheet = document.querySelector("dialog:modal");
  if (sheet) sheet.append(place);
  else if (place.parentElement !== document.body) document.body.insertBefore(place, find("news"));
  place.className = tone;
  place.textContent = text;
  clearTimeout(noticeEnd);
  // An error stays until the next notice.
  if (tone === "good") noticeEnd = setTimeout(() => (place.textContent = ""), 6000);
}

// Sending

let sites = [];
const site = () => sites.find(({ tenant }) => tenant === find("send-site").value);

async function readApp() {
  const answer = await fetch("api/app");
  if (!answer.ok) throw new Error(await reasonOf(answer));
  const about = await answer.json();
  sites = about.sites;
  find("app").textContent = about.app;
  document.title = `${about.app} · Webhook Inspector`;
  const event = sites.flatMap(({ events }) => events)[0];
  if (event) find("example").textContent = event;
  const chosenSite = find("send-site").value;
  find("send-site").replaceChildren(...sites.map(({ tenant, product, baseUrl }) =>
    make("option", { value: tenant }, `${product}: ${baseUrl} (${short(tenant)})`)));
  if (sites.some(({ tenant }) => tenant === chosenSite)) find("send-site").value = chosenSite;
  for (const id of ["send-now", "send-sample", "install", "uninstall"]) find(id).disabled = sites.length === 0;
  showEvents();
}

function showEvents() {
  const before = find("send-event").value;
  const events = site()?.events ?? [];
  find("send-event").replaceChildren(...events.map((event) => make("option", { value: event }, event)));
  if (events.includes(before)) find("send-event").value = before;
}

let samplesAsked = 0;

async function readSample() {
  const event = find("send-event").value;
  if (!site() || !event) return;
  samplesAsked += 1;
  const number = samplesAsked;
  const answer = await fetch(`api/samples/${encodeURIComponent(site().tenant)}/${encodeURIComponent(event)}`);
  if (!answer.ok) throw new Error(await reasonOf(answer));
  const body = await answer.text();
  // Not a late answer to an earlier choice.
  if (number !== samplesAsked) return;
  find("send-body").value = indented(body);
  checkBody();
}

function indented(body) {
  try {
    const value = JSON.parse(body);
    // Only if nothing is lost by it.
    return JSON.stringify(value) === body.replace(/\s+$/, "") ? JSON.stringify(value, null, 2) : body;
  } catch {
    return body;
  }
}

function checkBody() {
  const place = find("send-validity");
  const body = find("send-body").value;
  const bytes = new TextEncoder().encode(body).length;
  let wrong = "";
  try {
    if (body) JSON.parse(body);
  } catch (error) {
    wrong = error.message;
  }
  place.className = wrong ? "bad" : "";
  if (!body) place.textContent = "Empty. It is sent without a body.";
  else if (wrong) place.textContent = `Not JSON: ${wrong}. It is sent as it is.`;
  else place.textContent = `Valid JSON, ${bytes} bytes.`;
}

const complain = (error) => notice("bad", sentence(error.message));

async function openSend() {
  askAgain(false);
  openPanel(send);
  find("send-site").focus();
  try {
    // The sites may have changed since.
    await readApp();
    if (!find("send-body").value) await readSample();
  } catch (error) {
    complain(error);
  }
}

find("open-send").addEventListener("click", openSend);
find("send-site").addEventListener("change", () => {
  askAgain(false);
  showEvents();
  readSample().catch(complain);
});
find("send-event").addEventListener("change", () => readSample().catch(complain));
find("send-sample").addEventListener("click", () => readSample().catch(complain));
find("send-body").addEventListener("input", checkBody);

find("send-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const webhook = {
    tenant: find("send-site").value,
    event: find("send-event").value,
    body: find("send-body").value,
    tampering: find("send-tampering").value,
  };
  const how = find("send-tampering").selectedOptions[0].textContent;
  during(find("send-now"), () => post("api/send", webhook), `Sent ${webhook.event}, ${how}.`);
});

find("install").addEventListener("click", (event) => {
  const tenant = find("send-site").value;
  during(event.currentTarget, () => post("api/install", { tenant, uninstall: false }), "Installed again with a new secret.");
});

function askAgain(asks) {
  find("confirm").hidden = !asks;
  find("uninstall").disabled = asks || sites.length === 0;
}

find("uninstall").addEventListener("click", () => {
  find("confirm-question").textContent =
    `Uninstall the app from ${site().baseUrl}? Within five minutes its webhooks are refused, until it is installed again.`;
  askAgain(true);
  find("confirm-no").focus();
});
find("confirm-no").addEventListener("click", () => {
  askAgain(false);
  find("uninstall").focus();
});
find("confirm-yes").addEventListener("click", async (event) => {
  const tenant = find("send-site").value;
  await during(event.currentTarget, () => post("api/install", { tenant, uninstall: true }), "Uninstalled.");
  askAgain(false);
  find("uninstall").focus();
});

// What arrives

let wasLoaded = false;

function connected(isConnected) {
  const place = find("connection");
  place.dataset.state = isConnected ? "live" : "reconnecting";
  place.textContent = isConnected ? "live" : "reconnecting…";
}

/** Drops what another stack at this address has shown before. */
async function dropForgotten() {
  const before = [...order];
  const answer = await fetch("api/journeys");
  if (!answer.ok) return;
  const kept = new Set((await answer.json()).map(({ id }) => id));
  for (const entry of before) if (!kept.has(entry.journey.id)) remove(entry);
  showCount();
}

function listen() {
  const stream = new EventSource("api/stream");
  stream.addEventListener("open", () => {
    connected(true);
    if (wasLoaded) {
      dropForgotten().catch(() => {});
      readApp().catch(complain);
    }
    setTimeout(() => (wasLoaded = true), 1000);
  });
  stream.addEventListener("message", ({ data }) => arrive(data));
  stream.addEventListener("error", () => {
    connected(false);
    // A browser gives up after an answer that is not a stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  });
}

readFilter();
readApp().catch(complain);
listen();
