import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../core/errors.ts';
import { removal } from '../../file/remove.ts';
import { otherAddresses } from '../differences.ts';
import { configured, type Resource, resourceNamed, states } from '../reads.ts';
import type { ResourceState } from '../state.ts';
import { statementsIn } from '../statements.ts';
import { args, configKey, refuseOtherAddresses, whileUp } from './known-resource.ts';
import { present } from '../../core/present.ts';

const undo = z.extend(removal.undo, { name: z.string(), whileUp });

/**
 * Removes the configuration file of a resource that is not up; with `whileUp`, also if the file will be
 * replaced. The file is renamed at once, and deleted after the commit. The data of the resource and its
 * metadata stay.
 */
export const removeConfig = operation({
  ...removal,
  kind: 'drbd.config.remove',
  version: 1,
  args: z.extend(args, {
    /** Allowed if the resource is up (default: refused). */
    whileUp,
    /** Checksum of the file as the caller read it; refused if the file has another content now. */
    sha256: removal.args.shape.sha256,
  }),
  undo,
  prepare: async ({ args: { name, whileUp: may, sha256 }, mark, host }) => {
    const found = await resourceNamed(host, name);
    const path = await removableFile(host, found);
    if (may !== true) refuseUp(name, found.state !== undefined);
    const seen = present({ sha256 });
    const isUp = present({ whileUp: may });
    return { ...(await removal.prepare({ args: { path, ...seen }, mark, host })), name, ...isUp };
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
  look: async ({ undo: gone, host }) => {
    const found = await removal.look({ undo: gone, host });
    const other = found.state === 'gone' ? await otherState(host, gone) : undefined;
    return other === undefined ? found : { state: 'ours' };
  },
  revert: async ({ undo: gone, host }) => {
    await removal.revert({ undo: gone, host });
    const other = await otherState(host, gone);
    if (other !== undefined) await refuseOtherAddresses(host, other);
  },
});

/** Finds a running configuration that differs from the restored file: then the removal is not undone. */
async function otherState(
  host: ReadHost,
  { name, path, inode, whileUp: wasUp }: z.infer<typeof undo>,
): Promise<ResourceState | undefined> {
  if (wasUp !== true || (await host.stat(path))?.inode !== inode) return undefined;
  const state = (await states(host)).find((each) => each.name === name);
  if (state === undefined) return undefined;
  return (await otherAddresses(host, state)).length === 0 ? undefined : state;
}

function refuseUp(name: string, isUp: boolean): void {
  if (isUp)
    throw new RefusedError(`${name} is up: its configuration stays`, {
      remedy: `bring it down first: bofh drbd down ${name}`,
    });
}

/** The file of a resource, which must contain nothing else. */
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
      `${found.file} also contains other resources: ${more.map((each) => each.name).join(', ')}`,
      { remedy: `remove ${name} from it yourself (it begins at line ${String(found.line)})` },
    );
  return found.file;
}

/**
 * Refuses a file with other content, such as defaults for all resources or an include, which would be removed
 * too.
 */
async function refuseOthers(host: ReadHost, name: string, path: string): Promise<void> {
  const others = statementsIn(Buffer.from(await host.readFile(path)).toString('utf8'))
    .map(({ words: [first] }) => first?.text ?? '{')
    .filter((word) => word !== 'resource');
  if (others.length > 0)
    throw new RefusedError(`${path} holds more than the resource ${name}: ${others.join(', ')}`, {
      remedy: `remove ${name} from it yourself, or move the rest into a separate file`,
    });
}
