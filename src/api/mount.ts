import type { MountEntry } from '../blockdevice/index.ts';
import { apart, atomic, currentBofh, outsideSequence, single, withBofh } from '../bofh.ts';
import { InterruptedError, RolledBackError } from '../errors.ts';
import { processSignals } from '../host/process.ts';
import * as driver from '../mount/index.ts';
import type { Tx } from '../operations.ts';

/** Every mount of this host. */
export async function mounts(): Promise<readonly MountEntry[]> {
  return driver.mounts(currentBofh().host);
}

/** Is something mounted on this directory? */
export async function isMountpoint(path: string): Promise<boolean> {
  return driver.isMountpoint(currentBofh().host, path);
}

/** Mounts a filesystem, to stay: a sequence of one. */
export async function mount(args: Parameters<Tx['mount']['mount']>[0]): ReturnType<Tx['mount']['mount']> {
  return single('mount.mount', (tx) => tx.mount.mount(args));
}

/**
 * Directories to mount on, each handed out to one user at a time. Every mount is a sequence of its own, so that a
 * crash in between is recovered; what the body does is not part of it.
 */
export class MountPool extends driver.MountPool {
  constructor(paths: readonly string[]) {
    super(paths, {
      isMountpoint,
      run: mountedFor,
    });
  }
}

/**
 * The body's own failure is thrown as it is: it is no failure of the mount, which is undone either way. The first signal
 * waits for the body, which would go on writing into the bare directory if the mount were taken from under it.
 */
async function mountedFor<T>(request: driver.MountRequest, body: (path: string) => Promise<T>): Promise<T> {
  const outer = currentBofh();
  const outside = outsideSequence();
  const watched = outer.signals === undefined ? processSignals() : undefined;
  const { stop, abandon } = outer.signals ?? watched?.signals ?? {};
  const patient = { ...outer, signals: abandon === undefined ? {} : { stop: abandon, abandon } };
  let failed: { readonly error: unknown } | undefined;
  const within = (path: string): Promise<T> =>
    outside(() => withBofh(outer, () => body(path))).catch((error: unknown) => {
      failed = { error };
      throw error;
    });
  try {
    const value = await apart(() => withBofh(patient, () => whileMounted(request, within)));
    if (stop?.aborted !== true) return value;
    throw new InterruptedError(`a signal came while ${request.device} was mounted on ${request.path}`);
  } catch (error) {
    if (failed !== undefined && error instanceof RolledBackError && error.leftAlone.length === 0)
      throw failed.error;
    throw error;
  } finally {
    watched?.release();
  }
}

async function whileMounted<T>(
  { device, path, mode, type, options }: driver.MountRequest,
  body: (path: string) => Promise<T>,
): Promise<T> {
  return atomic(`mount ${device}`, async (tx) => {
    const mounted = await tx.temporary.mount.mount({
      device,
      path,
      mode,
      ...(type === undefined ? {} : { type }),
      ...(options === undefined ? {} : { options }),
    });
    return body(mounted.path);
  });
}
