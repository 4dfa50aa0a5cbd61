import { type ReadCommand, type ReadHost, stderrAlone } from '../../command/index.ts';
import { BofhError, ParseError } from '../../core/errors.ts';

/** A backing device of DRBD for a volume of a resource, or for its metadata. */
interface Backing {
  readonly resource: string;
  readonly minor: number;
  readonly path: string;
}

/** The backing devices of DRBD, as its own tool reports; `failure`: the tool failed. */
export interface DrbdStores {
  readonly backings: readonly Backing[];
  readonly failure?: string;
}

/** Reads the backing devices. Called only if the module is loaded. */
export async function drbdStores(host: ReadHost): Promise<DrbdStores> {
  if ((await host.stat('/sys/module/drbd')) === undefined) return { backings: [] };
  try {
    return { backings: await host.run(drbdShow()) };
  } catch (error) {
    if (!(error instanceof BofhError)) throw error;
    return { backings: [], failure: `could not find out which devices DRBD uses: ${error.message}` };
  }
}

/** `drbdsetup show`: every resource that is configured in the kernel. */
export function drbdShow(): ReadCommand<readonly Backing[]> {
  return {
    tool: 'drbdsetup',
    argv: ['show'],
    access: 'read',
    parse: ({ stdout }) => parseShow(stdout),
    shownOf: stderrAlone,
  };
}

const line =
  /^\s*(?:#.*|(?<close>\})|(?<section>[\w-]+)(?: (?<name>"[^"]*"|[^\s"{}=;]+))? \{|(?<key>[\w-]+)(?:\s+(?<value>.*?))?;)?\s*(?:#.*)?$/;

function parseShow(text: string): readonly Backing[] {
  const found: Backing[] = [];
  let resource = '';
  let minor = Number.NaN;
  for (const each of text.split('\n')) {
    const groups = line.exec(each)?.groups;
    if (groups === undefined) throw new ParseError(`cannot read the line ${JSON.stringify(each)}`);
    const { section, name, key, value = '' } = groups;
    if (section === 'resource') resource = name?.replaceAll('"', '') ?? '';
    if (key === 'device') minor = Number(/minor (?<minor>\d+)$/.exec(value)?.groups?.minor ?? Number.NaN);
    const path =
      key === 'disk' || key === 'meta-disk' ? /^"(?<path>\/[^"]*)"/.exec(value)?.groups?.path : undefined;
    if (path === undefined) continue;
    if (resource === '' || Number.isNaN(minor))
      throw new ParseError(`the disk ${path} belongs to no resource`);
    found.push({ resource, minor, path });
  }
  return found;
}
