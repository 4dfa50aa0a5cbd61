import { parseCrypttab } from './crypttab.ts';
import { type Table, unreadLine, type UnreadLine } from './fields.ts';
import { parseFstab } from './fstab.ts';

/** What every line of a table has. */
export interface TableLine {
  readonly number: number;
  readonly bytes: string;
  readonly odd: boolean;
  readonly secret: boolean;
  /** What the line is about: no two lines of a table should be about the same. */
  readonly key: string;
}

interface BootTable {
  readonly path: string;
  readonly parse: (content: string) => Table<TableLine>;
  /** Can a line that is not understood be about this? */
  readonly mayBeAbout: (line: UnreadLine, key: string) => boolean;
}

/** The tables that are read at boot. */
export const tables = {
  fstab: {
    path: '/etc/fstab',
    // Swap has no place, and so is known by what it is on.
    parse: (content) => withKeys(parseFstab(content), keyOfFstab),
    mayBeAbout: ({ words }, key) =>
      words.slice(0, 2).some((word) => keyOfFstab({ source: word, target: word }) === key),
  },
  crypttab: {
    path: '/etc/crypttab',
    parse: (content) => withKeys(parseCrypttab(content), ({ name }) => name),
    mayBeAbout: ({ words }, key) => words[0] === key,
  },
} as const satisfies Readonly<Record<string, BootTable>>;

function withKeys<Line extends Omit<TableLine, 'key'>>(
  { lines, unread }: Table<Line>,
  keyOf: (line: Line) => string,
): Table<Line & TableLine> {
  return { lines: lines.map((line) => ({ ...line, key: keyOf(line) })), unread };
}

/** ParseError for a line that is not understood and may be about this. */
export function refuseUnread(
  table: keyof typeof tables,
  of: { readonly file: string; readonly unread: readonly UnreadLine[]; readonly key: string },
): void {
  const line = of.unread.find((each) => tables[table].mayBeAbout(each, of.key));
  if (line !== undefined) throw unreadLine(of.file, line);
}

/** The place, as mount(8) compares it: without a slash at its end. */
export function keyOfFstab({ source, target }: { readonly source: string; readonly target: string }): string {
  return target.startsWith('/') ? target.replace(/(?<=.)\/+$/, '') : source;
}
