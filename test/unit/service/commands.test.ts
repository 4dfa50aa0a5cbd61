import { describe, expect, it } from 'vitest';
import { enable, later, showUnit, systemctl } from '../../../src/service/unit.ts';
import { simulatedHost } from '../../../src/simulator/index.ts';
import { serviceTools } from '../../../src/simulator/tools/service/systemctl.ts';
import { versionsOf } from '../../support/record/recordings.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const versions = versionsOf('systemctl/show-running');
const of = (situation: string, version: string) => recorded(`systemctl/${situation}@${version}`);

describe.each(versions)('systemctl show of systemd %s', (version) => {
  const read = (situation: string, text = of(situation, version).stdout) =>
    showUnit('x.service').parse({ exitCode: 0, stdout: text, stderr: '' });

  it.each([
    ['show-running', { ActiveState: 'active', UnitFileState: 'enabled', CanReload: 'yes', Type: 'simple' }],
    ['show-stopped', { ActiveState: 'inactive', UnitFileState: 'disabled', InvocationID: '' }],
    ['show-failed', { ActiveState: 'failed', LoadState: 'loaded' }],
    ['show-missing', { LoadState: 'not-found', UnitFileState: '', Type: '' }],
    ['show-masked', { LoadState: 'masked', UnitFileState: 'masked' }],
    ['show-bad-setting', { LoadState: 'bad-setting' }],
    ['show-refuses', { CanStart: 'no', CanStop: 'no' }],
    ['show-oneshot', { Type: 'oneshot', RemainAfterExit: 'no', UnitFileState: 'static' }],
    ['show-oneshot-that-stays', { Type: 'oneshot', RemainAfterExit: 'yes' }],
    ['show-alias', { Id: 'web.service' }],
    ['show-triggered', { TriggeredBy: 'web.socket' }],
    ['show-instance', { Id: 'tmpl@a.service', FragmentPath: '/etc/systemd/system/tmpl@.service' }],
    ['show-target', { Id: 'multi-user.target', ActiveState: 'active' }],
  ] as const)('reads %s', (situation, expected) => {
    expect(read(situation)).toMatchObject(expected);
    expect(of(situation, version).argv.slice(0, -1)).toEqual([
      'systemctl',
      ...showUnit('x.service').argv.slice(0, -1),
    ]);
  });

  it.each(['show-socket', 'show-timer', 'show-target'])('refuses Type=%s', (situation) => {
    expect(read(situation)).not.toHaveProperty('Type');
  });

  it('refuses a missing line, a repeated line, an extra line and an unknown state', () => {
    const whole = of('show-socket', version).stdout;
    const lines = whole.split('\n').slice(0, -1);
    for (const line of lines) {
      expect(() => read('', whole.replace(`${line}\n`, '')), line).toThrow();
      expect(() => read('', `${whole}${line}\n`), line).toThrow();
    }
    expect(() => read('', `${whole}Odd=1\n`)).toThrow();
    expect(() => read('', `${whole}odd\n`)).toThrow();
    expect(() => read('', whole.replace('ActiveState=inactive', 'ActiveState=odd'))).toThrow();
    expect(() => read('', '')).toThrow();
  });

  it.each([
    ['start-missing', 'not-found'],
    ['stop-missing', 'not-found'],
    ['enable-missing', 'not-found'],
    ['reset-failed-not-loaded', 'not-found'],
    ['start-masked', 'unknown'],
    ['start-that-fails', 'unknown'],
  ] as const)('says why %s failed', (situation, reason) => {
    const { exitCode, stdout, stderr } = of(situation, version);
    expect(exitCode).not.toBe(0);
    expect(systemctl('start', 'x.service').classify?.({ exitCode, stdout, stderr })).toBe(reason);
  });
});

it('runs with the unit after --', () => {
  expect(systemctl('restart', 'web.service').argv).toEqual(['restart', '--', 'web.service']);
  expect(systemctl('daemon-reload').argv).toEqual(['daemon-reload']);
  expect(later('stop', 'web.service').argv).toEqual(['--no-block', 'stop', '--', 'web.service']);
  expect(enable('/etc/systemd/system/web.service').argv).toEqual([
    ...['enable', '--', '/etc/systemd/system/web.service'],
  ]);
});

describe('the simulated systemctl prints what systemd 252 prints', () => {
  const host = simulatedHost();
  const unit = (name: string, text: string): void =>
    host.admin.writeFile(`/etc/systemd/system/${name}`, text);
  unit('once.service', '[Service]\nType=oneshot\nExecStart=/bin/true\n');
  unit('stay.service', '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n');
  unit('fail1.service', '[Service]\nType=oneshot\nExecStart=/bin/false\n');
  unit('rel.service', '[Service]\nExecStart=/bin/sleep infinity\nExecReload=/bin/false\n');
  unit(
    'refuse.service',
    '[Unit]\nRefuseManualStart=yes\nRefuseManualStop=yes\n[Service]\nExecStart=/bin/x\n',
  );
  host.admin.symlink('/etc/systemd/system/masked.service', '/dev/null');
  host.admin.systemctl('start', 'rel.service');
  host.admin.systemctl('start', 'stay.service');

  it.each([
    ...['start-missing', 'start-masked', 'start-refuses', 'start-that-fails', 'stop-missing'],
    ...['reload-not-applicable', 'reload-that-fails', 'reset-failed-not-loaded', 'enable-masked'],
    ...['enable-missing', 'daemon-reload'],
  ])('%s', (situation) => {
    const { argv, exitCode, stdout, stderr } = of(situation, '252');
    const answer = serviceTools['systemctl']?.({
      world: host.world,
      tool: 'systemctl',
      argv: argv.slice(1),
    });
    expect(answer).toEqual({ exitCode, stdout, stderr });
  });

  it.each(['show-oneshot', 'show-refuses', 'show-missing', 'show-masked'])('%s', async (situation) => {
    const { argv, stdout, stderr } = of(situation, '252');
    const command = showUnit(argv.at(-1) ?? '');
    expect(await host.run(command)).toEqual(command.parse({ exitCode: 0, stdout, stderr }));
  });
});
