import { beforeEach, describe, expect, it } from 'vitest';
import * as answers from '../../../src/cli/output/answers/index.ts';
import type { Program } from '../../../src/cli/verbs/boot/boot-safety.ts';
import { install, remove, status } from '../../../src/cli/verbs/btrfs/rotation.ts';
import { program as commandLine } from '../../../src/cli/runtime/program.ts';
import { settingsOf } from '../../../src/cli/runtime/settings.ts';
import { RefusedError, UsageError } from '../../../src/core/errors.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { pool } from '../../support/undo/specimens/btrfs.ts';
import { testRuntime } from './support/runtime.ts';

const program: Program = ['/usr/bin/node', '/usr/local/lib/bofh/bofh.js'];
const daily = { source: '/srv/pool/home', target: '/srv/pool/snapshots', label: 'daily' };
const unit = '/etc/systemd/system/bofh-snapshot-daily-srv-pool-home';

let host: SimulatedHost;
beforeEach(() => {
  host = simulatedHost();
  pool(host);
  host.admin.mkdir('/etc/systemd/system/timers.target.wants');
  for (const path of program) host.admin.writeFile(path, 'a program', 0o755);
});

const at = (said: Parameters<typeof testRuntime>[1] = {}) => testRuntime(simulatedBofh({ host }), said);
const enable = (): void =>
  host.admin.symlink(
    '/etc/systemd/system/timers.target.wants/bofh-snapshot-daily-srv-pool-home.timer',
    `${unit}.timer`,
  );

async function seen(): Promise<answers.BtrfsRotations> {
  const { runtime, stdout } = at({ json: true });
  expect(await status(runtime)).toBe(0);
  return answers.btrfsRotations.parse(JSON.parse(stdout()));
}

describe('bofh btrfs rotation', () => {
  it('installs a service that rotates and a timer that starts it, and says what systemctl has to do', async () => {
    const { runtime, stderr } = at();
    expect(await install(runtime, daily, program)).toBe(0);

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

  it('gives the service words that the command line understands', async () => {
    await install(at().runtime, daily, program);
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

  it('takes another number and another time the next time, and leaves one that was edited alone', async () => {
    await install(at().runtime, daily, program);
    await install(at().runtime, { ...daily, keep: 7, calendar: 'Mon..Fri 03:00' }, program);
    expect((await seen())[0]?.rotation).toMatchObject({ keep: 7, calendar: 'Mon..Fri 03:00' });

    host.admin.writeFile(`${unit}.timer`, `${host.admin.readFile(`${unit}.timer`)}# mine\n`);
    await expect(install(at().runtime, daily, program)).rejects.toThrow(RefusedError);
    await expect(remove(at().runtime, daily)).rejects.toThrow(RefusedError);
    expect((await seen())[0]?.rotation).toBeNull();
  });

  it('has the state directory of the units that recover at boot', async () => {
    const { install: installBoot } = await import('../../../src/cli/verbs/boot/boot.ts');
    host.admin.mkdir('/etc/systemd/system/multi-user.target.wants');
    await installBoot(at({ stateDir: '/srv/bofh' }).runtime, program);
    await install(at().runtime, daily, program);
    expect(host.admin.readFile(`${unit}.service`)).toContain(
      `ExecStart=${program.join(' ')} --state-dir /srv/bofh --yes`,
    );
  });

  it('removes both, but none that is enabled or not there', async () => {
    await expect(remove(at().runtime, daily)).rejects.toThrow(/no rotation/);
    await install(at().runtime, daily, program);
    enable();
    await expect(remove(at().runtime, daily)).rejects.toThrow(/enabled/);
    host.admin.removeFile('/etc/systemd/system/timers.target.wants/bofh-snapshot-daily-srv-pool-home.timer');

    expect(await remove(at().runtime, daily)).toBe(0);
    expect(await seen()).toEqual([]);
  });

  it.each([
    [{ ...daily, source: '/srv/pool/snapshots' }, RefusedError],
    [{ ...daily, target: '/srv' }, RefusedError],
    [{ ...daily, label: 'hourly' }, UsageError],
    [{ ...daily, label: 'hourly', keep: 3 }, UsageError],
    [{ ...daily, calendar: 'daily\nExecStart=x' }, UsageError],
    [{ ...daily, source: '/srv/pool/one with spaces' }, UsageError],
  ])('refuses %j', async (asked, error) => {
    const before = host.snapshot();
    await expect(install(at().runtime, asked, program)).rejects.toThrow(error);
    expect(host.snapshot()).toBe(before);
  });
});
