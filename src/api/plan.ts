import * as z from 'zod/mini';
import { ParseError } from '../core/errors.ts';

const text = z.string();
const count = z.int().check(z.minimum(0));
const said = (what: string) => z.string().check(z.describe(what));

const plannedChange = z.strictObject({
  line: said('As a person would type it in a POSIX shell.'),
  commands: z
    .array(z.array(text))
    .check(
      z.describe(
        'The programs that would be started, each as its name and arguments; several are joined by pipes, and none means that bofh makes the access itself.',
      ),
    ),
});

const plannedStep = z.strictObject({
  sequence: said('Name of the sequence that it is a step of.'),
  n: count,
  kind: said('Kind of the operation; "bare" is a pair of functions of the script, which are not called.'),
  host: z.exactOptional(said('The host that it acts on; missing: the one that bofh runs on.')),
  objects: z
    .array(text)
    .check(z.describe('Keys of what it makes or changes, as that host has them: lv:vg0/web1-root.')),
  when: z
    .enum(['in turn', 'release', 'undo', 'before the commit', 'after the commit'])
    .check(
      z.describe(
        'release: of what the sequence needs only for a while. undo: of a sequence that was interrupted, or that fails on the way and is caught. What is after the commit cannot be undone.',
      ),
    ),
  changes: z.array(plannedChange),
  undo: z.exactOptional(said('How it is taken back when a later step fails.')),
});

/** The schema of `--dry-run --json`; docs/plan.md has it as JSON Schema. */
export const plan = z.strictObject({
  format: z.literal(1),
  verb: text,
  script: z.exactOptional(said('The script that was itself run to find this out.')),
  steps: z.array(plannedStep),
  refused: z
    .array(z.strictObject({ what: text, why: text, remedy: z.exactOptional(text) }))
    .check(
      z.describe(
        'Parts that would be refused or fail while the rest is done. Is all of it refused, the answer is an error in place of a plan.',
      ),
    ),
  journals: z
    .array(
      z.strictObject({
        id: text,
        name: text,
        end: z.enum([
          'rolled-back',
          'committed',
          'nothing-to-do',
          'running',
          'abandoned',
          'cut',
          'open',
          'unreadable',
          'removed',
        ]),
        waitsFor: z.array(text).check(z.describe('Programs whose end would be waited for.')),
        line: z.exactOptional(said('What would be cut off.')),
      }),
    )
    .check(
      z.describe(
        'What would become of journals: of unfinished ones by bofh recover, of closed ones by bofh journal prune.',
      ),
    ),
});

/** The answer of `bofh --dry-run --json`: the changes of a verb in the order in which they would be made. */
export type Plan = z.infer<typeof plan>;

/** Checks what `bofh --dry-run --json` has printed. Throws ParseError for what is no plan of this version. */
export function parsePlan(json: string): Plan {
  try {
    return plan.parse(JSON.parse(json));
  } catch (cause) {
    throw new ParseError('this is no plan of bofh, or one of another version', {
      cause,
      remedy: 'read it with the version of bofh that printed it',
    });
  }
}
