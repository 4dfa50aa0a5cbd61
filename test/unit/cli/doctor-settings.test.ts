import { afterEach, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { parseSite, siteFileHere } from '../../../src/site.ts';
import { simulatedBofh } from '../../../src/simulator/index.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const before = process.env.BOFH_STATE_DIR;
afterEach(() => {
  if (before === undefined) delete process.env.BOFH_STATE_DIR;
  else process.env.BOFH_STATE_DIR = before;
});

const site = parseSite({ volumeGroup: 'vg0' }, '/etc/bofh/site-specific.json');

async function rows(options: Parameters<typeof testRuntime>[1]) {
  const { runtime, stdout } = testRuntime(simulatedBofh({ site }), { json: true, ...options });
  expect(await runVerb(runtime, 'doctor --settings')).toBe(0);
  const all = answers.doctorSettings.parse(JSON.parse(stdout()));
  return Object.fromEntries(all.map(({ name, value, from, where }) => [name, [value, from, where]]));
}

it('bofh doctor --settings shows each value and where it was set', async () => {
  expect(await rows({})).toMatchObject({
    volumeGroup: ['vg0', 'site file', '/etc/bofh/site-specific.json'],
    guestConfigDirs: [['/etc/xen'], 'default', null],
    bridge: [null, 'default', null],
    site: [siteFileHere(undefined) ?? null, 'default', null],
    stateDir: ['/var/lib/bofh', 'default', null],
  });
});

it('bofh doctor --settings tells an option from an environment variable', async () => {
  expect(await rows({ stateDir: '/srv/bofh', site: '/x.ts' })).toMatchObject({
    stateDir: ['/srv/bofh', 'option', '--state-dir'],
    site: ['/x.ts', 'option', '--site'],
  });
  process.env.BOFH_STATE_DIR = '/srv/bofh';
  expect((await rows({ stateDir: '/srv/bofh' })).stateDir).toEqual([
    '/srv/bofh',
    'environment',
    'BOFH_STATE_DIR',
  ]);
});

it('bofh doctor --settings prints a table', async () => {
  const { runtime, stdout } = testRuntime(simulatedBofh({ site }));
  await runVerb(runtime, 'doctor --settings');
  expect(stdout()).toMatch(/^SETTING +VALUE +FROM +WHAT IT IS\n/);
  expect(stdout()).toMatch(/^volumeGroup +vg0 +\/etc\/bofh\/site-specific\.json +volume group for/m);
  expect(stdout()).toMatch(/^bridge +- +default +default bridge of/m);
});
