import assert from 'node:assert/strict';
import type { ReadHost } from '../../src/command/index.ts';
import { lvmVersion } from '../../src/lvm/commands.ts';
import { deactivate, lvextend, lvreduce, lvremove, lvrename } from '../../src/lvm/lv-commands.ts';
import { lvs, vgs } from '../../src/lvm/report-commands.ts';
import { isThinPool } from '../../src/lvm/filling.ts';
import type { LogicalVolume } from '../../src/lvm/objects.ts';
import { lvcreatePool, lvcreateThin, lvextendPool } from '../../src/lvm/thin-commands.ts';
import { type Made, volume } from './lvm.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

const name = 'contract-pool';
const mib = 1024 ** 2;

/** Thin pools and their volumes: how they grow, and that a pool stays while it has volumes. */
export const poolScenarios: readonly Scenario[] = [
  volume('a pool grows, data and metadata, with a spare of that size, which goes with it', async (made) => {
    const { host, change, vg, udev } = made;
    await withPool(made, async (extentSize) => {
      const to = { extents: (32 * mib) / extentSize, metadataSize: undefined };
      await change.run(lvextendPool({ vg, name, udev, ...to }));
      assert.equal((await fails(change.run(lvextendPool({ vg, name, udev, ...to })), 'unknown')).exitCode, 5);
      const { size, metadataSize } = await poolOf(host, vg);
      assert.deepEqual([size, metadataSize], [32 * mib, 4 * mib]);
      const both = { extents: (48 * mib) / extentSize, metadataSize: 8 * mib };
      await change.run(lvextendPool({ vg, name, udev, ...both }));
      const now = await poolOf(host, vg);
      assert.deepEqual([now.size, now.metadataSize], [48 * mib, 8 * mib]);
      assert.equal((await spareOf(host, vg))?.size, 8 * mib);
      const fs = (await host.run(lvmVersion())).startsWith('2.03.16') ? 'unknown to it' : 'ignore';
      await fails(change.run(lvreduce({ vg, name, udev, extents: (16 * mib) / extentSize, fs })), 'unknown');
    });
    assert.equal(await spareOf(host, vg), undefined);
  }),
  volume('a pool is renamed with its volumes, and is not removed while it has any', async (made) => {
    const { host, change, vg, udev } = made;
    await withPool(made, async () => {
      await withThin(made, async () => {
        await change.run(lvrename({ vg, name, to: 'contract-pool-2', udev }));
        await change.run(lvrename({ vg, name: 'contract-pool-2', to: name, udev }));
        const pool = await poolOf(host, vg);
        await change.run(deactivate({ vg, name, udev, uuid: pool.uuid }));
        await fails(change.run(lvremove({ vg, name, udev, uuid: pool.uuid })), 'unknown');
        assert.equal((await poolOf(host, vg)).uuid, pool.uuid);
      });
    });
  }),
  volume('a thin volume gets any size, and takes nothing of the group', async (made) => {
    const { host, change, vg, udev } = made;
    await withPool(made, async (extentSize) => {
      await withThin(made, async (thin) => {
        const free = async () => (await host.run(vgs({ vg })))[0]?.free;
        const before = await free();
        const at = { vg, name: thin, udev };
        await change.run(lvextend({ ...at, extents: (256 * mib) / extentSize }));
        const fs = (await host.run(lvmVersion())).startsWith('2.03.16') ? 'unknown to it' : 'ignore';
        await change.run(lvreduce({ ...at, extents: (8 * mib) / extentSize, fs }));
        assert.equal((await named(host, vg, thin)).size, 8 * mib);
        assert.equal(await free(), before);
      });
    });
  }),
];

async function withPool(
  { host, change, vg, udev }: Made,
  work: (extentSize: number) => Promise<void>,
): Promise<void> {
  const extentSize = (await host.run(vgs({ vg })))[0]?.extentSize ?? 1;
  const extents = (16 * mib) / extentSize;
  const sizes = { extents, metadataSize: 4 * mib, chunkSize: mib / 16 };
  await change.run(lvcreatePool({ vg, name, udev, ...sizes, tags: [] }));
  await andThen(
    async () => work(extentSize),
    async () => {
      const { uuid } = await poolOf(host, vg);
      await change.run(deactivate({ vg, name, udev, uuid }));
      await change.run(lvremove({ vg, name, udev, uuid }));
    },
  );
}

async function withThin(
  { host, change, vg, udev }: Made,
  work: (thin: string) => Promise<void>,
): Promise<void> {
  const thin = 'contract-thin';
  await change.run(lvcreateThin({ vg, name: thin, pool: name, size: 64 * mib, tags: [], udev }));
  await andThen(
    async () => work(thin),
    async () => {
      const { uuid } = await named(host, vg, thin);
      await change.run(deactivate({ vg, name: thin, udev, uuid }));
      await change.run(lvremove({ vg, name: thin, udev, uuid }));
    },
  );
}

async function poolOf(host: ReadHost, vg: string): Promise<LogicalVolume> {
  const pool = await named(host, vg, name);
  assert.ok(isThinPool(pool), pool.layout.join());
  return pool;
}

async function spareOf(host: ReadHost, vg: string): Promise<LogicalVolume | undefined> {
  return (await host.run(lvs({ vg }))).find(({ role }) => role.includes('spare'));
}

async function named(host: ReadHost, vg: string, lv: string): Promise<LogicalVolume> {
  const found = (await host.run(lvs({ vg }))).find((each) => each.name === lv);
  assert.ok(found);
  return found;
}
