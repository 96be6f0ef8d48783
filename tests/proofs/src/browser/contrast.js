// Every visible text whose contrast with what is behind it is below what WCAG 2.2 (1.4.3) asks for.
const channels = (color) => color.match(/[\d.]+/g).map(Number);
const over = ([r, g, b, a = 1], under) => [r, g, b].map((value, at) => value * a + under[at] * (1 - a));
const light = (rgb) => {
  const [r, g, b] = rgb.map((value) => value / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (element) =>
  element === null ? [255, 255, 255] : over(channels(getComputedStyle(element).backgroundColor), ground(element.parentElement));
const poor = [];
for (const element of document.body.querySelectorAll("*")) {
  const speaks = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
  if (!speaks || !element.checkVisibility() || element.closest(".unseen, noscript, svg")) continue;
  const { color, fontSize, fontWeight } = getComputedStyle(element);
  const behind = ground(element);
  const [low, high] = [light(over(channels(color), behind)), light(behind)].sort((a, b) => a - b);
  const ratio = (high + 0.05) / (low + 0.05);
  const size = parseFloat(fontSize);
  const large = size >= 24 || (size >= 18.66 && fontWeight >= 700);
  if (ratio < (large ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} : 1 for ${element.textContent.trim()}`);
}
return poor;
