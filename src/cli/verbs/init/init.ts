import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { atomic, currentBofh } from '../../../bofh.ts';
import { type Bofh } from '../../../connect.ts';
import { exposedOn, type ReadHost } from '../../../command/index.ts';
import { RefusedError, UsageError } from '../../../core/errors.ts';
import { sha256 } from '../../../file/index.ts';
import { readSite } from '../../../script/site.ts';
import { defaultSite, findSite, sitePaths, type SiteSettings, unsafeSite } from '../../../site.ts';
import { siteSettings } from '../../../site-settings.ts';
import type { Answer } from '../../output/answer.ts';
import type { Init } from '../../output/answers/index.ts';
import { printable, typed } from '../../output/text.ts';
import { change } from '../../runtime/change.ts';
import { notConfirmed } from '../../runtime/confirm.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { refuseOtherHost } from '../../runtime/session.ts';
import { value, verb } from '../../runtime/verb.ts';
import { type Proposal, proposals, sources } from './proposals.ts';
import { exampleHere, siteText, typesHere } from './site-text.ts';

/** Asks on a terminal. With `--yes`, and in a dry run, it uses its own proposals. */
export default verb({
  changes: true,
  answers: 'init',
  options: {
    file: value('<FILE>', `write this file, in TypeScript (default: ${sitePaths[0]})`, { read: scriptPath }),
  },
  examples: ['init', 'init --yes', 'init --file /root/site.ts --dry-run'],
  run: (runtime, { file }) => {
    refuseOtherHost(runtime, 'the site file');
    const { mode, consent, answer: format } = runtime.settings;
    const look = async ({ host }: Bofh) => {
      const place = await placeFor(host, file ?? runtime.settings.site);
      const { path } = place;
      const found = await proposals(host);
      const asks = mode === 'act' && consent === 'ask' && runtime.terminal.interactive;
      const settings = asks ? await choose(runtime, found) : await proposed(found);
      const known = await sources(host);
      const why = Object.fromEntries(found.map(({ settings: [name], why: reason }) => [name, reason]));
      const text = siteText({ types: typesHere, settings, why, sources: known });
      if (mode === 'plan' && format === 'text') runtime.terminal.answer(text);
      return {
        // A confirmation, although nothing is destroyed, because root runs this file.
        destroys: [`${path}:`, ...text.split('\n')],
        act: () => writeSite(runtime, place, text),
        answer: () => {
          if (runtime.settings.quiet)
            return answerOf({ file: path, settings: rowsOf(found, settings), sources: [...known] });
          const site = file === undefined ? [] : ['--site', path];
          runtime.terminal.line(`wrote ${printable(path)}`);
          if (known.length > 0) runtime.terminal.line(`for "bofh vm create --source": ${known.join(', ')}`);
          runtime.terminal.line(`next: ${printable(typed(['bofh', ...site, 'doctor', '--settings']))}`);
          return answerOf({ file: path, settings: rowsOf(found, settings), sources: [...known] });
        },
      };
    };
    return change(runtime, look);
  },
});

function scriptPath(text: string, name: string): string {
  if (text.endsWith('.ts')) return resolve(text);
  throw new UsageError(`${name} ${text}: must end in .ts`);
}

/** The place where the site file is written. */
interface Place {
  readonly path: string;
  /** SHA-256 of the file there, if it is the unchanged example of the package. */
  readonly shipped?: string;
}

/**
 * The place for the site file. Throws RefusedError if there is already one, UsageError if others could write
 * the new one.
 */
async function placeFor(host: ReadHost, named: string | undefined): Promise<Place> {
  const paths = named === undefined ? sitePaths : ([resolve(named)] as const);
  const found: Place[] = [];
  for (const path of paths)
    if ((await host.stat(path)) !== undefined) {
      const shipped = await shippedDigest(host, path);
      if (shipped !== undefined) found.push({ path, shipped });
      else
        throw new RefusedError(`there is a site file already: ${path}`, {
          code: 'exists',
          remedy: `${typed(['bofh', '--site', path, 'doctor', '--settings'])} shows what it sets; to begin again: ${typed(['mv', path, `${path}.old`])}`,
        });
    }
  const [place = { path: paths[0] }] = found;
  const exposed = await exposedOn(host, place.path, 'new');
  if (exposed !== undefined) throw unsafeSite(place.path, exposed);
  return place;
}

/** The SHA-256 of a file, if it is the example that comes with bofh. */
async function shippedDigest(host: ReadHost, path: string): Promise<string | undefined> {
  const example = await readFile(exampleHere).catch(() => undefined);
  const content = (await host.stat(path))?.kind === 'file' ? await host.readFile(path) : undefined;
  return example !== undefined && content !== undefined && example.equals(content)
    ? sha256(content)
    : undefined;
}

async function proposed(found: readonly Proposal[]): Promise<SiteSettings> {
  let settings: SiteSettings = {};
  for (const { value: usual, read } of found)
    if (usual !== undefined) settings = { ...settings, ...(await read(usual)) };
  return settings;
}

/** Asks for each value until it is valid. */
async function choose(runtime: Runtime, found: readonly Proposal[]): Promise<SiteSettings> {
  const { terminal, signals } = runtime;
  const about = new Map(siteSettings(defaultSite).map((each) => [each.name, each.description]));
  let chosen: SiteSettings = {};
  terminal.line('Enter takes the value in brackets; - leaves the setting out.');
  for (const { settings, why, value: usual = '-', read } of found) {
    const [setting] = settings;
    terminal.line(`\n${setting}: ${about.get(setting) ?? ''}`);
    terminal.line(printable(why));
    for (let answered = false; !answered; ) {
      const answer = await terminal.ask(`${setting} [${printable(usual)}]: `, signals.stop);
      if (answer === undefined) throw notConfirmed(runtime);
      const text = answer.trim() || usual;
      try {
        chosen = { ...chosen, ...(text === '-' ? {} : await read(text)) };
        answered = true;
      } catch (error) {
        if (!(error instanceof UsageError || error instanceof RefusedError)) throw error;
        terminal.line([error.message, error.remedy ?? ''].filter(Boolean).join(': '));
      }
    }
  }
  return chosen;
}

/** Writes the site file and loads it as every command does. If it cannot be used, the sequence is rolled back. */
function writeSite({ verb: name, log }: Runtime, { path, shipped }: Place, content: string): Promise<void> {
  return atomic(name, async (tx) => {
    const { host } = currentBofh();
    if ((await host.stat(dirname(path))) === undefined)
      await tx.file.createDirectory({ path: dirname(path) });
    await (shipped === undefined
      ? tx.file.create({ path, content, mode: 0o644 })
      : tx.file.change({ path, content, sha256: shipped }));
    await findSite(host, path, process.getuid?.() ?? 0);
    const source = new TextDecoder().decode(await host.readFile(path));
    await readSite(path, {
      source,
      cache: 'unused',
      warn: (message, facts) => log.warn(message, { ...facts }),
    });
  });
}

function rowsOf(found: readonly Proposal[], chosen: SiteSettings): Init['settings'] {
  return found.flatMap(({ settings, why }) =>
    settings.map((name) => ({ name, value: chosen[name] ?? null, why })),
  );
}

function answerOf(data: Init): Answer<Init> {
  return {
    data,
    head: ['SETTING', 'VALUE', 'ON THIS HOST'],
    rows: data.settings.map(({ name, value: set, why }) => [name, String(set ?? '-'), printable(why)]),
    none: '',
  };
}
