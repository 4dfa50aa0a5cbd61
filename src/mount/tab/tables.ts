import { parseCrypttab } from './crypttab.ts';
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

interface Table {
  readonly path: string;
  readonly parse: (content: string, file: string) => readonly TableLine[];
  readonly keyOf: (line: TableLine) => string;
}

/** The tables that are read at boot. */
export const tables = {
  fstab: {
    path: '/etc/fstab',
    // Swap has no place, and so is known by what it is on.
    parse: (content, file) => parseFstab(content, file).map((line) => ({ ...line, key: keyOfFstab(line) })),
    keyOf: ({ key }) => key,
  },
  crypttab: {
    path: '/etc/crypttab',
    parse: (content, file) => parseCrypttab(content, file).map((line) => ({ ...line, key: line.name })),
    keyOf: ({ key }) => key,
  },
} as const satisfies Readonly<Record<string, Table>>;

/** The place, as mount(8) compares it: without a slash at its end. */
export function keyOfFstab({ source, target }: { readonly source: string; readonly target: string }): string {
  return target.startsWith('/') ? target.replace(/(?<=.)\/+$/, '') : source;
}
