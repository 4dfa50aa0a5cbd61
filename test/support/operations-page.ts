import { readFileSync } from 'node:fs';
import { allOperations } from '../../src/operations.ts';
import type { SimulatedHost } from '../../src/simulator/index.ts';
import { rows } from './undo/matrix.ts';
import { run, type Subject } from '../../src/simulator/matrix/trial.ts';

/** Where the page lies. */
export const operationsPath: URL = new URL('../../docs/operations.md', import.meta.url);

const head = `# The operations

Every kind of step of a sequence: the programs that it runs, the programs of its undo, the sort of proof that the step acted, and how long its effect lasts. **State** means
that the undo restores exactly the former state, *existence* that it restores only the object (a restarted guest, a blank device). What cannot
be undone runs after the commit. [The journal](journal.md#created-by-this-sequence) explains the sorts.

\`npm run docs\` writes this page: it runs each operation on the simulated host with its example calls (\`test/support/undo/specimens\`), and undoes it there.
`;

/** The page of every operation, from what each does on the simulated host. */
export async function operationsPage(): Promise<string> {
  const codes = new Map((await allOperations()).map((code) => [code.kind, code]));
  const sortOf = sortsInTable();
  const table = [
    '| kind | it runs | undo runs | after the commit | sort | lasts until | undo restores |',
    '|---|---|---|---|---|---|---|',
  ];
  for (const { kind, subjects } of await rows()) {
    const code = codes.get(kind);
    if (code === undefined) throw new Error(`${kind} is not registered`);
    const ran = await Promise.all(subjects.map(ranBy));
    const cell = (part: keyof Ran): string =>
      [...new Set(ran.flatMap((each) => each[part]))].filter((name) => !name.startsWith('sync')).join(', ') ||
      '–';
    const back = code.deferred ? '–' : code.restores === 'state' ? '**state**' : '*existence*';
    const lives = code.deferred ? '–' : code.lives;
    table.push(
      `| \`${kind}\` | ${cell('act')} | ${cell('undo')} | ${cell('after')} | ${sortOf(kind)} | ${lives} | ${back} |`,
    );
  }
  return `${head}\n${table.join('\n')}\n`;
}

interface Ran {
  readonly act: readonly string[];
  readonly undo: readonly string[];
  readonly after: readonly string[];
}

/** What a specimen's call changes, what its undo does, and what its commit does. */
async function ranBy(subject: Subject): Promise<Ran> {
  const ends = async (how: 'well' | 'badly'): Promise<readonly [readonly string[], readonly string[]]> => {
    const staged = subject.start();
    let acts = 0;
    await run(staged, { ends: how, onBodyEnds: () => (acts = staged.host.changes.length) });
    const names = staged.host.changes.map(nameOf);
    return [names.slice(0, acts), names.slice(acts)];
  };
  const [act, after] = await ends('well');
  const [, undo] = await ends('badly');
  return { act, undo, after };
}

/** Programs that do many things, and say which by their first word. */
const manySided: ReadonlySet<string> = new Set(['xl', 'cryptsetup', 'btrfs']);

/** A program, or what bofh itself asks of the kernel for a file. */
function nameOf(change: SimulatedHost['changes'][number]): string {
  if (change.what === 'command') return called(change.command);
  return change.what === 'pipeline' ? change.commands.map(called).join(' → ') : `${change.verb}()`;
}

function called({ tool, argv }: { readonly tool: string; readonly argv: readonly string[] }): string {
  return manySided.has(tool) ? `${tool} ${argv.find((word) => !word.startsWith('-')) ?? ''}` : tool;
}

/** The sort of each kind, from docs/undo.md. */
function sortsInTable(): (kind: string) => string {
  const page = readFileSync(new URL('../../docs/undo.md', import.meta.url), 'utf8');
  const row = /^\| `(?<kind>[a-z.]+)` \| (?<sort>[a-z, ]+) \|/gm;
  const sorts = new Map([...page.matchAll(row)].map(({ groups }) => [groups?.['kind'], groups?.['sort']]));
  return (kind) => {
    const sort = sorts.get(kind);
    if (sort === undefined) throw new Error(`docs/undo.md has no row for ${kind}`);
    return sort;
  };
}
