import type { SequenceEvent } from './events.ts';

/** The events of one sequence as an async iterable; it ends with the sequence. */
export interface EventStream extends AsyncIterable<SequenceEvent> {
  /** Pass it as the option `onEvent`. */
  readonly onEvent: (event: SequenceEvent) => void;
}

/**
 * Returns a listener whose events can be iterated: `for await (const event of events) …`. Read them
 * while the sequence runs, so that its error is caught at once: `const events = eventStream(); await
 * Promise.all([atomic('x', body, { onEvent: events.onEvent }), print(events)])`. Events are kept until they
 * are read. The iteration throws nothing: the last event shows how the sequence ended.
 */
export function eventStream(): EventStream {
  const kept: SequenceEvent[] = [];
  let over = false;
  let wake = (): void => undefined;
  return {
    onEvent: (event) => {
      if (over) return;
      kept.push(event);
      over = event.type === 'ended';
      wake();
    },
    async *[Symbol.asyncIterator]() {
      try {
        for (;;) {
          const event = kept.shift();
          if (event !== undefined) yield event;
          else if (over) return;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        // The loop has ended: later events are not kept.
        over = true;
        kept.length = 0;
      }
    },
  };
}
