import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Answer, type Command, secondKeyPath, tools } from '../../../src/command/index.ts';
import { baseEnvironment } from '../../../src/host/setting.ts';
import { bootMachine, type Machine, type Suite } from '../rig/index.ts';
import { shellWords } from '../rig/ssh.ts';
import { pathOf } from './recordings.ts';
import { answersOf, commandOf, type Group, type Recording, type Situation, type Taken } from './situation.ts';
import { groups } from './situations/index.ts';
import { Stable } from './stable.ts';
import { taken } from './taken.ts';

/** Where they are made: a machine of the rig. */
export type Place = Pick<Machine, 'run' | 'putText'>;

/** How many recordings are new or other than before, and how many answers bofh took otherwise than the table says. */
export interface Recorded {
  readonly changed: number;
  readonly surprises: number;
}

/** Makes every recording of the groups whose name fits, on a fresh machine for each group. */
export async function record(options: {
  readonly suite: Suite;
  readonly only: RegExp;
  readonly say: (text: string) => void;
}): Promise<Recorded> {
  const { suite, only, say } = options;
  let [changed, surprises] = [0, 0];
  for (const group of groups.filter(({ name }) => only.test(name))) {
    const { disks, hypervisor = 'none' } = group;
    say(`${group.name} on ${suite}`);
    // One processor: for those without disks of their own it is the machine of the matrix, booted once for both.
    const of = { suite, hypervisor, cpus: 1 } as const;
    const machine = await bootMachine({ ...of, ...(disks === undefined ? {} : { disks }) });
    // Not `await using`, which the loader of the scripts cannot translate for Node 20.
    try {
      const found = await recordGroup(machine, { group, say });
      changed += found.changed;
      surprises += found.surprises;
    } finally {
      await machine.close();
    }
  }
  return { changed, surprises };
}

/** Makes the recordings of one group, on a host of its own. */
export async function recordGroup(
  place: Place,
  { group, say }: { readonly group: Group; readonly say: (text: string) => void },
): Promise<Recorded> {
  const stable = new Stable(group.pins);
  const versionOf = await installed(place);
  let [changed, surprises, learned] = [0, 0, false];
  for (const situation of group.situations) {
    const version = versionOf(situation);
    if (situation.given !== undefined) await place.run(`set -e\n${situation.given}`);
    // It costs more than the call itself: only where there may be something new.
    if (situation.given !== undefined || !learned) await learn(place, { group, stable });
    const one = await recordOne(place, { situation, stable, version });
    learned = !one.mayHaveChanged;
    if (one.changed) changed += 1;
    const wanted = answersOf(situation, version);
    if (one.took !== wanted) surprises += 1;
    const surprise = one.took === wanted ? '' : ` (${one.took}, not ${wanted})`;
    say(`${one.changed ? 'changed' : 'as before'}: ${situation.name}@${version}${surprise}`);
  }
  return { changed, surprises };
}

async function recordOne(
  place: Place,
  { situation, stable, version }: { situation: Situation; stable: Stable; version: string },
): Promise<{
  readonly changed: boolean;
  readonly took: Taken;
  readonly mayHaveChanged: boolean;
}> {
  const command = commandOf(situation, { id: (name) => stable.id(name), version });
  const answer = await ask(place, { command, situation });
  const kept = (text: string): string => stable.text(text, situation.name);
  const recording: Recording = {
    argv: [command.tool, ...command.argv].map(kept),
    exitCode: answer.exitCode,
    stdout: kept(answer.stdout),
    stderr: kept(answer.stderr),
  };
  return {
    changed: keep(situation.name, { version, recording }),
    took: taken(command, answer),
    mayHaveChanged: command.access !== 'read' && answer.exitCode === 0,
  };
}

/** Runs a command with the environment and the input that bofh's own host gives it. */
async function ask(
  place: Place,
  { command, situation }: { command: Command<unknown>; situation: Situation },
): Promise<Answer> {
  const environment = Object.entries(baseEnvironment).map(([name, value]) => `${name}=${value}`);
  const caller =
    situation.as === 'nobody' ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  const words = shellWords(['env', '-i', ...environment, ...caller, command.tool, ...command.argv]);
  const { secondKey } = situation;
  if (secondKey !== undefined) await place.putText('/run/second-key', secondKey);
  const line = secondKey === undefined ? words : `${words} ${secondKeyPath.slice(-1)}</run/second-key`;
  const stdin = situation.key ?? (typeof command.stdin === 'string' ? command.stdin : '');
  return await place.run(line, { check: 'return', stdin });
}

/** A random identity is read again before each call. */
async function learn(
  place: Place,
  { group, stable }: { readonly group: Group; readonly stable: Stable },
): Promise<void> {
  if (group.identities === undefined) return;
  const { stdout } = await place.run(group.identities);
  for (const line of stdout.trimEnd().split('\n')) {
    const groups = /^ *(?<name>\S+) +(?<id>\S+) *$/.exec(line)?.groups;
    if (groups?.name !== undefined && groups.id !== undefined) stable.learn(groups.name, groups.id);
  }
}

/** The version of the package that the tool of a situation is in, without Debian's part of it. */
async function installed(place: Place): Promise<(situation: Situation) => string> {
  const { stdout } = await place.run(['dpkg-query', '--show', '--showformat=${Package} ${Version}\n']);
  const versions = new Map(
    stdout.split('\n').map((line) => [line.split(' ')[0], upstream(line.split(' ')[1])]),
  );
  return ({ name }) => {
    const tool = Object.entries(tools).find(([tool]) => tool === name.split('/')[0]);
    const version = versions.get(tool?.[1].package);
    if (version === undefined) throw new Error(`${name}: its tool is not installed`);
    return version;
  };
}

/** Without Debian's part, and without that of a snapshot of its source: `4.17.7+13-g2445b30a44-0+deb12u1` is 4.17.7. */
function upstream(version: string | undefined): string | undefined {
  return version?.replace(/^\d+:|-[^-]*$/g, '').replace(/\+\d+-g[0-9a-f]+$/, '');
}

/** Writes a recording where it is another than before; answers whether it was. */
function keep(name: string, { version, recording }: { version: string; recording: Recording }): boolean {
  const path = pathOf(name, version);
  const text = `${JSON.stringify(recording, undefined, 2)}\n`;
  if (existsSync(path) && readFileSync(path, 'utf8') === text) return false;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return true;
}
