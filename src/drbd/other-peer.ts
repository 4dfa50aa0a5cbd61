import { RefusedError } from '../core/errors.ts';
import { type Statement, statementsIn, type Word, word } from './statements.ts';

/** The IPv4 address of a host. */
interface End {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** The new entry in the file of a resource, in place of one of its two hosts. */
export interface OtherPeer {
  readonly name: string;
  /** The host that stays, with its new address. */
  readonly own: End;
  /** The host that is replaced. */
  readonly from: string;
  readonly to: End & { readonly disk: { readonly was: string; readonly is: string } };
}

interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/**
 * The file of one resource with another host. Every other byte stays: options, handlers and comments. Throws
 * RefusedError if bofh cannot determine the place to change, and for a file with a secret, which bofh never
 * copies.
 */
export function withOtherPeer(text: string, peer: OtherPeer): string {
  const { name, own, from, to } = peer;
  const [resource, ...more] = statementsIn(text).filter(
    ({ words }) => words[0]?.text === 'resource' && words[1]?.text === name,
  );
  if (resource === undefined || more.length > 0)
    throw unclear(peer, 'it does not contain the resource exactly once');
  if (hasSecret(resource))
    throw new RefusedError(
      `the file of ${name} contains a shared secret, which bofh does not copy to another host`,
      {
        remedy: 'move it into the common section of each host, or replace the peer by hand',
      },
    );
  const [here, there] = [hostIn(resource, own.name, peer), hostIn(resource, from, peer)];
  const edits = [
    { ...there.name, text: word(to.name) },
    addressIn(there.of, to, peer),
    addressIn(here.of, own, peer),
    ...diskIn(there.of, peer),
  ];
  return edits
    .toSorted((a, b) => b.from - a.from)
    .reduce((all, edit) => all.slice(0, edit.from) + edit.text + all.slice(edit.to), text);
}

function hasSecret({ words, inner }: Statement): boolean {
  return words[0]?.text === 'shared-secret' || inner.some(hasSecret);
}

/** The only statement `on NAME { … }` for a host. */
function hostIn(
  resource: Statement,
  host: string,
  peer: OtherPeer,
): { readonly of: Statement; readonly name: Word } {
  const found = resource.inner.flatMap((of) => {
    const [on, name, ...others] = of.words;
    return on?.text === 'on' && name?.text === host && others.length === 0 ? [{ of, name }] : [];
  });
  const [only, ...more] = found;
  if (only === undefined || more.length > 0)
    throw unclear(peer, `it does not contain the section "on ${host}" exactly once`);
  return only;
}

/** Replaces all words of `address ipv4 10.0.0.1:7788;` after the first. */
function addressIn({ inner }: Statement, { name, address, port }: End, peer: OtherPeer): Edit {
  const [only, ...more] = inner.filter(({ words }) => words[0]?.text === 'address');
  const [first, last] = [only?.words[1], only?.words.at(-1)];
  if (first === undefined || last === undefined || more.length > 0)
    throw unclear(peer, `it does not contain exactly one address for ${name}`);
  return { from: first.from, to: last.to, text: `ipv4 ${address}:${String(port)}` };
}

/**
 * Replaces the path in `disk /dev/vg0/web1;`, in the host or in its only volume. A path that is the same on
 * both hosts may be at another level.
 */
function diskIn(host: Statement, peer: OtherPeer): readonly Edit[] {
  const { was, is } = peer.to.disk;
  if (was === is) return [];
  const paths = [host, ...host.inner]
    .flatMap(({ inner }) => inner)
    .flatMap(({ words }) => (words[0]?.text === 'disk' && words[1]?.text === was ? [words[1]] : []));
  const [only, ...more] = paths;
  if (only === undefined || more.length > 0)
    throw unclear(peer, `it does not contain exactly one line for the disk of ${peer.from}, ${was}`);
  return [{ ...only, text: word(is) }];
}

function unclear({ name, from }: OtherPeer, why: string): RefusedError {
  return new RefusedError(`the section of ${from} in the file of ${name} cannot be replaced: ${why}`, {
    remedy: `write it as "on HOST { device …; disk …; meta-disk internal; address …; }" for each of the two, or replace the peer by hand`,
  });
}
