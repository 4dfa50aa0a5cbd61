import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Answer, Command } from '../../../src/command/index.ts';
import { simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';

type Recorded = Answer & { readonly argv: readonly [Command<unknown>['tool'], ...string[]] };
/** Words of the recording, and what they are on the simulated host. */
type Called = Readonly<Record<string, string>>;

const uuid = '11111111-2222-3333-4444-555555555555';

const twoGroups = (): SimulatedHost =>
  simulatedHost({
    volumeGroups: ['vg0', 'vg-one'].map((name) => ({ name, size: 1024 ** 3 })),
    disks: [{ name: 'vdz', size: 64 * 1024 ** 2 }],
  });

describe('the model prints exactly what the real program printed', () => {
  const cases: readonly (readonly [string, ((host: SimulatedHost) => Called)?])[] = [
    ['lvm/lvcreate-exists@2.03.16', (host) => web1(host)],
    ['lvm/lvcreate-full@2.03.16', () => ({ '(226 extents)': '(255 extents)' })],
    ['lvm/lvcreate-missing-vg@2.03.16'],
    ['lvm/lvcreate-reserved@2.03.16'],
    ['lvm/lvchange-missing-lv@2.03.16'],
    ['lvm/lvchange-other-uuid@2.03.16', (host) => without(web1(host))],
    [
      'lvm/lvchange-mounted@2.03.16',
      (host) => {
        const called = web1(host);
        host.admin.format('/dev/vg0/web1', { type: 'ext4', usage: 'filesystem', uuid });
        host.admin.mount('/dev/vg0/web1', '/mnt');
        return called;
      },
    ],
    [
      'lvm/lvchange-snapshot@2.03.16',
      (host) => {
        web1(host);
        const { uuid: snapshot } = host.admin.snapshot({
          vg: 'vg0',
          name: 'snap1',
          origin: 'web1',
          extents: 1,
        });
        return { 'nKGSvh-18ra-JN9k-PiPu-cfJZ-rI3c-UTuKcR': snapshot };
      },
    ],
    ['lvm/lvcreate-snapshot-missing-origin@2.03.16'],
    ['lvm/lvremove-active@2.03.16', (host) => web1(host, 'vg-one')],
    ['lvm/lvremove-other-uuid@2.03.16', (host) => without(web1(host, 'vg-one'))],
    ['lvm/lvremove-guarded-origin@2.03.16', (host) => inactiveOrigin(host)],
    ['lvm/lvremove-inactive-origin@2.03.16', (host) => inactiveOrigin(host)],
    [
      'lvm/lvrename-exists@2.03.16',
      (host) => {
        host.admin.lvcreate({ vg: 'vg0', name: 'idle', extents: 1 });
        return web1(host);
      },
    ],
    ['lvm/lvrename-missing@2.03.16'],
    ['lvm/lvrename-missing-vg@2.03.16'],
    ['lvm/lvrename-same-name@2.03.16', (host) => web1(host)],
    ['lvm/lvrename-reserved@2.03.16', (host) => web1(host)],
    ['lvm/lvrename-invalid@2.03.16', (host) => web1(host)],
    [
      'lvm/lvrename-mounted@2.03.16',
      (host) => {
        const called = web1(host);
        host.admin.format('/dev/vg0/web1', { type: 'ext4', usage: 'filesystem', uuid });
        host.admin.mount('/dev/vg0/web1', '/mnt');
        return called;
      },
    ],
    ['lvm/lvextend@2.03.16', (host) => sized(host, 4)],
    ['lvm/lvextend-same-size@2.03.16', (host) => sized(host, 8)],
    ['lvm/lvextend-pool@2.03.16', (host) => pool(host, 16)],
    ['lvm/lvextend-pool-same-size@2.03.16', (host) => pool(host, 20)],
    [
      'lvm/lvextend-thin@2.03.16',
      (host) => {
        pool(host, 16);
        host.admin.thinVolume({ vg: 'vg0', name: 't1', pool: 'pool', extents: 8 });
        return {};
      },
    ],
    ['lvm/lvextend-smaller@2.03.16', (host) => sized(host, 8)],
    [
      'lvm/lvextend-full@2.03.16',
      (host) => ({ ...sized(host, 8), 'only 266 available': 'only 247 available' }),
    ],
    ['lvm/lvextend-onto@2.03.16', (host) => sized(host, 4)],
    [
      'lvm/lvextend-onto-taken@2.03.16',
      (host) => {
        const called = sized(host, 6);
        host.admin.lvcreate({ vg: 'vg0', name: 'web2', extents: 4 });
        return { ...called, ':4-5': ':6-7' };
      },
    ],
    ['lvm/lvreduce@2.03.16', (host) => sized(host, 8)],
    ['lvm/lvreduce-same-size@2.03.16', (host) => sized(host, 4)],
    ['lvm/lvreduce-larger@2.03.16', (host) => sized(host, 4)],
    ['lvm/lvchange-addtag@2.03.16', (host) => idle(host)],
    ['lvm/lvs-missing-vg@2.03.16'],
    ['lvm/vgs-missing-vg@2.03.16'],
    ['blkid/blank@2.38.1', () => vdz],
    ['blkid/missing@2.38.1'],
    ['blkid/ext4@2.38.1', (host) => formatted(host, { type: 'ext4', uuid, label: 'root' })],
    ['blkid/ext4-label-escaped@2.38.1', (host) => formatted(host, { type: 'ext4', uuid, label: 'a b"c$\\' })],
    [
      'blkid/swap@2.38.1',
      (host) => formatted(host, { type: 'swap', uuid: '22222222-2222-3333-4444-555555555555', label: 'sw' }),
    ],
    ['blkid/pv@2.38.1', (host) => pv(host)],
    ['losetup/missing@2.38.1'],
    ['mkfs.ext4/missing@1.47.0'],
    ['mkfs.ext4/mounted@1.47.0', (host) => mounted(host)],
    ['mkswap/mounted@2.38.1', (host) => mounted(host)],
    ['wipefs/mounted@2.38.1', (host) => mounted(host)],
    ['debugfs/blank@1.47.0', () => vdz],
  ];

  for (const [fixture, given] of cases)
    test(fixture, async () => {
      const host = twoGroups();
      const called = given?.(host) ?? {};
      const recorded = JSON.parse(inWords(read(`${fixture}.json`), called)) as Recorded;

      const { exitCode, stdout, stderr } = await answerOf(host, recorded.argv);

      const { argv: _, ...wanted } = recorded;
      expect({ exitCode, stdout, stderr }).toEqual(wanted);
    });

  test('for the full report: its form, and the rows of volumes', async () => {
    const host = twoGroups();
    for (const vg of ['vg0', 'vg-one']) host.admin.lvcreate({ vg, name: 'web-1', extents: 2 });
    const { argv, stdout: recorded } = JSON.parse(read('lvm/fullreport-many@2.03.16.json')) as Recorded;

    const { stdout } = await answerOf(host, argv);

    // How many rows there are is another matter, and the model has no device without a group.
    const form = (text: string): string => text.replace(/(?: {18}\{.*\},?\n)+/g, 'rows\n');
    const orphans = / {10},\n {10}\{\n {14}"pv": [^{]* {10}\}\n/;
    expect(form(recorded)).toMatch(orphans);
    expect(form(stdout)).toBe(form(recorded).replace(orphans, ''));
    expect(shapeOf(stdout, 'vg-one/web-1')).toBe(shapeOf(recorded, 'vg-one/web-1'));
  });

  test('for a whole listing: the order, the columns and the form of lvs', async () => {
    const host = twoGroups();
    host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents: 2 });
    host.admin.lvcreate({ vg: 'vg0', name: 'idle', extents: 3 });
    host.admin.lvcreate({ vg: 'vg-one', name: 'web-1', extents: 2 });
    const { argv, stdout: recorded } = JSON.parse(read('lvm/lvs-many@2.03.16.json')) as Recorded;

    const { stdout } = await answerOf(host, argv);

    const rows = stdout.split('\n').filter((line) => line.includes('lv_uuid'));
    expect(rows.map((row) => /"lv_full_name":"(?<name>[^"]+)"/.exec(row)?.groups?.name)).toEqual([
      'vg-one/web-1',
      'vg0/idle',
      'vg0/web1',
    ]);
    expect(shapeOf(stdout, 'vg-one/web-1')).toBe(shapeOf(recorded, 'vg-one/web-1'));
    expect(stdout.split('\n').slice(0, 4)).toEqual(recorded.split('\n').slice(0, 4));
    expect(stdout.split('\n').slice(-5)).toEqual(recorded.split('\n').slice(-5));
  });
});

/** The row of a volume, but for what is drawn at random. */
function shapeOf(text: string, volume: string): string {
  const row = text.split('\n').find((line) => line.includes(`"${volume}"`));
  if (row === undefined) throw new Error(`no row of ${volume}`);
  return row.replace(/,$/, '').replace(/"(?<key>\w*uuid)":"[\w-]{38}"/g, '"$<key>":""');
}

const vdz: Called = { '/dev/loop3': '/dev/vdz' };

function web1(host: SimulatedHost, vg = 'vg0'): Called {
  const lv = host.admin.lvcreate({ vg, name: 'web1', extents: 2, tags: ['bofh.0a1b2c3d4e5f.1'] });
  return {
    '2TjDxf-IzZl-zGPj-stwa-sAQM-1KOf-0SQYVU': lv.uuid,
    'DGiTht-3v1m-DxvC-nNvn-lIRy-ZZ5L-814mru': lv.uuid,
  };
}

function pool(host: SimulatedHost, extents: number): Called {
  host.admin.thinPool({ vg: 'vg0', name: 'pool', extents });
  return {};
}

function idle(host: SimulatedHost): Called {
  const lv = host.admin.lvcreate({ vg: 'vg0', name: 'idle', extents: 3 });
  return { 'C8I55P-89AQ-A87D-Ygv3-5Ons-uy5S-1qdnkn': lv.uuid };
}

function sized(host: SimulatedHost, extents: number): Called {
  host.admin.lvcreate({ vg: 'vg0', name: 'web1', extents });
  return { '/dev/loop8': host.world.lvm[0]?.pvs[0]?.path ?? '' };
}

function without(_: Called): Called {
  return {};
}

function inactiveOrigin(host: SimulatedHost): Called {
  const called = web1(host);
  host.admin.snapshot({ vg: 'vg0', name: 'snap1', origin: 'web1', extents: 1 });
  host.world.active.clear();
  return called;
}

function formatted(
  host: SimulatedHost,
  what: { readonly type: 'ext4' | 'swap'; readonly uuid: string; readonly label: string },
): Called {
  const { type } = what;
  const usage = type === 'ext4' ? 'filesystem' : 'other';
  const more = type === 'ext4' ? { version: '1.0', blockSize: 1024 } : { version: '1' };
  host.admin.format('/dev/vdz', { ...what, ...more, usage });
  return { ...vdz, '703f0a7e-9901-48c7-afce-7d84e40d341d': uuid };
}

function pv(host: SimulatedHost): Called {
  return {
    '/dev/loop3': '/dev/vdb',
    'TLGIxP-n5v6-S6an-pVcE-HJS0-ZcCu-o4VqC2': host.world.lvm[0]?.pvs[0]?.uuid ?? '',
  };
}

function mounted(host: SimulatedHost): Called {
  formatted(host, { type: 'ext4', uuid, label: 'x' });
  host.admin.mount('/dev/vdz', '/mnt');
  return vdz;
}

async function answerOf(host: SimulatedHost, [tool, ...argv]: Recorded['argv']): Promise<Answer> {
  const change = host.during({ outputs: '/nowhere', lock: -1 });
  const any = [0, 1, 2, 3, 5, 8];
  return change.run({ tool, argv, access: 'change', accepts: any, parse: (answer) => answer });
}

function inWords(text: string, called: Called): string {
  return Object.entries(called).reduce((left, [word, here]) => left.replaceAll(word, here), text);
}

function read(fixture: string): string {
  return readFileSync(new URL(`../../fixtures/${fixture}`, import.meta.url), 'utf8');
}
