// Requests to the API: with the reader's key, and with errors as exceptions.

import { SECOND } from "./words.js";

// A browser's clock may be minutes wrong, and the header Date has whole seconds only.
const CLOCK_TOLERANCE_MS = 2_000;
const JOBS = new URL("../v1/jobs/", location.href);

export async function get(path, { key, signal, accept = "application/json", lastId = "" }) {
  const headers = { Authorization: `Bearer ${key}`, Accept: accept };
  if (lastId) headers["Last-Event-ID"] = lastId;
  const options = { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  const response = await fetch(new URL(path, JOBS), options);
  clock.sync(response.headers.get("date"));
  if (!response.ok) throw await Refusal.of(response);
  return response;
}

/** An answer that is an error. */
export class Refusal extends Error {
  constructor(status, problem, waitMs) {
    super(problem.detail ?? problem.title ?? `The API answered ${status}.`);
    this.status = status;
    this.type = problem.type ?? "about:blank";
    this.title = problem.title ?? `Status ${status}`;
    this.correlationId = problem.correlation_id ?? null;
    this.waitMs = waitMs;
  }

  /** Whether the same request may succeed later. */
  get passes() {
    return this.status === 408 || this.status === 429 || this.status >= 500;
  }

  static async of(response) {
    const problem = await response.json().catch(() => ({}));
    return new Refusal(response.status, problem ?? {}, waitMs(response.headers.get("retry-after")));
  }
}

/** The wait that `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or until a date. */
function waitMs(retryAfter) {
  if (retryAfter === null) return null;
  if (/^[0-9]+$/.test(retryAfter)) return Number(retryAfter) * SECOND;
  const until = Date.parse(retryAfter);
  return Number.isNaN(until) ? null : Math.max(0, until - clock.nowMs());
}

/** The API's clock, as far as the browser can know it. */
export const clock = {
  aheadMs: 0,
  sync(date) {
    const ahead = Date.parse(date ?? "") - Date.now();
    if (!Number.isNaN(ahead)) this.aheadMs = Math.abs(ahead) > CLOCK_TOLERANCE_MS ? ahead : 0;
  },
  nowMs() {
    return Date.now() + this.aheadMs;
  },
};
