import { checkKeys } from '../core/checks.ts';
import { UsageError } from '../core/errors.ts';

/** The type that a part of a spec must have, and whether the part may be missing. */
interface Part {
  readonly fits: (value: unknown) => boolean;
  readonly wanted: string;
  readonly optional?: true;
}

const oneOf = (...values: readonly unknown[]): Part => ({
  fits: (value) => values.includes(value),
  wanted: `must be ${values.map(String).join(' or ')}`,
});
const text: Part = { fits: (value) => typeof value === 'string' && value !== '', wanted: 'must be text' };
const whole: Part = { fits: Number.isSafeInteger, wanted: 'must be a whole number' };
const called: Part = { fits: (value) => typeof value === 'function', wanted: 'must be a function' };
const schema: Part = {
  fits: (value) =>
    (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value,
  wanted: 'must be a schema of zod, or of another library with Standard Schema',
};
const content: Part = {
  fits: (value) =>
    typeof value === 'object' && value !== null && 'changed' in value && called.fits(value.changed),
  wanted: 'must be an object with the function changed',
};
const later: Part = {
  fits: (value) =>
    typeof value === 'object' && value !== null && 'refuse' in value && called.fits(value.refuse),
  wanted: 'must be an object with the function refuse',
};
const maybe = (part: Part): Part => ({ ...part, optional: true });

const common = {
  ...{ kind: text, version: whole, args: schema, undo: schema, journalled: maybe(called) },
  ...{ prepare: called, claims: called, look: called, content: maybe(content) },
  ...{ sync: maybe(called), describe: maybe(called) },
};
const parts: Readonly<Record<'operation' | 'deferred', Readonly<Record<string, Part>>>> = {
  operation: {
    ...common,
    ...{ result: schema, lives: oneOf('disk', 'boot'), restores: oneOf('state', 'existence') },
    ...{ recurs: maybe(oneOf(true)), endsAccess: maybe(oneOf(true)), onlyInOwn: maybe(oneOf(true)) },
    starts: maybe(oneOf('a writer')),
    keepsContent: maybe({
      fits: (value) => value === true || called.fits(value),
      wanted: 'must be true or a function',
    }),
    ...{ run: called, value: called, revert: called, afterCommit: maybe(called), again: maybe(called) },
    ...{
      contains: maybe(called),
      within: maybe(called),
      later: maybe(later),
      defers: maybe(called),
      after: maybe(called),
    },
  },
  deferred: { ...common, afterCommit: called },
};

/** Throws UsageError that names each part of a spec that is missing, wrong or unknown. */
export function checkSpec(what: keyof typeof parts, spec: unknown): void {
  checkKeys(what, spec, Object.keys(parts[what]));
  const wrong = Object.entries(parts[what]).flatMap(([name, { fits, wanted, optional }]) => {
    const value: unknown = Reflect.get(Object(spec) as object, name);
    if (value === undefined) return optional === true ? [] : [`${name} is missing`];
    return fits(value) ? [] : [`${name}: ${wanted}`];
  });
  if (wrong.length > 0) throw new UsageError(`${what}: ${wrong.join('; ')}`);
}
