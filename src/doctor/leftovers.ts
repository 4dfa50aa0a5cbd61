import { posix } from 'node:path';
import type { Engine } from '../atomic/engine.ts';
import { manualRecoveryOf } from '../atomic/undo/report.ts';
import { type Step, endedWithBoot, exclusive, isLeft } from '../atomic/journal/state.ts';
import type { ReadHost } from '../command/index.ts';
import { BofhError } from '../core/errors.ts';
import { type Finding, finding, looking } from './finding.ts';
import type { KnownJournal } from './journals.ts';
import {
  hiddenGroups,
  type Marked,
  markedFiles,
  markedGroups,
  markedOnRun,
  markedSubvolumes,
  markedVolumes,
} from './marks.ts';

type Find = Pick<Engine, 'find'>;

/** What the doctor needs to know what is left over. */
export interface Scene {
  readonly host: ReadHost;
  readonly find: Engine['find'];
  readonly journals: readonly KnownJournal[];
  /** Where guests are configured. */
  readonly configDirs: readonly string[];
  readonly root: boolean;
}

/**
 * What sequences have left on the host. By two ways: what their journals say is not undone is looked at, each step by
 * the code that would undo it; and the host is searched for our marks, whatever the journals say.
 */
export async function leftovers(scene: Scene): Promise<readonly Finding[]> {
  const { host, root } = scene;
  const known = await Promise.all(scene.journals.map((journal) => stillThere(scene, journal)));
  const told = new Set(known.flat().map(({ key }) => key));
  const search = (
    what: string,
    look: () => Promise<readonly Marked[]>,
    beside: () => Promise<readonly Finding[]> = () => Promise.resolve([]),
  ) =>
    looking({ check: 'leftover', what, root }, async () => [
      ...judge(await look(), scene.journals, told),
      ...(await beside()),
    ]);
  const found = [
    ...known.flat().map(({ said }) => said),
    ...(await search(
      'logical volumes',
      async () => [...(await markedVolumes(host)), ...(await markedGroups(host))],
      () => hidden(host),
    )),
    ...(await search('private files', () => markedFiles(host, directoriesOf(scene)))),
    ...(await search('btrfs subvolumes', () => markedSubvolumes(host))),
    ...(await search('private mounts', () => markedOnRun(host))),
  ];
  if (found.some(({ level }) => level !== 'ok')) return found;
  return [finding('leftover', 'ok', 'no sequence has left anything behind'), ...found];
}

async function hidden(host: ReadHost): Promise<readonly Finding[]> {
  return (await hiddenGroups(host)).map((name) =>
    finding('leftover', 'warning', `the volume group ${name} is exported: what is in it cannot be told`, [
      ['vgimport', name],
    ]),
  );
}

/** Guest configs, and every directory in which a sequence that is known made or removed a file. */
function directoriesOf({ journals, configDirs }: Scene): readonly string[] {
  const files = journals
    .flatMap(({ state }) => state?.steps ?? [])
    .flatMap(({ intent }) => exclusive(intent.claims ?? {}))
    .flatMap((key) => /^file:(?<path>\/.+)$/s.exec(key)?.groups?.path ?? []);
  return [...configDirs, ...files.map((path) => posix.dirname(path))];
}

interface Told {
  readonly key: string;
  readonly said: Finding;
}

/** The steps of an interrupted or abandoned sequence whose effect is there, by the look of the code that knows it. */
async function stillThere(scene: Scene, journal: KnownJournal): Promise<readonly Told[]> {
  const { state, is } = journal;
  if (state === undefined || (is !== 'interrupted' && is !== 'abandoned')) return [];
  const left = state.steps.filter((step) => isLeft(state, step));
  const told = await Promise.all(left.map((step) => lookAt(scene, journal, step)));
  return told.flat();
}

async function lookAt(scene: Scene, journal: KnownJournal, step: Step): Promise<readonly Told[]> {
  const { host, root } = scene;
  const { n, intent, done } = step;
  const key = keyOf(journal.id, n);
  const named = `step ${String(n)} ${intent.kind} of ${sequence(journal)}`;
  const say = (level: Finding['level'], says: string, run: readonly (readonly string[])[] = []): Told[] => [
    { key, said: finding('leftover', level, says, run) },
  ];
  if (intent.kind === 'bare' || intent.host !== host.name)
    return say('warning', `whether anything of ${named} is left cannot be told`, [show(journal.id)]);
  try {
    const code = await scene.find(intent.kind, intent.version);
    if (code === undefined) return say('warning', `this bofh does not know ${named}`, [show(journal.id)]);
    // Its effect went with an earlier boot; what looks like it now was brought up by somebody else.
    if (endedWithBoot(step, (await host.facts()).boot)) return [];
    const result = done === undefined ? {} : { result: done.result };
    const { state: is } = await code.look({ undo: intent.undo, host, ...result });
    if (is !== 'ours') return [];
    return [{ key, said: await left(scene, journal, step) }];
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    if (!root) return say('warning', `needs root for what is left of ${named}`);
    // Whoever abandoned it may have taken away what it lay in.
    const level = journal.is === 'abandoned' ? 'warning' : 'problem';
    return say(level, `what is left of ${named} could not be looked at: ${error.message}`, [
      show(journal.id),
    ]);
  }
}

async function left(scene: Find, journal: KnownJournal, step: Step): Promise<Finding> {
  const { id, is, state, because } = journal;
  const manualRecovery = await manualRecoveryOf(scene, { committed: state?.committed === true }, step);
  const objects = exclusive(step.intent.claims ?? {}).join(', ');
  const what = manualRecovery?.what ?? `${step.intent.kind} (${objects})`;
  const says = `${what}: left by ${sequence(journal)}`;
  if (is === 'interrupted') return finding('leftover', 'problem', says, [show(id), ['bofh', 'recover', id]]);
  const why = because === undefined ? '' : `: ${because}`;
  const run = manualRecovery === undefined ? [show(id)] : [...manualRecovery.look, ...manualRecovery.clear];
  return finding('leftover', 'warning', `${says}, which was abandoned${why}`, run);
}

/** What marks on the host mean, by what became of their sequences. */
export function judge(
  marked: readonly Marked[],
  journals: readonly KnownJournal[],
  told: ReadonlySet<string>,
): readonly Finding[] {
  const byId = new Map(journals.map((journal) => [journal.id, journal]));
  const fresh = marked.filter(({ id, n }) => !told.has(keyOf(id, n)));
  const strangers = fresh.filter(({ id, kind }) => !byId.has(id) && kind === 'stays');
  const found = fresh.flatMap((each) => {
    const journal = byId.get(each.id);
    return journal === undefined ? unknown(each) : ofKnown(each, journal);
  });
  if (strangers.length === 0) return found;
  const names = strangers.map(({ what, id }) => `${what} of ${id}`).join('; ');
  const says = `marks of sequences that are not in this journal (any more), which is no fault: ${names}`;
  return [...found, finding('unknown mark', 'ok', says)];
}

function unknown({ id, kind, what, look }: Marked): readonly Finding[] {
  if (kind === 'stays') return [];
  const says = `${what}: left by the sequence ${id}, which is not in this journal (any more)`;
  return [finding('unknown mark', 'warning', says, look)];
}

function ofKnown(marked: Marked, journal: KnownJournal): readonly Finding[] {
  const { what, kind, look, clear, id } = marked;
  const { is, state } = journal;
  if (is === 'running' || is === 'orphan' || is === 'unknown') return [];
  // After its commit a mark is nothing but a mark.
  if (kind === 'stays' && (is === 'committed' || state?.committed === true)) return [];
  const by = `${what}: left by ${sequence(journal)}`;
  if (is === 'interrupted' || is === 'unreadable')
    return [finding('leftover', 'problem', by, [...look, show(id)])];
  if (is === 'abandoned')
    return [finding('leftover', 'warning', `${by}, which was abandoned`, [...look, ...clear])];
  const end = is === 'committed' ? 'committed' : 'undone';
  return [finding('leftover', 'problem', `${by}, although that is ${end}`, [...look, ...clear])];
}

function sequence({ id, state }: KnownJournal): string {
  return state === undefined ? `the sequence ${id}` : `the sequence ${id} "${state.begin.name}"`;
}

function show(id: string): readonly string[] {
  return ['bofh', 'journal', 'show', id];
}

function keyOf(id: string, n: number): string {
  return `${id}.${String(n)}`;
}
