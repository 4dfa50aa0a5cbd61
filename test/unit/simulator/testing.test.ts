import { expect, it } from 'vitest';
import { loadOperations } from '../../../src/operations.ts';
import { kindOf } from '../../../src/simulator/faults/steps.ts';
import { atomic, recover, vm, withBofh } from '../../../src/index.ts';
import {
  type Fault,
  simulatedBofh,
  simulatedHost,
  type SimulatedHost,
} from '../../../src/simulator/index.ts';

const disk = (host: SimulatedHost): Promise<unknown> =>
  withBofh(simulatedBofh({ host }), () =>
    atomic('disk', async (tx) => {
      const lv = await tx.lvm.createLv({ vg: 'vg0', name: 'web1', size: '64m' });
      await tx.filesystem.create({ device: lv.path, type: 'ext4' });
      await tx.file.create({ path: '/etc/web1', content: 'x', mode: 0o644 });
    }),
  );

/** Everything on a host, with the names of its journals, after a disk and the recovery of another one. */
async function after(seed?: string): Promise<string> {
  const host = simulatedHost(seed === undefined ? {} : { seed });
  host.fault({ step: 'file.create', mode: 'acts then crash' });
  await disk(host).catch(() => undefined);
  const later = host.restart();
  await withBofh(simulatedBofh({ host: later }), () => recover());
  await disk(later);
  const { store } = simulatedBofh({ host: later }).engine;
  return [later.snapshot(), ...store.names('history')].join('\n');
}

it('a host with a seed has the same UUIDs, tags and journals in each run', async () => {
  expect(await after('a')).toBe(await after('a'));
  expect(await after('a')).not.toBe(await after('b'));
  expect(await after()).not.toBe(await after());
});

it.each<[string, Fault, readonly string[]]>([
  ['before it acts', { step: 'filesystem.create', mode: 'crash here' }, ['vg0/web1']],
  ['after it acted', { step: 'filesystem.create', mode: 'acts then crash' }, ['vg0/web1', 'holds ext4']],
  [
    'of the last step',
    { step: 'file.create', mode: 'acts then crash' },
    ['vg0/web1', 'holds ext4', '/etc/.bofh-'],
  ],
])('a crash %s, by the kind of the step', async (_title, fault, found) => {
  const host = simulatedHost();
  const before = host.snapshot();
  host.fault(fault);

  await expect(disk(host)).rejects.toThrow();

  // A new file has a private name first.
  const traces = ['vg0/web1', 'holds ext4', '/etc/.bofh-'];
  const now = new Set(before.split('\n'));
  const changed = host
    .snapshot()
    .split('\n')
    .filter((line) => !now.has(line))
    .join('\n');
  expect([changed, traces.filter((trace) => changed.includes(trace))]).toEqual([changed, found]);
  const later = host.restart();
  await withBofh(simulatedBofh({ host: later }), () => recover());
  expect(later.snapshot()).toBe(before);
});

it('a fault names every step of bofh by its kind or its method, and one of your own by its kind', async () => {
  const all = Object.entries(await loadOperations()).flatMap(([driver, module]) =>
    Object.entries(module as object).flatMap(([method, code]: [string, unknown]) =>
      typeof code === 'object' && code !== null && 'kind' in code
        ? [[`${driver}.${method}`, String(code.kind)] as const]
        : [],
    ),
  );
  expect(all.length).toBeGreaterThan(100);
  const host = simulatedHost();
  for (const [method, kind] of all) expect([kindOf(method), kindOf(kind)]).toEqual([kind, kind]);
  host.fault({ step: 'acme.dns.record', mode: 'fails before' });
  host.fault({ step: 'lvm.createLv', mode: 'fails before' });

  await expect(disk(host)).rejects.toMatchObject({ failed: 'lvm.createLv' });
});

it('a fault of a step that does not run never occurs', async () => {
  const host = simulatedHost();
  host.fault({ step: 'mount.mount', mode: 'fails before' });

  await disk(host);
});

it.each<[string, unknown, RegExp]>([
  ['an unknown option', { tol: 'lvcreate', mode: 'fails before' }, /there is no option "tol"/],
  ['an unknown tool', { tool: 'mkfs.ext5', mode: 'fails before' }, /runs no program "mkfs.ext5"/],
  ['an unknown mode', { mode: 'explodes' }, /mode: must be one of fails before; /],
  ['nth 0', { nth: 0, mode: 'fails before' }, /nth: must be a whole number from 1/],
  [
    'a misspelt step',
    { step: 'lvm.lv.creat', mode: 'fails before' },
    /no method or kind of a step "lvm.lv.creat"/,
  ],
  ['a recipe', { step: 'vm.create', mode: 'fails before' }, /no method or kind of a step/],
  ['a misspelt method', { step: 'lvm.createlv', mode: 'fails before' }, /no method or kind of a step/],
  ['a method alone', { step: 'createLv', mode: 'fails before' }, /no method or kind of a step/],
  ['garbage from a file', { tool: 'file', mode: 'garbage answer' }, /to a program only/],
])('a fault with %s is refused', (_title, fault, why) => {
  expect(() => simulatedHost().fault(fault as Fault)).toThrow(why);
});

it('a power cut loses what was not synced', () => {
  const host = simulatedHost();
  host.kill();
  expect(() => host.powerCut()).not.toThrow();
});

it('a member of an archive whose path ends with a slash is a directory', async () => {
  const host = simulatedHost();
  host.addTar('/srv/root.tar', [{ path: 'etc/' }, { path: 'etc/issue', content: 'hello' }]);

  const guest = await withBofh(simulatedBofh({ host }), () =>
    vm.create({
      ...{ name: 'web1', source: { type: 'tar', path: '/srv/root.tar' }, vg: 'vg0' },
      ...{ size: '64m', memory: '64m' },
    }),
  );
  expect(guest.root).toBe('/dev/vg0/web1-root');
});
