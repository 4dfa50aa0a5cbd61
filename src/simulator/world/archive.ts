import { ParseError } from '../../core/errors.ts';

/** A member of a simulated archive. */
export interface TarMember {
  /** Path as in the archive: `./etc/hostname`. The path of a directory ends with a slash. */
  readonly path: string;
  /** Type of the member (default: `directory` if the path ends with a slash, otherwise `file`). */
  readonly type?: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Content of a file (default: empty). */
  readonly content?: string;
  /** Target of a link. */
  readonly target?: string;
  /** Permission bits: `0o644`. */
  readonly mode?: number;
  /** uid and gid (default: root). */
  readonly owner?: readonly [uid: number, gid: number];
}

/** How the archive ends: complete, or somewhere between two members. */
export type TarEnd = 'whole' | 'cut off';

const magic = 'simulated tar archive\n';

/** Returns the content of a file that the simulated tar reads as an archive. */
export function archive(members: readonly TarMember[], end: TarEnd = 'whole'): string {
  const typed = members.map((each) => (each.path.endsWith('/') ? { type: 'directory', ...each } : each));
  return magic + JSON.stringify({ members: typed, end });
}

/** Parses an archive. Returns undefined if the content is not an archive. */
export function readArchive(
  content: Uint8Array,
): { readonly members: readonly TarMember[]; readonly end: TarEnd } | undefined {
  const text = new TextDecoder().decode(content);
  if (!text.startsWith(magic)) return undefined;
  return JSON.parse(text.slice(magic.length)) as ReturnType<typeof readArchive>;
}

const letters = { file: '-', directory: 'd', symlink: 'l', hardlink: 'h' } as const;

/** `tar --list --verbose --block-number --numeric-owner --full-time --quoting-style=c` (GNU tar 1.34). */
export function listing(members: readonly TarMember[], end: TarEnd): string {
  let block = 0;
  const lines = members.map((member) => {
    const { path, content = '', target, type = 'file' } = member;
    const size = Buffer.byteLength(content);
    const arrow =
      type === 'symlink'
        ? ` -> ${quoted(target ?? '')}`
        : type === 'hardlink'
          ? ` link to ${quoted(target ?? '')}`
          : '';
    const line = `block ${block}: ${letters[type]}${permissions(modeOf(member))} 0/0 ${String(size).padStart(15)} 2026-01-01 00:00:00 ${quoted(path)}${arrow}`;
    block += 1 + Math.ceil(size / 512);
    return line;
  });
  return [...lines, `block ${block}: ** ${end === 'whole' ? 'Block of NULs' : 'End of File'} **`, ''].join(
    '\n',
  );
}

export function modeOf({ mode, type }: TarMember): number {
  return mode ?? (type === 'directory' ? 0o755 : type === 'symlink' ? 0o777 : 0o644);
}

/**
 * Parses the members of an archive on a real host, from its listing: names and sizes, without
 * content.
 */
export function membersOf(text: string): readonly TarMember[] {
  return text.split('\n').flatMap((line) => {
    if (line === '' || / \*\* (?:Block of NULs|End of File) \*\*$/.test(line)) return [];
    const { type, name, target } =
      /^block \d+: (?<type>[-dlhcbp])\S{9} \S+ +\S+ \S+ (?:\S+ +)?"(?<name>(?:[^"\\]|\\.)*)"(?: (?:->|link to) "(?<target>(?:[^"\\]|\\.)*)")?$/.exec(
        line,
      )?.groups ?? {};
    if (type === undefined || name === undefined)
      throw new ParseError(`tar: cannot read the line ${JSON.stringify(line)}`);
    const kinds = { d: 'directory', l: 'symlink', h: 'hardlink' } as const;
    const kind = type === 'd' || type === 'l' || type === 'h' ? kinds[type] : 'file';
    return [
      { path: unquoted(name), type: kind, ...(target === undefined ? {} : { target: unquoted(target) }) },
    ];
  });
}

function permissions(mode: number): string {
  return [6, 3, 0]
    .map(
      (shift) =>
        `${mode & (4 << shift) ? 'r' : '-'}${mode & (2 << shift) ? 'w' : '-'}${mode & (1 << shift) ? 'x' : '-'}`,
    )
    .join('');
}

const escapes: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\t': '\\t',
  '\r': '\\r',
  '"': '\\"',
  '\\': '\\\\',
};

function quoted(name: string): string {
  const inside = [...new TextEncoder().encode(name)].map((byte) => {
    const char = String.fromCharCode(byte);
    return escapes[char] ?? (byte < 32 || byte > 126 ? `\\${byte.toString(8).padStart(3, '0')}` : char);
  });
  return `"${inside.join('')}"`;
}

function unquoted(text: string): string {
  const named: Readonly<Record<string, string>> = {
    n: '\n',
    t: '\t',
    r: '\r',
    a: '\x07',
    b: '\b',
    f: '\f',
    v: '\v',
  };
  const raw = text.replace(/\\(?<code>[0-7]{3}|.)/g, (_, code: string) =>
    /^[0-7]{3}$/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (named[code] ?? code),
  );
  return Buffer.from(raw, 'latin1').toString('utf8');
}
