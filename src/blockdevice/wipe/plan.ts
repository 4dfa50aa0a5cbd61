import * as z from 'zod/mini';
import type { ReadHost } from '../../command/index.ts';
import { refuseUnseen, unseen } from '../content/unseen.ts';
import { holders } from '../holders/index.ts';
import { refuseHeld } from '../in-use.ts';
import { identityOf } from '../keys.ts';
import { deviceNode, sizeOf } from '../node.ts';
import { probe, recognise } from '../probe.ts';
import type { Signature } from '../schema.ts';
import { refuseWriteProtected } from '../write-protected.ts';
import { type Magic, magicsOn } from './commands.ts';
import { contentKey, namesOf, refuseTableOrMember, refuseUnnamed } from './contents.ts';
import { savedMagic, saveMagics } from './magics.ts';

export const eraseArgs = z.strictObject({
  /** The block device, as an absolute path: `/dev/vg0/web1`. */
  device: z.string().check(z.minLength(1)),
  /**
   * All content that may be erased: the UUID or the type of each. For a device without any
   * signature: only `blank`.
   */
  overwrite: z.array(z.string().check(z.minLength(1))),
});

/** The journal entry of a device whose contents are erased. */
export const erased = z.strictObject({
  device: z.string(),
  /** Identity of the device, because its path may belong to another device later. */
  identity: z.string(),
  size: z.int().check(z.positive()),
  /**
   * Keys of objects that cannot be found afterwards: filesystems, encrypted devices, physical
   * volumes.
   */
  contents: z.array(z.string()),
  /** The bytes that identify its content. */
  magics: z.array(savedMagic).check(z.minLength(1)),
});

/** Returns the content of an unused device. RefusedError unless all of it is named. */
export async function planErase(
  host: ReadHost,
  {
    device,
    overwrite,
    again,
    blank,
  }: z.infer<typeof eraseArgs> & {
    /** What happens to a device without a signature. */
    readonly blank: 'refused' | 'named';
    /** Whether this is the second check, under the locks. */
    readonly again: boolean;
  },
): Promise<{
  readonly erase: z.infer<typeof erased>;
  readonly key: string;
  readonly container: string;
  readonly found: Signature | undefined;
  readonly magics: readonly Magic[];
}> {
  const { key, container, identity } = await identityOf(host, device);
  await refuseHeld(host, device, await holders(host, device));
  await refuseWriteProtected(host, device);
  // A device with nothing but I/O errors looks blank too.
  const found = await (again ? probe : recognise)(host, device);
  const node = await deviceNode(host, device);
  const magics = await host.run(magicsOn(node.path));
  const names = namesOf(found, magics);
  const isBlank = found === undefined && names.size === 0;
  if (isBlank && blank === 'refused') await refuseUnseen(host, device, 'erased');
  const other = isBlank ? await unseen(host, device) : undefined;
  refuseUnnamed(device, {
    names: other === undefined ? names : new Map([[other.type, other.type]]),
    overwrite,
    found,
    blank,
  });
  await refuseTableOrMember(host, { device, found, magics });
  const size = await sizeOf(host, node);
  const saved = await saveMagics(host, { device: node.path, size, magics });
  const contents = new Set(magics.flatMap((magic) => contentKey(magic) ?? []));
  return {
    erase: { device, identity, size, contents: [...contents], magics: [...saved] },
    ...{ key, container, found, magics },
  };
}
