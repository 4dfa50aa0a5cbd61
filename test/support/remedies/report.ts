import { readFileSync } from 'node:fs';
import { commandsIn } from './commands.ts';
import { exceptions } from './exceptions.ts';
import { type RemedySite, remedySites } from './sites.ts';
import { unreached } from './unreached.ts';

interface Outcome {
  readonly line: string;
  readonly outcome: string;
  readonly why?: string;
  readonly again?: string;
  /** What it changed beside what it names. */
  readonly beyond?: readonly string[];
}

interface Told {
  readonly typed: string;
  readonly message: string;
  readonly remedy: string;
  readonly outcomes: readonly Outcome[];
}

/** What became of the commands, by kind. */
const kinds: readonly (readonly [string, (outcome: Outcome) => boolean])[] = [
  ['carried out; then the first command works', ({ again }) => again === 'works'],
  [
    'carried out; then the first command gives another answer',
    ({ again }) => again !== undefined && /^(?:other|exit (?!6$))/.test(again),
  ],
  [
    'carried out; it is done in place of the first command',
    ({ again }) => again === 'the same' || again === 'exit 6',
  ],
  [
    'carried out; the error came from a function, which was not called again',
    ({ again }) => again === 'not typed',
  ],
  ['carried out; it only shows something', ({ outcome }) => outcome === 'looked'],
  ['has a placeholder that the reader replaces', ({ outcome }) => outcome === 'open'],
  [
    'waits for what another host, a guest or the kernel does',
    (each) => each.outcome === 'waits' || each.again === 'waits',
  ],
  [
    'of a program, or with an option, that the simulated host does not know',
    ({ outcome }) => outcome === 'unmodelled',
  ],
  ['not tried: a program still ran on the host', ({ outcome }) => outcome === 'no copy'],
  ['fails for a reason of the test, below', ({ outcome }) => outcome === 'failed'],
];

/** Counts what a run of the tests wrote. `wrong`: remedies that do not help; `lines`: the tables, as Markdown. */
export function report(file: string): {
  readonly wrong: readonly string[];
  readonly lines: readonly string[];
} {
  const told = rows(file) as readonly Told[];
  const used = new Map<string, number>();
  const wrong = told.flatMap(({ typed, message, remedy, outcomes }) =>
    outcomes
      .filter(({ outcome }) => outcome === 'failed')
      .flatMap(({ line, why }) => {
        const [reason] =
          exceptions.find(([, pattern]) => pattern.test(`${remedy} => ${line}: ${why ?? ''}`)) ?? [];
        if (reason === undefined) return [`${typed}: ${message}\n  next: ${remedy}\n  ${line}: ${why ?? ''}`];
        used.set(reason, (used.get(reason) ?? 0) + 1);
        return [];
      }),
  );
  const all = told.flatMap(({ outcomes }) => outcomes);
  for (const { typed, message, remedy, outcomes } of told)
    for (const { line, beyond = [] } of outcomes)
      if (beyond.length > 0)
        wrong.push(
          `${typed}: ${message}\n  next: ${remedy}\n  ${line}: changes what it does not name: ${beyond.join('; ')}`,
        );
  const counted = kinds.map(([name, is]) => [name, all.filter(is).length] as const);
  const known = counted.reduce((sum, [, count]) => sum + count, 0);
  if (known !== all.length) wrong.push(`${String(all.length - known)} outcomes are of no kind`);
  const prose = told.filter(({ outcomes }) => outcomes.length === 0).length;
  const made = rows(`${file}.made`) as readonly { readonly at: readonly string[]; readonly remedy: string }[];
  const remedies = [...told, ...made].map((each) => each.remedy);
  const sites = remedySites().filter(({ says }) => says.length > 0);
  const missed = sites.filter(
    (site) =>
      !made.some(({ at }) => at.some((place) => isWithin(place, site))) &&
      !site.says.some((text) => remedies.some((remedy) => text.test(remedy))),
  );
  const whys = new Map<string, number>();
  for (const site of missed) {
    const why = whyMissed(site);
    if (why === undefined) wrong.push(`src/${site.at}:${String(site.from)}: no test makes this error`);
    else whys.set(why, (whys.get(why) ?? 0) + 1);
  }
  for (const [reason, most] of unreached)
    if ((whys.get(reason) ?? 0) > most)
      wrong.push(`more than ${String(most)} places that no test makes: ${reason}`);
  return {
    wrong,
    lines: [
      `${String(sites.length)} places in the code give an error its remedy; the tests of one run made an error at ${String(sites.length - missed.length)} of them.`,
      `On the simulated host these errors had ${String(told.length)} different remedies, ${String(prose)} of them without a command. The others name`,
      `${String(all.length)} commands, or lists of them:`,
      '',
      '| result | commands |',
      '| --- | --- |',
      ...counted.map(([name, count]) => `| ${name} | ${String(count)} |`),
      '',
      '| why a command fails in a test | commands |',
      '| --- | --- |',
      ...[...used].map(([reason, count]) => `| ${reason} | ${String(count)} |`),
      '',
      '| why no test makes the error | places |',
      '| --- | --- |',
      ...[...whys].map(([reason, count]) => `| ${reason} | ${String(count)} |`),
    ],
  };
}

/** Undefined: there is no reason for this place. */
function whyMissed({ at, says, text }: RemedySite): string | undefined {
  const texts = says.map(({ source }) => source.replaceAll('[^]*', 'x').replaceAll(/\\(.)/g, '$1'));
  if (texts.every((each) => commandsIn(each).length === 0)) return 'its remedy names no command to type';
  return unreached.find(([, , place]) => place.test(`${at}: ${text}`))?.[0];
}

function isWithin(place: string, site: RemedySite): boolean {
  const [file, line] = place.split(':');
  return file === `src/${site.at}` && Number(line) >= site.from && Number(line) <= site.to;
}

function rows(file: string): readonly unknown[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}
