import { posix } from 'node:path';
import type { Engine } from '../atomic/engine.ts';
import { kindOf, manualRecoveryOf } from '../atomic/undo/report.ts';
import { type Step, endedWithBoot, exclusive, isLeft } from '../atomic/journal/state.ts';
import { hiddenFilesystems } from '../btrfs/index.ts';
import { withCurrentNames } from '../blockdevice/current-names.ts';
import type { ReadHost } from '../command/index.ts';
import { BofhError } from '../core/errors.ts';
import { type Finding, finding, looking } from './finding.ts';
import type { KnownJournal } from './journals.ts';
import {
  hiddenGroups,
  type TaggedObject,
  taggedFiles,
  taggedGroups,
  taggedOnRun,
  taggedSubvolumes,
  taggedVolumes,
} from './tagged-objects.ts';
import { present } from '../core/present.ts';

/** The parameters of the search for leftovers. */
export interface LeftoverSearch {
  readonly host: ReadHost;
  readonly find: Engine['find'];
  readonly journals: readonly KnownJournal[];
  /** Directories of guest configurations. */
  readonly configDirs: readonly string[];
  readonly root: boolean;
}

/**
 * Reports leftovers of sequences on the host, in two ways: each step that its journal does not show as undone
 * is checked by its operation; and the host is searched for all tags of bofh, independently of the journals.
 */
export async function leftovers(asked: LeftoverSearch): Promise<readonly Finding[]> {
  const { host, root } = asked;
  const known = await Promise.all(asked.journals.map((journal) => stillThere(asked, journal)));
  const fromJournals = new Set(known.flat().map(({ key }) => key));
  const search = (
    what: string,
    look: () => Promise<readonly TaggedObject[]>,
    more: () => Promise<readonly Finding[]> = () => Promise.resolve([]),
  ) =>
    looking({ check: 'leftover', what, root }, async () => [
      ...findingsOf(await look(), asked.journals, fromJournals),
      ...(await more()),
    ]);
  const found = [
    ...known.flat().map(({ said }) => said),
    ...(await search(
      'logical volumes',
      async () => [...(await taggedVolumes(host)), ...(await taggedGroups(host))],
      () => exportedGroups(host),
    )),
    ...(await search('private files', () => taggedFiles(host, directoriesOf(asked)))),
    ...(await search(
      'btrfs subvolumes',
      () => taggedSubvolumes(host),
      () => partlyMounted(host),
    )),
    ...(await search('private mounts', () => taggedOnRun(host))),
  ];
  if (found.some(({ level }) => level !== 'ok')) return found;
  return [finding('leftover', 'ok', 'no sequence has left anything behind'), ...found];
}

async function exportedGroups(host: ReadHost): Promise<readonly Finding[]> {
  return (await hiddenGroups(host)).map((name) =>
    finding('leftover', 'warning', `the volume group ${name} is exported: its content is unknown`, [
      ['vgimport', name],
    ]),
  );
}

async function partlyMounted(host: ReadHost): Promise<readonly Finding[]> {
  return (await hiddenFilesystems(host)).map((fs) =>
    finding(
      'leftover',
      'warning',
      `only a directory of the btrfs ${fs} is mounted: its subvolumes are unknown`,
      [['mount', '-o', 'subvolid=5', `UUID=${fs}`, '/mnt']],
    ),
  );
}

/**
 * Returns the directories of guest configs, and those in which a known sequence created or removed
 * a file.
 */
function directoriesOf({ journals, configDirs }: LeftoverSearch): readonly string[] {
  const files = journals
    .flatMap(({ state }) => state?.steps ?? [])
    .flatMap(({ intent }) => exclusive(intent.claims ?? {}))
    .flatMap((key) => /^file:(?<path>\/.+)$/s.exec(key)?.groups?.path ?? []);
  return [...configDirs, ...files.map((path) => posix.dirname(path))];
}

interface Report {
  readonly key: string;
  readonly said: Finding;
}

/**
 * Returns a finding for each step of an interrupted or abandoned sequence if its operation reports
 * that the effect of the step still exists, or cannot tell.
 */
async function stillThere(asked: LeftoverSearch, journal: KnownJournal): Promise<readonly Report[]> {
  const { state, is } = journal;
  if (state === undefined || (is !== 'interrupted' && is !== 'abandoned')) return [];
  const left = state.steps.filter((step) => isLeft(state, step) || step.reopened === true);
  const found = await Promise.all(left.map((step) => lookAt(asked, journal, step)));
  return found.flat();
}

async function lookAt(asked: LeftoverSearch, journal: KnownJournal, step: Step): Promise<readonly Report[]> {
  const { host, root } = asked;
  const { n, intent, done } = step;
  const key = keyOf(journal.id, n);
  const named = `step ${String(n)} ${kindOf(intent)} of ${sequence(journal)}`;
  const say = (level: Finding['level'], says: string, run: readonly (readonly string[])[] = []): Report[] => [
    { key, said: finding('leftover', level, says, run) },
  ];
  if (intent.kind === 'bare' || intent.host !== host.name)
    return say('warning', `unknown whether ${named} left anything`, [show(journal.id)]);
  try {
    const code = await asked.find(intent.kind, intent.version);
    if (code === undefined) return say('warning', `this bofh does not know ${named}`, [show(journal.id)]);
    // The effect ended with an earlier boot. If a similar object exists now, others created it.
    if (endedWithBoot(step, (await host.facts()).boot)) return [];
    const result = present({ result: done?.result });
    const { state: is } = await code.look({ undo: intent.undo, host, ...result });
    if (is !== 'ours') return [];
    return [{ key, said: await leftoverFinding(asked, journal, step) }];
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    if (!root) return say('warning', `only root can see what is left of ${named}`);
    // The administrator who abandoned the sequence may have removed the container of the object.
    const level = journal.is === 'abandoned' ? 'warning' : 'problem';
    return say(level, `what is left of ${named} could not be examined: ${error.message}`, [show(journal.id)]);
  }
}

async function leftoverFinding(
  asked: Pick<LeftoverSearch, 'find' | 'host'>,
  journal: KnownJournal,
  step: Step,
): Promise<Finding> {
  const { id, is, state, because } = journal;
  const undo = await withCurrentNames(asked.host, step.intent.undo);
  const now = { ...step, intent: { ...step.intent, undo } };
  const manualRecovery = await manualRecoveryOf(asked, { committed: state?.committed === true }, now);
  const objects = exclusive(step.intent.claims ?? {}).join(', ');
  const what = manualRecovery?.what ?? `${step.intent.kind} (${objects})`;
  const says = `${what}: left by ${sequence(journal)}`;
  if (is === 'interrupted') return finding('leftover', 'problem', says, [show(id), ['bofh', 'recover', id]]);
  const why = because === undefined ? '' : `: ${because}`;
  const run = manualRecovery === undefined ? [show(id)] : [...manualRecovery.look, ...manualRecovery.clear];
  return finding('leftover', 'warning', `${says}, which was abandoned${why}`, run);
}

/** Returns the findings about the tags on the host, by the state of their sequences. */
export function findingsOf(
  tagged: readonly TaggedObject[],
  journals: readonly KnownJournal[],
  fromJournals: ReadonlySet<string>,
): readonly Finding[] {
  const byId = new Map(journals.map((journal) => [journal.id, journal]));
  const fresh = tagged.filter(({ id, n }) => !fromJournals.has(keyOf(id, n)));
  const unknownTags = fresh.filter(({ id, kind }) => !byId.has(id) && kind === 'stays');
  const found = fresh.flatMap((each) => {
    const journal = byId.get(each.id);
    return journal === undefined ? unknown(each) : ofKnown(each, journal);
  });
  if (unknownTags.length === 0) return found;
  const names = unknownTags.map(({ what, id }) => `${what} of ${id}`).join('; ');
  const says = `tags of sequences whose journals are not (or no longer) on this host; this is not a problem: ${names}`;
  return [...found, finding('unknown tag', 'ok', says)];
}

function unknown({ id, kind, what, look }: TaggedObject): readonly Finding[] {
  if (kind === 'stays') return [];
  const says = `${what}: left by the sequence ${id}, whose journal is not (or no longer) on this host`;
  return [finding('unknown tag', 'warning', says, look)];
}

function ofKnown(tagged: TaggedObject, journal: KnownJournal): readonly Finding[] {
  const { what, kind, look, clear, id } = tagged;
  const { is, state } = journal;
  if (['running', 'orphan', 'unknown', 'unconfirmed'].includes(is)) return [];
  // After the commit the tag has no further meaning.
  if (kind === 'stays' && (is === 'committed' || state?.committed === true)) return [];
  const by = `${what}: left by ${sequence(journal)}`;
  if (is === 'interrupted' || is === 'unreadable')
    return [finding('leftover', 'problem', by, [...look, show(id)])];
  if (is === 'abandoned')
    return [finding('leftover', 'warning', `${by}, which was abandoned`, [...look, ...clear])];
  const end = is === 'committed' ? 'committed' : 'rolled back';
  return [finding('leftover', 'problem', `${by}, although the sequence is ${end}`, [...look, ...clear])];
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
