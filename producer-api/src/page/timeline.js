// The timeline: a row for each message at each handler, with bars on a common time axis.

import { clock } from "./api.js";
import { chip, copies, element, page, say, symbol } from "./elements.js";
import { keyOf } from "./trail.js";
import { DAY, HOUR, MINUTE, SECOND, duration, moment, tick } from "./words.js";

const AXIS_STEPS_MS = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 20, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 20, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 4, 8, 12].map((hours) => hours * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100].map((days) => days * DAY),
];
const AXIS_TICKS_MAX = 5;
// Space to the right of the last bar, as a share of the axis.
const AXIS_MARGIN = 0.05;
// A label further to the right would be cut off.
const AXIS_LABEL_MAX = 0.92;

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

  update({ message, lines, goesOn, hasEffects }, trail) {
    const depth = lines.length;
    this.item.dataset.status = message.status;
    this.item.style.setProperty("--depth", depth);
    const own = depth === 0 ? [] : [goesOn ? "tee" : "end"];
    const kinds = [...lines.slice(1).map((on) => (on ? "pass" : "none")), ...own, ...(hasEffects ? ["stem"] : [])];
    this.tree.replaceChildren(...kinds.map((kind) => element("span", kind)));
    const cause = [...trail.messages.values()].find((other) => other.message_id === message.caused_by);
    say(this.type, message.type ?? "not known yet");
    say(this.cause, cause?.type ? `, caused by ${cause.type}` : "");
    say(this.handler, message.handler ?? (message.status === "unsubscribed" ? "nobody" : "–"));
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

  /** Draws the bars on an axis that ends at `endMs`; the present is at `nowMs`. */
  place(message, trail, nowMs, endMs) {
    const { sent, received, handled } = trail.span(message);
    const share = (ms) => `${((100 * ms) / endMs).toFixed(3)}%`;
    const bar = (target, from, to) => {
      target.hidden = from === null;
      if (from === null) return;
      target.style.left = share(from);
      target.style.width = share(Math.max(0, to - from));
    };
    const unsubscribed = message.status === "unsubscribed";
    bar(this.wait, unsubscribed ? null : sent, received ?? nowMs);
    bar(this.work, received, handled ?? nowMs);
    this.sent.hidden = !unsubscribed;
    this.sent.style.left = share(sent);
  }
}

/** All rows, and the axis above them. */
export class Timeline {
  #rows = new Map();

  draw(trail) {
    const rows = trail.rows();
    this.#forget(new Set(rows.map(({ message }) => keyOf(message))), rows);
    rows.forEach((place, position) => {
      const key = keyOf(place.message);
      const row = this.#rows.get(key) ?? new Row();
      this.#rows.set(key, row);
      row.update(place, trail);
      // A row that is in its place is not moved, so it keeps the focus.
      const there = page.rows.children[position] ?? null;
      if (there !== row.item) page.rows.insertBefore(row.item, there);
    });
    page.timeline.hidden = false;
    this.place(trail);
  }

  /** Removes rows whose message is gone. A row whose handler has become known becomes that handler's row. */
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
      return handled ?? (message.status === "unsubscribed" ? sent : nowMs);
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
