import { commandLine } from '../../command/command.ts';
import { shownName } from '../../command/odd-bytes.ts';
import { messageOf } from '../../core/errors.ts';

export { messageOf };

/** The text of anything, also of what has none: `Object.create(null)` throws when a text is made of it. */
export function textOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return 'a value without a text';
  }
}

/** The stack of an error. Even to look at it can throw: V8 makes it at the first look, of a name and a message that may have no text. */
export function stackTextOf(error: Error): string {
  try {
    return textOf(error.stack ?? error.message);
  } catch {
    return messageOf(error);
  }
}

/** A name from the host must not move the cursor of the one who reads it. A damaged journal may have anything in its place. */
export function printable(text: unknown): string {
  return shownName(textOf(text)).replaceAll(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** Text of several lines as one: an answer of a tool may be long, a sentence is not. */
export function oneLine(text: unknown): string {
  return textOf(text)
    .split('\n')
    .map((line) => printable(line.trim()))
    .filter((line) => line !== '')
    .join('; ');
}

/** Words as a person would type them, quoted for a shell. */
export function typed([tool = '', ...argv]: readonly string[]): string {
  return commandLine({ tool, argv });
}

/** Said of a script, in a run and in a dry run. */
export const neverOver = 'the script waits, at its top level, for something that can never come';
