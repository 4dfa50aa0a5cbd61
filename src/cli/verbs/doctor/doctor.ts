import { rootStateDir } from '../../../host/own-places.ts';
import { resolve } from 'node:path';
import { UsageError } from '../../../core/errors.ts';
import {
  examine,
  type Finding,
  finding,
  type KnownJournal,
  looking,
  reasonOf,
  reservations,
  siteFile,
} from '../../../doctor/index.ts';
import { readSite } from '../../../script/site.ts';
import { defaultSite, type Site } from '../../../site.ts';
import type { Bofh } from '../../../connect.ts';
import { give } from '../../output/answer.ts';
import type { Doctor } from '../../output/answers/index.ts';
import { type Look, paintWord } from '../../output/style.ts';
import { readAll, type ReadJournal } from '../../runtime/read-journals.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openSession, refuseOtherHost, siteGiven } from '../../runtime/session.ts';
import { flag, verb } from '../../runtime/verb.ts';
import { printable, wrapped } from '../../output/text.ts';
import { showSettings } from './settings.ts';
import { present } from '../../../core/present.ts';

/** With only warnings the exit code is 0. */
export default verb({
  changes: false,
  answers: ['doctor', 'doctor --settings'],
  table: true,
  options: { settings: flag('show the settings instead, with their values and where each was set') },
  examples: ['doctor', 'doctor --settings'],
  run: (runtime, { settings }) => (settings ? showSettings(runtime) : examineHost(runtime)),
});

async function examineHost(runtime: Runtime<Doctor>): Promise<number> {
  refuseOtherHost(runtime, 'the journals and what they have left');
  const { settings } = runtime;
  // Objects on the host belong to journals of root, also if another user runs the doctor.
  const ofRoot = settings.stateDirBy === 'named' ? settings : { ...settings, stateDir: rootStateDir };
  const { bofh } = await openSession(
    { ...runtime, settings: ofRoot },
    { site: 'unused', root: 'not-needed' },
  );
  const { root } = runtime;
  const { engine, host } = bofh;
  const { site, found: ofSite } = await siteOf(runtime, bofh);
  const { journals, found: ofJournals } = await journalsOf(bofh, root);
  const scene = { host, find: engine.find, store: engine.store, journals, root };
  const found = [
    ...ofJournals,
    ...(await reservedIn(bofh, root)),
    ...(await examine({ ...scene, configDirs: site.guestConfigDirs })),
    ...ofSite,
  ];
  give(runtime, { data: found.map(asData), lines: inWords(found, runtime.terminal.look) });
  return found.some(({ level }) => level === 'problem') ? 6 : 0;
}

function asData({ check, level, says, run }: Finding): Doctor[number] {
  return { check, level, says, run: [...run] };
}

const margin = ' '.repeat(9);

/** Prints problems last, because the end of a long output stays on the screen. */
function inWords(found: readonly Finding[], { paint, columns }: Look): readonly string[] {
  const order: readonly Finding['level'][] = ['ok', 'warning', 'problem'];
  const count = (level: Finding['level']): number => found.filter((each) => each.level === level).length;
  const lines = order.flatMap((level) =>
    found
      .filter((each) => each.level === level)
      .flatMap(({ check, says, run }) => [
        ...wrapped([`${check}: ${printable(says)}`], {
          first: '',
          next: '',
          columns: columns - margin.length,
        }).map(
          (line, at) =>
            `${at === 0 ? `${paintWord(paint, level)}${margin.slice(level.length)}` : margin}${line}`,
        ),
        ...run.map((command) => `${margin}run: ${printable(command)}`),
      ]),
  );
  const [problems, warnings] = [count('problem'), count('warning')];
  const end =
    problems === 0
      ? paint('good', 'nothing is wrong')
      : paint('bad', `${String(problems)} ${problems === 1 ? 'problem' : 'problems'}`);
  return [
    ...lines,
    '',
    `${end}; ${String(warnings)} ${warnings === 1 ? 'warning' : 'warnings'}, ${String(count('ok'))} ok`,
  ];
}

async function siteOf(
  runtime: Runtime,
  { host }: Bofh,
): Promise<{ readonly site: Site; readonly found: readonly Finding[] }> {
  const { settings, root } = runtime;
  const named = settings.site === undefined ? undefined : resolve(settings.site);
  let path: string | undefined;
  const found = await looking({ check: 'site file', what: 'the site file', root }, async () => {
    const at = await siteFile(host, named, process.getuid?.() ?? 0);
    path = at.path;
    return at.found;
  });
  if (path === undefined) return { site: defaultSite, found };
  try {
    // The doctor writes nothing, not even to the cache of transpiled scripts.
    const cache = root ? 'read-only' : 'unused';
    const load = readSite(path, { cache, warn: () => undefined });
    return { site: await siteGiven(runtime, path, load), found };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { site: defaultSite, found: [...found, finding('site file', 'problem', error.message)] };
  }
}

async function journalsOf(
  { engine }: Bofh,
  root: boolean,
): Promise<{ readonly journals: readonly KnownJournal[] | undefined; readonly found: readonly Finding[] }> {
  let journals: readonly KnownJournal[] | undefined;
  const found = await looking({ check: 'journal', what: 'the journals', root }, async () => {
    journals = (await readAll(engine)).map(known);
    return [];
  });
  return { journals, found };
}

async function reservedIn({ engine }: Bofh, root: boolean): Promise<readonly Finding[]> {
  const at = { check: 'reservation', what: 'what other hosts have reserved', root };
  return await looking(at, async () => reservations(engine.reserved?.seen() ?? [], Date.now()));
}

function known(journal: ReadJournal): KnownJournal {
  const { id } = journal;
  if (journal.is === 'unreadable') {
    const { message, lastLine } = journal.error;
    return { id, is: 'unreadable', because: message, lastLine };
  }
  const { state, lines } = journal.is === 'open' ? journal.open : journal;
  const because = reasonOf(lines);
  const owner = journal.is === 'open' ? journal.open.owner : 'dead';
  const is =
    state.closed ?? (state.awaiting !== undefined ? 'unconfirmed' : owner === 'dead' ? 'interrupted' : owner);
  return { id, is, state, ...present({ because }) };
}
