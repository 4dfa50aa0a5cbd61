import { Command, Option } from 'commander';
import { atConsole } from '../../core/option.ts';
import { version } from '../../core/version.ts';
import { nouns } from '../verbs/index.ts';
import type { Runtime } from './runtime.ts';
import { globalsIn } from './help.ts';
import { addWords, type Noun, typedIn, type Verb, withChoices } from './verb.ts';
import { colors, type GlobalOptions } from './settings.ts';

/** A typed verb: the global options it uses, and its function. */
export interface Invocation {
  readonly verb: string;
  /** It may change the host, so a signal rolls it back. */
  readonly changes: boolean;
  /** The verb answers with a table. */
  readonly table: boolean;
  readonly options: GlobalOptions;
  /** Number of trailing words that no record may have: arguments of a script, or a command. */
  readonly unrecorded: number;
  readonly action: (runtime: Runtime<unknown>) => Promise<number>;
}

type Invoke = (invocation: Invocation) => Promise<void>;

const exitCodes = `
Exit codes:
  0    done
  1    refused by a check or by a program: nothing changed; or a script failed
  2    usage error
  3    stuck: something is left; see "bofh journal list" and "bofh journal show ID"
  4    a journal cannot be read or written, or another sequence uses an object of the command
  5    failed and rolled back
  6    done, but the answer reports a failure or a problem
  69   a program is missing
  70   output of a program could not be parsed, or a bug in bofh
  74   done, but the answer could not be written
  130  interrupted and rolled back
If a script fails, its earlier commits stay, and the error lists them.`;

/**
 * Returns the command line. Loads only the verbs that `words` can mean; the others have only a name and a
 * summary, which is enough for the help of a noun. `all`: loads every verb. Help and version are printed to
 * `output`.
 */
export async function program(
  words: readonly string[] | 'all',
  invoke: Invoke,
  output: { readonly writeOut?: (text: string) => void } = {},
): Promise<Command> {
  const root: Command = new Command('bofh')
    .description('Atomic, crash-safe administration of Linux storage and Xen guests')
    .version(version, '-V, --version', 'show the version')
    .addHelpText('after', exitCodes)
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('afterAll', ({ command }) => (command.parent === null ? '' : globalsIn(root)))
    .configureOutput({ outputError: () => undefined, ...output })
    .allowExcessArguments(false)
    .exitOverride((error) => {
      throw Object.assign(error, meantBy(root, error));
    })
    .enablePositionalOptions();
  addGlobals(root, 'shown');
  await addVerbs(root, nouns, { words, invoke });
  return root;
}

interface Building {
  readonly words: readonly string[] | 'all';
  readonly invoke: Invoke;
}

async function addVerbs(parent: Command, entries: Noun['verbs'], building: Building): Promise<void> {
  for (const [name, entry] of Object.entries(entries)) {
    const isVerb = 'length' in entry;
    const command = parent.command(name).description(isVerb ? entry[0] : entry.summary);
    const rest = after(building.words, name);
    // Only a typed command can get an option, so the hundreds of others need none.
    if (rest !== undefined) addGlobalsTo(command);
    if (!isVerb) await addVerbs(command, entry.verbs, { ...building, words: rest ?? [] });
    else if (rest !== undefined) bind(command, (await entry[1]()).default, building.invoke);
  }
}

/** The words after the first word that equals `name`; undefined if there is none. */
function after(words: readonly string[] | 'all', name: string): readonly string[] | 'all' | undefined {
  if (words === 'all') return words;
  const at = words.indexOf(name);
  return at < 0 ? undefined : words.slice(at + 1);
}

function bind(command: Command, verb: Verb, invoke: Invoke): void {
  addWords(command, verb);
  const { changes, table, run, unrecorded } = verb;
  command.action(async () => {
    await invoke({
      verb: nameOf(command),
      changes: typeof changes === 'boolean' ? changes : changes(typedIn(command, verb)),
      table,
      options: command.optsWithGlobals(),
      unrecorded: unrecorded ? Math.max(0, command.args.length - 1) : 0,
      action: (runtime) => atConsole(() => run(runtime, typedIn(command, verb))),
    });
  });
}

/** Adds the options of every verb, accepted before and after noun and verb. */
function addGlobals(command: Command, help: 'shown' | 'hidden'): void {
  const options = [
    new Option('--json', 'print one JSON value instead of tables'),
    new Option(
      '--format <COLUMNS>',
      'for scripts: print only these columns of a table, tab-separated and without a heading, for example volume,size',
    ),
    new Option('--dry-run', 'show the plan and change nothing'),
    new Option('--yes', 'do not ask for confirmation'),
    new Option(
      '--wait <DURATION>',
      'if another bofh uses the same objects, wait this long for it, for example 60s',
    ),
    new Option(
      '--site <FILE>',
      'site file (default: $BOFH_SITE or /etc/bofh/site-specific.ts, .js or .json)',
    ),
    new Option(
      '--host <NAME>',
      'work on another host over ssh: a name from the site file, or one that ssh knows. Devices and paths are those of that host; the journal stays here',
    ),
    new Option(
      '--state-dir <DIR>',
      'directory of the journals (default: $BOFH_STATE_DIR or /var/lib/bofh; for other users than root: ~/.local/state/bofh)',
    ),
    new Option('-q, --quiet', 'print nothing if a change succeeds: no progress, no answer; for cron'),
    withChoices(
      new Option(
        '--color <WHEN>',
        'auto, always or never (default: auto: colours on a terminal, unless $NO_COLOR is set)',
      ),
      colors,
    ),
    // If --pager comes first, commander gives --no-pager no default, which would hide a typed value.
    new Option('--pager').hideHelp(),
    new Option(
      '--no-pager',
      'print long answers without a pager (default: on a terminal through $BOFH_PAGER, $PAGER or less)',
    ),
    new Option('--log-level <LEVEL>', 'debug, info, warn, error or silent (default: warn)'),
    new Option('--log-file <FILE>', 'append each event of a sequence to this file, as a line of JSON'),
  ];
  for (const option of options) command.addOption(help === 'hidden' ? option.hideHelp() : option);
}

/** Makes `bofh xen list --json` the same as `bofh --json xen list`; an error names its command. */
function addGlobalsTo(command: Command): void {
  addGlobals(command, 'hidden');
  const at = nameOf(command);
  command.exitOverride((error) => {
    throw Object.assign(error, { at }, meantBy(command, error));
  });
}

/** Words of other tools, and the verbs of bofh for them. */
const usualWords: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(?:delete|del|rm|destroy|unmount|umount)$/, ['remove']],
  [/^(?:info|dump|get|inspect)$/, ['show', 'status']],
  [/^ls$/, ['list']],
  [/^(?:new|make|mk|mkfs|add|create)$/, ['create', 'add']],
  [/^(?:change|edit|modify)$/, ['set']],
  [/^(?:grow|extend|shrink|reduce)$/, ['resize']],
  [/^(?:mv|migrate)$/, ['rename', 'move']],
  [/^fsck$/, ['check']],
  [/^(?:shutdown|halt|poweroff)$/, ['stop']],
  [/^reboot$/, ['restart']],
  [/^suspend$/, ['pause']],
  [/^unpause$/, ['resume']],
  [/^fs$/, ['filesystem']],
  [/^(?:luks|cryptsetup)$/, ['crypt']],
  [/^(?:guests?|domus?|domains?)$/, ['vm']],
];

/** Programs that an administrator types without bofh, and the commands of bofh for their work. */
const programs: readonly (readonly [RegExp, string])[] = [
  [/^lv\w+$/, 'lvm'],
  [/^vg\w+$/, 'lvm vg'],
  [/^pv\w+$/, 'lvm pv'],
  [/^u(?:n)?mount$/, 'mount remove'],
  [/^findmnt$/, 'mount list'],
  [/^mk(?:e2)?fs(?:\.\w+)?$/, 'filesystem create'],
  [/^(?:resize2fs|xfs_growfs)$/, 'filesystem resize'],
  [/^fstrim$/, 'filesystem trim'],
  [/^lsblk$/, 'block tree'],
  [/^wipefs$/, 'block wipe'],
  [/^blkdiscard$/, 'block discard'],
  [/^losetup$/, 'block loop'],
  [/^(?:parted|[cs]?fdisk|sgdisk)$/, 'block partition'],
  [/^drbd(?:adm|setup)$/, 'drbd'],
  [/^xl$/, 'xen'],
];

/** The end of the name of a program of lvm, where the verb of bofh has another name. */
const ofLvm: Readonly<Record<string, string>> = {
  ...{ s: 'list', display: 'list', extend: 'resize', reduce: 'resize' },
};

/**
 * Returns an error with the probably intended command, instead of the standard message and help.
 */
function meantBy(
  command: Command,
  { message }: Error,
): { readonly message: string; readonly at?: string } | undefined {
  const word = /^error: unknown command '(?<word>[^']+)'/.exec(message)?.groups?.word;
  if (word === undefined) return undefined;
  // `bofh --wait lvm list` takes lvm for the time.
  const eater = command.options.find(
    (each) => each.required && commandIn(command, command.getOptionValue(each.attributeName())) !== undefined,
  );
  if (eater !== undefined) return { message: `error: option '${eater.flags}' argument missing` };
  const names = usualWords.find(([usual]) => usual.test(word))?.[1] ?? [];
  const meant = names.flatMap((name) => commandIn(command, name) ?? [])[0];
  const unknown = `error: unknown command '${word}': did you mean`;
  if (meant !== undefined) return { message: `${unknown} ${meant.name()}?`, at: nameOf(meant) };
  const program = command.parent === null ? programFor(command, word) : undefined;
  if (program !== undefined) return { message: `${unknown} ${nameOf(program)}?`, at: nameOf(program) };
  const verbs = command.commands.flatMap((noun) => commandIn(noun, word) ?? []).map(nameOf);
  if (verbs.length === 0) return undefined;
  return { message: `${unknown} ${verbs.slice(0, 3).join(', ')}${verbs.length > 3 ? ' …' : ''}?` };
}

/** Returns the command for the work of a program such as `vgextend`. */
function programFor(bofh: Command, program: string): Command | undefined {
  const path = programs.find(([usual]) => usual.test(program))?.[1].split(' ') ?? [];
  const found = path.reduce<Command | undefined>((at, name) => at && commandIn(at, name), bofh);
  if (path[0] !== 'lvm' || found === undefined) return found === bofh ? undefined : found;
  const verb = program.slice(2);
  return commandIn(found, verb) ?? commandIn(found, ofLvm[verb]) ?? found;
}

function commandIn(command: Command, name: unknown): Command | undefined {
  return command.commands.find((each) => each.name() === name);
}

function nameOf(command: Command): string {
  const { parent } = command;
  return parent?.parent ? `${nameOf(parent)} ${command.name()}` : command.name();
}
