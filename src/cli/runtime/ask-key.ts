import { InterruptedError, RefusedError } from '../../core/errors.ts';
import type { Terminal } from './terminal.ts';

/** The part of a terminal that is needed to read a key. */
export type KeyInputStream = Pick<
  NodeJS.ReadStream,
  'isTTY' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause' | 'readableEnded' | 'destroyed'
>;

const [interrupt, endOfInput, backspace, deleteBack] = [0x03, 0x04, 0x08, 0x7f];

/**
 * Asks for a key without echo. Throws InterruptedError at Ctrl-C (an ordinary character in raw
 * mode), at `stop`, and when the terminal closes; RefusedError without a terminal.
 */
export async function askKey(
  { interactive, draw, line }: Pick<Terminal, 'interactive' | 'draw' | 'line'>,
  question: string,
  { input = process.stdin, stop }: { readonly input?: KeyInputStream; readonly stop: AbortSignal },
): Promise<string> {
  if (!interactive)
    throw new RefusedError(`${question.replace(/: $/, '')} must be typed, and there is no terminal`, {
      remedy: 'name the source of the key: --key file:/PATH',
    });
  if (stop.aborted) throw interruption();
  draw(undefined);
  line(question.trimEnd());
  input.setRawMode(true);
  input.resume();
  try {
    return await typedKey(input, stop);
  } finally {
    input.setRawMode(false);
    input.pause();
  }
}

async function typedKey(input: KeyInputStream, stop: AbortSignal): Promise<string> {
  let bytes: number[] = [];
  let forget = (): void => undefined;
  try {
    return await new Promise((resolve, reject) => {
      const hear = (chunk: Buffer): void => {
        for (const byte of chunk) {
          if (byte === interrupt) reject(interruption());
          else if (byte === 0x0d || byte === 0x0a || byte === endOfInput)
            resolve(Buffer.from(bytes).toString('utf8'));
          else if (byte === backspace || byte === deleteBack) bytes = withoutLast(bytes);
          else bytes.push(byte);
        }
      };
      const gone = (): void => reject(interruption());
      input.on('data', hear);
      for (const event of goneEvents) input.on(event, gone);
      stop.addEventListener('abort', gone);
      forget = () => {
        input.off('data', hear);
        for (const event of goneEvents) input.off(event, gone);
        stop.removeEventListener('abort', gone);
      };
      if (input.readableEnded || input.destroyed) gone();
    });
  } finally {
    forget();
  }
}

/** A closed session ends its terminal with one of these events. */
const goneEvents = ['end', 'close', 'error'] as const;

function interruption(): InterruptedError {
  return new InterruptedError('the question for a key was interrupted');
}

/** Removes the last character, which in UTF-8 is one or more bytes. */
function withoutLast(bytes: readonly number[]): number[] {
  return [...Buffer.from(Array.from(Buffer.from(bytes).toString('utf8')).slice(0, -1).join(''))];
}
