import { available, bootMachine, buildImage, type Hypervisor, type Init, type Suite } from './index.ts';

const usage =
  'usage: cli.ts build|shell|run [--suite bookworm|trixie] [--no-xen] [--systemd] [--cold] [COMMAND…]';

/** The rig by hand: builds the image, gives a shell in a fresh machine, or runs a command there and answers its status. */
export async function rigCli(args: readonly string[]): Promise<number> {
  const [verb, ...rest] = args;
  const { suite, init, hypervisor, snapshot, words } = parse(rest);
  const can = await available();
  if (!can.ok) throw new Error(can.reason);
  const progress = (text: string): void => void process.stderr.write(`rig: ${text}\n`);
  if (verb === 'build') {
    process.stdout.write(`${(await buildImage({ suite, init, progress })).dir}\n`);
    return 0;
  }
  if (verb !== 'shell' && verb !== 'run') throw new Error(usage);
  const machine = await bootMachine({ suite, init, hypervisor, snapshot, progress });
  try {
    if (verb === 'shell') return await machine.interactive();
    const { exitCode, stdout, stderr } = await machine.run(words.join(' '), { check: 'return' });
    process.stdout.write(stdout);
    process.stderr.write(stderr);
    return exitCode;
  } finally {
    await machine.close();
  }
}

type Parsed = {
  readonly suite: Suite;
  readonly init: Init;
  readonly hypervisor: Hypervisor;
  readonly snapshot: 'ready' | 'none';
  readonly words: readonly string[];
};

function parse(args: readonly string[]): Parsed {
  let parsed: Parsed = { suite: 'bookworm', init: 'rig', hypervisor: 'xen', snapshot: 'ready', words: [] };
  for (let at = 0; at < args.length; at++) {
    const word = args[at];
    if (word === '--no-xen') parsed = { ...parsed, hypervisor: 'none' };
    else if (word === '--systemd') parsed = { ...parsed, init: 'systemd' };
    else if (word === '--cold') parsed = { ...parsed, snapshot: 'none' };
    else if (word === '--suite') {
      const suite = args[++at];
      if (suite !== 'bookworm' && suite !== 'trixie') throw new Error(usage);
      parsed = { ...parsed, suite };
    } else return { ...parsed, words: args.slice(at) };
  }
  return parsed;
}

// Started as a program, not imported.
if (
  process.argv[1]?.endsWith('/test/support/rig/cli.ts') === true ||
  process.argv[2]?.endsWith('/test/support/rig/cli.ts') === true
) {
  const own = process.argv.findIndex((word) => word.endsWith('/test/support/rig/cli.ts'));
  rigCli(process.argv.slice(own + 1)).then(
    (status) => (process.exitCode = status),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
      process.exitCode = 1;
    },
  );
}
