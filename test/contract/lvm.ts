import assert from 'node:assert/strict';
import { holders, keysOf, probe } from '../../src/blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../src/command/index.ts';
import { mkfsExt4 } from '../../src/filesystem/commands.ts';
import { lvmVersion } from '../../src/lvm/commands.ts';
import {
  activate,
  changeTags,
  deactivate,
  lvcreate,
  lvextend,
  lvreduce,
  lvremove,
  lvrename,
  setAutoactivation,
} from '../../src/lvm/lv-commands.ts';
import { lvs, pvs, pvSegments, vgs } from '../../src/lvm/report-commands.ts';
import { udevOf } from '../../src/lvm/reads.ts';
import type { LogicalVolume } from '../../src/lvm/objects.ts';
import { mount, umount } from '../../src/mount/commands.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

const tag = 'bofh.0123456789ab.1';
const name = 'contract-1';

/** A volume that a scenario works on. */
export interface Made {
  readonly host: ReadHost;
  readonly change: ChangeHost;
  readonly vg: string;
  readonly lv: LogicalVolume;
  readonly udev: 'running' | 'absent';
  readonly directory: string;
}

/** Logical volumes: what the tools do, and what the kernel shows of it. */
export const lvmScenarios: readonly Scenario[] = [
  volume(
    'a new volume is active, blank, tagged, and one object by all its names',
    async ({ host, vg, lv }) => {
      assert.deepEqual(
        [lv.size, lv.tags, lv.active, lv.open, lv.autoactivation],
        [16 * 1024 ** 2, [tag], true, false, true],
      );
      assert.deepEqual(
        [lv.path, lv.dmPath],
        [`/dev/${vg}/${name}`, `/dev/mapper/${vg.replaceAll('-', '--')}-contract--1`],
      );
      assert.equal(await probe(host, lv.dmPath), undefined);
      for (const path of [lv.dmPath, lv.path ?? '']) {
        const { key, beneath } = await keysOf(host, path);
        assert.equal(key, `lv:${vg}/${name}`);
        assert.ok(
          beneath.includes(`vg:${vg}`) && beneath.some((each) => each.startsWith('dev:')),
          beneath.join(),
        );
      }
    },
  ),
  volume('its extents are gone from the group', async ({ host, vg }) => {
    const group = (await host.run(vgs({ vg })))[0];
    const own = (await host.run(pvs())).filter((pv) => pv.vg?.name === vg);
    assert.equal(
      group?.size,
      own.reduce((sum, { size }) => sum + size, 0),
    );
    assert.equal(
      group.free,
      own.reduce((sum, { free }) => sum + free, 0),
    );
    assert.equal(group.free, group.freeExtents * group.extentSize);
  }),
  volume(
    'a second volume of that name, one that is too large, and one in no group are refused',
    async (made) => {
      const { change, vg, udev } = made;
      const make = { vg, name, extents: 1, tags: [], udev };
      await fails(change.run(lvcreate(make)), 'exists');
      await fails(change.run(lvcreate({ ...make, name: 'contract-2', extents: 10_000_000 })), 'no-space');
      await fails(change.run(lvcreate({ ...make, vg: 'bofh-no-such-group' })), 'not-found');
      assert.equal((await fails(change.run(lvcreate({ ...make, name: 'x_tdata' })), 'unknown')).exitCode, 3);
      await fails(made.host.run(lvs({ vg: 'bofh-no-such-group' })), 'not-found');
    },
  ),
  volume(
    'a guarded command with another uuid or tag exits 0 and does nothing',
    async ({ host, change, vg, lv, udev }) => {
      const guard = { vg, name, uuid: 'aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg', udev };
      await change.run(deactivate(guard));
      await change.run(setAutoactivation({ ...guard, value: 'n' }));
      await change.run(lvremove(guard));
      await change.run(lvremove({ ...guard, uuid: lv.uuid, tag: 'bofh.ffffffffffff.9' }));
      assert.deepEqual(await only(host, vg), lv);
    },
  ),
  volume('an active volume is not removed without a question', async ({ host, change, vg, lv, udev }) => {
    assert.equal(
      (await fails(change.run(lvremove({ vg, name, uuid: lv.uuid, udev, tag })), 'unknown')).exitCode,
      5,
    );
    assert.deepEqual(await only(host, vg), lv);
  }),
  volume(
    'inactive, it has no node; active again, it has what was on it',
    async ({ host, change, vg, lv, udev }) => {
      const guard = { vg, name, uuid: lv.uuid, udev };
      const uuid = '33333333-2222-4333-8444-555555555555';
      await change.run(mkfsExt4({ device: lv.dmPath, uuid }));
      await change.run(deactivate(guard));
      const off = await only(host, vg);
      assert.deepEqual([off.active, off.open], [false, 'unknown']);
      assert.deepEqual(
        [await host.stat(`/dev/${vg}/${name}`), await host.stat(lv.dmPath)],
        [undefined, undefined],
      );
      await change.run(deactivate(guard));
      await change.run(activate(guard));
      assert.equal((await probe(host, lv.dmPath))?.uuid, uuid);
      await change.run(setAutoactivation({ ...guard, value: 'n' }));
      assert.equal((await only(host, vg)).autoactivation, false);
    },
  ),
  volume('a mounted one cannot be deactivated', async ({ host, change, vg, lv, udev, directory }) => {
    await change.run(mkfsExt4({ device: lv.dmPath, uuid: '33333333-2222-4333-8444-555555555555' }));
    await change.run(mount({ device: lv.dmPath, path: directory, mode: 'rw' }));
    await andThen(
      async () => {
        assert.equal((await only(host, vg)).open, true);
        assert.equal((await holders(host, lv.dmPath)).length, 1);
        await fails(change.run(deactivate({ vg, name, uuid: lv.uuid, udev })), 'busy');
      },
      () => change.run(umount(directory)),
    );
  }),
  volume('a rename keeps the uuid and never takes a name', async ({ host, change, vg, lv, udev }) => {
    await fails(change.run(lvrename({ vg, name: 'contract-9', to: 'contract-8', udev })), 'not-found');
    await change.run(lvcreate({ vg, name: 'contract-2', extents: 1, tags: [], udev }));
    await andThen(
      async () => {
        await fails(change.run(lvrename({ vg, name, to: 'contract-2', udev })), 'exists');
        await change.run(lvrename({ vg, name, to: 'contract-3', udev }));
        const renamed = (await host.run(lvs({ vg }))).find(({ uuid }) => uuid === lv.uuid);
        assert.equal(renamed?.name, 'contract-3');
        assert.equal((await keysOf(host, renamed.dmPath)).key, `lv:${vg}/contract-3`);
        await change.run(lvrename({ vg, name: 'contract-3', to: name, udev }));
      },
      () => remove(host, change, { vg, name: 'contract-2', udev }),
    );
  }),
  volume('a rename moves both paths', async ({ host, change, vg, lv, udev }) => {
    const to = 'contract-3';
    const dmPath = lv.dmPath.replace('contract--1', 'contract--3');
    const there = async (): Promise<readonly boolean[]> => {
      const paths = [lv.path ?? '', lv.dmPath, `/dev/${vg}/${to}`, dmPath];
      return (await Promise.all(paths.map((path) => host.stat(path)))).map((stat) => stat !== undefined);
    };
    await change.run(lvrename({ vg, name, to, udev }));
    assert.deepEqual(await there(), [false, false, true, true]);
    await change.run(lvrename({ vg, name: to, to: name, udev }));
    assert.deepEqual(await there(), [true, true, false, false]);
  }),
  volume('it grows and shrinks by extents, and takes the very ones back', async (made) => {
    const { host, change, vg, lv, udev } = made;
    const extentSize = (await host.run(vgs({ vg })))[0]?.extentSize ?? 1;
    const extents = lv.size / extentSize;
    const at = { vg, name, udev };
    const runs = async () => (await host.run(pvSegments())).filter(({ of }) => of?.lvUuid === lv.uuid);
    await change.run(lvextend({ ...at, extents: extents + 3 }));
    const whole = await runs();
    assert.equal((await only(host, vg)).size, lv.size + 3 * extentSize);
    assert.equal((await fails(change.run(lvextend({ ...at, extents: extents + 3 })), 'unknown')).exitCode, 5);
    await fails(change.run(lvextend({ ...at, extents })), 'unknown');
    await fails(change.run(lvextend({ ...at, extents: 10_000_000 })), 'no-space');
    const fs = (await host.run(lvmVersion())).startsWith('2.03.16') ? 'unknown to it' : 'ignore';
    await change.run(lvreduce({ ...at, extents: extents + 1, fs }));
    await fails(change.run(lvreduce({ ...at, extents: extents + 1, fs })), 'unknown');
    const last = whole.at(-1);
    const path = (await host.run(pvs())).find(({ uuid }) => uuid === last?.pvUuid)?.path ?? '';
    const start = (last?.start ?? 0) + (last?.extents ?? 0) - 2;
    await change.run(lvextend({ ...at, extents: extents + 3, onto: { path, start, count: 2 } }));
    assert.deepEqual(await runs(), whole);
  }),
  volume('tags come and go, and only on the volume of that uuid', async ({ host, change, vg, lv, udev }) => {
    const guard = { vg, name, uuid: lv.uuid, udev };
    await change.run(changeTags({ ...guard, add: ['one', 'two'] }));
    await change.run(changeTags({ ...guard, add: ['one'], remove: ['two', 'never-there'] }));
    assert.deepEqual([...(await only(host, vg)).tags].sort(), [tag, 'one'].sort());
    await change.run(
      changeTags({ ...guard, uuid: 'aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg', add: ['three'] }),
    );
    assert.equal((await only(host, vg)).tags.includes('three'), false);
  }),
  volume('a mounted one is renamed all the same, and stays mounted', async (made) => {
    const { host, change, vg, lv, udev, directory } = made;
    const to = 'contract-3';
    await change.run(mkfsExt4({ device: lv.dmPath, uuid: '33333333-2222-4333-8444-555555555555' }));
    await change.run(mount({ device: lv.dmPath, path: directory, mode: 'rw' }));
    await andThen(
      async () => {
        await change.run(lvrename({ vg, name, to, udev }));
        const renamed = (await host.run(lvs({ vg }))).find(({ uuid }) => uuid === lv.uuid);
        assert.deepEqual([renamed?.name, renamed?.active, renamed?.open], [to, true, true]);
        const [holder, ...more] = await holders(host, `/dev/${vg}/${to}`);
        assert.ok(holder?.kind === 'mount' && holder.path === directory && more.length === 0);
        await change.run(lvrename({ vg, name: to, to: name, udev }));
      },
      () => change.run(umount(directory)),
    );
  }),
];

/** A scenario on a volume of 16 MiB that is made before and removed after it. */
export function volume(title: string, work: (made: Made) => Promise<void>): Scenario {
  return {
    name: `lvm: ${title}`,
    needs: ['vg'],
    run: async ({ host, change, vg, directory }) => {
      const { udev } = await udevOf(host);
      const extents = (16 * 1024 ** 2) / ((await host.run(vgs({ vg })))[0]?.extentSize ?? 1);
      await change.run(lvcreate({ vg, name, extents, tags: [tag], udev }));
      await andThen(
        async () => work({ host, change, vg, lv: await only(host, vg), udev, directory }),
        () => remove(host, change, { vg, name, udev }),
      );
      assert.equal(
        (await host.run(lvs({ vg }))).some((lv) => lv.name === name),
        false,
      );
    },
  };
}

async function only(host: ReadHost, vg: string): Promise<LogicalVolume> {
  const found = (await host.run(lvs({ vg }))).find((lv) => lv.name === name);
  assert.ok(found);
  return found;
}

async function remove(
  host: ReadHost,
  change: ChangeHost,
  lv: { readonly vg: string; readonly name: string; readonly udev: 'running' | 'absent' },
): Promise<void> {
  const found = (await host.run(lvs({ vg: lv.vg }))).find((each) => each.name === lv.name);
  assert.ok(found);
  await change.run(deactivate({ ...lv, uuid: found.uuid }));
  await change.run(lvremove({ ...lv, uuid: found.uuid }));
}
