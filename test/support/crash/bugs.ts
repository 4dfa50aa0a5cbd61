import type { Patch } from './copies.ts';
import type { ToyBugs } from './toys.ts';

/** A bug that the crash matrix must see. */
export interface Bug {
  readonly name: string;
  readonly patches: readonly Patch[];
  /** A bug of the operations instead. */
  readonly toys?: ToyBugs;
}

const next = (old: string, now: string): Patch => ({ file: 'undo/next.ts', old, now });
const journal = (old: string, now: string): Patch => ({ file: 'journal/journal-writer.ts', old, now });
const announcing = (old: string, now: string): Patch => ({ file: 'sequence/announcement.ts', old, now });
const ending = (old: string, now: string): Patch => ({ file: 'undo/finish.ts', old, now });
const act = (old: string, now: string): Patch => ({ file: 'undo/act.ts', old, now });
const step = (old: string, now: string): Patch => ({ file: 'sequence/run-step.ts', old, now });

const overwrite = 'writeAll(file, bytes.subarray(0, length), 0);';

export const bugs: readonly Bug[] = [
  {
    name: 'forward undo',
    patches: [
      next(
        "for (const place of placesOf(index.open, 'newest')",
        "for (const place of placesOf(index.open, 'oldest')",
      ),
    ],
  },
  {
    name: 'undo of done steps only',
    patches: [
      next(
        'if (step === undefined || !isIn(place)) continue;',
        'if (step?.done === undefined || !isIn(place)) continue;',
      ),
    ],
  },
  {
    name: 'no mark check in the engine',
    patches: [
      act(
        "if (before.state === 'ours') {\n    const { engine, journal, discard, trusted }",
        "if (before.state !== 'gone') {\n    const { engine, journal, discard, trusted }",
      ),
    ],
  },
  { name: 'no mark check in an operation', patches: [], toys: { noMarkCheck: true } },
  { name: 'identity as mark', patches: [], toys: { identityAsMark: true } },
  {
    name: 'non-transitive blocking',
    patches: [
      next(
        'for (const other of index.blocked) consider(other);',
        "for (const other of index.blocked) if (steps[other]?.blocked?.why === 'failed') consider(other);",
      ),
    ],
  },
  {
    name: 'a failed undo blocks nothing',
    patches: [next('for (const other of index.blocked) consider(other);', '')],
  },
  {
    name: 'a newer step outside the scope blocks nothing',
    patches: [next('if (view.scope !== undefined)', 'if (view.scope === Infinity)')],
  },
  {
    name: 'unwinding while a step runs',
    patches: [
      {
        file: 'sequence/frame.ts',
        old: 'while (frame.running.size > 0 &&',
        now: 'while (frame.running.size > 99 &&',
      },
    ],
  },
  {
    name: 'a step that never began is undone',
    patches: [
      step('else if (!hasBegun() && code.actsElsewhere !== true)', 'else if (hasBegun() && !hasBegun())'),
    ],
  },
  {
    name: 'boot id ignored',
    patches: [
      { file: 'journal/state.ts', old: "intent.lives === 'boot' &&", now: "intent.lives !== 'boot' &&" },
    ],
  },
  {
    name: 'no sync before `committed`',
    patches: [ending('work: () => syncStep(engine, journal, step)', 'work: () => Promise.resolve()')],
  },
  {
    name: 'no sync before `undone`',
    patches: [act('await code.sync(journalled);\n  // Others may have', '// Others may have')],
  },
  {
    name: 'no sync before `finished`',
    patches: [act('await code.sync(journalled);\n  // If others made theirs', '// If others made theirs')],
  },
  {
    name: 'no truncation after a failed write',
    patches: [journal('journal.file.truncate(journal.position);', '')],
  },
  {
    name: 'no directory fsync when a journal is created',
    patches: [
      journal(
        "store.rename(`${id}.new`, `${id}.journal`);\n  store.syncDir('.');",
        'store.rename(`${id}.new`, `${id}.journal`);',
      ),
    ],
  },
  {
    name: 'recovery that acts before it syncs',
    patches: [
      journal(`${overwrite}\n    file.datasync();`, ''),
      {
        file: 'recovery/recover.ts',
        old: '...ownerLine(engine) }]);',
        now: "...ownerLine(engine) }], 'wait');",
      },
    ],
  },
  {
    name: 'recovery that syncs without writing again',
    patches: [journal(overwrite, '')],
  },
  {
    name: 'an act before its intent is durable',
    patches: [
      announcing(
        'append(journal, lines);\n    // Only after the write',
        "append(journal, lines, 'wait');\n    // Only after the write",
      ),
    ],
  },
  {
    name: 'success before `committed` is durable',
    patches: [ending('line()]);', "line()], 'wait');")],
  },
  {
    name: 'no check of the objects of older steps before the act',
    patches: [{ file: 'sequence/run-step.ts', old: 'await expectStillOurs(', now: 'void (' }],
  },
  {
    name: 'no look after the act',
    patches: [step('await expectOurs(code,', 'void (code,')],
  },
  {
    name: 'no look after the undo',
    patches: [act("if (after.state === 'ours') throw failure(after);", '')],
  },
  {
    name: 'blocks of the first recovery are valid in the second',
    patches: [
      {
        file: 'journal/state.ts',
        old: 'unblock(index);\n      own.unwinding = [undefined];',
        now: 'own.unwinding = [undefined];',
      },
    ],
  },
  {
    name: 'a line is written after one that could not be written',
    patches: [journal('journal.dead ??= error;', '')],
  },
  {
    name: 'the undo continues after a failed sync',
    patches: [
      journal("error.at === 'sync') throw error;", 'false) throw error;'),
      ending("journal.dead?.at === 'sync' || ", ''),
    ],
  },
];
