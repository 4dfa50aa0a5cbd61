import { StuckError } from '../../../src/core/errors.ts';
import type { FaultMode } from '../../../src/simulator/index.ts';
import type { Cell, Titled } from './cells.ts';
import type { FaultName } from './fault-names.ts';
import { hanging } from './hanging.ts';
import { type Ends, type Point, pointsOf } from './points.ts';
import { conclude, recoverAll, run, type Subject } from './trial.ts';

type ToolFault = Extract<
  FaultName,
  | 'tool fails at once'
  | 'acts, then fails'
  | 'acts and is killed'
  | 'hangs'
  | 'exits 0 but did nothing'
  | 'answers garbage'
  | 'inverse fails once'
  | 'inverse fails always'
>;

/** What a program, or an access to a file, can do to us, at each of them. */
export const toolCells: Readonly<Record<ToolFault, Cell>> = {
  'tool fails at once': (subject) => atEach(subject, ['fails before'], ({ what }) => what !== 'journal'),
  'acts, then fails': (subject) => atEach(subject, ['acts then fails'], isChange),
  'acts and is killed': (subject) => atEach(subject, ['acts then killed'], isProgram),
  hangs: (subject) => hanging(subject, isProgram),
  'exits 0 but did nothing': (subject) => atEach(subject, ['no effect, exit 0'], isProgram),
  'answers garbage': async function* (subject) {
    const asks = ({ what }: Point): boolean => what === 'program' || what === 'question';
    yield* atEach(subject, ['garbage answer'], asks);
    yield* atEach(subject, ['garbage answer'], asks, 'badly');
  },
  'inverse fails once': (subject) =>
    atEach(
      subject,
      ['fails before', 'acts then fails'],
      (point) => isChange(point) && point.when === 'ending',
      'badly',
    ),
  'inverse fails always': inverseFailsAlways,
};

function isChange({ what }: Point): boolean {
  return what === 'program' || what === 'file';
}

function isProgram({ what }: Point): boolean {
  return what === 'program';
}

/** A fault at each access that fits, of a run that would end well, or badly. */
async function* atEach(
  subject: Subject,
  modes: readonly FaultMode[],
  fits: (point: Point) => boolean,
  ends: Ends = 'well',
): AsyncIterable<Titled> {
  for (const mode of modes)
    for (const point of (await pointsOf(subject, ends)).filter(fits)) {
      const staged = subject.start();
      staged.host.fault(point.fault(mode));
      const ending = await run(staged, { ends });
      yield { title: `${point.title} ${mode}`, tried: await conclude(subject, staged.host, ending) };
    }
}

/** From one change of the undo on every change fails: recovery is as stuck, until the cause is away. */
async function* inverseFailsAlways(subject: Subject): AsyncIterable<Titled> {
  for (const point of (await pointsOf(subject, 'badly')).filter(
    (each) => isChange(each) && each.when === 'ending',
  )) {
    const staged = subject.start();
    staged.host.fault(point.fault('fails before', Number.POSITIVE_INFINITY));
    const ending = await run(staged, { ends: 'badly' });
    const isStuck = ending.how === 'thrown' && ending.error instanceof StuckError;
    let why = '';
    let { host } = staged;
    if (isStuck) {
      host.kill();
      host = host.restart();
      const again = await recoverAll(host);
      // A read-only look may find that nothing is left to do after all.
      if (again.how === 'thrown' && !(again.error instanceof StuckError))
        why = `recovery under the same cause ended by ${String(again.error)}`;
    }
    const tried = await conclude(subject, host, ending);
    yield { title: point.title, tried: why === '' ? tried : { ...tried, ended: 'neither', why } };
  }
}
