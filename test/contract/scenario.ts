import assert from 'node:assert/strict';
import type { ChangeHost, Host } from '../../src/command/index.ts';
import { CommandError, type Reason } from '../../src/core/errors.ts';

/** What the scenarios work with. Each leaves it as it found it. Only node's own assert is used, so they run anywhere. */
export interface ContractContext {
  readonly host: Host;
  /** The same host within a step. */
  readonly change: ChangeHost;
  /** An empty directory on a filesystem of a disk. */
  readonly directory: string;
  /** A blank block device of 64 MiB or more. */
  readonly device?: string;
  /** Where a btrfs of 64 MiB or more is mounted, with nothing in it. */
  readonly btrfs?: string;
  /** A volume group with at least 64 MiB free, on a host that has device-mapper. */
  readonly vg?: string;
  /** An archive of `archiveMembers`. */
  readonly tar?: string;
  /** On a Xen host: what a PV guest of 128 MiB can be started with. It need not get far. */
  readonly guest?: { readonly kernel: string; readonly ramdisk: string };
}

type Optional = 'btrfs' | 'device' | 'vg' | 'tar' | 'guest';

/** One behaviour that the simulated host and the real tools must share. */
export interface Scenario {
  readonly name: string;
  /** The parts of the context without which it cannot run. */
  readonly needs: readonly Optional[];
  readonly run: (context: Required<ContractContext>) => Promise<void>;
}

/** What `tar` holds: for the simulated host, and for `tar --create` on a real one. */
export const archiveMembers = [
  { path: './', type: 'directory' },
  { path: './etc/', type: 'directory' },
  { path: './etc/hostname', content: 'old\n' },
  { path: './etc/link', type: 'symlink', target: '/proc/mounts' },
  { path: './etc/same', type: 'hardlink', target: './etc/hostname' },
] as const;

/** Runs a scenario, or says which part of the context it lacks. */
export async function runScenario(scenario: Scenario, context: ContractContext): Promise<'ran' | Optional> {
  const lacking = scenario.needs.find((part) => context[part] === undefined);
  if (lacking !== undefined) return lacking;
  // What it does not need it does not touch.
  const none = { btrfs: '', device: '', vg: '', tar: '', guest: { kernel: '', ramdisk: '' } };
  await scenario.run({ ...none, ...context });
  return 'ran';
}

/** The work must fail as a program or a file access does, for this reason; answers the error. */
export async function fails(work: Promise<unknown>, reason: Reason): Promise<CommandError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof CommandError, `expected a CommandError "${reason}", got ${String(error)}`);
  assert.equal(error.reason, reason, error.message);
  return error;
}

/** Runs the work, and what undoes it whatever comes of it. */
export async function andThen(work: () => Promise<void>, undo: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } finally {
    await undo();
  }
}
