import { explain } from '../../../src/cli/errors/explain.ts';
import { asText } from '../../../src/cli/errors/explanation.ts';
import { openLog } from '../../../src/cli/runtime/log.ts';
import { program, type Invocation } from '../../../src/cli/runtime/program.ts';
import { plain, plainLook } from '../../../src/cli/output/style.ts';
import { reportProgress } from '../../../src/cli/output/progress.ts';
import { openSequences, type Runtime } from '../../../src/cli/runtime/runtime.ts';
import { settingsOf } from '../../../src/cli/runtime/settings.ts';
import type { Terminal } from '../../../src/cli/runtime/terminal.ts';
import type { Site } from '../../../src/site.ts';
import { simulatedBofh, type SimulatedHost } from '../../../src/simulator/index.ts';

/** A command that was typed. */
export interface Typed {
  /** Its exit code; undefined when its process was killed. */
  readonly ended: Promise<number | undefined>;
}

interface Line {
  readonly host: SimulatedHost;
  readonly site: Site;
  /** Words with single spaces between them. */
  readonly line: string;
  /** Where `bofh run` keeps transpiled scripts, in place of this machine's /var/cache/bofh. */
  readonly cacheDirectory: string;
  readonly write: (text: string) => void;
}

/** Runs a command line of bofh by its own code, but on a simulated host; it says no more once that process is killed. */
export function commandOn({ host, site, line, cacheDirectory, write }: Line): Typed {
  const [, ...words] = line.split(' ');
  const terminal = plainTerminal((text) => {
    if (host.process.alive) write(text);
  });
  return { ended: run({ host, site, words, cacheDirectory, terminal }) };
}

interface Run {
  readonly host: SimulatedHost;
  readonly site: Site;
  readonly words: readonly string[];
  readonly cacheDirectory: string;
  readonly terminal: Terminal;
}

/** As `main` does it, without its process. */
async function run({ host, site, words, cacheDirectory, terminal }: Run): Promise<number | undefined> {
  const simulated = simulatedBofh({ host, site });
  const { onProgress } = reportProgress(terminal);
  const bofh = { ...simulated, engine: { ...simulated.engine, onProgress } };
  const argv = [...process.argv];
  let exitCode = 0;
  let runtime: Runtime<unknown> | undefined;
  const commands = await program(words, async (invocation) => {
    runtime = { ...runtimeOf(invocation, words, terminal), bofh, cacheDirectory };
    exitCode = await invocation.action(runtime);
  });
  try {
    await commands.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!host.process.alive) return undefined;
    const explanation = explain(error, runtime ?? { root: true });
    terminal.line(asText(explanation));
    exitCode = explanation.exitCode;
  } finally {
    process.argv.splice(0, Number.POSITIVE_INFINITY, ...argv);
  }
  return exitCode;
}

function runtimeOf(
  { verb, options }: Invocation,
  words: readonly string[],
  terminal: Terminal,
): Runtime<unknown> {
  return {
    terminal,
    // The killed process of the power cut would still warn that it cannot log.
    log: openLog('silent', terminal),
    settings: settingsOf(options, {}),
    commandLine: ['bofh', ...words],
    recorded: ['bofh', ...words],
    verb,
    commands: (typed) => program(typed, () => Promise.resolve()),
    root: true,
    signals: { stop: new AbortController().signal, abandon: new AbortController().signal },
    sequences: openSequences(),
    script: undefined,
  };
}

/** Both streams as one, as on a screen, without anybody to answer. */
function plainTerminal(write: (text: string) => void): Terminal {
  return {
    interactive: false,
    live: false,
    look: plainLook,
    paint: plain,
    answer: write,
    line: (text) => write(`${text}\n`),
    draw: () => undefined,
    ask: async () => '',
    heard: () => true,
    flush: async () => undefined,
  };
}
