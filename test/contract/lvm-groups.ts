import assert from 'node:assert/strict';
import { probe, recognise, wipeSignatures } from '../../src/blockdevice/index.ts';
import type { ChangeHost, ReadHost } from '../../src/command/index.ts';
import { mkfsExt4 } from '../../src/filesystem/commands.ts';
import type { Udev } from '../../src/lvm/commands.ts';
import { deactivate, lvcreate, lvremove } from '../../src/lvm/lv-commands.ts';
import { lvs, pvs, vgs } from '../../src/lvm/report-commands.ts';
import { layout } from '../../src/lvm/layout.ts';
import { pvchange, pvcreate, pvremove, pvresize, pvStarts } from '../../src/lvm/pv-commands.ts';
import { udevOf } from '../../src/lvm/reads.ts';
import type { PhysicalVolume, VolumeGroup } from '../../src/lvm/objects.ts';
import { vgcreate, vgextend, vgreduce, vgremove, vgrename } from '../../src/lvm/vg-commands.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

const uuid = 'c0ntra-ct00-0000-0000-0000-0000-000001';
const otherUuid = 'c0ntra-ct00-0000-0000-0000-0000-000002';
const tag = 'bofh.0123456789ab.1';
const name = 'bofh-contract';
const mib = 1024 ** 2;

interface Made extends Udev {
  readonly host: ReadHost;
  readonly change: ChangeHost;
  readonly device: string;
  /** A group that was there before. */
  readonly vg: string;
}

/** Physical volumes and volume groups: what the tools do. They need `vg` only to run where lvm is. */
export const groupScenarios: readonly Scenario[] = [
  physical(
    'a new physical volume has the uuid that was chosen, all of the device, and no group',
    async (made) => {
      const pv = await onlyPv(made.host);
      assert.deepEqual([pv.path, pv.vg, pv.allocatable, pv.tags], [made.device, undefined, false, []]);
      assert.deepEqual([pv.size, pv.free], [pv.deviceSize, pv.deviceSize]);
      const { type, uuid: found } = (await recognise(made.host, made.device)) ?? {};
      assert.deepEqual([type, found], ['LVM2_member', uuid]);
    },
  ),
  physical(
    'a uuid is taken once, but a free physical volume is overwritten without a question',
    async (made) => {
      const { change, device } = made;
      await fails(change.run(pvcreate({ ...made, device: '/dev/bofh-nope', uuid })), 'not-found');
      await change.run(pvcreate({ ...made, device, uuid: otherUuid }));
      assert.equal((await recognise(made.host, device))?.uuid, otherUuid);
      await change.run(pvcreate({ ...made, device, uuid }));
    },
  ),
  physical('over a filesystem it asks, and closed stdin is a no', async (made) => {
    const { host, change, device } = made;
    await change.run(pvremove(made));
    await change.run(mkfsExt4({ device, uuid: '33333333-2222-4333-8444-555555555555' }));
    await fails(change.run(pvcreate({ ...made, uuid })), 'unknown');
    assert.equal((await recognise(host, device))?.type, 'ext4');
    await change.run(wipeSignatures(device));
    await fails(change.run(pvremove(made)), 'unknown');
    await change.run(pvcreate({ ...made, uuid }));
  }),
  physical('a device of a group is neither made one again nor taken out of it', async (made) => {
    const { host, change, vg } = made;
    const member = (await host.run(pvs())).find((pv) => pv.vg?.name === vg);
    const device = member?.path ?? '';
    await fails(change.run(pvcreate({ ...made, device, uuid: otherUuid })), 'unknown');
    await fails(change.run(pvremove({ ...made, device })), 'busy');
    assert.deepEqual(
      (await host.run(pvs())).find((pv) => pv.path === device),
      member,
    );
  }),
  group(
    'a new group is tagged, has extents of the size that was asked for, and all its space free',
    async (made) => {
      const { vg, pv } = await onlyGroup(made.host);
      assert.deepEqual([vg.tags, vg.extentSize, vg.free], [[tag], mib, vg.size]);
      assert.deepEqual(
        [pv.vg, pv.size, pv.free, pv.allocatable],
        [{ name, uuid: vg.uuid }, vg.size, vg.size, true],
      );
      assert.equal(vg.extents, Math.floor((pv.deviceSize - mib) / mib));
    },
  ),
  group('its name, and its device, are taken once', async (made) => {
    const { change, device, vg } = made;
    const make = { ...made, devices: [device], extentSize: mib, tags: [] };
    await fails(change.run(vgcreate({ ...make, name: vg })), 'exists');
    await fails(change.run(vgcreate({ ...make, name: 'null' })), 'exists');
    await fails(change.run(vgcreate({ ...make, name: `${name}2` })), 'busy');
    await fails(
      change.run(vgcreate({ ...make, name: `${name}2`, devices: ['/dev/bofh-nope'] })),
      'not-found',
    );
  }),
  physical('a free device is put into a group once, and taken out of it again', async (made) => {
    const { host, change, vg, device } = made;
    const of = { ...made, name: vg, devices: [device] };
    await fails(change.run(vgreduce(of)), 'not-found');
    await fails(change.run(vgextend({ ...of, name: 'bofh-no-such-group' })), 'not-found');
    await fails(change.run(vgextend({ ...of, devices: ['/dev/bofh-nope'] })), 'not-found');
    await change.run(vgextend(of));
    await andThen(
      async () => {
        await fails(change.run(vgextend(of)), 'busy');
        const [first, ...more] = (await host.run(pvs())).filter((pv) => pv.vg?.name === vg);
        assert.equal(more.length, 1);
        await change.run(pvchange({ ...made, tags: ['slow'], allocatable: false }));
        const pv = await onlyPv(host);
        assert.deepEqual([pv.tags, pv.allocatable, pv.vg], [['slow'], false, first?.vg]);
      },
      () => change.run(vgreduce(of)),
    );
    assert.deepEqual([(await onlyPv(host)).vg, (await onlyPv(host)).tags], [undefined, []]);
  }),
  group('its last device stays in it, and one with extents in use', async (made) => {
    const { host, change, device } = made;
    const of = { ...made, name, devices: [device] };
    await fails(change.run(vgreduce(of)), 'unknown');
    await change.run(lvcreate({ ...made, vg: name, name: 'a', extents: 4, tags: [] }));
    await andThen(
      async () => {
        await fails(change.run(vgreduce(of)), 'busy');
        assert.equal((await onlyPv(host)).vg?.name, name);
      },
      () => removeVolume(made),
    );
  }),
  group('it is renamed by its uuid, never to a name that is taken, and its volumes with it', async (made) => {
    const { host, change, vg } = made;
    const { uuid: id } = (await onlyGroup(host)).vg;
    await fails(change.run(vgrename({ ...made, uuid: otherUuid, to: `${name}2` })), 'not-found');
    await fails(change.run(vgrename({ ...made, uuid: id, to: vg })), 'exists');
    await fails(change.run(vgrename({ ...made, uuid: id, to: 'null' })), 'exists');
    await change.run(lvcreate({ ...made, vg: name, name: 'a', extents: 4, tags: [] }));
    const there = async (): Promise<readonly boolean[]> => {
      const paths = [`/dev/${name}/a`, `/dev/${name}2/a`];
      return (await Promise.all(paths.map((path) => host.stat(path)))).map((stat) => stat !== undefined);
    };
    await andThen(
      async () => {
        await change.run(vgrename({ ...made, uuid: id, to: `${name}2` }));
        assert.deepEqual(await there(), [false, true]);
        await change.run(vgrename({ ...made, uuid: id, to: name }));
        assert.deepEqual(await there(), [true, false]);
      },
      () => removeVolume(made),
    );
  }),
  group('its device is resized to whole extents, but never under a volume', async (made) => {
    const { host, change, device } = made;
    const { pv } = await onlyGroup(host);
    const start = (await host.run(pvStarts())).get(uuid) ?? 0;
    const resize = (extents: number) =>
      change.run(pvresize({ ...made, device, size: start + extents * mib }));
    await resize(10);
    assert.equal((await onlyPv(host)).size, 10 * mib);
    await change.run(lvcreate({ ...made, vg: name, name: 'a', extents: 6, tags: [] }));
    await andThen(
      async () => {
        await fails(resize(5), 'unknown');
        await resize(6);
        const [found] = (await host.run(layout())).groups.filter((one) => one.name === name);
        assert.deepEqual(
          found?.runs.map(({ pvUuid, extents }) => [pvUuid, extents]),
          [[uuid, 6]],
        );
      },
      () => removeVolume(made),
    );
    await resize(pv.size / mib);
    assert.equal((await onlyPv(host)).size, pv.size);
  }),
  group('it is not removed with another uuid or tag, nor with a volume in it, exit 0', async (made) => {
    const { host, change } = made;
    const { vg } = await onlyGroup(host);
    await change.run(vgremove({ ...made, name, uuid: otherUuid }));
    await change.run(vgremove({ ...made, name, uuid: vg.uuid, tag: 'bofh.ffffffffffff.9' }));
    await change.run(lvcreate({ ...made, vg: name, name: 'a', extents: 4, tags: [] }));
    await andThen(
      async () => {
        await change.run(vgremove({ ...made, name, uuid: vg.uuid, tag }));
        assert.equal((await onlyGroup(host)).vg.uuid, vg.uuid);
      },
      () => removeVolume(made),
    );
  }),
];

/** A scenario on a physical volume that is made on the device before, and removed after it. */
function physical(title: string, work: (made: Made) => Promise<void>): Scenario {
  return {
    name: `lvm: ${title}`,
    needs: ['vg', 'device'],
    run: async ({ host, change, vg, device }) => {
      const made = { host, change, vg, device, ...(await udevOf(host)) };
      await change.run(pvcreate({ ...made, uuid }));
      await andThen(
        () => work(made),
        () => change.run(pvremove(made)),
      );
      assert.equal(await probe(host, device), undefined);
    },
  };
}

/** The same with a group of it. */
function group(title: string, work: (made: Made) => Promise<void>): Scenario {
  return physical(title, async (made) => {
    const { host, change, device } = made;
    await change.run(vgcreate({ ...made, name, devices: [device], extentSize: mib, tags: [tag] }));
    await andThen(
      () => work(made),
      async () => change.run(vgremove({ ...made, name, uuid: (await onlyGroup(host)).vg.uuid })),
    );
    assert.equal((await onlyPv(host)).vg, undefined);
  });
}

async function onlyPv(host: ReadHost): Promise<PhysicalVolume> {
  const found = (await host.run(pvs())).find((pv) => pv.uuid === uuid);
  assert.ok(found);
  return found;
}

async function onlyGroup(host: ReadHost): Promise<{ readonly vg: VolumeGroup; readonly pv: PhysicalVolume }> {
  const [vg] = await host.run(vgs({ vg: name }));
  assert.ok(vg);
  return { vg, pv: await onlyPv(host) };
}

async function removeVolume({ host, change, ...made }: Made): Promise<void> {
  const [lv] = await host.run(lvs({ vg: name }));
  assert.ok(lv);
  const guard = { ...made, vg: name, name: lv.name, uuid: lv.uuid };
  await change.run(deactivate(guard));
  await change.run(lvremove(guard));
}
