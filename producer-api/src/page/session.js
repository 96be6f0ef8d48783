// Shows the job with one key, from the first request to the last event.

import { Refusal, get } from "./api.js";
import { page, say } from "./elements.js";
import { connection, drawHead, notice } from "./head.js";
import { EventStream } from "./stream.js";
import { Timeline } from "./timeline.js";
import { Trail } from "./trail.js";
import { SECOND } from "./words.js";

const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 30_000;
// The API sends a comment every 15 seconds. A stream that is silent for longer than two of them is closed.
const SILENCE_MAX_MS = 40_000;
const REDRAW_MS = 250;

/** Draws the job. Calls `admitted` once the API has accepted the key, or `unknown` with the reason why it has not. */
export class Session {
  #ended = new AbortController();
  #loaded = false;
  #lastId = "";
  #retryMs = RETRY_FIRST_MS;
  #failures = 0;
  trail = new Trail();
  timeline = new Timeline();

  constructor(jobId, key, { admitted, unknown }) {
    Object.assign(this, { jobId, key, admitted, unknown });
  }

  end() {
    this.#ended.abort();
    clearInterval(this.redraw);
  }

  async run() {
    connection("asking", "Connecting");
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

  /** Fetches what is not known yet. Returns whether the job is settled. */
  async #step() {
    if (!this.#loaded) await this.#load();
    if (this.trail.settled) return true;
    await this.#visible();
    const response = await this.#get(`${this.jobId}/events`, { accept: "text/event-stream", lastId: this.#lastId });
    this.#well();
    if (response.status === 204) {
      // The job settled between the two requests.
      await this.#load();
      return true;
    }
    connection("live", "Live");
    await this.#read(response.body.getReader());
    return this.trail.settled;
  }

  #get(path, more = {}) {
    return get(path, { key: this.key, signal: this.#ended.signal, ...more });
  }

  async #load() {
    const json = (path) => this.#get(path).then((response) => response.json());
    const [view, trail] = await Promise.all([json(this.jobId), json(`${this.jobId}/trail`)]);
    this.trail.load(view, trail);
    this.#loaded = true;
    this.#well();
    this.admitted();
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
    // A browser opens six connections to a server at most: hidden tabs should not hold them all.
    const look = () => document.hidden && leave();
    document.addEventListener("visibilitychange", look);
    // When the network is lost, the connection stays open and the stream is only silent.
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
    if (refusal.status === 401) return this.unknown(refusal.message);
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
      notice("Offline", "This machine has no network. The page shows the last known state of the job.", true);
    } else if (error instanceof TypeError) {
      notice("The API does not answer", "Either it is being restarted, or the network is interrupted.", true);
    } else {
      notice("Unreadable answer", "The page can't read the API's answer.", true);
    }
    await this.#pause(error.waitMs ?? backoffMs, (seconds) => say(page["notice-wait"], `Trying again in ${seconds} s.`));
    say(page["notice-wait"], "");
  }

  /** Waits until the time is over, the network is back, the reader asks for it, or the session has ended. */
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
