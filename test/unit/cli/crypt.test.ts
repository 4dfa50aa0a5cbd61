import { describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { CommandError, DiffersError, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { understood } from '../../../src/simulator/run.ts';
import { headerOf, luksDevices } from '../../../src/crypt/index.ts';
import { recorded } from '../blockdevice/fixtures.ts';
import { withUnreadable } from '../blockdevice/unreadable.ts';
import { typed } from '../plan/support.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';
import { blankVolume, device, encrypted, programsOf, uuid } from '../crypt/support.ts';

const said = async (host: SimulatedHost, line: string): Promise<string> =>
  (await typed(host, ['--json', ...line.split(' ')])).stdout;
const inWords = async (host: SimulatedHost, line: string): Promise<string> =>
  (await typed(host, line.split(' '))).stdout;

describe('bofh crypt list', () => {
  it('has every encrypted device, open or closed', async () => {
    const host = encrypted();
    host.admin.lvcreate({ vg: 'vg0', name: 'other', extents: 16 });
    const other = uuid.replace('5', '6');
    host.admin.luksFormat({ device: '/dev/vg0/other', uuid: other, key: 'x', label: 'backup' });
    host.admin.luksOpen('/dev/vg0/other', 'backup');

    const list = answers.cryptList.parse(JSON.parse(await said(host, 'crypt list')));

    expect(list).toEqual([
      {
        device: '/dev/mapper/vg0-web1',
        uuid,
        label: null,
        open: null,
        size: null,
        mode: null,
        unreadable: null,
      },
      {
        ...{ device: '/dev/mapper/vg0-other', uuid: other, label: 'backup', open: '/dev/mapper/backup' },
        ...{ size: 48 * 1024 ** 2, mode: 'rw', unreadable: null },
      },
    ]);
    expect(await inWords(host, 'crypt list')).toMatch(/\/dev\/mapper\/vg0-web1 +5e1f\S+ +closed\b/);
  });

  it('leaves out a drive without a medium that reports a size, also where it is the only other one', async () => {
    const blank = encrypted();
    blank.admin.lvcreate({ vg: 'vg0', name: 'empty', extents: 16 });
    const host: SimulatedHost = {
      ...blank,
      run: async (command) => {
        if (!command.argv.includes('/dev/dm-1')) return blank.run(command);
        const stderr = `${command.tool}: error: /dev/dm-1: No medium found\n`;
        if (command.tool === 'blkid') return understood(command, { exitCode: 2, stdout: '', stderr });
        throw new CommandError({ tool: command.tool, argv: command.argv, reason: 'unknown', stderr });
      },
    };

    const list = answers.cryptList.parse(JSON.parse(await said(host, 'crypt list')));

    expect(list).toMatchObject([{ device: '/dev/mapper/vg0-web1', unreadable: null }]);
    expect(await luksDevices(host)).toHaveLength(1);
  });

  it('lists an unreadable device as such, and the others too', async () => {
    const blank = encrypted();
    blank.admin.lvcreate({ vg: 'vg0', name: 'bad', extents: 16 });
    const host = withUnreadable(blank, '/dev/dm-1');

    const list = answers.cryptList.parse(JSON.parse(await said(host, 'crypt list')));

    expect(list).toMatchObject([
      { device: '/dev/mapper/vg0-web1', uuid, unreadable: null },
      {
        device: '/dev/mapper/vg0-bad',
        uuid: null,
        unreadable: expect.stringContaining('Input/output error') as string,
      },
    ]);
    const { stdout, stderr } = await typed(host, ['crypt', 'list']);
    expect(stdout).toMatch(/\/dev\/mapper\/vg0-bad +- +unreadable\b/);
    expect(stderr).toContain('/dev/mapper/vg0-bad: cannot tell whether it is encrypted');
    await expect(luksDevices(host)).rejects.toThrow(
      /cannot tell whether \/dev\/mapper\/vg0-bad is encrypted/,
    );
    await expect(headerOf(host, '/dev/vg0/bad')).rejects.toThrow(/Input\/output error/);
  });

  it.each(['timeout', 'not-found', 'unknown'] as const)(
    'lists the others when reading one device fails: %s',
    async (reason) => {
      const blank = encrypted();
      blank.admin.lvcreate({ vg: 'vg0', name: 'bad', extents: 16 });
      const run: SimulatedHost['run'] = async (command) => {
        if (['blkid', 'wipefs'].includes(command.tool) && command.argv.includes('/dev/dm-1'))
          throw new CommandError({ tool: 'blkid', argv: command.argv, reason });
        return blank.run(command);
      };
      const list = answers.cryptList.parse(JSON.parse(await said({ ...blank, run }, 'crypt list')));
      expect(list).toMatchObject([
        { device: '/dev/mapper/vg0-web1', uuid, unreadable: null },
        { device: '/dev/mapper/vg0-bad', unreadable: expect.stringContaining('blkid') as string },
      ]);
    },
  );

  it.each([
    ['not one device may be read', ''],
    ['only a drive without a medium can be told', '/dev/vdb'],
  ])('fails where %s', async (_, empty) => {
    const host = encrypted();
    const run: SimulatedHost['run'] = async (command) => {
      if (command.tool !== 'blkid') return host.run(command);
      const device = command.argv.at(-1) ?? '';
      const noMedium = { exitCode: 2, stdout: '', stderr: `blkid: error: ${device}: No medium found\n` };
      return understood(command, device === empty ? noMedium : recorded('blkid/not-root@2.38.1'));
    };
    await expect(typed({ ...host, run }, ['crypt', 'list'])).rejects.toThrow(/Permission denied/);
  });

  it('is empty where there is none', async () => {
    expect(JSON.parse(await said(blankVolume(), 'crypt list'))).toEqual([]);
    expect((await typed(blankVolume(), ['crypt', 'list'])).stderr).toContain('no encrypted device');
  });
});

describe('bofh crypt show and status', () => {
  it.each([1, 2] as const)('report a LUKS%d device', async (version) => {
    const host = encrypted(version);
    host.admin.luksOpen(device, 'mine');

    const dump = answers.cryptShow.parse(JSON.parse(await said(host, `crypt show ${device}`)));
    const status = answers.cryptStatus.parse(JSON.parse(await said(host, 'crypt status mine')));

    expect(dump).toMatchObject({ version, uuid, keySlots: [{ slot: 0, kdf: 'pbkdf2', memory: null }] });
    expect(status).toMatchObject({
      path: '/dev/mapper/mine',
      type: `LUKS${version}`,
      uuid,
      mode: 'rw',
      inUse: false,
    });
    expect(await inWords(host, `crypt show ${device}`)).toContain(`LUKS${version} ${uuid}\n`);
    expect(await inWords(host, 'crypt status /dev/mapper/mine')).toContain('/dev/mapper/mine: LUKS');
  });

  it('are refused for other devices', async () => {
    await expect(said(blankVolume(), `crypt show ${device}`)).rejects.toThrow(
      /not a LUKS device: nothing is on it/,
    );
    await expect(said(blankVolume(), 'crypt status mine')).rejects.toThrow(
      /no encrypted device is open as mine/,
    );
  });
});

describe('bofh crypt format and open', () => {
  it('create a device, open it, and report its parameters', async () => {
    const host = blankVolume();

    const format = answers.cryptFormat.parse(
      JSON.parse(
        await said(host, `crypt format ${device} --key file:/etc/key --pbkdf-memory 32m --uuid ${uuid}`),
      ),
    );
    const open = answers.cryptOpen.parse(
      JSON.parse(await said(host, `crypt open ${device} --key file:/etc/key`)),
    );

    expect(format).toEqual({
      device,
      uuid,
      type: 'luks2',
      pbkdf: 'argon2id',
      pbkdfMemory: 32 * 1024 ** 2,
      header: null,
    });
    expect(open).toEqual({
      device,
      name: 'vg0-web1-luks',
      path: '/dev/mapper/vg0-web1-luks',
      adopted: false,
    });
    expect(await inWords(host, `crypt open ${device} --key file:/etc/key`)).toBe(
      `${device} was open already: /dev/mapper/vg0-web1-luks\n`,
    );
  });

  it('ask before data is lost, and do nothing without confirmation', async () => {
    const host = encrypted();

    await expect(
      said(host, `crypt format ${device} --key file:/etc/key --overwrite ${uuid}`),
    ).rejects.toThrow(RefusedError);
    expect(programsOf(host)).toEqual([]);
    await said(host, `--yes crypt format ${device} --key file:/etc/key --overwrite ${uuid}`);
    expect(programsOf(host)).toHaveLength(2);
  });

  it.each([
    [`crypt format ${device} --key geheim`, '--key geheim: must be file:/PATH, command:/PROGRAM'],
    [`crypt format ${device} --key file:/etc/key --type luks3`, '--type luks3: must be luks2 or luks1'],
    [
      `crypt format ${device} --key file:/etc/key --pbkdf argon2i`,
      '--pbkdf argon2i: must be argon2id or pbkdf2',
    ],
  ])('refuse "%s"', async (line, words) => {
    const error: unknown = await said(blankVolume(), line).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain(words);
  });
});

describe('bofh crypt close and resize', () => {
  it('shrinks it, says when there is nothing to do, and closes it', async () => {
    const host = encrypted();
    host.admin.luksOpen(device, 'mine');
    const resize = async (words: string) =>
      answers.cryptResize.parse(
        JSON.parse(await said(host, `--yes crypt resize ${words} --key file:/etc/key`)),
      );

    expect(await resize('mine 16m')).toEqual({
      ...{ name: 'mine', path: '/dev/mapper/mine', was: 48 * 1024 ** 2, size: 16 * 1024 ** 2 },
    });
    expect(await inWords(host, 'crypt resize mine 16m --key file:/etc/key')).toBe(
      '/dev/mapper/mine has 16 MiB already\n',
    );
    expect(await resize('mine')).toMatchObject({ size: 48 * 1024 ** 2 });
    expect(answers.cryptClose.parse(JSON.parse(await said(host, 'crypt close mine')))).toEqual({
      name: 'mine',
    });
    expect(host.world.mappings).toEqual([]);
  });
});

describe('bofh crypt resize to less', () => {
  const mib = 1024 ** 2;
  const line = 'crypt resize mine 16m --key file:/etc/key';
  function holding(type: 'ext4' | 'vfat' | undefined, mebibytes = 40): SimulatedHost {
    const host = encrypted();
    host.admin.luksOpen(device, 'mine');
    const made = { usage: 'filesystem', uuid: uuid.replace('5', '6'), version: '1.0' } as const;
    const superblock = type === undefined ? undefined : { ...made, type, blocks: mebibytes * 256 };
    host.admin.format('/dev/mapper/mine', superblock);
    return host;
  }

  it('asks when the size of its content is unknown, and does nothing without confirmation', async () => {
    const host = holding(undefined);

    await expect(said(host, line)).rejects.toThrow(/needs confirmation/);
    expect(programsOf(host)).toEqual([]);
    await said(host, `--yes ${line}`);
    expect(host.world.mappings).toMatchObject([{ size: 16 * mib }]);
  });

  it('does not ask when its content ends before', async () => {
    const host = holding('ext4', 16);

    await said(host, line);

    expect(host.world.mappings).toMatchObject([{ size: 16 * mib }]);
  });

  it.each(['ext4', 'vfat'] as const)('is refused under %s, also with --yes', async (type) => {
    const host = holding(type);

    const error: unknown = await said(host, `--yes ${line}`).catch((thrown: unknown) => thrown);

    expect(String(error)).toContain(
      `there is ${type} on /dev/mapper/mine, which this command does not shrink`,
    );
    expect((error as RefusedError).remedy).toContain('bofh block resize /dev/mapper/mine 16777216');
    expect(programsOf(host)).toEqual([]);
  });
});

describe('bofh crypt format --overwrite', () => {
  it.each([
    ['its uuid', { type: 'ext4', usage: 'filesystem', uuid: uuid.replace('5', '6') }, uuid.replace('5', '6')],
    ['its type, when it has no uuid', { type: 'swap', usage: 'other' }, 'swap'],
  ] as const)('accepts %s, which the refusal names', async (_, superblock, named) => {
    const host = blankVolume();
    host.admin.format(device, superblock);
    const line = `--yes crypt format ${device} --key file:/etc/key`;

    const error: unknown = await said(host, line).catch((thrown: unknown) => thrown);
    expect((error as RefusedError).remedy).toContain(named);
    await expect(said(host, `${line} --overwrite xfs`)).rejects.toThrow(/overwrite names something else/);
    expect(programsOf(host)).toEqual([]);
    await said(host, `${line} --overwrite ${named}`);

    expect(await inWords(host, `crypt show ${device}`)).toContain('LUKS2');
  });
});

describe('bofh crypt add-key, change-key and remove-key', () => {
  it('print the slot of the key, and ask before one is destroyed', async () => {
    const host = encrypted();
    const answer = async (line: string) => answers.cryptKey.parse(JSON.parse(await said(host, line)));
    const keys = '--key file:/etc/key --new-key file:/etc/other-key';

    const cost = '--pbkdf argon2id --pbkdf-memory 64m --pbkdf-time 500';
    expect(await answer(`crypt add-key ${device} ${keys} --slot 4 ${cost}`)).toEqual({ device, slot: 4 });
    const { keySlots } = answers.cryptShow.parse(JSON.parse(await said(host, `crypt show ${device}`)));
    expect(keySlots.at(-1)).toMatchObject({ slot: 4, kdf: 'argon2id', memory: 64 * 1024 ** 2 });
    await expect(said(host, `crypt remove-key ${device} 0`)).rejects.toThrow(RefusedError);
    expect(await answer(`--yes crypt remove-key ${device} 0`)).toEqual({ device, slot: 0 });
    expect(
      await answer(`crypt change-key ${device} --key file:/etc/other-key --new-key file:/etc/key`),
    ).toEqual({
      ...{ device, slot: 0 },
    });
    await expect(said(host, `--yes crypt remove-key ${device} zero`)).rejects.toThrow(
      new UsageError('slot zero: must be the number of a key slot'),
    );
  });
});

describe('bofh crypt erase', () => {
  it('leaves a device that no key opens: --ensure says that it differs', async () => {
    const host = encrypted();
    await said(host, `--yes crypt erase ${device} ${uuid}`);

    const error = await rejectionOf(said(host, `crypt format ${device} --ensure --key file:/etc/key`));

    expect(error).toBeInstanceOf(DiffersError);
    expect(String(error)).toContain('another key');
  });

  it('asks, and then destroys every key of the device that is named twice', async () => {
    const host = encrypted();
    const line = `crypt erase ${device} ${uuid}`;

    await expect(said(host, line)).rejects.toThrow(RefusedError);
    expect(programsOf(host)).toEqual([]);
    expect(answers.cryptErase.parse(JSON.parse(await said(host, `--yes ${line}`)))).toEqual({ device, uuid });
    expect(await inWords(host, `crypt show ${device}`)).toContain('no key slot: nothing opens it');
  });
});

describe('bofh crypt reencrypt', () => {
  it('asks, reencrypts, and reports the slot of the key', async () => {
    const host = encrypted();
    const line = `crypt reencrypt ${device} --key file:/etc/key`;

    await expect(said(host, line)).rejects.toThrow(RefusedError);
    expect(programsOf(host)).toEqual([]);
    const made = answers.cryptReencrypt.parse(
      JSON.parse(await said(host, `--yes ${line} --cipher aes-cbc-essiv:sha256 --key-size 256`)),
    );
    expect(made).toEqual({ device, uuid, cipher: 'aes-cbc-essiv:sha256', slot: 1 });
    expect(await inWords(host, `--yes ${line}`)).toContain('backups of its header are useless');
  });

  it('refuses wrong values', async () => {
    const line = `--yes crypt reencrypt ${device} --key file:/etc/key`;

    await expect(said(encrypted(), `${line} --key-size many`)).rejects.toThrow(
      '--key-size many: must be a number of bits',
    );
    await expect(said(encrypted(), `${line} --resilience none`)).rejects.toThrow(
      '--resilience none: must be checksum or journal',
    );
  });

  it('show and status report that it is running', async () => {
    const host = encrypted();
    host.admin.luksReencrypt({ device, key: 'geheim', done: 1024 ** 2, torn: true });
    const dump = answers.cryptShow.parse(JSON.parse(await said(host, `crypt show ${device}`)));

    expect(dump.reencryption).toMatchObject({ mode: 'reencrypt', done: 1024 ** 2, torn: true });
    expect(dump.keySlots).toMatchObject([{ opens: 'data' }, { opens: 'data' }]);
    expect(await inWords(host, `crypt show ${device}`)).toContain(
      'reencryption with aes-xts-plain64 is running or was interrupted: 1 MiB done; a part',
    );
    host.admin.luksOpen(device, 'mine');
    expect(await inWords(host, 'crypt status mine')).toContain('reencryption is running or was interrupted');
    expect(JSON.parse(await said(host, 'crypt status mine'))).toMatchObject({ isReencrypted: true });
  });
});

describe('bofh crypt header', () => {
  it('saves a header that can be dumped, and prints what the file is', async () => {
    const host = encrypted();
    const line = `crypt header backup ${device} /srv/header`;

    const made = answers.cryptHeaderBackup.parse(JSON.parse(await said(host, line)));

    expect(made).toMatchObject({ device, file: '/srv/header', uuid });
    expect(await said(host, 'crypt show /srv/header')).toBe(await said(host, `crypt show ${device}`));
    await expect(said(host, line)).rejects.toThrow(/exists already/);
    host.admin.removeFile('/srv/header');
    expect(await inWords(host, line)).toContain('protect it like a key');
  });

  it('restores one after confirmation, and names what it replaces', async () => {
    const host = encrypted();
    await said(host, `crypt header backup ${device} /srv/header`);
    host.admin.luksFormat({ device, uuid, key: 'anders' });
    const line = `crypt header restore ${device} /srv/header`;

    await expect(said(host, line)).rejects.toThrow(RefusedError);
    const made = answers.cryptHeaderRestore.parse(JSON.parse(await said(host, `--yes ${line}`)));

    expect(made).toEqual({ device, file: '/srv/header', uuid, was: uuid });
    expect(await said(host, 'crypt show /srv/header')).toBe(await said(host, `crypt show ${device}`));
    expect(await inWords(host, `--yes ${line} --overwrite ${uuid}`)).toContain(`LUKS ${uuid}`);
  });
});

describe('bofh crypt with --header', () => {
  it('creates a device with its header in a file, opens it, and changes its keys there', async () => {
    const host = blankVolume();
    const header = '--header /srv/header --key file:/etc/key';

    const made = JSON.parse(await said(host, `crypt format ${device} ${header} --uuid ${uuid}`)) as unknown;
    await said(host, `crypt add-key ${device} ${header} --new-key file:/etc/other-key`);
    await said(host, `--yes crypt remove-key ${device} 0 --header /srv/header`);
    const dump = answers.cryptShow.parse(
      JSON.parse(await said(host, `crypt show ${device} --header /srv/header`)),
    );
    await said(host, `crypt open ${device} --header /srv/header --key file:/etc/other-key --name mine`);

    expect(answers.cryptFormat.parse(made)).toMatchObject({ device, uuid, header: '/srv/header' });
    expect(dump).toMatchObject({ uuid, keySlots: [{ slot: 1 }] });
    expect(JSON.parse(await said(host, 'crypt status mine'))).toMatchObject({ uuid, offset: 0 });
    await said(host, `--yes crypt resize mine 16m --header /srv/header --key file:/etc/other-key`);
    expect(host.world.mappings).toMatchObject([{ size: 16 * 1024 ** 2 }]);
    await said(host, 'crypt close mine');
    expect(host.world.mappings).toEqual([]);
    await said(host, `--yes crypt erase ${device} ${uuid} --header /srv/header`);
    expect(await inWords(host, 'crypt show /srv/header')).toContain('no key slot: nothing opens it');
  });

  it.each([
    `crypt format ${device}`,
    `crypt open ${device}`,
    'crypt resize mine 16m',
    `crypt add-key ${device}`,
    `crypt change-key ${device}`,
    `crypt remove-key ${device} 0`,
    `crypt erase ${device} ${uuid}`,
  ])('does not look for "%s" in the current directory of this host for another one', async (verb) => {
    const host = blankVolume();

    const error: unknown = await said(host, `--host web2 ${verb} --header keys/header`).catch(
      (thrown: unknown) => thrown,
    );

    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toContain('"keys/header" is relative, but there is no current directory on web2');
    expect(programsOf(host)).toEqual([]);
  });
});

it.each([
  ['', '/dev/vg0/web1 will be overwritten, and its current content will be lost: ext4'],
  ['--header /root/new.header ', 'will be overwritten when it is open and something writes to it'],
])('bofh crypt format %sasks about the content that --overwrite names', async (header, question) => {
  const { runtime, stderr } = testRuntime(simulatedBofh({ host: blankVolume() }), {}, ['n']);
  const line = `crypt format ${device} --key file:/etc/key ${header}--overwrite ext4`;
  await expect(runVerb(runtime, line)).rejects.toThrow('was not confirmed');
  expect(stderr()).toContain(question);
});
