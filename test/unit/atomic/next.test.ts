import { describe, expect, test } from 'vitest';
import type { IntentLine, Line } from '../../../src/atomic/journal/lines.ts';
import { next, type Decision, type View } from '../../../src/atomic/undo/next.ts';
import { fold } from '../../../src/atomic/journal/state.ts';
import { begin, intent as claimless, owner } from '../../support/crash/lines.ts';

const rollback: Line = { t: 'rollback', because: 'it failed' };
const committed: Line = { t: 'committed' };

/** Each makes an object of its own unless told otherwise. */
const intent = (n: number, more: Partial<IntentLine> = {}): IntentLine =>
  claimless(n, { claims: { makes: [`key:${n}`] }, ...more });

function decide(lines: readonly Line[], view: Partial<View> = {}): string {
  const all: View = { boots: { '': 'b' }, owner: 'me', inverses: new Set(), ...view };
  return inWords(next(fold([begin, ...lines]), all));
}

function inWords(decision: Decision): string {
  switch (decision.do) {
    case 'undo': {
      const inside = decision.inside.map(({ n }) => ` +${n}`).join('');
      return `undo ${decision.step.n}${inside}${decision.boot === 'other' ? ' (other boot)' : ''}`;
    }
    case 'block':
      return `block ${decision.step.n}: ${JSON.stringify(decision.why)}`;
    case 'finish':
      return `finish ${decision.step.n}`;
    case 'close':
      return `close ${decision.outcome}`;
    default:
      return decision.do;
  }
}

const failed = (n: number): Line => ({ t: 'blocked', n, why: 'failed' });
const on = (key: string) => ({ claims: { changes: [key] } });

describe('before the commit', () => {
  const inside = [
    intent(1, { contains: 'vol' }),
    intent(2, { within: 'vol', contains: 'fs' }),
    intent(3, { within: 'fs' }),
  ];
  test.each<[string, readonly Line[], Partial<View>, string]>([
    ['another bofh works on it: it is not touched', [intent(1), rollback], { owner: 'other' }, 'refuse'],
    ['a tool of a dead owner runs: wait', [intent(1), rollback], { owner: 'orphan' }, 'wait'],
    ['nothing has failed: go on', [intent(1)], {}, 'go-on'],
    ['the newest is undone first, done or not', [intent(1), intent(2), rollback], {}, 'undo 2'],
    ['what is undone is done with', [intent(1), intent(2), rollback, { t: 'undone', n: 2 }], {}, 'undo 1'],
    ['all undone: close', [intent(1), rollback, { t: 'undone', n: 1 }], {}, 'close rolled-back'],
    ['what lies inside goes along, at any depth', [...inside, rollback], {}, 'undo 1 +3 +2'],
    [
      'on a host that cannot be reached: blocked',
      [intent(1, { host: 'far', lives: 'boot' }), rollback],
      {},
      'block 1: "away"',
    ],
    [
      'of another boot: look only',
      [intent(1, { lives: 'boot', boot: 'a' }), rollback],
      {},
      'undo 1 (other boot)',
    ],
    ['the container failed: blocked by it', [...inside, rollback, failed(1)], {}, 'block 2: {"by":1}'],
    [
      'the container is undone already: on its own',
      [...inside.slice(0, 2), rollback, { t: 'undone', n: 1, notOurs: 'x' }],
      {},
      'undo 2',
    ],
    [
      'a newer one on the same object failed: blocked by it',
      [intent(1, on('k')), intent(2, on('k')), rollback, failed(2)],
      {},
      'block 1: {"by":2}',
    ],
    [
      'a newer one on the same object is blocked: blocked by it',
      [intent(1, on('k')), intent(2, on('k')), rollback, { t: 'blocked', n: 2, why: { by: 3 } }],
      {},
      'block 1: {"by":2}',
    ],
    ['a newer one elsewhere failed: it goes on', [intent(1), intent(2), rollback, failed(2)], {}, 'undo 1'],
    [
      'a newer one in the directory that it created failed: blocked by it',
      [intent(1, { claims: { makes: ['file:/a'] } }), intent(2, on('mnt:/a/b')), rollback, failed(2)],
      {},
      'block 1: {"by":2}',
    ],
    [
      'a newer one beside that directory failed: undone all the same',
      [intent(1, { claims: { makes: ['file:/a'] } }), intent(2, on('file:/ab/c')), rollback, failed(2)],
      {},
      'undo 1',
    ],
    ['all that is left is blocked: stuck', [intent(1), rollback, failed(1)], {}, 'stuck'],
    [
      'shared on both sides is no conflict',
      [intent(1, { claims: { needs: ['k'] } }), intent(2, { claims: { needs: ['k'] } }), rollback, failed(2)],
      {},
      'undo 1',
    ],
    [
      'a block counts for one attempt',
      [intent(1), rollback, failed(1), { t: 'recovery', ...owner }],
      {},
      'undo 1',
    ],
    ['a bare pair of a dead process', [intent(1, { kind: 'bare' }), rollback], {}, 'block 1: "bare"'],
    [
      'a bare pair of this one',
      [intent(1, { kind: 'bare' }), rollback],
      { inverses: new Set([1]) },
      'undo 1',
    ],
    [
      'a bare pair without claims blocks all that is older',
      [intent(1), intent(2, { kind: 'bare', claims: null }), rollback, failed(2)],
      {},
      'block 1: {"by":2}',
    ],
    [
      'a bare pair without claims has nothing to do with newer ones',
      [intent(1, { kind: 'bare', claims: null }), intent(2), rollback, failed(2)],
      { inverses: new Set([1]) },
      'undo 1',
    ],
    [
      'steps of any sort between a container and its content change nothing',
      [
        intent(1, { contains: 'vol' }),
        intent(2, { claims: { changes: ['key:9'] } }),
        intent(3, { within: 'vol', claims: { changes: ['vol'] } }),
        intent(4, { kind: 'bare', claims: null }),
        intent(5, { within: 'vol' }),
        rollback,
        { t: 'undone', n: 4 },
      ],
      {},
      'undo 2',
    ],
    [
      'a bare pair without claims between the two does not either',
      [
        intent(1, { contains: 'vol' }),
        intent(2, { kind: 'bare', claims: null }),
        intent(3, { within: 'vol' }),
        rollback,
      ],
      { inverses: new Set([2]) },
      'undo 2',
    ],
    [
      'content of an older object of the same name is not undone with the newer one',
      [
        intent(1, { within: 'vol' }),
        intent(2, { claims: { changes: ['vol'], makes: ['vol2'] } }),
        intent(3, { contains: 'vol', claims: { makes: ['vol'] } }),
        rollback,
      ],
      {},
      'undo 3',
    ],
  ])('%s', (_, lines, view, wanted) => {
    expect(decide(lines, view)).toBe(wanted);
  });
});

describe('in a scope', () => {
  const scoped: readonly Line[] = [
    intent(1, on('k')),
    { t: 'scope', s: 1, name: 'outer' },
    intent(2, { scope: 1, ...on('k') }),
    { t: 'scope', s: 2, name: 'inner', parent: 1 },
    intent(3, { scope: 2 }),
    { t: 'rollback', scope: 1, because: 'it failed' },
  ];
  const both: readonly Line[] = [
    { t: 'undone', n: 3 },
    { t: 'undone', n: 2 },
  ];
  test.each<[string, readonly Line[], string]>([
    ['its own steps and those of scopes in it are undone', scoped, 'undo 3'],
    ['and no others', [...scoped, ...both], 'close rolled-back'],
    [
      'a newer step outside stands in the way',
      [...scoped, intent(4, on('k')), { t: 'undone', n: 3 }],
      'block 2: {"by":4}',
    ],
    ['an older step outside does not', [...scoped, { t: 'undone', n: 3 }], 'undo 2'],
    [
      'nor a newer one that is undone itself',
      [...scoped, intent(4, on('k')), { t: 'undone', n: 4 }, { t: 'undone', n: 3 }],
      'undo 2',
    ],
  ])('%s', (_, lines, wanted) => {
    expect(decide(lines, { scope: 1 })).toBe(wanted);
  });
});

describe('after the commit', () => {
  const after = { after: true };
  test.each<[string, readonly Line[], string]>([
    [
      'what has work left is finished, oldest first',
      [intent(1, after), intent(2, after), committed],
      'finish 1',
    ],
    [
      'what was undone in a scope is not',
      [intent(1, after), { t: 'undone', n: 1 }, committed],
      'close committed',
    ],
    ['all finished: close', [intent(1, after), committed, { t: 'finished', n: 1 }], 'close committed'],
    ['recovery goes forward too', [intent(1, after), committed, { t: 'recovery', ...owner }], 'finish 1'],
    [
      'a failed one blocks later ones on its object, through steps with nothing to finish',
      [
        intent(1, { ...after, ...on('k') }),
        intent(2, { claims: { changes: ['k', 'l'] } }),
        intent(3, { ...after, ...on('l') }),
        committed,
        failed(1),
      ],
      'block 3: {"by":2}',
    ],
    [
      'a bare pair without claims hands the block of any older one on to every later one',
      [
        intent(1, { ...after, ...on('k') }),
        intent(2, { kind: 'bare', claims: null }),
        intent(3, { ...after, ...on('l') }),
        committed,
        failed(1),
      ],
      'block 3: {"by":2}',
    ],
    ['a failed one leaves the rest', [intent(1, after), intent(2, after), committed, failed(1)], 'finish 2'],
    ['only blocked ones are left: stuck', [intent(1, after), committed, failed(1)], 'stuck'],
  ])('%s', (_, lines, wanted) => {
    expect(decide(lines)).toBe(wanted);
  });
});

test('does not undo content of a container together with an object that was renamed to the container’s name', () => {
  const lines = [
    intent(1, { contains: 'vol:a', claims: { makes: ['vol:a'] } }),
    intent(2, { claims: { changes: ['vol:a'] } }),
    intent(3, { claims: { makes: ['vol:a'], changes: ['vol:old'] } }),
    intent(4, { within: 'vol:a', claims: { changes: ['vol:a'] } }),
    rollback,
  ];

  expect(decide(lines)).toBe('undo 4');
});
