import { describe, expect, test } from 'vitest';
import { recordingOf, versionsOf } from '../support/record/recordings.ts';
import { answersOf, commandOf, type Group, type Situation } from '../support/record/situation.ts';
import { groups } from '../support/record/situations/index.ts';
import { uuidFrom } from '../support/record/stable.ts';
import { asRead, taken } from '../support/record/taken.ts';

// The table that `npm run record` goes by, and what was recorded: on Debian 12 and on Debian 13.

interface Case {
  readonly title: string;
  readonly situation: Situation;
  readonly version: string;
  readonly group: Group;
}

const cases: readonly Case[] = groups.flatMap((group) =>
  group.situations.flatMap((situation) =>
    versionsOf(situation.name).map((version) => ({
      ...{ title: `${situation.name}@${version}`, situation, version, group },
    })),
  ),
);

const commandFor = ({ situation, version, group }: Omit<Case, 'title'>) =>
  commandOf(situation, { id: (name) => group.pins?.[name] ?? uuidFrom(name), version });

/** What is there, and of which sort, without what it is; of a list one of each sort. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return [...new Set(value.map((one) => JSON.stringify(shapeOf(one))))].sort();
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, inner]) => [key, shapeOf(inner)]),
  );
}

describe('every recording', () => {
  test.each(cases)('$title has the command that bofh would run today', (one) => {
    const { tool, argv } = commandFor(one);
    expect(recordingOf(one.situation.name, one.version).argv.join(' ')).toBe([tool, ...argv].join(' '));
  });

  test.each(cases)('$title is parsed as the table says', (one) => {
    expect(taken(commandFor(one), recordingOf(one.situation.name, one.version))).toBe(
      answersOf(one.situation, one.version),
    );
  });

  test.each(cases.filter(({ situation, version }) => answersOf(situation, version) === 'parsed'))(
    '$title is no success when its program failed',
    (one) => {
      const command = commandFor(one);
      const failed = { ...recordingOf(one.situation.name, one.version), exitCode: 127 };
      expect(taken(command, failed)).not.toBe('parsed');
    },
  );
});

describe('the versions agree', () => {
  const names = [...new Set(cases.map(({ situation }) => situation.name))];
  const both = names.filter((name) => versionsOf(name).length > 1);

  test('on most situations: both Debians were recorded', () => {
    expect(both.length).toBeGreaterThan(0);
  });

  test.each(both)('%s reports the same kinds of facts', (name) => {
    const shapes = cases
      .filter(
        ({ situation, version }) => situation.name === name && answersOf(situation, version) === 'parsed',
      )
      .map((one) => {
        const command = commandFor(one);
        return shapeOf(command.parse(asRead(command, recordingOf(name, one.version))));
      });
    for (const shape of shapes.slice(1)) expect(shape).toEqual(shapes[0]);
  });
});

test('every situation in the table was recorded', () => {
  const names = groups.flatMap(({ situations }) => situations.map(({ name }) => name));
  expect(names.filter((name) => versionsOf(name).length === 0)).toEqual([]);
});

test('no situation is in the table twice', () => {
  const names = groups.flatMap(({ situations }) => situations.map(({ name }) => name));
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});
