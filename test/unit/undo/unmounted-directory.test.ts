import { expect, it } from 'vitest';
import { killedAt, tryUnmounted } from '../../support/undo/cells-others.ts';
import { rows } from '../../support/undo/matrix.ts';
import { directoryOf } from '../../support/undo/others/reach.ts';

// Every operation that changes a name in a directory, with that directory as a filesystem that is not mounted at the recovery.

const all = (await rows()).flatMap((row) => row.subjects);
const found: string[] = [];

it.each(
  all.map((subject) => [`${subject.kind} ${subject.specimen.title ?? ''}`.trimEnd(), subject] as const),
)('%s is not taken for undone while its directory is not mounted', async (title, subject) => {
  const directory = directoryOf(subject.start().host, await killedAt(subject, 'in a later step'));
  if (directory === undefined) return;
  found.push(title);
  expect(await tryUnmounted(subject, directory, 'restart')).toEqual({
    ended: 'before',
    stuck: true,
    why: '',
  });
});

it('there are such operations', () => {
  expect(found.length).toBeGreaterThanOrEqual(40);
});
