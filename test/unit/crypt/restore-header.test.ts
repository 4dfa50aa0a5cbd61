import { describe, expect, it } from 'vitest';
import { StuckError } from '../../../src/core/errors.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { headerOf } from '../../../src/crypt/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import {
  blankVolume,
  contentOf,
  device,
  encrypted,
  key,
  on,
  otherKey,
  programsOf,
  refusalOf,
  undone,
  uuid,
} from './support.ts';

const file = '/srv/web1.header';
const other = uuid.replace('5', '6');

/** A device whose keys were changed since its header was saved. */
function changed(version: 1 | 2 = 2): SimulatedHost {
  const host = encrypted(version);
  host.admin.luksHeaderBackup(device, file);
  host.admin.luksFormat({ device, uuid, key: 'anders', version });
  return host;
}

const restore = (host: SimulatedHost, overwrite?: string) =>
  on(host, (tx) =>
    tx.crypt.restoreHeader({ device, file, ...(overwrite === undefined ? {} : { overwrite }) }),
  );

const refused = async (host: SimulatedHost, overwrite?: string): Promise<string> =>
  String(await refusalOf(host, () => restore(host, overwrite)));

const saved = async (host: SimulatedHost) => host.readDir('/var/lib/bofh/headers');

describe('crypt.header.restore', () => {
  it.each([1, 2] as const)('restores the keys of a backup to a LUKS%d device', async (version) => {
    const host = changed(version);

    const made = await restore(host);

    expect(made).toEqual({ file, uuid, was: uuid });
    expect(await headerOf(host, device)).toEqual(await headerOf(host, file));
    expect(await saved(host)).toEqual([]);
    await on(host, (tx) => tx.crypt.open({ device, key, name: 'web1' }));
  });

  it('keeps the former header for root alone until the commit, and restores it', async () => {
    const host = changed();
    const before = host.snapshot();

    await undone(host, async (tx) => {
      await tx.crypt.restoreHeader({ device, file });
      const [name = ''] = await saved(host);
      expect(await host.stat(`/var/lib/bofh/headers/${name}`)).toMatchObject({ mode: 0o600 });
      expect(await host.stat('/var/lib/bofh/headers')).toMatchObject({ mode: 0o700 });
    });

    expect(host.snapshot()).toBe(before);
  });

  it('works with later steps on its keys, completed or undone', async () => {
    const kept = changed();
    const failed = changed();
    const before = failed.snapshot();
    const body = async (tx: Parameters<Parameters<typeof on>[1]>[0]) => {
      await tx.crypt.restoreHeader({ device, file });
      await tx.crypt.addKey({ device, key, newKey: otherKey });
    };

    await on(kept, body);
    await undone(failed, body);

    expect(contentOf(kept)?.luks?.slots).toHaveLength(2);
    expect(await saved(kept)).toEqual([]);
    expect(failed.snapshot()).toBe(before);
  });

  it('is stuck when the keys were changed since, and says where the old header is', async () => {
    const host = changed();

    const error = await rejectionOf(
      undone(host, async (tx) => {
        await tx.crypt.restoreHeader({ device, file });
        host.admin.luksFormat({ device, uuid, key: 'theirs' });
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('has another header now');
    expect(await saved(host)).toHaveLength(1);
  });

  it('is stuck when the device was opened since', async () => {
    const host = changed();

    const error = await rejectionOf(
      undone(host, async (tx) => {
        await tx.crypt.restoreHeader({ device, file });
        host.admin.luksOpen(device, 'theirs');
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain('beneath /dev/mapper/theirs');
  });

  it('replaces the header of another device, or another volume key, only when named', async () => {
    const another = changed();
    another.admin.luksFormat({ device, uuid: other, key: 'anders' });
    const rekeyed = changed();
    rekeyed.admin.luksFormat({ device, uuid, key: 'anders', volumeKey: 'another' });

    expect(await refused(another)).toContain(
      `is a backup of the LUKS device ${uuid}, and ${device} is ${other}`,
    );
    expect(await refused(another, uuid)).toContain(`is the LUKS device ${other}, not ${uuid}`);
    expect(await refused(rekeyed)).toContain('with another volume key');
    expect(await restore(another, other)).toEqual({ file, uuid, was: other });
    expect(await restore(rekeyed, uuid)).toEqual({ file, uuid, was: uuid });
  });

  it('refuses an open device, one without a header, and one of another version', async () => {
    const open = changed();
    open.admin.luksOpen(device, 'mine');
    const mounted = blankVolume();
    mounted.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid });
    const version = changed();
    version.admin.luksFormat({ device, uuid, key: 'anders', version: 1 });

    expect(await refused(open)).toContain('is in use: beneath /dev/mapper/mine');
    expect(await refused(mounted)).toContain('is not a LUKS device: it holds ext4');
    expect(await refused(version, uuid)).toContain('is a backup of LUKS2, and /dev/vg0/web1 is LUKS1');
  });

  it('refuses a missing file, one without a header, and a truncated one', async () => {
    const missing = encrypted();
    const none = encrypted();
    none.admin.writeFile(file, 'a letter');
    const torn = changed();
    torn.admin.writeFile(file, torn.admin.readFile(file).slice(0, -9));

    expect(await refused(missing)).toContain(`${file} is not a file with a backup`);
    expect(await refused(none)).toContain('is not a LUKS device: nothing is on it');
    expect(await refused(torn)).toContain(`the backup ${file} is incomplete`);
  });

  it('does nothing when the file or the device was replaced since the intent', async () => {
    for (const meddle of [
      (host: SimulatedHost) => host.admin.luksFormat({ device, uuid, key: 'theirs' }),
      (host: SimulatedHost) => host.admin.luksHeaderBackup(device, file),
    ]) {
      const host = changed();
      let synced = 0;
      const end = host.faults.watch(({ tool, argv: [verb] }) => {
        if (tool !== 'store' || verb !== 'datasync') return;
        synced += 1;
        // The intent.
        if (synced === 1) meddle(host);
      });

      const error = await rejectionOf(restore(host));
      end();

      expect(String(error)).toMatch(/nothing was written/);
      expect(programsOf(host)).toEqual([]);
    }
  });
});
