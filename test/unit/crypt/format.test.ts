import { describe, expect, it } from 'vitest';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { blankVolume, contentOf, device, key, on, programsOf, refusalOf, undone, uuid } from './support.ts';

const other = '5e1f0000-0000-4000-8000-0000000000bb';
const ext4 = { type: 'ext4', usage: 'filesystem', uuid: other, version: '1.0' } as const;

/** The refusal, which must have changed nothing. */
const refused = (host: SimulatedHost, args: object) =>
  refusalOf(host, () => on(host, (tx) => tx.crypt.format({ device, key, ...args })));

describe('crypt.format', () => {
  it('creates a LUKS2 device with the UUID and the label, and reports its parameters', async () => {
    const host = blankVolume();

    const made = await on(host, (tx) => tx.crypt.format({ device, key, uuid, label: 'web' }));

    expect(made).toEqual({ uuid, type: 'luks2', pbkdf: 'argon2id', pbkdfMemory: 256 * 1024 ** 2 });
    expect(contentOf(host)?.superblock).toMatchObject({
      type: 'crypto_LUKS',
      uuid,
      label: 'web',
      version: '2',
    });
    expect(programsOf(host)).toEqual([
      `cryptsetup luksFormat --batch-mode --type luks2 --uuid ${uuid} --label web --pbkdf argon2id --pbkdf-memory 262144 --key-file=- ${device}`,
    ]);
  });

  it('creates a LUKS1 device, with pbkdf2 and without a label', async () => {
    const host = blankVolume();

    const made = await on(host, (tx) =>
      tx.crypt.format({ device, key, uuid, type: 'luks1', pbkdfTimeMs: 50 }),
    );

    expect(made).toEqual({ uuid, type: 'luks1', pbkdf: 'pbkdf2' });
    expect(programsOf(host)).toEqual([
      `cryptsetup luksFormat --batch-mode --type luks1 --uuid ${uuid} --pbkdf pbkdf2 --iter-time 50 --key-file=- ${device}`,
    ]);
  });

  it('chooses a UUID when none is given, a new one each time', async () => {
    const one = await on(blankVolume(), (tx) => tx.crypt.format({ device, key }));
    const two = await on(blankVolume(), (tx) => tx.crypt.format({ device, key }));

    expect(one.uuid).toMatch(/^[0-9a-f-]{36}$/);
    expect(one.uuid).not.toBe(two.uuid);
  });

  it('is undone to a blank device, by wiping the signatures of LUKS only', async () => {
    const host = blankVolume();
    const before = host.snapshot();

    await undone(host, (tx) => tx.crypt.format({ device, key }));

    expect(host.snapshot()).toBe(before);
    expect(programsOf(host).at(-1)).toBe(`wipefs --all --types crypto_LUKS ${device}`);
  });

  it('is undone with its volume; a filesystem in it is undone while the device is open', async () => {
    const host = blankVolume();
    const before = host.snapshot();

    await undone(host, async (tx) => {
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'new', size: '64m' });
      await tx.crypt.format({ device: lv.path, key });
      const { path } = await tx.crypt.open({ device: lv.path, key });
      await tx.filesystem.create({ device: path, type: 'ext4' });
    });

    expect(host.snapshot().replace(/^durable .*\n/gm, '')).toBe(before.replace(/^durable .*\n/gm, ''));
    expect(
      programsOf(host)
        .slice(-4)
        .map((line) => line.split(' ')[0]),
    ).toEqual(['wipefs', 'cryptsetup', 'lvchange', 'lvremove']);
  });

  it('overwrites exactly the named content, and wipes it first', async () => {
    const host = blankVolume();
    host.admin.format(device, ext4);

    await on(host, (tx) => tx.crypt.format({ device, key, uuid, overwrite: { uuid: other } }));

    expect(contentOf(host)?.superblock?.uuid).toBe(uuid);
    expect(programsOf(host)[0]).toBe(`wipefs --all ${device}`);
  });

  it.each([
    ['nothing is named', undefined],
    ['something else is named', { uuid }],
    ['another type is named', { type: 'xfs' }],
  ])('refuses a device with content when %s', async (_, overwrite) => {
    const host = blankVolume();
    host.admin.format(device, ext4);

    const error = await refused(host, overwrite === undefined ? {} : { overwrite });

    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({ message: expect.stringContaining(`ext4, uuid ${other}`) as string });
  });

  it('refuses to overwrite content that does not exist', async () => {
    expect(String(await refused(blankVolume(), { overwrite: { uuid: other } }))).toContain('is blank');
  });

  it('refuses a device in use, and names the holders', async () => {
    const host = blankVolume();
    host.admin.format(device, ext4);
    host.admin.mkdir('/mnt/x');
    host.admin.mount(device, '/mnt/x');

    expect(String(await refused(host, { overwrite: { uuid: other } }))).toContain('mounted on /mnt/x');
  });

  it('refuses a device that is too small for data, and says the minimum', async () => {
    const host = blankVolume(4);

    expect(String(await refused(host, {}))).toContain('its header takes 16 MiB');
    await expect(on(host, (tx) => tx.crypt.format({ device, key, type: 'luks1' }))).resolves.toMatchObject({
      type: 'luks1',
    });
  });

  it('uses no more memory than the host has, and refuses a larger request', async () => {
    const host = blankVolume();

    expect(String(await refused(host, { pbkdfMemory: '2g' }))).toContain('768 MiB is available');
    expect(await on(host, (tx) => tx.crypt.format({ device, key, pbkdfMemory: '64m' }))).toMatchObject({
      pbkdfMemory: 64 * 1024 ** 2,
    });
  });

  it.each([
    [{ type: 'luks1', label: 'x' }, 'no label'],
    [{ type: 'luks1', pbkdf: 'argon2id' }, 'only pbkdf2'],
    [{ pbkdf: 'pbkdf2', pbkdfMemory: '1m' }, 'no memory'],
    [{ label: 'ü'.repeat(24) }, '47 bytes'],
    [{ overwrite: {} }, 'must name'],
    [{ uuid, overwrite: { uuid } }, 'must not have the uuid'],
    [{ key: { from: 'file', path: 'key' } }, 'absolute path'],
    [{ key: 'geheim' }, 'key'],
  ])('refuses %j', async (args, words) => {
    const error = await refused(blankVolume(), args);

    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain(words);
  });

  it('first refuses a missing key', async () => {
    const host = blankVolume();
    host.admin.writeFile('/etc/empty', '');

    expect(String(await refused(host, { key: { from: 'file', path: '/etc/none' } }))).toContain(
      'does not exist',
    );
    expect(String(await refused(host, { key: { from: 'file', path: '/etc/empty' } }))).toContain('is empty');
    expect(String(await refused(host, { key: { from: 'file', path: '/etc' } }))).toContain(
      'is not a regular file',
    );
  });

  it('does not overwrite content that appeared between the locks and the act', async () => {
    const host = blankVolume();
    let probes = 0;
    host.faults.watch(({ tool }) => {
      // The third look is the one right before luksFormat.
      if (tool === 'blkid' && (probes += 1) === 3) host.admin.format(device, ext4);
    });

    const error = await rejectionOf(on(host, (tx) => tx.crypt.format({ device, key })));

    expect(String((error as Error).cause ?? error)).toContain('nothing was written');
    expect(contentOf(host)?.superblock?.uuid).toBe(other);
  });

  it('recognises the header of a killed luksFormat, and removes it', async () => {
    const host = blankVolume();
    host.fault({ tool: 'cryptsetup', argvIncludes: 'luksFormat', mode: 'acts then killed' });
    const before = host.snapshot();

    await rejectionOf(on(host, (tx) => tx.crypt.format({ device, key })));

    expect(host.snapshot()).toBe(before);
  });

  it('leaves alone content that replaced it', async () => {
    const host = blankVolume();

    await undone(host, async (tx) => {
      await tx.crypt.format({ device, key });
      host.admin.luksFormat({ device, uuid: other, key: 'theirs' });
    });

    expect(contentOf(host)?.superblock?.uuid).toBe(other);
  });

  it('notices a luksFormat without a key slot', async () => {
    const host = blankVolume();
    host.faults.watch(({ tool, argv }) => {
      if (tool !== 'dd' || !argv.some((word) => word.startsWith('if='))) return;
      const [storage, content] = [...host.world.live].find(([, { luks }]) => luks !== undefined) ?? [];
      if (storage !== undefined && content !== undefined)
        host.world.live.set(storage, { ...content, luks: { slots: [] } });
    });

    const error = await rejectionOf(on(host, (tx) => tx.crypt.format({ device, key })));

    expect(String((error as Error).cause)).toContain('has 0 keys');
    expect(contentOf(host)?.superblock).toBeUndefined();
  });

  it('is missing on a host without the device', async () => {
    await expect(on(simulatedHost(), (tx) => tx.crypt.format({ device, key }))).rejects.toThrow();
  });
});
