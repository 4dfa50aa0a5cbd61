import { afterAll, beforeAll, describe, expect, it, test, vi } from 'vitest';
import * as vm from '../../../src/api/vm.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedPair, type SimulatedHost } from '../../../src/simulator/index.ts';
import { imageOf } from '../../../src/simulator/tools/blockdevice/compressed.ts';
import { backupVm, planBackup, targetOf } from '../../../src/vm/backup.ts';
import { smallSystem } from '../../support/undo/stage.ts';
import { faultsOf, someFaults } from '../../support/undo/two-faults.ts';
import { type Made, referenceOf } from '../../support/undo/two-hosts.ts';
import { counting, tryEach } from '../../support/undo/two-trials.ts';
import { ground } from '../replica/support.ts';

// A guest of this host is saved in a directory of another host.

const directory = 'there:/srv/backup';
let first: readonly [SimulatedHost, SimulatedHost];

beforeAll(async () => {
  const [alpha, beta] = [ground('alpha', '10.0.0.1'), ground('beta', '10.0.0.2')];
  alpha.addTar('/srv/debian.tar', smallSystem);
  beta.admin.mkdir('/srv/backup');
  const { here } = simulatedPair({ here: alpha, there: beta });
  await withBofh(here, () =>
    vm.create({
      ...{ name: 'web1', source: { type: 'tar', path: '/srv/debian.tar' }, vg: 'vg0' },
      ...{ size: '64m', swap: '16m', memory: '64m', start: true },
    }),
  );
  // Whether a trial reached its commit is read there.
  const history = '/var/lib/bofh/journal/history';
  for (const name of await alpha.readDir(history)) alpha.admin.removeFile(`${history}/${name}`);
  first = [alpha, beta];
});

const both = (): readonly [SimulatedHost, SimulatedHost] => [fork(first[0]), fork(first[1])];

describe('a backup on another host', () => {
  const hosts = () => {
    const [alpha, beta] = both();
    const { here, there } = simulatedPair({ here: alpha, there: beta });
    return { alpha, beta, there, on: <T>(body: () => Promise<T>): Promise<T> => withBofh(here, body) };
  };
  const rootOf = (host: SimulatedHost, name: string): string => {
    const lv = host.world.lvm[0]?.lvs.find((each) => each.name === name);
    return imageOf(host.world.live.get(`lv:${lv?.uuid ?? ''}`));
  };

  it.each([{}, { recipients: ['age1simulated'] }])(
    'with %o is restored where its files are, and leaves nothing here',
    async (how) => {
      const { alpha, beta, on } = hosts();
      const before = alpha.snapshot();

      const saved = await on(() => vm.backup('web1', directory, how));

      expect(saved.host).toBe('there');
      expect(saved.path).toMatch(/^\/srv\/backup\/web1\./);
      expect(alpha.snapshot()).toBe(before);
      expect(await beta.readDir('/srv/backup')).toHaveLength(3);
      alpha.admin.mkdir('/srv/backup');
      for (const name of await beta.readDir('/srv/backup')) {
        const path = `/srv/backup/${name}`;
        alpha.admin.writeFile(path, await beta.readFile(path));
      }
      alpha.admin.writeFile('/root/key', '# public key: age1simulated\nAGE-SECRET-KEY-1\n');
      await on(() =>
        vm.restore(saved.path, { as: 'web2', ...('recipients' in how ? { identity: '/root/key' } : {}) }),
      );
      expect(rootOf(alpha, 'web2-root')).toBe(rootOf(alpha, 'web1-root'));
    },
  );

  it('with `keep` removes the older backups there', async () => {
    const { beta, on } = hosts();
    vi.useFakeTimers({ toFake: ['Date'] });
    for (const day of [1, 2, 3]) {
      vi.setSystemTime(Date.UTC(2026, 0, day));
      await on(() => vm.backup('web1', directory, { keep: 2 }));
    }
    vi.useRealTimers();
    expect((await beta.readDir('/srv/backup')).filter((name) => name.endsWith('.json'))).toEqual([
      'web1.20260102T000000Z.json',
      'web1.20260103T000000Z.json',
    ]);
  });

  it.each([
    ['there:srv', /"srv" is relative.*\.\/there:srv/s],
    ['there:/nowhere', /on there: there is no directory \/nowhere.*on there: create it/s],
    ['unknown:/srv', /there is no host "unknown"/],
  ])('is refused for %s, and changes nothing', async (target, why) => {
    const { alpha, beta, on } = hosts();
    const before = [alpha.snapshot(), beta.snapshot()];

    const error = await on(() => vm.backup('web1', target)).catch((failed: unknown) => failed);

    const { message, remedy } = error as { message: string; remedy: string };
    expect(`${message}\n${remedy}`).toMatch(why);
    expect([alpha.snapshot(), beta.snapshot()]).toEqual(before);
  });
});

describe('tx.copy.save of a device of the other host', () => {
  it('needs the size, and changes nothing', async () => {
    const [alpha, beta] = both();
    const { here } = simulatedPair({ here: alpha, there: beta });
    const before = [alpha.snapshot(), beta.snapshot()];
    const device = '/dev/vg0/web1-swap';
    const file = '/srv/backup/swap';
    const saved = withBofh(here, () =>
      atomic('save', (tx) => tx.on('there').copy.save({ device, here: true, file })),
    );

    await expect(saved).rejects.toThrow(/`here` needs `size`/);
    expect([alpha.snapshot(), beta.snapshot()]).toEqual(before);
  });
});

it('is not sent from a host that bofh does not run on', async () => {
  const [alpha, beta] = both();
  const { here } = simulatedPair({ here: alpha, there: beta });
  const there = here.engine.place?.('there');
  if (there === undefined) throw new TypeError('there is no other host');
  const place = { host: alpha, on: there.on };
  const hosts = { host: there.host, place: (name: string) => (name === '' ? place : undefined) };

  await expect(targetOf(hosts, 'alpha:/srv')).rejects.toMatchObject({
    message: 'bofh sends a backup only from the host that it runs on, not from there',
    remedy: 'run it on there, or name a directory there',
  });
});

const made: Made = {
  hosts: both,
  act: async (tx, { engine, site }) => {
    const asked = { hosts: engine, site, name: 'web1', directory, how: {}, now: new Date(0) };
    await backupVm(tx, engine, await planBackup(asked));
  },
};
const counts = counting();
let reference: Awaited<ReturnType<typeof referenceOf>>;
beforeAll(async () => {
  reference = await referenceOf(made);
});

describe.each(faultsOf(someFaults))('%s', (title, trouble) => {
  test.each(['well', 'badly'] as const)(
    'at each access of a backup on another host that ends %s',
    async (ends) => {
      const { found, ...count } = await tryEach(made, reference, { ...trouble, ends });
      counts.add(title, count);

      expect(found).toEqual([]);
      expect(count.places).toBeGreaterThan(10);
    },
    120_000,
  );
});

afterAll(() => counts.write('vm backup HOST:DIR'));
