import { ParseError } from '../core/errors.ts';

/** Options of an argv, by name. */
export interface Options {
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly words: readonly string[];
}

/** A call of a program in the simulated host. */
export interface Call {
  readonly tool: string;
  readonly argv: readonly string[];
}

/**
 * The error for a call whose effect the model does not know. The model never returns an empty
 * answer instead.
 */
export function unmodelled({ tool, argv }: Call, why: string): ParseError {
  return new ParseError(
    `the simulated host does not know "${[tool, ...argv].join(' ')}"; its model of ${tool}: ${why}`,
    {
      remedy:
        'use the program as bofh does, or test on a real host; for bofh itself, add it to the model in src/simulator, with output recorded from the real tool',
    },
  );
}

/** Parses an argv by the options that the model of a tool knows; throws for every other option. */
export function readOptions(
  call: Call,
  known: { readonly flags?: readonly string[]; readonly values?: readonly string[] },
): Options {
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  const words: string[] = [];
  const rest = [...call.argv];
  const keep = (name: string, value: string): void =>
    void values.set(name, [...(values.get(name) ?? []), value]);
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const { name, value } = /^(?<name>--[\w-]+)=(?<value>.*)$/s.exec(word)?.groups ?? {};
    if (name !== undefined && value !== undefined && known.values?.includes(name) === true) keep(name, value);
    else if (known.flags?.includes(word) === true) flags.add(word);
    else if (known.values?.includes(word) === true) {
      const next = rest.shift();
      if (next === undefined) throw unmodelled(call, `${word} has no value`);
      keep(word, next);
    } else if (word.startsWith('-') && word !== '-')
      throw unmodelled(call, `the model does not know the option ${word}`);
    else words.push(word);
  }
  return { flags, values, words };
}

/** Returns the only value of an option; undefined if it is missing. */
export function one(options: Options, name: string): string | undefined {
  return options.values.get(name)?.at(-1);
}
