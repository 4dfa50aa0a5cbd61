import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { askKey, type KeyInputStream } from '../../../src/cli/runtime/ask-key.ts';
import { InterruptedError, RefusedError } from '../../../src/core/errors.ts';
import { rejectionOf } from '../../support/rejection.ts';

/** A terminal on which these bytes are typed, one chunk after the other, as soon as it is read. */
function typing(...chunks: readonly string[]) {
  const events = new EventEmitter();
  const modes: boolean[] = [];
  const lines: string[] = [];
  const input = Object.assign(events, {
    isTTY: true,
    setRawMode: (raw: boolean) => {
      modes.push(raw);
      return input;
    },
    resume: () => {
      setImmediate(() => {
        for (const chunk of chunks) events.emit('data', Buffer.from(chunk));
      });
      return input;
    },
    pause: () => input,
    readableEnded: false,
    destroyed: false,
  }) as unknown as KeyInputStream;
  const terminal = {
    interactive: true,
    draw: () => undefined,
    line: (text: string) => void lines.push(text),
  };
  const stopper = new AbortController();
  const asked = () => askKey(terminal, 'Key of /dev/x: ', { input, stop: stopper.signal });
  return { asked, modes, lines, events, stopper };
}

describe('the question for a key', () => {
  it('takes the line that is typed, and shows nothing of it', async () => {
    const { asked, modes, lines, events } = typing('ge', 'heim\r', 'later');

    expect(await asked()).toBe('geheim');
    expect(lines).toEqual(['Key of /dev/x:']);
    expect(modes).toEqual([true, false]);
    expect(events.listenerCount('data')).toBe(0);
  });

  it('lets the last character be deleted, whatever its length in UTF-8', async () => {
    expect(await typing('gä€\u007f\u007fo\bx\u007f\n').asked()).toBe('g');
    expect(await typing('\u007f\n').asked()).toBe('');
  });

  it('ends at Ctrl-C without a key, and restores the terminal', async () => {
    const { asked, modes } = typing('ge\u0003');

    expect(await rejectionOf(asked())).toBeInstanceOf(InterruptedError);
    expect(modes).toEqual([true, false]);
  });

  it.each(['end', 'close', 'error'])('ends when the terminal goes away: %s', async (event) => {
    const { asked, modes, events } = typing('ge');
    const answer = rejectionOf(asked());

    events.emit(event, new Error('EIO'));

    expect(await answer).toBeInstanceOf(InterruptedError);
    expect(modes).toEqual([true, false]);
    expect(events.eventNames()).toEqual([]);
  });

  it('ends at a signal, and is not asked after one', async () => {
    const { asked, modes, lines, stopper } = typing('ge');
    const answer = rejectionOf(asked());

    stopper.abort();

    expect(await answer).toBeInstanceOf(InterruptedError);
    expect(await rejectionOf(asked())).toBeInstanceOf(InterruptedError);
    expect(modes).toEqual([true, false]);
    expect(lines).toHaveLength(1);
  });

  it('is refused without a terminal, and says what to do', async () => {
    const terminal = { interactive: false, draw: () => undefined, line: () => undefined };

    const error = await rejectionOf(
      askKey(terminal, 'Key of /dev/x: ', { stop: new AbortController().signal }),
    );

    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({ remedy: 'name the source of the key: --key file:/PATH' });
  });
});
