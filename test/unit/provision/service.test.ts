import { beforeEach, describe, expect, it, vi } from 'vitest';
import { withBofh } from '../../../src/bofh.ts';
import type { Command, ReadCommand } from '../../../src/command/index.ts';
import { RefusedError, RolledBackError, UsageError } from '../../../src/core/errors.ts';
import { defineHost, type HostBuilder, provision as api, recover } from '../../../src/index.ts';
import { fork } from '../../../src/simulator/fork.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { differences } from '../../../src/simulator/matrix/judge.ts';
import { simulate } from '../../../src/simulator/real-host/simulate.ts';
import { rejectionOf } from '../../support/rejection.ts';

let host: SimulatedHost;
const own = '/etc/systemd/system';
const apply = (describe: (h: HostBuilder) => unknown, on = host) =>
  withBofh(simulatedBofh({ host: on }), () => api.apply(defineHost(describe)));
const services = async (describe: (h: HostBuilder) => void): Promise<readonly string[]> =>
  (await apply(describe)).flatMap(({ kind, name, details }) =>
    kind === 'service' ? [`${details.join(', ')} ${name}`] : [],
  );

/** A service with a unit file and a configuration, which are described. */
const web =
  (config: string, more = '') =>
  (h: HostBuilder): void => {
    const unit = h.file(`${own}/web.service`, {
      content: `[Service]\nExecStart=/bin/sh /etc/web.sh\nExecReload=/bin/true\n${more}[Install]\nWantedBy=multi-user.target\n`,
    });
    const conf = h.file('/etc/web.sh', { content: config });
    h.service('web', { enabled: true, running: true, restartOn: [conf, unit] });
  };

beforeEach(() => {
  host = simulatedHost();
  host.admin.mkdir(own);
});

describe('h.service', () => {
  it('enables and starts, restarts after a change, and has nothing to do the second time', async () => {
    expect(await services(web('sleep infinity\n'))).toEqual(['enable, start web.service']);
    const [after, changes] = [host.snapshot(), host.changes.length];
    expect(await apply(web('sleep infinity\n'))).toEqual([]);
    expect([host.snapshot(), host.changes.length]).toEqual([after, changes]);

    expect(await services(web('sleep infinity # new\n'))).toEqual(['restart web.service']);
    expect(await services(web('sleep infinity # new\n', 'User=nobody\n'))).toEqual(['restart web.service']);
    expect(host.snapshot()).toMatch(/^unit web\.service active read=\w+$/m);
  });

  it('a plan over the host shows the changes of the run, and changes nothing', async () => {
    await apply(web('sleep infinity\n'));
    for (const described of [
      web('sleep infinity # new\n', 'User=nobody\n'),
      (h: HostBuilder) => h.service('web', { enabled: false, running: false }),
    ]) {
      const before = host.snapshot();
      const planned = await apply(described, await simulate(host));
      expect(host.snapshot()).toBe(before);
      expect(planned).toEqual(await apply(described));
      expect(planned.filter(({ kind }) => kind === 'service')).toHaveLength(1);
      expect(await apply(described, await simulate(host))).toEqual([]);
    }
  });

  it.each(['sleep 3\n', 'exit 1\n'])('undoes everything if it does not stay up: %j', async (config) => {
    await apply(web('sleep infinity\n'));
    const before = host.snapshot();
    const error = await rejectionOf(apply(web(config, 'User=nobody\n')));
    expect(error).toBeInstanceOf(RolledBackError);
    expect((error as Error).message).toMatch(/web\.service (?:did not stay up for 5 s|does not run)/);
    expect(host.snapshot()).toBe(before);
  });

  it('watches services while the next steps run, and before a script', async () => {
    const run = host.run.bind(host);
    for (const name of ['one', 'two'])
      host.admin.writeFile(`${own}/${name}.service`, '[Service]\nExecStart=/bin/sleep infinity\n');
    const watched: number[] = [];
    vi.spyOn(host, 'run').mockImplementation(async function <T>(
      this: SimulatedHost,
      command: Command<T>,
    ): Promise<T> {
      if (command.tool === 'sleep') watched.push(host.points.length);
      return await run(command as ReadCommand<T>);
    });
    await apply((h) => {
      h.service('one', { running: true });
      h.service('two', { running: true });
      h.file('/etc/a', { content: '' });
      h.script('index', { isDone: ['test', '-e', '/x'], run: 'index', undo: 'true' });
      h.file('/etc/b', { content: '' });
    });
    const at = (found: (argv: readonly string[]) => boolean): number =>
      host.points.findIndex(({ tool, argv }) => tool !== 'store' && found(argv));
    const [first, last] = [Math.min(...watched), Math.max(...watched)];
    expect(first).toBeGreaterThan(at((argv) => argv.includes('two.service')));
    expect(first).toBeGreaterThan(at((argv) => argv.includes('/etc/a')));
    expect(last).toBeLessThanOrEqual(at((argv) => argv.includes('index')));
    expect(last).toBeLessThan(at((argv) => argv.includes('/etc/b')));
  });

  it.each([
    ['by the start of another one, as with PartOf=, is watched again', 'show'],
    ['by itself is an error', 'sleep'],
  ] as const)('a service restarted %s', async (_, when) => {
    const run = host.run.bind(host);
    for (const name of ['one', 'two'])
      host.admin.writeFile(`${own}/${name}.service`, '[Service]\nExecStart=/bin/sleep infinity\n');
    let isRestarted = false;
    vi.spyOn(host, 'run').mockImplementation(async function <T>(
      this: SimulatedHost,
      command: Command<T>,
    ): Promise<T> {
      const { tool, argv } = command;
      const isNow =
        when === 'sleep' ? tool === 'sleep' : tool === 'systemctl' && argv.includes('one.service');
      const isAfterTwo = host.points.some((point) => point.argv.includes('two.service'));
      if (isNow && isAfterTwo && !isRestarted) {
        isRestarted = true;
        host.admin.systemctl('restart', 'one.service');
      }
      return await run(command as ReadCommand<T>);
    });
    const applied = apply((h) => {
      h.service('one', { running: true });
      h.service('two', { running: true });
    });
    if (when === 'show') await applied;
    else expect(String(await rejectionOf(applied))).toContain('one.service ended and was started again');
    expect(isRestarted).toBe(true);
  });

  it('a service that dies while the next steps run undoes everything, and its line is named', async () => {
    host.admin.writeFile(`${own}/short.service`, '[Service]\nExecStart=/bin/sh /etc/short.sh\n');
    host.admin.writeFile('/etc/short.sh', 'sleep 3\n');
    const before = host.snapshot();
    const error = await rejectionOf(
      apply((h) => {
        h.service('short', { running: true });
        h.file('/etc/a', { content: '' });
      }),
    );
    expect((error as Error).message).toMatch(/service\.test\.ts:\d+: short\.service did not stay up for 5 s/);
    expect(host.snapshot()).toBe(before);
  });

  it('reloads, or does nothing to a stopped one', async () => {
    const reloading = (content: string) => (h: HostBuilder) => {
      h.directory('/etc/web.d');
      h.file('/etc/web.d/a', { content });
      h.service('web', { reloadOn: ['/etc/web.d'] });
    };
    host.admin.writeFile(
      `${own}/web.service`,
      '[Service]\nExecStart=/bin/web /etc/web.d/a\nExecReload=/bin/true\n',
    );
    expect(await services(reloading('one\n'))).toEqual([]);
    host.admin.systemctl('start', 'web.service');
    const { invocation } = host.world.units.get('web.service') ?? {};
    expect(await services(reloading('two\n'))).toEqual(['reload web.service']);
    expect(host.world.units.get('web.service')?.invocation).toBe(invocation);
  });

  it('comes after the files that it reads, in any order of the description', async () => {
    await apply(web('sleep infinity\n'));
    const turned = (h: HostBuilder): void => {
      h.service('web.service', { restartOn: ['/etc/web.sh'] });
      h.file('/etc/web.sh', { content: 'sleep infinity # new\n' });
    };
    expect((await apply(turned)).map(({ kind }) => kind)).toEqual(['file', 'service']);
  });

  it('stops and disables, and is undone with a later failure', async () => {
    await apply(web('sleep infinity\n'));
    const before = host.snapshot();
    const off =
      (fail: boolean) =>
      (h: HostBuilder): void => {
        h.service('web', { enabled: false, running: false });
        if (fail) h.ensure.lvm.createLv({ vg: 'none', name: 'x', size: '4m' });
      };
    await rejectionOf(apply(off(true)));
    expect(host.snapshot()).toBe(before);
    expect(await services(off(false))).toEqual(['disable, stop web.service']);
  });

  it('a changed unit file makes systemd reload it, and the old one after a failure', async () => {
    host.admin.writeFile(`${own}/web.service`, '[Service]\nExecStart=/bin/web\n');
    host.admin.systemctl('start', 'web.service');
    const before = host.snapshot();
    const changing =
      (fail: boolean) =>
      (h: HostBuilder): void => {
        h.file(`${own}/web.service`, { content: '[Service]\nExecStart=/bin/web --new\n' });
        if (fail) h.ensure.lvm.createLv({ vg: 'none', name: 'x', size: '4m' });
      };
    await rejectionOf(apply(changing(true)));
    expect(host.snapshot()).toBe(before);
    await apply(changing(false));
    expect(host.snapshot()).not.toContain('stale');
  });

  describe('without systemd', () => {
    /** The simulated host answers for systemctl here; test/loop/provision-root.test.ts runs the real one. */
    const off = (): SimulatedHost => ({
      ...host,
      run: async (command) =>
        command.argv[0] === 'is-system-running'
          ? command.parse({ exitCode: 1, stdout: 'offline\n', stderr: '' })
          : host.run(command),
    });
    const scripts = (): readonly string[] =>
      host.changes.flatMap((each) => {
        const words = each.what === 'command' && each.command.tool === 'sh' ? each.command.argv : [];
        return words.includes('systemctl') ? [words.slice(words.indexOf('systemctl')).join(' ')] : [];
      });

    it('enables, and neither starts nor restarts; the second time there is nothing to do', async () => {
      const changes = await apply(web('sleep infinity\n'), off());
      expect(changes.at(-1)).toMatchObject({ name: 'web.service', details: ['enable'] });
      expect(scripts()).toEqual(['systemctl enable --quiet -- web.service']);
      expect(host.world.units.get('web.service')).toBeUndefined();
      // No daemon-reload either: no systemd reads the unit again.
      expect(host.changes.some((each) => each.what === 'command' && each.command.tool === 'systemctl')).toBe(
        false,
      );
      expect(await apply(web('sleep infinity\n'), off())).toEqual([]);

      await apply(web('sleep infinity # new\n'), off());
      expect(scripts()).toHaveLength(1);
    });

    it.each([true, false])('refuses enabled: %s for a static unit', async (enabled) => {
      host.world.scripts.set('web.service', true).set('state:web.service', true);
      const failed = await rejectionOf(apply((h) => h.service('web', { enabled }), off()));
      expect(String(failed)).toContain('web.service has no [Install] section of its own');
    });

    it('refuses a service that should run and is not enabled', async () => {
      const failed = await rejectionOf(apply((h) => h.service('web', { running: true }), off()));

      expect(String(failed)).toContain('web.service cannot run: systemd does not run here');
    });
  });

  it.each<readonly [string, (h: HostBuilder) => void, typeof UsageError | typeof RefusedError, RegExp]>([
    ['an odd name', (h) => h.service('a b', {}), UsageError, /is not the name of a unit/],
    ['a template', (h) => h.service('a@', {}), UsageError, /is not the name of a unit/],
    [
      'a typing error',
      (h) => h.service('web', { restartOn: ['/etc/wbe'] }),
      UsageError,
      /uses \/etc\/wbe, but the description does not contain it/,
    ],
    [
      'described twice',
      (h) => [true, false].forEach((enabled) => h.service('web', { enabled })),
      UsageError,
      /contradicts itself: service web\.service/,
    ],
    [
      'a missing unit',
      (h) => h.service('none', { running: true }),
      RefusedError,
      /there is no unit none\.service/,
    ],
    [
      'a masked unit',
      (h) => h.service('masked', { running: true }),
      RefusedError,
      /service\.test\.ts:\d+: masked\.service is masked/,
    ],
    [
      'a oneshot',
      (h) => h.service('once', { running: true }),
      RefusedError,
      /oneshot service, which ends by itself/,
    ],
    ['a static unit', (h) => h.service('once', { enabled: true }), RefusedError, /no \[Install\] section/],
    [
      'no reload',
      (h) => h.service('once', { reloadOn: [h.file('/etc/x', { content: '' })] }),
      RefusedError,
      /cannot be reloaded/,
    ],
  ])('refuses %s before the first step', async (_, describe, kind, message) => {
    host.admin.symlink(`${own}/masked.service`, '/dev/null');
    host.admin.writeFile(`${own}/once.service`, '[Service]\nType=oneshot\nExecStart=/bin/true\n');
    const before = host.snapshot();
    const error = await rejectionOf(apply(describe));
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
    expect(host.snapshot()).toBe(before);
  });

  it.each([{ enabled: false, running: false }, { running: false }, { enabled: false }])(
    'a masked unit is already %j',
    async (request) => {
      host.admin.symlink(`${own}/masked.service`, '/dev/null');
      const before = host.snapshot();
      expect(await apply((h) => h.service('masked', request))).toEqual([]);
      expect(host.snapshot()).toBe(before);
    },
  );

  it('killed at each change, or with the power cut, the host is as before or as described', async () => {
    await apply(web('sleep infinity\n'));
    const described = web('sleep infinity # new\n', 'User=nobody\n');
    const start = fork(host);
    const done = fork(start);
    await apply(described, done);
    const points = done.points.filter(({ access }) => access === 'change').length;
    // The notes of the steps have names drawn at random, and stay until the next boot.
    const stable = (of: SimulatedHost): string => of.snapshot().replaceAll(/^.*\/bofh\/notes\/.*\n/gm, '');
    const wrong: string[] = [];
    for (const cut of ['kill', 'none', 'all'] as const)
      for (let nth = 1; nth <= points; nth += 1) {
        const trial = fork(start);
        trial.fault({ nth, mode: 'acts then crash' });
        await apply(described, trial).catch(() => undefined);
        trial.clearFaults();
        const next = cut === 'kill' ? trial.restart() : trial.powerCut({ keep: cut });
        await withBofh(simulatedBofh({ host: next }), () => recover());
        const state = stable(next);
        if (state !== stable(start) && state !== stable(done))
          wrong.push(`${cut} ${String(nth)}: ${differences(stable(start), state).join('\n')}`);
      }
    expect(points).toBeGreaterThan(30);
    expect(wrong.slice(0, 1)).toEqual([]);
  }, 300_000);
});

describe('a service and the socket that starts it', () => {
  const described = (h: HostBuilder): void => {
    h.file(`${own}/web.service`, { content: '[Service]\nExecStart=/bin/sleep infinity\n' });
    h.file(`${own}/web.socket`, { content: '[Socket]\nListenStream=/run/web\n' });
    h.service('web.socket', { running: true });
    h.service('web', { running: true });
  };

  it('are both stopped if the description names the socket first', async () => {
    await apply(described);
    const stopped = (h: HostBuilder): void => {
      h.service('web.socket', { running: false });
      h.service('web', { running: false });
    };
    expect(await services(stopped)).toEqual(['stop web.socket', 'stop web.service']);
  });

  it('are refused the other way round', async () => {
    await apply(described);
    const stopped = (h: HostBuilder): void => {
      h.service('web', { running: false });
      h.service('web.socket', { running: false });
    };
    expect(await rejectionOf(apply(stopped))).toBeInstanceOf(RefusedError);
  });
});
