import { type Command, Option } from 'commander';
import { UsageError } from '../../core/errors.ts';
import { present } from '../../core/present.ts';
import type { AnswerName, Answers } from '../output/answers/by-verb.ts';
import type { Runtime } from './runtime.ts';

/** An option of a verb. `T` is the type of its value in `run`. */
export interface OptionSpec<T> {
  /** Placeholder of its value, for example `<SIZE>`; '' if it has none. */
  readonly placeholder: string;
  readonly help: string;
  readonly required: boolean;
  readonly default: string | undefined;
  /** Its letter: `o` for `-o`. */
  readonly short: string | undefined;
  /** Names of options that exclude this one. */
  readonly conflicts: readonly string[];
  /** True for another spelling of an option, which the help does not show. */
  readonly hidden: boolean;
  /** The option may be typed several times: `read` returns an array for each, and these are joined. */
  readonly repeatable: boolean;
  /** The words that it accepts, if they are few: for completion. */
  readonly choices: readonly string[];
  /** Throws UsageError. `name` is the option as typed, for example `--size`. */
  readonly parse: (value: Typing, name: string) => T;
}

/** The typed value of an option: a text, several texts, or only the option. */
type Typing = string | boolean | readonly string[] | undefined;

interface More {
  readonly conflicts?: readonly string[];
  readonly short?: string;
  readonly hidden?: boolean;
}

/** An option without a value, such as `--zeros`. True when it was typed. */
export function flag(
  help: string,
  { conflicts = [], short, hidden = false }: More = {},
): OptionSpec<boolean> {
  const parse = (value: unknown): boolean => value === true;
  return {
    ...{ placeholder: '', help, required: false, default: undefined, short, conflicts, hidden },
    ...{ repeatable: false, choices: [], parse },
  };
}

/** Reads the text of an option. Throws UsageError. `name` is the option as typed, for example `--size`. */
export interface ReadText<T> {
  (text: string, name: string): T;
  /** The words that it accepts, if they are few. */
  readonly words?: readonly string[];
  /** It reads a list: an option that is typed several times joins them. */
  readonly list?: true;
}

/** An option with a value, such as `--size <SIZE>`. Undefined when it was not typed and has no default. */
export function value(
  placeholder: string,
  help: string,
  more: More & ({ readonly required: true } | { readonly default: string }),
): OptionSpec<string>;
export function value(placeholder: string, help: string, more?: More): OptionSpec<string | undefined>;
export function value<T>(
  placeholder: string,
  help: string,
  more: More & { readonly read: ReadText<T> } & ({ readonly required: true } | { readonly default: string }),
): OptionSpec<T>;
export function value<T>(
  placeholder: string,
  help: string,
  more: More & { readonly read: ReadText<T> },
): OptionSpec<T | undefined>;
export function value(
  placeholder: string,
  help: string,
  more: More & {
    readonly read?: ReadText<unknown>;
    readonly required?: true;
    readonly default?: string;
  } = {},
): OptionSpec<unknown> {
  const { conflicts = [], short, hidden = false, required = false } = more;
  const read: ReadText<unknown> = more.read ?? ((text) => text);
  const { words: choices = [], list: repeatable = false } = read;
  const parse = (typed: Typing, name: string): unknown => {
    if (typeof typed === 'string') return read(typed, name);
    return typeof typed === 'object' ? typed.flatMap((text) => read(text, name)) : undefined;
  };
  return {
    help: repeatable ? `${help}; may be repeated` : help,
    ...{ placeholder, required, default: more.default, short, conflicts, hidden, repeatable },
    ...{ choices, parse },
  };
}

/** For `read`: a whole number. */
export function wholeNumber(text: string, name: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`${name} ${text}: must be a whole number`);
}

/** For `read`: the result of `parse`. Prefixes its UsageError with the name of the option. */
export function named<T>(parse: (text: string) => T): ReadText<T> {
  return (text, name) => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      const { message, remedy } = error;
      throw new UsageError(`${name}: ${message}`, { cause: error, ...present({ remedy }) });
    }
  };
}

/** For `read`: one of these words. */
export function oneOf<const W extends string>(...words: readonly [W, W, ...W[]]): ReadText<W> {
  const read = (text: string, name: string): W => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    const choices = `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;
    throw new UsageError(`${name} ${text}: must be ${choices}`);
  };
  return Object.assign(read, { words });
}

/** For `read` of an option that is typed once for each value. */
export const one = listRead((text) => [text]);

/** For `read`: words with commas between them. */
export const commaList = listRead((text) => text.split(','));

/** For `read`: the items of a text. The option may be typed several times. */
export function listRead<T>(items: (text: string, name: string) => readonly T[]): ReadText<T[]> {
  return Object.assign((text: string, name: string) => [...items(text, name)], { list: true } as const);
}

/** `<name>`, `[name]`, `<name...>` or `[name...]`, alone, or with its text in the help. */
type ArgSpec = string | readonly [words: string, help: string];

type ArgSpecs = Readonly<Record<string, ArgSpec>>;
type OptionSpecs = Readonly<Record<string, OptionSpec<unknown>>>;

type WordsOf<S> = S extends readonly [infer W, string] ? W : S;
type ArgValue<S> =
  WordsOf<S> extends `${string}...${string}`
    ? readonly string[]
    : WordsOf<S> extends `<${string}`
      ? string
      : string | undefined;

/** The second argument of `run`: every argument and option by its name. */
export type Typed<A extends ArgSpecs, O extends OptionSpecs> = Args<A> & Options<O>;

// Without arguments, or options, `A` or `O` is the constraint itself, which has every name.
type Args<A> = string extends keyof A ? unknown : { readonly [K in keyof A]: ArgValue<A[K]> };
type Options<O> = string extends keyof O
  ? unknown
  : { readonly [K in keyof O]: O[K] extends OptionSpec<infer T> ? T : never };

/** A verb of the command line: its words, for parsing and help, and its function. */
export interface Verb {
  readonly args: ArgSpecs;
  readonly options: OptionSpecs;
  /** Complete command lines without the leading `bofh`. */
  readonly examples: readonly string[];
  /**
   * Whether it may change the host: a signal then rolls the change back. A function decides from the typed
   * options.
   */
  readonly changes: boolean | ((typed: never) => boolean);
  /**
   * Names of its JSON answers: its own, and those of options with another answer. Empty if it has no JSON
   * answer.
   */
  readonly answers: readonly AnswerName[];
  /** The verb reads and answers with a table: `--format` chooses its columns. */
  readonly table: boolean;
  /** Words that look like unknown options are arguments: sizes such as -5g. */
  readonly dashes: boolean;
  /** All words after the first argument belong to a script. */
  readonly script: boolean;
  /**
   * All words after the first argument belong to another program, and may contain a secret, so neither
   * journal nor log contains them.
   */
  readonly unrecorded: boolean;
  /** Resolves to the exit code. */
  readonly run: (runtime: Runtime<unknown>, typed: never) => Promise<number>;
}

/**
 * Defines a verb. Options get the name of their key: `stripeSize` is `--stripe-size`.
 *
 * @example
 * export default verb({
 *   changes: true,
 *   answers: 'lvm rename',
 *   args: { volume: '<vg/name>', to: '<to>' },
 *   examples: ['lvm rename vg0/web1 web2'],
 *   run: (runtime, { volume, to }) => …,
 * });
 */
export function verb<
  const A extends ArgSpecs = ArgSpecs,
  O extends OptionSpecs = OptionSpecs,
  const N extends AnswerName = never,
>(of: {
  readonly changes: boolean | ((typed: Typed<A, O>) => boolean);
  readonly answers?: N | readonly N[];
  readonly args?: A;
  readonly options?: O;
  readonly examples: readonly [string, ...string[]];
  readonly table?: true;
  readonly dashes?: true;
  readonly script?: true;
  readonly unrecorded?: true;
  readonly run: (runtime: Runtime<Answers[N]>, typed: Typed<A, O>) => Promise<number>;
}): Verb {
  const { args = {}, options = {}, table = false, dashes = false, script = false, unrecorded = script } = of;
  const answers = [of.answers ?? []].flat() as readonly N[];
  return { ...of, answers, args, options, table, dashes, script, unrecorded };
}

const choices = new WeakMap<Option, readonly string[]>();

/** The words that an option of a verb accepts; empty if they are many. */
export function choicesOf(option: Option): readonly string[] {
  return choices.get(option) ?? [];
}

/** Sets the words that completion proposes for an option. */
export function withChoices(option: Option, words: readonly string[]): Option {
  choices.set(option, words);
  return option;
}

/** Gives a command the arguments, options and examples of its verb. */
export function addWords(command: Command, { args, options, examples, dashes, script }: Verb): void {
  for (const spec of Object.values(args)) {
    if (typeof spec === 'string') command.argument(spec);
    else command.argument(...spec);
  }
  for (const [key, spec] of Object.entries(options)) {
    const letter = spec.short === undefined ? '' : `-${spec.short}, `;
    const option = new Option(`${letter}${flagOf(key)} ${spec.placeholder}`.trim(), spec.help);
    if (spec.default !== undefined) option.default(spec.default, spec.default);
    if (spec.repeatable)
      option.argParser((text: string, before?: readonly string[]) => [...(before ?? []), text]);
    if (spec.conflicts.length > 0) option.conflicts([...spec.conflicts]);
    command.addOption(
      withChoices(option, spec.choices).makeOptionMandatory(spec.required).hideHelp(spec.hidden),
    );
  }
  if (dashes) command.allowUnknownOption();
  if (script) command.passThroughOptions();
  const lines = examples.map((example) => `  bofh ${example}`);
  command.addHelpText('after', ['', 'Examples:', ...lines].join('\n'));
}

/** The typed arguments and options, by name. Throws UsageError for a value that cannot be parsed. */
export function typedIn(command: Command, { args, options }: Verb): never {
  const given: Readonly<Record<string, unknown>> = command.opts();
  const values = Object.entries(options).map(([key, { parse }]) => {
    const option = new Option(flagOf(key));
    const value = given[option.attributeName()];
    // Commander stores `--no-freeze` as `freeze`, which is true until it is typed.
    const text = option.negate ? value === false : value;
    return [key, parse(isTyping(text) ? text : undefined, flagOf(key))];
  });
  // With `dashes` commander leaves unknown options among the words.
  const words = command.args;
  const named = Object.entries(args).map(([key, spec], at) => {
    const many = (typeof spec === 'string' ? spec : spec[0]).includes('...');
    return [key, many ? words.slice(at) : words[at]];
  });
  // The types of `verb` describe this value; here all verbs have the same type.
  return Object.fromEntries([...named, ...values]) as never;
}

function isTyping(value: unknown): value is Typing {
  return typeof value === 'string' || value === true || Array.isArray(value);
}

function flagOf(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** One line of help, and a function that loads the code of the verb when it is typed. */
export type VerbEntry = readonly [summary: string, load: () => Promise<{ readonly default: Verb }>];

/** A noun and its verbs, or nouns below it: `lvm vg create`. */
export interface Noun {
  readonly summary: string;
  readonly verbs: Readonly<Record<string, VerbEntry | Noun>>;
}
