import { InterruptedError, RefusedError } from '../../core/errors.ts';
import type { Terminal } from './terminal.ts';

/** What a person types on a terminal, as far as it is needed to read a key. */
export type KeyInputStream = Pick<
  NodeJS.ReadStream,
  'isTTY' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause' | 'readableEnded' | 'destroyed'
>;

const [interrupt, endOfInput, backspace, deleteBack] = [0x03, 0x04, 0x08, 0x7f];

/**
 * Asks for a key, whose letters are not shown. Throws InterruptedError at Ctrl-C, which in this mode is a letter like any
 * other, at `stop`, and when the terminal goes away; RefusedError where there is no terminal.
 */
export async function askKey(
  { interactive, draw, line }: Pick<Terminal, 'interactive' | 'draw' | 'line'>,
  question: string,
  { input = process.stdin, stop }: { readonly input?: KeyInputStream; readonly stop: AbortSignal },
): Promise<string> {
  if (!interactive)
    throw new RefusedError(
      `${question.replace(/: $/, '')} is to be asked for, and here is no terminal to ask on`,
      {
        remedy: 'say where the key comes from: --key file:/PATH',
      },
    );
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

/** A session that is cut ends its terminal in one of these ways: nothing will be typed any more. */
const goneEvents = ['end', 'close', 'error'] as const;

function interruption(): InterruptedError {
  return new InterruptedError('the question for a key was interrupted');
}

/** Without the last letter, which in UTF-8 is one byte or several. */
function withoutLast(bytes: readonly number[]): number[] {
  return [...Buffer.from(Array.from(Buffer.from(bytes).toString('utf8')).slice(0, -1).join(''))];
}
