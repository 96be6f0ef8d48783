// The part above the timeline: the job in a sentence, whether the page is connected, and what went wrong.

import { chip, page, say } from "./elements.js";
import { moment, sentence } from "./words.js";

export function drawHead(trail) {
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

export function connection(state, word) {
  page.connection.dataset.state = state;
  page.connection.hidden = false;
  say(page["connection-word"], word);
}

export function notice(title, text, again = false) {
  page.notice.hidden = title === null;
  say(page["notice-title"], title ?? "");
  say(page["notice-text"], text ?? "");
  say(page["notice-wait"], "");
  page["notice-again"].hidden = !again;
}
