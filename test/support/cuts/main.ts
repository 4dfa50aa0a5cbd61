import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installBofh } from '../dom0/install.ts';
import { fingerprintOf, type Machine } from '../rig/index.ts';
import { drawOf } from './draw.ts';
import {
  bootFrom,
  bootOf,
  certain,
  type CutHost,
  type Facts,
  folderOf,
  openHost,
  record,
  stateOf,
} from './host.ts';
import { drawCut } from './model.ts';
import { type CutOutcome, inWords, readOutcomes } from './outcomes.ts';
import { readRecording, rebuild, type Recording } from './recording.ts';
import { type CutSequence, sequences } from './sequences.ts';

interface Options {
  readonly dir: string;
  readonly trials: number;
  readonly seed: number;
  /** Of each sequence only this cut. */
  readonly path?: number;
  readonly only?: string;
  /** Recover with the bofh of now, as after an upgrade; otherwise with the one that was recorded. */
  readonly now?: boolean;
  readonly say: (text: string) => void;
}

interface Prepared {
  readonly sequence: CutSequence;
  readonly recording: Recording<Facts>;
  readonly before: string;
  readonly after: string;
}

/** Cuts the power in recordings of all sequences in turn. Each outcome is written down at once. */
export async function runCuts(options: Options): Promise<readonly CutOutcome[]> {
  const { dir, trials, seed, path, say } = options;
  const host = await openHost(dir, say);
  const mine = sequences.filter(({ name }) => new RegExp(options.only ?? '').test(name));
  const prepared: Prepared[] = [];
  const outcomes: CutOutcome[] = [];
  for (const sequence of mine) await recordAtLast(host, sequence, say);
  const known = readOutcomes(dir);
  const turns = inTurn(mine, trials);
  for (const { sequence, turn } of path === undefined
    ? turns
    : mine.map((sequence) => ({ sequence, turn: path }))) {
    let one = prepared.find((each) => each.sequence === sequence);
    if (one === undefined) prepared.push((one = await prepare(host, sequence, say)));
    const { date: recorded } = one.recording.facts;
    const isThis = (each: CutOutcome): boolean =>
      each.sequence === sequence.name &&
      each.seed === seed &&
      each.path === turn &&
      each.recorded === recorded;
    if (path === undefined && known.some(isThis)) continue;
    const outcome = await oneCut(host, one, { seed, path: turn, now: options.now === true });
    outcomes.push(outcome);
    appendFileSync(join(dir, 'outcomes.jsonl'), `${JSON.stringify(outcome)}\n`);
    say(inWords(outcome));
  }
  return outcomes;
}

/** On a busy machine Xen's hotplug script may run out of its ten seconds, and the command is rolled back: that is no recording. */
async function recordAtLast(
  host: CutHost,
  sequence: CutSequence,
  say: (text: string) => void,
): Promise<void> {
  const tries = 3;
  for (let n = 1; n < tries; n += 1)
    try {
      await record(host, sequence, say);
      return;
    } catch (error) {
      say(`${sequence.name} could not be recorded: ${String(error)}`);
    }
  await record(host, sequence, say);
}

/** Which cut of which sequence comes when. */
function inTurn(
  all: readonly CutSequence[],
  trials: number,
): readonly { readonly sequence: CutSequence; readonly turn: number }[] {
  const turns = Array.from({ length: trials * 8 }, (_, n) => n).flatMap((n) =>
    all
      .filter(({ every }) => n % every === every - 1)
      .map((sequence) => ({ sequence, turn: Math.floor(n / sequence.every) })),
  );
  return turns.slice(0, trials);
}

/** What a plain reboot leaves of the host before the command, and after it. */
async function prepare(host: CutHost, sequence: CutSequence, say: (text: string) => void): Promise<Prepared> {
  const folder = folderOf(host, sequence);
  const recording = readRecording<Facts>(folder);
  if (recording === undefined) throw new Error(`${sequence.name} was not recorded`);
  const { begun, ended, boot } = recording.facts;
  const states: string[] = [];
  for (const [name, at] of [
    ['before', begun],
    ['after', ended],
  ] as const) {
    const file = join(folder, name);
    if (!existsSync(file)) {
      say(`${sequence.name}: the host ${name} it`);
      const { media } = rebuild(recording, host.media, { cut: { at, kept: 1, torn: 0 }, ...certain });
      const { machine, close } = await bootFrom(host, sequence, media);
      try {
        if ((await bootOf(machine)) === boot) throw new Error('this boot has the id of the recorded one');
        if (sequence.atBoot !== undefined) await machine.run(sequence.atBoot);
        await machine.run('bofh recover --yes', { timeoutMs: 240_000 });
        writeFileSync(file, await stateOf(machine, sequence));
      } finally {
        await close();
      }
    }
    states.push(readFileSync(file, 'utf8'));
  }
  const [before = '', after = ''] = states;
  if (before === after) throw new Error(`${sequence.name} changes nothing that is compared`);
  return { sequence, recording, before, after };
}

async function oneCut(
  host: CutHost,
  { sequence, recording, before, after }: Prepared,
  { seed, path, now }: { readonly seed: number; readonly path: number; readonly now: boolean },
): Promise<CutOutcome> {
  const started = performance.now();
  const since = (): number => Math.round((performance.now() - started) / 100) / 10;
  const draw = drawOf(seed, sequence.name, path);
  const { begun, ended: last, reported, date: recorded } = recording.facts;
  const cut = drawCut(recording.requests, { from: begun, to: last }, draw);
  const recovery = draw() < 0.5 ? 'bofh recover --boot' : 'bofh recover --yes';
  const { media, figures } = rebuild(recording, host.media, { cut, draw, whole: host.whole });
  let bootSeconds = 0;
  const outcome = (
    ended: CutOutcome['ended'],
    more: Pick<CutOutcome, 'why' | 'stuck' | 'repaired'> = {},
  ): CutOutcome => ({
    ...{
      sequence: sequence.name,
      seed,
      path,
      cut,
      figures,
      recovery,
      reported: cut.at >= reported,
      ended,
      ...more,
    },
    ...{ seconds: since(), bootSeconds, date: new Date().toISOString().slice(0, 10), recorded },
  });
  let stuck: Pick<CutOutcome, 'stuck' | 'repaired'> = {};
  try {
    const { machine, close } = await bootFrom(host, sequence, media);
    try {
      bootSeconds = since();
      if (now) await installBofh(machine);
      if (await hasNoGroup(machine)) stuck = { repaired: await repairGroup(machine, recovery) };
      if (sequence.atBoot !== undefined) await machine.run(sequence.atBoot);
      const said = await recover(machine, recovery);
      if (said !== undefined) stuck = { ...stuck, stuck: said };
      if (said !== undefined && sequence.atBoot !== undefined) await machine.run(sequence.atBoot);
      const state = fingerprintOf(await stateOf(machine, sequence));
      if (state.text === after) return outcome('as after', stuck);
      if (state.text === before && cut.at >= reported)
        return outcome('neither', { ...stuck, why: 'it had reported success, and nothing is done' });
      if (state.text === before) return outcome('as before', stuck);
      const [toBefore, toAfter] = [before, after].map((text) => fingerprintOf(text).diff(state));
      return outcome('neither', { ...stuck, why: `from before:\n${toBefore}\nfrom after:\n${toAfter}` });
    } finally {
      await close();
    }
  } catch (error) {
    return outcome('neither', { ...stuck, why: error instanceof Error ? error.message : String(error) });
  }
}

/**
 * lvm writes the text of new metadata and the header that names it without a flush in between. A disk may hold the header alone, and then
 * the whole group cannot be read, whoever's volumes are in it.
 */
async function hasNoGroup(machine: Machine): Promise<boolean> {
  return (await machine.run('vgs vg0', { check: 'return' })).exitCode !== 0;
}

/** Recovery must refuse to conclude anything; then the newest whole copy of the metadata is written again, by the commands that it printed. */
async function repairGroup(machine: Machine, command: string): Promise<string> {
  const journals = async (): Promise<string> =>
    (await machine.run('ls /var/lib/bofh/journal/*.journal', { check: 'return' })).stdout;
  const before = await journals();
  const refused = await machine.run(`${command} 2>&1`, { check: 'return', timeoutMs: 400_000 });
  if (before !== '' && (refused.exitCode === 0 || (await journals()) !== before))
    throw new Error(`${command} without a volume group:\n${refused.stdout}`);
  const printed = /pvck .*; vgchange -aay vg0/.exec(refused.stdout)?.[0];
  if (printed !== undefined) {
    await machine.run(`yes | { ${printed}; } >/dev/null && udevadm settle`);
    return printed;
  }
  // What was recorded had a bofh that did not name them. lvm's backup may be all zeros, which its fsync does not prevent.
  const { stdout } = await machine.run(
    `try() { pvck --repair --yes --file "$1" /dev/vdb >/dev/null 2>&1 && vgs vg0 >/dev/null 2>&1; }
     if try /etc/lvm/backup/vg0; then echo /etc/lvm/backup/vg0; else
       for at in $(pvck --dump metadata_search /dev/vdb 2>/dev/null | sed -n 's/^ *metadata at \\([0-9]*\\) .* seqno \\([0-9]*\\) .*/\\2 \\1/p' | sort -rn | cut -d' ' -f2); do
         pvck --dump metadata_search --settings metadata_offset=$at --file /root/vg0.$at /dev/vdb >/dev/null 2>&1 && try /root/vg0.$at && echo /root/vg0.$at && break
       done
     fi && vgchange -aay vg0 >/dev/null && udevadm settle`,
  );
  return `pvck --repair --file ${stdout.trim()} /dev/vdb`;
}

/** Recovers; while a journal stays open, types what was printed. Gives what recovery said of such a journal. */
async function recover(machine: Machine, command: string): Promise<string | undefined> {
  const type = (what: string) => machine.run(`${what} 2>&1`, { check: 'return', timeoutMs: 400_000 });
  let [last, typed] = [command, await type(command)];
  const said: string[] = [];
  // The undo of a step may show what is in the way of the next one.
  for (let round = 0; typed.exitCode !== 0; round += 1) {
    said.push(typed.stdout);
    if (![3, 4].includes(typed.exitCode) || round === 3)
      throw new Error(`${said.join('\n')}\n${last} ended with ${typed.exitCode}`);
    for (const remedy of new Set(printedIn(typed.stdout))) {
      said.push(remedy);
      [last, typed] = [remedy, await type(remedy)];
      // e2fsck: errors were corrected.
      const isDone = typed.exitCode === 0 || (typed.exitCode === 1 && remedy.startsWith('e2fsck '));
      if (!isDone && !remedy.startsWith('bofh '))
        throw new Error(`${said.join('\n')}\n${typed.stdout}\n${remedy} ended with ${typed.exitCode}`);
    }
  }
  return said.length === 0 ? undefined : said.join('\n');
}

/** The commands that are printed with a journal that stays open: to free what is in use, to check what has errors, to name what may be lost, to cut off a damaged line. */
function printedIn(text: string): readonly string[] {
  const cut = /bofh recover --cut-last-line \w+/.exec(text)?.[0];
  if (cut !== undefined) return [cut, 'bofh recover --yes'];
  const free = [...text.matchAll(/^ +free: +(?<command>.+)$/gm)].map(({ groups }) => groups?.command ?? '');
  const help = [...text.matchAll(/^ +help: +(?<command>e2fsck [^;]+)/gm)].map(
    ({ groups }) => groups?.command ?? '',
  );
  const discard = /bofh recover \S+ --discard \S+/.exec(text)?.[0];
  return [...free, ...help, `${discard ?? 'bofh recover'} --yes`];
}
