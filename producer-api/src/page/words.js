// The page's texts for durations, moments and states.

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;
const plainly = (number, digits) => String(Number(number.toFixed(digits)));

export function duration(ms) {
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

export function tick(ms) {
  const [unit, name] = [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [SECOND, "s"]].find(([unit]) => ms >= unit) ?? [1, "ms"];
  return ms === 0 ? "0" : `${plainly(ms / unit, 1)} ${name}`;
}

export const moment = (text) => text.replace("T", " ").replace(/(Z|\+00:00)$/, " UTC");

export function sentence(trail) {
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
