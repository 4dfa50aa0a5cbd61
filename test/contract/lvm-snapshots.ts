import assert from 'node:assert/strict';
import { probe } from '../../src/blockdevice/index.ts';
import type { ReadHost } from '../../src/command/index.ts';
import { mkfsExt4 } from '../../src/filesystem/commands.ts';
import { deactivate, lvextend, lvremove } from '../../src/lvm/lv-commands.ts';
import { lvs } from '../../src/lvm/report-commands.ts';
import { lvsnapshot, removeSnapshot } from '../../src/lvm/snapshot-commands.ts';
import { lvmerge } from '../../src/lvm/operations/merge-snapshot.ts';
import { wholeRoom } from '../../src/lvm/covering.ts';
import type { LogicalVolume } from '../../src/lvm/objects.ts';
import { type Made, volume } from './lvm.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

const name = 'contract-snap';
const tag = 'bofh.0123456789ab.2';

/** Classic snapshots: what the tools do with them, and what they refuse. */
export const snapshotScenarios: readonly Scenario[] = [
  volume('a classic snapshot is active with its origin, and goes alone', async (made) => {
    const { host, change, vg, lv, udev } = made;
    await withSnapshot(made, async (snapshot) => {
      assert.deepEqual(
        [snapshot.origin?.uuid, snapshot.active, snapshot.open, snapshot.data, snapshot.tags],
        [lv.uuid, true, false, 0, [tag]],
      );
      assert.ok(snapshot.role.includes('thicksnapshot'), snapshot.role.join());
      const own = { vg, name, uuid: snapshot.uuid, udev };
      await fails(change.run(deactivate(own)), 'unknown');
      await change.run(removeSnapshot({ ...own, tag: 'bofh.ffffffffffff.9' }));
      await change.run(removeSnapshot({ ...own, uuid: lv.uuid }));
      await change.run(lvremove({ vg, name: lv.name, uuid: lv.uuid, udev }));
      assert.equal((await snapshotOf(host, vg))?.uuid, snapshot.uuid);
      await change.run(removeSnapshot({ ...own, tag }));
      assert.equal(await snapshotOf(host, vg), undefined);
      assert.equal((await host.run(lvs({ vg }))).find(({ uuid }) => uuid === lv.uuid)?.active, true);
    });
  }),
  volume(
    'a classic snapshot gets more room while its origin is active, and no more than it can use',
    async (made) => {
      const { host, change, vg, lv, udev } = made;
      await withSnapshot(made, async (snapshot) => {
        await change.run(lvextend({ vg, name, extents: 3, udev }));
        const grown = await snapshotOf(host, vg);
        const extent = snapshot.size / 2;
        assert.deepEqual(
          [grown?.uuid, grown?.size, grown?.active, grown?.origin?.uuid],
          [snapshot.uuid, 3 * extent, true, lv.uuid],
        );
        await change.run(lvextend({ vg, name, extents: lv.size / extent + 20, udev }));
        const most = Math.ceil(wholeRoom(lv.size) / extent) * extent;
        assert.equal((await snapshotOf(host, vg))?.size, most);
      });
    },
  ),
  volume('a merged snapshot is gone, and its origin has its content and its own uuid', async (made) => {
    const { host, change, vg, lv, udev } = made;
    await withSnapshot(made, async () => {
      await change.run(mkfsExt4({ device: lv.dmPath, uuid: '33333333-2222-4333-8444-555555555555' }));
      await change.run(lvmerge({ vg, name, sort: 'classic', udev }));
      assert.equal(await snapshotOf(host, vg), undefined);
      assert.equal((await host.run(lvs({ vg }))).find(({ uuid }) => uuid === lv.uuid)?.name, lv.name);
      assert.equal(await probe(host, lv.dmPath), undefined);
    });
  }),
];

async function withSnapshot(
  { host, change, vg, lv, udev }: Made,
  work: (snapshot: LogicalVolume) => Promise<void>,
): Promise<void> {
  await change.run(lvsnapshot({ vg, origin: lv.name, name, extents: 2, tags: [tag], udev }));
  await andThen(
    async () => {
      const made = await snapshotOf(host, vg);
      assert.ok(made);
      await work(made);
    },
    async () => {
      const left = await snapshotOf(host, vg);
      if (left !== undefined) await change.run(removeSnapshot({ vg, name, uuid: left.uuid, udev }));
    },
  );
}

async function snapshotOf(host: ReadHost, vg: string): Promise<LogicalVolume | undefined> {
  return (await host.run(lvs({ vg }))).find((lv) => lv.name === name);
}
