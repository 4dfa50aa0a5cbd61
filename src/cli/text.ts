import { commandLine } from '../command/command.ts';

/** A name from the host must not move the cursor of the one who reads it. */
export function printable(text: string): string {
  return text.replaceAll(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** Text of several lines as one: an answer of a tool may be long, a sentence is not. */
export function oneLine(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line.trim()))
    .filter((line) => line !== '')
    .join('; ');
}

/** Words as a person would type them, quoted for a shell. */
export function typed([tool = '', ...argv]: readonly string[]): string {
  return commandLine({ tool, argv });
}
