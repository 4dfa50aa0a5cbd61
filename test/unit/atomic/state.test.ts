import { describe, expect, test } from 'vitest';
import type { Line } from '../../../src/atomic/journal/lines.ts';
import { blocks, conflicting, fold, isLeft } from '../../../src/atomic/journal/state.ts';
import { begin, intent } from '../../support/crash/lines.ts';

describe('the lines of a journal', () => {
  test.each<[string, readonly Line[], string]>([
    ['none', [], 'an empty journal has no state'],
    ['one that is no `begin`', [{ t: 'committed' }], 'a journal starts with `begin`'],
    ['a second `begin`', [begin, begin], 'a journal has one `begin`'],
  ])('%s: is refused', (_, lines, wanted) => {
    expect(() => fold(lines)).toThrow(wanted);
  });

  test('the end of the undo of a scope does not end an outer undo', () => {
    const scopes: readonly Line[] = [
      begin,
      { t: 'scope', s: 1, name: 'outer' },
      { t: 'scope', s: 2, name: 'inner', parent: 1 },
      { t: 'rollback', scope: 2, because: 'inner' },
      { t: 'rollback', scope: 1, because: 'outer' },
    ];

    expect(fold([...scopes, { t: 'scope-end', s: 2 }]).unwinding).toEqual([1]);
    expect(fold([...scopes, { t: 'scope-end', s: 2 }, { t: 'scope-end', s: 1 }]).unwinding).toEqual([]);
  });

  test('the state of a step contains its own lines only', () => {
    const { steps } = fold([
      begin,
      intent(1),
      intent(2),
      { t: 'done', n: 2, result: 'r' },
      { t: 'undone', n: 1, notOurs: 'x' },
      { t: 'finished', n: 2 },
    ]);

    expect(steps).toEqual([
      { n: 1, intent: intent(1), finished: false, undone: { notOurs: 'x' } },
      { n: 2, intent: intent(2), finished: true, done: { result: 'r' } },
    ]);
  });
});

describe('a step remains', () => {
  const after = { after: true };
  const committed: Line = { t: 'committed' };
  test.each<[string, readonly Line[], boolean]>([
    ['while it is not undone', [intent(1)], true],
    ['not when it is undone', [intent(1), { t: 'undone', n: 1 }], false],
    ['not after the commit, with nothing to finish', [intent(1), committed], false],
    ['after the commit, while it is not finished', [intent(1, after), committed], true],
    ['not when it is finished', [intent(1, after), committed, { t: 'finished', n: 1 }], false],
    ['not when it was undone before the commit', [intent(1, after), { t: 'undone', n: 1 }, committed], false],
  ])('%s', (_, lines, wanted) => {
    const state = fold([begin, ...lines]);

    expect(state.steps.map((step) => isLeft(state, step))).toEqual([wanted]);
  });
});

describe('two steps', () => {
  test.each([
    [{ makes: ['k'] }, { changes: ['k'] }, 'k'],
    [{ changes: ['k'] }, { needs: ['k'] }, 'k'],
    [{ needs: ['k'] }, { makes: ['k'] }, 'k'],
    [{ needs: ['k'] }, { needs: ['k'] }, undefined],
    [{ makes: ['k'] }, { makes: ['l'], changes: ['m'], needs: ['n'] }, undefined],
    [{}, {}, undefined],
  ])('%j and %j conflict on %s', (one, other, key) => {
    expect(conflicting(one, other)).toBe(key);
  });

  test('without claims, a newer step blocks every older one', () => {
    const [bare, some] = [intent(1, { claims: null }), intent(2, { claims: { makes: ['k'] } })];

    expect(blocks(bare, some)).toBe(true);
    expect(blocks(some, bare)).toBe(false);
    expect(blocks(bare, bare)).toBe(true);
  });
});
