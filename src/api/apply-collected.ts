import { type AtomicOptions, currentBofh } from '../bofh.ts';
import { present } from '../core/present.ts';
import { applyResources, type HostChange } from '../provision/apply.ts';
import type { Resource } from '../provision/resource.ts';
import { atomic } from './atomic.ts';

/** Makes the host as described, in one sequence; the description is collected already. */
export async function applyCollected(
  resources: readonly Resource[],
  { confirm }: Pick<AtomicOptions, 'confirm'> = {},
): Promise<readonly HostChange[]> {
  const { host, planning } = currentBofh();
  return atomic(
    'host apply',
    (tx) => {
      const ensure = (name: string, args: unknown) => {
        const [driver = '', method = ''] = name.split('.');
        type Methods = Readonly<Record<string, Readonly<Record<string, (args: unknown) => Promise<never>>>>>;
        return (
          (tx.ensure as unknown as Methods)[driver]?.[method]?.(args) ?? Promise.reject(new TypeError(name))
        );
      };
      return applyResources(
        {
          account: tx.account,
          file: tx.file,
          kernel: tx.kernel,
          packages: tx.packages,
          service: tx.service,
          shell: tx.shell,
          ensure,
        },
        { host, planning },
        resources,
      );
    },
    { writes: 'steps', ...present({ confirm }) },
  );
}
