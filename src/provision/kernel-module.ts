import * as z from 'zod/mini';
import type { ReadHost } from '../command/index.ts';
import { RefusedError } from '../core/errors.ts';
import { loadedModules, moduleParameters, neededModules, parameterWords } from '../kernel/module.ts';
import { isOffline } from '../service/unit.ts';
import type { Resource } from './resource.ts';
import type { Owners, Step } from './steps.ts';
import { textStep, together } from './text-file.ts';

/** Arguments of `h.kernelModule`. */
export const kernelModuleRequest = z.strictObject({ parameters: z.exactOptional(moduleParameters) });

/**
 * Returns how a kernel module differs, in the running kernel or at boot, and the step that changes
 * it.
 */
export async function kernelModuleStep(
  host: ReadHost,
  one: Extract<Resource, { readonly kind: 'kernel-module' }>,
  owners: Owners,
): Promise<Step | undefined> {
  const { name, path, wanted } = one;
  const words = parameterWords(wanted);
  // In a chroot, such as the root of a guest that is off, the kernel is that of another system.
  const isOff = await host.run(isOffline());
  if (!isOff && (await neededModules(host, name)).length === 0) {
    if (words.length === 0) return undefined;
    throw new RefusedError(`${name} is a built-in module, so no file sets its parameters`, {
      remedy: `set them on the kernel command line: ${words.map((word) => `${name}.${word}`).join(' ')}`,
    });
  }
  const isLoaded = isOff || (await loadedModules(host)).has(name);
  const files = new Map([[path, `${name}\n`]]);
  if (words.length > 0) files.set(`/etc/modprobe.d/${name}.conf`, `options ${name} ${words.join(' ')}\n`);
  const steps: Step[] = [];
  for (const [at, text] of files) {
    const step = await textStep(host, one, { path: at, text }, owners);
    if (step !== undefined) steps.push(step);
  }
  if (isLoaded && steps.length === 0) return undefined;
  const boot = together(steps);
  const isLater = isLoaded && !isOff && steps.some((step) => step.name !== path);
  return {
    ...{ action: 'change', kind: 'kernel-module', name },
    details: [
      ...(isLoaded ? [] : ['loads it']),
      ...steps.map((step) => `${step.action}s ${step.name}`),
      ...(isLater ? ['loaded already: its parameters count at the next boot'] : []),
    ],
    check: boot.check,
    run: async (tx, say) => {
      // First, so that its undo comes last: a reboot meanwhile loads what the file says.
      if (!isLoaded) await tx.kernel.loadModule({ name, parameters: wanted });
      await boot.run(tx, say);
    },
  };
}
