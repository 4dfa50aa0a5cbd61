import { beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import { program as commandLine } from '../../../src/cli/runtime/program.ts';
import type { Program } from '../../../src/cli/runtime/runtime.ts';
import { settingsOf } from '../../../src/cli/runtime/settings.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';
import { runVerb } from './support/run-verb.ts';
import { testRuntime } from './support/runtime.ts';

const program: Program = ['/usr/bin/node', '/usr/local/lib/bofh/bofh.cjs'];
const daily = { source: '/srv/pool/home', target: '/srv/pool/snapshots', label: 'daily' };
const unit = '/etc/systemd/system/bofh-snapshot-daily-srv-pool-home';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  pool(host);
  host.admin.mkdir('/etc/systemd/system/timers.target.wants');
  for (const path of program) host.admin.writeFile(path, 'a program', 0o755);
});

const at = (said: Parameters<typeof testRuntime>[1] = {}) => {
  const { runtime, ...outputs } = testRuntime(simulatedBofh({ host }), said);
  return { runtime: { ...runtime, program }, ...outputs };
};
const paths = [daily.source, daily.target];
const label = ['--label', 'daily'];
const install = (words: readonly string[] = [...paths, ...label], runtime = at().runtime): Promise<number> =>
  runVerb(runtime, ['btrfs', 'rotation', 'install', ...words]);
const remove = (): Promise<number> =>
  runVerb(at().runtime, ['btrfs', 'rotation', 'remove', daily.source, ...label]);
const enable = (): void =>
  host.admin.symlink(
    '/etc/systemd/system/timers.target.wants/bofh-snapshot-daily-srv-pool-home.timer',
    `${unit}.timer`,
  );

async function seen(): Promise<answers.BtrfsRotations> {
  const { runtime, stdout } = at({ json: true });
  expect(await runVerb(runtime, 'btrfs rotation status')).toBe(0);
  return answers.btrfsRotations.parse(JSON.parse(stdout()));
}

describe('bofh btrfs rotation', () => {
  it('installs a service and its timer, and prints the next systemctl command', async () => {
    const { runtime, stderr } = at();
    expect(await install([...paths, ...label], runtime)).toBe(0);

    const service = host.admin.readFile(`${unit}.service`);
    expect(service).toContain(
      `\nExecStart=${program.join(' ')} --yes --wait 10m btrfs snapshot rotate /srv/pool/home /srv/pool/snapshots --label daily --keep 21\n`,
    );
    expect(service).toContain('\nRequiresMountsFor=/var/lib/bofh /srv/pool/home /srv/pool/snapshots\n');
    expect(host.admin.readFile(`${unit}.timer`)).toContain('\nOnCalendar=daily\n');
    expect(service).not.toMatch(/@[A-Z_]+@/);
    expect(stderr()).toContain('next: systemctl enable --now bofh-snapshot-daily-srv-pool-home.timer');
    expect(await seen()).toEqual([
      {
        timer: 'bofh-snapshot-daily-srv-pool-home.timer',
        enabled: false,
        rotation: { ...daily, keep: 21, calendar: 'daily' },
      },
    ]);
  });

  it('writes a command line into the service that bofh can parse', async () => {
    await install();
    const line =
      /^ExecStart=(?<words>.*)$/m.exec(host.admin.readFile(`${unit}.service`))?.groups?.words ?? '';
    const seen: string[] = [];
    const words = line.split(' ').slice(program.length);
    const commands = await commandLine(words, async ({ verb, options }) => {
      seen.push(verb, String(settingsOf(options, {}).waitMs), settingsOf(options, {}).consent);
    });
    await commands.parseAsync(words, { from: 'user' });
    expect(seen).toEqual(['btrfs snapshot rotate', '600000', 'given']);
  });

  it('updates number and schedule of an installed rotation, and refuses edited units', async () => {
    await install();
    await install([...paths, ...label, '--keep', '7', '--calendar', 'Mon..Fri 03:00']);
    expect((await seen())[0]?.rotation).toMatchObject({ keep: 7, calendar: 'Mon..Fri 03:00' });

    host.admin.writeFile(`${unit}.timer`, `${host.admin.readFile(`${unit}.timer`)}# mine\n`);
    await expect(install()).rejects.toThrow(RefusedError);
    await expect(remove()).rejects.toThrow(RefusedError);
    expect((await seen())[0]?.rotation).toBeNull();
  });

  it('uses the state directory of the units that recover at boot', async () => {
    host.admin.mkdir('/etc/systemd/system/multi-user.target.wants');
    await runVerb(at({ stateDir: '/srv/bofh' }).runtime, 'boot install');
    await install();
    expect(host.admin.readFile(`${unit}.service`)).toContain(
      `ExecStart=${program.join(' ')} --state-dir /srv/bofh --yes`,
    );
  });

  it('removes both units, unless the timer is enabled or nothing is installed', async () => {
    await expect(remove()).rejects.toThrow(/no rotation/);
    await install();
    enable();
    await expect(remove()).rejects.toThrow(/enabled/);
    host.admin.removeFile('/etc/systemd/system/timers.target.wants/bofh-snapshot-daily-srv-pool-home.timer');

    expect(await remove()).toBe(0);
    expect(await seen()).toEqual([]);
  });

  it.each([
    [['/srv/pool/snapshots', daily.target, ...label], RefusedError],
    [[daily.source, '/srv', ...label], RefusedError],
    [[...paths, '--label', 'hourly'], UsageError],
    [[...paths, '--label', 'hourly', '--keep', '3'], UsageError],
    [[...paths, ...label, '--calendar', 'daily\nExecStart=x'], UsageError],
    [['/srv/pool/one with spaces', daily.target, ...label], UsageError],
  ])('refuses %j', async (words, error) => {
    const before = host.snapshot();
    await expect(install(words)).rejects.toThrow(error);
    expect(host.snapshot()).toBe(before);
  });
});
