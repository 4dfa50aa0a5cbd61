import { describe, expect, it } from 'vitest';
import { failure } from '../../../src/cli/output/answers/index.ts';
import { explain } from '../../../src/cli/errors/explain.ts';
import { asTheScriptLeftIt } from '../../../src/cli/errors/explain-script.ts';
import { asText } from '../../../src/cli/errors/explanation.ts';
import {
  CommandError,
  IdentityTaken,
  InterruptedError,
  JournalError,
  ParseError,
  RefusedError,
  RolledBackError,
  SequenceEnded,
  StuckError,
  ToolError,
  UsageError,
} from '../../../src/core/errors.ts';

const root = { root: true };
const lvs = { tool: 'lvs', argv: ['--all'], reason: 'denied' as const, exitCode: 5 };

describe('every class of error', () => {
  const stuck = new StuckError('"x" could not be undone', { id: 'abc', committed: false });
  it.each([
    [new UsageError('wrong'), 2, /unchanged/],
    [new RefusedError('in use'), 1, /unchanged/],
    [new CommandError({ ...lvs, reason: 'busy' }), 1, /unchanged/],
    [new ToolError('xl is not installed'), 69, /unchanged/],
    [new ParseError('not understood'), 70, /unchanged/],
    [new RolledBackError('failed', { cause: new Error('why') }), 5, /restored/],
    [new SequenceEnded('ended'), 5, /as its sequence says/],
    [stuck, 3, /changed.*journal abc stays open/],
    [new JournalError('unreadable'), 4, /unchanged/],
    [new InterruptedError('stopped', { undone: ['1 file.create'] }), 130, /restored/],
    [new InterruptedError('before its first step'), 130, /unchanged/],
    [new IdentityTaken('again'), 70, /unchanged/],
    [new TypeError('oops'), 70, /unchanged/],
    ['a thrown text', 70, /unchanged/],
  ])('%s has its exit code and a line about the host', (error, exitCode, host) => {
    const explanation = explain(error, root);

    expect(explanation.exitCode).toBe(exitCode);
    expect(explanation.host).toMatch(host);
    expect(explanation.failed).not.toBe('');
    expect(() => failure.parse(JSON.parse(JSON.stringify({ error: explanation })))).not.toThrow();
  });
});

describe('an explanation', () => {
  it('says what failed, the state of the host, and the next command, one line each', () => {
    const text = asText(explain(new RefusedError('vg0/web1 is in use', { remedy: 'umount /mnt' }), root));

    expect(text.split('\n')).toEqual([
      'bofh: vg0/web1 is in use',
      '  host: unchanged',
      '  next: umount /mnt',
    ]);
  });

  it.each([
    [{ changes: false }, 'unchanged (this command only reads)'],
    [{ changes: true }, 'unchanged'],
    [{ script: '/srv/x.ts' }, asTheScriptLeftIt],
  ])('of output that is not understood says what the command does: %j', (more, host) => {
    expect(explain(new ParseError('what?'), { ...root, ...more }).host).toBe(host);
  });

  it('of a journal error claims neither success nor a failed undo', () => {
    const { host } = explain(new StuckError('"x" was left as it is', { id: 'abc', committed: false }), root);

    expect(host).toBe(
      'changed: only a recovery finds out whether the work is done or has to be undone; the journal abc stays open',
    );
  });

  it('names every refusal of a check with its remedy', () => {
    const all = [new UsageError('bad name'), new RefusedError('no room', { remedy: 'lvextend' })];
    const { failed, details } = explain(
      new RefusedError('bad name; no room', { cause: new AggregateError(all, 'both') }),
      root,
    );

    expect(failed).toBe('refused for 2 reasons');
    expect(details).toEqual(['- bad name', '- no room (lvextend)']);
  });

  it('names the steps of a stuck sequence, their objects and why', () => {
    const step = { n: 2, kind: 'mount.mount', objects: ['mnt:/mnt'] };
    const { details, next, host } = explain(
      new StuckError('"x" is committed, but work is left', {
        id: 'abc',
        committed: true,
        done: [{ ...step, n: 4 }],
        undone: [{ ...step, n: 3 }],
        blocked: [{ ...step, why: 'umount failed' }],
        remaining: [{ ...step, n: 1, objects: [] }],
        cause: new Error('first'),
      }),
      root,
    );

    expect(details).toEqual([
      'done: step 4 mount.mount (mount point /mnt)',
      'undone: step 3 mount.mount (mount point /mnt)',
      'remaining: step 1 mount.mount',
      'blocked: step 2 mount.mount (mount point /mnt): umount failed',
      'because: first',
    ]);
    expect(next).toContain('bofh recover');
    expect(host).toContain('stays');
  });

  it('gives the holder and the commands for each remaining step, the newest first', () => {
    const step = { kind: 'mount.mount', objects: [] };
    const held = {
      kind: 'swap',
      path: '/dev/x',
      words: 'in use as swap',
      free: ['swapoff', '/dev/x'],
    } as const;
    const { details } = explain(
      new StuckError('"x" could not be undone', {
        committed: false,
        blocked: [
          { ...step, n: 1, why: 'busy', holders: [held], remedy: 'end that use' },
          {
            ...step,
            ...{ n: 2, why: 'busy' },
            manualRecovery: {
              what: 'a mount',
              look: [['findmnt', '/a b']],
              clear: [
                ['umount', '/a b'],
                ['rmdir', '/a\nb'],
              ],
            },
          },
        ],
      }),
      root,
    );

    expect(details).toEqual([
      'blocked: step 2 mount.mount: busy',
      '  it is: a mount',
      "  look:  findmnt '/a b'",
      "  clear: umount '/a b'",
      "  clear: rmdir $'/a\\x0ab'",
      'blocked: step 1 mount.mount: busy',
      '  held:  in use as swap',
      '  free:  swapoff /dev/x',
      '  help:  end that use',
    ]);
  });

  it('lists what was left untouched, and gives the remedy of the cause', () => {
    const { details, next, host } = explain(
      new RolledBackError('"x" failed', {
        cause: new RefusedError('no room', { remedy: 'vgextend' }),
        leftUntouched: ['lvm.lv.create (logical volume vg0/a): another uuid'],
      }),
      root,
    );

    expect(details).toEqual(['left untouched: lvm.lv.create (logical volume vg0/a): another uuid']);
    expect(next).toBe('vgextend');
    expect(host).toContain('others');
  });

  it('calls an unexpected error a bug, also as the cause of an undone sequence', () => {
    expect(explain(new TypeError('oops'), root).failed).toContain('bug in bofh: oops');
    const { exitCode, next } = explain(new RolledBackError('x', { cause: new TypeError('oops') }), root);
    expect(exitCode).toBe(5);
    expect(next).toContain('report it');
  });

  it('tells a user that root is needed', () => {
    expect(explain(new CommandError(lvs), { root: false }).next).toContain('as root');
    expect(explain(new CommandError(lvs), root).next).not.toContain('sudo');
  });

  it('escapes control characters of a name', () => {
    const { failed } = explain(new RefusedError('disk \u001b[2J "a\nb"'), root);

    expect(failed).toBe('disk \\x1b[2J "a\\x0ab"');
  });

  it('attributes an error of a script to the script, with its lines', () => {
    const error = new Error('disk gone');
    error.stack = [
      'Error: disk gone',
      '    at f (/home/me/scripts/lib.ts:3:7)',
      '    at async /home/me/scripts/a.ts:9:1',
      '    at Module._compile (node:internal/modules/cjs/loader:1554:14)',
      '    at x (/home/me/scripts/node_modules/y/z.js:1:1)',
    ].join('\n');
    const { failed, details, exitCode } = explain(error, { root: true, script: '/home/me/scripts/a.ts' });

    expect(failed).toBe('the script /home/me/scripts/a.ts failed: Error: disk gone');
    expect(details).toEqual(['at f (/home/me/scripts/lib.ts:3)', 'at async /home/me/scripts/a.ts:9']);
    expect(exitCode).toBe(1);
  });
});

describe('an error of bofh that a script throws', () => {
  const script = '/srv/a.ts';

  it('claims nothing about the host, which the script may have changed', () => {
    for (const error of [new UsageError('wrong'), new RefusedError('in use', { remedy: 'umount /mnt' })]) {
      const { host, exitCode } = explain(error, { ...root, script });

      expect(host).toBe('as the script left it; whatever it began in atomic() is committed or undone');
      expect(exitCode).toBe(1);
    }
    expect(
      explain(new RolledBackError('x', { cause: new UsageError('y') }), { ...root, script }).host,
    ).toMatch(/^restored/);
  });

  it('has no stack lines of bofh, nor of the whole host for a script in the root directory', () => {
    const error = new RefusedError('in use');
    error.stack = [
      'RefusedError: in use',
      `    at refuse (file://${new URL('../../../src/cli/errors/explain.ts', import.meta.url).pathname}:3:7)`,
      '    at parse (file:///usr/lib/x.js:3:7)',
      '    at async stat (node:internal/fs/promises:1033:18)',
      '    at async /a.ts:1:116',
    ].join('\n');

    expect(explain(error, { ...root, script: '/a.ts' }).details).toEqual(['at async /a.ts:1']);
  });
});

describe('the next step', () => {
  const about = { ...root, verb: 'lvm create' };

  it.each<readonly [Error, string | RegExp]>([
    [new UsageError('wrong'), 'bofh lvm create --help'],
    [new CommandError({ tool: 'file', argv: ['stat', '/dev/nope'], reason: 'not-found' }), /bofh block tree/],
    [new CommandError({ ...lvs, reason: 'busy' }), /end that use/],
    [new ParseError('what?'), /report it/],
    [new ToolError('xl is not installed'), /install it/],
    [new RefusedError('in use'), /then run the command again/],
    [new InterruptedError('stopped'), /again/],
    [new RolledBackError('x', { cause: new RefusedError('in use') }), /then run the command again/],
  ])('is in every failure: %s', (error, next) => {
    expect(explain(error, about).next).toEqual(
      typeof next === 'string' ? next : (expect.stringMatching(next) as string),
    );
    expect(asText(explain(error, about))).toContain('\n  next: ');
  });
});

describe('an error of an odd shape', () => {
  const ring = (...names: readonly string[]): Error => {
    const errors = names.map((name) => new Error(name));
    for (const [index, error] of errors.entries()) error.cause = errors[(index + 1) % errors.length];
    return errors[0] ?? new Error('none');
  };
  const itself = (error: Error): Error => Object.assign(error, { cause: error });
  const within = (): AggregateError => {
    const all = new AggregateError([new Error('a'), new Error('b')], 'all');
    all.errors.push(all);
    return all;
  };

  it.each([
    ['its own cause', itself(new Error('x'))],
    ['one of a ring of causes', ring('a', 'b', 'c')],
    ['rolled back because of itself', itself(new RolledBackError('x', { cause: new Error('y') }))],
    ['one of its own errors', within()],
    ['without a text', Object.create(null) as unknown],
    [
      'with a message that is no text',
      Object.assign(new Error('x'), { message: Object.create(null) as unknown }),
    ],
    ['with a name that is no text', Object.assign(new Error('x'), { name: Object.create(null) as unknown })],
    ['caused by what has no text', new RolledBackError('x', { cause: Object.create(null) as unknown })],
    [
      'stuck by what has no text',
      new StuckError('x', { committed: false, cause: Object.create(null) as unknown }),
    ],
    ['a symbol', Symbol('x')],
    ['nothing', undefined],
  ])('is explained too: %s', (_how, error) => {
    for (const circumstances of [root, { ...root, script: '/srv/a.ts' }]) {
      const explanation = explain(error, circumstances);

      expect(explanation.failed).not.toBe('');
      expect(() => failure.parse(JSON.parse(JSON.stringify({ error: explanation })))).not.toThrow();
      expect(asText(explanation)).toContain('host: ');
    }
  });

  it('without a text is shown as such', () => {
    expect(explain(Object.create(null), root).failed).toContain('a value without a text');
    expect(explain(Object.create(null), { ...root, script: '/srv/a.ts' }).failed).toContain(
      'it threw a value without a text',
    );
  });

  it('shows the lines of the script once, of the innermost error with some', () => {
    const inner = new Error('inner');
    inner.stack = 'Error: inner\n    at f (/srv/lib.ts:2:3)';
    const outer = new Error('outer', { cause: inner });
    outer.stack = 'Error: outer\n    at g (/srv/a.ts:9:1)';
    inner.cause = outer;

    expect(explain(outer, { ...root, script: '/srv/a.ts' }).details).toEqual(['at f (/srv/lib.ts:2)']);
  });
});

it('does not report a guest that did not shut down in time as restored', () => {
  const cause = new CommandError({
    tool: 'xl',
    argv: ['shutdown', '3'],
    reason: 'timeout',
    what: 'too slow',
  });
  const { host } = explain(new RolledBackError('"vm remove" failed', { cause }), { root: true });
  expect(host).toBe(
    'everything was rolled back, but the guest was asked to shut down and may still be shutting down',
  );
});
