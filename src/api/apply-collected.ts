import { type AtomicOptions, currentBofh } from '../bofh.ts';
import type { Answers } from '../command/index.ts';
import { applyResources, type HostChange, placed } from '../provision/apply.ts';
import { inProgram } from '../core/option.ts';
import type { Resource } from '../provision/resource.ts';
import { atomic } from './atomic.ts';

/** Options of `provision.apply`; they are those of `atomic`. */
export type ApplyOptions = Pick<AtomicOptions, 'confirm' | 'log' | 'onEvent' | 'signal' | 'timeout' | 'wait'>;

/**
 * Applies a description that is already collected, in one sequence. `answers`: what the host answered to a
 * plan; the checks before the first step use it. Pass it only if nothing has changed since the plan.
 */
export async function applyCollected(
  resources: readonly Resource[],
  { answers = new Map(), ...options }: ApplyOptions & { readonly answers?: Answers } = {},
): Promise<readonly HostChange[]> {
  const { host, planning } = currentBofh();
  let at: string | undefined;
  return atomic(
    'host apply',
    (tx) => {
      const ensure = (name: string, args: unknown) => {
        const [driver = '', method = ''] = name.split('.');
        type Methods = Readonly<Record<string, Readonly<Record<string, (args: unknown) => Promise<never>>>>>;
        // Errors name options as in TypeScript, even if a command runs this: the description is TypeScript.
        return inProgram(
          () =>
            (tx.ensure as unknown as Methods)[driver]?.[method]?.(args) ??
            Promise.reject(new TypeError(name)),
        );
      };
      return applyResources(
        {
          account: tx.account,
          file: tx.file,
          kernel: tx.kernel,
          packages: tx.packages,
          reserve: (claims) => tx.reserve(claims),
          service: tx.service,
          shell: tx.shell,
          ensure,
        },
        {
          ...{ host, planning, answers },
          begins: (one) => {
            at = one?.at;
          },
        },
        resources,
      );
    },
    { writes: 'steps', ...options },
  ).catch((error: unknown) => {
    // The sequence throws the error of its step, which does not know the description.
    throw at === undefined ? error : placed(error, at);
  });
}
