import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { defineHost, provision, withBofh } from '../../../src/index.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { diffOf } from '../../../src/cli/verbs/host/diff.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { noting } from '../../support/noting-reads.ts';
import { testRuntime } from './support/runtime.ts';
import { runVerb } from './support/run-verb.ts';

const work = mkdtempSync(join(tmpdir(), 'bofh-host-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const file = join(work, 'web.ts');
const describing = (body: string): void =>
  writeFileSync(
    file,
    `import { defineHost, Secret } from 'bofh';\nexport default defineHost((h, facts) => {\n${body}\n});\n`,
  );

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.writeFile('/etc/motd', 'one\ntwo\nthree\n');
  host.admin.writeFile('/etc/key', 'Geheim-old', 0o600);
  describing(`h.lines('/etc/motd', { replace: { two: 'TWO' } });
    h.file('/etc/key', { content: new Secret('Geheim-new') });
    h.file('/etc/raw', { content: new Uint8Array([0, 255]) });
    h.directory('/etc/d', { mode: 0o700 });`);
});

async function ran(words: readonly string[], options = {}, said: readonly (string | (() => string))[] = []) {
  const { runtime, stdout, stderr } = testRuntime(simulatedBofh({ host }), options, said);
  return { exitCode: await runVerb(runtime, words), stdout: stdout(), stderr: stderr() };
}

const lines = [
  'change lines of /etc/motd',
  'change file /etc/key (secret content)',
  'create file /etc/raw',
  'create directory /etc/d (mode 0700)',
];

describe('bofh host apply', () => {
  it('uses the answers of its plan until the first step', async () => {
    host.admin.publish([{ name: 'nginx', version: '1.0' }]);
    describing("h.package('nginx');");
    const reads: string[] = [];
    const { runtime } = testRuntime(simulatedBofh({ host: noting(host, reads) }), { yes: true });
    expect(await runVerb(runtime, ['host', 'apply', file])).toBe(0);
    // The plan; the step, whose objects are locked already; the downloaded packages.
    expect(reads.filter((line) => line.includes('apt-get --simulate'))).toHaveLength(3);
    expect(reads.filter((line) => line.includes('apt-cache show'))).toHaveLength(1);
  });
});

it.each([
  ['create', '', 'a\nb\n', '--- /dev/null\n+++ /x\n@@ -0,0 +1,2 @@\n+a\n+b'],
  ['change', 'a\n', '', '--- /x\n+++ /x\n@@ -1,1 +0,0 @@\n-a'],
] as const)(
  '%s: the diff of an empty file has the line numbers of diff(1)',
  (action, before, after, diff) => {
    const content = { before: Buffer.from(before), after: Buffer.from(after) };

    expect(diffOf({ action, kind: 'file', name: '/x', details: [], content })).toBe(diff);
  },
);

describe.each([
  [
    'another host',
    'web2',
    UsageError,
    'only a change of the host that bofh runs on can wait for a confirmation',
  ],
  [
    'a host without systemd',
    '',
    RefusedError,
    'systemd does not run here, so nothing could roll the change back at the deadline',
  ],
])('a change that could lock out, on %s', (_, name, refused, why) => {
  const apply = (options: object, ...words: readonly string[]) => {
    const { runtime } = testRuntime(simulatedBofh({ host: { ...host, name } }), options);
    return runVerb(runtime, ['host', 'apply', file, ...words]);
  };
  beforeEach(() => {
    host.admin.mkdir('/etc/ssh/sshd_config.d');
    describing("h.file('/etc/ssh/sshd_config.d/x.conf', { content: '# nothing\\n' });");
  });

  it('is planned as what host apply does with it', async () => {
    const { runtime, stdout } = testRuntime(simulatedBofh({ host: { ...host, name } }));
    expect(await runVerb(runtime, ['host', 'plan', file])).toBe(0);
    expect(stdout()).toContain(`host apply refuses it without --confirm off: ${why}\n`);
    expect(stdout()).not.toContain('then wait');
  });

  it.each(['apply', 'plan'] as const)('is refused before the question, with mode %s', async (mode) => {
    const before = host.snapshot();
    const failed = apply({ mode });
    await expect(failed).rejects.toThrow(why);
    await expect(failed).rejects.toBeInstanceOf(refused);
    expect(host.snapshot()).toBe(before);
  });

  it('is done with --confirm off', async () => {
    expect(await apply({ yes: true }, '--confirm', 'off')).toBe(0);
  });
});

describe('bofh host plan', () => {
  it('shows what differs, and changes nothing', async () => {
    const before = host.snapshot();
    expect((await ran(['host', 'plan', file])).stdout).toBe(`${lines.join('\n')}\n`);
    expect([host.snapshot(), host.changes]).toEqual([before, []]);
  });

  it('shows how each text file changes, and no secret', async () => {
    const { stdout } = await ran(['host', 'plan', file, '--diff']);
    expect(stdout).toContain('--- /etc/motd\n+++ /etc/motd\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n');
    expect(stdout).not.toContain('Geheim');
    const json = await ran(['host', 'plan', file], { json: true });
    const { changes } = answers.hostPlan.parse(JSON.parse(json.stdout));
    expect(changes.map(({ diff }) => diff === null)).toEqual([false, true, true, true]);
    expect(json.stdout).not.toContain('Geheim');
  });
});

it.each([
  ['in the function', "throw new TypeError('no role');"],
  ['in a call that does not exist', "h.files('/etc/x');"],
  ['at its top level', '});\nnull.name;\ndefineHost(() => {'],
])('names the line of a description that throws %s', async (_, body) => {
  describing(body);
  const error = await ran(['host', 'plan', file]).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as UsageError).message).toMatch(new RegExp(`^the description throws: ${file}:[34]: .`));
});

it('a role from an environment variable chooses resources', async () => {
  describing(`h.file(process.env.BOFH_TEST_ROLE === 'db' ? '/etc/db' : '/etc/web', { content: '' });`);
  expect((await ran(['host', 'plan', file])).stdout).toBe('create file /etc/web\n');
  vi.stubEnv('BOFH_TEST_ROLE', 'db');
  try {
    expect((await ran(['host', 'plan', file])).stdout).toBe('create file /etc/db\n');
  } finally {
    vi.unstubAllEnvs();
  }
});

it('a plan asks the probe of a script, runs nothing, and says what cannot be undone', async () => {
  describing(`h.script('index', { isDone: 'test -d /srv/index', run: 'mkdir /srv/index', undo: 'rmdir /srv/index' });
    h.file('/srv/index/page', { content: '' });
    h.script('mail', { isDone: 'test -e /x', run: 'send', undo: 'none' });`);
  const before = host.snapshot();
  expect((await ran(['host', 'plan', file])).stdout.split('\n')).toEqual([
    'run script index',
    'create file /srv/index/page (if the scripts provide what it needs)',
    'run script mail (after all other steps; cannot be undone)',
    '',
  ]);
  expect([host.snapshot(), host.changes]).toEqual([before, []]);
  host.admin.script('index', true);
  host.admin.mkdir('/srv/index');
  expect((await ran(['host', 'plan', file])).stdout).not.toContain('run script index');
});

it('a template is beside the description', async () => {
  writeFileSync(join(work, 'motd.liquid'), 'one\n{{ host }}\n');
  describing(`h.template('/etc/motd', { file: './motd.liquid', data: { host: facts.hostname } });`);
  expect((await ran(['host', 'plan', file, '--diff'])).stdout).toContain(' one\n-two\n-three\n+');
});

describe('bofh host apply', () => {
  it('asks with the plan, applies it, and has nothing to do then', async () => {
    const { stdout, stderr } = await ran(['host', 'apply', file], {}, ['y']);
    expect([stderr, stdout]).toEqual([lines.join('\n'), `${lines.join('\n')}\n`]);
    expect(host.admin.readFile('/etc/motd')).toBe('one\nTWO\nthree\n');
    const changes = host.changes.length;
    expect((await ran(['host', 'apply', file])).stdout).toBe('the host is as described\n');
    expect(host.changes).toHaveLength(changes);
  });

  it('changes nothing without a yes', async () => {
    const before = host.snapshot();
    await expect(ran(['host', 'apply', file], {}, ['n'])).rejects.toBeInstanceOf(RefusedError);
    await expect(ran(['host', 'apply', file])).rejects.toThrow('needs confirmation');
    expect(host.snapshot()).toBe(before);
  });

  it('changes nothing if the host changed during the question', async () => {
    const answer = () => {
      host.admin.writeFile('/etc/motd', 'two\n');
      return 'y';
    };
    await expect(ran(['host', 'apply', file], {}, [answer])).rejects.toThrow('changed since the plan');
    expect(host.admin.readFile('/etc/motd')).toBe('two\n');
  });

  it('refuses, before the first step, what a later one cannot do', async () => {
    host.admin.writeFile('/etc/full/x', '');
    describing(`h.file('/etc/a', { content: 'a' }); h.absent('/etc/full');`);
    const error: unknown = await ran(['host', 'apply', file], { yes: true }).catch(
      (reason: unknown) => reason,
    );
    expect(String(error)).toMatch(/web\.ts:3: \/etc\/full is not empty/);
    expect(host.changes).toEqual([]);
  });

  it('names the line of what a later step refuses, in a plan and in a run', async () => {
    describing(`h.file('/etc/a', { content: 'a' });\nh.file('/no/such/b', { content: 'b' });`);
    const named = /: \S+web\.ts:4: there is no directory \/no\/such for b$/;

    for (const words of ['plan', 'apply'])
      await expect(ran(['host', words, file], { yes: true })).rejects.toThrow(named);
    const run = withBofh(simulatedBofh({ host }), () =>
      provision.apply(
        defineHost((h) => {
          h.file('/etc/a', { content: 'a' });
          h.file('/no/such/b', { content: 'b' });
        }),
      ),
    );
    await expect(run).rejects.toThrow(
      /^"host apply" failed and was rolled back: \S+host\.test\.ts:\d+: there is no directory \/no\/such for b$/,
    );
    await expect(run).rejects.toMatchObject({ failed: 'file.create', causeCode: 'not-found' });
  });

  it('refuses a file without a description, and a contradiction with both lines', async () => {
    writeFileSync(file, 'export const a = 1;\n');
    await expect(ran(['host', 'plan', file])).rejects.toThrow('has no default export');
    describing(`h.file('/etc/a', { content: '1' });\nh.absent('/etc/a');`);
    const error: unknown = await ran(['host', 'plan', file]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(UsageError);
    expect(String(error)).toMatch(/file \/etc\/a at \S+web\.ts:3, and absent \/etc\/a at \S+web\.ts:4/);
  });
});

it('bofh host facts shows what a description gets', async () => {
  host.admin.writeFile(
    '/etc/os-release',
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n',
  );
  const { stdout } = await ran(['host', 'facts'], { json: true });
  expect(answers.hostFacts.parse(JSON.parse(stdout))).toMatchObject({
    os: { id: 'debian', version: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
    xen: 'dom0',
  });
  expect((await ran(['host', 'facts'])).stdout).toContain('system     Debian GNU/Linux 12 (bookworm)\n');
});

describe('an object that a package brings', () => {
  beforeEach(() => {
    host.admin.publish([{ name: 'nginx', version: '1.22.1-9' }]);
    describing(`h.package('nginx');
      const site = h.file('/etc/nginx/conf.d/site.conf', { content: 'server {}' });
      h.lines('/etc/nginx/nginx.conf', { present: ['# ours'] });
      h.service('nginx', { running: true, reloadOn: [site] });`);
  });
  const maybe = '(if the packages provide what it needs)';

  it('does not fail a plan, which says what depends on it', async () => {
    expect((await ran(['host', 'plan', file])).stdout.split('\n')).toEqual([
      'change packages nginx (nginx 1.22.1-9, download 800 B)',
      `create file /etc/nginx/conf.d/site.conf ${maybe}`,
      `change lines of /etc/nginx/nginx.conf ${maybe}`,
      'if the packages provide it, set up nginx.service',
      '',
    ]);
  });

  it('fails the run if the package does not bring it, and the package is removed again', async () => {
    const before = host.snapshot();
    const failed = ran(['host', 'apply', file, '--yes'], { yes: true });

    await expect(failed).rejects.toThrow(/there is no directory \/etc\/nginx\/conf.d/);
    expect(host.snapshot()).toBe(before);
  });

  it('fails the run also where only lines of its file are described', async () => {
    describing(`h.package('nginx');
      h.lines('/etc/nginx/nginx.conf', { present: ['# ours'] });`);
    const before = host.snapshot();

    await expect(ran(['host', 'apply', file, '--yes'], { yes: true })).rejects.toThrow(
      /the description has lines for \/etc\/nginx\/nginx.conf, but there is no such file/,
    );
    expect(host.snapshot()).toBe(before);
  });

  it('does not hide why a later step of a plan is refused', async () => {
    describing(`h.package('nginx');
      h.ensure.block.attachLoop({ file: '/srv/none.img' });`);
    const before = host.snapshot();

    for (const words of [
      ['host', 'plan', file],
      ['host', 'apply', file, '--yes'],
    ]) {
      const error: unknown = await ran(words, { yes: true }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(RefusedError);
      expect(String(error)).toMatch(/would fail and be rolled back: .*\/srv\/none\.img/);
    }
    expect(host.snapshot()).toBe(before);
  });

  it('does not help resources before the package', async () => {
    describing(`h.lines('/etc/nginx/nginx.conf', { present: ['# ours'] });
      h.package('nginx');`);
    await expect(ran(['host', 'plan', file])).rejects.toThrow(/nginx.conf/);
  });
});
