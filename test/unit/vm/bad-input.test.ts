import { beforeEach, describe, expect, it } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import { BofhError, RefusedError, UsageError } from '../../../src/core/errors.ts';
import { parseSite } from '../../../src/site.ts';
import { filesystem } from '../../../src/index.ts';
import {
  simulatedBofh,
  simulatedHost,
  type SimulatedHost,
  type TarMember,
} from '../../../src/simulator/index.ts';
import { parseSize } from '../../../src/core/units.ts';
import { planCreate } from '../../../src/vm/create.ts';
import type { CheckedCreate } from '../../../src/vm/create-request.ts';
import { planRemove } from '../../../src/vm/remove.ts';

const mib = 1024 ** 2;
const site = parseSite(
  { volumeGroup: 'vg0', guestKernel: '/boot/vmlinuz', guestRamdisk: '/boot/initrd' },
  'the test',
);

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.addTar('/srv/root.tar', [{ path: 'etc/', type: 'directory' }]);
  for (const path of ['/boot/vmlinuz', '/boot/initrd']) host.admin.writeFile(path, 'x');
});

/** What a request is refused with; the host must be as before. */
async function refusal(changes: Partial<CheckedCreate>, of = site): Promise<BofhError> {
  const before = host.snapshot();
  const error = await planCreate({
    host,
    site: of,
    request: {
      name: 'web1',
      source: { type: 'tar', path: '/srv/root.tar' },
      size: 64 * mib,
      swap: 16 * mib,
      memory: 64 * mib,
      vcpus: 1,
      type: 'pv',
      start: false,
      ...changes,
    },
  }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(host.snapshot()).toBe(before);
  expect(host.changes).toEqual([]);
  if (!(error instanceof BofhError)) throw new Error(`not refused, or not in a sentence: ${String(error)}`);
  // One sentence each: no stack, no newline, no object.
  expect(error.message).not.toMatch(/\n|\[object|undefined/);
  return error;
}

describe('a directory of configurations that is', () => {
  it.each([
    [
      'missing',
      '/etc/guests',
      'there is no directory /etc/guests',
      /^create it: mkdir --parents \/etc\/guests; or/,
    ],
    [
      'a file',
      '/boot/initrd',
      '/boot/initrd is a file, not a directory',
      /^set guestConfigDirs in the site file/,
    ],
  ])('%s', async (_, directory, message, remedy) => {
    expect(await refusal({}, { ...site, guestConfigDirs: [directory] })).toMatchObject({
      message: expect.stringContaining(message) as string,
      remedy: expect.stringMatching(remedy) as string,
    });
  });
});

describe('an invalid name of a guest', () => {
  it.each([
    'a/b',
    '..',
    '.',
    '-web1',
    'web 1',
    '"web1"',
    "web'1",
    '',
    'w'.repeat(200),
    'wéb',
    'web1\n',
    '$(reboot)',
    'web_1;reboot',
    'web1-',
  ])('%j is refused before the host is read', async (name) => {
    expect(await refusal({ name })).toBeInstanceOf(UsageError);
  });

  it.each(['snapshot1', 'pvmove0'])('"%s" starts with a word that lvm reserves', async (name) => {
    expect((await refusal({ name })).message).toMatch(/reserved by lvm/);
  });

  it('is refused when its volumes would have a name that lvm reserves', async () => {
    const reserving = parseSite(
      { ...site, diskNaming: { root: '{name}_mlog', swap: '{name}-swap' } },
      'the test',
    );
    const request = {
      name: 'web1',
      source: { type: 'tar', path: '/srv/root.tar' },
      size: 64 * mib,
      swap: 0,
    } as const;
    await expect(
      planCreate({
        host,
        site: reserving,
        request: { ...request, memory: 64 * mib, vcpus: 1, type: 'pv', start: false },
      }),
    ).rejects.toThrow(/"_mlog" in them are reserved/);
  });
});

describe('a size', () => {
  it.each(['10x', '-1', '0'])('"%s" is refused', (text) => {
    expect(() => parseSize(text)).toThrow(UsageError);
  });

  it('larger than the free space is refused, with both numbers in bytes and extents', async () => {
    const { message } = await refusal({ size: 900 * 1024 ** 3 });
    expect(message).toMatch(/has .+ free \(\d+ extents\), but .+ \(\d+ extents\) are needed/);
  });

  it('is refused when root and swap fit separately, but not together', async () => {
    const free = (await import('../../../src/lvm/index.ts')).vgs;
    const [vg] = await free(host);
    const most = vg?.free ?? 0;
    expect((await refusal({ size: most - 8 * mib, swap: 16 * mib })).message).toMatch(/extents\) are needed/);
  });

  it('that is too small for the archive is refused', async () => {
    host.addTar('/srv/big.tar', [{ path: 'big', content: 'x'.repeat(20 * mib) }]);
    const { message } = await refusal({ source: { type: 'tar', path: '/srv/big.tar' }, size: 16 * mib });
    expect(message).toMatch(/unpacks to 20 MiB, which does not fit into size 16 MiB/);
  });
});

describe('a source', () => {
  const from = async (path: string): Promise<string> =>
    (await refusal({ source: { type: 'tar', path } })).message;
  const archive = async (...members: readonly TarMember[]): Promise<string> => {
    host.addTar('/srv/bad.tar', members);
    return from('/srv/bad.tar');
  };

  it('that is missing is named', async () =>
    expect(await from('/srv/none.tar')).toMatch(/there is no file \/srv\/none\.tar/));
  it('that is a directory is named', async () =>
    expect(await from('/srv')).toMatch(/is not a file but a directory/));
  it('that is empty is refused', async () => {
    host.admin.writeFile('/srv/empty.tar', '');
    expect(await from('/srv/empty.tar')).toMatch(/is empty/);
  });
  it('that is no tar is refused', async () => {
    host.admin.writeFile('/srv/text.tar', 'not an archive\n'.repeat(100));
    expect(await from('/srv/text.tar')).toMatch(/is not a tar archive/);
  });
  it('with an absolute member is refused', async () =>
    expect(await archive({ path: '/etc/passwd', content: 'x' })).toMatch(/\/etc\/passwd/));
  it('with a member that leaves the root by .. is refused', async () =>
    expect(await archive({ path: 'a/../../etc/passwd', content: 'x' })).toMatch(/\.\./));
  it('with a member written through a link to the outside is refused', async () =>
    expect(
      await archive({ path: 'out', type: 'symlink', target: '/etc' }, { path: 'out/passwd', content: 'x' }),
    ).toMatch(/out/));
});

describe('an existing object', () => {
  it('a logical volume of that name is named with its UUID', async () => {
    const { uuid } = host.admin.lvcreate({ vg: 'vg0', name: 'web1-swap', extents: 2 });
    expect((await refusal({})).message).toContain(`vg0/web1-swap already (8 MiB, uuid ${uuid})`);
  });

  it('a config file of that name is named', async () => {
    host.admin.writeFile('/etc/xen/web1.cfg', "name = 'other'\nmemory = 64\n");
    expect((await refusal({})).message).toContain('/etc/xen/web1.cfg exists already');
  });

  it('a guest of that name in another file is named', async () => {
    host.admin.writeFile('/etc/xen/old.cfg', "name = 'web1'\nmemory = 64\n");
    expect((await refusal({})).message).toContain(
      'the guest web1 is configured already, in /etc/xen/old.cfg',
    );
  });

  it('a domain of that name is named', async () => {
    const { uuid } = host.admin.startDomain({ name: 'web1' });
    expect((await refusal({})).message).toContain(
      `there is a domain web1 already (id 1, uuid ${uuid}, running)`,
    );
  });

  it('a config file that is no xl.cfg could contain the name, so it is refused with its line', async () => {
    host.admin.writeFile('/etc/xen/odd.cfg', "name = 'a'\nmemory = = 3\n");
    expect((await refusal({})).message).toMatch(
      /cannot check whether it has the same name or address: .*odd\.cfg:2: /,
    );
  });

  it('all problems are listed at once', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'web1-root', extents: 2 });
    const error = await refusal({
      source: { type: 'tar', path: '/none' },
      kernel: '/no',
      ramdisk: '/no',
      bridge: 'br9',
    });
    expect(error).toBeInstanceOf(RefusedError);
    for (const part of ['web1-root', '/none', '/no', 'br9']) expect(error.message).toContain(part);
  });
});

describe('other options of a request', () => {
  it.each([
    [{ vcpus: 0 }, /vcpus 0/],
    [{ vcpus: 1.5 }, /vcpus 1\.5/],
    [{ memory: 4 * mib }, /at least 16 MiB/],
    [{ size: mib }, /^size has 1 MiB; ext4 needs 2 MiB: below 2 MiB it has no journal$/],
    // Large enough for a journal: only the group is refused.
    [{ size: 2 * mib, vg: 'nope' }, /^there is no volume group "nope"/],
    [{ kernel: '/boot/vmlinuz' }, /pass both kernel and ramdisk/],
    [{ vg: 'nope' }, /there is no volume group "nope"/],
    [{ vg: '../x' }, /cannot be the name of a volume group/],
    [{ mac: '00:16:3e:00:00:01' }, /mac needs bridge/],
    [{ mac: 'zz', bridge: 'xenbr0' }, /six pairs of hexadecimal digits/],
    [{ mac: '01:16:3e:00:00:01', bridge: 'xenbr0' }, /multicast/],
    [{ bridge: 'a name with spaces' }, /cannot be the name of a network interface/],
    [{ memory: 900 * 1024 * mib, start: true }, /MiB of memory, but only \d+ MiB are free/],
  ])('%j is refused', async (changes, message) => {
    expect((await refusal(changes)).message).toMatch(message);
  });

  it('asks for a larger size, not for a larger device', async () => {
    expect((await refusal({ size: mib })).remedy).toBe('request a larger size');
    host.admin.mkdir('/srv');
    const image = { file: '/srv/a.img', size: mib, type: 'ext4' } as const;
    await expect(
      withBofh(simulatedBofh({ host }), () => filesystem.createImage(image)),
    ).rejects.toMatchObject({
      remedy: 'request a larger size, or another filesystem type',
    });
  });

  it('asks for a volume group where none exists', async () => {
    await expect(
      planCreate({
        host,
        site: parseSite({ guestKernel: '/boot/vmlinuz', guestRamdisk: '/boot/initrd' }, 'the test'),
        request: {
          name: 'web1',
          source: { type: 'tar', path: '/srv/root.tar' },
          size: 64 * mib,
          swap: 0,
          memory: 64 * mib,
          vcpus: 1,
          type: 'pv',
          start: false,
        },
      }),
    ).rejects.toThrow(/^no volume group given: use vg, or set volumeGroup in the site file/);
  });
});

describe('a guest to destroy', () => {
  const destroy = (name: string, running: 'refuse' | 'shutdown' = 'refuse') =>
    planRemove({ host, site, name, running });
  const config = (name: string, disk: string): void =>
    host.admin.writeFile(
      `/etc/xen/${name}.cfg`,
      `name = '${name}'\nmemory = 64\ndisk = ['phy:${disk},xvda,w']\n`,
    );

  it('is refused when missing', async () => {
    await expect(destroy('none')).rejects.toThrow(/no guest none is configured in \/etc\/xen/);
  });

  it('that runs is refused, with the two ways to stop it', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 2 });
    config('web1', '/dev/vg0/a');
    host.admin.startDomain({ name: 'web1' });
    await expect(destroy('web1')).rejects.toMatchObject({
      remedy: expect.stringMatching(/'shutdown'.*'destroy'/) as string,
    });
  });

  it('whose disk belongs to another guest too is refused, naming that', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'shared', extents: 2 });
    config('web1', '/dev/vg0/shared');
    config('web2', '/dev/mapper/vg0-shared');
    await expect(destroy('web1')).rejects.toThrow(/is also a disk of the guest web2/);
  });

  it('that is paused cannot be shut down', async () => {
    host.admin.lvcreate({ vg: 'vg0', name: 'a', extents: 2 });
    config('web1', '/dev/vg0/a');
    host.admin.startDomain({ name: 'web1', state: 'paused' });
    await expect(destroy('web1', 'shutdown')).rejects.toThrow(/the domain web1 \(id 1\) is paused/);
  });
});
