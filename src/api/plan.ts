import * as z from 'zod/mini';
import { ParseError } from '../core/errors.ts';

const text = z.string();
const count = z.int().check(z.minimum(0));
const said = (what: string) => z.string().check(z.describe(what));

const plannedChange = z.strictObject({
  line: said('The command for a POSIX shell.'),
  commands: z
    .array(z.array(text))
    .check(
      z.describe(
        'The programs that would be started, each as its name and arguments; several form a pipeline; none means that bofh accesses the file itself.',
      ),
    ),
});

const plannedStep = z.strictObject({
  sequence: said('Name of the sequence of this step.'),
  n: count,
  kind: said(
    'Kind of the operation; "bare" is a pair of functions of the script; a dry run does not call them.',
  ),
  host: z.exactOptional(said('The host that it changes (default: the host that bofh runs on).')),
  objects: z
    .array(text)
    .check(z.describe('Keys of the objects that it creates or changes on that host: lv:vg0/web1-root.')),
  when: z
    .enum(['in turn', 'release', 'undo', 'before the commit', 'after the commit'])
    .check(
      z.describe(
        'release: releases a temporary object of the sequence. undo: undoes a sequence that was interrupted, or that fails and whose error is caught. Steps after the commit cannot be undone.',
      ),
    ),
  changes: z.array(plannedChange),
  undo: z.exactOptional(said('How it is undone if a later step fails.')),
});

/** The possible results of `bofh recover` for a journal. */
export const journalEnds = [
  ...(['rolled-back', 'committed', 'nothing-to-do', 'running', 'unconfirmed'] as const),
  ...(['abandoned', 'cut', 'open'] as const),
] as const;

/** The schema of `--dry-run --json`. docs/plan.md contains it as JSON Schema. */
export const plan = z.strictObject({
  format: z.literal(1),
  verb: text,
  script: z.exactOptional(said('The script that was run to make this plan.')),
  steps: z.array(plannedStep),
  refused: z
    .array(z.strictObject({ what: text, why: text, remedy: z.exactOptional(text) }))
    .check(
      z.describe(
        'Parts that would be refused or fail while the rest runs. If everything is refused, the answer is an error instead of a plan.',
      ),
    ),
  journals: z
    .array(
      z.strictObject({
        id: text,
        name: text,
        end: z.enum([...journalEnds, 'unreadable', 'removed']),
        waitsFor: z.array(text).check(z.describe('Programs that it would wait for.')),
        line: z.exactOptional(said('The line that would be cut off.')),
      }),
    )
    .check(
      z.describe(
        'What would happen to unfinished journals (bofh recover, confirm, undo and journal resolve) and to closed ones (bofh journal prune).',
      ),
    ),
});

/** The output of `bofh --dry-run --json`: the changes of a verb, in execution order. */
export type Plan = z.infer<typeof plan>;

/**
 * Parses the output of `bofh --dry-run --json`. Throws ParseError if it is not a plan of this
 * format version.
 */
export function parsePlan(json: string): Plan {
  try {
    return plan.parse(JSON.parse(json));
  } catch (cause) {
    throw new ParseError('this is not a bofh plan, or its format has another version', {
      cause,
      remedy: 'read it with the version of bofh that printed it',
    });
  }
}
