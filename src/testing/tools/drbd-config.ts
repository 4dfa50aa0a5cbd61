import { ParseError } from '../../errors.ts';
import { readDir, readFile, statPath } from '../files.ts';
import type { World } from '../world.ts';

/** A statement of drbd.conf(5): its words, and what stands in its braces. */
interface Statement {
  readonly words: readonly string[];
  readonly inner: readonly Statement[];
  readonly line: number;
}

/** A host of a resource, as far as bofh writes it. */
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
  /** By section. */
  readonly options: ReadonlyMap<string, readonly (readonly [string, string])[]>;
}

/** What drbdadm found wrong, in its words. */
export class ConfigError extends Error {}

/** Where the configuration begins. Without it drbdadm fails. */
export const configFile = '/etc/drbd.conf';

/** Every resource: of one file, or of all that Debian's /etc/drbd.conf includes. */
export function configOf(world: World, only?: string): readonly SimulatedConfig[] {
  if (only === undefined && world.drbd.config !== undefined) return world.drbd.config;
  const main = only ?? configFile;
  if (statPath(world, main) === undefined)
    throw new ConfigError(`Can not open '${main}': No such file or directory`);
  const directory = '/etc/drbd.d';
  const files =
    only !== undefined
      ? [only]
      : statPath(world, directory) === undefined
        ? []
        : readDir(world, directory)
            .filter((name) => name.endsWith('.res') && !name.startsWith('.'))
            .map((name) => `${directory}/${name}`);
  return files.flatMap((file) => {
    const text = new TextDecoder().decode(readFile(world, file));
    return parse(text, file)
      .filter(({ words }) => words[0] === 'resource')
      .map((statement) => resourceOf(statement, file));
  });
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
  if (stack.length > 1 || words.length > 0) throw syntax(file, line);
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
  const options = sections.map(
    ({ words, inner: own }) =>
      [words[0] ?? '', own.map((each) => [each.words[0] ?? '', each.words[1] ?? ''] as const)] as const,
  );
  return { name, file, line, hosts, options: new Map(options) };
}

function volumeOf(volume: string, parts: readonly Statement[]): SimulatedVolume {
  const words = (key: string): readonly string[] => parts.find((each) => each.words[0] === key)?.words ?? [];
  const [minor = '', disk = ''] = [words('device').at(-1), words('disk')[1]];
  if (words('meta-disk')[1] !== 'internal' || !/^\d+$/.test(minor) || !disk.startsWith('/'))
    throw new ParseError('the simulated drbdadm knows volumes with a minor, a disk and internal metadata');
  return { volume, minor, disk };
}

/** `drbdadm dump-xml`, as drbdadm-84 of 9.22 writes it. */
export function dumpXml(resources: readonly SimulatedConfig[], file: string): string {
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
    ...[...options].flatMap(([section, all]) => [
      `        <section name="${section}">`,
      ...all.map(([key, value]) => `            <option name="${key}" value="${value}"/>`),
      '        </section>',
    ]),
    '    </resource>',
  ]);
  return [`<config file="${file}">`, '    <common>', '    </common>', ...lines, '</config>', ''].join('\n');
}
