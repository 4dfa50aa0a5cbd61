import { ParseError } from '../../../core/errors.ts';
import { readDir, readFile, statPath } from '../../world/files.ts';
import { resolve } from '../../world/resolve.ts';
import type { World } from '../../world/world.ts';

/** A statement of drbd.conf(5): its words, and the content of its braces. */
interface Statement {
  readonly words: readonly string[];
  readonly inner: readonly Statement[];
  readonly line: number;
}

/** A volume of a host of a resource, as far as bofh writes it. */
interface SimulatedVolume {
  readonly volume: string;
  readonly minor: string;
  readonly disk: string;
}

/** A resource of the simulated configuration. */
export interface SimulatedConfig {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly hosts: readonly {
    readonly name: string;
    readonly family: string;
    readonly address: string;
    readonly port: string;
    readonly volumes: readonly SimulatedVolume[];
  }[];
  /** Options, by section. */
  readonly options: ReadonlyMap<string, readonly (readonly [string, string])[]>;
}

/** An error of drbdadm in the configuration, with its text. */
export class ConfigError extends Error {}

/** The main file of the configuration. Without it drbdadm fails. */
export const configFile = '/etc/drbd.conf';

/** The directory of which Debian's /etc/drbd.conf includes every `*.res`. */
export const configDirectory = '/etc/drbd.d';

/**
 * Reads every resource: of one file, or of all that Debian's /etc/drbd.conf includes, with those of
 * an additional text.
 */
export function configOf(
  world: World,
  { only, more }: { readonly only?: string | undefined; readonly more?: string | undefined } = {},
): readonly SimulatedConfig[] {
  const known = only === undefined ? world.drbd.config : undefined;
  const main = only ?? configFile;
  if (known === undefined && statPath(world, main) === undefined)
    throw new ConfigError(`Can not open '${main}': No such file or directory`);
  const files = only !== undefined ? [only] : known === undefined ? resFiles(world) : newFiles(world);
  const found = [
    // A file that the plan replaced is read again.
    ...(known ?? []).filter(({ file }) => statPath(world, file) !== undefined && !files.includes(file)),
    ...files.flatMap((file) => resourcesIn(new TextDecoder().decode(readFile(world, file)), file)),
    ...(more === undefined ? [] : resourcesIn(more, '/dev/stdin')),
  ];
  refuseTwice(found);
  return found;
}

/** Returns the files that the plan over a real host has written. */
export function newFiles(world: World): readonly string[] {
  return resFiles(world).filter((file) => {
    const there = resolve(world, file, 'follow');
    return there.found && there.inode.real === undefined;
  });
}

function resFiles(world: World): readonly string[] {
  if (statPath(world, configDirectory) === undefined) return [];
  return readDir(world, configDirectory)
    .filter((name) => name.endsWith('.res') && !name.startsWith('.'))
    .map((name) => `${configDirectory}/${name}`);
}

function resourcesIn(text: string, file: string): readonly SimulatedConfig[] {
  return parse(text, file)
    .filter(({ words }) => words[0] === 'resource')
    .map((statement) => resourceOf(statement, file));
}

/**
 * Refuses a name, a minor number of a host or an address that two resources have (check_uniq of
 * drbdadm-84).
 */
function refuseTwice(all: readonly SimulatedConfig[]): void {
  const seen = new Map<string, SimulatedConfig>();
  for (const each of all) {
    const said: readonly (readonly [what: string, value: string])[] = [
      ['resource section', each.name],
      ...each.hosts.flatMap(({ name, address, port, volumes }) => [
        ...volumes.map(({ minor }) => ['device-minor', `device-minor:${name}:${minor}`] as const),
        ['IP', `${name}:${address}:${port}`] as const,
      ]),
    ];
    for (const [what, value] of said) {
      const first = seen.get(`${what} ${value}`);
      if (first !== undefined)
        throw new ConfigError(
          `${each.file}:${each.line}: conflicting use of ${what} '${value}' ...\n${first.file}:${first.line}: ${what} '${value}' first used here.`,
        );
      seen.set(`${what} ${value}`, each);
    }
  }
}

/**
 * ConfigError unless every address of this host is on an interface that is up (verify_ips of
 * v84/drbdadm_main.c, 9.22).
 */
export function verifyAddresses(world: World, all: readonly SimulatedConfig[]): void {
  // In a plan, the model does not know the addresses of the real host.
  if (world.overlay !== undefined) return;
  const own = ['127.0.0.1', ...world.addresses.map((each) => each.split('/')[0])];
  const missing = all.flatMap(({ name, file, hosts }) =>
    hosts
      .filter((each) => each.name === world.hostname && /^ipv[46]$/.test(each.family))
      .filter(({ address }) => !own.includes(address))
      .map(
        ({ address }) =>
          `${file}: in resource ${name}, on ${world.hostname}:\n\tIP ${address} not found on this host.`,
      ),
  );
  if (missing.length > 0) throw new ConfigError(missing.join('\n'));
}

/**
 * Returns a resource with the options of `common`, as a dry run shows it (expand_common of
 * v84/drbdadm_parser.c, 9.22).
 */
export function expanded(config: SimulatedConfig, common: SimulatedConfig['options']): SimulatedConfig {
  const sections = [...new Set([...common.keys(), ...config.options.keys()])];
  const optionsIn = (section: string) => [
    ...new Map([...(common.get(section) ?? []), ...(config.options.get(section) ?? [])]),
  ];
  return { ...config, options: new Map(sections.map((section) => [section, optionsIn(section)])) };
}

const token = /#[^\n]*|"(?<quoted>[^"\n]*)"|(?<mark>[{};])|(?<word>[^\s{};"#]+)|(?<newline>\n)|[ \t]+/y;

function parse(text: string, file: string): readonly Statement[] {
  const top: Statement[] = [];
  const stack: Statement[][] = [top];
  let [words, line, begun]: [string[], number, number] = [[], 1, 1];
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const groups = token.exec(text)?.groups;
    const here = stack.at(-1);
    if (groups === undefined || here === undefined) throw syntax(file, line);
    const { quoted, mark, newline } = groups;
    const word = quoted ?? groups['word'];
    if (newline !== undefined) line += 1;
    if (word !== undefined) {
      if (words.length === 0) begun = line;
      words.push(word);
    }
    if (mark === undefined) continue;
    if (mark !== '}') {
      const inner: Statement[] = [];
      here.push({ words, inner, line: begun });
      if (mark === '{') stack.push(inner);
    } else if (words.length > 0 || stack.length === 1) throw syntax(file, line);
    else stack.pop();
    words = [];
  }
  // The closing brace of the resource itself may be missing: drbdadm-84 accepts the end of the file
  // instead.
  const isCut = stack.length === 2 && top.at(-1)?.words[0] === 'resource';
  if ((stack.length > 1 && !isCut) || words.length > 0) throw syntax(file, line);
  return top;
}

function syntax(file: string, line: number): ConfigError {
  return new ConfigError(`${file}:${line}: Parse error: '}' expected,\n\tbut got end of file`);
}

function resourceOf({ words: [, name = ''], inner, line }: Statement, file: string): SimulatedConfig {
  const hosts = inner
    .filter(({ words }) => words[0] === 'on')
    .map(({ words, inner: parts }) => {
      const known = words[1] ?? '';
      const odd = parts.find((each) => each.words[0] === 'node-id');
      if (odd !== undefined)
        throw new ConfigError(
          `${file}:${odd.line}: Parse error: 'disk | device | address | meta-disk | flexible-meta-disk' expected,\n\tbut got 'node-id'`,
        );
      const [word = '', ...more] = [
        ...(parts.find((each) => each.words[0] === 'address')?.words.slice(1) ?? []),
      ].reverse();
      const { address, port } = /^\[?(?<address>[^\]]*)\]?:(?<port>\d+)$/.exec(word)?.groups ?? {};
      if (address === undefined || port === undefined)
        throw new ConfigError(`in resource ${name}, on ${known}: address missing`);
      const volumes = parts
        .filter((each) => each.words[0] === 'volume')
        .map((each) => volumeOf(each.words[1] ?? '', each.inner));
      const implied = volumes.length === 0 ? [volumeOf('0', parts)] : volumes;
      return { name: known, family: more[0] ?? 'ipv4', address, port, volumes: implied };
    });
  const sections = inner.filter(({ words }) => ['net', 'disk', 'options'].includes(words[0] ?? ''));
  if (hosts.length + sections.length !== inner.length)
    throw new ParseError(`the simulated drbdadm does not know all of the resource ${name}`);
  return { name, file, line, hosts, options: optionsOf(sections) };
}

function volumeOf(volume: string, parts: readonly Statement[]): SimulatedVolume {
  const words = (key: string): readonly string[] => parts.find((each) => each.words[0] === key)?.words ?? [];
  const [minor = '', disk = ''] = [words('device').at(-1), words('disk')[1]];
  if (words('meta-disk')[1] !== 'internal' || !/^\d+$/.test(minor) || !disk.startsWith('/'))
    throw new ParseError('the simulated drbdadm knows volumes with a minor, a disk and internal metadata');
  return { volume, minor, disk };
}

/** `drbdadm dump-xml`, as drbdadm-84 of 9.22 writes it. */
export function dumpXml(
  resources: readonly SimulatedConfig[],
  file: string,
  common: SimulatedConfig['options'] = new Map(),
): string {
  const lines = resources.flatMap(({ name, file: at, line, hosts, options }) => [
    `    <resource name="${name}" conf-file-line="${at}:${line}">`,
    ...hosts.flatMap((host) => [
      `        <host name="${host.name}">`,
      ...host.volumes.flatMap(({ volume, minor, disk }) => [
        `            <volume vnr="${volume}">`,
        `                <device minor="${minor}">/dev/drbd${minor}</device>`,
        `                <disk>${disk}</disk>`,
        '                <meta-disk>internal</meta-disk>',
        '            </volume>',
      ]),
      `            <address family="${host.family}" port="${host.port}">${host.address}</address>`,
      '        </host>',
    ]),
    ...sectionLines(options),
    '    </resource>',
  ]);
  const top = [`<config file="${file}">`, '    <common>', ...sectionLines(common), '    </common>'];
  return [...top, ...lines, '</config>', ''].join('\n');
}

function sectionLines(options: SimulatedConfig['options']): readonly string[] {
  return [...options].flatMap(([section, all]) => [
    `        <section name="${section}">`,
    ...all.map(([key, value]) => `            <option name="${key}" value="${value}"/>`),
    '        </section>',
  ]);
}

/** Debian's file for the section `common`. */
export const commonFile = `${configDirectory}/global_common.conf`;

/** Returns the sections of `common`. */
export function commonOf(world: World): SimulatedConfig['options'] {
  const file = commonFile;
  if (statPath(world, file) === undefined) return new Map();
  const found = parse(new TextDecoder().decode(readFile(world, file)), file);
  return optionsOf(found.filter(({ words }) => words[0] === 'common').flatMap(({ inner }) => inner));
}

function optionsOf(sections: readonly Statement[]): SimulatedConfig['options'] {
  return new Map(
    sections.map(({ words, inner }) => [
      words[0] ?? '',
      inner.map((each) => [each.words[0] ?? '', each.words[1] ?? ''] as const),
    ]),
  );
}
