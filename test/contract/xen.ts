import assert from 'node:assert/strict';
import { wipeSignatures } from '../../src/blockdevice/commands.ts';
import { everyHolder, holders } from '../../src/blockdevice/index.ts';
import { mkfsExt4 } from '../../src/filesystem/commands.ts';
import { mount, umount } from '../../src/mount/commands.ts';
import {
  xlCheck,
  xlCreate,
  xlDestroy,
  xlInfo,
  xlList,
  xlListLong,
  xlMemSet,
  xlPause,
  xlResources,
  xlShutdown,
  xlUnpause,
  xlVcpuSet,
  xlWeight,
} from '../../src/xen/commands.ts';
import { writeConfig } from '../../src/xen/config/index.ts';
import { until } from '../../src/xen/backends.ts';
import { andThen, fails, type ContractContext, type Scenario } from './scenario.ts';

const uuid = '44444444-2222-4333-8444-555555555555';
const other = '55555555-2222-4333-8444-555555555555';

/** Domains: what xl does, and what the listings and the kernel show of it. */
export const xenScenarios: readonly Scenario[] = [
  guest(
    'a paused guest is listed under the uuid that was asked for, and holds its disk and memory',
    async (at) => {
      const { host, change, config, device, freeBefore } = at;
      await change.run(xlCreate({ config, uuid, initially: 'paused' }));

      const found = (await host.run(xlList())).filter((each) => each.name === 'contract1');
      const [domain] = found;
      assert.equal(found.length, 1);
      assert.deepEqual(
        [domain?.uuid, domain?.memoryMiB, domain?.vcpus, domain?.flags[2]],
        [uuid, 128, 1, 'p'],
      );
      assert.ok((await host.run(xlListLong())).includes(domain?.id ?? -1));
      assert.ok((await host.run(xlInfo())).freeMemoryMiB <= freeBefore - 128);
      const domid = domain?.id ?? 0;
      const words = `a disk of the guest with domid ${domid}`;
      const free = ['xl', 'shutdown', '-w', String(domid)];
      assert.deepEqual(await holders(host, device), [{ kind: 'guest', domid, words, free }]);
      const name = domain?.name ?? '';
      assert.deepEqual(
        (await everyHolder(host, device)).find(({ kind }) => kind === 'guest'),
        {
          ...{ kind: 'guest', domid, name, words: `a disk of the guest ${name} (domid ${domid})` },
          // It is paused, and could not shut down.
          free: ['xl', 'unpause', String(domid)],
        },
      );
    },
  ),
  guest(
    'a second guest of that name is refused, and one with a disk in use',
    async ({ change, config, write }) => {
      await change.run(xlCreate({ config, uuid, initially: 'paused' }));
      await fails(change.run(xlCreate({ config, uuid: other, initially: 'paused' })), 'exists');
      const second = await write('contract2', {});
      await fails(change.run(xlCreate({ config: second, uuid: other, initially: 'paused' })), 'busy');
    },
  ),
  guest('a disk that is mounted, missing, or a kernel that is missing, is refused', async (at) => {
    const { change, write, device, directory, host } = at;
    const missing = await write('contract2', { disk: ['phy:/dev/bofh-no-such-device,xvda,w'] });
    await fails(change.run(xlCreate({ config: missing, uuid })), 'not-found');
    const kernel = await write('contract3', { kernel: '/boot/bofh-no-such-kernel' });
    await fails(change.run(xlCreate({ config: kernel, uuid })), 'not-found');
    await change.makeDir(`${directory}/mnt`, { mode: 0o700 });
    await change.run(mkfsExt4({ device, uuid: other }));
    await change.run(mount({ device, path: `${directory}/mnt`, mode: 'rw' }));
    await andThen(
      async () => {
        await fails(change.run(xlCreate({ config: at.config, uuid })), 'busy');
      },
      async () => {
        await change.run(umount(`${directory}/mnt`));
        await change.removeDir(`${directory}/mnt`);
        await change.run(wipeSignatures(device));
      },
    );
    assert.equal(
      (await host.run(xlList())).some(({ name }) => name?.startsWith('contract') === true),
      false,
    );
  }),
  guest('xl checks a config without starting it', async ({ host, config, directory, change }) => {
    assert.deepEqual(await host.run(xlCheck({ config, uuid })), { name: 'contract1', uuid });
    await fails(host.run(xlCheck({ config: `${directory}/none.cfg` })), 'not-found');
    await change.writeNew(`${directory}/bad.cfg`, "name = 'x\n", { mode: 0o600 });
    assert.equal((await fails(host.run(xlCheck({ config: `${directory}/bad.cfg` })), 'unknown')).exitCode, 1);
    await change.removeFile(`${directory}/bad.cfg`);
    assert.equal(
      (await host.run(xlList())).some(({ name }) => name === 'contract1'),
      false,
    );
  }),
  guest(
    'memory, weight and pauses of a guest change, within its limits',
    async ({ host, change, config }) => {
      await change.run(xlCreate({ config, uuid, initially: 'paused' }));
      const domain = async () => (await host.run(xlList())).find(({ name }) => name === 'contract1');
      const id = (await domain())?.id ?? -1;
      const given = async () => (await host.run(xlResources())).find(({ domid }) => domid === id);
      const before = await given();
      assert.deepEqual(
        [before?.memoryKiB, before?.maxMemoryKiB, before?.vcpus, before?.maxVcpus],
        [131_072, 131_072, 1, 1],
      );
      await change.run(xlMemSet({ id, kib: 65_536 }));
      assert.equal((await given())?.memoryKiB, 65_536);
      await fails(change.run(xlMemSet({ id, kib: 262_144 })), 'unknown');
      await change.run(xlMemSet({ id, kib: 131_072 }));
      await fails(change.run(xlVcpuSet({ id, vcpus: 2 })), 'unknown');
      await change.run(xlVcpuSet({ id, vcpus: 1 }));
      await change.run(xlWeight({ id, scheduler: before?.scheduler ?? 'credit2', weight: 512 }));
      assert.equal((await given())?.weight, 512);
      assert.deepEqual({ ...(await given()), weight: 256 }, before);
      // `xl create -p` counts as one pause.
      await change.run(xlPause({ id }));
      await change.run(xlUnpause({ id }));
      assert.equal((await domain())?.flags[2], 'p');
      await change.run(xlUnpause({ id }));
      assert.notEqual((await domain())?.flags[2], 'p');
      await change.run(xlPause({ id: 32_000 }));
      await change.run(xlUnpause({ id: 32_000 }));
    },
  ),
  guest('a domain that is not there cannot be destroyed or shut down', async ({ change }) => {
    await fails(change.run(xlDestroy({ id: 32_000 })), 'not-found');
    await fails(change.run(xlShutdown({ id: 32_000, timeoutMs: 10_000 })), 'not-found');
  }),
];

type At = Required<ContractContext> & {
  readonly config: string;
  readonly freeBefore: number;
  readonly write: (
    name: string,
    settings: { readonly kernel?: string; readonly disk?: string[] },
  ) => Promise<string>;
};

function guest(title: string, work: (at: At) => Promise<void>): Scenario {
  return {
    name: `xen: ${title}`,
    needs: ['guest', 'device'],
    run: async (context) => {
      const { host, change, directory, device } = context;
      const files: string[] = [];
      const write: At['write'] = async (name, settings) => {
        const path = `${directory}/${name}.cfg`;
        const text = writeConfig({
          ...{ name, type: 'pv', memory: 128, vcpus: 1, ...context.guest },
          disk: [`phy:${device},xvda,w`],
          ...settings,
        });
        await change.writeNew(path, text, { mode: 0o600 });
        files.push(path);
        return path;
      };
      const config = await write('contract1', {});
      const freeBefore = (await host.run(xlInfo())).freeMemoryMiB;
      await andThen(
        () => work({ ...context, config, freeBefore, write }),
        async () => {
          for (const { id, name } of await host.run(xlList()))
            if (name?.startsWith('contract') === true) await change.run(xlDestroy({ id }));
          // The back end goes some moments later than the domain.
          const check = async (): Promise<boolean> => (await holders(host, device)).length === 0;
          assert.ok(await until({ check, limitMs: 30_000 }));
          for (const path of files) await change.removeFile(path);
        },
      );
    },
  };
}
