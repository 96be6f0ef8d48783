// The page of a job: asks for the reader's API key, keeps it while the tab is open, and shows the job.

import { copies, page, say } from "./elements.js";
import { notice } from "./head.js";
import { Session } from "./session.js";

const STORED_KEY = "millrace.api-key";
const jobId = location.pathname.split("/").at(-1);

let session = null;
let submitted = false;

function start(key) {
  session?.end();
  session = new Session(jobId, key, { admitted: () => admitted(key), unknown: askForKey });
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

/** The API has accepted the key. */
function admitted(key) {
  sessionStorage.setItem(STORED_KEY, key);
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
  // No other characters are allowed in a header, and the browser would refuse to send them.
  if (/^[\x21-\x7e]+$/.test(key)) start(key);
  else askForKey("An API key has only ASCII letters, digits and punctuation, and no spaces.");
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
