import { afterEach, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { doctorSettings } from '../../../src/cli/verbs/doctor/settings.ts';
import { parseSite } from '../../../src/site.ts';
import { simulatedBofh } from '../../../src/simulator/index.ts';
import { testRuntime } from './support/runtime.ts';

const before = process.env.BOFH_STATE_DIR;
afterEach(() => {
  if (before === undefined) delete process.env.BOFH_STATE_DIR;
  else process.env.BOFH_STATE_DIR = before;
});

const site = parseSite({ volumeGroup: 'vg0' }, '/etc/bofh/site-specific.json');

async function rows(options: Parameters<typeof testRuntime>[1]) {
  const { runtime, stdout } = testRuntime(simulatedBofh({ site }), { json: true, ...options });
  expect(await doctorSettings(runtime)).toBe(0);
  const all = answers.doctorSettings.parse(JSON.parse(stdout()));
  return Object.fromEntries(all.map(({ name, value, from, where }) => [name, [value, from, where]]));
}

it('bofh doctor --settings tells of each setting what it is and who has said so', async () => {
  expect(await rows({})).toMatchObject({
    volumeGroup: ['vg0', 'site file', '/etc/bofh/site-specific.json'],
    guestConfigDirs: [['/etc/xen'], 'default', null],
    bridge: [null, 'default', null],
    site: [null, 'default', null],
    stateDir: ['/var/lib/bofh', 'default', null],
  });
});

it('bofh doctor --settings tells an option from a variable of the environment', async () => {
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

it('bofh doctor --settings is a table for people', async () => {
  const { runtime, stdout } = testRuntime(simulatedBofh({ site }));
  await doctorSettings(runtime);
  expect(stdout()).toMatch(/^SETTING +VALUE +FROM +WHAT IT IS\n/);
  expect(stdout()).toMatch(/^volumeGroup +vg0 +\/etc\/bofh\/site-specific\.json +the volume group/m);
  expect(stdout()).toMatch(/^bridge +- +default +bridge of/m);
});
