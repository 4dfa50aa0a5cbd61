export { checkTar } from './source.ts';

/**
 * Mount options for a filesystem that is being filled. Device nodes can be made on a nodev mount and set-id bits and
 * capabilities set on a nosuid one; they just have no effect there, so nothing unpacked can be used against the host.
 */
export const fillOptions = ['nosuid', 'nodev', 'noexec', 'noatime'] as const;
