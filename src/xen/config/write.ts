import { UsageError } from '../../core/errors.ts';
import { type ConfigValue, deepest, type ParsedConfig } from './parse.ts';

/** A value to write. Numbers are integers and not negative: xl's lexer knows no sign. */
export type Setting = string | number | readonly Setting[];

/** The content of an xl.cfg file, without positions. */
export type Settings = Readonly<Record<string, Setting>>;

/**
 * The text of an xl.cfg file, in the order of the settings. Throws UsageError for values that
 * cannot be quoted for every reader of these files: both kinds of quotes in one string, control
 * characters (newlines too), broken Unicode.
 */
export function writeConfig(settings: Settings): string {
  return Object.entries(settings)
    .map(([key, value]) => `${checkedKey(key)} = ${top(key, value)}\n`)
    .join('');
}

/** The settings of a parsed file, ready to be changed and written again (without its comments). */
export function settingsOf(config: ParsedConfig): Settings {
  return Object.fromEntries([...config.settings].map(([key, value]) => [key, settingOf(value)]));
}

/** Quotes `text` for xl.cfg. Throws UsageError if that is impossible; `what` is its name in the error. */
export function quoted({ text, what }: { readonly text: string; readonly what: string }): string {
  const bad = /[\p{Cc}\p{Cs}]/u.exec(text)?.[0];
  if (bad !== undefined)
    throw new UsageError(
      `${what}: a guest configuration cannot contain the control character U+${bad.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
  if (text.includes('"') && text.includes("'"))
    throw new UsageError(`${what}: a value in a guest configuration cannot contain both ' and ": ${text}`);
  const mark = text.includes('"') ? "'" : '"';
  return mark + text.replaceAll('\\', '\\\\') + mark;
}

function settingOf(value: ConfigValue): Setting {
  if (value.kind === 'list') return value.items.map(settingOf);
  return value.kind === 'number' ? value.value : value.text;
}

function checkedKey(key: string): string {
  if (/^[a-z][._0-9a-z]*$/.test(key)) return key;
  throw new UsageError(
    `"${key}" cannot be a key of a guest configuration: expected lower-case letters, digits, "." and "_"`,
  );
}

function top(key: string, value: Setting): string {
  if (typeof value !== 'object' || value.length < 2) return written(key, value, 1);
  return `[\n${value.map((item) => `  ${written(key, item, 2)},\n`).join('')}]`;
}

function written(key: string, value: Setting, depth: number): string {
  if (typeof value === 'string') return quoted({ text: value, what: key });
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 0) return String(Math.abs(value));
    throw new UsageError(`${key}: must be a whole number, 0 or greater, not ${value}`);
  }
  if (depth > deepest) throw new UsageError(`${key}: lists may be nested at most ${deepest} deep`);
  return `[${value.map((item) => written(key, item, depth + 1)).join(', ')}]`;
}
