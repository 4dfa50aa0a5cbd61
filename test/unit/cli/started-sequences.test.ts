import { describe, expect, it } from 'vitest';
import type { StartedSequence } from '../../../src/cli/errors/explanation.ts';
import { startedIn, withStarted } from '../../../src/cli/errors/sequences.ts';
import { explain } from '../../../src/cli/errors/explain.ts';
import { asText } from '../../../src/cli/errors/explanation.ts';
import { InterruptedError, RolledBackError, StuckError, UsageError } from '../../../src/core/errors.ts';
import { memoryStore } from '../../../src/simulator/store.ts';

const one: StartedSequence = { id: 'aa', name: 'one', end: 'committed', left: [] };
const two: StartedSequence = { id: 'bb', name: 'two', end: 'undone', left: [] };
const half: StartedSequence = { id: 'cc', name: 'half', end: 'open', left: ['left: step 1 bare: no'] };

const told = (error: unknown, ...begun: readonly StartedSequence[]) =>
  explain(error, { root: true, sequences: { started: () => begun } });

describe('the sequences of a process that failed', () => {
  it.each([
    ['nothing', new UsageError('no'), [], 'unchanged', 2],
    ['what is undone', new UsageError('no'), [two], 'unchanged', 2],
    ['a commit', new UsageError('no'), [one], 'changed: "one" (aa) is committed and stays', 2],
    [
      'a commit',
      new InterruptedError('stopped'),
      [one, two],
      'changed: "one" (aa) is committed and stays; "two" (bb) is undone',
      130,
    ],
    [
      'two commits',
      new RolledBackError('"two" failed', { id: 'bb', cause: new Error('x') }),
      [one, { ...one, id: 'ab' }, two],
      'changed: "one" (aa), "one" (ab) are committed and stay; "two" (bb) is undone',
      5,
    ],
    [
      'one that is stuck',
      new TypeError('oops'),
      [half],
      'changed: "half" (cc) could not be finished or rolled back, and the journal stays open',
      3,
    ],
  ])('%s: the error reports it', (_what, error, begun, host, exitCode) => {
    expect(told(error, ...begun)).toMatchObject({ host, exitCode });
  });

  it('the error names a stuck one, with its steps and the next command', () => {
    const { details, next, class: name } = told(new TypeError('oops'), half);

    expect(name).toBe('StuckError');
    expect(details).toEqual(['unfinished: "half" (cc)', '  left: step 1 bare: no']);
    expect(next).toBe('bofh journal show cc; bofh recover');
  });

  it('an error about the sequence itself does not repeat it', () => {
    const blocked = [{ n: 1, kind: 'bare', objects: [], why: 'no' }];
    const error = new StuckError('"half" could not be undone', { id: 'cc', committed: false, blocked });

    expect(asText(told(error, half))).toBe(asText(explain(error, { root: true })));
    expect(told(error, one, half).host).toMatch(
      /journal cc stays open; "one" \(aa\) is committed and stays$/,
    );
  });

  it('an undone one whose journal could not be closed is not reported as stuck', () => {
    const error = new RolledBackError('"half" failed and was rolled back; …', {
      id: 'cc',
      cause: new Error('x'),
    });

    expect(told(error, half).exitCode).toBe(5);
  });

  it('the error counts many of them, and lists them below', () => {
    const many = Array.from({ length: 30 }, (_, n) => ({ ...one, id: `id${n}` }));
    const { host, details } = told(new UsageError('no'), ...many);

    expect(host).toBe('changed: 30 sequences are committed and stay');
    expect(details).toHaveLength(21);
    expect(details.at(-1)).toContain('10 more');
  });
});

describe('a journal', () => {
  it('that does not exist means no change', () => {
    expect(startedIn(memoryStore(), 'aa')).toBeUndefined();
  });

  it('that cannot be read is never reported as a success', () => {
    const store = memoryStore();
    store.create('aa.journal').write(new TextEncoder().encode('nonsense\n'), 0);

    const begun = startedIn(store, 'aa');

    expect(begun).toMatchObject({ id: 'aa', end: 'open' });
    expect(begun?.left[0]).toContain('cannot be read');
    expect(withStarted(explain(new Error('x'), { root: true }), undefined, [begun ?? one]).exitCode).toBe(3);
  });
});
