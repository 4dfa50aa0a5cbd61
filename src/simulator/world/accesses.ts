import { posix } from 'node:path';
import type { ChangeHost, LocalHost, ReadHost, StepContext } from '../../command/index.ts';
import { UsageError } from '../../core/errors.ts';
import { fileError } from '../faults/file-errors.ts';
import { checkAlive, killProcess, ProcessKilled } from '../faults/faults.ts';
import * as files from './files.ts';
import { pageIn } from '../real-host/overlay.ts';
import { runCommand, type Running, runPipeline } from '../run.ts';
import { bytesOf } from './tree.ts';
import type { Change } from './world.ts';

/** Returns the reads of a process. */
export function readsOf(at: Running): ReadHost {
  const { world, process } = at;
  const read = async <T>(
    verb: string,
    path: string,
    want: 'stat' | 'link' | 'content' | 'names',
    act: () => T,
  ): Promise<T> => {
    checkAlive(process);
    await pageIn(world, path, want);
    checkAlive(process);
    const fault = at.faults.at({ tool: 'file', argv: [verb, path], access: 'read' });
    if (fault?.mode === 'fails before') throw fileError('EIO', verb, path);
    if (fault?.mode === 'crash here') {
      killProcess(world, process);
      throw new ProcessKilled();
    }
    return act();
  };
  return {
    name: '',
    run: (command) => {
      const { access }: { readonly access: string } = command;
      if (access !== 'read')
        throw new UsageError(`${command.tool} changes the host, so it can run only in a step of a sequence`);
      return runCommand(at, command);
    },
    readFile: (path) => read('read', path, 'content', () => files.readFile(world, path)),
    readDir: (path) => read('list', path, 'names', () => files.readDir(world, path)),
    readLink: (path) => read('readlink', path, 'link', () => files.readLink(world, path)),
    stat: (path) => read('stat', path, 'stat', () => files.statPath(world, path)),
    facts: async () => {
      checkAlive(process);
      return {
        boot: world.boot,
        hostname: world.parameters.get('kernel/hostname')?.value ?? world.hostname,
      };
    },
  };
}

/** Returns the changes that a step of this process can make. */
export function changeHost(
  at: Running & { readonly changes: Change[] },
  reads: ReadHost,
  step: StepContext,
): ChangeHost {
  const { world } = at;
  const change = async <T>(asked: Change & { readonly what: 'file' }, act: () => T): Promise<T> => {
    checkAlive(at.process);
    for (const path of [
      posix.dirname(asked.path),
      asked.path,
      ...(asked.from === undefined ? [] : [asked.from]),
    ])
      await pageIn(world, path, 'stat');
    checkAlive(at.process);
    at.changes.push(asked);
    const done = sufferFile(at, asked, act);
    // What /dev, /proc and /sys show depends only on the names of existing files: a new file
    // changes nothing there.
    if (asked.verb === 'rename' || asked.verb === 'remove') world.revision += 1;
    return done;
  };
  return {
    ...reads,
    run: (command) => {
      if (command.access !== 'read') at.changes.push({ what: 'command', command });
      return runCommand(at, command, step);
    },
    pipe: (pipeline) => {
      at.changes.push({ what: 'pipeline', commands: pipeline.commands });
      return runPipeline(at, pipeline, step);
    },
    writeNew: (path, content, { mode }) =>
      change({ what: 'file', verb: 'create', path, content: bytesOf(content), mode }, () =>
        files.writeNew(world, path, content, mode),
      ),
    link: (from, path) =>
      change({ what: 'file', verb: 'link', path, from }, () => files.linkFile(world, from, path)),
    rename: (from, path) =>
      change({ what: 'file', verb: 'rename', path, from }, () => files.renamePath(world, from, path)),
    removeFile: (path) => change({ what: 'file', verb: 'remove', path }, () => files.removeFile(world, path)),
    makeDir: (path, { mode, parents }) =>
      change({ what: 'file', verb: 'mkdir', path, mode }, () =>
        files.makeDir(world, path, mode, parents === true),
      ),
    removeDir: (path) => change({ what: 'file', verb: 'rmdir', path }, () => files.removeDir(world, path)),
    sync: (path) => change({ what: 'file', verb: 'sync', path }, () => files.syncPath(world, path)),
  };
}

function sufferFile<T>(
  at: Running,
  { verb, path, from }: Change & { readonly what: 'file' },
  act: () => T,
): T {
  const more = from === undefined ? [] : [from];
  const fault = at.faults.at({ tool: 'file', argv: [verb, ...more, path], access: 'change' });
  const crash = (): never => {
    killProcess(at.world, at.process);
    throw new ProcessKilled();
  };
  switch (fault?.mode) {
    case undefined:
      return act();
    case 'crash here':
      return crash();
    case 'acts then crash':
      act();
      return crash();
    case 'acts then fails':
      act();
      throw fileError('EIO', verb, path, more);
    case 'fails before':
      throw fileError('EIO', verb, path, more);
    case 'no space':
      throw fileError('ENOSPC', verb, path, more);
    case 'acts then killed':
    case 'no effect, exit 0':
    case 'garbage answer':
    case 'short write':
    case 'hangs':
      throw new UsageError(`an access to a file cannot suffer "${fault.mode}"`);
  }
}

type Wanted = Parameters<LocalHost['flock']>[0];

/** Locks all or none. A lock belongs to the open file, and so to the descriptor. */
export async function flock({ world, process }: Running, wanted: Wanted): Promise<number | undefined> {
  checkAlive(process);
  const locks = wanted.map(({ fd, mode }) => {
    const inode = process.open.get(fd);
    if (inode === undefined) throw new UsageError(`descriptor ${fd} is not open in the simulated process`);
    return { inode, fd, mode };
  });
  const refused = locks.findIndex(({ inode, fd, mode }) =>
    world.flocks.some(
      (held) => held.inode === inode && held.fd !== fd && (mode === 'exclusive' || held.mode === 'exclusive'),
    ),
  );
  if (refused >= 0) return refused;
  const fds = new Set(locks.map(({ fd }) => fd));
  world.flocks = [...world.flocks.filter(({ fd }) => !fds.has(fd)), ...locks];
  return undefined;
}
