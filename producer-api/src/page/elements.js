// The smallest parts of the page. Data from the API becomes text, never markup.

/** Every element that has an id, by its id. */
export const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));

export function element(name, classes = "", text = null) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text !== null) made.textContent = text;
  return made;
}

/** Sets a text only if it differs, so screen readers announce nothing twice. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

export function symbol(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

/** Shows a status as a shape and a word. */
export function chip(target, status) {
  if (target.dataset.status === status) return;
  target.dataset.status = status;
  target.replaceChildren(symbol(status === "accepted" ? "pending" : status), status);
}

export function copies(button, text) {
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard?.writeText(text()).then(() => true, () => false);
    // Without a secure connection there is no clipboard: then the text is selected for the reader to copy.
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
