import { StuckError } from '../../core/errors.ts';
import type { FaultMode } from '../faults/faults.ts';
import { hanging } from './hanging.ts';
import { type Ends, type Point, pointsOf } from './points.ts';
import { type Cell, conclude, recoverAll, run, type Subject, type Titled } from './trial.ts';

/** Cells that inject a fault into each program or file access of a run. */
export const toolFaults = {
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
} satisfies Record<string, Cell>;

function isChange({ what }: Point): boolean {
  return what === 'program' || what === 'file';
}

function isProgram({ what }: Point): boolean {
  return what === 'program';
}

/** Runs the operation once for each matching access, with a fault injected there; `ends`: how the run would end without it. */
async function* atEach(
  subject: Subject,
  modes: readonly FaultMode[],
  fits: (point: Point) => boolean,
  ends: Ends = 'well',
): AsyncIterable<Titled> {
  for (const mode of modes)
    for (const point of subject.sample((await pointsOf(subject, ends)).filter(fits))) {
      const staged = subject.start();
      staged.host.fault(point.fault(mode));
      const ending = await run(staged, { ends });
      yield { title: `${point.title} ${mode}`, tried: await conclude(subject, staged.host, ending) };
    }
}

/**
 * Lets every change fail from one change of the undo on: recovery is stuck too until the cause is
 * gone.
 */
async function* inverseFailsAlways(subject: Subject): AsyncIterable<Titled> {
  const points = (await pointsOf(subject, 'badly')).filter(
    (each) => isChange(each) && each.when === 'ending',
  );
  for (const point of subject.sample(points)) {
    const staged = subject.start();
    staged.host.fault(point.fault('fails before', Number.POSITIVE_INFINITY));
    const ending = await run(staged, { ends: 'badly' });
    const isStuck = ending.how === 'thrown' && ending.error instanceof StuckError;
    let why = '';
    let { host } = staged;
    if (isStuck) {
      host.kill();
      host = host.restart();
      const again = await recoverAll(host, { operations: subject.operations });
      // A read-only look may find that there is nothing left to do.
      if (again.how === 'thrown' && !(again.error instanceof StuckError))
        why = `recovery under the same cause ended by ${String(again.error)}`;
    }
    const tried = await conclude(subject, host, ending);
    yield { title: point.title, tried: why === '' ? tried : { ...tried, ended: 'neither', why } };
  }
}
