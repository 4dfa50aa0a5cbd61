import { beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { typed } from '../plan/support.ts';
import { testRuntime } from './support/runtime.ts';
import { runVerb } from './support/run-verb.ts';
import type { Runtime } from '../../../src/cli/runtime/runtime.ts';

const rename = (runtime: Runtime<unknown>, volume: string, to: string) =>
  runVerb(runtime, ['lvm', 'rename', volume, to]);

const config = (disk: string): string =>
  `name = "web1"\nmemory = 128\nkernel = "/vmlinuz"\ndisk = ["${disk}"]\n`;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'web-1', extents: 4 });
});

const at = (said: Parameters<typeof testRuntime>[1] = {}) => testRuntime(simulatedBofh({ host }), said);
const names = (): readonly string[] => host.world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name));

async function answered(): Promise<answers.LvmRename> {
  const { runtime, stdout } = at({ json: true });
  expect(await rename(runtime, 'vg0/web-1', 'web2')).toBe(0);
  return answers.lvmRename.parse(JSON.parse(stdout()));
}

describe('bofh lvm rename', () => {
  it('renames the volume, and prints its path', async () => {
    const { uuid = '' } = host.world.lvm[0]?.lvs[0] ?? {};

    expect(await answered()).toEqual({
      ...{ volume: 'vg0/web2', was: 'vg0/web-1', uuid, path: '/dev/vg0/web2' },
      ...{ namedIn: [], unread: [] },
    });
    expect(names()).toEqual(['web2']);
  });

  it('prints text', async () => {
    const { runtime, stdout } = at();

    await rename(runtime, 'vg0/web-1', 'web2');

    expect(stdout()).toBe('vg0/web-1 is renamed to vg0/web2\n');
  });

  it('writes a line to the system log, also when it is refused', async () => {
    const { runtime } = at();
    const lines: string[] = [];
    host.faults.watch(({ tool, stdin }) => {
      if (tool === 'logger') lines.push(stdin?.trimEnd() ?? '');
    });

    await rename(runtime, 'vg0/web-1', 'web2');
    await expect(rename(runtime, 'vg0/web-1', 'web2')).rejects.toBeInstanceOf(RefusedError);

    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/: done$/);
    expect(lines[1]).toMatch(/exit 1: .*no logical volume vg0\/web-1/);
  });

  it('writes fields to the systemd journal, and no foreign text can forge one', async () => {
    host.admin.writeFile('/run/systemd/journal/socket', '');
    const { runtime } = at();
    const calls: { readonly argv: readonly string[]; readonly fields: readonly string[] }[] = [];
    host.faults.watch(({ tool, argv, stdin }) => {
      if (tool === 'logger') calls.push({ argv, fields: stdin?.trimEnd().split('\n') ?? [] });
    });

    await rename({ ...runtime, recorded: ['bofh', 'a\nPRIORITY=0'] }, 'vg0/web-1', 'web2');

    const [only, ...more] = calls;
    expect(more).toEqual([]);
    expect(only?.argv).toEqual(['--journald']);
    const [message, ...fields] = only?.fields ?? [];
    expect(message).toMatch(/^MESSAGE=.*: done$/);
    expect(fields).toEqual([
      ...['PRIORITY=5', 'SYSLOG_FACILITY=1', 'SYSLOG_IDENTIFIER=bofh', `SYSLOG_PID=${String(process.pid)}`],
      ...['BOFH_VERB=lvm rename', expect.stringMatching(/^BOFH_USER=.+/) as unknown],
      expect.stringMatching(/^BOFH_SEQUENCE=[0-9a-f]{12}$/) as unknown,
    ]);
  });

  it.each([
    ['/dev/vg0/web-1', 'phy:/dev/vg0/web-1,xvda,w'],
    ['/dev/mapper/vg0-web--1', '/dev/mapper/vg0-web--1,,xvda'],
    ['/dev/vg0/web-1', 'vdev=xvda, target=vg0/web-1'],
  ])('names the guest whose configuration has %s as a disk: %s', async (path, disk) => {
    host.admin.writeFile('/etc/xen/web1.cfg', config(disk));
    host.admin.writeFile('/etc/xen/web9.cfg', config('phy:/dev/vg0/web-10,xvda,w').replace('web1', 'web9'));

    expect((await answered()).namedIn).toEqual([{ file: '/etc/xen/web1.cfg', path, guest: 'web1' }]);
  });

  it('names /etc/fstab where it has the old path as a device, and ignores comments', async () => {
    host.admin.writeFile(
      '/etc/fstab',
      '# /dev/vg0/web-1 was here\n\nUUID=x / ext4 defaults 0 1\n  /dev/mapper/vg0-web--1\t/srv ext4 nofail 0 2\n',
    );

    expect((await answered()).namedIn).toEqual([
      { file: '/etc/fstab', path: '/dev/mapper/vg0-web--1', guest: null },
    ]);
  });

  it('names /etc/crypttab where it has the old path as a device, and ignores comments', async () => {
    host.admin.writeFile(
      '/etc/crypttab',
      '# web1 /dev/vg0/web-1\n#web1 /dev/vg0/web-1 none\n\n/dev/vg0/web-1 UUID=x none\n web1\t/dev/vg0/web-1 none luks\n',
    );

    expect((await answered()).namedIn).toEqual([
      { file: '/etc/crypttab', path: '/dev/vg0/web-1', guest: null },
    ]);
  });

  it('says that an unreadable configuration may contain it', async () => {
    host.admin.writeFile('/etc/xen/web1.cfg', 'name = \n');

    const { unread } = await answered();

    expect(unread).toHaveLength(1);
    expect(unread[0]).toContain('/etc/xen/web1.cfg');
  });

  it('prints the same as text, in the run and in the plan; the plan changes nothing', async () => {
    host.admin.writeFile('/etc/xen/web1.cfg', config('phy:/dev/vg0/web-1,xvda,w'));
    host.admin.writeFile('/etc/fstab', '/dev/vg0/web-1 /srv ext4 defaults 0 2\n');
    host.admin.writeFile('/etc/xen/web2.cfg', 'name = \n');
    const before = host.snapshot();
    const said = [
      /web1 does not start until you replace \/dev\/vg0\/web-1 by \/dev\/vg0\/web2 in \/etc\/xen\/web1\.cfg$/m,
      /\/etc\/fstab names/,
      /web2\.cfg.*unknown whether it names the volume/,
    ];

    const planned = await typed(host, ['--dry-run', 'lvm', 'rename', 'vg0/web-1', 'web2']);
    expect(host.snapshot()).toBe(before);
    const done = await typed(host, ['lvm', 'rename', 'vg0/web-1', 'web2']);

    expect(planned.stdout).toContain('lvrename');
    for (const words of said) {
      expect(planned.stderr).toMatch(words);
      expect(done.stdout).toMatch(words);
    }
    expect(names()).toEqual(['web2']);
  });

  it.each(['web-1', 'vg0/', '/dev/vg0/web-1', 'vg0/web-1/x', ''])(
    'refuses "%s" as a volume',
    async (volume) => {
      await expect(rename(at().runtime, volume, 'web2')).rejects.toBeInstanceOf(UsageError);
    },
  );

  it('needs root', async () => {
    const { runtime } = at();

    await expect(rename({ ...runtime, root: false }, 'vg0/web-1', 'web2')).rejects.toThrow(/only root/);

    expect(names()).toEqual(['web-1']);
  });
});
