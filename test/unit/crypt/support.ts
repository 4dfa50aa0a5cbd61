import { atomic, withBofh } from '../../../src/bofh.ts';
import type { KeyRef } from '../../../src/command/index.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { expect } from 'vitest';
import { rejectionOf } from '../../support/rejection.ts';

export const uuid = '5e1f0000-0000-4000-8000-0000000000aa';
export const device = '/dev/vg0/web1';
export const key: KeyRef = { from: 'file', path: '/etc/key' };
export const otherKey: KeyRef = { from: 'file', path: '/etc/other-key' };

/** A host with a blank volume and two keys in files. */
export function blankVolume(extents = 16): SimulatedHost {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents });
  host.admin.writeFile('/etc/key', 'geheim', 0o600);
  host.admin.writeFile('/etc/other-key', 'anders', 0o600);
  return host;
}

/** The same, encrypted by the first key. */
export function encrypted(version: 1 | 2 = 2): SimulatedHost {
  const host = blankVolume();
  host.admin.luksFormat({ device, uuid, key: 'geheim', version });
  return host;
}

/** Runs a sequence on a host. */
export function on<T>(host: SimulatedHost, body: (tx: Tx) => Promise<T>): Promise<T> {
  return withBofh({ ...simulatedBofh({ host }), signals: {} }, () => atomic('test', body));
}

/** Runs a sequence that fails at its end, so that all of it is undone. */
export async function undone(host: SimulatedHost, body: (tx: Tx) => Promise<unknown>): Promise<void> {
  const failure = new Error('the script failed');
  await on(host, async (tx) => {
    await body(tx);
    throw failure;
  }).catch((error: unknown) => {
    if (!(error instanceof Error) || error.cause !== failure) throw error;
  });
}

/** The changing programs that ran, each with its arguments. */
export function programsOf(host: SimulatedHost): readonly string[] {
  return host.changes.flatMap((change) =>
    change.what === 'command' && change.command.tool !== 'logger'
      ? [[change.command.tool, ...change.command.argv].join(' ')]
      : [],
  );
}

/** What a device of the model holds. */
export function contentOf(host: SimulatedHost, volume = 'web1') {
  const lv = host.world.lvm[0]?.lvs.find(({ name }) => name === volume);
  return host.world.live.get(`lv:${lv?.uuid ?? ''}`);
}

/** The work is refused before any program ran, and the host is as before. Returns the error. */
export async function refusalOf(host: SimulatedHost, work: () => Promise<unknown>): Promise<unknown> {
  const before = host.snapshot();
  const error = await rejectionOf(work());
  expect(host.snapshot()).toBe(before);
  expect(programsOf(host)).toEqual([]);
  return error;
}
