import type { Ensured } from '../../atomic/ensure.ts';
import type { Answer } from '../output/answer.ts';
import { change } from './change.ts';
import type { Runtime } from './runtime.ts';
import { flag } from './verb.ts';

/** `--ensure` of a verb that creates something. */
export function ensureFlag(...conflicts: readonly string[]) {
  return flag('do nothing if the object already exists exactly as requested; fail if it differs', {
    conflicts,
  });
}

/** The first line of an answer that changed nothing. */
export const unchanged = 'unchanged, already as requested:';

/** Runs a verb that creates something. With `--ensure`, its answer has `changed`. */
export function changeOrEnsure<F extends object, T extends F, D extends { readonly changed?: boolean }>(
  runtime: Runtime<D>,
  isEnsured: boolean,
  {
    create,
    ensure,
    answer,
    root = 'needed',
  }: {
    readonly create: () => Promise<T>;
    readonly ensure: () => Promise<Ensured<F>>;
    readonly answer: (made: F, changed: boolean) => Answer<NoInfer<D>>;
    readonly root?: 'needed' | 'not-needed';
  },
): Promise<number> {
  return change<Ensured<F>, D>(
    runtime,
    {
      act: async () => (isEnsured ? ensure() : { value: await create(), changed: true }),
      answer: ({ value, changed }) => {
        const given = answer(value, changed);
        if (!isEnsured) return given;
        const data = { ...given.data, changed };
        if (changed || !('lines' in given)) return { ...given, data };
        return { data, lines: [unchanged, ...given.lines] };
      },
    },
    { root },
  );
}
