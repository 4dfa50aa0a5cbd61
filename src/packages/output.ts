/** A package in the database of dpkg. */
export interface PackageState {
  /** `zlib1g`; with its architecture if that is not the architecture of the host: `libc6:i386`. */
  readonly name: string;
  /** The architecture of the host, also for a package of all architectures, or its own. */
  readonly architecture: string;
  readonly version: string;
  readonly hold: boolean;
  /**
   * `partly`: dpkg was interrupted, or a script of the package failed. `broken`: its files must be
   * installed again.
   */
  readonly status: 'installed' | 'config-files' | 'partly' | 'broken';
}

/** Parses the output of `packageStates`. Leaves out packages that are not installed at all. */
export function statesIn(text: string): readonly PackageState[] {
  const rows = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const found = row.exec(line)?.groups;
      if (found === undefined) throw new Error(`not a line of a package: ${line}`);
      const { name = '', architecture = '', version = '', want = '', error = '', status = '' } = found;
      return { name, architecture, version, want, error, status };
    });
  const own = rows.find(({ name }) => name === 'dpkg')?.architecture ?? 'all';
  return rows
    .filter(({ status }) => status !== 'not-installed')
    .map(({ name, architecture, version, want, error, status }) => ({
      name: nameOf(name, architecture, own),
      architecture: architecture === 'all' || architecture === '' ? own : architecture,
      version,
      hold: want === 'hold',
      status:
        error !== 'ok' || status === 'half-installed'
          ? 'broken'
          : status === 'installed' || status === 'config-files'
            ? status
            : 'partly',
    }));
}

const states =
  'not-installed|config-files|half-installed|unpacked|half-configured|triggers-awaited|triggers-pending|installed';
const row = new RegExp(
  `^(?<name>[a-z0-9][a-z0-9+.-]*)\\t(?<architecture>[a-z0-9-]*)\\t(?<version>[\\w.+:~-]*)\\t(?<want>unknown|install|hold|deinstall|purge)\\t(?<error>ok|reinstreq)\\t(?<status>${states})$`,
);

function nameOf(name: string, architecture: string, own: string): string {
  return architecture === own || architecture === 'all' || architecture === '' || own === 'all'
    ? name
    : `${name}:${architecture}`;
}

/** A package that was installed automatically. */
export interface AutoMark {
  /** Without the architecture. */
  readonly name: string;
  readonly architecture: string;
}

/** Parses the file of `autoPackages`: paragraphs with `Package`, `Architecture` and `Auto-Installed`. */
export function autoIn(text: string): readonly AutoMark[] {
  return text
    .split(/\n{2,}/)
    .filter((each) => each.trim() !== '')
    .flatMap((paragraph) => {
      const found = mark.exec(paragraph.trim())?.groups;
      if (found === undefined) throw new Error(`not what apt writes about a package: ${paragraph}`);
      const { name = '', architecture = '', auto } = found;
      return auto === '1' ? [{ name, architecture }] : [];
    });
}

const mark =
  /^Package: (?<name>[a-z0-9][a-z0-9+.-]*)\nArchitecture: (?<architecture>[a-z0-9-]+)\nAuto-Installed: (?<auto>[01])$/;

/** One action that apt would take. */
export interface Act {
  readonly act: 'install' | 'remove';
  /** As in `PackageState`. */
  readonly name: string;
  /** Missing: the package is removed. */
  readonly version?: string;
}

/** Parses the output of `simulated`. */
export function actsIn(text: string): readonly Act[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line): readonly Act[] => {
      if (/^Conf \S+ \(.*\)(?: \[.*\])?$/.test(line)) return [];
      const { name, version } = inst.exec(line)?.groups ?? {};
      if (name !== undefined && version !== undefined) return [{ act: 'install', name, version }];
      const gone = remv.exec(line)?.groups?.name;
      if (gone === undefined) throw new Error(`not what apt-get --simulate says: ${line}`);
      return [{ act: 'remove', name: gone }];
    });
}

const word = '(?<name>[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?)';
const inst = new RegExp(
  `^Inst ${word}(?: \\[[^\\]]+\\])? \\((?<version>\\S+) .*\\[[a-z0-9-]+\\]\\)(?: \\[.*\\])*$`,
);
const remv = new RegExp(`^(?:Remv|Purg) ${word} \\[[^\\]]+\\](?: \\[.*\\])*$`);

/** A version of a package that an archive has. */
export interface Archived {
  readonly name: string;
  readonly version: string;
  /** Size of the .deb, in bytes. */
  readonly size: number;
}

/** Parses the output of `archived`. A paragraph without a file is in no archive. */
export function archivedIn(text: string): readonly Archived[] {
  return text
    .split(/\n\n+/)
    .filter((paragraph) => paragraph.trim() !== '')
    .flatMap((paragraph) => {
      const field = (key: string): string | undefined =>
        new RegExp(`^${key}: (?<value>.+)$`, 'm').exec(paragraph)?.groups?.value;
      const [name, version, size] = [field('Package'), field('Version'), field('Size')];
      if (name === undefined || version === undefined) throw new Error(`no package: ${paragraph}`);
      if (field('Filename') === undefined) return [];
      if (size === undefined || !/^\d+$/.test(size)) throw new Error(`${name} has no size`);
      return [{ name, version, size: Number(size) }];
    });
}

/**
 * Parses the output of `filesOfDeb`: a list of tar in the C locale, with escapes such as `\\` for a backslash and
 * `\303\244` for ä.
 */
export function filesIn(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .flatMap((line) => {
      const found = entry.exec(line)?.groups;
      if (found === undefined) throw new Error(`not a line of dpkg-deb --contents: ${line}`);
      const { type, path = '' } = found;
      const name =
        type === 'l' ? path.replace(/ -> .*$/, '') : type === 'h' ? path.replace(/ link to .*$/, '') : path;
      return type === 'd' ? [] : [unescaped(name)];
    });
}

function unescaped(name: string): string {
  return name.replaceAll(/(?:\\[0-7]{3})+|\\./g, (escape) => {
    const bytes = [...escape.matchAll(/[0-7]{3}/g)].map(([octal]) => Number.parseInt(octal, 8));
    if (bytes.length > 0) return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
    const found = letters[escape.slice(1)];
    if (found === undefined) throw new Error(`not an escape of tar: ${name}`);
    return found;
  });
}

/** The escapes of tar with one letter. */
const letters: Readonly<Record<string, string>> = {
  ...{ '\\': '\\', a: '\u0007', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
};

const entry = /^(?<type>[-dlhbcp])[rwxsStT-]{9} \S+ +\d+(?:,\d+)? \d{4}-\d\d-\d\d \d\d:\d\d \.(?<path>\/.*)$/;

/**
 * Parses the output of `dpkg --verify`: on each line the differences, `c` for a configuration file,
 * and the path.
 */
export function editedIn(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    const { what, kind, path } =
      /^(?<what>[?.M5]{9}|missing {2}) (?<kind>[ c]) (?<path>\/.*)$/.exec(line)?.groups ?? {};
    if (path === undefined) throw new Error(`not a line of dpkg --verify: ${line}`);
    return kind === 'c' && what?.[2] === '5' ? [path] : [];
  });
}
