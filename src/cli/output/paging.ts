import { stripVTControlCharacters } from 'node:util';
import type { Terminal } from '../runtime/terminal.ts';

/** Holds the answer of a verb until it is complete. */
export interface Paging {
  readonly page: (text: string) => void;
  /** The terminal for the verb: its lines after the answer are shown below the answer. */
  readonly terminal: Terminal;
  /** Shows the answer, in the pager if it is longer than the screen. */
  readonly show: () => Promise<void>;
}

/** Undefined without a pager, or without a terminal for it. */
export function paging(terminal: Terminal, pager: string | undefined): Paging | undefined {
  if (pager === undefined || terminal.look.rows === Number.POSITIVE_INFINITY) return undefined;
  const answer: string[] = [];
  const lines: string[] = [];
  return {
    page: (text) => answer.push(text),
    terminal: {
      ...terminal,
      line: (text) => (answer.length === 0 ? terminal.line(text) : lines.push(text)),
    },
    show: async () => {
      const text = answer.splice(0).join('');
      if (!isLong(text, terminal) || !(await paged(text, pager, terminal))) terminal.answer(text);
      for (const line of lines.splice(0)) terminal.line(line);
    },
  };
}

/** Whether a text needs more rows than the screen has; the prompt needs a row too. */
function isLong(text: string, { look: { columns, rows } }: Terminal): boolean {
  const height = (line: string): number =>
    Math.max(1, Math.ceil(stripVTControlCharacters(line).length / columns));
  return text.split('\n').reduce((sum, line) => sum + height(line), 0) > rows;
}

async function paged(text: string, pager: string, terminal: Terminal): Promise<boolean> {
  terminal.draw(undefined);
  return (await import('../../host/pager.ts')).page(text, pager);
}
