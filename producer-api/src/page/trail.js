// A job's messages in the order of their causes, and when each was sent, received and handled.

export const keyOf = (message) => `${message.message_id} ${message.handler ?? ""}`;

/** The messages of a job, in the order of their causes. */
export class Trail {
  acceptedMs = null;
  acceptedAt = null;
  command = null;
  flow = null;
  messages = new Map();

  load(view, trail) {
    this.acceptedAt = view.accepted_at;
    this.acceptedMs = instantMs(view.accepted_at);
    this.command = view.command;
    this.messages.clear();
    trail.messages.forEach((message) => this.take(message));
    this.flow = trail.flow ?? view.flow;
  }

  take(message) {
    // The handler was not known before.
    if (message.handler) this.messages.delete(keyOf({ ...message, handler: null }));
    this.messages.set(keyOf(message), message);
  }

  get own() {
    return [...this.messages.values()].find((message) => message.caused_by === null) ?? null;
  }

  get settled() {
    return this.flow?.state === "settled";
  }

  /** Every row with its place in the tree, depth first, and for each level whether its line goes on below. */
  rows() {
    const nodes = new Map();
    for (const message of this.messages.values()) {
      const node = nodes.get(message.message_id) ?? { cause: message.caused_by, messages: [] };
      node.messages.push(message);
      nodes.set(message.message_id, node);
    }
    const caused = Map.groupBy(nodes.keys(), (id) => (nodes.has(nodes.get(id).cause) ? nodes.get(id).cause : null));
    const rows = [];
    const visit = (ids, lines) => {
      ids.forEach((id, place) => {
        const { messages } = nodes.get(id);
        const [lastNode, effects] = [place === ids.length - 1, caused.get(id) ?? []];
        messages.forEach((message, position) => {
          const lastRow = position === messages.length - 1;
          rows.push({ message, lines, goesOn: !(lastNode && lastRow), hasEffects: lastRow && effects.length > 0 });
        });
        visit(effects, [...lines, !lastNode]);
      });
    };
    visit(caused.get(null) ?? [], []);
    return rows;
  }

  /** When a message was sent: when the last handler of its cause finished that finished before it arrived. */
  sentMs(message) {
    const received = instantMs(message.received_at) ?? Infinity;
    const causes = [...this.messages.values()].filter((other) => other.message_id === message.caused_by);
    const handled = causes.map((cause) => instantMs(cause.handled_at)).filter((at) => at !== null && at <= received);
    return Math.max(this.acceptedMs ?? 0, ...handled);
  }

  /** Milliseconds from the job's acceptance to these moments of a message; `null` is yet to come. */
  span(message) {
    // The clocks of two machines differ a little, but no message is received before it was sent.
    const since = (at, earliest) => (at === null ? null : Math.max(earliest, at - this.acceptedMs));
    const sent = since(this.sentMs(message), 0);
    const received = since(instantMs(message.received_at), sent);
    return { sent, received, handled: since(instantMs(message.handled_at), received ?? sent) };
  }

  tookMs() {
    return Math.max(0, ...[...this.messages.values()].map((message) => this.span(message).handled ?? 0));
  }
}

/** An RFC 3339 time in milliseconds, with the microseconds that `Date` drops. */
function instantMs(text) {
  if (!text) return null;
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  return Date.parse(text) + Number(`0.${fraction.slice(3) || 0}`);
}
