import { Command, Option } from 'commander';
import { version } from '../version.ts';
import { addBlock } from './grammar/block.ts';
import { addBoot } from './grammar/boot.ts';
import { addCrypt } from './grammar/crypt.ts';
import { addBtrfs } from './grammar/btrfs.ts';
import { addDoctor } from './grammar/doctor.ts';
import { addDrbd } from './grammar/drbd.ts';
import { addFilesystem } from './grammar/filesystem.ts';
import { addJournal } from './grammar/journal.ts';
import { addLvm } from './grammar/lvm.ts';
import { addMount } from './grammar/mount.ts';
import { addNetwork } from './grammar/network.ts';
import { addRecover } from './grammar/recover.ts';
import { addRun } from './grammar/run.ts';
import type { Verb } from './grammar/verb.ts';
import { addVm } from './grammar/vm.ts';
import { addXen } from './grammar/xen.ts';
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
  addLvm(noun(root, 'lvm', 'logical volumes, the groups that they lie in, and physical volumes'), verb);
  addBlock(noun(root, 'block', 'block devices and what lies on them'), verb);
  addMount(noun(root, 'mount', 'what is mounted where, now and at every boot'), verb);
  addFilesystem(noun(root, 'filesystem', 'filesystems and swap areas, each by its device'), verb);
  addCrypt(noun(root, 'crypt', 'encrypted devices (LUKS)'), verb);
  addDrbd(noun(root, 'drbd', 'replicated devices (DRBD): their resources on this host'), verb);
  addNetwork(noun(root, 'network', 'interfaces and bridges of this host'), verb);
  addBtrfs(noun(root, 'btrfs', 'subvolumes and snapshots of a mounted btrfs'), verb);
  addJournal(noun(root, 'journal', 'what bofh has done, and what is unfinished'), verb);
  addRecover(root, verb);
  addDoctor(root, verb);
  addBoot(noun(root, 'boot', 'the systemd units: recovery at boot, and start-all'), verb);
  addRun(root, verb);
  addGlobalsBelow(root);
  return root;
}

function verbs(invoke: Invoke): Verb {
  return (command, kind, action) =>
    command.action(async () => {
      await invoke({
        verb: nameOf(command),
        changes: (typeof kind === 'function' ? kind(command.opts()) : kind) === 'changes',
        options: command.optsWithGlobals(),
        scriptArgs: command.name() === 'run' ? Math.max(0, command.args.length - 1) : 0,
        action: (runtime) => action(runtime, command.args, command.opts()),
      });
    });
}

function noun(root: Command, name: string, description: string): Command {
  return root.command(name).description(description);
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
    new Option(
      '--host <NAME>',
      'look at or change another host, over ssh: one of hosts in the site file, or any that ssh knows. Devices, files and directories that are named are those of that host; the journal is here',
    ),
    new Option('--state-dir <DIR>', 'where journals are (default: BOFH_STATE_DIR, else /var/lib/bofh)'),
    new Option('--log-level <LEVEL>', 'debug, info, warn (default), error or silent'),
  ];
  for (const option of options) command.addOption(help === 'hidden' ? option.hideHelp() : option);
}

/** So that `bofh xen list --json` says the same as `bofh --json xen list`; and an error says at which command it was. */
function addGlobalsBelow(command: Command): void {
  for (const inner of command.commands) {
    addGlobals(inner, 'hidden');
    const at = nameOf(inner);
    inner.exitOverride((error) => {
      throw Object.assign(error, { at });
    });
    addGlobalsBelow(inner);
  }
}

function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}
