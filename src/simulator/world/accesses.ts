import { posix } from 'node:path';
import type { ChangeHost, LocalHost, ReadHost, StepContext } from '../../command/index.ts';
import { UsageError } from '../../core/errors.ts';
import { fileError } from '../faults/file-errors.ts';
import { checkAlive, crash, actWithFault } from '../faults/faults.ts';
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
    if (fault?.mode === 'crash here') throw crash(at);
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
    const { verb, path, from } = asked;
    const more = from === undefined ? [] : [from];
    for (const each of [posix.dirname(path), path, ...more]) await pageIn(world, each, 'stat');
    checkAlive(at.process);
    at.changes.push(asked);
    const argv = [verb, ...more, path];
    const error = (code: 'EIO' | 'ENOSPC') => fileError(code, verb, path, more);
    const done = actWithFault(at, { tool: 'file', argv, act, error });
    // What /dev, /proc and /sys show depends only on the names of existing files: a new file
    // changes nothing there.
    if (verb === 'rename' || verb === 'remove') world.revision += 1;
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
