import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { allDomus, guestConfigs, isRunning } from '../../../src/xen/guests.ts';
import { fakeHost } from './fake-host.ts';

const uuid = '11111111-2222-4333-8444-555555555555';
const guest = (name: string) => `name = "${name}"\nmemory = 128\n`;

function host(files: Readonly<Record<string, string>>) {
  const made = fakeHost();
  for (const [path, text] of Object.entries(files)) made.files.set(path, text);
  return made;
}

describe('configured guests', () => {
  test('are the .cfg files, by name, and nothing else in the directory', async () => {
    const found = await guestConfigs(
      host({
        '/etc/xen/b.cfg': guest('web2'),
        '/etc/xen/a.cfg': guest('web3'),
        '/etc/xen/c.cfg': guest('web1'),
        '/etc/xen/xl.conf': '#',
        '/etc/xen/xlexample.hvm': '#',
        '/etc/xen/.bofh-x.cfg': '#',
        '/etc/xen/a.cfg.bak': '#',
      }),
    );

    expect(found.guests.map(({ name, file }) => [name, file])).toEqual([
      ['web1', '/etc/xen/c.cfg'],
      ['web2', '/etc/xen/b.cfg'],
      ['web3', '/etc/xen/a.cfg'],
    ]);
    expect(found.problems).toEqual([]);
  });

  test('are problems when they cannot be read', async () => {
    const made = host({ '/etc/xen/a.cfg': guest('web1'), '/etc/xen/b.cfg': 'name = "x' });
    made.links.set('/etc/xen/c.cfg', 'nowhere.cfg');

    const found = await guestConfigs(made, ['/etc/xen', '/missing']);

    expect(found.guests.map(({ name }) => name)).toEqual(['web1']);
    expect(found.problems.map(({ file }) => file)).toEqual(['/etc/xen/c.cfg', '/missing', '/etc/xen/b.cfg']);
    expect(found.problems[2]?.message).toBe('/etc/xen/b.cfg:1: expected a closing " on the same line');
  });

  test('count once, also with a link to them', async () => {
    const made = host({ '/etc/xen/a.cfg': guest('web1') });
    made.links.set('/etc/xen/auto/a.cfg', '../a.cfg');

    const found = await guestConfigs(made, ['/etc/xen', '/etc/xen/auto']);

    expect(found.guests).toHaveLength(1);
    expect(found.problems).toEqual([]);
  });

  test.each([
    ['a.cfg', 'b.cfg'],
    ['web1.cfg', 'a.cfg'],
  ])('of one name in two files are a problem: %s counts, %s does not', async (kept, copy) => {
    const { guests, problems } = await guestConfigs(
      host({ [`/etc/xen/${copy}`]: guest('web1'), [`/etc/xen/${kept}`]: guest('web1') }),
    );

    expect(guests.map(({ file }) => file)).toEqual([`/etc/xen/${kept}`]);
    expect(problems).toEqual([
      {
        file: `/etc/xen/${copy}`,
        message: `/etc/xen/${copy}: the guest web1 is also in /etc/xen/${kept}`,
      },
    ]);
  });
});

describe('a missing directory', () => {
  test('is an error that names the setting of another one', async () => {
    await expect(allDomus({ host: host({}) })).rejects.toMatchObject({
      name: 'UsageError',
      message: 'there is no directory /etc/xen',
      remedy:
        'install xen-utils-common: apt-get install xen-utils-common; or set guestConfigDirs in the site file',
    });
  });
});

describe('allDomus', () => {
  test('returns plain data', async () => {
    const made = host({ '/srv/web1.cfg': `${guest('web1')}uuid = "${uuid}"\n` });

    expect(await allDomus({ host: made, configDirs: ['/srv'] })).toEqual([
      { name: 'web1', config: '/srv/web1.cfg', uuid, memoryMiB: 128, vcpus: 1 },
    ]);
  });

  test('throws when a config cannot be read, naming file and line', async () => {
    const made = host({ '/etc/xen/a.cfg': guest('web1'), '/etc/xen/b.cfg': '\nname = 1.5' });

    await expect(allDomus({ host: made })).rejects.toThrow(UsageError);
    await expect(allDomus({ host: made })).rejects.toThrow('/etc/xen/b.cfg:2: "."');
  });
});

test.each([
  ['-b----', true],
  ['--p---', false],
  ['---sc-', false],
])('a guest whose domain is %s: running %s', async (flags, running) => {
  const made = fakeHost();
  made.domains.push({ id: 1, name: 'web1', uuid, flags });

  expect(await isRunning({ host: made, domu: { name: 'web1' } })).toBe(running);
  expect(await isRunning({ host: made, domu: { name: 'web' } })).toBe(false);
});
