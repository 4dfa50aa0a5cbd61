import { beforeEach, describe, expect, test } from 'vitest';
import { openJournals, recover } from '../../../src/atomic/recovery/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { RefusedError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { failureOf } from '../concurrency/support.ts';
import { bofhOn, hostWithSource } from '../simulator/support.ts';

let host: SimulatedHost;
beforeEach(() => {
  host = hostWithSource();
});

const does = (body: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  withBofh(bofhOn(host), () => atomic('renames', body));
const formatted = async (tx: Tx) => {
  const { path } = await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '16m' });
  return tx.filesystem.create({ device: path, type: 'ext4' });
};
const renamed = (tx: Tx) => tx.lvm.renameLv({ vg: 'vg0', name: 'a', to: 'b' });

test('a filesystem is filled under the new name of its volume', async () => {
  await does(async (tx) => {
    const { uuid } = await formatted(tx);
    const { path } = await renamed(tx);
    const mounted = await tx.temporary.mount.mount({ device: path, mode: 'rw' });
    const root = mounted.path;
    await tx.copy.unpack({ source: '/srv/debian.tar', root, device: path, filesystem: uuid, files: [] });
    await mounted.release();
  });

  expect(host.snapshot()).toContain('now vg0/b "/etc/os-release"');
});

/** A sequence is killed after its last step; then another process may act, and recovery runs without --yes. */
async function recoveredAfter(body: (tx: Tx) => Promise<unknown>, meanwhile: (host: SimulatedHost) => void) {
  await failureOf(
    does(async (tx) => {
      await body(tx);
      host.kill();
    }),
  );
  const next = host.restart();
  meanwhile(next);
  const { engine } = bofhOn(next);
  const [open] = await openJournals(engine);
  const error = await failureOf(recover(open?.id ?? '', { engine, yes: false }));
  return { error, snapshot: next.snapshot() };
}

describe('recovery without --yes', () => {
  test('undoes renames of its own sequence', async () => {
    const before = host.snapshot();

    const { error, snapshot } = await recoveredAfter(
      async (tx) => [await formatted(tx), await renamed(tx)],
      () => undefined,
    );

    expect(error).toBeUndefined();
    expect(snapshot).toBe(before);
  });

  test.each([
    ['what the sequence had renamed before', async (tx: Tx) => [await formatted(tx), await renamed(tx)], 'b'],
    ['what it had only made', formatted, 'a'],
  ])('leaves alone a renamed %s', async (_, body, name) => {
    const { error, snapshot } = await recoveredAfter(body, ({ admin }) => admin.lvrename('vg0', name, 'c'));

    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain('it is lv:vg0/c now');
    expect(snapshot).toContain('lv vg0/c ');
  });
});

test('recovery without --yes undoes a volume that the sequence made and then removed', async () => {
  const before = host.snapshot();

  const { error, snapshot } = await recoveredAfter(
    async (tx) => {
      await tx.lvm.createLv({ vg: 'vg0', name: 'a', size: '16m' });
      await tx.lvm.removeLv({ vg: 'vg0', name: 'a' });
    },
    () => undefined,
  );

  expect(error).toBeUndefined();
  expect(snapshot).toBe(before);
});
