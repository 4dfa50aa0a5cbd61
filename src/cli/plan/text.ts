import { keyInWords } from '../../atomic/locks/host-key.ts';
import type { Plan } from '../output/answers/index.ts';
import type { StuckStep } from '../../core/errors.ts';
import { oneLine, printable } from '../output/text.ts';

const parts = [
  { head: 'these steps would run:', has: ['in turn', 'release', 'undo'] },
  { head: 'before the commit, to write the changes to disk:', has: ['before the commit'] },
  { head: 'after the commit, cannot be undone:', has: ['after the commit'] },
];

/** Returns a plan as text; `headed`: a line before it is already printed. */
export function planInWords(
  { steps, refused }: Pick<Plan, 'steps' | 'refused'>,
  headed: boolean,
): readonly string[] {
  const sections = parts.flatMap(({ head, has }) => {
    const own = steps.filter(({ when }) => has.includes(when));
    return own.length === 0 ? [] : [`dry run: ${head}`, ...own.flatMap(linesOf)];
  });
  const said = refused.map(
    ({ what, why, remedy }) =>
      `would be refused: ${oneLine(what)}: ${oneLine(why)}${remedy === undefined ? '' : ` (${oneLine(remedy)})`}`,
  );
  if (sections.length > 0 || said.length > 0) return [...sections, ...said];
  return headed ? [] : ['dry run: there is nothing to do'];
}

/** Returns a step as text: its operation, its objects and its host. */
export function stepInWords({
  kind,
  host = '',
  objects,
}: Pick<StuckStep, 'kind' | 'host' | 'objects'>): string {
  if (objects.length === 0) return host === '' ? kind : `${kind} on ${host}`;
  return `${kind} (${objects.map((key) => keyInWords(host, key)).join(', ')})`;
}

function linesOf({ n, when, changes, undo, ...of }: Plan['steps'][number]): readonly string[] {
  const step = `step ${String(n)}`;
  const what = when === 'release' ? `release of ${step}` : when === 'undo' ? `undo of ${step}` : step;
  return [
    printable(`${what}: ${stepInWords(of)}`),
    ...changes.map(({ line }) => `    ${oneLine(line)}`),
    ...(undo === undefined || undo === '' ? [] : [printable(`  undo: ${undo}`)]),
  ];
}
