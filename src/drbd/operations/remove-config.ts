import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../errors.ts';
import { removal } from '../../file/remove.ts';
import { configured, type Resource, resourceNamed, states } from '../reads.ts';
import { statementsIn } from '../statements.ts';
import { args, configKey, whileUp } from './known.ts';

const undo = z.extend(removal.undo, { name: z.string() });

/**
 * Removes the file of a resource that is not up, or, `whileUp`, has another one in its place in a moment: it leaves its name at once,
 * and goes for good after the commit. What is stored in the resource, and its metadata, stay where they are.
 */
export const removeConfig = operation({
  ...removal,
  kind: 'drbd.config.remove',
  version: 1,
  args: z.extend(args, {
    whileUp,
    /** Refused when the file holds anything else than what the caller has seen. */
    sha256: removal.args.shape.sha256,
  }),
  undo,
  prepare: async ({ args: { name, whileUp: may, sha256 }, mark, host }) => {
    const found = await resourceNamed(host, name);
    const path = await removableFile(host, found);
    if (may !== true) refuseUp(name, found.state !== undefined);
    const seen = sha256 === undefined ? {} : { sha256 };
    return { ...(await removal.prepare({ args: { path, ...seen }, mark, host })), name };
  },
  claims: ({ undo: { path, name } }) => ({ changes: [`file:${path}`, configKey(name)] }),
  run: async ({ args: { whileUp: may }, undo: wanted, host }) => {
    const { name } = wanted;
    if (may !== true)
      refuseUp(
        name,
        (await states(host)).some((each) => each.name === name),
      );
    return removal.run({ args: { path: wanted.path }, undo: wanted, host });
  },
});

function refuseUp(name: string, isUp: boolean): void {
  if (isUp)
    throw new RefusedError(`${name} is up: its configuration stays`, {
      remedy: `take it down first: bofh drbd down ${name}`,
    });
}

/** The file of a resource, which has nothing else in it. */
export async function removableFile(host: ReadHost, found: Resource): Promise<string> {
  const path = await fileOf(host, found);
  await refuseOthers(host, found.name, path);
  return path;
}

async function fileOf(host: ReadHost, { name, configured: found }: Resource): Promise<string> {
  if (found === undefined)
    throw new RefusedError(`no file of the configuration has the DRBD resource ${name}`, {
      remedy: `it is up without one: drbdsetup down ${name}`,
    });
  const more = (await configured(host)).filter(
    ({ name: each, file }) => file === found.file && each !== name,
  );
  if (more.length > 0)
    throw new RefusedError(
      `${found.file} has other resources in it as well: ${more.map((each) => each.name).join(', ')}`,
      { remedy: `take ${name} out of it by hand (it begins at line ${String(found.line)})` },
    );
  return found.file;
}

/** Defaults for all resources, or files that are included, would go with it. */
async function refuseOthers(host: ReadHost, name: string, path: string): Promise<void> {
  const others = statementsIn(Buffer.from(await host.readFile(path)).toString('utf8'))
    .map(({ words: [first] }) => first?.text ?? '{')
    .filter((word) => word !== 'resource');
  if (others.length > 0)
    throw new RefusedError(`${path} holds more than the resource ${name}: ${others.join(', ')}`, {
      remedy: `take ${name} out of it by hand, or move the rest into a file of its own`,
    });
}
