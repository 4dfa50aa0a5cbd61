import assert from 'node:assert/strict';
import { blkidProbe, wipeSignatures } from '../../src/blockdevice/commands.ts';
import { holders, keysOf, probe, size } from '../../src/blockdevice/index.ts';
import { mkfsExt4, mkswap } from '../../src/filesystem/commands.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

const uuid = '11111111-2222-4333-8444-555555555555';
const other = '22222222-2222-4333-8444-555555555555';

/** What is on a device, and the tools that put it there. */
export const blockScenarios: readonly Scenario[] = [
  {
    name: 'a blank device has nothing on it, nobody in it, and a key of its own',
    needs: ['device'],
    run: async ({ host, device }) => {
      assert.equal(await probe(host, device), undefined);
      assert.deepEqual(await holders(host, device), []);
      assert.match((await keysOf(host, device)).key, /^(?:dev|lv):/);
      assert.ok((await size(host, device)) >= 64 * 1024 ** 2);
    },
  },
  {
    name: 'mkfs.ext4 and mkswap write what is asked, over anything, without a question',
    needs: ['device'],
    run: async ({ host, change, device }) =>
      andThen(
        async () => {
          await change.run(mkfsExt4({ device, uuid, label: 'root fs' }));
          const first = await probe(host, device);
          assert.deepEqual(first, { type: 'ext4', usage: 'filesystem', uuid, label: 'root fs' });

          await change.run(mkfsExt4({ device, uuid: other }));
          assert.deepEqual(await probe(host, device), { type: 'ext4', usage: 'filesystem', uuid: other });

          await change.run(mkswap({ device, uuid, label: 'swap' }));
          assert.deepEqual(await probe(host, device), { type: 'swap', usage: 'other', uuid, label: 'swap' });
        },
        () => change.run(wipeSignatures(device)),
      ),
  },
  {
    name: 'wipefs makes a device blank, and finds nothing to do on a blank one',
    needs: ['device'],
    run: async ({ host, change, device }) => {
      await change.run(mkfsExt4({ device, uuid }));
      await change.run(wipeSignatures(device));
      assert.equal(await probe(host, device), undefined);
      await change.run(wipeSignatures(device));
      await change.sync(device);
    },
  },
  {
    name: 'a device that is not there: blkid says nothing of it, the others fail',
    needs: ['device'],
    run: async ({ host, change }) => {
      const missing = '/dev/bofh-no-such-device';
      // This is why `probe` asks for the node first.
      assert.equal(await host.run(blkidProbe(missing)), undefined);
      await fails(probe(host, missing), 'not-found');
      await fails(size(host, missing), 'not-found');
      await fails(change.run(wipeSignatures(missing)), 'not-found');
      await fails(change.run(mkfsExt4({ device: missing, uuid })), 'not-found');
      await fails(change.run(mkswap({ device: missing, uuid })), 'not-found');
    },
  },
];
