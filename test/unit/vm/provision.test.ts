import { beforeEach, describe, expect, test } from 'vitest';
import { planProvision, provisionVm } from '../../../src/vm/provision.ts';
import { fork } from '../../../src/simulator/fork.ts';
import type { SimulatedHost } from '../../../src/simulator/index.ts';
import { atomic, recover, vm, withBofh } from '../../../src/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { sampled } from '../../support/sampled.ts';
import { typedOn } from '../cli/support/run-verb.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { smallSystem } from '../../support/undo/stage.ts';
import { bofhOn, hostWithSource } from '../simulator/support.ts';

const provision = 'vm provision web1 /srv/web.ts';

let host: SimulatedHost;
beforeEach(async () => {
  host = hostWithSource();
  host.addTar('/srv/debian.tar', [
    ...smallSystem,
    ...['./proc/', './sys/', './dev/', './run/'].map((path) => ({ path, type: 'directory' as const })),
  ]);
  host.admin.mkdir('/mnt');
  host.admin.writeFile('/srv/web.ts', '// echo described >/etc/motd\n// echo hello >/srv/www/index\n');
  await typed(
    'vm create web1 --source tar:/srv/debian.tar --size 64m --memory 128m --swap 8m --disk data=16m,mount=/srv/www',
  );
});

const typed = (line: string, settings: Parameters<typeof testRuntime>[1] = {}) =>
  typedOn(bofhOn(host), line, settings);

function inDisk(disk: string, path: string): string {
  host.admin.mount(`/dev/vg0/web1-${disk}`, '/mnt');
  const text = host.admin.readFile(`/mnt/${path}`);
  host.admin.umount('/mnt');
  return text;
}

const volumes = () => host.world.lvm.flatMap(({ lvs }) => lvs.map(({ name }) => name)).toSorted();

describe('vm provision', () => {
  test('applies a description to the disks of a guest that is off, all but the swap', async () => {
    const before = volumes();
    const { code, stdout } = await typed(provision);

    expect([code, stdout]).toEqual([
      0,
      'web1 is as /srv/web.ts describes it\nstart it: bofh vm start web1\n',
    ]);
    expect([inDisk('root', 'etc/motd'), inDisk('data', 'index')]).toEqual(['described\n', 'hello\n']);
    expect(volumes()).toEqual(before);
    expect((await typed('vm start web1')).code).toBe(0);
  });

  test('is in the library too, and in a sequence', async () => {
    const made = await withBofh(bofhOn(host), () => vm.provision('web1', '/srv/web.ts'));
    expect(made).toEqual({ name: 'web1', volumes: ['vg0/web1-root', 'vg0/web1-data'] });
    host.admin.writeFile('/srv/web.ts', '// echo again >/etc/motd\n');
    const before = host.snapshot();

    const failed = withBofh(bofhOn(host), () =>
      atomic('test', async (tx) => {
        await tx.vm.provision('web1', '/srv/web.ts', { snapshotSize: '16m', timeoutMs: 60_000 });
        throw new Error('changed my mind');
      }),
    );

    expect(String(await rejectionOf(failed))).toContain('changed my mind');
    expect(host.snapshot()).toBe(before);
  });

  test('leaves the disks unchanged if the description fails', async () => {
    host.admin.writeFile('/srv/web.ts', '// echo half >/etc/motd\n// echo no such package\n// exit 5\n');
    const before = host.snapshot();

    expect(String(await rejectionOf(typed(provision)))).toMatch(
      /failed and was rolled back: the description \/srv\/web\.ts failed: exit 5; it said last: no such package/,
    );
    expect(host.snapshot()).toBe(before);
  });

  /** The recipe, with an act of another process while the description is applied. */
  async function during(act: () => unknown): Promise<unknown> {
    const bofh = bofhOn(host);
    const request = { description: '/srv/web.ts' };
    const plan = await planProvision({ host, site: bofh.site, name: 'web1', request });
    const { key } = await bofh.engine.on('/dev/vg0/web1-root');
    return withBofh(bofh, () =>
      atomic('test', async (tx) => {
        const script: typeof tx.copy.script = async (asked) => {
          const value = await tx.copy.script(asked);
          await act();
          return value;
        };
        await provisionVm({ ...tx, copy: { ...tx.copy, script } }, host, plan, [key]);
      }),
    );
  }

  test('locks the disks for other commands meanwhile', async () => {
    let [begin, end] = [() => {}, () => {}];
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const held = new Promise<void>((resolve) => (end = resolve));
    const work = during(() => {
      begin();
      return held;
    });
    await begun;
    const refused = await rejectionOf(typed('mount add /dev/vg0/web1-root /mnt'));
    end();
    await work;

    expect(String(refused)).toMatch(/vg0\/web1-root is in use by sequence/);
    expect(inDisk('root', 'etc/motd')).toBe('described\n');
  });

  test('is refused, and loses nothing, if another program writes to a disk meanwhile', async () => {
    const failed = during(() => {
      host.admin.mount('/dev/vg0/web1-root', '/mnt');
      host.admin.writeFile('/mnt/etc/motd', 'by hand\n');
      host.admin.umount('/mnt');
    });

    expect(String(await rejectionOf(failed))).toMatch(
      /another program wrote to \/dev\/vg0\/web1-root meanwhile: the merge would lose that/,
    );
    expect(inDisk('root', 'etc/motd')).toBe('by hand\n');
    expect(volumes().filter((name) => name.endsWith('-provision'))).toEqual([]);
  });

  test.each(['restart', 'reboot'])(
    'is undone by recovery if bofh is killed while it runs: %s',
    async (then) => {
      const before = (then === 'reboot' ? fork(host).reboot() : host).snapshot();
      host.fault({ step: 'copy.script', tool: 'unshare', mode: 'acts then crash' });
      await rejectionOf(typed(provision));
      host.clearFaults();
      host = then === 'reboot' ? host.reboot() : host.restart();

      expect(await typed('recover')).toMatchObject({ code: 0 });
      expect(host.snapshot()).toBe(before);
    },
  );

  test.each(['restart', 'reboot'])(
    'is finished by recovery if bofh is killed in the merge: %s',
    async (then) => {
      const before = volumes();
      host.fault({ tool: 'lvconvert', mode: 'acts then crash' });
      await rejectionOf(typed(provision));
      host.clearFaults();
      host = then === 'reboot' ? host.reboot() : host.restart();

      expect(await typed('recover')).toMatchObject({ code: 0 });
      expect([inDisk('root', 'etc/motd'), inDisk('data', 'index')]).toEqual(['described\n', 'hello\n']);
      expect(volumes()).toEqual(before);
    },
  );

  test('refuses a thin disk with snapshots, which could not be restored afterwards', async () => {
    host.admin.thinPool({ vg: 'vg0', name: 'pool', extents: 40 });
    await typed('vm create web2 --source tar:/srv/debian.tar --size 64m --memory 128m --thin pool');
    await typed('vm snapshot create web2 before');
    const before = host.snapshot();

    await expect(typed('vm provision web2 /srv/web.ts')).rejects.toThrow(
      'the thin volume vg0/web2-root has the snapshots vg0/web2-root-before, which could not be restored afterwards',
    );
    expect(host.snapshot()).toBe(before);
  });

  test('a dry run says that its effect is unknown', async () => {
    const before = host.snapshot();
    const { stderr } = await typed(provision, { dryRun: true });

    expect(stderr).toContain('dry run: /srv/web.ts would run in the guest: its effect is unknown');
    expect(host.snapshot()).toBe(before);
  });

  test.each<readonly [string, () => unknown, RegExp, RegExp]>([
    [
      'a guest that runs',
      () => typed('vm start web1'),
      /web1 exists as domain \d+ \(running\): its disks can be changed only while it is off/,
      /^bofh vm stop web1; then .*bofh --host root@ADDRESS host apply \/srv\/web\.ts$/,
    ],
    [
      'a guest that is mounted',
      () => typed('vm mount web1 /mnt'),
      /web1 is mounted on \/mnt/,
      /^bofh vm unmount web1$/,
    ],
    [
      'a description that is missing',
      () => host.admin.removeFile('/srv/web.ts'),
      /there is no file \/srv\/web\.ts/,
      /name one that exists/,
    ],
    [
      'a volume group without room',
      () => typed('lvm create vg0/full --extents 100%FREE'),
      /the snapshots need .* in the volume group vg0, where 0 B is free/,
      /--snapshot-size/,
    ],
  ])('refuses %s, and changes nothing', async (_, spoil, why, next) => {
    await spoil();
    const before = host.snapshot();

    const error = await rejectionOf(typed(provision));
    expect(String(error)).toMatch(why);
    expect((error as { remedy?: string }).remedy).toMatch(next);
    expect(host.snapshot()).toBe(before);
  });

  test('refuses a disk that is read-only', async () => {
    const fstab = inDisk('root', 'etc/fstab');
    const write = (text: string) => {
      host.admin.mount('/dev/vg0/web1-root', '/mnt');
      host.admin.writeFile('/mnt/etc/fstab', text);
      host.admin.umount('/mnt');
    };
    write(fstab.replace(/(\/srv\/www\s+ext4\s+)/, '$1ro,'));
    expect(String(await rejectionOf(typed(provision)))).toMatch(
      /web1 mounts \/dev\/vg0\/web1-data read-only on \/srv\/www/,
    );
  });
});

describe('a fault at each change of vm provision', () => {
  const modes = ['fails before', 'acts then fails', 'crash here', 'acts then crash'] as const;
  const changing = ['file', 'lvconvert', 'lvcreate', 'store', 'unshare'] as const;
  const cuts = {
    kill: (of: SimulatedHost) => of.restart(),
    none: (of: SimulatedHost) => of.powerCut({ keep: 'none' }),
    all: (of: SimulatedHost) => of.powerCut({ keep: 'all' }),
  };

  test.each(modes)('%s: the disks are as before, or as described', { timeout: 300_000 }, async (mode) => {
    const start = host.reboot();
    const apply = (on: SimulatedHost): Promise<unknown> =>
      withBofh(bofhOn(on), () => vm.provision('web1', '/srv/web.ts'));
    const whole = fork(start);
    await apply(whole);
    const tools = whole.points.filter(({ access }) => access === 'change').map(({ tool }) => tool);
    expect([...new Set(tools)].toSorted()).toEqual(changing);
    const ends = { before: 0, after: 0 };
    const wrong: string[] = [];
    for (const cut of mode.includes('crash') ? (['kill', 'none', 'all'] as const) : (['kill'] as const)) {
      const [before, after] = [start, whole].map((of) => cuts[cut](fork(of)).snapshot());
      for (const tool of changing) {
        const all = Array.from({ length: tools.filter((each) => each === tool).length }, (_, nth) => nth + 1);
        for (const nth of sampled(all, `${mode} ${cut} ${tool}`)) {
          const on = fork(start);
          on.fault({ tool, nth, mode });
          await apply(on).catch(() => undefined);
          on.clearFaults();
          const next = cuts[cut](on);
          await withBofh(bofhOn(next), () => recover());
          const state = next.snapshot();
          if (state === after) ends.after += 1;
          else if (state === before) ends.before += 1;
          else wrong.push(`${tool} ${String(nth)} ${cut}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(ends.before).toBeGreaterThan(0);
    expect(ends.after).toBeGreaterThan(0);
  });
});
