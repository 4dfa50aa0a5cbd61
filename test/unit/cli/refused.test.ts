import { describe, expect, it } from 'vitest';
import { BofhError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { typed } from '../plan/support.ts';
import { hostWithSource, site, vmCreate } from '../simulator/support.ts';

// Refusals that no other test of a command makes: `npm run test:remedies` types what they say to type next.

async function withGuest(): Promise<SimulatedHost> {
  const host = hostWithSource();
  await vmCreate(simulatedBofh({ host, site }), { start: false });
  return host;
}

async function withVolume(): Promise<SimulatedHost> {
  const host = simulatedHost();
  host.admin.lvcreate({ vg: 'vg0', name: 'data', extents: 32 });
  return host;
}

async function withBtrfs(): Promise<SimulatedHost> {
  const host = await withVolume();
  await typed(host, ['--yes', 'filesystem', 'create', '/dev/vg0/data', '--type', 'btrfs']);
  await typed(host, ['mount', 'add', '/dev/vg0/data', '/srv']);
  return host;
}

const rows: readonly (readonly [
  line: string,
  on: () => Promise<SimulatedHost>,
  spoil: ((host: SimulatedHost) => unknown) | undefined,
  why: RegExp,
])[] = [
  [
    'vm clone web1 web2',
    withGuest,
    ({ admin }) =>
      admin.writeFile(
        '/etc/xen/web1.cfg',
        admin.readFile('/etc/xen/web1.cfg').replace(/^disk = [^\]]*\]\n/m, ''),
      ),
    /web1 has no disk/,
  ],
  ['completion tcsh', withVolume, undefined, /tcsh: must be bash, zsh or fish/],
  [
    'btrfs create /srv/www',
    withBtrfs,
    (host) =>
      typed(host, ['mount', 'remove', '/srv']).then(() =>
        typed(host, ['mount', 'add', '/dev/vg0/data', '/srv', '--read-only']),
      ),
    /mounted read-only/,
  ],
  [
    'btrfs remove /srv/www',
    withBtrfs,
    (host) =>
      typed(host, ['btrfs', 'create', '/srv/www']).then(() =>
        typed(host, ['btrfs', 'set-default', '/srv/www']),
      ),
    /is the default subvolume of its filesystem/,
  ],
];

describe('a refusal has the next command', () => {
  it.each(rows)('%s', async (line, on, spoil, why) => {
    const host = await on();
    await spoil?.(host);
    const before = host.snapshot();

    const error = await rejectionOf(typed(host, ['--yes', ...line.split(' ')]));
    expect(String(error)).toMatch(why);
    expect(error).toBeInstanceOf(BofhError);
    expect((error as BofhError).remedy).toBeDefined();
    expect(host.snapshot()).toBe(before);
  });

  it('undo ID, while an object of the sequence is in use', async () => {
    const host = simulatedHost();
    await typed(host, ['lvm', 'create', 'vg0/new', '--size', '16m']);
    const [id = ''] = /\b[0-9a-f]{12}\b/.exec((await typed(host, ['journal', 'list'])).stdout) ?? [];
    host.admin.losetup('/dev/vg0/new');
    const before = host.snapshot();

    const error = await rejectionOf(typed(host, ['--yes', 'undo', id]));
    expect(String(error)).toMatch(
      /is not undone: objects that it created or changed are in use: .*\/dev\/loop0/,
    );
    expect((error as BofhError).remedy).toContain(`bofh undo ${id} --in-use`);
    expect(host.snapshot()).toBe(before);
  });
});
