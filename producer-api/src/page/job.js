// The page of a job: asks the door for it with the reader's own API key, draws its trail, and follows it live.

const STORED_KEY = "millrace.api-key";
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;
// The door sends a comment every 15 seconds; a stream that is silent for longer than two of them is given up.
const SILENCE_MAX_MS = 40_000;
// A browser's clock may be minutes wrong, and the header Date tells whole seconds only.
const CLOCK_TOLERANCE_MS = 2_000;
const REDRAW_MS = 250;
const SECOND = 1_000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const AXIS_STEPS_MS = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 4, 8, 12].map((hours) => hours * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100].map((days) => days * DAY),
];
const AXIS_TICKS_MAX = 5;
// Room to the right of the last bar, as a share of the whole.
const AXIS_MARGIN = 0.05;
// A label further to the right would be cut off.
const AXIS_LABEL_MAX = 0.92;

// ── What comes in ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Reads `text/event-stream` (HTML Living Standard, 9.2.6) as it arrives, wherever it is cut. */
export class EventStream {
  retryMs = null;
  #rest = "";
  #afterCr = false;
  #type = "";
  #data = [];

  /** One that continues after the event with this id. */
  constructor(lastId = "") {
    this.lastId = lastId;
    this.idBuffer = lastId;
  }

  /** The events that are complete with this chunk. */
  feed(chunk) {
    if (chunk === "") return [];
    // The second half of a CRLF that was cut in two ends no line of its own.
    const text = this.#afterCr && chunk.startsWith("\n") ? chunk.slice(1) : chunk;
    this.#afterCr = chunk.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop();
    return lines.map((line) => this.#take(line)).filter((event) => event !== null);
  }

  #take(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#type = value;
    else if (field === "id" && !value.includes("\0")) this.idBuffer = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.retryMs = Number(value);
    return null;
  }

  #dispatch() {
    const event = { type: this.#type || "message", data: this.#data.join("\n"), id: this.idBuffer };
    const empty = this.#data.length === 0;
    this.lastId = this.idBuffer;
    this.#type = "";
    this.#data = [];
    return empty ? null : event;
  }
}

/** An answer of the door that is not a good one. */
class Refusal extends Error {
  constructor(status, problem, waitMs) {
    super(problem.detail ?? problem.title ?? `The door answered ${status}.`);
    this.status = status;
    this.type = problem.type ?? "about:blank";
    this.title = problem.title ?? `Status ${status}`;
    this.correlationId = problem.correlation_id ?? null;
    this.waitMs = waitMs;
  }

  /** Whether the same question may get another answer later. */
  get passes() {
    return this.status === 408 || this.status === 429 || this.status >= 500;
  }

  static async of(response) {
    const problem = await response.json().catch(() => ({}));
    return new Refusal(response.status, problem ?? {}, waitMs(response.headers.get("retry-after")));
  }
}

/** What `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or a date. */
function waitMs(retryAfter) {
  if (retryAfter === null) return null;
  if (/^[0-9]+$/.test(retryAfter)) return Number(retryAfter) * SECOND;
  const until = Date.parse(retryAfter);
  return Number.isNaN(until) ? null : Math.max(0, until - clock.nowMs());
}

/** The door's time, as far as the browser can know it. */
const clock = {
  aheadMs: 0,
  hear(date) {
    const ahead = Date.parse(date ?? "") - Date.now();
    if (!Number.isNaN(ahead)) this.aheadMs = Math.abs(ahead) > CLOCK_TOLERANCE_MS ? ahead : 0;
  },
  nowMs() {
    return Date.now() + this.aheadMs;
  },
};

/** An RFC 3339 time in milliseconds, with the microseconds that `Date` drops. */
function instantMs(text) {
  if (!text) return null;
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  return Date.parse(text) + Number(`0.${fraction.slice(3) || 0}`);
}

// ── What is known of the job ────────────────────────────────────────────────────────────────────────────────────────

const keyOf = (message) => `${message.message_id} ${message.handler ?? ""}`;

/** The messages of a job, in the order of their causes. */
class Trail {
  acceptedMs = null;
  acceptedAt = null;
  command = null;
  flow = null;
  messages = new Map();

  load(view, trail) {
    this.acceptedAt = view.accepted_at;
    this.acceptedMs = instantMs(view.accepted_at);
    this.command = view.command;
    this.messages.clear();
    trail.messages.forEach((message) => this.take(message));
    this.flow = trail.flow ?? view.flow;
  }

  take(message) {
    // Who would hear it was not known before.
    if (message.handler) this.messages.delete(keyOf({ ...message, handler: null }));
    this.messages.set(keyOf(message), message);
  }

  get own() {
    return [...this.messages.values()].find((message) => message.caused_by === null) ?? null;
  }

  get settled() {
    return this.flow?.state === "settled";
  }

  /** Every row with its place in the tree: depth first, and for each level whether its line goes on below. */
  rows() {
    const nodes = new Map();
    for (const message of this.messages.values()) {
      const node = nodes.get(message.message_id) ?? { cause: message.caused_by, messages: [] };
      node.messages.push(message);
      nodes.set(message.message_id, node);
    }
    const caused = Map.groupBy(nodes.keys(), (id) => (nodes.has(nodes.get(id).cause) ? nodes.get(id).cause : null));
    const rows = [];
    const visit = (ids, lines) => {
      ids.forEach((id, place) => {
        const { messages } = nodes.get(id);
        const [lastNode, effects] = [place === ids.length - 1, caused.get(id) ?? []];
        messages.forEach((message, position) => {
          const lastRow = position === messages.length - 1;
          rows.push({ message, lines, goesOn: !(lastNode && lastRow), hasEffects: lastRow && effects.length > 0 });
        });
        visit(effects, [...lines, !lastNode]);
      });
    };
    visit(caused.get(null) ?? [], []);
    return rows;
  }

  /** When it was sent: when the last handler of its cause was done that was done before it arrived. */
  sentMs(message) {
    const received = instantMs(message.received_at) ?? Infinity;
    const causes = [...this.messages.values()].filter((other) => other.message_id === message.caused_by);
    const handled = causes.map((cause) => instantMs(cause.handled_at)).filter((at) => at !== null && at <= received);
    return Math.max(this.acceptedMs ?? 0, ...handled);
  }

  /** Milliseconds from the job's acceptance to these moments of a message; `null` is yet to come. */
  span(message) {
    // The clocks of two machines differ a little, and nothing is received before it was sent.
    const since = (at, earliest) => (at === null ? null : Math.max(earliest, at - this.acceptedMs));
    const sent = since(this.sentMs(message), 0);
    const received = since(instantMs(message.received_at), sent);
    return { sent, received, handled: since(instantMs(message.handled_at), received ?? sent) };
  }

  tookMs() {
    return Math.max(0, ...[...this.messages.values()].map((message) => this.span(message).handled ?? 0));
  }
}

// ── How it is said ──────────────────────────────────────────────────────────────────────────────────────────────────

const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;
const plainly = (number, digits) => String(Number(number.toFixed(digits)));

function duration(ms) {
  if (ms < 0.1) return `${(ms * 1_000).toFixed(0)} µs`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < SECOND) return `${ms.toFixed(0)} ms`;
  if (ms < MINUTE) return `${(ms / SECOND).toFixed(2)} s`;
  const seconds = Math.round(ms / SECOND);
  if (ms < HOUR) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(ms / MINUTE);
  if (ms < DAY) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.round(ms / HOUR);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

function tick(ms) {
  const [unit, name] = [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [SECOND, "s"]].find(([unit]) => ms >= unit) ?? [1, "ms"];
  return ms === 0 ? "0" : `${plainly(ms / unit, 1)} ${name}`;
}

const moment = (text) => text.replace("T", " ").replace(/(Z|\+00:00)$/, " UTC");

function sentence(trail) {
  const { state, handled, pending, dead } = trail.flow;
  const retrying = [...trail.messages.values()].filter((message) => message.status === "retrying").length;
  const given = dead > 0 ? `${count(dead, "message", "messages")} given up` : null;
  if (state === "settled") return `Settled: ${count(handled, "message", "messages")} handled in ${duration(trail.tookMs())}.`;
  if (state === "stuck") return `Stuck: ${given}, ${handled} handled. ${dead === 1 ? "It waits" : "They wait"} for a person.`;
  if (handled + retrying + dead === 0) return "Accepted: waiting for a worker.";
  const parts = [
    `${handled} handled`,
    pending > retrying ? `${pending - retrying} on the way` : null,
    retrying > 0 ? `${retrying} to be tried again` : null,
    given,
  ];
  return `Running: ${parts.filter(Boolean).join(", ")}.`;
}

// ── How it is drawn ─────────────────────────────────────────────────────────────────────────────────────────────────

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));

function element(name, classes = "", text = null) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text !== null) made.textContent = text;
  return made;
}

/** Sets a text only if it differs, so that nothing is announced twice. */
function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function symbol(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

/** A state as a shape and a word. */
function chip(target, status) {
  if (target.dataset.status === status) return;
  target.dataset.status = status;
  target.replaceChildren(symbol(status === "accepted" ? "pending" : status), status);
}

function copies(button, text) {
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard?.writeText(text()).then(() => true, () => false);
    // Without a secure connection there is no clipboard: then the reader only has to press the keys.
    if (!copied) getSelection().selectAllChildren(button.previousElementSibling);
    const word = copied ? "Copied" : "Selected";
    button.textContent = word;
    say(page.said, word);
    setTimeout(() => {
      button.textContent = "Copy";
      say(page.said, "");
    }, 1_500);
  });
}

/** A field in the details of a row. */
class Field {
  constructor(list, name, content) {
    this.name = element("dt", "", name);
    this.box = element("dd");
    this.content = element(content);
    this.box.append(this.content);
    list.append(this.name, this.box);
  }

  copied(what) {
    const button = element("button", "copy", "Copy");
    button.type = "button";
    button.setAttribute("aria-label", `Copy the ${what}`);
    copies(button, () => this.content.textContent);
    this.box.append(button);
    return this;
  }

  set(text) {
    this.name.hidden = this.box.hidden = text === null;
    say(this.content, text ?? "");
  }
}

/** One message at one handler: a line that opens. */
class Row {
  constructor() {
    this.item = element("li");
    this.tree = element("span", "tree");
    this.tree.setAttribute("aria-hidden", "true");
    const [details, summary] = [element("details"), element("summary")];
    const name = element("span", "name");
    this.type = element("span", "type");
    this.cause = element("span", "unseen");
    name.append(this.type, this.cause);
    this.handler = element("span", "handler");
    this.chip = element("span", "chip");
    this.attempts = element("span", "attempts");
    const status = element("span", "status");
    status.append(this.chip, this.attempts);
    this.took = element("span", "took");
    this.track = element("span", "track");
    this.track.setAttribute("aria-hidden", "true");
    [this.wait, this.work, this.sent] = ["wait", "work", "sent"].map((kind) => element("span", kind));
    this.track.append(this.wait, this.work, this.sent);
    const chevron = symbol("chevron");
    chevron.classList.add("chevron");
    summary.append(chevron, name, this.handler, status, this.took, this.track);
    const list = element("dl");
    this.fields = {
      id: new Field(list, "Message", "code").copied("message id"),
      cause: new Field(list, "Caused by", "code").copied("id of the cause"),
      attempts: new Field(list, "Attempts", "span"),
      received: new Field(list, "Received", "span"),
      handled: new Field(list, "Handled", "span"),
      took: new Field(list, "Took", "span"),
      problem: new Field(list, "Problem", "pre"),
      result: new Field(list, "Result", "pre"),
    };
    details.append(summary, list);
    this.item.append(this.tree, details);
  }

  tell({ message, lines, goesOn, hasEffects }, trail) {
    const depth = lines.length;
    this.item.dataset.status = message.status;
    this.item.style.setProperty("--depth", depth);
    const own = depth === 0 ? [] : [goesOn ? "tee" : "end"];
    const kinds = [...lines.slice(1).map((on) => (on ? "pass" : "none")), ...own, ...(hasEffects ? ["stem"] : [])];
    this.tree.replaceChildren(...kinds.map((kind) => element("span", kind)));
    const cause = [...trail.messages.values()].find((other) => other.message_id === message.caused_by);
    say(this.type, message.type ?? "not known yet");
    say(this.cause, cause?.type ? `, caused by ${cause.type}` : "");
    say(this.handler, message.handler ?? (message.status === "unheard" ? "nobody" : "–"));
    chip(this.chip, message.status);
    say(this.attempts, message.attempts > 1 ? `${message.attempts} attempts` : "");
    const { sent, received, handled } = trail.span(message);
    say(this.took, handled === null ? "" : duration(handled - sent));
    const at = (text, ms) => (text === null ? null : `${moment(text)}, ${duration(ms)} after the job was accepted`);
    const json = (value) => (value === null || value === undefined ? null : JSON.stringify(value, null, 2));
    this.fields.id.set(message.message_id);
    this.fields.cause.set(message.caused_by);
    this.fields.attempts.set(message.attempts > 0 ? String(message.attempts) : null);
    this.fields.received.set(at(message.received_at, received));
    this.fields.handled.set(at(message.handled_at, handled));
    const parts = [`${duration((received ?? 0) - sent)} on its way`, `${duration(handled - received)} from first received to handled`];
    this.fields.took.set(handled === null || received === null ? null : parts.join(", "));
    this.fields.problem.set(json(message.problem));
    this.fields.result.set(json(message.result));
  }

  /** Draws its bars on an axis that ends at `endMs`, now being `nowMs`. */
  place(message, trail, nowMs, endMs) {
    const { sent, received, handled } = trail.span(message);
    const share = (ms) => `${((100 * ms) / endMs).toFixed(3)}%`;
    const bar = (target, from, to) => {
      target.hidden = from === null;
      if (from === null) return;
      target.style.left = share(from);
      target.style.width = share(Math.max(0, to - from));
    };
    const unheard = message.status === "unheard";
    bar(this.wait, unheard ? null : sent, received ?? nowMs);
    bar(this.work, received, handled ?? nowMs);
    this.sent.hidden = !unheard;
    this.sent.style.left = share(sent);
  }
}

/** All rows, and the axis above them. */
class Timeline {
  #rows = new Map();

  draw(trail) {
    const rows = trail.rows();
    this.#forget(new Set(rows.map(({ message }) => keyOf(message))), rows);
    rows.forEach((place, position) => {
      const key = keyOf(place.message);
      const row = this.#rows.get(key) ?? new Row();
      this.#rows.set(key, row);
      row.tell(place, trail);
      // What is in its place stays there, and keeps the focus.
      const there = page.rows.children[position] ?? null;
      if (there !== row.item) page.rows.insertBefore(row.item, there);
    });
    page.timeline.hidden = false;
    this.place(trail);
  }

  /** A row whose handler has become known goes on as that handler's row; any other that is gone is taken away. */
  #forget(present, rows) {
    for (const [key, row] of this.#rows) {
      if (present.has(key)) continue;
      this.#rows.delete(key);
      const heir = rows.map(({ message }) => keyOf(message)).find((other) => other.startsWith(key) && !this.#rows.has(other));
      if (heir) this.#rows.set(heir, row);
      else row.item.remove();
    }
  }

  place(trail) {
    const nowMs = Math.max(0, clock.nowMs() - trail.acceptedMs);
    const messages = [...trail.messages].filter(([key]) => this.#rows.has(key));
    const ends = messages.map(([, message]) => {
      const { sent, handled } = trail.span(message);
      return handled ?? (message.status === "unheard" ? sent : nowMs);
    });
    const endMs = Math.max(0.5, ...ends) * (1 + AXIS_MARGIN);
    messages.forEach(([key, message]) => this.#rows.get(key).place(message, trail, nowMs, endMs));
    const stepMs = AXIS_STEPS_MS.find((step) => endMs / step <= AXIS_TICKS_MAX) ?? endMs;
    page.timeline.style.setProperty("--step", `${(100 * stepMs) / endMs}%`);
    const ticks = Array.from({ length: Math.floor((AXIS_LABEL_MAX * endMs) / stepMs) + 1 }, (_, position) => {
      const label = element("span", "", tick(position * stepMs));
      label.style.left = `${(100 * position * stepMs) / endMs}%`;
      return label;
    });
    page.axis.replaceChildren(...ticks);
  }
}

function drawHead(trail) {
  const { own } = trail;
  say(page.command, own?.type ?? trail.command ?? "Job");
  say(page.accepted, `Accepted ${moment(trail.acceptedAt ?? "")}`);
  page.accepted.hidden = trail.acceptedAt === null;
  chip(page["job-status"], !own || own.status === "pending" ? "accepted" : own.status);
  page["job-status"].hidden = false;
  say(page.state, sentence(trail));
  page.state.dataset.state = trail.flow.state;
  page.problem.hidden = !own?.problem;
  page.problem.dataset.status = own?.status ?? "";
  say(page["problem-text"], own?.problem?.detail ?? "");
  say(page["problem-type"], own?.problem?.type ?? "");
  document.title = `${trail.flow.state} · ${own?.type ?? "job"} · Millrace`;
}

function connection(state, word) {
  page.connection.dataset.state = state;
  page.connection.hidden = false;
  say(page["connection-word"], word);
}

function notice(title, text, again = false) {
  page.notice.hidden = title === null;
  say(page["notice-title"], title ?? "");
  say(page["notice-text"], text ?? "");
  say(page["notice-wait"], "");
  page["notice-again"].hidden = !again;
}

// ── The life of the page ────────────────────────────────────────────────────────────────────────────────────────────

const jobId = location.pathname.split("/").at(-1);
const door = new URL("../v1/jobs/", location.href);

/** One key's look at the job, from the first question to the last event. */
class Session {
  #ended = new AbortController();
  #loaded = false;
  #lastId = "";
  #retryMs = RETRY_FIRST_MS;
  #failures = 0;
  trail = new Trail();
  timeline = new Timeline();

  constructor(key) {
    this.key = key;
  }

  end() {
    this.#ended.abort();
    clearInterval(this.redraw);
  }

  async run() {
    connection("asking", "Asking");
    for (;;) {
      try {
        if (await this.#step()) break;
        await this.#pause(this.#retryMs);
      } catch (error) {
        if (this.#ended.signal.aborted) return;
        if (error instanceof Refusal && !error.passes) return this.#refused(error);
        await this.#troubled(error);
      }
      if (this.#ended.signal.aborted) return;
    }
    clearInterval(this.redraw);
    connection("complete", "Complete");
  }

  /** Asks for what is not known yet. Says whether that was all there will ever be. */
  async #step() {
    if (!this.#loaded) await this.#load();
    if (this.trail.settled) return true;
    await this.#visible();
    const response = await this.#ask(`${jobId}/events`, "text/event-stream");
    this.#well();
    if (response.status === 204) {
      // It settled between the two questions.
      await this.#load();
      return true;
    }
    connection("live", "Live");
    await this.#read(response.body.getReader());
    return this.trail.settled;
  }

  async #ask(path, accept) {
    const headers = { Authorization: `Bearer ${this.key}`, Accept: accept };
    if (accept === "text/event-stream" && this.#lastId) headers["Last-Event-ID"] = this.#lastId;
    const asked = { headers, signal: this.#ended.signal, cache: "no-store", credentials: "omit", redirect: "error" };
    const response = await fetch(new URL(path, door), asked);
    clock.hear(response.headers.get("date"));
    if (!response.ok) throw await Refusal.of(response);
    return response;
  }

  async #load() {
    const json = (path) => this.#ask(path, "application/json").then((response) => response.json());
    const [view, trail] = await Promise.all([json(jobId), json(`${jobId}/trail`)]);
    this.trail.load(view, trail);
    this.#loaded = true;
    this.#well();
    sessionStorage.setItem(STORED_KEY, this.key);
    admitted();
    this.#draw();
    this.redraw ??= setInterval(() => this.timeline.place(this.trail), REDRAW_MS);
  }

  #draw() {
    drawHead(this.trail);
    this.timeline.draw(this.trail);
  }

  #well() {
    this.#failures = 0;
    notice(null);
  }

  async #read(reader) {
    const stream = new EventStream(this.#lastId);
    const decoder = new TextDecoder();
    const leave = () => reader.cancel();
    // A browser has six connections to a door: tabs that nobody looks at should not hold them all.
    const look = () => document.hidden && leave();
    document.addEventListener("visibilitychange", look);
    // A lost network cuts nothing: the stream would only be silent.
    addEventListener("offline", leave);
    try {
      for (;;) {
        const silence = setTimeout(leave, SILENCE_MAX_MS);
        const { done, value } = await reader.read().finally(() => clearTimeout(silence));
        if (done) return;
        const events = stream.feed(decoder.decode(value, { stream: true }));
        events.forEach((event) => this.#take(event));
        this.#lastId = stream.lastId;
        this.#retryMs = stream.retryMs ?? this.#retryMs;
        if (events.length > 0) this.#draw();
      }
    } finally {
      document.removeEventListener("visibilitychange", look);
      removeEventListener("offline", leave);
    }
  }

  #take({ type, data }) {
    if (type === "message") this.trail.take(JSON.parse(data));
    if (type === "flow") this.trail.flow = JSON.parse(data);
  }

  #refused(refusal) {
    if (refusal.status === 401) return askForKey(refusal.message);
    connection("complete", "Not shown");
    if (!refusal.type.endsWith(":unknown-job")) return notice(refusal.title, refusal.message, true);
    notice("No such job for this key", `${refusal.message} Check the id, or use the key of the client that posted it.`, true);
  }

  async #troubled(error) {
    connection("waiting", "Not connected");
    const backoffMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** this.#failures) * (0.75 + Math.random() / 4);
    this.#failures += 1;
    if (error instanceof Refusal) {
      const reference = error.correlationId ? ` Correlation id: ${error.correlationId}.` : "";
      notice(error.title, error.message + reference, true);
    } else if (!navigator.onLine) {
      notice("Offline", "This machine has no network. What is shown is how the job stood before.", true);
    } else if (error instanceof TypeError) {
      notice("The door does not answer", "Either it is being restarted, or the network is interrupted.", true);
    } else {
      notice("Not understood", "The door's answer can't be read.", true);
    }
    await this.#pause(error.waitMs ?? backoffMs, (seconds) => say(page["notice-wait"], `Asking again in ${seconds} s.`));
    say(page["notice-wait"], "");
  }

  /** Waits, unless the network comes back, the reader asks, or this has ended. */
  async #pause(ms, tell = () => {}) {
    const over = new AbortController();
    const untilMs = Date.now() + ms;
    const left = () => tell(Math.max(1, Math.ceil((untilMs - Date.now()) / SECOND)));
    left();
    const ticking = setInterval(left, SECOND);
    await new Promise((resolve) => {
      const once = { once: true, signal: over.signal };
      setTimeout(resolve, ms);
      addEventListener("online", resolve, once);
      page["notice-again"].addEventListener("click", resolve, once);
      this.#ended.signal.addEventListener("abort", resolve, once);
    });
    clearInterval(ticking);
    over.abort();
  }

  async #visible() {
    while (document.hidden) {
      await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
    }
  }
}

let session = null;
let submitted = false;

function start(key) {
  session?.end();
  session = new Session(key);
  notice(null);
  page.forget.hidden = false;
  page.rows.replaceChildren();
  session.run();
}

function askForKey(why = "") {
  session?.end();
  sessionStorage.removeItem(STORED_KEY);
  notice(null);
  page.connection.hidden = page.forget.hidden = page.timeline.hidden = page.problem.hidden = page.accepted.hidden = true;
  page["job-status"].hidden = true;
  page.rows.replaceChildren();
  say(page.state, "");
  say(page.command, "Job");
  document.title = "Job · Millrace";
  page.key.hidden = false;
  say(page["key-error"], why);
  page["key-input"].setAttribute("aria-invalid", String(why !== ""));
  page["key-input"].focus();
  page["key-input"].select();
}

/** The door has taken the key. */
function admitted() {
  if (page.key.hidden) return;
  page.key.hidden = true;
  page["key-input"].value = "";
  if (submitted) page.command.focus();
}

page.key.addEventListener("submit", (event) => {
  event.preventDefault();
  const key = page["key-input"].value.trim();
  say(page["key-error"], "");
  submitted = true;
  // Anything else can't stand in a header, and the browser would refuse to ask.
  if (/^[\x21-\x7e]+$/.test(key)) start(key);
  else askForKey("An API key has only ASCII letters, digits and signs, and no spaces.");
});
page.forget.addEventListener("click", () => askForKey());
page["notice-again"].addEventListener("click", () => {
  if (page.connection.dataset.state === "complete") start(session.key);
});
copies(page["copy-job"], () => jobId);

say(page.job, jobId);
const stored = sessionStorage.getItem(STORED_KEY);
if (stored) start(stored);
else askForKey();
