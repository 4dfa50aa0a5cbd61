import * as fc from 'fast-check';
import { fingerprint, layFault, until } from '../rig/index.ts';
import { clear, type Drawn, drawn, old, type Part, parts, setUp, toolOf, volumes } from './soak-draw.ts';
import { background, expectForeign, openStage, reset, run, type Stage } from './stage.ts';
import { injected } from './trials.ts';

type Figures = Readonly<Record<'fired' | 'outcomes' | 'steps', Map<string, number>>>;

interface Failure {
  readonly seed: number;
  readonly path: string;
  readonly found: readonly string[];
  readonly counterexample: Drawn;
}

interface Options {
  readonly trials: number;
  readonly seed: number;
  /** The first is a Xen host, the others run Linux alone, which is faster; no more than there are processors. */
  readonly machines: number;
  readonly say: (text: string) => void;
  readonly onFailure: (failure: Failure) => void;
}

/** So many random sequences on emulated hosts, back to back. Each has a seed of its own. */
export async function soakOnRig(
  options: Options,
): Promise<{ readonly figures: Figures; readonly seeds: number; readonly failures: readonly Failure[] }> {
  const figures: Figures = { fired: new Map(), outcomes: new Map(), steps: new Map() };
  const failures: Failure[] = [];
  const seeds = Array.from({ length: options.trials }, (_, n) => options.seed + n).values();
  const work = async (hypervisor: 'xen' | 'none'): Promise<void> => {
    const stage = await openStage(options.say, { hypervisor, cpus: options.machines > 1 ? 1 : 2 });
    try {
      // One iterator for all machines: each takes what comes next.
      for (const seed of seeds) {
        const failure = await oneTrial(stage, seed, figures, options);
        if (failure === undefined) continue;
        failures.push(failure);
        await reset(stage);
      }
    } finally {
      await stage.machine.close();
    }
  };
  const kinds = Array.from({ length: options.machines }, (_, n) =>
    n === 0 ? ('xen' as const) : ('none' as const),
  );
  await Promise.all(kinds.map(work));
  return { figures, seeds: options.trials, failures };
}

async function oneTrial(
  stage: Stage,
  seed: number,
  figures: Figures,
  options: Options,
): Promise<Failure | undefined> {
  const [one] = fc.sample(drawn, { seed, numRuns: 1 });
  if (one === undefined) throw new Error('nothing was drawn');
  const begun = performance.now();
  const found = await rigTrial(stage, one, figures).catch((error: unknown) => [String(error)]);
  count(figures.outcomes, 'trials');
  const seconds = Math.round((performance.now() - begun) / 1000);
  options.say(`${seed - options.seed + 1} of ${options.trials}: ${inWords(one)} (${seconds} s)`);
  if (found.length === 0) return undefined;
  count(figures.outcomes, 'neither');
  const failure = { seed, path: '', found, counterexample: one };
  options.onFailure(failure);
  return failure;
}

const script = '/root/soak.ts';

async function rigTrial(stage: Stage, one: Drawn, figures: Figures): Promise<readonly string[]> {
  const { machine } = stage;
  const all = one.of
    .map(({ part, volume }) => (parts[part] ?? parts.volume)?.(volume))
    .filter((each) => each !== undefined);
  const end = one.ends === 'badly' ? "throw new Error('the script failed');" : '';
  const body = [...all.map(({ call }) => call), end].join('\n  ');
  await machine.putText(
    script,
    `import { atomic } from 'bofh';\nawait atomic('soak', async (tx) => {\n  ${body}\n});\n`,
  );
  await machine.run(setUp);
  for (const { part } of one.of) count(figures.steps, part);
  const before = await fingerprint(machine);
  const said = await disturbed(stage, one, figures);
  const stranger = one.stranger && said.exitCode === 137 ? await intrude(stage, figures) : undefined;
  let wasStuck = said.exitCode === 3;
  const recovered = await machine.run('bofh recover --yes 2>&1', { check: 'return', timeoutMs: 240_000 });
  const found: string[] = [];
  if (recovered.exitCode !== 0 && stranger === undefined)
    found.push(`recovery ended by ${recovered.exitCode}:\n${recovered.stdout}`);
  if (stranger !== undefined) {
    found.push(...(await stranger.harm()));
    await stranger.leave();
    if (recovered.exitCode !== 0) {
      wasStuck = true;
      await run(stage, 'bofh recover --yes', 0);
    }
  }
  const { ended, why } = await judge(stage, { all, before, said: said.output });
  if (ended === 'neither') found.push(why);
  if (said.exitCode === 0 && ended === 'before') found.push('it reported success, and nothing is done');
  if (ended !== 'neither') count(figures.outcomes, wasStuck ? `stuck, then ${ended}` : ended);
  await expectForeign(stage);
  await machine.run(clear, { check: 'return' });
  const left = stage.start.diff(await fingerprint(machine));
  if (left !== '' && found.length === 0) found.push(`taken away, it left:\n${left}`);
  return found;
}

/** Exactly as before, or every effect is there and nothing else has changed. */
async function judge(
  stage: Stage,
  {
    all,
    before,
    said,
  }: {
    readonly all: readonly Part[];
    readonly before: Awaited<ReturnType<typeof fingerprint>>;
    readonly said: string;
  },
): Promise<{ readonly ended: 'before' | 'after' | 'neither'; readonly why: string }> {
  const difference = before.diff(await fingerprint(stage.machine));
  if (difference === '') return { ended: 'before', why: '' };
  const done = await stage.machine.run(all.map((each) => `{ ${each.done}; } >/dev/null 2>&1`).join(' && '), {
    check: 'return',
  });
  // Of the group itself only the room in it, and of a removed volume its name.
  const others = difference
    .split('\n')
    .filter(
      (line) =>
        !line.startsWith('== ') &&
        !/web[123]-|web3\.note|\/dev\/vdb\|/.test(line) &&
        !/^[-+] vg0\|/.test(line) &&
        !/dm-\d+|253:/.test(line),
    );
  if (done.exitCode === 0 && others.length === 0) return { ended: 'after', why: '' };
  return { ended: 'neither', why: `neither before nor after:\n${difference}\nit said:\n${said}` };
}

async function disturbed(
  stage: Stage,
  one: Drawn,
  figures: Figures,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const { machine } = stage;
  const { trouble } = one;
  const command = `bofh run ${script}`;
  const ran = async (line: string) => {
    const { exitCode, stdout } = await machine.run(`${line} 2>&1`, { check: 'return', timeoutMs: 240_000 });
    return { exitCode, output: stdout };
  };
  if (trouble.what === 'nothing') return ran(command);
  if (trouble.what === 'SIGKILL at a line') {
    const said = await ran(injected(command, `signal=SIGKILL:when=${trouble.line}`));
    if (said.exitCode === 137) count(figures.fired, trouble.what);
    return said;
  }
  const tool = toolOf(one);
  if (trouble.what === 'a tool') {
    const fault = await layFault(machine, {
      tool,
      mode: trouble.mode,
      nth: trouble.nth,
      times: 1,
      words: change[tool] ?? [],
    });
    try {
      const said = await ran(command);
      if ((await fault.hits()) >= trouble.nth) count(figures.fired, `${tool}: ${trouble.mode}`);
      return said;
    } finally {
      await fault.remove();
    }
  }
  const fault = await layFault(machine, { tool, mode: trouble.mode, times: 1, words: change[tool] ?? [] });
  try {
    const victim = await background(stage, command);
    const state = { isOver: false };
    void victim.ended.finally(() => (state.isOver = true));
    await until({
      what: `${tool} is at work, or all is over`,
      timeoutMs: 240_000,
      everyMs: 300,
      probe: async () => (state.isOver || (await fault.hits()) >= 1 ? true : undefined),
    });
    if (state.isOver) return await victim.ended;
    count(figures.fired, `${trouble.what} (${tool})`);
    await machine.run(`kill -9 ${victim.pid}`);
    await victim.ended;
    return { exitCode: 137, output: 'killed' };
  } finally {
    await fault.release();
    await fault.remove();
  }
}

/** Words that only a change of the tool has, not a question. */
const change: Readonly<Record<string, readonly string[]>> = { mount: ['--target'], tar: ['--extract'] };

/** Another process creates a volume, or a file, with a free name. */
async function intrude({ machine }: Stage, figures: Figures) {
  const free = await machine.run(
    `for lv in ${volumes.join(' ')} ${old}; do lvs vg0/$lv >/dev/null 2>&1 || { echo $lv; break; }; done`,
  );
  const name = free.stdout.trim();
  if (name === '') return undefined;
  count(figures.fired, 'a stranger takes the name of a volume between kill and recovery');
  await machine.run(
    `lvcreate --quiet -y -W y -L 8M -n ${name} vg0 && echo stranger | dd of=/dev/vg0/${name} conv=fsync status=none`,
  );
  const uuid = (await machine.run(`lvs --noheadings -o lv_uuid vg0/${name}`)).stdout.trim();
  return {
    harm: async (): Promise<readonly string[]> => {
      const { stdout } = await machine.run(
        `lvs --noheadings -o lv_uuid vg0/${name}; head -c 8 /dev/vg0/${name}`,
        { check: 'return' },
      );
      return stdout.trim().replace(/\s+/g, ' ') === `${uuid} stranger`
        ? []
        : [`the volume ${name} of a stranger was changed: ${stdout}`];
    },
    leave: async (): Promise<void> => {
      await machine.run(`lvremove -q -y vg0/${name}`);
    },
  };
}

function inWords(one: Drawn): string {
  const { of, ends, trouble } = one;
  const { what, ...more } = 'pick' in trouble ? { ...trouble, pick: toolOf(one) } : trouble;
  return `${of.map(({ part, volume }) => `${part} ${volume}`).join(', ')}, ends ${ends}; ${what} ${Object.values(more).join(' ')}`.trim();
}

function count(of: Map<string, number>, what: string): void {
  of.set(what, (of.get(what) ?? 0) + 1);
}
