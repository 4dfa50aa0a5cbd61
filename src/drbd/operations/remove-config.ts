import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import type { ReadHost } from '../../command/index.ts';
import { RefusedError } from '../../errors.ts';
import { removal } from '../../file/remove.ts';
import { configured, type Resource, resourceNamed, states } from '../reads.ts';
import { args, configKey } from './known.ts';

const undo = z.extend(removal.undo, { name: z.string() });

/**
 * Removes the file of a resource that is not up: it leaves its name at once, and goes for good after the commit. What is
 * stored in the resource, and its metadata, stay where they are.
 */
export const removeConfig = operation({
  ...removal,
  kind: 'drbd.config.remove',
  version: 1,
  args,
  undo,
  prepare: async ({ args: { name }, mark, host }) => {
    const found = await resourceNamed(host, name);
    const path = await fileOf(host, found);
    refuseUp(name, found.state !== undefined);
    await refuseOthers(host, name, path);
    return { ...(await removal.prepare({ args: { path }, mark, host })), name };
  },
  claims: ({ undo: { path, name } }) => ({ changes: [`file:${path}`, configKey(name)] }),
  run: async ({ undo: wanted, host }) => {
    const { name } = wanted;
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
  const others = topWords(Buffer.from(await host.readFile(path)).toString('utf8')).filter(
    (word) => word !== 'resource',
  );
  if (others.length > 0)
    throw new RefusedError(`${path} holds more than the resource ${name}: ${others.join(', ')}`, {
      remedy: `take ${name} out of it by hand, or move the rest into a file of its own`,
    });
}

const token = /#[^\n]*|"(?:[^"\\\n]|\\.)*"|(?<mark>[{};])|(?<word>[^\s{};"#]+)/g;

/** The first word of each statement that is in no braces. */
function topWords(text: string): readonly string[] {
  const found: string[] = [];
  let depth = 0;
  let isFirst = true;
  for (const { groups } of text.matchAll(token)) {
    const { mark, word } = groups ?? {};
    if (word !== undefined && depth === 0 && isFirst) found.push(word);
    if (word !== undefined) isFirst = false;
    if (mark === '{') depth += 1;
    if (mark === '}') depth -= 1;
    if (mark !== undefined) isFirst = true;
  }
  return found;
}
