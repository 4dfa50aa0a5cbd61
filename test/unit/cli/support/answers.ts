import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { type AnswerName, answers } from '../../../../src/cli/output/answers/by-verb.ts';
import { schemaUrl } from '../../../../src/cli/output/schemas.ts';
import { program } from '../../../../src/cli/runtime/program.ts';
import type { Runtime } from '../../../../src/cli/runtime/runtime.ts';
import type { GlobalOptions } from '../../../../src/cli/runtime/settings.ts';

const ajv = new Ajv2020({ allowUnionTypes: true });
const validators = new Map<AnswerName, ValidateFunction>();

/** Throws unless this is an answer by its published schema, without a key that the schema does not have. */
export function checkAnswer(name: AnswerName, answer: unknown): void {
  const validate = validators.get(name) ?? ajv.compile(closed(readSchema(name)));
  validators.set(name, validate);
  if (!validate(answer))
    throw new Error(
      `this is no answer of "${name}": ${ajv.errorsText(validate.errors)}: ${JSON.stringify(answer)}`,
    );
}

export function readSchema(name: AnswerName): object {
  return JSON.parse(readFileSync(schemaUrl(name), 'utf8')) as object;
}

function closed<T>(schema: T): T {
  if (Array.isArray(schema)) return schema.map(closed) as T;
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, closed<unknown>(value)]),
  );
  // A property may be called `properties` too.
  const isObject = 'properties' in schema && 'type' in schema && schema.type === 'object';
  return { ...inner, ...(isObject ? { additionalProperties: false } : {}) } as T;
}

/** The answer that these words get with --json; undefined: the verb has none. */
export function answerOf(
  verb: string,
  words: readonly string[],
  mode: 'act' | 'plan',
): AnswerName | undefined {
  if (mode === 'plan') return 'plan';
  const names = (Object.keys(answers) as AnswerName[]).filter((name) => name.split(' --')[0] === verb);
  const option = (name: AnswerName): string => ` --${name.split(' --')[1] ?? ''}`;
  return (
    names.find((name) => words.some((word) => option(name) === ` ${word}`)) ??
    names.find((name) => name === verb)
  );
}

/** The runtime, with every JSON answer checked. */
export function checking(runtime: Runtime<unknown>, words: readonly string[]): Runtime<unknown> {
  const { settings, terminal, verb } = runtime;
  const name = settings.answer === 'json' ? answerOf(verb, words, settings.mode) : undefined;
  if (name === undefined) return runtime;
  const answer = (text: string): void => {
    checkAnswer(name, JSON.parse(text));
    terminal.answer(text);
  };
  return { ...runtime, terminal: { ...terminal, answer } };
}

/** Checks what a process of `bofh WORDS` printed, if that is JSON. */
export async function checkPrinted(words: readonly string[], stdout: string): Promise<void> {
  if (!words.includes('--json') || stdout === '') return;
  let asked: { readonly verb: string; readonly options: GlobalOptions } | undefined;
  const root = await program(words, async (invocation) => {
    asked = invocation;
  });
  // A usage error is answered in JSON too.
  await root.parseAsync([...words], { from: 'user' }).catch(() => undefined);
  const name =
    asked === undefined
      ? 'error'
      : answerOf(asked.verb, words, asked.options.dryRun === true ? 'plan' : 'act');
  if (name === undefined) return;
  const all: readonly unknown[] =
    name === 'drbd status --watch'
      ? stdout
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as unknown)
      : [JSON.parse(stdout)];
  for (const each of all) checkAnswer(isFailure(each) ? 'error' : name, each);
}

function isFailure(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && 'error' in answer;
}
