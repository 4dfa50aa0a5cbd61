import { orMissing, type ReadHost } from '../command/index.ts';
import type { Resource } from './resource.ts';
import { type Owners, type Step, stepOf } from './steps.ts';

/**
 * Returns the content of a file, one character per byte. A link to /dev/null masks the file of that
 * name.
 */
export async function textIn(host: ReadHost, path: string): Promise<string | undefined> {
  const isLink = (await host.stat(path))?.kind === 'symlink';
  if (isLink && (await host.readLink(path)) === '/dev/null') return '';
  const bytes = await orMissing(host.readFile(path));
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1');
}

/**
 * Returns how one of several files of a resource differs, and its step. The text has one character
 * per byte.
 */
export async function textStep(
  host: ReadHost,
  { identity, at }: Pick<Resource, 'identity' | 'at'>,
  { path, text }: { readonly path: string; readonly text: string },
  owners: Owners,
): Promise<Step | undefined> {
  const wanted = { content: Buffer.from(text, 'latin1'), secret: false };
  return stepOf(host, { kind: 'file', identity, at, path, wanted }, owners);
}

/** Joins several steps into one. */
export function together(steps: readonly Step[]): Required<Pick<Step, 'check' | 'run'>> {
  return {
    check: async () => {
      for (const step of steps) await step.check?.();
    },
    run: async (tx, say) => {
      for (const step of steps) await step.run(tx, say);
    },
  };
}
