import type { Table } from '../../../mount/index.ts';
import { printable } from '../../output/text.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** Prints the lines that could not be parsed on stderr, with the reason. In JSON they are part of the answer. */
export function showUnread(runtime: Runtime, file: string, unread: Table<unknown>['unread']): void {
  if (runtime.settings.answer === 'json') return;
  for (const { number, why } of unread)
    runtime.terminal.line(`${file}: line ${number} could not be parsed: ${printable(why)}`);
}
