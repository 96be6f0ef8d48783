// Server-sent events, read from the body of a response: `EventSource` can't send an API key.

/** Parses `text/event-stream` (HTML Living Standard, 9.2.6) in chunks, wherever they are cut. */
export class EventStream {
  retryMs = null;
  #rest = "";
  #afterCr = false;
  #type = "";
  #data = [];

  /** A stream that continues after the event with this id. */
  constructor(lastId = "") {
    this.lastId = lastId;
    this.idBuffer = lastId;
  }

  /** The events that this chunk completes. */
  feed(chunk) {
    if (chunk === "") return [];
    // The LF of a CRLF that was cut in two ends no second line.
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
