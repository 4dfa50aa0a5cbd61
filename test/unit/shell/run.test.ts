import { describe, expect, it } from 'vitest';
import { recover } from '../../../src/api/recover.ts';
import { atomic, withBofh } from '../../../src/bofh.ts';
import { ParseError, RefusedError } from '../../../src/core/errors.ts';
import type { Tx } from '../../../src/operations.ts';
import { probe, runScript, undoScript } from '../../../src/shell/commands.ts';
import { simulatedBofh, simulatedHost, type SimulatedHost } from '../../../src/simulator/index.ts';
import { rejectionOf } from '../../support/rejection.ts';

const script = {
  name: 'cache',
  isDone: 'test -e /srv/cache',
  run: 'mkdir /srv/cache',
  undo: 'rmdir /srv/cache',
};
const running = (host: SimulatedHost, body: (tx: Tx) => Promise<unknown>) =>
  withBofh(simulatedBofh({ host }), () => atomic('test', body));
const scripts = (host: SimulatedHost): readonly string[] =>
  host.points.filter(({ tool }) => tool === 'sh').map(({ argv }) => argv[3] ?? '');

describe('the commands', () => {
  it('pass text to sh, and arguments to a program without a shell', () => {
    expect(runScript('a', 'x; y', 60)).toMatchObject({
      ...{ tool: 'sh', argv: ['-e', '-c', 'x; y', 'a'], access: 'change', stop: 'safe', timeoutMs: 60_000 },
    });
    expect(undoScript('a', ['x', '$y']).argv).toEqual(['-e', '-c', 'exec "$@"', 'undo of a', 'x', '$y']);
    expect(undoScript('a', 'x').timeoutMs).toBeUndefined();
    expect([runScript('a', 'x', 60).title, undoScript('a', 'x').title]).toEqual([
      'the script a',
      'the undo of the script a',
    ]);
    expect(runScript('a', 'x', 60).says?.('one\ntwo\n\n')).toBe('two');
    expect(probe('a', 'x # why').argv).toEqual([
      ...['-c', '(set -e\nx # why\n) > /dev/null\necho "exit $?"', 'probe of a'],
    ]);
  });

  it.each([
    ['exit 0\n', true],
    ['exit 1\n', false],
  ])('a probe answers %j', (stdout, isDone) => {
    expect(probe('a', 'x').parse({ exitCode: 0, stdout, stderr: '' })).toBe(isDone);
  });

  it.each([
    ['exit 2\n', ParseError, 'isDone of the script a must exit with 0 or 1, not 2: grep: /x: no such file'],
    ['', ParseError, 'must exit with 0 or 1, not without a code'],
    ['exit 127\n', RefusedError, 'isDone of the script a cannot start its program: grep: /x: no such file'],
  ])('a probe refuses %j', (stdout, type, message) => {
    const read = () => probe('a', 'x').parse({ exitCode: 0, stdout, stderr: 'grep: /x: no such file\n' });
    expect(read).toThrow(type);
    expect(read).toThrow(message);
  });
});

describe('tx.shell.run', () => {
  it('runs once, and the journal ends without a note', async () => {
    const host = simulatedHost();
    await running(host, (tx) => tx.shell.run(script));
    expect(scripts(host)).toEqual(['cache']);
    expect(host.snapshot()).toContain('script cache done');
    expect(host.snapshot()).not.toContain('/var/lib/bofh/scripts/');
  });

  it('is undone by its undo when a later step fails', async () => {
    const host = simulatedHost();
    const before = host.snapshot();
    await rejectionOf(
      running(host, async (tx) => {
        await tx.shell.run(script);
        await tx.file.create({ path: '/none/x', content: '' });
      }),
    );
    expect(scripts(host)).toEqual(['cache', 'undo of cache']);
    expect(host.snapshot()).toBe(before);
  });

  it.each(['fails before', 'acts then fails', 'no effect, exit 0'] as const)(
    'that %s is undone too, because it may have done a part',
    async (mode) => {
      const host = simulatedHost();
      const before = host.snapshot();
      host.fault({ tool: 'sh', nth: 1, mode });
      await rejectionOf(running(host, (tx) => tx.shell.run(script)));
      expect(scripts(host).at(-1)).toBe('undo of cache');
      expect(host.snapshot()).toBe(before);
    },
  );

  it('that ran during a power cut is undone by recovery', async () => {
    const host = simulatedHost();
    host.fault({ tool: 'sh', mode: 'acts then crash' });
    await running(host, (tx) => tx.shell.run(script)).catch(() => undefined);
    const booted = host.powerCut({ keep: 'none' });
    booted.clearFaults();
    expect(booted.snapshot()).toContain('script cache done');

    await withBofh(simulatedBofh({ host: booted }), () => recover());
    expect(scripts(booted).at(-1)).toBe('undo of cache');
    expect(booted.snapshot()).not.toContain('script cache done');
  });

  it('without an undo runs after the commit, and not at all if a later step fails', async () => {
    const host = simulatedHost();
    const before = host.snapshot();
    const once = { ...script, undo: 'none' };
    await rejectionOf(
      running(host, async (tx) => {
        await tx.shell.run(once);
        await tx.file.create({ path: '/none/x', content: '' });
      }),
    );
    expect([scripts(host), host.snapshot()]).toEqual([[], before]);
    await running(host, async (tx) => {
      await tx.shell.run(once);
      await tx.file.create({ path: '/etc/x', content: '' });
      expect(scripts(host)).toEqual([]);
    });
    expect(scripts(host)).toEqual(['cache']);
  });

  it('whose probe says done is refused, and nothing changes', async () => {
    const host = simulatedHost();
    host.admin.script('cache', true);
    const before = host.snapshot();
    await expect(running(host, (tx) => tx.shell.run(script))).rejects.toThrow(
      'the script cache has nothing to do: isDone exits with 0',
    );
    expect([scripts(host), host.snapshot()]).toEqual([[], before]);
  });

  it('whose undo has no effect is stuck, and says so', async () => {
    const host = simulatedHost();
    host.fault({ tool: 'sh', nth: 2, mode: 'no effect, exit 0' });
    const error = await rejectionOf(
      running(host, async (tx) => {
        await tx.shell.run(script);
        await tx.file.create({ path: '/none/x', content: '' });
      }),
    );
    expect(String(error)).toContain(
      'the undo of the script cache succeeded, but isDone still reports that it is done',
    );
    expect(host.snapshot()).toContain('script cache done');
  });

  it('refuses a program that another user could replace', async () => {
    const host = simulatedHost();
    host.admin.mkdir('/opt');
    host.admin.writeFile('/opt/x', '', 0o777);
    const error = await rejectionOf(running(host, (tx) => tx.shell.run({ ...script, run: ['/opt/x'] })));
    expect(String(error)).toContain('another user could');
    expect(scripts(host)).toEqual([]);
  });
});
