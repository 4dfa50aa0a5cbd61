import { Command, Option } from 'commander';
import { version } from '../version.ts';
import type { Runtime } from './runtime.ts';
import type { GlobalOptions } from './settings.ts';

/** A verb that was typed: what it takes from the options of every verb, and what it does. */
export interface Invocation {
  readonly verb: string;
  /** It may change the host, so signals unwind it. */
  readonly changes: boolean;
  readonly options: GlobalOptions;
  /** How many of the last words are a script's own arguments. */
  readonly scriptArgs: number;
  readonly action: (runtime: Runtime) => Promise<number>;
}

type Invoke = (invocation: Invocation) => Promise<void>;

/** A verb's own part: given its arguments and options it loads its code and runs. */
type Action = (runtime: Runtime, args: readonly string[], options: Options) => Promise<number>;
type Options = Readonly<Record<string, string | boolean | undefined>>;

const exitCodes = `
Exit codes: 0 done · 1 refused, or a program failed: nothing changed · 2 wrong input · 3 stuck: see "bofh journal list"
  4 journal unusable · 5 failed, all undone · 6 a table with failures, a problem that doctor found · 69 a program is
  missing · 70 an answer was not understood, or a bug · 74 done, but the answer could not be written · 130 interrupted,
  all undone. What a script had committed before it failed stays, and is named`;

/** The whole command line. Building it loads no driver: each verb loads its own code when it runs. */
export function program(invoke: Invoke): Command {
  const root = new Command('bofh')
    .description('Atomic, crash-safe administration of Linux storage and Xen guests')
    .version(version, '-V, --version', 'show the version')
    .addHelpText('after', exitCodes)
    .helpOption('-h, --help', 'show this help')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => undefined })
    .allowExcessArguments(false)
    .exitOverride()
    .enablePositionalOptions();
  addGlobals(root, 'shown');
  const verb = verbs(invoke);
  addXen(noun(root, 'xen', 'domains of this host'), verb);
  addVm(noun(root, 'vm', 'a guest as a whole: its disks, its configuration, its domain'), verb);
  addLvm(noun(root, 'lvm', 'logical volumes'), verb);
  addJournal(noun(root, 'journal', 'what bofh has done, and what is unfinished'), verb);
  addRecover(root, verb);
  addDoctor(root, verb);
  addBoot(noun(root, 'boot', 'the systemd units: recovery at boot, and start-all'), verb);
  addRun(root, verb);
  addGlobalsBelow(root);
  return root;
}

type Verb = (command: Command, kind: 'reads' | 'changes', action: Action) => void;

function verbs(invoke: Invoke): Verb {
  return (command, kind, action) =>
    command.action(async () => {
      await invoke({
        verb: nameOf(command),
        changes: kind === 'changes',
        options: command.optsWithGlobals(),
        scriptArgs: command.name() === 'run' ? Math.max(0, command.args.length - 1) : 0,
        action: (runtime) => action(runtime, command.args, command.opts()),
      });
    });
}

function noun(root: Command, name: string, description: string): Command {
  return root.command(name).description(description);
}

function addXen(xen: Command, verb: Verb): void {
  verb(
    xen.command('list').description('every configured guest and every domain, and its state'),
    'reads',
    async (runtime) => (await import('./xen.ts')).list(runtime),
  );
  verb(
    xen.command('start').description('start a configured guest').argument('<name>'),
    'changes',
    async (runtime, [name = '']) => (await import('./xen.ts')).start(runtime, name),
  );
  verb(
    xen.command('start-all').description('start every configured guest that is not running'),
    'changes',
    async (runtime) => (await import('./xen.ts')).startAll(runtime),
  );
}

function addVm(vm: Command, verb: Verb): void {
  const create = vm
    .command('create')
    .description('make a guest: all of it, or nothing')
    .argument('<name>')
    .requiredOption('--source <tar:FILE>', 'what its root filesystem is filled with')
    .requiredOption('--size <SIZE>', 'size of its root, for example 2g')
    .option('--swap <SIZE>', 'size of its swap; without it the guest has none')
    .option('--memory <SIZE>', 'its memory', '256m')
    .option('--vcpus <NUMBER>', 'its virtual processors', '1')
    .option('--vg <VG>', 'volume group of its disks (site file: volumeGroup)')
    .option('--bridge <BRIDGE>', 'bridge of its network interface (site file: bridge)')
    .option('--mac <MAC>', 'address of its network interface')
    .option('--kernel <FILE>', 'its kernel, with --ramdisk (site file: guestKernel)')
    .option('--ramdisk <FILE>', 'its ramdisk (site file: guestRamdisk)')
    .option('--start', 'start it');
  verb(create, 'changes', async (runtime, [name = ''], options) =>
    (await import('./vm.ts')).create(runtime, name, options),
  );
  const destroy = vm
    .command('destroy')
    .description('remove a guest: its domain, its configuration, its disks')
    .argument('<name>')
    .option('--stop', 'shut it down first if it runs')
    .addOption(new Option('--force-off', 'destroy its domain first if it runs').conflicts('stop'));
  verb(destroy, 'changes', async (runtime, [name = ''], options) =>
    (await import('./vm.ts')).destroy(runtime, name, options),
  );
}

function addLvm(lvm: Command, verb: Verb): void {
  verb(lvm.command('list').description('every logical volume'), 'reads', async (runtime) =>
    (await import('./lvm.ts')).list(runtime),
  );
  const rename = lvm
    .command('rename')
    .description('give a logical volume that nobody uses another name')
    .argument('<vg/name>')
    .argument('<to>');
  verb(rename, 'changes', async (runtime, [volume = '', to = '']) =>
    (await import('./lvm-rename.ts')).rename(runtime, volume, to),
  );
}

function addJournal(journal: Command, verb: Verb): void {
  verb(
    journal.command('list').description('unfinished sequences, and those that have ended'),
    'reads',
    async (runtime) => (await import('./journal.ts')).list(runtime),
  );
  verb(
    journal.command('show').description('what a sequence did, and what recovery would do').argument('<id>'),
    'reads',
    async (runtime, [id = '']) => (await import('./journal.ts')).show(runtime, id),
  );
  const prune = journal
    .command('prune')
    .description('remove the journals of sequences that ended long ago')
    .option('--keep <DAYS>', 'nothing that is older is kept (default: 400d, but always the newest hundred)')
    .option('--keep-count <NUMBER>', 'no more than so many are kept (default: 5000)');
  verb(prune, 'changes', async (runtime, _args, options) =>
    (await import('./prune.ts')).prune(runtime, options),
  );
}

function addDoctor(root: Command, verb: Verb): void {
  verb(
    root
      .command('doctor')
      .description(
        'what is left over or unfinished, and what this host lacks; exit 6 when there is a problem',
      ),
    'reads',
    async (runtime) => (await import('./doctor.ts')).doctor(runtime),
  );
}

function addRecover(root: Command, verb: Verb): void {
  const recover = root
    .command('recover')
    .description('bring unfinished sequences to their end: back, or forward once committed')
    .argument('[id]', 'only this one')
    .addOption(
      new Option('--abandon <ID>', 'close this journal without touching the host; with --because').conflicts(
        'cutLastLine',
      ),
    )
    .addOption(
      new Option(
        '--boot',
        'as the unit does at boot: only what an earlier boot has left; never asks, and leaves alone what is in use',
      ).conflicts(['abandon', 'cutLastLine']),
    )
    .option('--because <TEXT>', 'the reason, which is written into the journal')
    .option('--cut-last-line <ID>', 'show the damaged last line of this journal and cut it off');
  verb(recover, 'changes', async (runtime, [id], options) =>
    (await import('./recover.ts')).recover(runtime, id, options),
  );
}

function addBoot(boot: Command, verb: Verb): void {
  verb(
    boot.command('install').description('write the units for this bofh; systemctl enables them'),
    'changes',
    async (runtime) => (await import('./boot.ts')).install(runtime),
  );
  verb(
    boot.command('remove').description('remove the units; systemctl has disabled them'),
    'changes',
    async (runtime) => (await import('./boot.ts')).remove(runtime),
  );
  verb(
    boot.command('status').description('which units are there, and whether they are enabled'),
    'reads',
    async (runtime) => (await import('./boot.ts')).status(runtime),
  );
}

function addRun(root: Command, verb: Verb): void {
  const run = root
    .command('run')
    .description('run a script (.ts, .js, .mjs) that imports bofh; options of bofh stand before SCRIPT')
    .argument('<script>')
    .argument('[args...]', 'what the script finds in process.argv')
    .passThroughOptions();
  verb(run, 'changes', async (runtime, [script = '', ...args]) =>
    (await import('./run.ts')).run(runtime, script, args),
  );
}

/** The options of every verb; they are taken before and after noun and verb. */
function addGlobals(command: Command, help: 'shown' | 'hidden'): void {
  const options = [
    new Option('--json', 'one JSON value on stdout in place of tables'),
    new Option('--dry-run', 'show what would be done, and do nothing'),
    new Option('--yes', 'do not ask before something is destroyed'),
    new Option('--wait <TIME>', 'try this long for what another bofh is using, for example 60s'),
    new Option(
      '--site <FILE>',
      'the site file (default: BOFH_SITE, else /etc/bofh/site-specific.ts, .js or .json)',
    ),
    new Option('--state-dir <DIR>', 'where journals are (default: BOFH_STATE_DIR, else /var/lib/bofh)'),
    new Option('--log-level <LEVEL>', 'debug, info, warn (default), error or silent'),
  ];
  for (const option of options) command.addOption(help === 'hidden' ? option.hideHelp() : option);
}

/** So that `bofh xen list --json` says the same as `bofh --json xen list`. */
function addGlobalsBelow(command: Command): void {
  for (const inner of command.commands) {
    addGlobals(inner, 'hidden');
    addGlobalsBelow(inner);
  }
}

function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}
