import { withBofh } from '../../../src/bofh.ts';
import { type Bofh } from '../../../src/connect.ts';
import { plan } from '../../../src/cli/output/answers/index.ts';
import { planOf } from '../../../src/cli/plan/plan.ts';
import { program } from '../../../src/cli/runtime/program.ts';
import { commandLine } from '../../../src/command/index.ts';
import { loadScript } from '../../../src/script/load.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';
import { withoutWaiting } from '../../../src/simulator/matrix/clock.ts';
import { tryRemedies } from '../../support/remedies/carry-out.ts';
import { allVerbs } from '../../support/verbs.ts';
import { checking } from '../cli/support/answers.ts';
import { testRuntime } from '../cli/support/runtime.ts';
import { site } from '../simulator/support.ts';

/** The verbs of the command line that change the host, by its own word. */
export async function changingVerbs(): Promise<readonly string[]> {
  return (await allVerbs()).flatMap(({ verb, changes }) => (changes ? [verb] : []));
}

/** `bofh ARGS…` on a simulated host, through the command line itself. */
export async function typed(
  host: SimulatedHost,
  args: readonly string[],
  answers: readonly (string | (() => string))[] = [],
) {
  let exitCode = -1;
  let said = { stdout: (): string => '', stderr: (): string => '' };
  const root = await program(args, async (invocation) => {
    const { runtime, ...outputs } = testRuntime(seen(host), invocation.options, answers);
    said = outputs;
    exitCode = await invocation.action(checking({ ...runtime, verb: invocation.verb }, args));
  });
  try {
    await withoutWaiting(async () => root.parseAsync([...args], { from: 'user' }));
  } catch (error) {
    await tryRemedies({ host, words: args, error }, typed);
    throw error;
  }
  return { exitCode, stdout: said.stdout(), stderr: said.stderr() };
}

/** The model has no /proc/devices: it looks there on the host that it stands over. */
function seen(host: SimulatedHost): Bofh {
  const devices = new TextEncoder().encode('Block devices:\n253 device-mapper\n');
  const bofh = simulatedBofh({ host, site });
  return {
    ...bofh,
    host: { ...host, readFile: async (path) => (path === '/proc/devices' ? devices : host.readFile(path)) },
  };
}

/** The changes that a dry run tells, in order. */
export async function plannedLines(host: SimulatedHost, args: readonly string[]): Promise<readonly string[]> {
  const [first] = args;
  const steps = first === 'run' ? await plannedScript(host, args) : await plannedVerb(host, args);
  return steps.flatMap(({ changes }) => changes.map(({ line }) => unnamed(line)));
}

async function plannedVerb(host: SimulatedHost, args: readonly string[]) {
  return plan.parse(JSON.parse((await typed(host, ['--json', '--dry-run', ...args])).stdout)).steps;
}

/** A script is planned in a child with the real host: here, on the simulated one, by what that child does. */
async function plannedScript(host: SimulatedHost, [, script = '']: readonly string[]) {
  const bofh = seen(host);
  const { steps } = await planOf(bofh, [], (simulated) => withBofh(simulated, () => load(script)));
  return steps;
}

/** The changes that the run makes, in order. */
export async function madeLines(host: SimulatedHost, args: readonly string[]): Promise<readonly string[]> {
  const begun = host.changes.length;
  const [first, script = ''] = args;
  if (first === 'run') await withBofh(seen(host), () => load(script));
  else await typed(host, ['--json', '--yes', ...args]);
  return host.changes.slice(begun).map((change) => unnamed(lineOf(change)));
}

const load = (script: string) => loadScript(script, { cache: 'unused', warn: () => undefined });

/** A change as a plan writes it. */
export function lineOf(change: SimulatedHost['changes'][number]): string {
  if (change.what === 'command') return commandLine(change.command);
  if (change.what === 'pipeline') return change.commands.map(commandLine).join(' | ');
  const { verb, path, from = '', mode = 0, content } = change;
  const of = (tool: string, ...argv: readonly string[]): string => commandLine({ tool, argv });
  const octal = mode.toString(8);
  switch (verb) {
    case 'create':
      return `cat > ${of(path)}  # ${String(content?.length)} bytes, mode ${octal}`;
    case 'link':
      return of('ln', '-T', from, path);
    case 'rename':
      return of('mv', '-T', from, path);
    case 'remove':
      return of('rm', path);
    case 'mkdir':
      return of('mkdir', `--mode=${octal}`, path);
    case 'rmdir':
      return of('rmdir', path);
    case 'sync':
      return of('sync', path);
  }
}

/**
 * The line without random ids, times and `mkdir -p`, and without the size of a manifest: it contains
 * the sizes of files that a plan does not write.
 */
export function unnamed(line: string): string {
  return (
    line
      .replaceAll(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, 'UUID')
      .replaceAll(/\b[0-9a-zA-Z]{6}(?:-[0-9a-zA-Z]{4}){5}-[0-9a-zA-Z]{6}\b/g, 'LVM-UUID')
      .replaceAll(/\b\d{8}T\d{6}Z\b/g, 'TIME')
      .replaceAll(/\b[0-9a-f]{16}\b/g, 'ID')
      .replaceAll(/[0-9a-f]{12}/g, 'ID')
      // It has the inode number and the time of a directory, which only the run knows.
      .replaceAll(/(?<=bofh-note-bofh\.ID\.\d+ {2}# )\d+/g, 'N')
      .replaceAll(/^mkdir -p /g, 'mkdir ')
      .replaceAll(/^(cat > \/srv\/backup\/.*# )\d+ bytes/g, '$1SIZE bytes')
  );
}
