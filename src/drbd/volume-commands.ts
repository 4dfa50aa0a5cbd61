import { type Command, nothing, type ReadCommand } from '../command/index.ts';
import { ParseError } from '../core/errors.ts';
import { classifyDrbd, withoutDrbdSecrets } from './commands.ts';

/** One volume of a resource: `web1/0`. */
export interface VolumeOf {
  readonly name: string;
  readonly volume: number;
}

/** Attaches the disk of a volume; an error if it is attached (9.22). */
export function drbdAttach(of: VolumeOf): Command<void, 'change'> {
  return change('attach', [wordOf(of)]);
}

/** Detaches the disk of a volume without loss of data; exit 0 if it has none. */
export function drbdDetach(of: VolumeOf): Command<void, 'change'> {
  return { ...change('detach', [wordOf(of)]), repeatable: true };
}

/**
 * Pauses the resync of a volume, also one that has not started; an error if it is already paused.
 */
export function drbdPauseSync(of: VolumeOf): Command<void, 'change'> {
  return change('pause-sync', [wordOf(of)]);
}

/** Resumes the resync if it was paused on this host. */
export function drbdResumeSync(of: VolumeOf): Command<void, 'change'> {
  return change('resume-sync', [wordOf(of)]);
}

/**
 * Connects a resource to its peers; an error if it is connecting already. `discarded`: in a split brain,
 * discard the data of this host.
 */
export function drbdConnect(name: string, mine: 'kept' | 'discarded'): Command<void, 'change'> {
  return change('connect', [...(mine === 'discarded' ? ['--discard-my-data'] : []), name]);
}

/** Disconnects every peer until the next connect: the resource is StandAlone. */
export function drbdDisconnect(name: string): Command<void, 'change'> {
  return change('disconnect', [name]);
}

/** Makes the kernel's state follow the configuration. */
export function drbdAdjust(name: string): Command<void, 'change'> {
  return change('adjust', [name]);
}

/** drbdadm runs only these programs (drbdadm_main.c of drbd-utils 9.22), by name or full path. */
const adjustment = /^(?:\/\S*\/)?drbd(?:setup|meta|adm)(?:-8[34])? /;

/** The commands that `adjust` would run, one per line; none if the state matches the configuration. */
export function drbdAdjustments(name: string): ReadCommand<readonly string[]> {
  return {
    tool: 'drbdadm',
    argv: ['--dry-run', 'adjust', name],
    access: 'read',
    // The lines are journalled and shown: they may contain the secret of the connection.
    parse: ({ stdout }) =>
      stdout
        .split('\n')
        .filter((line) => line.trim() !== '')
        .map((line) => {
          if (!adjustment.test(line))
            throw new ParseError('it contains a line that is not a command of DRBD');
          return withoutDrbdSecrets(line);
        }),
    classify: classifyDrbd,
    shownOf: withoutDrbdSecrets,
  };
}

/** UUIDs of 16 digits: current, bitmap and two of the history; then flags, seven with 8.4 and twelve with 9. */
const identifiers = /^(?<data>[0-9A-F]{16}:[0-9A-F]{16})(?::[0-9A-F]{16}){2}(?::[01]){7,12}$/i;

/**
 * The generation of a volume's data: its current and its bitmap UUID, for each peer (dt_print_uuids of
 * shared_tool.c and dt_print_v9_uuids of drbdtool_common.c, 9.22). Throws if the volume has no disk.
 */
export function drbdGenerations(of: VolumeOf): ReadCommand<readonly string[]> {
  return {
    tool: 'drbdadm',
    argv: ['get-gi', wordOf(of)],
    access: 'read',
    parse: ({ stdout }) => {
      const found = stdout
        .trim()
        .split('\n')
        .map((line) => identifiers.exec(line)?.groups?.data);
      const known = found.flatMap((each) => each?.toUpperCase() ?? []);
      if (known.length < found.length) throw new ParseError('it does not show the generation of the data');
      return known;
    },
    classify: classifyDrbd,
  };
}

/** Grows a volume to its disk, when the disks of all hosts are larger, and moves the metadata to the new end. */
export function drbdResize(of: VolumeOf): Command<void, 'change'> {
  return change('resize', [wordOf(of)]);
}

/**
 * Declares that a volume is identical on both hosts, so that there is no first resync. The module accepts
 * only a volume that was just created and connected.
 */
export function drbdSkipInitialSync(of: VolumeOf): Command<void, 'destroy'> {
  return { ...change('new-current-uuid', ['--clear-bitmap', wordOf(of)]), access: 'destroy' };
}

/** Discards the data of this host, and resyncs all of it from the peer. */
export function drbdInvalidate(of: VolumeOf): Command<void, 'destroy'> {
  return { ...change('invalidate', [wordOf(of)]), access: 'destroy' };
}

/** Discards the data of the peer, and resyncs all of it from this host. */
export function drbdInvalidateRemote(of: VolumeOf): Command<void, 'destroy'> {
  return { ...change('invalidate-remote', [wordOf(of)]), access: 'destroy' };
}

/** Starts to compare a volume with its peer, block by block, in the background. */
export function drbdVerify(of: VolumeOf): Command<void, 'change'> {
  return change('verify', [wordOf(of)]);
}

function wordOf({ name, volume }: VolumeOf): string {
  return `${name}/${String(volume)}`;
}

function change(verb: string, words: readonly string[]): Command<void, 'change'> {
  return {
    tool: 'drbdadm',
    argv: [verb, ...words],
    access: 'change',
    parse: nothing,
    classify: classifyDrbd,
    shownOf: withoutDrbdSecrets,
  };
}
