import assert from 'node:assert/strict';
import { holders, identityOf, probe } from '../../src/blockdevice/index.ts';
import type { ChangeHost, KeyInput } from '../../src/command/index.ts';
import { luksFormat, wipeLuks } from '../../src/crypt/format-commands.ts';
import { luksAddKey, luksErase, luksKillSlot } from '../../src/crypt/key-commands.ts';
import { luksClose, luksOpen, renameMapping } from '../../src/crypt/open-commands.ts';
import { luksDump1, testKey } from '../../src/crypt/read-commands.ts';
import { luksHeaderBackup, luksHeaderRestore } from '../../src/crypt/header-commands.ts';
import { headerOf, mappingOn, mappings, openDevice } from '../../src/crypt/index.ts';
import { deactivate, lvcreate, lvremove } from '../../src/lvm/lv-commands.ts';
import { lvs } from '../../src/lvm/report-commands.ts';
import { dmName } from '../../src/lvm/names.ts';
import { udevOf } from '../../src/lvm/reads.ts';
import { andThen, fails, type Scenario } from './scenario.ts';

export const uuid = '5e1f0000-0000-4000-8000-0000000000c2';
const tag = 'bofh.0123456789ab.2';
const name = 'contract-2';
export const pbkdf = { kdf: 'pbkdf2', timeMs: 10 } as const;

/** Two keys in files, for as long as the work lasts. */
export async function withKeys(
  change: ChangeHost,
  directory: string,
  work: (keys: { readonly key: KeyInput; readonly wrong: KeyInput }) => Promise<void>,
): Promise<void> {
  const paths = [`${directory}/key`, `${directory}/wrong`];
  for (const path of paths) await change.writeNew(path, `secret of ${path}`, { mode: 0o600 });
  const input = (path = ''): KeyInput => ({ key: { from: 'file', path }, use: 'present', of: 'the test' });
  await andThen(
    () => work({ key: input(paths[0]), wrong: input(paths[1]) }),
    async () => {
      for (const path of paths) await change.removeFile(path);
    },
  );
}

/** cryptsetup and device-mapper, as far as the driver relies on them. */
export const cryptScenarios: readonly Scenario[] = [
  {
    name: 'luksFormat writes the uuid that was chosen, and its header and key can be read; wipefs takes both headers',
    needs: ['device'],
    run: async ({ host, change, device, directory }) =>
      withKeys(change, directory, async ({ key, wrong }) => {
        for (const version of [1, 2] as const)
          await andThen(
            async () => {
              await change.run(luksFormat({ device, version, uuid, key, pbkdf }));
              assert.deepEqual(await probe(host, device), { type: 'crypto_LUKS', usage: 'crypto', uuid });
              const header = await headerOf(host, device);
              assert.equal(header.version, version);
              assert.equal(header.dataOffset, (version === 1 ? 2 : 16) * 1024 ** 2);
              assert.deepEqual(
                header.keySlots.map(({ slot, kdf }) => [slot, kdf]),
                [[0, 'pbkdf2']],
              );
              assert.equal(await host.run(testKey({ device, key })), true);
              assert.equal(await host.run(testKey({ device, key: wrong })), false);
            },
            () => change.run(wipeLuks(device)),
          );
        assert.equal(await probe(host, device), undefined);
      }),
  },
  {
    name: 'luksHeaderBackup makes a new file with the header, over none that is there, and of no device without one',
    needs: ['device'],
    run: async ({ host, change, device, directory }) =>
      withKeys(change, directory, async ({ key, wrong }) => {
        const file = `${directory}/header`;
        await fails(change.run(luksHeaderBackup(device, file)), 'unknown');
        for (const version of [1, 2] as const)
          await andThen(
            async () => {
              await change.run(luksFormat({ device, version, uuid, key, pbkdf }));
              await change.run(luksHeaderBackup(device, file));
              assert.equal((await host.stat(file))?.mode, 0o400);
              assert.deepEqual(await headerOf(host, file), await headerOf(host, device));
              assert.equal(await host.run(testKey({ device: file, key })), true);
              assert.equal(await host.run(testKey({ device: file, key: wrong })), false);
              await fails(change.run(luksHeaderBackup(device, file)), 'unknown');
              await change.removeFile(file);
            },
            () => change.run(wipeLuks(device)),
          );
      }),
  },
  {
    name: 'luksHeaderRestore brings back the slots of a header; it takes one of the other version, and none that is torn',
    needs: ['device'],
    run: async ({ host, change, device, directory }) =>
      withKeys(change, directory, async ({ key, wrong }) => {
        const [file, torn] = [`${directory}/header`, `${directory}/torn`];
        await andThen(
          async () => {
            await change.run(luksFormat({ device, version: 1, uuid, key, pbkdf }));
            await change.run(luksHeaderBackup(device, file));
            const before = await headerOf(host, device);
            await change.run(wipeLuks(device));
            await change.run(luksFormat({ device, version: 2, uuid, key: wrong, pbkdf }));
            await change.run(luksHeaderRestore(device, file));
            assert.deepEqual(await headerOf(host, device), before);
            assert.equal(await host.run(testKey({ device, key })), true);
            assert.equal(await host.run(testKey({ device, key: wrong })), false);
            const whole = await host.readFile(file);
            await change.writeNew(torn, whole.subarray(0, Math.ceil(whole.length / 2)), { mode: 0o600 });
            await fails(change.run(luksHeaderRestore(device, torn)), 'unknown');
            await fails(change.run(luksHeaderRestore(device, `${directory}/none`)), 'not-found');
          },
          async () => {
            await change.run(wipeLuks(device));
            for (const path of [file, torn]) await change.removeFile(path);
          },
        );
      }),
  },
  {
    name: 'a header in a file of its own: luksFormat makes the file and writes nothing to the device, and its keys change there',
    needs: ['device'],
    run: async ({ host, change, device, directory }) =>
      withKeys(change, directory, async ({ key, wrong }) => {
        const header = `${directory}/detached`;
        for (const version of [1, 2] as const)
          await andThen(
            async () => {
              await change.run(luksFormat({ device, version, uuid, key, pbkdf, header }));
              assert.equal(await probe(host, device), undefined);
              assert.equal((await host.stat(header))?.mode, 0o600);
              const made = await headerOf(host, header);
              assert.deepEqual([made.uuid, made.version], [uuid, version]);
              assert.equal(await host.run(testKey({ device: header, key })), true);
              await change.run(luksAddKey({ device: header, slot: 3, key, newKey: wrong, pbkdf }));
              await change.run(luksKillSlot(header, 0));
              assert.deepEqual(
                (await headerOf(host, header)).keySlots.map(({ slot }) => slot),
                [3],
              );
              assert.equal(await host.run(testKey({ device: header, key })), false);
            },
            () => change.removeFile(header),
          );
      }),
  },
  {
    name: 'a second key has a slot and a salt of its own, and a slot is destroyed without a key, the last one too',
    needs: ['device'],
    run: async ({ host, change, device, directory }) =>
      withKeys(change, directory, async ({ key, wrong }) => {
        for (const version of [1, 2] as const)
          await andThen(
            async () => {
              await change.run(luksFormat({ device, version, uuid, key, pbkdf }));
              await fails(
                change.run(luksAddKey({ device, slot: 3, key: wrong, newKey: key, pbkdf })),
                'denied',
              );
              await change.run(luksAddKey({ device, slot: 3, key, newKey: wrong, pbkdf }));
              const { keySlots } = await headerOf(host, device);
              assert.deepEqual(
                keySlots.map(({ slot }) => slot),
                [0, 3],
              );
              assert.notEqual(keySlots[0]?.salt, keySlots[1]?.salt);
              assert.equal(await host.run(testKey({ device, key: wrong, slot: 3 })), true);
              assert.equal(await host.run(testKey({ device, key: wrong, slot: 0 })), false);
              await fails(change.run(luksAddKey({ device, slot: 3, key, newKey: wrong, pbkdf })), 'exists');
              for (const slot of [0, 3]) await change.run(luksKillSlot(device, slot));
              assert.deepEqual((await headerOf(host, device)).keySlots, []);
              await change.run(luksErase(device));
              assert.equal((await headerOf(host, device)).version, version);
              await fails(change.run(luksKillSlot(device, 3)), 'not-found');
            },
            () => change.run(wipeLuks(device)),
          );
      }),
  },
  {
    name: 'cryptsetup fails on a device without LUKS, and does not find a missing device',
    needs: ['device'],
    run: async ({ host, change, device, directory }) =>
      withKeys(change, directory, async ({ key }) => {
        const missing = '/dev/bofh-no-such-device';
        await fails(host.run(luksDump1(device)), 'unknown');
        await fails(host.run(luksDump1(missing)), 'not-found');
        await fails(change.run(luksFormat({ device: missing, version: 2, uuid, key, pbkdf })), 'not-found');
      }),
  },
  {
    name: 'an open device keeps the uuid of its first name when it is renamed, and the kernel refuses a name that is taken',
    needs: ['vg'],
    run: async ({ host, change, vg, directory }) =>
      withKeys(change, directory, async ({ key, wrong }) => {
        const udev = await udevOf(host);
        await change.run(lvcreate({ vg, name, extents: 16, tags: [tag], ...udev }));
        const lv = (await host.run(lvs())).find(({ tags }) => tags.includes(tag));
        assert.ok(lv !== undefined);
        const device = lv.dmPath;
        const remove = async (): Promise<void> => {
          for (const mapping of await mappings(host)) await change.run(luksClose(mapping.name));
          await change.run(wipeLuks(device));
          await change.run(deactivate({ vg, name, uuid: lv.uuid, ...udev }));
          await change.run(lvremove({ vg, name, uuid: lv.uuid, tag, ...udev }));
        };
        await andThen(async () => {
          await change.run(luksFormat({ device, version: 2, uuid, key, pbkdf }));
          await fails(change.run(luksOpen({ device, name: 'first', mode: 'rw', key: wrong })), 'denied');
          assert.deepEqual(await mappings(host), []);

          await change.run(luksOpen({ device, name: 'first', mode: 'rw', key }));
          await change.run(renameMapping('first', 'second'));
          const mapping = await mappingOn(host, device);
          assert.equal(mapping?.name, 'second');
          assert.equal(mapping.dmUuid, `CRYPT-LUKS2-${uuid.replaceAll('-', '')}-first`);
          assert.equal(mapping.size, 48 * 1024 ** 2);
          assert.equal(mapping.mode, 'rw');
          assert.deepEqual(
            (await holders(host, device)).map(({ kind }) => kind),
            ['mapping'],
          );
          assert.equal((await identityOf(host, mapping.path)).container, `luks:${uuid}`);
          const { status } = await openDevice(host, 'second');
          assert.deepEqual([status.type, status.mode, status.inUse], ['LUKS2', 'rw', false]);

          await fails(change.run(luksOpen({ device, name: 'third', mode: 'rw', key })), 'busy');
          await fails(change.run(luksOpen({ device, name: 'second', mode: 'rw', key })), 'exists');
          await fails(change.run(luksFormat({ device, version: 2, uuid, key, pbkdf })), 'busy');
          await fails(change.run(renameMapping('first', 'fourth')), 'not-found');
          await fails(change.run(renameMapping('second', dmName(vg, name))), 'exists');
          await change.run(luksClose('second'));
          assert.equal(await mappingOn(host, device), undefined);
          await fails(change.run(luksClose('second')), 'not-found');
        }, remove);
      }),
  },
];
