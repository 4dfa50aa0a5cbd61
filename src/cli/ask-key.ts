import { InterruptedError, RefusedError } from '../errors.ts';
import type { Terminal } from './terminal.ts';

/** What a person types on a terminal, as far as it is needed to read a key. */
export type KeyInputStream = Pick<
  NodeJS.ReadStream,
  'isTTY' | 'setRawMode' | 'on' | 'off' | 'resume' | 'pause'
>;

const [interrupt, endOfInput, backspace, deleteBack] = [0x03, 0x04, 0x08, 0x7f];

/**
 * Asks for a key, whose letters are not shown. Throws InterruptedError at Ctrl-C, which in this mode is a letter like any
 * other, and RefusedError where there is no terminal.
 */
export async function askKey(
  { interactive, draw, line }: Pick<Terminal, 'interactive' | 'draw' | 'line'>,
  question: string,
  input: KeyInputStream = process.stdin,
): Promise<string> {
  if (!interactive)
    throw new RefusedError(
      `${question.replace(/: $/, '')} is to be asked for, and here is no terminal to ask on`,
      {
        remedy: 'say where the key comes from: --key file:/PATH',
      },
    );
  draw(undefined);
  line(question.trimEnd());
  input.setRawMode(true);
  input.resume();
  try {
    return await typedKey(input);
  } finally {
    input.setRawMode(false);
    input.pause();
  }
}

async function typedKey(input: KeyInputStream): Promise<string> {
  let hear = (_chunk: Buffer): void => undefined;
  try {
    return await new Promise((resolve, reject) => {
      let bytes: number[] = [];
      hear = (chunk) => {
        for (const byte of chunk) {
          if (byte === interrupt) reject(new InterruptedError('the question for a key was interrupted'));
          else if (byte === 0x0d || byte === 0x0a || byte === endOfInput)
            resolve(Buffer.from(bytes).toString('utf8'));
          else if (byte === backspace || byte === deleteBack) bytes = withoutLast(bytes);
          else bytes.push(byte);
        }
      };
      input.on('data', hear);
    });
  } finally {
    input.off('data', hear);
  }
}

/** Without the last letter, which in UTF-8 is one byte or several. */
function withoutLast(bytes: readonly number[]): number[] {
  return [...Buffer.from(Array.from(Buffer.from(bytes).toString('utf8')).slice(0, -1).join(''))];
}
