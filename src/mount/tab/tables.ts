import { parseCrypttab } from './crypttab.ts';
import { type Table, unreadLine, type UnreadLine } from './fields.ts';
import { parseFstab } from './fstab.ts';

/** The fields common to the lines of all tables. */
export interface TableLine {
  readonly number: number;
  readonly bytes: string;
  readonly odd: boolean;
  readonly secret: boolean;
  /** Identifies the line: no two lines of a table should have the same key. */
  readonly key: string;
}

interface BootTable {
  readonly path: string;
  readonly parse: (content: string) => Table<TableLine>;
  /** Whether a line that could not be parsed may have this key. */
  readonly mayBeAbout: (line: UnreadLine, key: string) => boolean;
}

/** The tables that are read at boot. */
export const tables = {
  fstab: {
    path: '/etc/fstab',
    // Swap has no mount point, so its device identifies it.
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

/** ParseError if a line that could not be parsed may have this key. */
export function refuseUnread(
  table: keyof typeof tables,
  of: { readonly file: string; readonly unread: readonly UnreadLine[]; readonly key: string },
): void {
  const line = of.unread.find((each) => tables[table].mayBeAbout(each, of.key));
  if (line !== undefined) throw unreadLine(of.file, line);
}

/** Returns the mount point as mount(8) compares it: without a trailing slash. */
export function keyOfFstab({ source, target }: { readonly source: string; readonly target: string }): string {
  return target.startsWith('/') ? target.replace(/(?<=.)\/+$/, '') : source;
}
