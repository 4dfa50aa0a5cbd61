import { beforeEach, describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { type Bofh } from '../../../src/connect.ts';
import { plan } from '../../../src/cli/output/answers/index.ts';
import { planOf } from '../../../src/cli/plan/plan.ts';
import type { Host } from '../../../src/command/index.ts';
import { RefusedError, StuckError } from '../../../src/core/errors.ts';
import { createVm, planCreate } from '../../../src/vm/create.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { UnknownInPlan } from '../../../src/simulator/real-host/unknown.ts';

let host: SimulatedHost;
let real: Bofh;
beforeEach(() => {
  host = simulatedHost();
  const devices = new TextEncoder().encode('Block devices:\n253 device-mapper\n');
  // The model has no such file: it looks it up on the host that it stands over.
  const readFile: Host['readFile'] = async (path) =>
    path === '/proc/devices' ? devices : host.readFile(path);
  real = { ...simulatedBofh({ host }), host: { ...host, readFile } };
});

const makeDisk = () =>
  atomic('a disk', async (tx) => {
    const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: 64 * 1024 ** 2 });
    await tx.filesystem.create({ device: lv.path, type: 'ext4' });
    const mounted = await tx.temporary.mount.mount({ device: lv.path, type: 'ext4', mode: 'rw' });
    await mounted.release();
  });

describe('a dry run', () => {
  it('shows the changes in order, each with its step, its objects and its undo', async () => {
    const { steps } = await planOf(real, [], makeDisk);

    expect(() => plan.parse({ format: 1, verb: 'x', steps, refused: [], journals: [] })).not.toThrow();
    expect(steps.map(({ n, kind, when }) => [n, kind, when])).toMatchObject([
      [1, 'lvm.lv.create', 'in turn'],
      [2, 'filesystem.create', 'in turn'],
      [3, 'mount.mount', 'in turn'],
      [3, 'mount.mount', 'release'],
      [1, 'lvm.lv.create', 'before the commit'],
      [2, 'filesystem.create', 'before the commit'],
    ]);
    expect(steps[0]).toMatchObject({
      sequence: 'a disk',
      objects: ['lv:vg0/web1'],
      undo: 'logical volume vg0/web1 is removed',
    });
    expect(steps[0]?.changes.map(({ line }) => line).join('\n')).toMatch(/^lvcreate .*--name web1/);
    expect(steps[1]?.changes.map(({ line }) => line).join('\n')).toMatch(/^mkfs.ext4 /m);
    expect(steps[3]?.changes.map(({ line }) => line).join('\n')).toMatch(/^umount /m);
  });

  it('describes the undo of an operation of the site file', async () => {
    const find: typeof real.engine.find = async (kind, version) => {
      const code = await real.engine.find(kind, version);
      return code === undefined ? undefined : { ...code, restores: 'state' };
    };

    const { steps } = await planOf({ ...real, engine: { ...real.engine, find } }, [], makeDisk);

    expect(steps[1]?.undo).toContain('gets its former state back');
  });

  it('changes nothing on the host that it reads', async () => {
    const before = host.snapshot();

    await planOf(real, [], makeDisk);

    expect(host.snapshot()).toBe(before);
    expect(host.changes).toEqual([]);
    expect(real.engine.store.names('.')).toEqual([]);
    expect(real.engine.store.names('history')).toEqual([]);
  });

  it('is refused where the run would be, with the reason', async () => {
    const twice = async () => {
      await makeDisk();
      await makeDisk();
    };

    await expect(planOf(real, [], twice)).rejects.toThrow(/web1/);
    await expect(planOf(real, [], twice)).rejects.toBeInstanceOf(RefusedError);
  });

  it.each([
    ['the reason of the failure is known, although its undo is not', 'no room', /would fail .*: no room/],
    ['the reason of the failure is unknown', new UnknownInPlan('cannot tell'), /cannot tell/],
  ])('%s', async (_, reason, message) => {
    const errors = [
      typeof reason === 'string' ? new RefusedError(reason) : reason,
      new UnknownInPlan('cannot tell how to undo it'),
    ];
    const cause = new AggregateError(errors, errors[0]?.message);
    const error: unknown = await planOf(real, [], () => {
      throw new StuckError('"x" could not be undone', { committed: false, cause });
    }).catch((each: unknown) => each);
    expect(String(error)).toMatch(message);
    expect(error).toBeInstanceOf(typeof reason === 'string' ? RefusedError : UnknownInPlan);
  });

  it('shows a step that would fail as a refusal, because nothing was done', async () => {
    const failing = () =>
      atomic('x', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: 64 * 1024 ** 2 });
        throw new Error('on purpose');
      });

    await expect(planOf(real, [], failing)).rejects.toBeInstanceOf(RefusedError);
    await expect(planOf(real, [], failing)).rejects.toThrow(
      'the change would fail and be rolled back: on purpose',
    );
  });

  it('shows the undo of a sequence whose failure the script catches, as the run would do it', async () => {
    const { steps } = await planOf(real, [], async () => {
      const failing = atomic('two, or none', async (tx) => {
        await tx.lvm.createLv({ vg: 'vg0', name: 'one', size: 64 * 1024 ** 2 });
        await tx.lvm.createLv({ vg: 'vg0', name: 'two', size: '900tb' });
      });
      await failing.catch(() => undefined);
    });

    expect(steps.map(({ n, kind, when }) => [n, kind, when])).toEqual([
      [1, 'lvm.lv.create', 'in turn'],
      [1, 'lvm.lv.create', 'undo'],
    ]);
    expect(steps[1]?.changes.map(({ line }) => line).join('\n')).toContain('lvremove');
  });

  it('shows acts after the commit, without an undo', async () => {
    await withBofh(real, makeDisk);

    const { steps } = await planOf(real, [], () =>
      atomic('gone', (tx) => tx.lvm.removeLv({ vg: 'vg0', name: 'web1' })),
    );

    const after = steps.filter(({ when }) => when === 'after the commit');
    expect(after).toHaveLength(1);
    expect(after[0]?.changes.map(({ line }) => line).join('\n')).toContain('lvremove');
    expect(after[0]).not.toHaveProperty('undo');
    expect(steps[0]?.when).toBe('in turn');
    expect(steps[0]?.changes.map(({ line }) => line).join('\n')).not.toContain('lvremove');
  });

  it('shows a whole guest, and creates none', async () => {
    host.addTar('/srv/root.tar', [{ path: 'etc/', type: 'directory' }]);
    for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
    const before = host.snapshot();
    const request = {
      ...{ name: 'web1', size: 256 * 1024 ** 2, swap: 64 * 1024 ** 2, memory: 128 * 1024 ** 2, vcpus: 1 },
      ...{ vg: 'vg0', kernel: '/boot/vmlinuz', ramdisk: '/boot/initrd', start: true },
      source: { type: 'tar', path: '/srv/root.tar' },
      type: 'pv',
    } as const;

    const { steps } = await planOf(real, [], async (bofh) => {
      const guest = await planCreate({ host: bofh.host, site: bofh.site, request });
      await atomic('vm create web1', (tx) => createVm(tx, guest));
    });

    expect(steps.filter(({ when }) => when === 'in turn').map(({ kind }) => kind)).toEqual([
      ...['lvm.lv.create', 'lvm.lv.create', 'filesystem.create', 'filesystem.create'],
      ...['mount.mount', 'copy.unpack', 'file.create', 'xen.domain.create'],
    ]);
    expect(host.snapshot()).toBe(before);
  });
});
