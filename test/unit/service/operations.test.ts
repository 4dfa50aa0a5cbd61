import { beforeEach, describe, expect, it } from 'vitest';
import { recover } from '../../../src/api/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import type { ReadHost } from '../../../src/command/index.ts';
import { RefusedError, RolledBackError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { beforeChange, reload, setActivity, setEnablement } from '../../../src/service/operations.ts';
import { withAlso } from '../../../src/service/links.ts';
import { expectUp, showUnit } from '../../../src/service/unit.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';
import { take } from '../file/support.ts';

let host: SimulatedHost;
const unit = 'web.service';
const own = '/etc/systemd/system';
const file = (name: string, text: string): void => host.admin.writeFile(`${own}/${name}`, text);
const inside = () => host.during({ outputs: '/nowhere', lock: -1 });
const sequence = (body: (tx: Tx) => Promise<unknown>) =>
  withBofh(simulatedBofh({ host }), () => atomic('test', body));
const units = (): readonly string[] =>
  host
    .snapshot()
    .split('\n')
    .filter((line) => line.startsWith('unit '));
const links = (): readonly string[] =>
  host
    .snapshot()
    .split('\n')
    .filter((line) => line.startsWith('now') && line.includes('link to'));

beforeEach(() => {
  host = simulatedHost();
  file(
    'web.service',
    '[Service]\nExecStart=/usr/bin/web /etc/web.conf\n[Install]\nWantedBy=multi-user.target\nAlso=web.socket\n',
  );
  file('web.socket', '[Socket]\nListenStream=/run/web\n[Install]\nWantedBy=sockets.target\n');
  file('once.service', '[Service]\nType=oneshot\nExecStart=/bin/true\n');
  file('stay.service', '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n');
  file(
    'refuse.service',
    '[Unit]\nRefuseManualStart=yes\nRefuseManualStop=yes\n[Service]\nExecStart=/bin/x\n',
  );
  file('short.service', '[Service]\nExecStart=/bin/sleep 3\n');
  file('odd.service', '[Service]\nExecStart=/bin/x\n[Install]\nAlso=x@%i.service\n');
  host.admin.symlink(`${own}/masked.service`, '/dev/null');
  host.admin.symlink(`${own}/other-name.service`, `${own}/refuse.service`);
  host.admin.writeFile('/etc/web.conf', 'old\n');
});

describe('refused, with nothing changed', () => {
  it.each<readonly [string, (tx: Tx) => Promise<unknown>, RegExp, RegExp]>([
    [
      'missing',
      (tx) => tx.service.setActivity({ unit: 'none.service', running: true }),
      /there is no unit none/,
      /none\.service$/,
    ],
    [
      'masked',
      (tx) => tx.service.setActivity({ unit: 'masked.service', running: true }),
      /is masked/,
      /unmask masked/,
    ],
    [
      'masked',
      (tx) => tx.service.setEnablement({ unit: 'masked.service', enabled: true }),
      /is masked/,
      /unmask/,
    ],
    [
      'alias',
      (tx) => tx.service.setActivity({ unit: 'other-name.service', running: true }),
      /an alias of refuse/,
      /refuse\.service/,
    ],
    [
      'static',
      (tx) => tx.service.setEnablement({ unit: 'once.service', enabled: true }),
      /no \[Install\]/,
      /leave out/,
    ],
    ['oneshot', (tx) => tx.service.setActivity({ unit: 'once.service', running: true }), /oneshot/, /timer/],
    [
      'no manual start',
      (tx) => tx.service.setActivity({ unit: 'refuse.service', running: true }),
      /does not allow a manual/,
      /list-dependencies/,
    ],
    [
      'there already',
      (tx) => tx.service.setActivity({ unit, running: false }),
      /is stopped already/,
      /status/,
    ],
    [
      'there already',
      (tx) => tx.service.setEnablement({ unit, enabled: false }),
      /is disabled already/,
      /is-enabled/,
    ],
    [
      'a specifier',
      (tx) => tx.service.setEnablement({ unit: 'odd.service', enabled: true }),
      /specifier/,
      /leave out/,
    ],
    [
      'not running',
      (tx) => tx.service.reload({ unit, by: 'restart' }),
      /does not run, so it cannot be restarted/,
      /start web/,
    ],
    [
      'no ExecReload=',
      (tx) => tx.service.beforeChange({ unit, by: 'reload', files: [] }),
      /no ExecReload=/,
      /restartOn/,
    ],
    ['no unit', (tx) => tx.service.reload({ by: 'restart' }), /needs a unit/, /have one/],
    ['a unit', (tx) => tx.service.reload({ unit, by: 'daemon-reload' }), /takes no unit/, /no unit/],
  ])('%s: %o', async (_, act, message, remedy) => {
    const before = host.snapshot();
    const error = await rejectionOf(sequence(act));
    expect(error).toBeInstanceOf(RefusedError);
    expect(error).toMatchObject({
      message: expect.stringMatching(message) as string,
      remedy: expect.stringMatching(remedy) as string,
    });
    expect(host.snapshot()).toBe(before);
  });

  it('a stop of a service that a running socket would start again', async () => {
    host.admin.systemctl('start', 'web.socket');
    host.admin.systemctl('start', unit);
    const error = await rejectionOf(sequence((tx) => tx.service.setActivity({ unit, running: false })));
    expect(error).toMatchObject({
      message: expect.stringContaining('web.socket would start web.service again') as string,
    });
  });
});

describe('enablement', () => {
  it('disables with the units of Also=, and restores exactly the links of the administrator', async () => {
    host.admin.symlink(`${own}/sockets.target.wants/web.socket`, '../web.socket');
    host.admin.symlink(`${own}/rescue.target.wants/web.service`, '../web.service');
    const before = host.snapshot();
    const step = await take(setEnablement, { unit, enabled: false }, inside());
    await step.run();
    expect(links().filter((line) => line.includes('wants'))).toEqual([]);
    await step.goBack('without result');
    await step.goBack();
    expect(host.snapshot()).toBe(before);
  });

  it('leaves links that others created or removed since', async () => {
    const step = await take(setEnablement, { unit, enabled: true }, inside());
    await step.run();
    host.admin.symlink(`${own}/rescue.target.wants/web.service`, '../web.service');
    host.admin.removeFile(`${own}/sockets.target.wants/web.socket`);
    expect(await step.look()).toMatchObject({
      state: 'ours',
      found: expect.stringContaining('rescue') as string,
    });
    await step.goBack();
    expect(links().filter((line) => line.includes('wants'))).toEqual([expect.stringContaining('rescue')]);
    expect(await step.look()).toMatchObject({ state: 'not-ours' });
  });
});

it('a comment that ends with a backslash does not hide Also=', async () => {
  file('web.service', '[Install]\n# C:\\\nAlso=web.socket\n; D:\\\nWantedBy=multi-user.target\n');
  const found = await host.run(showUnit(unit));
  expect(await withAlso(host, found)).toEqual([unit, 'web.socket']);
});

describe('activity', () => {
  it.each([
    ['short.service', 5, /did not stay up for 5 s: it is inactive/],
    ['web.service', 5, undefined],
    ['stay.service', 5, undefined],
  ] as const)('%s for %i s', async (name, seconds, message) => {
    const before = host.snapshot();
    const started = sequence((tx) => tx.service.setActivity({ unit: name, running: true, seconds }));
    if (message === undefined) {
      await started;
      expect(units()).toHaveLength(1);
      return;
    }
    const error = await rejectionOf(started);
    expect(error).toBeInstanceOf(RolledBackError);
    expect((error as RolledBackError).message).toMatch(message);
    expect(host.snapshot()).toBe(before);
  });

  it('a service that ended and waits for RestartSec= does not stay up', async () => {
    host.admin.systemctl('start', unit);
    let asked = 0;
    const waiting: ReadHost = {
      ...inside(),
      run: async (command) => {
        const answer = await host.run(command);
        const isLater = command.tool === 'systemctl' && (asked += 1) > 2;
        return isLater ? { ...answer, ActiveState: 'activating' } : answer;
      },
    };
    const error = await rejectionOf(expectUp(waiting, { unit, seconds: 5 }));
    expect(String(error)).toContain('web.service did not stay up for 5 s: it is activating');
    expect(String(await rejectionOf(expectUp(waiting, { unit, seconds: 0 })))).toContain(
      'web.service does not run: it is activating',
    );
  });

  it('undo starts a stopped service again, and stops a started one, although others restarted it', async () => {
    host.admin.systemctl('start', unit);
    const running = units();
    const stop = await take(setActivity, { unit, running: false }, inside());
    await stop.run();
    expect(units()).toEqual([]);
    await stop.goBack('without result');
    expect(units()).toEqual(running);
    host.admin.systemctl('stop', unit);
    const start = await take(setActivity, { unit, running: true }, inside());
    await start.run();
    host.admin.systemctl('restart', unit);
    await start.goBack();
    expect(units()).toEqual([]);
  });

  it('is not failed after the undo, unless it was before', async () => {
    file('bad.service', '[Service]\nExecStart=/bin/false\n');
    const before = host.snapshot();
    await rejectionOf(sequence((tx) => tx.service.setActivity({ unit: 'bad.service', running: true })));
    expect(host.snapshot()).toBe(before);
    host.admin.systemctl('start', 'bad.service');
    const failed = host.snapshot();
    await rejectionOf(sequence((tx) => tx.service.setActivity({ unit: 'bad.service', running: true })));
    expect(host.snapshot()).toBe(failed);
  });
});

describe('the steps around a change of the configuration', () => {
  const changing = (by: 'restart' | 'reload', content: string, fail = false) =>
    sequence(async (tx) => {
      await tx.service.beforeChange({ unit, by, files: ['/etc/web.conf'] });
      await tx.file.change({ path: '/etc/web.conf', content });
      await tx.service.reload({ unit, by });
      if (fail) throw new Error('later');
    });
  beforeEach(() => {
    file('web.service', '[Service]\nExecStart=/bin/sh /etc/web.conf\nExecReload=/bin/true\n');
    host.admin.writeFile('/etc/web.conf', 'sleep infinity\n');
    host.admin.systemctl('start', unit);
  });

  it.each(['restart', 'reload'] as const)(
    '%s: it reads the new one, and after a failure the old one',
    async (by) => {
      const before = host.snapshot();
      await rejectionOf(changing(by, 'sleep infinity # new\n', true));
      expect(host.snapshot()).toBe(before);
      const running = units();
      await changing(by, 'sleep infinity # new\n');
      expect(units()).not.toEqual(running);
      expect(units()).toHaveLength(1);
    },
  );

  it.each(['sleep 3\n', 'exit 1\n'])(
    'a service that does not stay up runs with the old one again: %j',
    async (content) => {
      const before = host.snapshot();
      const error = await rejectionOf(changing('restart', content));
      expect(error).toBeInstanceOf(RolledBackError);
      expect(host.snapshot()).toBe(before);
    },
  );

  it('a service that cannot start starts again, with the units that its failed restart stopped', async () => {
    file('web.service', '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh /etc/web.conf\n');
    host.admin.systemctl('daemon-reload');
    file('app.service', '[Unit]\nRequires=web.service\n[Service]\nExecStart=/usr/bin/app\n');
    host.admin.systemctl('restart', unit);
    host.admin.systemctl('start', 'app.service');
    const before = host.snapshot();
    const error = await rejectionOf(changing('restart', 'exit 1\n'));
    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  });

  it.each(['exit 1\n', 'sleep infinity # new\n'])(
    'a service that a boot started with the new one reads the old one again: %j',
    async (content) => {
      host.admin.symlink(`${own}/multi-user.target.wants/${unit}`, `${own}/${unit}`);
      const before = units();
      await rejectionOf(
        sequence(async (tx) => {
          await tx.service.beforeChange({ unit, by: 'restart', files: ['/etc/web.conf'] });
          await tx.file.change({ path: '/etc/web.conf', content });
          host.kill();
        }),
      );
      host = host.reboot();
      expect(units()).not.toEqual(before);
      await withBofh(simulatedBofh({ host }), () => recover());
      expect(units()).toEqual(before);
    },
  );

  it('a service that did not read the new one is not restarted by the undo', async () => {
    const invocation = host.world.units.get(unit)?.invocation;
    await rejectionOf(
      sequence(async (tx) => {
        await tx.service.beforeChange({ unit, by: 'restart', files: ['/etc/web.conf'] });
        await tx.file.change({ path: '/etc/web.conf', content: 'x\n' });
        throw new Error('later');
      }),
    );
    expect(host.world.units.get(unit)?.invocation).toBe(invocation);
  });

  it('a service that others restarted meanwhile reads the old one again', async () => {
    const before = units();
    await rejectionOf(
      sequence(async (tx) => {
        await tx.service.beforeChange({ unit, by: 'restart', files: ['/etc/web.conf'] });
        await tx.file.change({ path: '/etc/web.conf', content: 'sleep infinity # new\n' });
        host.admin.systemctl('restart', unit);
        throw new Error('later');
      }),
    );
    expect(units()).toEqual(before);
  });

  it('the undo waits for that of the files', async () => {
    const open = await beforeChange.claims({
      args: { unit, by: 'restart', files: ['/etc/web.conf'] },
      undo: { unit, by: 'restart', files: ['/etc/web.conf'], note: '/run/x', boot: 'b' },
      on: () => Promise.reject(new Error('asks for no device')),
    });
    expect(open).toMatchObject({ changes: ['unit:web.service'], needs: ['file:/etc/web.conf'] });
  });

  it('daemon-reload: systemd knows the new unit file, and after a failure the old one', async () => {
    const before = host.snapshot();
    const failing = (fail: boolean) =>
      sequence(async (tx) => {
        await tx.service.beforeChange({ by: 'daemon-reload', files: [`${own}/web.service`] });
        await tx.file.change({ path: `${own}/web.service`, content: '[Service]\nExecStart=/bin/web\n' });
        await tx.service.reload({ by: 'daemon-reload' });
        if (fail) throw new Error('later');
      });
    await rejectionOf(failing(true));
    expect(host.snapshot()).toBe(before);
    await failing(false);
    expect(units().filter((line) => line.includes('stale'))).toEqual([]);
  });

  it('a restart that had no effect is an error', async () => {
    const step = await take(reload, { unit, by: 'restart' }, inside());
    host.fault({ tool: 'systemctl', access: 'change', mode: 'no effect, exit 0' });
    expect(await rejectionOf(step.run())).toMatchObject({
      message: expect.stringContaining('was not restarted') as string,
    });
  });
});

it('the undo of a stop also starts the units that systemd stopped with it', async () => {
  file('db.service', '[Service]\nExecStart=/usr/bin/db\n');
  file('app.service', '[Unit]\nRequires=db.service\n[Service]\nExecStart=/usr/bin/app\n');
  file('part.service', '[Unit]\nPartOf=app.service\n[Service]\nExecStart=/usr/bin/part\n');
  file('idle.service', '[Unit]\nBindsTo=db.service\n[Service]\nExecStart=/usr/bin/idle\n');
  for (const each of ['db', 'app', 'part', 'idle']) host.admin.systemctl('start', `${each}.service`);
  host.admin.systemctl('stop', 'idle.service');
  const running = (): readonly string[] =>
    units().flatMap((line) => /^unit (\w+)\.service active/.exec(line)?.[1] ?? []);
  const before = running();

  const error = await rejectionOf(
    sequence(async (tx) => {
      await tx.service.setActivity({ unit: 'db.service', running: false });
      expect(running()).toEqual([]);
      throw new Error('later');
    }),
  );

  expect(error).toBeInstanceOf(RolledBackError);
  expect(before).toHaveLength(3);
  expect(running()).toEqual(before);
});

it.each(['/usr/bin/new', '/bin/false'])(
  'the undo of a start also starts the units that systemd stopped because they conflict: %s',
  async (program) => {
    file('old.service', '[Service]\nExecStart=/usr/bin/old\n');
    file('app.service', '[Unit]\nRequires=old.service\n[Service]\nExecStart=/usr/bin/app\n');
    file('new.service', `[Unit]\nConflicts=old.service\n[Service]\nExecStart=${program}\n`);
    for (const each of ['old', 'app']) host.admin.systemctl('start', `${each}.service`);
    const before = host.snapshot();

    const error = await rejectionOf(
      sequence(async (tx) => {
        await tx.service.setActivity({ unit: 'new.service', running: true });
        expect(units().join()).not.toContain('old.service active');
        throw new Error('later');
      }),
    );

    expect(error).toBeInstanceOf(RolledBackError);
    expect(host.snapshot()).toBe(before);
  },
);
