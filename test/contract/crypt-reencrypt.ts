import assert from 'node:assert/strict';
import { luksFormat, wipeLuks } from '../../src/crypt/format-commands.ts';
import { luksAddKey, luksKillSlot } from '../../src/crypt/key-commands.ts';
import { headerOf } from '../../src/crypt/index.ts';
import { testKey } from '../../src/crypt/read-commands.ts';
import { luksReencrypt, repairTorn, resumeReencrypt } from '../../src/crypt/reencrypt-commands.ts';
import { pbkdf, uuid, withKeys } from './crypt.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

export const reencryptScenarios: readonly Scenario[] = [
  {
    name: 'reencrypt takes the one key of a device, and leaves another volume key in another slot; nothing is left to go on with',
    needs: ['device'],
    run: async ({ host, change, device, directory }) =>
      withKeys(change, directory, async ({ key, wrong }) =>
        andThen(
          async () => {
            const again = { device, key, resilience: 'checksum' } as const;
            await change.run(luksFormat({ device, version: 2, uuid, key, pbkdf }));
            const before = await headerOf(host, device);
            await fails(change.run(luksReencrypt({ ...again, key: wrong })), 'denied');
            await change.run(luksAddKey({ device, slot: 3, key, newKey: wrong, pbkdf }));
            await fails(change.run(luksReencrypt(again)), 'unknown');
            await change.run(luksKillSlot(device, 3));
            await fails(change.run(resumeReencrypt({ device, key })), 'unknown');
            assert.deepEqual(await headerOf(host, device), before);

            await change.run(luksReencrypt(again));

            const after = await headerOf(host, device);
            assert.deepEqual([after.uuid, after.requirements], [uuid, []]);
            assert.notEqual(after.volumeKeyDigest, before.volumeKeyDigest);
            assert.deepEqual(
              after.keySlots.map(({ slot, opens }) => [slot, opens]),
              [[1, 'data']],
            );
            assert.equal(await host.run(testKey({ device, key, slot: 1 })), true);
            await change.run(repairTorn({ device, key }));
            await fails(change.run(resumeReencrypt({ device, key })), 'unknown');
          },
          () => change.run(wipeLuks(device)),
        ),
      ),
  },
];
