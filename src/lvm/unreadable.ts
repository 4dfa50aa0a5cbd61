import { commandLine, type ReadCommand, type ReadHost } from '../command/index.ts';
import { BofhError, CommandError, ParseError, ToolError } from '../core/errors.ts';
import { archiveDirectory, backupDirectory, filesOf } from './backup-files.ts';
import { unknownGroup } from './schema.ts';
import { classifyLvm } from './commands.ts';

/** A physical volume of a group that lvm cannot find. */
interface Lost {
  readonly pv_uuid: string;
  readonly pv_name: string;
}

class UnreadableGroup extends ParseError {
  readonly lost: readonly Lost[];
  constructor(lost: readonly Lost[]) {
    super(`lvm cannot read the volume group of ${lost.map(({ pv_name }) => pv_name).join(' and ')}`);
    this.lost = lost;
  }
}

/**
 * ParseError if a group cannot be read: the reports omit it and exit with 0 (2.03.16), although it
 * may exist. lvm writes new metadata and the header that points to it without a flush in between,
 * so a power cut can cause this.
 */
export function refuseUnreadable(rows: readonly (Lost & { readonly vg_name: string })[]): void {
  const lost = rows.filter(({ vg_name }) => vg_name === unknownGroup);
  if (lost.length > 0) throw new UnreadableGroup(lost);
}

/**
 * Returns the answer of a report. If a group cannot be read, the error has the commands that
 * restore its metadata. ToolError if lvm2 is too old: 2.03.11 of Debian 11 does not know
 * `lv_autoactivation`.
 */
export async function reported<T>(host: ReadHost, command: ReadCommand<T>): Promise<T> {
  try {
    return await host.run(command);
  } catch (error) {
    const said = error instanceof CommandError ? error.stderr : '';
    const { field } = /Unrecognised field: (?<field>\w+)/.exec(said)?.groups ?? {};
    if (field !== undefined)
      throw new ToolError(`${command.tool} is too old: it does not know the field ${field}`, {
        cause: error,
        remedy:
          'install lvm2 2.03.12 or newer (Debian 12 has 2.03.16); see what else is too old: bofh doctor',
      });
    const cause = error instanceof ParseError ? error.cause : undefined;
    if (!(cause instanceof UnreadableGroup)) throw error;
    const [remedies, words]: [string[], string[]] = [[], []];
    for (const lost of cause.lost) {
      const { why, remedy } = await repairOf(host, lost);
      words.push(why);
      remedies.push(remedy);
    }
    throw new ParseError(`${words.join('; ')}: the list of volumes is unknown`, {
      cause,
      remedy: remedies.join('; '),
    });
  }
}

/**
 * Finds the newest intact copy of the metadata: on the device itself, or in a backup file of lvm.
 */
async function repairOf(host: ReadHost, { pv_name: device, pv_uuid: uuid }: Lost) {
  const whyOf = (group: string): string => `the metadata of ${group} on ${device} cannot be read`;
  const why = whyOf('the volume group');
  try {
    const damaged = await host.run(damagedMetadata(device));
    if (damaged === undefined)
      return {
        why: `${device} is in a volume group that lvm does not find`,
        remedy: `attach the other devices of the group, then run the command again; pvck --dump headers ${device}`,
      };
    const copies = (await host.run(metadataCopies(device))).filter(({ offset }) => !damaged.includes(offset));
    const copy = newest(copies);
    const files = await filesOf(host, { vgUuid: copy?.vgUuid, pvUuid: uuid });
    const file = newest(files);
    const groups = new Map([...copies, ...files].map((each) => [each.vgUuid, each.vg]));
    // A device keeps copies of the groups that it was in before, and counts of two groups cannot be
    // compared.
    if (groups.size > 1) return { why, remedy: severalGroups(device, uuid, groups) };
    if (copy === undefined && file === undefined)
      return { why, remedy: `no copy of it was found: pvck --dump metadata_search ${device}` };
    const vg = file?.vg ?? copy?.vg ?? '';
    const from = file !== undefined && file.seqno >= (copy?.seqno ?? 0) ? file.path : `/root/${vg}.metadata`;
    const dump = ['--dump', 'metadata_search', '--settings', `metadata_offset=${copy?.offset}`];
    const commands = [
      ...(from === file?.path ? [] : [['pvck', ...dump, '--file', from, device]]),
      ['pvck', '--repair', '--file', from, device],
      ['vgchange', '-aay', vg],
      ['bofh', 'recover'],
    ].map(([tool = '', ...argv]) => commandLine({ tool, argv }));
    return { why: whyOf(`the volume group ${vg}`), remedy: commands.join('; ') };
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    return { why, remedy: `see what copies of it there are: pvck --dump metadata_search ${device}` };
  }
}

function severalGroups(device: string, uuid: string, groups: ReadonlyMap<string, string>): string {
  const names = [...groups].map(([vgUuid, vg]) => `${vg} (uuid ${vgUuid})`).join(' and ');
  return `copies of several groups were found: ${names}; see them: pvck --dump metadata_search ${device}; grep --recursive --files-with-matches ${uuid} ${backupDirectory} ${archiveDirectory}; then, with the newest file of the group in which the device is now: pvck --repair --file FILE ${device}`;
}

function newest<T extends { readonly seqno: number }>(all: readonly T[]): T | undefined {
  return all.toSorted((a, b) => b.seqno - a.seqno)[0];
}

/** A copy of a group's metadata in the metadata area of a device. */
interface MetadataCopy {
  readonly offset: number;
  readonly vg: string;
  readonly vgUuid: string;
  readonly seqno: number;
}

/**
 * Returns where the header of a physical volume locates its metadata, if lvm cannot read it;
 * undefined if header and metadata are intact. `--dump` writes nothing.
 */
function damagedMetadata(device: string): ReadCommand<readonly number[] | undefined> {
  return {
    tool: 'pvck',
    argv: ['--dump', 'headers', device],
    access: 'read',
    accepts: [0, 5],
    parse: ({ exitCode, stdout, stderr }) => {
      if (exitCode === 0) return undefined;
      if (!stderr.includes('Found bad header or metadata values'))
        throw new ParseError(`its output names no damage: ${stderr.trim()}`);
      return [...stdout.matchAll(/^ *metadata text at (?<offset>\d+) /gm)].map(({ groups }) =>
        Number(groups?.offset),
      );
    },
    classify: classifyLvm,
  };
}

/**
 * Reads every intact metadata copy on a physical volume: lvm writes each change after the previous
 * one.
 */
function metadataCopies(device: string): ReadCommand<readonly MetadataCopy[]> {
  return {
    tool: 'pvck',
    argv: ['--dump', 'metadata_search', device],
    access: 'read',
    parse: ({ stdout, stderr }) => {
      const torn = new Set(
        [...stderr.matchAll(/metadata at (?<offset>\d+)/g)].map(({ groups }) => groups?.offset),
      );
      const copies = stdout.matchAll(
        /^ *metadata at (?<offset>\d+) length \d+ crc [\da-f]+ vg (?<vg>\S+) seqno (?<seqno>\d+) id (?<vgUuid>[A-Za-z0-9-]{38})/gm,
      );
      return [...copies].flatMap(({ groups }) => {
        const { offset = '', vg = '', seqno = '', vgUuid = '' } = groups ?? {};
        return torn.has(offset) ? [] : [{ offset: Number(offset), vg, vgUuid, seqno: Number(seqno) }];
      });
    },
    classify: classifyLvm,
  };
}
