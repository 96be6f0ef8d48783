// Cuts a stream of events in three at every two places, and tells where it is not read as the whole one should be.
const done = arguments[arguments.length - 1];
const stream = [
  "\uFEFF: a comment\r\n\r\n",
  "id: 1\nevent: flow\ndata: {\"a\":\ndata:  1}\n\n",
  "retry: 250\rdata\rdata: x:y\r\r",
  "retry: soon\r\nid: 2\r\nevent: message\r\ndata: é€😀\r\n\r\n",
  "id: nu\0ll\ndata:\n\n",
  "event: nothing\nid: 3\n\n",
  "unknown: field\ndata: last\n\n",
  "id: 4\ndata: cut off\n",
].join("");
const expected = JSON.stringify([
  { type: "flow", data: "{\"a\":\n 1}", id: "1" },
  { type: "message", data: "\nx:y", id: "1" },
  { type: "message", data: "é€😀", id: "2" },
  { type: "message", data: "", id: "2" },
  { type: "message", data: "last", id: "3" },
]);
const bytes = new TextEncoder().encode(stream);
import(new URL("../assets/stream.js", location.href).href).then(({ EventStream }) => {
  const wrong = [];
  for (let first = 0; first <= bytes.length; first += 1) {
    for (let second = first; second <= bytes.length; second += 1) {
      const [reader, decoder] = [new EventStream("0"), new TextDecoder()];
      const chunks = [bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)];
      const events = chunks.flatMap((chunk) => reader.feed(decoder.decode(chunk, { stream: true })));
      const read = JSON.stringify(events);
      const good = read === expected && reader.lastId === "3" && reader.retryMs === 250;
      if (!good) wrong.push(`cut at ${first} and ${second}: ${read}, last id ${reader.lastId}, retry ${reader.retryMs}`);
    }
  }
  done(wrong.slice(0, 5));
}, (error) => done([String(error)]));
