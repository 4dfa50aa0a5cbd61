import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { expect } from 'vitest';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import { failNow } from '../../support/rejection.ts';

export const device = '/dev/vg0/web1-root';

/** Where Debian has the section `common`. */
export const commonFile = '/etc/drbd.d/global_common.conf';

/** As the recipes write it: this host and its peer, of the same device. */
export function resourceText(name: string, { port = 7788, minor = 0, disk = device } = {}): string {
  const host = (on: string, address: string): string =>
    `  on ${on} {\n    volume 0 {\n      device minor ${String(minor)};\n      disk ${disk};\n      meta-disk internal;\n    }\n    address ipv4 ${address}:${String(port)};\n  }\n`;
  return `resource ${name} {\n  net {\n    protocol C;\n  }\n${host('sim', '10.0.0.1')}${host('peer', '10.0.0.2')}}\n`;
}

/** A host with a resource web1 that is configured, with metadata, and not up. */
export function replicated(replica: 'Inconsistent' | 'UpToDate' = 'UpToDate'): SimulatedHost {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 16 });
  host.admin.drbdMetadata(device, '3bde6cc090b8231e', replica);
  host.admin.writeFile('/etc/drbd.conf', 'include "drbd.d/global_common.conf";\ninclude "drbd.d/*.res";\n');
  host.admin.writeFile('/etc/drbd.d/web1.res', resourceText('web1'));
  return host;
}

/** The same, up and waiting for its peer. */
export function up(replica: 'Inconsistent' | 'UpToDate' = 'UpToDate'): SimulatedHost {
  const host = replicated(replica);
  host.admin.drbdadm('up', 'web1');
  return host;
}

/** Runs a sequence on a host. */
export function on<T>(host: SimulatedHost, body: (tx: Tx) => Promise<T>): Promise<T> {
  return withoutWaiting(() =>
    withBofh({ ...simulatedBofh({ host }), signals: {} }, () => atomic('test', body)),
  );
}

/** The refusal of a sequence of one, which has changed nothing. */
export async function refused(host: SimulatedHost, act: (tx: Tx) => Promise<unknown>): Promise<RefusedError> {
  const before = host.snapshot();
  const error: unknown = await on(host, act).catch((each: unknown) => each);
  expect(host.snapshot()).toBe(before);
  expect(error).toBeInstanceOf(RefusedError);
  return error as RefusedError;
}

/** As it was, when what follows the act fails. */
export async function undone(host: SimulatedHost, act: (tx: Tx) => Promise<unknown>): Promise<void> {
  const before = host.snapshot();
  const failed = on(host, async (tx) => {
    await act(tx);
    expect(host.snapshot()).not.toBe(before);
    return failNow();
  });
  await expect(failed).rejects.toBeInstanceOf(RolledBackError);
  expect(host.snapshot()).toBe(before);
}
