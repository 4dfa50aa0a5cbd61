import { describe, expect, it } from 'vitest';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { headerOf } from '../../../src/crypt/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { blankVolume, device, encrypted, on, programsOf, undone, uuid } from './support.ts';

const file = '/srv/web1.header';

const backup = (host: SimulatedHost, path = file) =>
  on(host, (tx) => tx.crypt.backupHeader({ device, file: path }));

async function refused(host: SimulatedHost, path = file): Promise<string> {
  const before = host.snapshot();
  const error = await rejectionOf(backup(host, path));
  expect(host.snapshot()).toBe(before);
  return String(error);
}

/** Private names that are left beside the file. */
const left = async (host: SimulatedHost) =>
  (await host.readDir('/srv')).filter((name) => name.startsWith('.bofh-'));

describe('crypt.header.backup', () => {
  it.each([1, 2] as const)(
    'saves the header of a LUKS%d device, which only its owner can read',
    async (version) => {
      const host = encrypted(version);

      const made = await backup(host);

      expect(made).toEqual({ file, uuid, size: (await host.stat(file))?.size });
      expect(await host.stat(file)).toMatchObject({ mode: 0o600, links: 1 });
      expect(await headerOf(host, file)).toEqual(await headerOf(host, device));
      expect(await left(host)).toEqual([]);
      expect(programsOf(host).map((line) => line.replace(/bofh\.[0-9a-f]+/, 'MARK'))).toEqual([
        `cryptsetup luksHeaderBackup ${device} --header-backup-file /srv/.bofh-MARK.1`,
        'chmod 0600 /srv/.bofh-MARK.1',
      ]);
    },
  );

  it('is undone with the sequence, and leaves nothing behind', async () => {
    const host = encrypted();
    const before = host.snapshot();

    await undone(host, (tx) => tx.crypt.backupHeader({ device, file }));

    expect(host.snapshot()).toBe(before);
  });

  it('keeps the saved header out of the journal', async () => {
    const host = encrypted();
    const salt = (await headerOf(host, device)).keySlots[0]?.salt ?? 'none';
    let journal = '';
    await on(host, async (tx) => {
      await tx.crypt.backupHeader({ device, file });
      const { store } = simulatedBofh({ host }).engine;
      for (const name of store.names('.').filter((each) => each.endsWith('.journal')))
        journal += Buffer.from(store.open(name)?.read() ?? []).toString();
    });

    expect(journal).toContain('crypt.header.backup');
    expect(journal).not.toContain(salt);
  });

  it('leaves a replaced or edited file alone', async () => {
    const replaced = encrypted();
    const edited = encrypted();

    await undone(replaced, async (tx) => {
      await tx.crypt.backupHeader({ device, file });
      replaced.admin.removeFile(file);
      replaced.admin.writeFile(file, 'theirs');
    });
    await undone(edited, async (tx) => {
      await tx.crypt.backupHeader({ device, file });
      edited.admin.writeFile(file, 'theirs');
    });

    for (const host of [replaced, edited]) {
      expect(host.admin.readFile(file)).toBe('theirs');
      expect(await left(host)).toEqual([]);
    }
  });

  it('refuses an existing file, a missing directory, and a device without a header', async () => {
    const taken = encrypted();
    taken.admin.writeFile(file, 'theirs');

    expect(await refused(taken)).toContain(`${file} exists already`);
    expect(await refused(encrypted(), '/nowhere/header')).toContain('there is no directory /nowhere');
    expect(await refused(blankVolume())).toContain('is not a LUKS device');
  });

  it('replaces no file that appears meanwhile', async () => {
    const host = encrypted();
    const end = host.faults.watch(({ tool, argv }) => {
      if (tool === 'file' && argv[0] === 'link') host.admin.writeFile(file, 'theirs');
    });

    const error = await rejectionOf(backup(host));
    end();

    expect(String(error)).toContain(`${file} exists already`);
    expect(host.admin.readFile(file)).toBe('theirs');
    expect(await left(host)).toEqual([]);
  });
});
