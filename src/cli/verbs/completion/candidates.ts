import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Argument, Command, Option } from 'commander';
import { splitLvmName } from '../../../blockdevice/keys.ts';
import { partOfVolume } from '../../../blockdevice/holders/above.ts';
import { usualStateDir } from '../../../host/own-places.ts';
import { choicesOf } from '../../runtime/verb.ts';

/** A word that can come next, and its description. */
type Candidate = readonly [word: string, description: string];

/**
 * The candidates after the words that follow `bofh`; the last word is incomplete. `files`: a path. To be
 * fast, starts no program and reads no site file: names come from active volumes and the usual directories.
 */
export async function candidates(
  words: readonly string[],
  commands: (words: readonly string[]) => Promise<Command>,
): Promise<readonly Candidate[] | 'files'> {
  const { typed, last } = withoutEquals(words);
  const at = placeOf(await commands(typed), typed);
  if (at === undefined) return [];
  const found = await following(at, last, stateDirIn(typed));
  return found === 'files' ? found : found.filter(([word]) => word.startsWith(last));
}

/** bash splits --type=pv at the equals sign: here it is --type pv. */
function withoutEquals(words: readonly string[]): {
  readonly typed: readonly string[];
  readonly last: string;
} {
  const isEquals = (word: string, at: number): boolean =>
    word === '=' && words[at - 1]?.startsWith('--') === true;
  const isAtEquals = isEquals(words.at(-1) ?? '', words.length - 1);
  return {
    typed: words.slice(0, -1).filter((word, at) => !isEquals(word, at)),
    last: isAtEquals ? '' : (words.at(-1) ?? ''),
  };
}

interface Place {
  readonly command: Command;
  /** The option whose value comes next. */
  readonly valueOf: Option | undefined;
  /** The argument that comes next. */
  readonly argument: Argument | undefined;
}

/** The place of the next word; undefined after an unknown noun or verb. */
function placeOf(root: Command, typed: readonly string[]): Place | undefined {
  let command = root;
  let valueOf: Option | undefined;
  let position = 0;
  for (const word of typed) {
    if (valueOf !== undefined) {
      valueOf = undefined;
      continue;
    }
    const option = command.options.find(({ long, short }) => word === long || word === short);
    const inner = command.commands.find((each) => each.name() === word);
    if (option !== undefined) valueOf = option.required ? option : undefined;
    else if (inner !== undefined) command = inner;
    else if (command.commands.length > 0) return undefined;
    else if (!word.startsWith('-')) position += 1;
  }
  const all = command.registeredArguments;
  const end = all.at(-1);
  return { command, valueOf, argument: all[position] ?? (end?.variadic === true ? end : undefined) };
}

async function following(
  { command, valueOf, argument }: Place,
  last: string,
  stateDir: string,
): Promise<readonly Candidate[] | 'files'> {
  if (valueOf !== undefined) {
    const choices = choicesOf(valueOf);
    if (choices.length > 0) return choices.map((word) => [word, '']);
    return /<(?:FILE|DIR|PATH|DEVICE|SOURCE)/.test(valueOf.flags) ? 'files' : [];
  }
  if (last.startsWith('-')) return optionsOf(command);
  if (command.commands.length > 0) return command.commands.map((each) => [each.name(), each.description()]);
  return argument === undefined ? [] : names(command, argument.name(), stateDir);
}

/** The options of a command, including the global ones. */
function optionsOf(command: Command): readonly Candidate[] {
  const own = command.options.filter(({ hidden, long }) => !hidden && long !== undefined);
  const { parent } = command;
  const above = parent === null ? [] : optionsOf(parent);
  return [
    ...own.map(({ long, description }): Candidate => [long ?? '', description]),
    ...above.filter(([word]) => own.every(({ long }) => long !== word)),
  ];
}

/** Names of objects for an argument of a verb. */
async function names(
  command: Command,
  argument: string,
  stateDir: string,
): Promise<readonly Candidate[] | 'files'> {
  const noun = pathOf(command);
  if (argument.startsWith('vg/')) return described(await volumes(), 'logical volume');
  if (argument === 'name' && /^(?:vm|xen) (?!create)/.test(noun))
    return described(await endingWith('/etc/xen', '.cfg'), 'guest');
  if (argument === 'name' && noun.startsWith('lvm vg'))
    return described([...new Set((await volumes()).map((path) => path.split('/')[0] ?? ''))], 'volume group');
  if (argument === 'name' && noun.startsWith('crypt')) return described(await mappings(), 'open device');
  if (argument === 'resource') return described(await endingWith('/etc/drbd.d', '.res'), 'DRBD resource');
  if (argument === 'id') return described(await journals(stateDir, noun), 'journal');
  if (argument === 'file|device' || argument === 'device|number') return 'files';
  if (argument.includes('|'))
    return described(
      argument.split('|').filter((word) => !/^(?:size|number|device|file)$/.test(word)),
      '',
    );
  return /^(?:device|path|file|source|target|snapshot|script|by|subvolume)/.test(argument) ? 'files' : [];
}

function described(words: readonly string[], description: string): readonly Candidate[] {
  return [...words].sort().map((word) => [word, description]);
}

function pathOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${pathOf(parent)} ${command.name()}` : command.name();
}

/**
 * Names in a directory; none if it is missing or unreadable, because completion shows no errors.
 */
async function list(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch(() => []);
}

async function endingWith(directory: string, ending: string): Promise<readonly string[]> {
  const all = await list(directory);
  return all
    .filter((name) => name.endsWith(ending) && name !== ending && !name.startsWith('.'))
    .map((name) => name.slice(0, -ending.length));
}

/** The mappings of device-mapper: uuid and name. */
async function mapped(): Promise<readonly (readonly [uuid: string, name: string])[]> {
  const text = async (path: string): Promise<string> => (await readFile(path, 'utf8').catch(() => '')).trim();
  const devices = (await list('/sys/block')).filter((name) => name.startsWith('dm-'));
  return Promise.all(
    devices.map(async (name) => [
      await text(`/sys/block/${name}/dm/uuid`),
      await text(`/sys/block/${name}/dm/name`),
    ]),
  );
}

async function volumes(): Promise<readonly string[]> {
  const all = (await mapped()).filter(([uuid]) => /^LVM-[A-Za-z0-9]{64}$/.test(uuid));
  return all
    .map(([, name]) => splitLvmName(name))
    .filter(({ lv }) => !partOfVolume.test(lv))
    .map(({ vg, lv }) => `${vg}/${lv}`);
}

async function mappings(): Promise<readonly string[]> {
  return (await mapped()).filter(([uuid]) => uuid.startsWith('CRYPT-')).map(([, name]) => name);
}

/** The state directory of the typed command. */
function stateDirIn(typed: readonly string[]): string {
  const at = typed.findLastIndex((word) => /^--state-dir(?:=|$)/.test(word));
  const named = typed[at] === '--state-dir' ? typed[at + 1] : typed[at]?.slice('--state-dir='.length);
  return named || process.env['BOFH_STATE_DIR'] || usualStateDir();
}

/** The unfinished journals, and the closed ones for a verb that accepts them. */
async function journals(stateDir: string, verb: string): Promise<readonly string[]> {
  const takesClosed = verb === 'undo' || verb === 'journal show';
  const directories = ['journal', ...(takesClosed ? ['journal/history'] : [])];
  const found = directories.map((directory) => endingWith(join(stateDir, directory), '.journal'));
  return (await Promise.all(found)).flat();
}
