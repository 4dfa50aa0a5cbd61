export { chroot } from './chroot.ts';
export { contentIn, type ImagePartition, partitionsIn } from './image-partitions.ts';
export { formatOf, type ImageSource, imageSource } from './image-source.ts';
export { statInside, type UnpackedFile } from './inside.ts';
export { debianRequest, debianSuite } from './mmdebstrap.ts';
export { readRoot, type RootContent } from './read-root.ts';
export { recipients } from './save.ts';
export { refuseElsewhere } from './script.ts';
export { contentOfTree, readTree } from './tree.ts';
export { checkTar, readTar, refuseUnsafeScript } from './source.ts';

/**
 * Mount options for a filesystem that is being filled. Device nodes, set-id bits and capabilities
 * can still be created, but have no effect there, so unpacked files cannot be used against the
 * host.
 */
export const fillOptions = ['nosuid', 'nodev', 'noexec', 'noatime'] as const;
