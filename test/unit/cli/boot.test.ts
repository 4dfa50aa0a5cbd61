import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { atomic, withBofh } from '../../../src/bofh.ts';
import * as answers from '../../../src/cli/output/answers/index.ts';
import type { Program, Runtime } from '../../../src/cli/runtime/runtime.ts';
import { bootUnits, withoutHeader } from '../../../src/cli/verbs/boot/units.ts';
import { type BeginLine, encode, type Line } from '../../../src/atomic/journal/lines.ts';
import { fold } from '../../../src/atomic/journal/state.ts';
import { withinLimit } from '../../../src/cli/verbs/recover/boot-limit.ts';
import { startedGuest } from '../../../src/cli/verbs/recover/recover.ts';
import type { ReadJournal } from '../../../src/cli/runtime/read-journals.ts';
import {
  ProcessKilled,
  simulatedBofh,
  simulatedHost,
  type SimulatedHost,
} from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { bofhOn, hostWithSource, vmCreate } from '../simulator/support.ts';
import { containing } from './support/containing.ts';
import { bare, begin } from './support/journals.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const program: Program = ['/usr/bin/node', '/usr/local/lib/node_modules/bofh/dist/bofh.cjs'];
const chunk = '/usr/local/lib/node_modules/bofh/dist/chunk-x-1.js';
const units = [
  'bofh-recover.service',
  'bofh-recover.timer',
  'bofh-recover-hosts.service',
  'bofh-recover-hosts.timer',
  'bofh-recover-unconfirmed.service',
  'bofh-start-all.service',
];
const startAll = 'bofh-start-all.service';
const pathOf = (unit: string): string => `/etc/systemd/system/${unit}`;

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  host.admin.mkdir('/etc/systemd/system/multi-user.target.wants');
  for (const path of program) host.admin.writeFile(path, 'a program', 0o755);
});

const at = (said: Parameters<typeof testRuntime>[1] = {}, started = program) => {
  const { runtime, ...outputs } = testRuntime(simulatedBofh({ host }), said);
  return { runtime: { ...runtime, program: started }, ...outputs };
};
const install = (runtime: Runtime<unknown>): Promise<number> => runVerb(runtime, 'boot install');
const remove = (runtime: Runtime<unknown>): Promise<number> => runVerb(runtime, 'boot remove');

const enable = (unit: string): void =>
  host.admin.symlink(`/etc/systemd/system/multi-user.target.wants/${unit}`, pathOf(unit));

async function statusOf(said: Parameters<typeof testRuntime>[1] = {}): Promise<answers.BootUnits> {
  const { runtime, stdout } = at({ ...said, json: true });
  expect(await runVerb(runtime, 'boot status')).toBe(0);
  return answers.bootUnits.parse(JSON.parse(stdout()));
}

const statesOf = async (): Promise<readonly string[]> => (await statusOf()).map(({ state }) => state);

describe('bofh boot status', () => {
  it('reports missing units as absent', async () => {
    expect((await statusOf()).map(({ state, atBoot }) => `${state} ${atBoot}`)).toEqual(
      units.map(() => 'absent disabled'),
    );
  });
});

describe('bofh boot install', () => {
  it('writes the units with absolute paths, and prints the next systemctl command', async () => {
    const { runtime, stderr } = at();

    expect(await install(runtime)).toBe(0);

    expect(host.admin.readFile(pathOf('bofh-recover.service'))).toContain(
      `\nExecStart=${program.join(' ')} recover --boot\n`,
    );
    expect(host.admin.readFile(pathOf('bofh-recover-hosts.service'))).toContain(
      `\nExecStart=${program.join(' ')} recover --boot --network\n`,
    );
    expect(host.admin.readFile(pathOf('bofh-start-all.service'))).toContain(
      `\nExecStart=${program.join(' ')} xen start-all --autostart\n`,
    );
    expect(stderr()).toBe(
      'next: systemctl enable bofh-recover.service bofh-recover-hosts.service bofh-recover-unconfirmed.service bofh-start-all.service',
    );
    expect(await statusOf()).toEqual([
      { unit: units[0], file: pathOf('bofh-recover.service'), state: 'installed', atBoot: 'disabled' },
      { unit: units[1], file: pathOf('bofh-recover.timer'), state: 'installed', atBoot: 'on-failure' },
      { unit: units[2], file: pathOf('bofh-recover-hosts.service'), state: 'installed', atBoot: 'disabled' },
      { unit: units[3], file: pathOf('bofh-recover-hosts.timer'), state: 'installed', atBoot: 'on-failure' },
      {
        ...{ unit: units[4], file: pathOf('bofh-recover-unconfirmed.service') },
        ...{ state: 'installed', atBoot: 'disabled' },
      },
      { unit: units[5], file: pathOf('bofh-start-all.service'), state: 'installed', atBoot: 'disabled' },
    ]);
  });

  it('prints nothing on stderr with --quiet, and no next command if nothing is to do', async () => {
    const [quiet, again, none] = [at({ quiet: true }), at({ quiet: true }), at()];
    await install(quiet.runtime);
    await remove(again.runtime);
    await remove(none.runtime);
    expect([quiet.stderr(), again.stderr(), none.stderr()]).toEqual(['', '', '']);
  });

  it('writes its state directory and site file into the units', async () => {
    await install(at({ stateDir: '/srv/bofh', site: '/srv/site.json' }).runtime);

    const text = host.admin.readFile(pathOf('bofh-recover.service'));
    expect(text).toContain(
      `ExecStart=${program.join(' ')} --state-dir /srv/bofh --site /srv/site.json recover --boot`,
    );
    expect(text).toContain('RequiresMountsFor=/srv/bofh\n');
  });

  it('keeps the options of the units if none are typed, and says so', async () => {
    await install(at({ stateDir: '/srv/bofh', site: '/srv/site.json' }).runtime);
    const before = host.snapshot();
    const { runtime, stderr } = at();

    expect(await statesOf()).toEqual(units.map(() => 'installed'));
    expect(await install(runtime)).toBe(0);

    expect(host.snapshot()).toBe(before);
    expect(stderr()).toContain(
      'the units keep --state-dir /srv/bofh\nthe units keep --site /srv/site.json\n',
    );
  });

  it('keeps the options if bofh was moved', async () => {
    await install(at({ stateDir: '/srv/bofh' }, [grown('/opt/node/bin/node'), program[1]]).runtime);
    expect((await statesOf()).slice(0, 1)).toEqual(['outdated']);

    await install(at().runtime);

    expect(host.admin.readFile(pathOf('bofh-recover.service'))).toContain(
      `ExecStart=${program.join(' ')} --state-dir /srv/bofh recover --boot`,
    );
  });

  it.each([
    ['/srv/other', '--state-dir /srv/other recover'],
    ['/var/lib/bofh', `${program[1]} recover`],
  ])(
    'changes the units to %s if that is typed, and warns about the old directory',
    async (stateDir, says) => {
      await install(at({ stateDir: '/srv/bofh' }).runtime);
      const { runtime, stderr } = at({ stateDir });

      await install(runtime);

      expect(host.admin.readFile(pathOf('bofh-recover.service'))).toContain(says);
      expect(stderr()).toContain('unfinished sequences in /srv/bofh are no longer recovered at boot');
    },
  );

  it('prints no warning about another directory on a host without units', async () => {
    const { runtime, stderr } = at({ stateDir: '/srv/bofh' });

    await install(runtime);

    expect(stderr()).not.toContain('no longer recovered');
  });

  it('replaces every placeholder', async () => {
    for (const { content } of bootUnits(program, '/var/lib/bofh')) expect(content).not.toMatch(/@[A-Z_]+@/);
  });

  it('adds units that an older bofh did not have, and keeps the options of the others', async () => {
    await install(at({ stateDir: '/srv/bofh' }).runtime);
    for (const unit of ['bofh-recover-hosts.service', 'bofh-recover-hosts.timer'])
      host.admin.removeFile(pathOf(unit));
    const old = host.admin.readFile(pathOf('bofh-recover.service'));
    const body = old
      .split('\n')
      .slice(2)
      .join('\n')
      .replace(/^# those that reach other hosts\..*\n/m, '');
    const sha256 = createHash('sha256').update(body).digest('hex');
    const head = old.split('\n')[0] ?? '';
    host.admin.writeFile(pathOf('bofh-recover.service'), `${head}\n# sha256 of the rest: ${sha256}\n${body}`);
    expect(await statesOf()).toEqual(['outdated', 'installed', 'absent', 'absent', 'installed', 'installed']);

    await install(at().runtime);

    expect(await statesOf()).toEqual(units.map(() => 'installed'));
    expect(host.admin.readFile(pathOf('bofh-recover-hosts.service'))).toContain(
      `--state-dir /srv/bofh recover --boot --network\n`,
    );
  });

  it('changes nothing the second time', async () => {
    await install(at().runtime);
    const before = host.snapshot();

    await install(at().runtime);

    expect(host.snapshot()).toBe(before);
  });

  it('replaces its own units if bofh was moved, and then asks only for a reload', async () => {
    await install(at({}, ['/opt/node/bin/node', program[1]].map(grown) as unknown as Program).runtime);
    for (const unit of units) if (unit.endsWith('.service')) enable(unit);
    expect((await statesOf()).slice(0, 1)).toEqual(['outdated']);
    const { runtime, stderr } = at();

    await install(runtime);

    expect(await statesOf()).toEqual(units.map(() => 'installed'));
    expect(stderr()).toBe('next: systemctl daemon-reload');
  });

  it.each([
    ['was edited', () => edit('bofh-recover.service'), 'bofh-recover.service'],
    ['was not created by bofh', () => host.admin.writeFile(pathOf(startAll), '[Unit]\n'), startAll],
    ['is masked', () => host.admin.symlink(pathOf(units[1] ?? ''), '/dev/null'), units[1]],
  ])('touches nothing when a unit %s', async (_how, act, name) => {
    if (_how === 'was edited') await install(at().runtime);
    act();
    const before = host.snapshot();

    await expect(install(at().runtime)).rejects.toThrow(
      `a unit was edited, or not created by "bofh boot install": ${pathOf(name ?? '')}`,
    );
    if (_how === 'was edited') await expect(remove(at().runtime)).rejects.toThrow('bofh-recover.service');

    expect(host.snapshot()).toBe(before);
  });

  it('refuses a program that users other than root can write', async () => {
    host.admin.writeFile('/home/me/bofh.cjs', 'x', 0o777);

    await expect(install(at({}, [program[0], '/home/me/bofh.cjs']).runtime)).rejects.toThrow(
      'other users than root can write to /home/me/bofh.cjs',
    );
    expect(await statesOf()).toEqual(units.map(() => 'absent'));
  });

  it.each([
    ['can be written by others', () => host.admin.writeFile(chunk, 'x', 0o666)],
    ['is a link', () => host.admin.symlink(chunk, '/tmp/x.js')],
  ])('refuses bofh if a file beside it %s', async (_how, make) => {
    make();

    const refused = install(at().runtime);

    await expect(refused).rejects.toThrow(`other users than root can write to ${chunk}`);
    await expect(refused).rejects.toMatchObject({ remedy: containing('npm ci && npm run build') });
    expect(await statesOf()).toEqual(units.map(() => 'absent'));
  });

  it('refuses a path that systemd would split', async () => {
    host.admin.writeFile('/opt/a b%c/bofh.cjs', 'x', 0o755);

    await expect(install(at({}, [program[0], '/opt/a b%c/bofh.cjs']).runtime)).rejects.toThrow(
      'cannot be used in a systemd unit',
    );
  });

  it('writes all units or none: after a kill at any change recovery removes them', async () => {
    const begun = host.points.length;
    const before = host.snapshot();
    await install(at().runtime);
    const count = host.points.slice(begun).filter(({ tool }) => tool !== 'store').length;
    await remove(at().runtime);
    expect(host.snapshot()).toBe(before);
    expect(count).toBeGreaterThan(5);

    for (let nth = 1; nth <= count; nth += 1) {
      host.clearFaults();
      host.fault({ nth, mode: 'acts then crash' });
      await install(at().runtime).catch((error: unknown) => expect(error).toBeInstanceOf(Error));
      host.clearFaults();
      host = host.powerCut({ keep: 'all' });
      await runVerb(at().runtime, 'recover --boot');
      const states = await statesOf();
      expect(new Set(states).size).toBe(1);
      if (states[0] === 'installed') await remove(at().runtime);
    }
  });

  it('writes nothing in a dry run', async () => {
    const before = host.snapshot();
    const { runtime, stdout } = at({ dryRun: true });

    await install(runtime);

    expect(host.snapshot()).toBe(before);
    for (const unit of units) expect(stdout()).toContain(pathOf(unit));
  });
});

describe('bofh boot remove', () => {
  it('leaves the host as it was before install', async () => {
    const before = host.snapshot();
    await install(at().runtime);

    expect(await remove(at().runtime)).toBe(0);

    expect(host.snapshot()).toBe(before);
  });

  it('refuses while a unit is enabled, and names the command', async () => {
    await install(at().runtime);
    enable('bofh-start-all.service');
    const before = host.snapshot();

    await expect(remove(at().runtime)).rejects.toThrow('enabled: bofh-start-all.service');
    await expect(remove(at().runtime)).rejects.toMatchObject({
      remedy: 'systemctl disable bofh-start-all.service',
    });

    expect(host.snapshot()).toBe(before);
    expect((await statusOf()).at(-1)).toMatchObject({ unit: startAll, atBoot: 'enabled' });
  });
});

describe('the units of the Debian package', () => {
  const packaged = (unit: string): string => `/usr/lib/systemd/system/${unit}`;
  beforeEach(() => {
    host.admin.mkdir('/usr/lib/systemd/system');
    for (const { name, content } of bootUnits(program, '/var/lib/bofh'))
      host.admin.writeFile(packaged(name), withoutHeader(content));
  });

  it('are installed, so boot install writes no other ones', async () => {
    enable(startAll);
    const before = host.snapshot();

    expect(await install(at().runtime)).toBe(0);

    expect(host.snapshot()).toBe(before);
    expect((await statusOf()).map(({ file, state }) => `${file} ${state}`)).toEqual(
      units.map((unit) => `${packaged(unit)} installed`),
    );
    expect((await statusOf()).at(-1)?.atBoot).toBe('enabled');
  });

  it('are not removed by boot remove, which says how', async () => {
    const before = host.snapshot();

    await expect(remove(at().runtime)).rejects.toMatchObject({
      message: 'the units belong to the Debian package of bofh',
      remedy: 'apt remove bofh',
    });
    enable(startAll);
    await expect(remove(at().runtime)).rejects.toMatchObject({ remedy: `systemctl disable ${startAll}` });

    host.admin.removeFile(`/etc/systemd/system/multi-user.target.wants/${startAll}`);
    expect(host.snapshot()).toBe(before);
  });

  it('are hidden by units with another state directory, and are back when those are removed', async () => {
    const before = host.snapshot();

    await install(at({ stateDir: '/srv/bofh' }).runtime);
    expect((await statusOf()).map(({ file }) => file)).toEqual(
      units.map((unit) => (unit.endsWith('.timer') ? packaged(unit) : pathOf(unit))),
    );
    await remove(at().runtime);

    expect(host.snapshot()).toBe(before);
  });

  it('are absent for another bofh, which they do not start: only the timers are common', async () => {
    const { runtime, stdout } = at({ json: true }, ['/usr/bin/node', '/opt/bofh.cjs']);

    await runVerb(runtime, 'boot status');

    expect(answers.bootUnits.parse(JSON.parse(stdout())).map(({ state }) => state)).toEqual(
      units.map((unit) => (unit.endsWith('.timer') ? 'installed' : 'absent')),
    );
  });
});

describe('the units', () => {
  const analyze = '/usr/bin/systemd-analyze';

  // Not a skip where there is no systemd: the rig installs them on a real one.
  if (existsSync(analyze))
    it('are valid for systemd-analyze', () => {
      const dir = mkdtempSync(join(tmpdir(), 'bofh-units-'));
      try {
        // What they start must be there: this node stands for it.
        const made = bootUnits([process.execPath], '/var/lib/bofh');
        for (const { name, content } of made) writeFileSync(join(dir, name), content);

        const said = execFileSync(analyze, ['verify', ...made.map(({ name }) => join(dir, name))], {
          encoding: 'utf8',
          stdio: 'pipe',
        });

        expect(said).toBe('');
      } finally {
        rmSync(dir, { recursive: true });
      }
    });

  const service = (name: string): string =>
    bootUnits(program, '/var/lib/bofh').find((unit) => unit.name === name)?.content ?? '';
  const words = (text: string, key: string): readonly string[] =>
    [...text.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].flatMap(([, value = '']) => value.split(' '));

  it('recover before every unit that starts guests or takes their devices', () => {
    const text = service('bofh-recover.service');

    for (const other of ['drbd', 'xendomains', 'libvirtd', 'libvirt-guests', 'bofh-start-all'])
      expect(words(text, 'Before')).toContain(`${other}.service`);
    expect(words(text, 'After')).toContain('xen.service');
    expect(words(text, 'RequiresMountsFor')).toEqual(['/var/lib/bofh']);
  });

  it('recover sequences with other hosts after the network, one after the other, and block no unit', () => {
    const text = service('bofh-recover-hosts.service');

    expect(words(text, 'Wants')).toEqual(['network-online.target']);
    expect(words(text, 'After')).toContain('network-online.target');
    expect(words(text, 'After')).toContain('bofh-recover.service');
    expect(words(text, 'Before')).toEqual([]);
    expect(words(text, 'OnFailure')).toEqual(['bofh-recover-hosts.timer']);
    expect(words(service('bofh-recover.service'), 'OnFailure')).toEqual(['bofh-recover.timer']);
  });

  it.each(['bofh-recover.service', 'bofh-recover-hosts.service', 'bofh-start-all.service'])(
    '%s: stopping it kills no running change',
    (name) => {
      const text = service(name);

      expect(words(text, 'KillMode')).toEqual(['process']);
      expect(words(text, 'SendSIGKILL')).toEqual(['no']);
      // Recovery has a limit of its own, 15 minutes and one journal more; a guest may take its time.
      expect(words(text, 'TimeoutStartSec')).toEqual([
        name === 'bofh-start-all.service' ? 'infinity' : '25min',
      ]);
    },
  );

  it('are never a success with exit code 3, 4 or 6', () => {
    for (const name of units.filter((each) => each.endsWith('.service')))
      expect(words(service(name), 'SuccessExitStatus')).toEqual(['130']);
  });
});

describe('bofh recover --boot', () => {
  const interrupted = async (name = 'data'): Promise<void> => {
    host.fault({ tool: 'lvcreate', mode: 'acts then crash' });
    const work = withBofh(simulatedBofh({ host }), () =>
      atomic('a volume', (tx) => tx.lvm.createLv({ vg: 'vg0', name, size: '16m' })),
    );
    await expect(work).rejects.toThrow();
    host.clearFaults();
  };
  const volumes = (): boolean => host.snapshot().includes('lv vg0/data');

  it('rolls back sequences of an earlier boot', async () => {
    await interrupted();
    host = host.reboot();
    const { runtime, stdout } = at();

    expect(await runVerb(runtime, 'recover --boot')).toBe(0);

    expect(volumes()).toBe(false);
    expect(stdout()).toContain('undone');
  });

  it('starts no journal after the total time, and says so', async () => {
    await interrupted();
    host = host.reboot();
    const { runtime, stderr } = at();

    expect(await runVerb(runtime, 'recover --boot --total 0s')).toBe(3);

    expect(volumes()).toBe(true);
    expect(stderr()).toContain(
      'the time for recovery at boot (--total) ended before this journal was reached',
    );
  });

  it('leaves a journal open that hangs, continues with the next, and keeps its objects locked', async () => {
    await interrupted();
    host = host.restart();
    await interrupted('other');
    host = host.reboot();
    host.fault({ tool: 'lvremove', mode: 'hangs', times: 1 });
    const { runtime, stdout, stderr } = at();

    expect(await runVerb(runtime, 'recover --boot --limit 200ms')).toBe(3);
    host.clearFaults();

    const [hung] = host.world.orphans;
    const name = volumes() ? 'data' : 'other';
    const use = withBofh(simulatedBofh({ host }), () =>
      atomic('another', (tx) => tx.lvm.removeLv({ vg: 'vg0', name })),
    );
    await expect(use).rejects.toThrow(/belongs to the unfinished sequence|is in use by/);
    expect(stderr()).toMatch(
      /it was not finished within 1 s, and is left open; still at work: process \d+ \(.*lvremove/,
    );
    expect(stdout().match(/undone/g)).toHaveLength(1);
    expect(stdout().match(/stays open/g)).toHaveLength(1);
    expect(hung?.command).toContain('lvremove');

    host = host.reboot();
    expect(await runVerb(at().runtime, 'recover --boot')).toBe(0);
    expect(volumes()).toBe(false);
  });

  it('--limit 0 is refused', async () => {
    const recovered = runVerb(at().runtime, 'recover --boot --limit 0');
    await expect(recovered).rejects.toThrow('--limit 0: must be more than 0');
  });

  it('does not let wait for a program if none runs', async () => {
    const { engine } = simulatedBofh({ host });
    const limit = { journalMs: 20, until: performance.now() + 1000 };
    const ended = withinLimit(engine, 'aa11', limit, (over) =>
      delay(10_000, undefined, over === undefined ? {} : { signal: over }),
    );

    expect(await rejectionOf(ended)).toMatchObject({ remedy: 'bofh recover aa11' });
  });

  it('leaves sequences of this boot open', async () => {
    await interrupted();
    host = host.restart();
    const { runtime, stderr } = at();

    expect(await runVerb(runtime, 'recover --boot')).toBe(0);

    expect(volumes()).toBe(true);
    expect(stderr()).toContain('sequences of this boot are left untouched');
    expect(await runVerb(at().runtime, 'recover')).toBe(0);
    expect(volumes()).toBe(false);
  });

  it('never asks, even on a terminal, and leaves objects in use untouched: exit 3', async () => {
    await interrupted();
    host = host.reboot();
    const uuid = '0c0ffee0-0000-4000-8000-000000000001';
    host.admin.format('/dev/vg0/data', { type: 'ext4', usage: 'filesystem', uuid, version: '1.0' });
    host.admin.mkdir('/mnt/data');
    host.admin.mount('/dev/vg0/data', '/mnt/data');
    const { runtime, stderr } = at();
    const asked: string[] = [];
    const ask = async (question: string): Promise<string> => {
      asked.push(question);
      return 'y';
    };
    const terminal = { ...runtime.terminal, interactive: true, ask };

    expect(await runVerb({ ...runtime, terminal }, 'recover --boot')).toBe(3);

    expect(volumes()).toBe(true);
    expect(stderr()).toContain('objects that it created or changed are in use now');
    expect(stderr()).toMatch(/to undo it anyway: bofh recover [0-9a-f]+ --yes;/);
    expect(asked).toEqual([]);
  });

  it('leaves a started guest untouched that was not committed: it may have run until the reboot', async () => {
    host = hostWithSource();
    const unwatch = host.faults.watch(({ tool }) => {
      if (tool !== 'store' || !host.world.domains.some(({ name }) => name === 'web1')) return;
      host.kill();
      throw new ProcessKilled();
    });
    await expect(vmCreate(bofhOn(host))).rejects.toThrow();
    unwatch();
    expect(host.snapshot()).toContain('domain web1');
    host = host.powerCut({ keep: 'all' });
    expect(await runVerb(at({ dryRun: true }).runtime, 'recover --boot')).toBe(3);
    const { runtime, stderr, stdout } = at();

    expect(await runVerb(runtime, 'recover --boot')).toBe(3);

    expect(host.snapshot()).toContain('lv vg0/web1-root');
    expect(stderr()).toContain('it had started the guest web1, which may have run until the reboot');
    expect(stdout()).toContain('stays open');
    expect(await runVerb(at({ yes: true }).runtime, 'recover')).toBe(0);
    expect(host.snapshot()).not.toContain('lv vg0/web1-root ');
  });

  it('leaves sequences with other hosts to the unit that runs after the network is up', async () => {
    await interrupted();
    host = host.reboot();
    reach();

    const first = at();
    expect(await runVerb(first.runtime, 'recover --boot')).toBe(0);
    expect(volumes()).toBe(false);
    expect(first.stderr()).toContain('sequences that reach other hosts wait for the network');
    expect(first.stdout()).not.toContain('two hosts');

    const second = withOthers();
    expect(await runVerb(second.runtime, 'recover --boot --network')).toBe(0);
    expect(second.stdout()).toMatch(/undone +two hosts/);
  });

  it('--network leaves sequences without other hosts open', async () => {
    await interrupted();
    host = host.reboot();
    const { runtime, stdout } = withOthers();

    expect(await runVerb(runtime, 'recover --boot --network')).toBe(0);

    expect(volumes()).toBe(true);
    expect(stdout()).not.toContain('undone');
  });

  it('--unconfirmed takes only what had to be confirmed, also if it had started a guest', async () => {
    await interrupted();
    host = host.reboot();
    lay('cc33', [confirmed('cc33', 'firewall')]);
    const { runtime, stdout } = at();

    expect(await runVerb(runtime, 'recover --boot --unconfirmed')).toBe(0);

    expect(stdout()).toMatch(/undone +firewall/);
    expect(volumes()).toBe(true);
    const guest = { ...bare(1), kind: 'xen.domain.create', claims: { makes: ['dom:web1'] } };
    const left = (of: Line) =>
      startedGuest({ is: 'open', open: { state: fold([of, guest]) } } as unknown as ReadJournal);
    expect(left(begin('dd44', 'guest'))?.message).toContain('it had started the guest web1');
    expect(left(confirmed('dd44', 'guest'))).toBeUndefined();
  });

  it.each([{}, { dryRun: true }])(
    'a started guest counts more than an unreadable journal: %j',
    async (said) => {
      const guest = { ...bare(1), kind: 'xen.domain.create', claims: { makes: ['dom:web1'] } };
      lay('dd44', [begin('dd44', 'guest'), guest]);
      const damaged = simulatedBofh({ host }).engine.store.create('ee55.journal');
      damaged.write(Buffer.from('damaged\n'), 0);
      damaged.close();

      expect(await runVerb(at(said).runtime, 'recover --boot')).toBe(3);
    },
  );

  it.each([
    'recover --unconfirmed',
    'recover abc --boot --unconfirmed',
    'recover --boot --network --unconfirmed',
  ])('%s is refused', async (line) => {
    await expect(runVerb(at().runtime, line)).rejects.toThrow(
      '--unconfirmed needs the ID of a journal, or --boot without --network',
    );
  });

  it('--network needs --boot', async () => {
    await expect(runVerb(at().runtime, 'recover --network')).rejects.toThrow('--network needs --boot');
  });

  it.each([
    ['--yes', { yes: true }, undefined],
    ['an id', {}, 'abc'],
  ])('is refused together with %s', async (_what, said, id) => {
    await expect(runVerb(at(said).runtime, `recover ${id} --boot`)).rejects.toThrow(
      '--boot excludes an ID and --yes',
    );
  });
});

/** A bofh that knows other hosts: each is this one. */
function withOthers() {
  const bofh = simulatedBofh({ host });
  const { engine } = bofh;
  return testRuntime({ ...bofh, engine: { ...engine, place: () => ({ host, on: engine.on }) } });
}

/** A journal of an earlier boot that has reached another host, with nothing left to do. */
function reach(): void {
  lay('bb22', [begin('bb22', 'two hosts'), { t: 'host', host: 'web2', reach: {} }]);
}

const confirmed = (id: string, name: string): Line => ({
  ...(begin(id, name) as BeginLine),
  confirm: 120,
});

function lay(id: string, lines: readonly Line[]): void {
  const file = simulatedBofh({ host }).engine.store.create(`${id}.journal`);
  file.write(encode(lines, 0).bytes, 0);
  file.close();
}

function edit(unit: string): void {
  host.admin.writeFile(pathOf(unit), `${host.admin.readFile(pathOf(unit))}# mine\n`);
}

/** A program that is there. */
function grown(path: string): string {
  host.admin.writeFile(path, 'a program', 0o755);
  return path;
}
