import { UsageError } from '../../core/errors.ts';

/** What was typed of a verb's options, by their names in camel case. */
export type Options = Readonly<Record<string, string | boolean | undefined>>;

/** The text of an option; undefined of one that was not typed, or has no value. */
export type Said = (option: string) => string | undefined;

export function saidIn(options: Options): Said {
  return (option) => {
    const value = options[option];
    return typeof value === 'string' ? value : undefined;
  };
}

/** The whole number of an option. Throws UsageError for anything else. */
export function wholeIn(said: Said): (option: string) => number | undefined {
  return (option) => {
    const text = said(option);
    if (text === undefined || /^\d{1,15}$/.test(text)) return text === undefined ? text : Number(text);
    const flag = option.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(`--${flag} ${text}: a whole number is meant`);
  };
}

/** One of these words. Throws UsageError for any other. */
export function oneOf<const W extends string>(text: string, words: readonly W[]): W {
  const found = words.find((word) => word === text);
  if (found === undefined) throw new UsageError(`"${text}" is none of ${words.join(', ')}`);
  return found;
}
