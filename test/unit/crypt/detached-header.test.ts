import { describe, expect, it } from 'vitest';
import * as block from '../../../src/api/block.ts';
import { recover } from '../../../src/api/recover.ts';
import { type Answer, inShell } from '../../../src/command/index.ts';
import { withBofh } from '../../../src/bofh.ts';
import { RefusedError, StuckError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { headerOf, mappings } from '../../../src/crypt/index.ts';
import { recoverAll } from '../../../src/simulator/matrix/trial.ts';
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

const header = '/srv/web1.header';
const asked = { device, header, key, uuid } as const;

const format = (host: SimulatedHost, more = {}) =>
  on(host, (tx) => tx.crypt.formatDetached({ ...asked, ...more }));

/** A blank volume, and a header for it in a file. */
function detached(): SimulatedHost {
  const host = encrypted();
  host.admin.luksHeaderBackup(device, header);
  host.admin.format(device, undefined);
  return host;
}

/** The same host, but the second copy of the header in a file, or on the device, is damaged. */
function damaging(host: SimulatedHost, path: string): SimulatedHost {
  const run: SimulatedHost['run'] = async (command) => {
    const answer = await host.run(command);
    const isMeant = path === device ? command.tool === 'dd' : command.argv.includes(path);
    if (!isMeant || !isAnswer(answer)) return answer;
    // A byte after the metadata: od prints 16 bytes in a line of 49 characters.
    const at = command.tool === 'dd' ? 24_576 : (24_576 / 16) * 49 + 1;
    return { ...answer, stdout: `${answer.stdout.slice(0, at)}1${answer.stdout.slice(at + 1)}` };
  };
  return { ...host, run };
}

function isAnswer(answer: unknown): answer is Answer {
  return typeof answer === 'object' && answer !== null && 'stdout' in answer;
}

const refused = async (host: SimulatedHost, more = {}): Promise<string> =>
  String(await refusalOf(host, () => format(host, more)));

describe('crypt.format.detached', () => {
  it.each(['luks1', 'luks2'] as const)(
    'creates a %s header in a file, and writes nothing to the device',
    async (type) => {
      const host = blankVolume();

      const made = await format(host, { type });

      expect(made).toMatchObject({ uuid, type, header });
      expect(await host.stat(header)).toMatchObject({ mode: 0o600, links: 1 });
      expect(await headerOf(host, header)).toMatchObject({ uuid, keySlots: [{ slot: 0 }] });
      expect(contentOf(host)?.superblock).toBeUndefined();
      expect(await host.readDir('/srv')).toEqual(['web1.header']);
    },
  );

  it('is undone with its file, also changes that later steps made in it', async () => {
    const host = blankVolume();
    const before = host.snapshot();

    await undone(host, async (tx) => {
      await tx.crypt.formatDetached(asked);
      await tx.crypt.addKey({ device: header, key, newKey: otherKey });
      await tx.crypt.open({ device, header, key, name: 'web1' });
    });

    expect(host.snapshot()).toBe(before);
  });

  it('continues without its private name after the commit', async () => {
    const host = blankVolume();

    await on(host, async (tx) => {
      await tx.crypt.formatDetached(asked);
      await tx.crypt.changeKey({ device: header, key, newKey: otherKey });
    });

    expect((await headerOf(host, header)).keySlots).toHaveLength(1);
    expect(await host.readDir('/srv')).toEqual(['web1.header']);
  });

  it.each(['', 'zeros'])('killed while the new file has only %j is undone', async (content) => {
    const host = blankVolume();
    const before = host.snapshot();
    host.fault({ tool: 'cryptsetup', argvIncludes: 'luksFormat', mode: 'acts then crash' });
    await rejectionOf(format(host));
    host.clearFaults();
    const after = host.restart();
    const [name = ''] = await after.readDir('/srv');
    after.admin.writeFile(`/srv/${name}`, content, 0o600);

    expect(await recoverAll(after)).toEqual({ how: 'done' });

    expect(after.snapshot()).toBe(before);
  });

  it('leaves a replaced file alone', async () => {
    const host = blankVolume();

    await undone(host, async (tx) => {
      await tx.crypt.formatDetached(asked);
      host.admin.removeFile(header);
      host.admin.writeFile(header, 'theirs');
    });

    expect(host.admin.readFile(header)).toBe('theirs');
    expect(await host.readDir('/srv')).toEqual(['web1.header']);
  });

  it('is stuck while the device is open, because it could not be opened again', async () => {
    const host = blankVolume();

    const error = await rejectionOf(
      undone(host, async (tx) => {
        await tx.crypt.formatDetached(asked);
        host.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid });
        host.admin.mkdir('/mnt/theirs');
        host.admin.mount(device, '/mnt/theirs');
      }),
    );

    expect(error).toBeInstanceOf(StuckError);
    expect(await host.stat(header)).toBeDefined();
  });

  it('refuses an existing file, a device with content or in use, and a device that is too small', async () => {
    const taken = blankVolume();
    taken.admin.writeFile(header, 'theirs');
    const filled = blankVolume();
    filled.admin.format(device, { type: 'ext4', usage: 'filesystem', uuid: uuid.replace('5', '6') });
    const open = encrypted();
    open.admin.luksOpen(device, 'mine');

    expect(await refused(taken)).toContain(`${header} exists already`);
    expect(await refused(filled)).toContain('holds ext4');
    expect(await refused(open)).toContain('is in use: beneath /dev/mapper/mine');
    expect(await refused(blankVolume(), { header: '/nowhere/header' })).toContain('there is no directory');
    expect((await format(filled, { overwrite: { uuid: uuid.replace('5', '6') } })).uuid).toBe(uuid);
    expect(contentOf(filled)?.superblock?.type).toBe('ext4');
  });
});

describe('crypt.open by a header in a file', () => {
  it('opens the whole device, is adopted, and undone', async () => {
    const host = detached();
    const before = host.snapshot();

    await undone(host, (tx) => tx.crypt.open({ device, header, key, name: 'web1' }));
    expect(host.snapshot()).toBe(before);
    await on(host, (tx) => tx.crypt.open({ device, header, key, name: 'web1' }));
    const again = await on(host, (tx) => tx.crypt.open({ device, header, key }));

    expect(again).toMatchObject({ name: 'web1', adopted: true });
    expect(await mappings(host)).toMatchObject([{ name: 'web1', luksUuid: uuid, size: 64 * 1024 ** 2 }]);
  });

  it('refuses a file without a header, and a device that is open with another one', async () => {
    const none = detached();
    none.admin.writeFile(header, 'a letter');
    const other = detached();
    await on(other, (tx) => tx.crypt.open({ device, header, key, name: 'web1' }));
    other.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 16 });
    other.admin.luksFormat({ device: '/dev/vg0/other', uuid: uuid.replace('5', '6'), key: 'geheim' });
    other.admin.luksHeaderBackup('/dev/vg0/other', '/srv/other.header');

    const open = (host: SimulatedHost, file: string) =>
      rejectionOf(on(host, (tx) => tx.crypt.open({ device, header: file, key })));

    expect(String(await open(none, header))).toContain('is not a LUKS device: nothing is on it');
    expect(String(await open(other, '/srv/other.header'))).toContain('with another header');
  });

  it('is closed after the commit, but not by a step that would have to reopen it', async () => {
    const host = detached();
    await on(host, (tx) => tx.crypt.open({ device, header, key, name: 'web1' }));

    const error = await rejectionOf(on(host, (tx) => tx.crypt.close({ name: 'web1', key })));
    await on(host, (tx) => tx.crypt.closeAfterCommit({ name: 'web1' }));

    expect(String(error)).toContain('an undo could not open it again');
    expect(host.world.mappings).toEqual([]);
  });
});

describe('a damaged copy of the header, which cryptsetup would overwrite', () => {
  it.each([
    ['open', header, (tx: Tx) => tx.crypt.open({ device, header, key })],
    ['resize', header, (tx: Tx) => tx.crypt.resize({ name: 'web1', key, header })],
    ['open the device with', device, (tx: Tx) => tx.crypt.open({ device, key })],
    ['restore', '/srv/backup', (tx: Tx) => tx.crypt.restoreHeader({ device, file: '/srv/backup' })],
  ] as readonly (readonly [string, string, (tx: Tx) => Promise<unknown>])[])(
    'refuses to %s %s',
    async (what, path, work) => {
      const host = path === header ? detached() : encrypted();
      if (what === 'restore') host.admin.luksHeaderBackup(device, '/srv/backup');
      if (what === 'resize') await on(host, (tx) => tx.crypt.open({ device, header, key, name: 'web1' }));

      const error = await rejectionOf(on(damaging(host, path), work));

      expect(String(error)).toContain(`the second copy of the LUKS2 header of ${path} is damaged`);
    },
  );
});

describe('crypt.resize by a header in a file', () => {
  const mib = 1024 ** 2;
  const consent = { shrink: 'lose the data beyond the new size' } as const;
  async function opened(): Promise<SimulatedHost> {
    const host = detached();
    await on(host, (tx) => tx.crypt.open({ device, header, key, name: 'web1' }));
    return host;
  }
  const sizeOf = (host: SimulatedHost) => (host.world.mappings[0]?.size ?? 0) / mib;

  it('shrinks and grows it, and is undone', async () => {
    const host = await opened();
    const before = host.snapshot();

    await undone(host, (tx) => tx.crypt.resize({ name: 'web1', size: 16 * mib, key, header, ...consent }));
    expect(host.snapshot()).toBe(before);
    await on(host, (tx) => tx.crypt.resize({ name: 'web1', size: 16 * mib, key, header, ...consent }));
    expect(sizeOf(host)).toBe(16);
    await on(host, (tx) => tx.crypt.resize({ device, key, header }));

    expect(sizeOf(host)).toBe(64);
    expect(programsOf(host).at(-1)).toBe(
      `cryptsetup resize --device-size 67108864 --header ${header} --key-file=- web1`,
    );
  });

  it('accepts a key of that file only', async () => {
    const host = await opened();

    await rejectionOf(
      on(host, (tx) => tx.crypt.resize({ name: 'web1', size: 16 * mib, key: otherKey, header, ...consent })),
    );

    expect(sizeOf(host)).toBe(64);
  });

  it('is refused without the file, with another one, and with one of a device that has its own', async () => {
    const host = await opened();
    host.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 16 });
    host.admin.luksFormat({ device: '/dev/vg0/other', uuid: uuid.replace('5', '6'), key: 'geheim' });
    host.admin.luksHeaderBackup('/dev/vg0/other', '/srv/other.header');
    host.admin.luksOpen('/dev/vg0/other', 'other');
    const resize = async (more: { readonly name?: string; readonly header?: string }) => {
      const asked = { name: 'web1', size: 16 * mib, key, ...consent, ...more };
      return String(await rejectionOf(on(host, (tx) => tx.crypt.resize(asked))));
    };

    expect(await resize({})).toContain('the header that it was opened with is not on');
    expect(await resize({ header: '/srv/other.header' })).toContain('was opened with another header');
    expect(await resize({ name: 'other', header: '/srv/other.header' })).toContain(
      'not in /srv/other.header',
    );
    expect(sizeOf(host)).toBe(64);
  });
});

describe('crypt.erase of a header in a file', () => {
  it('destroys its keys after the commit, while no device is open with it', async () => {
    const host = detached();
    await on(host, (tx) => tx.crypt.open({ device, header, key, name: 'web1' }));

    const error = await rejectionOf(on(host, (tx) => tx.crypt.erase({ device: header, uuid })));
    expect(String(error)).toContain(
      `${header} is the header of a device that is in use: open as /dev/mapper/web1`,
    );
    expect((await headerOf(host, header)).keySlots).toHaveLength(1);

    await on(host, (tx) => tx.crypt.closeAfterCommit({ name: 'web1' }));
    await undone(host, (tx) => tx.crypt.erase({ device: header, uuid }));
    expect((await headerOf(host, header)).keySlots).toHaveLength(1);
    await on(host, (tx) => tx.crypt.erase({ device: header, uuid }));
    expect((await headerOf(host, header)).keySlots).toEqual([]);
  });

  it('is not finished while the file is missing', async () => {
    const host = detached();
    host.fault({ tool: 'cryptsetup', argvIncludes: 'luksErase', mode: 'crash here' });
    await rejectionOf(on(host, (tx) => tx.crypt.erase({ device: header, uuid })));
    host.clearFaults();
    const after = host.restart();
    after.admin.removeFile(header);

    const ended = await recoverAll(after);

    expect(ended).toMatchObject({ how: 'thrown' });
    expect(String('error' in ended ? ended.error : '')).toContain(`the header file ${header} is missing`);
  });
});

describe('an operation without support for a header in a file', () => {
  const file = '/srv/copy';
  it.each([
    [
      'saving it',
      'to back it up, copy the file',
      (tx: Tx) => tx.crypt.backupHeader({ device: header, file }),
    ],
    ['putting it back', 'only to a device', (tx: Tx) => tx.crypt.restoreHeader({ device: header, file })],
    [
      'reencrypting',
      'bofh reencrypts only a device',
      (tx: Tx) => tx.crypt.reencrypt({ device: header, key }),
    ],
  ] as const)('%s: is refused, with what to do', async (_, words, act) => {
    const host = detached();
    host.admin.writeFile(file + (words.startsWith('a copy') ? '.there' : ''), host.admin.readFile(header));
    const before = host.snapshot();

    const error = await rejectionOf(on<unknown>(host, act));

    expect(error).toBeInstanceOf(RefusedError);
    expect(String(error)).toContain(words);
    expect((error as RefusedError).remedy).toMatch(/^cp |: cp |^cryptsetup reencrypt --header /);
    expect(host.snapshot()).toBe(before);
  });

  it('of the device itself asks for the file', async () => {
    const error = await rejectionOf(
      on(detached(), (tx) => tx.crypt.backupHeader({ device, file: '/srv/copy' })),
    );

    expect((error as RefusedError).remedy).toContain('for a detached header, name its file');
  });

  it('block resize says how to resize each layer', async () => {
    const host = detached();
    await on(host, (tx) => tx.crypt.open({ device, header, key, name: 'web1' }));

    const error = await rejectionOf(
      withBofh(simulatedBofh({ host }), () => block.resize({ device, to: { by: 64 * 1024 ** 2 }, key })),
    );

    expect(String(error)).toContain('is open as /dev/mapper/web1 with a detached header');
    expect((error as RefusedError).remedy).toContain('bofh crypt resize /dev/mapper/web1 SIZE --header FILE');
    expect((error as RefusedError).remedy).not.toContain('--bare');
  });
});

describe('the keys of a header in a file', () => {
  it('are added, changed and removed, and undone', async () => {
    const host = detached();
    const before = host.snapshot();

    await undone(host, (tx) => tx.crypt.addKey({ device: header, key, newKey: otherKey }));
    expect(host.snapshot()).toBe(before);
    await on(host, (tx) => tx.crypt.addKey({ device: header, key, newKey: otherKey, slot: 4 }));
    await on(host, (tx) => tx.crypt.removeKey({ device: header, slot: 0 }));

    expect((await headerOf(host, header)).keySlots.map(({ slot }) => slot)).toEqual([4]);
    expect(contentOf(host)?.superblock).toBeUndefined();
  });

  it('of another file under its name are unchanged', async () => {
    const host = detached();

    await undone(host, async (tx) => {
      await tx.crypt.addKey({ device: header, key, newKey: otherKey });
      const copy = host.admin.readFile(header);
      host.admin.removeFile(header);
      host.admin.writeFile('/srv/other', 'takes the inode');
      host.admin.writeFile(header, copy);
    });

    expect((await headerOf(host, header)).keySlots).toHaveLength(2);
  });

  it('stay to be removed while the file is missing, as on a drive that was unplugged', async () => {
    const host = detached();
    let away = '';

    const error = await rejectionOf(
      undone(host, async (tx) => {
        await tx.crypt.addKey({ device: header, key, newKey: otherKey });
        away = host.admin.readFile(header);
        host.admin.removeFile(header);
      }),
    );
    expect(error).toBeInstanceOf(StuckError);
    expect(String(error)).toContain(`the header file ${header} is missing`);

    // The simulated host has no way to move a file, so it is another one now.
    host.admin.writeFile('/srv/other', 'takes the inode');
    host.admin.writeFile(header, away);
    const recovered = await withBofh(simulatedBofh({ host }), () => recover());
    expect(JSON.stringify(recovered)).toContain(`${header} is another file now`);
  });
});

describe('keys of a LUKS device that got another UUID', () => {
  const other = uuid.replace('5', '6');
  const setUuid = (host: SimulatedHost): void => {
    const content = contentOf(host);
    if (content?.superblock !== undefined) Object.assign(content.superblock, { uuid: other });
  };

  it.each([
    ['added', (tx: Tx) => tx.crypt.addKey({ device, key, newKey: otherKey })],
    ['changed', (tx: Tx) => tx.crypt.changeKey({ device, key, newKey: otherKey })],
  ])('are reported as left by the undo: %s', async (_, act) => {
    const host = encrypted();
    const error = await rejectionOf(
      on(host, async (tx) => {
        await act(tx);
        setUuid(host);
        throw new Error('the script failed');
      }),
    );
    expect(JSON.stringify(error)).toContain(`is the LUKS device ${other} now`);
  });
});

describe('a remedy', () => {
  it.each([
    [
      'cp --preserve=mode',
      (tx: Tx, file: string) => tx.crypt.backupHeader({ device: file, file: '/srv/a b' }),
    ],
    ['crypt show', (tx: Tx, file: string) => tx.crypt.removeKey({ device: file, slot: 5 })],
    ['add-key', (tx: Tx, file: string) => tx.crypt.removeKey({ device: file, slot: 0 })],
  ] as const)('%s quotes the path of a header file with a blank', async (words, act) => {
    const host = encrypted();
    const file = "/srv/web 1's.header";
    host.admin.luksHeaderBackup(device, file);

    const error = await rejectionOf(on<unknown>(host, (tx) => act(tx, file)));

    const { remedy = '' } = error instanceof RefusedError ? error : {};
    expect(remedy).toContain(words);
    expect(remedy).not.toContain(` ${file}`);
    expect(remedy).toContain(inShell(file));
    if (words.startsWith('cp')) expect(remedy).toContain(` ${inShell('/srv/a b')}`);
  });
});
